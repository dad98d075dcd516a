"""Every row of the endpoint table, in both families: what is sent and what comes back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from aioregistry import ConflictError, NotFoundError, RegistryClient
from tests.vendor import examples
from tests.vendor.conftest import Connect
from tests.vendor.expected import assert_holds, decoded
from tests.vendor.server import TOKEN, Answer, VendorServer

FAMILIES = {"registry": "/v2/registry", "registries": "/v2/registries"}
ONE_ITEM = {"per_page": "1"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: the method that does it, its request and its answer."""

    call: Callable[[RegistryClient], Awaitable[Any]]
    request: str
    answer: Any = None
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    families: tuple[str, ...] = ("registry", "registries")


def registry(client: RegistryClient) -> Any:
    return client.registry("example")


def repository(client: RegistryClient) -> Any:
    return client.registry("example").repository("repo-1")


ROWS = {
    "list registries": Row(
        lambda c: c.registries(), "GET /v2/registries", answer=[examples.REGISTRY]
    ),
    "get the only registry": Row(
        lambda c: c.get_registry(),
        "GET /v2/registry",
        answer=examples.REGISTRY,
        families=("registry",),
    ),
    "get by name, first family": Row(
        lambda c: c.get_registry("example"),
        "GET /v2/registry",
        answer=examples.REGISTRY,
        families=("registry",),
    ),
    "get by name, second family": Row(
        lambda c: c.get_registry("example"),
        "GET /v2/registries/example",
        answer=examples.MULTIREGISTRY,
        families=("registries",),
    ),
    "create": Row(
        lambda c: c.create_registry("example", subscription_tier="basic", region="fra1"),
        "POST /v2/registries",
        answer=examples.MULTIREGISTRY,
        body={"name": "example", "subscription_tier_slug": "basic", "region": "fra1"},
    ),
    "create without region and tier": Row(
        lambda c: c.create_registry("example"),
        "POST /v2/registries",
        answer=examples.MULTIREGISTRY,
        body={"name": "example"},
    ),
    "delete": Row(lambda c: c.delete_registry("example"), "DELETE /v2/registries/example"),
    "docker credentials of the only registry": Row(
        lambda c: c.docker_credentials(read_write=True, expiry_seconds=3600),
        "GET /v2/registry/docker-credentials",
        query={"read_write": "true", "expiry_seconds": "3600"},
        answer={"config": None},
        families=("registry",),
    ),
    "docker credentials, read-only for ever": Row(
        lambda c: c.docker_credentials(),
        "GET /v2/registry/docker-credentials",
        answer={"config": None},
        families=("registry",),
    ),
    "docker credentials by name": Row(
        lambda c: registry(c).docker_credentials(read_write=True, expiry_seconds=3600),
        "GET /v2/registries/example/docker-credentials",
        query={"read_write": "true", "expiry_seconds": "3600"},
        answer={"config": None},
        families=("registries",),
    ),
    "validate name": Row(
        lambda c: c.validate_name("example"),
        "POST {family}/validate-name",
        body={"name": "example"},
    ),
    "name is available": Row(
        lambda c: c.is_name_available("example"),
        "POST {family}/validate-name",
        body={"name": "example"},
        answer=True,
    ),
    "repositories, the old list": Row(
        lambda c: registry(c).repositories_v1().first(),
        "GET /v2/registry/example/repositories",
        query=ONE_ITEM,
        answer=examples.REPOSITORY_V1,
        families=("registry",),
    ),
    "repositories": Row(
        lambda c: registry(c).repositories().first(),
        "GET {family}/example/repositoriesV2",
        query=ONE_ITEM,
        answer=examples.REPOSITORY,
    ),
    "delete repository": Row(
        lambda c: registry(c).delete_repository("my/repo"),
        "DELETE /v2/registries/example/repositories/my%2Frepo",
    ),
    "tags": Row(
        lambda c: repository(c).tags().first(),
        "GET {family}/example/repositories/repo-1/tags",
        query=ONE_ITEM,
        answer=examples.TAG,
    ),
    "tags of a repository with a slash": Row(
        lambda c: registry(c).repository("my/repo").tags().first(),
        "GET {family}/example/repositories/my%2Frepo/tags",
        query=ONE_ITEM,
        answer=examples.TAG,
    ),
    "delete tag": Row(
        lambda c: repository(c).delete_tag("06a447a"),
        "DELETE {family}/example/repositories/repo-1/tags/06a447a",
    ),
    "manifests": Row(
        lambda c: repository(c).manifests().first(),
        "GET {family}/example/repositories/repo-1/digests",
        query=ONE_ITEM,
        answer=examples.MANIFEST,
    ),
    "delete manifest": Row(
        lambda c: repository(c).delete_manifest(examples.DIGEST),
        f"DELETE {{family}}/example/repositories/repo-1/digests/{examples.DIGEST}",
    ),
    "start garbage collection": Row(
        lambda c: registry(c).start_garbage_collection("unreferenced blobs only"),
        "POST {family}/example/garbage-collection",
        body={"type": "unreferenced blobs only"},
        answer=examples.GARBAGE_COLLECTION,
    ),
    "active garbage collection": Row(
        lambda c: registry(c).garbage_collection(),
        "GET {family}/example/garbage-collection",
        answer=examples.GARBAGE_COLLECTION,
    ),
    "past garbage collections": Row(
        lambda c: registry(c).garbage_collections().first(),
        "GET {family}/example/garbage-collections",
        query=ONE_ITEM,
        answer=examples.PAST_GARBAGE_COLLECTION,
    ),
    "cancel garbage collection": Row(
        lambda c: registry(c).cancel_garbage_collection(examples.UUID),
        f"PUT {{family}}/example/garbage-collection/{examples.UUID}",
        body={"cancel": True},
        answer=examples.GARBAGE_COLLECTION,
    ),
    "options": Row(lambda c: c.options(), "GET {family}/options", answer=examples.OPTIONS),
    "subscription": Row(
        lambda c: c.subscription(), "GET {family}/subscription", answer=examples.SUBSCRIPTION
    ),
    "update subscription": Row(
        lambda c: c.update_subscription("professional"),
        "POST {family}/subscription",
        body={"tier_slug": "professional"},
        answer=examples.SUBSCRIPTION,
    ),
}


