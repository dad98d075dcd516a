"""Two families of paths: when the client moves to the second, and when it doesn't."""

import asyncio
import logging

import pytest

from aioregistry import (
    ConflictError,
    NotFoundError,
    PreconditionFailedError,
    RegistryClient,
)
from tests.vendor import examples
from tests.vendor.server import Answer

MANY = Answer(412, examples.MANY_REGISTRIES)
REGISTRY, CREDENTIALS = "/v2/registry", "/v2/registry/docker-credentials"
FIRST_TAGS = "/v2/registry/example/repositories/repo-1/tags"
SECOND_TAGS = "/v2/registries/example/repositories/repo-1/tags"


def repository(client: RegistryClient):
    return client.registry("example").repository("repo-1")


MOVES = {
    "options": ("GET", "/options", lambda c: c.options()),
    "subscription": ("GET", "/subscription", lambda c: c.subscription()),
    "update subscription": ("POST", "/subscription", lambda c: c.update_subscription("basic")),
    "validate name": ("POST", "/validate-name", lambda c: c.validate_name("example")),
    "repositories": (
        "GET",
        "/example/repositoriesV2",
        lambda c: c.registry("example").repositories().first(),
    ),
    "tags": (
        "GET",
        "/example/repositories/repo-1/tags",
        lambda c: repository(c).tags().first(),
    ),
    "manifests": (
        "GET",
        "/example/repositories/repo-1/digests",
        lambda c: repository(c).manifests().first(),
    ),
    "delete tag": (
        "DELETE",
        "/example/repositories/repo-1/tags/v1",
        lambda c: repository(c).delete_tag("v1"),
    ),
    "delete manifest": (
        "DELETE",
        f"/example/repositories/repo-1/digests/{examples.DIGEST}",
        lambda c: repository(c).delete_manifest(examples.DIGEST),
    ),
    "start garbage collection": (
        "POST",
        "/example/garbage-collection",
        lambda c: c.registry("example").start_garbage_collection("unreferenced blobs only"),
    ),
    "garbage collection": (
        "GET",
        "/example/garbage-collection",
        lambda c: c.registry("example").garbage_collection(),
    ),
    "garbage collections": (
        "GET",
        "/example/garbage-collections",
        lambda c: c.registry("example").garbage_collections().first(),
    ),
    "cancel garbage collection": (
        "PUT",
        f"/example/garbage-collection/{examples.UUID}",
        lambda c: c.registry("example").cancel_garbage_collection(examples.UUID),
    ),
}


@pytest.mark.parametrize("name", MOVES)
async def test_a_412_that_names_the_second_family_moves_there(server, client, name):
    method, path, call = MOVES[name]
    server.on(method, f"/v2/registry{path}", MANY)
    await call(client)
    assert server.sent == [(method, f"/v2/registry{path}"), (method, f"/v2/registries{path}")]
    bodies = [request.body for request in server.requests]
    assert bodies[0] == bodies[1]


async def test_the_move_is_for_good(server, client):
    server.on("GET", FIRST_TAGS, MANY)
    await repository(client).tags().first()
    server.requests.clear()
    await repository(client).tags().first()
    await client.options()
    await repository(client).delete_tag("v1")
    assert server.sent == [
        ("GET", SECOND_TAGS),
        ("GET", "/v2/registries/options"),
        ("DELETE", f"{SECOND_TAGS}/v1"),
    ]


async def test_the_move_is_one_clients_own(server, client, connect):
    server.on("GET", FIRST_TAGS, MANY, Answer(200, examples.LIST_TAGS))
    await repository(client).tags().first()
    async with connect(server) as other:
        await repository(other).tags().first()
    assert server.sent[-1] == ("GET", FIRST_TAGS)


async def test_the_move_is_logged_once_however_many_ask_at_once(server, client, caplog):
    server.on("GET", FIRST_TAGS, MANY)
    with caplog.at_level(logging.INFO, "aioregistry"):
        tags = await asyncio.gather(*(repository(client).tags().first() for _ in range(10)))
        await repository(client).tags().first()
    assert [tag.tag for tag in tags] == ["latest"] * 10
    moves = [record for record in caplog.records if "/v2/registries" in record.getMessage()]
    assert len(moves) == 1


