"""Applications of aiohttp, in this process: readers that do not read, sub-applications."""

import asyncio
import socket

import aiohttp
import pytest
from aiohttp import web

from aioregistry import RegistryClient
from aioregistry.sandbox import Sandbox
from aioregistry.web.aiohttp import CLIENT, JOBS, alive, job_routes, ready, setup, stream
from tests.web.test_accounts import served


@pytest.fixture
async def sandbox():
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.slow(3)
async def test_readers_that_do_not_read_do_not_hold_the_end(tmp_path):
    """A hundred of them, and a job that says much: all is over within seconds."""
    app = web.Application()
    setup(app, lambda: RegistryClient("a-token"), reports=tmp_path)

    async def follow(request):
        return await stream(request, request.config_dict[JOBS].get(request.match_info["id"]))

    app.router.add_get("/{id}", follow)
    runner = web.AppRunner(app, shutdown_timeout=60)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()

    async def work(job):
        while True:
            job.tell(pad="x" * 100_000)
            await asyncio.sleep(0.001)

    job = app[JOBS].start("talk", work)
    port = site._server.sockets[0].getsockname()[1]
    readers = []
    for _ in range(100):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", port))
        reader.sendall(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % job.id.encode())
        readers.append(reader)
    async with asyncio.timeout(60):
        while len(app[JOBS]._deadlines) < 100:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
    async with asyncio.timeout(60):
        await runner.cleanup()
    assert job.status == "cancelled"
    for reader in readers:
        reader.close()


async def test_a_request_for_the_headers_of_a_stream_gets_them_alone():
    app = web.Application()
    setup(app, lambda: RegistryClient("a-token"))
    app.add_routes(job_routes())
    async with served(app) as http:
        job = app[JOBS].start("wait", lambda _: asyncio.sleep(60))
        async with asyncio.timeout(60), http.head(f"/jobs/{job.id}/events") as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
        # The connection can be used again.
        async with http.get(f"/jobs/{job.id}") as answer:
            assert (await answer.json())["status"] == "running"


async def test_a_sub_application_finds_the_client(sandbox):
    app, inner = web.Application(), web.Application()
    setup(app, lambda: RegistryClient(sandbox.token, base_url=sandbox.url))
    with pytest.raises(ValueError, match="already"):
        setup(app)

    async def show(request):
        await request.config_dict[CLIENT].registry("none").repositories().collect()

    inner.router.add_get("/show", show)
    inner.router.add_get("/ready", ready)
    inner.router.add_get("/alive", alive)
    app.add_subapp("/api", inner)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    async with aiohttp.ClientSession(base) as http:
        statuses = {}
        for path in ("/api/show", "/api/ready", "/api/alive"):
            async with http.get(path) as answer:
                statuses[path] = answer.status
    await runner.cleanup()
    assert statuses == {"/api/show": 404, "/api/ready": 200, "/api/alive": 200}