@pytest.mark.parametrize(
    ("name", "family"),
    [(name, family) for name, row in ROWS.items() for family in row.families],
)
async def test_row(server: VendorServer, connect: Connect, name: str, family: str):
    row = ROWS[name]
    async with connect(server, api=family) as client:
        result = await row.call(client)
    [request] = server.requests
    assert f"{request.method} {request.path}" == row.request.format(family=FAMILIES[family])
    query = request.query
    assert query.pop("page", "1") == "1"
    assert query == row.query
    assert request.json == row.body
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    if row.answer == {"config": None}:
        assert_holds(result, {"username": examples.DOCKER_TOKEN})
        assert result.config == examples.CREDENTIALS
    else:
        assert_holds(result, decoded(row.answer))


LISTS = {
    "repositories": (lambda c: registry(c).repositories(), 5, examples.PAGE_TOKEN),
    "repositories_v1": (lambda c: registry(c).repositories_v1(), 1, None),
    "tags": (lambda c: repository(c).tags(), 1, None),
    "manifests": (lambda c: repository(c).manifests(), 3, None),
    "garbage_collections": (lambda c: registry(c).garbage_collections(), 1, None),
}


@pytest.mark.parametrize("name", LISTS)
async def test_a_page_says_what_the_answer_said(server, client, name):
    pager, total, token = LISTS[name]
    page = await anext(aiter(pager(client).pages()))
    assert (len(page.items), page.total, page.number) == (1, total, 1)
    assert page.next_token == token
    assert server.requests[0].query["per_page"] == "200"