async def test_a_walk_goes_on_in_the_second_family(server, client):
    """The account gets its second registry between two pages."""
    pages = {"next": f"{examples.V2_PAGES}?page=2&page_token=abc"}
    page = {"repositories": [examples.REPOSITORY], "meta": {"total": 2}, "links": {"pages": pages}}
    last = {"repositories": [{**examples.REPOSITORY, "name": "repo-2"}], "meta": {"total": 2}}
    server.on("GET", "/v2/registry/example/repositoriesV2", Answer(200, page), MANY)
    server.on("GET", "/v2/registries/example/repositoriesV2", Answer(200, last))
    names = [r.name async for r in client.registry("example").repositories()]
    assert names == ["repo-1", "repo-2"]


@pytest.mark.parametrize(
    "body",
    [
        examples.OVER_LIMIT,
        {"id": "precondition_failed", "message": "no"},
        {"id": "precondition_failed"},
        {"id": "precondition_failed", "message": None},
        b"<html>412</html>",
        b"",
    ],
    ids=str,
)
async def test_any_other_412_is_an_error_and_moves_nothing(server, client, body):
    server.on("POST", "/v2/registry/subscription", Answer(412, body))
    with pytest.raises(PreconditionFailedError) as caught:
        await client.update_subscription("professional")
    assert caught.value.status == 412
    assert len(server.requests) == 1
    await client.options()
    assert server.sent[-1] == ("GET", "/v2/registry/options")


async def test_another_status_that_names_the_second_family_moves_nothing(server, client):
    body = {"id": "conflict", "message": examples.MANY_REGISTRIES["message"]}
    server.on("GET", FIRST_TAGS, Answer(409, body))
    with pytest.raises(ConflictError):
        await repository(client).tags().first()
    assert len(server.requests) == 1


@pytest.mark.parametrize("api", ["registry", "registries"])
async def test_the_second_family_has_nowhere_to_move(server, connect, api):
    server.on("GET", FIRST_TAGS, MANY)
    server.on("GET", SECOND_TAGS, MANY)
    async with connect(server, api=api) as client:
        with pytest.raises(PreconditionFailedError):
            await repository(client).tags().first()
    assert server.sent.count(("GET", SECOND_TAGS)) == 1


class TestNamedCallsOfTheFirstFamily:
    """A path without a name is called for a named registry only when that's the one there."""

    async def test_credentials_compare_the_name_once(self, server, client):
        registry = client.registry("example")
        await registry.docker_credentials(read_write=True, expiry_seconds=3600)
        await registry.docker_credentials()
        assert server.sent == [("GET", REGISTRY), ("GET", CREDENTIALS), ("GET", CREDENTIALS)]
        assert server.requests[1].query == {"read_write": "true", "expiry_seconds": "3600"}

    async def test_credentials_of_another_registry_are_not_given_out(self, server, client):
        with pytest.raises(NotFoundError):
            await client.registry("another").docker_credentials()
        assert server.sent == [("GET", REGISTRY)]

    async def test_another_registry_is_not_found(self, server, client):
        with pytest.raises(NotFoundError):
            await client.get_registry("another")
        assert server.sent == [("GET", REGISTRY)]

    @pytest.mark.parametrize("registry", [{}, {"name": None}, {"name": "EXAMPLE"}], ids=str)
    async def test_a_registry_of_no_name_is_not_the_named_one(self, server, client, registry):
        server.on("GET", REGISTRY, Answer(200, {"registry": registry}))
        with pytest.raises(NotFoundError):
            await client.registry("example").docker_credentials()
        assert ("GET", CREDENTIALS) not in server.sent

    async def test_the_comparison_itself_may_move_the_client(self, server, client):
        server.on("GET", REGISTRY, MANY)
        await client.registry("example").docker_credentials()
        assert server.sent[0] == ("GET", REGISTRY)
        assert server.sent[-1] == ("GET", "/v2/registries/example/docker-credentials")
        assert len(server.requests) <= 3

    async def test_credentials_that_answer_412_move_to_the_name(self, server, client):
        """A second registry was made after the comparison."""
        server.on("GET", CREDENTIALS, MANY)
        await client.registry("example").docker_credentials()
        assert server.sent[-1] == ("GET", "/v2/registries/example/docker-credentials")

    async def test_get_registry_moves_to_the_name(self, server, client):
        server.on("GET", REGISTRY, MANY)
        assert (await client.get_registry("example")).name == "example"
        assert server.sent[-1] == ("GET", "/v2/registries/example")


@pytest.mark.parametrize("api", ["registry", "registries"])
async def test_deletes_of_whole_things_always_carry_the_name(server, connect, api):
    async with connect(server, api=api) as client:
        await client.delete_registry("example")
        await client.registry("example").delete_repository("repo-1")
    assert server.sent == [
        ("DELETE", "/v2/registries/example"),
        ("DELETE", "/v2/registries/example/repositories/repo-1"),
    ]
