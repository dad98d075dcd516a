"""Requests that are made like the first of their method, over real sockets."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from aioregistry.session.connections import AlikeRequests, own_session
from tests.session.serving import serving
from tests.session.test_own_sessions import echo

HEADERS = {"Accept": "application/json"}
SENT = [
    ("GET", "Bearer one"),
    ("GET", "Bearer one"),
    ("HEAD", "Bearer another"),
    ("GET", None),
    ("GET", "Bearer another"),
    ("HEAD", None),
    ("HEAD", "Bearer one"),
]


def alike():
    """A session of our own for one origin."""
    timeout = aiohttp.ClientTimeout(total=None)
    return own_session(one_origin=True, headers=HEADERS, timeout=timeout)


async def send(requests, url, method="GET", authorization=None):
    """Send a request, and return the status and the body of its response."""
    response = await requests.request(method, URL(url, encoded=True), authorization)
    try:
        return response.status, await response.read()
    finally:
        response.release()


@pytest.mark.parametrize("order", [1, -1])
async def test_each_has_the_headers_that_aiohttp_would_send(order):
    async with echo() as (url, seen):
        async with alike() as session:
            requests = AlikeRequests(session)
            for number, (method, authorization) in enumerate(SENT[::order]):
                await send(requests, f"{url}/{number}", method, authorization)
        ours, seen[:] = [(method, sorted(headers)) for method, headers in seen], []
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            for method, authorization in SENT[::order]:
                headers = {"Authorization": authorization} if authorization else {}
                async with session.request(method, url, headers=headers):
                    pass
    assert ours == [(method, sorted(headers)) for method, headers in seen]


async def test_each_goes_to_its_own_address_and_gets_its_own_answer():
    async def answer(request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(0)
        return web.Response(text=request.path_qs)

    async with serving(answer) as url, alike() as session:
        requests = AlikeRequests(session)
        paths = [f"/a%2Fb/{number}?c=%20" for number in range(20)]
        found = await asyncio.gather(*(send(requests, f"{url}{path}") for path in paths))
    assert found == [(200, path.encode()) for path in paths]


async def test_no_redirect_is_followed():
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with serving(answer) as url, alike() as session:
        requests = AlikeRequests(session)
        assert [(await send(requests, url))[0] for _ in range(2)] == [307, 307]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_none_is_sent_again_unseen(method):
    seen = []

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.append(request.path)
        if request.path == "/lost":
            request.transport.abort()
        return web.Response()

    async with serving(answer) as url, alike() as session:
        requests = AlikeRequests(session)
        for _ in range(2):
            await send(requests, f"{url}/found", method)
            with pytest.raises(aiohttp.ClientError):
                await send(requests, f"{url}/lost", method)
    assert seen == ["/found", "/lost"] * 2


async def test_a_first_one_that_fails_leaves_nothing_behind():
    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path == "/lost":
            request.transport.abort()
        return web.Response(text=request.headers["Authorization"])

    async with serving(answer) as url, alike() as session:
        requests = AlikeRequests(session)
        for path, method in (("/lost", "GET"), ("/lost", "DELETE")):
            with pytest.raises(aiohttp.ClientError):
                await send(requests, f"{url}{path}", method, "Bearer old")
            assert not session.connector._acquired
            assert await send(requests, url, method, "Bearer new") == (200, b"Bearer new")


async def test_the_first_of_a_method_is_not_sent_again_by_a_session_that_would():
    seen = []

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.append(request.method)
        if request.method == "HEAD":
            request.transport.abort()
        return web.Response()

    async with serving(answer) as url, aiohttp.ClientSession() as session:
        requests = AlikeRequests(session)
        await send(requests, url)
        with pytest.raises(aiohttp.ClientError):
            await send(requests, url, "HEAD")
    assert seen == ["GET", "HEAD"]


class _Adding(aiohttp.ClientRequest):
    async def send(self, conn):
        self.headers.add("X-Sent", "once")
        return await super().send(conn)


async def test_what_aiohttp_adds_to_one_as_it_is_sent_is_in_no_other():
    async with echo() as (url, seen), aiohttp.ClientSession(request_class=_Adding) as session:
        requests = AlikeRequests(session)
        for _ in range(3):
            await send(requests, url)
    assert [[name for name, _ in headers].count(b"X-Sent") for _, headers in seen] == [1, 1, 1]


async def test_the_connection_of_one_that_is_cancelled_serves_no_other():
    entered = asyncio.Event()

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path == "/slow":
            entered.set()
            await asyncio.sleep(60)
        return web.Response(text=request.path)

    async with serving(answer) as url, alike() as session:
        requests = AlikeRequests(session)
        await send(requests, f"{url}/first")
        task = asyncio.create_task(send(requests, f"{url}/slow"))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not session.connector._acquired
        assert await send(requests, f"{url}/next") == (200, b"/next")


async def test_a_closed_session_sends_none():
    async with echo() as (url, seen):
        async with alike() as session:
            requests = AlikeRequests(session)
            await send(requests, url)
        with pytest.raises(RuntimeError, match="Session is closed"):
            await send(requests, url)
    assert len(seen) == 1


class _Elsewhere(aiohttp.ClientRequest):
    @property
    def headers(self):
        return self.elsewhere

    @headers.setter
    def headers(self, headers):
        self.elsewhere = headers


class _Nowhere(aiohttp.ClientRequest):
    @property
    def __dict__(self):
        raise AttributeError("__dict__")


@pytest.mark.parametrize("kind", [_Elsewhere, _Nowhere])
async def test_where_aiohttp_keeps_headers_elsewhere_each_is_made_anew(kind):
    async with echo() as (url, seen), aiohttp.ClientSession(request_class=kind) as session:
        requests = AlikeRequests(session)
        for authorization in ("Bearer one", "Bearer another"):
            assert (await send(requests, url, "GET", authorization))[0] == 200
    assert [dict(headers)[b"Authorization"] for _, headers in seen] == [
        b"Bearer one",
        b"Bearer another",
    ]
