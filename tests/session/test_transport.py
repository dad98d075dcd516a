"""One attempt over HTTP."""

import asyncio

import pytest
from aiohttp import web

from aioregistry import AuthenticationError, RegistryTimeoutError
from aioregistry.client.client import RegistryClient
from tests.conftest import QUICK


@pytest.fixture
async def dripping():
    """A server whose body never ends, after the status that the path names."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=int(request.headers["Authorization"][-3:]))
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("token", "error"), [("401", AuthenticationError), ("200", RegistryTimeoutError)]
)
async def test_an_error_is_known_by_its_status_even_if_its_body_never_ends(dripping, token, error):
    async with RegistryClient(token, base_url=dripping, timeout=0.1, retry=QUICK) as client:
        with pytest.raises(error):
            await client.options()
