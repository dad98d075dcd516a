"""Requests that are made like the first of their method, over real sockets."""

import asyncio
import functools
import gzip
import traceback
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from aioregistry.session.alike import AlikeRequests, read_answer
from aioregistry.session.connections import own_session
from aioregistry.session.secret import Secret
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
    target = URL(url, encoded=True).raw_path_qs
    response = await requests.request(method, target, authorization)
    try:
        answer = await read_answer(response)
        return answer.status, answer.body
    finally:
        response.release()


def at(url):
    """What returns the address with a target at a server."""
    return lambda target: URL(url + target, encoded=True)


@pytest.mark.parametrize("order", [1, -1])
async def test_each_has_the_headers_that_aiohttp_would_send(order):
    async with echo() as (url, seen):
        async with alike() as session:
            requests = AlikeRequests(session, at(url))
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
        requests = AlikeRequests(session, at(url))
        paths = [f"/a%2Fb/{number}?c=%20" for number in range(20)]
        found = await asyncio.gather(*(send(requests, f"{url}{path}") for path in paths))
    assert found == [(200, path.encode()) for path in paths]


async def test_no_redirect_is_followed():
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with serving(answer) as url, alike() as session:
        requests = AlikeRequests(session, at(url))
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
        requests = AlikeRequests(session, at(url))
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
        requests = AlikeRequests(session, at(url))
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
        requests = AlikeRequests(session, at(url))
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
        requests = AlikeRequests(session, at(url))
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
        requests = AlikeRequests(session, at(url))
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
            requests = AlikeRequests(session, at(url))
            await send(requests, url)
        with pytest.raises(RuntimeError, match="Session is closed"):
            await send(requests, url)
    assert len(seen) == 1


@asynccontextmanager
async def raw(answers, seen):
    """A server that sends bytes: by the last part of the path, piece after piece; None closes."""
    serving_them = set()

    async def serve(reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            seen.append((writer, head))
            for piece in answers[head.split()[1].rpartition(b"/")[2].decode()]:
                if piece is None:
                    return
                writer.write(piece)
                await writer.drain()
                # What was sent arrives by itself.
                await asyncio.sleep(0.01)

    async def answer(reader, writer):
        serving_them.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in serving_them:
            task.cancel()
        await asyncio.gather(*serving_them)


OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = {
    "whole": [OK + b"Content-Length: 4\r\n\r\nbody"],
    "parted": [OK + b"Content-Length: 4\r\n\r\n", b"bo", b"dy"],
    "chunked": [OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n", b"2\r\ndy\r\n0\r\n\r\n"],
    "packed": [
        OK + b"Content-Encoding: gzip\r\nContent-Length: 24\r\n\r\n",
        gzip.compress(b"body", mtime=0),
    ],
    "announced": [b"HTTP/1.1 103 Early Hints\r\n\r\n", OK + b"Content-Length: 4\r\n\r\nbody"],
    "until its end": [OK.replace(b"1.1", b"1.0") + b"\r\nbo", b"dy", None],
}


@pytest.mark.parametrize("kind", ANSWERS)
async def test_a_body_is_read_whole_however_it_comes(kind):
    async with raw({"of": ANSWERS[kind]}, []) as url, alike() as session:
        requests = AlikeRequests(session, at(url))
        assert [await send(requests, f"{url}/of") for _ in range(3)] == [(200, b"body")] * 3
        assert not session.connector._acquired


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/2000 nonsense\r\n\r\n"],
        [OK + b"X-Long: " + b"x" * 10_000 + b"\r\n\r\n"],
        [OK + b"Content-Length: 4\r\n\r\nb", None],
        [None],
    ],
)
async def test_an_answer_that_breaks_http_is_the_error_that_it_is_with_aiohttp(pieces):
    async with raw({"right": ANSWERS["whole"], "broken": pieces}, []) as url, alike() as session:
        requests = AlikeRequests(session, at(url))
        await send(requests, f"{url}/right")
        with pytest.raises(aiohttp.ClientError) as ours:
            await send(requests, f"{url}/broken")
        assert not session.connector._acquired
        with pytest.raises(aiohttp.ClientError) as theirs:
            async with session.get(f"{url}/broken") as response:
                await response.read()
    assert (type(ours.value), str(ours.value)) == (type(theirs.value), str(theirs.value))


