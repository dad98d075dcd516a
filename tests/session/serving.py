"""A server of a few lines, on loopback."""

from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def serving(answer):
    """A server with the answers of a test; yields its address."""
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
