"""Sessions of our own, and what their requests have in common, over real sockets."""

import platform
import subprocess
import sys
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from aioregistry.session.connections import own_session

HEADERS = {"Authorization": "Bearer token", "User-Agent": "tests", "Accept": "application/json"}


@asynccontextmanager
async def echo():
    """A server that keeps the headers of each request; yields its address and the headers."""
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.method, request.raw_headers))
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


REQUESTS = [
    ("DELETE", {}),
    ("DELETE", {}),
    ("GET", {}),
    ("POST", {"data": b"{}", "headers": {"Content-Type": "application/json"}}),
    ("POST", {"data": b'{"a": 1}', "headers": {"Content-Type": "application/json"}}),
    ("GET", {"headers": {"Authorization": "Bearer another"}}),
    ("GET", {"headers": {"authorization": "Bearer a third"}}),
    ("DELETE", {}),
]


@pytest.mark.parametrize("order", [1, -1])
async def test_each_request_has_the_headers_that_aiohttp_would_send(order):
    sent = []
    async with echo() as (url, seen):
        for session in (
            own_session(one_origin=True, headers=HEADERS),
            aiohttp.ClientSession(headers=HEADERS),
        ):
            async with session:
                for method, options in REQUESTS[::order]:
                    async with session.request(method, f"{url}/{len(seen)}", **options):
                        pass
            sent.append(list(seen))
            seen.clear()
    assert sent[0] == sent[1]


async def test_what_a_middleware_adds_to_a_request_is_in_no_other():
    async def marking(request, send):
        if request.url.path == "/marked":
            request.headers["X-Mark"] = "1"
        return await send(request)

    async with echo() as (url, seen), own_session(one_origin=True, headers=HEADERS) as session:
        for path in ("plain", "marked", "plain"):
            async with session.get(f"{url}/{path}", middlewares=[marking]):
                pass
    assert [b"X-Mark" in dict(headers) for _, headers in seen] == [False, True, False]


async def test_requests_to_one_origin_share_their_connection():
    async with echo() as (url, _), own_session(one_origin=True, headers=HEADERS) as session:
        for number in range(3):
            async with session.get(f"{url}/{number}"):
                pass
        assert len(session.connector._conns) == 1
        assert sum(map(len, session.connector._conns.values())) == 1


async def test_sessions_have_nothing_in_common():
    async with echo() as (one, seen_by_one), echo() as (other, seen_by_other):
        for url, token in ((one, "first"), (other, "second"), (one, "third")):
            headers = {"Authorization": f"Bearer {token}"}
            async with (
                own_session(one_origin=True, headers=headers) as session,
                session.get(url),
            ):
                pass
    tokens = [dict(headers)[b"Authorization"] for _, headers in [*seen_by_one, *seen_by_other]]
    assert tokens == [b"Bearer first", b"Bearer third", b"Bearer second"]


RECEIVING = """
import asyncio, resource, socket
from aioregistry.session.connections import own_session

async def open_and_close():
    await own_session().close()

asyncio.run(open_and_close())
one, other = socket.socketpair()

def receive(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        one.send(b"a few bytes")
        other.recv(256 * 1024)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

receive(100)
print(receive(1000))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it has another C library")
def test_what_is_received_needs_no_new_pages_of_memory_each_time():
    command = [sys.executable, "-c", RECEIVING]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500