async def test_a_foreign_next_link_gives_its_token_and_is_never_called(server, client):
    """The example's links name api.digitalocean.com; the walk stays with the configured server."""
    last = {"repositories": [{**examples.REPOSITORY, "name": "repo-2"}], "meta": {"total": 2}}
    first = {**examples.LIST_REPOSITORIES, "meta": {"total": 2}}
    server.on("GET", "/v2/registry/example/repositoriesV2", Answer(200, first), Answer(200, last))
    names = [r.name async for r in registry(client).repositories()]
    assert names == ["repo-1", "repo-2"]
    assert server.requests[1].query["page_token"] == examples.PAGE_TOKEN


@pytest.mark.parametrize("token", ["eyJUb2tlbiI6IkNnZGpiMjlz", "a+b/c==", "a&b=c", "ü %2F"])
async def test_a_page_token_comes_back_as_it_was_given(server, client, token):
    link = f"{examples.V2_PAGES}?{urlencode({'page': '2', 'page_token': token})}"
    first = {**examples.LIST_REPOSITORIES, "links": {"pages": {"next": link}}}
    server.on(
        "GET",
        "/v2/registry/example/repositoriesV2",
        Answer(200, first),
        Answer(200, {"repositories": [], "meta": {"total": 1}}),
    )
    async for _ in registry(client).repositories():
        pass
    assert server.requests[1].query["page_token"] == token


async def test_no_active_garbage_collection_is_none(server, client):
    path = "/v2/registry/example/garbage-collection"
    server.on("GET", path, Answer(404, examples.NOT_FOUND))
    assert await registry(client).garbage_collection() is None


async def test_a_taken_name_is_not_available(server, client):
    server.on("POST", "/v2/registry/validate-name", Answer(409, examples.CONFLICT))
    assert await client.is_name_available("example") is False
    with pytest.raises(ConflictError, match="conflict"):
        await client.validate_name("example")


async def test_deleting_what_is_not_there_says_so(server, client):
    path = "/v2/registry/example/repositories/repo-1/tags/gone"
    server.on("DELETE", path, Answer(404, examples.NOT_FOUND))
    with pytest.raises(NotFoundError):
        await repository(client).delete_tag("gone")


async def test_a_base_url_may_end_in_a_slash(server, connect):
    async with connect(server, base_url=f"{server.url}/") as client:
        await client.options()
    assert server.sent == [("GET", "/v2/registry/options")]


class TestToken:
    """Where the token comes from."""

    @pytest.fixture(autouse=True)
    def _no_tokens(self, monkeypatch):
        monkeypatch.delenv("DIGITALOCEAN_TOKEN", raising=False)
        monkeypatch.delenv("DIGITALOCEAN_ACCESS_TOKEN", raising=False)

    @pytest.mark.parametrize(
        ("argument", "official", "cli"),
        [(TOKEN, "wrong", "wrong"), (None, TOKEN, "wrong"), (None, None, TOKEN)],
        ids=["argument first", "then DIGITALOCEAN_TOKEN", "then DIGITALOCEAN_ACCESS_TOKEN"],
    )
    async def test_order(self, server, connect, monkeypatch, argument, official, cli):
        if official is not None:
            monkeypatch.setenv("DIGITALOCEAN_TOKEN", official)
        monkeypatch.setenv("DIGITALOCEAN_ACCESS_TOKEN", cli)
        async with connect(server, token=argument) as client:
            await client.options()

    async def test_none_anywhere_is_an_error_that_says_what_to_set(self, server, connect):
        with pytest.raises(Exception, match="DIGITALOCEAN_TOKEN"):
            async with connect(server, token=None) as client:
                await client.options()
        assert server.requests == []

    async def test_a_callable_is_asked_for_each_request(self, server, connect):
        given = []

        async def rotate() -> str:
            given.append(TOKEN)
            return TOKEN

        async with connect(server, token=rotate) as client:
            await client.options()
            await client.subscription()
        assert len(server.requests) == 2
        assert len(given) >= 1
