"""A registry on a socket, whose every answer a test makes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from aioregistry import RegistryClient
from aioregistry.oci.distribution import Distribution
from tests.conftest import QUICK


@asynccontextmanager
async def serving(
    client: RegistryClient,
    answer: Callable[[web.BaseRequest], web.Response],
    kind: type[Distribution] = Distribution,
    path: str = "",
) -> AsyncIterator[Any]:
    """Serve, and open what reads from or writes to it, with credentials from the sandbox."""

    async def handle(request: web.BaseRequest) -> web.Response:
        return answer(request)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    registry = client.registry("example")
    try:
        async with kind(registry, base_url=f"http://127.0.0.1:{port}{path}", retry=QUICK) as opened:
            yield opened
    finally:
        await runner.cleanup()