@pytest.mark.parametrize(("header", "connections"), [(b"", 1), (b"Connection: close\r\n", 3)])
async def test_a_connection_serves_as_many_as_the_server_lets_it(header, connections):
    seen = []
    answers = {"of": [OK + header + b"Content-Length: 0\r\n\r\n"]}
    async with raw(answers, seen) as url, alike() as session:
        requests = AlikeRequests(session, at(url))
        for _ in range(3):
            await send(requests, f"{url}/of")
    assert len({writer for writer, _ in seen}) == connections


@pytest.mark.parametrize("give_up", ["release", "close"])
async def test_a_connection_with_a_body_that_was_not_read_serves_no_other(give_up):
    seen = []
    answers = {"whole": ANSWERS["whole"], "begun": ANSWERS["parted"][:1]}
    async with raw(answers, seen) as url, alike() as session:
        requests = AlikeRequests(session, at(url))
        await send(requests, f"{url}/whole")
        for _ in range(3):
            response = await requests.request("GET", "/begun", None)
            getattr(response, give_up)()
            assert response.closed
            assert not session.connector._acquired
    # The first of them has the connection of the one before.
    assert len({writer for writer, _ in seen}) == 3


async def test_a_connector_that_closes_each_connection_says_so_in_each():
    connector = aiohttp.TCPConnector(force_close=True)
    seen = []
    async with (
        raw({"of": ANSWERS["whole"]}, seen) as url,
        own_session(one_origin=True, connector=connector) as session,
    ):
        requests = AlikeRequests(session, at(url))
        for _ in range(3):
            await send(requests, f"{url}/of")
    assert [head.count(b"\r\nConnection: close\r\n") for _, head in seen] == [1, 1, 1]


async def test_a_target_of_two_lines_adds_no_header():
    async with echo() as (url, seen), alike() as session:
        requests = AlikeRequests(session, at(url))
        await send(requests, url)
        with suppress(aiohttp.ClientError):
            response = await requests.request("GET", "/a HTTP/1.1\r\nX-Other: b\r\nX: ", None)
            response.release()
    assert [name for _, headers in seen for name, _ in headers if name == b"X-Other"] == []


@pytest.mark.parametrize("is_known", [True, False])
async def test_copies_are_sent_past_aiohttp_where_its_connections_are_known(is_known, monkeypatch):
    sent = []
    theirs, read = aiohttp.ClientRequest.send, ResponseHandler.read

    async def counted(request, conn):
        sent.append(request.method)
        return await theirs(request, conn)

    monkeypatch.setattr(aiohttp.ClientRequest, "send", counted)
    if not is_known:
        monkeypatch.setattr(ResponseHandler, "read", lambda handler, /: read(handler))
    async with echo() as (url, seen), alike() as session:
        requests = AlikeRequests(session, at(url))
        for _ in range(3):
            assert (await send(requests, url))[0] == 200
    assert len(seen) == 3
    assert len(sent) == (1 if is_known else 3)


async def test_the_error_of_a_connection_names_the_address_of_its_request(monkeypatch):
    async def late(*_, **__):
        raise TimeoutError

    async with echo() as (url, _), alike() as session:
        requests = AlikeRequests(session, at(url))
        await send(requests, f"{url}/first")
        monkeypatch.setattr(session.connector, "connect", late)
        with pytest.raises(aiohttp.ConnectionTimeoutError, match=f"{url}/second"):
            await send(requests, f"{url}/second?a=%20")


