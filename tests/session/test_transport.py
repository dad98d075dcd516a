"""One attempt over HTTP."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from aioregistry import AuthenticationError, NotFoundError, RegistryTimeoutError
from aioregistry.client.client import RegistryClient
from aioregistry.oci.distribution import Distribution
from tests.conftest import QUICK
from tests.ratelimit.strict_server import virtual
from tests.session.serving import serving


async def dripping(request: web.BaseRequest) -> web.StreamResponse:
    """Answer with a body that never ends, after the status that the token names, or 404."""
    response = web.StreamResponse(status=int(request.headers.get("Authorization", "404")[-3:]))
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(2.0)


@pytest.mark.parametrize(
    ("token", "error"), [("401", AuthenticationError), ("200", RegistryTimeoutError)]
)
@virtual
async def test_an_error_is_known_by_its_status_even_if_its_body_never_ends(token, error):
    async with (
        serving(dripping) as url,
        RegistryClient(token, base_url=url, timeout=10.0, retry=QUICK) as client,
    ):
        with pytest.raises(error):
            await client.options()


@virtual
async def test_so_is_an_error_of_the_registry_itself():
    async with (
        serving(dripping) as url,
        RegistryClient("token") as client,
        Distribution(
            client.registry("example"), base_url=url, timeout=10.0, retry=QUICK
        ) as distribution,
    ):
        with pytest.raises(NotFoundError):
            await distribution.get_manifest("web", "v1")


@pytest.fixture
async def recording():
    """A server that keeps what each request was, and its headers; yields its URL and the list."""
    seen = []

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.append((request.method, request.path, request.headers.copy()))
        return web.json_response({"options": {}})

    async with serving(answer) as url:
        yield url, seen


def rotating():
    """A token callable, each of whose tokens is another."""
    numbers = iter(range(100, 1000))

    async def token() -> str:
        await asyncio.sleep(0)
        return f"token-{next(numbers)}"

    return token


@pytest.mark.parametrize("timeout", [10.0, aiohttp.ClientTimeout(total=10.0)])
async def test_each_of_many_attempts_at_once_carries_the_token_that_it_was_given(
    recording, timeout
):
    url, seen = recording
    async with RegistryClient(rotating(), base_url=url, timeout=timeout) as client:
        await client.options()
        await asyncio.gather(*(client.options() for _ in range(20)))
        await client.is_name_available("example")
        await client.options()
    tokens = [headers.getall("Authorization") for _, _, headers in seen]
    assert sorted(tokens) == [[f"Bearer token-{number}"] for number in range(100, 123)]


@pytest.mark.parametrize("timeout", [10.0, aiohttp.ClientTimeout(total=10.0)])
async def test_a_request_with_a_body_leaves_nothing_of_it_in_those_without(recording, timeout):
    url, seen = recording
    async with RegistryClient("a-token", base_url=url, timeout=timeout) as client:
        for _ in range(2):
            await client.options()
            await client.is_name_available("example")
    (first, one), (again, other) = ((dict(a[2]), dict(b[2])) for a, b in (seen[:2], seen[2:]))
    assert (first, one) == (again, other)
    assert one == first | {"Content-Type": "application/json", "Content-Length": "18"}
