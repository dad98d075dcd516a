"""The account's only registry, and the move from one path family to the other."""

import asyncio

import pytest
from aiohttp import web

from aioregistry import NotFoundError, PreconditionFailedError, RegistryClient
from aioregistry.sandbox import Fault, Faults, Sandbox
from tests.conftest import QUICK
from tests.session.serving import serving


@pytest.fixture
def connect(sandbox):
    return lambda: RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None, retry=QUICK)


async def test_a_name_is_compared_even_if_the_family_moves_meanwhile(sandbox, connect):
    sandbox.faults = Faults(Fault(kind="delay", method="GET", route="/v2/registry", seconds=0.05))
    async with connect() as client:
        asked = asyncio.ensure_future(client.get_registry("other"))
        await asyncio.sleep(0.01)
        client._families._move_or_raise(MoveError())
        with pytest.raises(NotFoundError):
            await asked


class MoveError(Exception):
    """A 412 as `_move_or_raise` looks at it."""

    message = "use /v2/registries"


async def test_what_was_asked_before_a_change_is_not_kept(sandbox: Sandbox, connect):
    sandbox.faults = Faults(Fault(kind="delay", method="GET", route="/v2/registry", seconds=0.05))
    async with connect() as client:
        asked = asyncio.ensure_future(client.get_registry())
        await asyncio.sleep(0.01)
        await client.delete_registry("example")
        await asyncio.gather(asked, return_exceptions=True)
        assert client._families._only_registry is None


async def test_credentials_of_another_registry_are_not_given_out(sandbox, client):
    with pytest.raises(NotFoundError, match="the account has 'example'"):
        await client.registry("other").docker_credentials()


async def test_the_account_is_asked_for_its_registry_once(sandbox, client):
    registry = client.registry("example")
    await registry.docker_credentials()
    await registry.docker_credentials(read_write=True, expiry_seconds=60)
    asked = [request.raw_path for request in sandbox.requests]
    assert asked == [
        "/v2/registry",
        "/v2/registry/docker-credentials",
        "/v2/registry/docker-credentials?read_write=true&expiry_seconds=60",
    ]


@pytest.fixture
def second_family(sandbox):
    return RegistryClient(
        sandbox.token, base_url=sandbox.url, api="registries", rate_limit=None, retry=QUICK
    )


async def test_in_the_second_family_the_only_registry_is_found_by_the_list(second_family):
    async with second_family as client:
        assert (await client.get_registry()).name == "example"
        assert (await client.docker_credentials()).host == "registry.digitalocean.com"


async def test_among_several_registries_one_has_to_be_named(sandbox, client):
    sandbox.state.add_registry("second")
    with pytest.raises(PreconditionFailedError, match="name one of: example, second"):
        await client.get_registry()
    assert (await client.get_registry("second")).name == "second"


async def test_an_account_without_a_registry_has_none_to_find(sandbox, second_family):
    sandbox.state.delete_registry("example")
    async with second_family as client:
        with pytest.raises(NotFoundError, match="no registry"):
            await client.get_registry()


USE_THE_OTHER = {
    "id": "precondition_failed",
    "message": "This API is not supported. Please use '/v2/registries/{registry_name}' instead.",
}


async def test_what_never_was_is_not_deleted_by_the_move_to_the_other_family():
    """The 412 that asks for the move shows that nothing was done."""

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path.startswith("/v2/registry/"):
            return web.json_response(USE_THE_OTHER, status=412)
        return web.json_response({"id": "not_found", "message": "tag not found"}, status=404)

    async with serving(answer) as url, RegistryClient("token", base_url=url) as client:
        repo = client.registry("example").repository("web")
        report = await repo.delete_tags(["v1", "v2"])
    async with serving(answer) as url, RegistryClient("token", base_url=url) as client:
        with pytest.raises(NotFoundError):
            await client.registry("example").repository("web").delete_tag("v1")
    assert len(report.absent) == 2, report