@pytest.mark.parametrize("pieces", [[b"HTTP/2000 nonsense\r\n\r\n"], [None]])
async def test_no_traceback_with_local_variables_shows_an_authorization(pieces):
    secret = Secret("Bearer a-secret-of-ours")
    async with raw({"right": ANSWERS["whole"], "broken": pieces}, []) as url, alike() as session:
        requests = AlikeRequests(session, at(url))
        for path in ("right", "broken"):
            await send(requests, f"{url}/right", "GET", None)
            with suppress(aiohttp.ClientError):
                await send(requests, f"{url}/{path}", "GET", secret)
        with pytest.raises(aiohttp.ClientError) as caught:
            await send(requests, f"{url}/broken", "GET", secret)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "a-secret" not in "".join(told.format())
    assert "a-secret" not in repr(requests._made)


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
        requests = AlikeRequests(session, at(url))
        for authorization in ("Bearer one", "Bearer another"):
            assert (await send(requests, url, "GET", authorization))[0] == 200
    assert [dict(headers)[b"Authorization"] for _, headers in seen] == [
        b"Bearer one",
        b"Bearer another",
    ]


@pytest.mark.parametrize("pieces", [[b"8\r\nmy body!\r\n0\r\n\r\n"], [b"8\r\nmy body!\r\n"] * 200])
async def test_a_body_without_a_length_is_read_no_further_than_its_limit(pieces):
    head = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    answers = {"large": [head + pieces[0], *pieces[1:]], "whole": ANSWERS["whole"]}
    async with raw(answers, []) as url, alike() as session:
        requests = AlikeRequests(session, at(url))
        for _ in range(2):
            response = await requests.request("GET", "/large", None)
            answer = await read_answer(response, limit=7)
            assert (answer.too_large, answer.body) == (True, b"")
            assert response.closed
        assert await send(requests, f"{url}/whole") == (200, b"body")


@asynccontextmanager
async def sending(number=3):
    """Sends some requests, with a callable in between that is handed to the test."""
    async with echo() as (url, seen):

        async def send_all(requests):
            for _ in range(number):
                assert (await send(requests, url, "DELETE"))[0] == 200

        yield url, seen, send_all


async def test_what_traces_sessions_sees_each_request_and_marks_it(monkeypatch):
    """As OpenTelemetry and Sentry do: each session that is made is given a trace."""
    started = []

    async def start(_session, _context, request):
        started.append(request.url.path)
        request.headers["traceparent"] = str(len(started))

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(start)
    make = aiohttp.ClientSession.__init__
    monkeypatch.setattr(
        aiohttp.ClientSession, "__init__", lambda *a, **k: make(*a, trace_configs=[trace], **k)
    )
    async with sending() as (url, seen, send_all), alike() as session:
        await send_all(AlikeRequests(session, at(url)))
    marks = [dict(headers)[b"traceparent"] for _, headers in seen]
    assert (len(started), marks) == (3, [b"1", b"2", b"3"])


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_replaces_requests_gets_each(monkeypatch, when):
    """As tools for tests do, and some that trace: before the first request, or between two."""
    seen_by_it = []
    request = aiohttp.ClientSession._request

    @functools.wraps(request)
    async def replaced(self, method, *args, **options):
        seen_by_it.append(method)
        return await request(self, method, *args, **options)

    async with sending() as (url, _seen, send_all), alike() as session:
        if when == "before":
            monkeypatch.setattr(aiohttp.ClientSession, "_request", replaced)
        requests = AlikeRequests(session, at(url))
        await send_all(requests)
        monkeypatch.setattr(aiohttp.ClientSession, "_request", replaced)
        seen_by_it.clear()
        await send_all(requests)
    assert seen_by_it == ["DELETE"] * 3


async def test_without_them_requests_are_copies(monkeypatch):
    made = []
    request = aiohttp.ClientSession.request
    monkeypatch.setattr(
        aiohttp.ClientSession, "request", lambda *a, **k: made.append(a[1]) or request(*a, **k)
    )
    async with sending() as (url, seen, send_all), alike() as session:
        await send_all(AlikeRequests(session, at(url)))
    assert (len(made), len(seen)) == (1, 3)
