"""A proxy before a sandbox that goes wrong in one way, on the requests that it is aimed at."""

import asyncio
import json
import socket
import ssl
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache

from attrs import define, field, frozen


@frozen
class Answer:
    """What the sandbox answered."""

    status: int
    headers: tuple[str, ...]
    body: bytes


@define
class Exchange:
    """One request, the connection to answer it on, and the way to the sandbox."""

    method: str
    path: str
    request: bytes
    writer: asyncio.StreamWriter
    port: int

    async def pass_on(self) -> Answer:
        """Have the sandbox do what is asked, and return its answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(self.request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): line for line in lines for name in [line.split(":")[0]]}
            length = headers.pop("content-length", ": 0").split(":")[1]
            body = b"" if self.method == "HEAD" else await reader.readexactly(int(length))
            return Answer(int(first.split()[1]), tuple(headers.values()), body)
        finally:
            writer.close()

    def send(
        self, status: int, body: bytes = b"", *headers: str, length: int | None = None
    ) -> None:
        """Send a whole answer, or one whose length is a lie."""
        size = len(body) if length is None else length
        lines = (f"HTTP/1.1 {status} X", f"Content-Length: {size}", *headers, "", "")
        self.writer.write("\r\n".join(lines).encode() + body)

    async def answer_well(self) -> None:
        answer = await self.pass_on()
        self.send(answer.status, answer.body, *answer.headers)

    def reset(self) -> None:
        """Close the connection with RST."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()


Fault = Callable[[Exchange], Awaitable[None]]


@define
class FaultProxy:
    """Answers what it is aimed at badly, and lets the sandbox answer the rest.

    Attributes:
        port: Where the sandbox listens.
        fault: How it goes wrong.
        aim: Whether a request is one that it goes wrong on.
        hit: How many there were.
        open: Connections that are open.
    """

    port: int
    fault: Fault
    aim: Callable[[Exchange], bool]
    hit: int = 0
    open: int = 0
    _serving: set[asyncio.Task[None]] = field(factory=set)

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        """Serve, and return the URL."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24, ssl=tls)
        try:
            scheme = "http" if tls is None else "https"
            yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    async def closed(self) -> bool:
        """Wait a moment, and return whether every connection is closed by the client."""
        for _ in range(100):
            if not self.open:
                return True
            await asyncio.sleep(0.005)
        return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self.open += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    await self._answer(reader, writer)
                    await writer.drain()
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        method, path, _ = request.decode().split(" ", 2)
        for line in request.decode().lower().splitlines():
            if line.startswith("content-length:"):
                request += await reader.readexactly(int(line.split(":")[1]))
        exchange = Exchange(method, path, request, writer, self.port)
        if self.aim(exchange):
            self.hit += 1
            await _while_open(self.fault(exchange), reader)
        else:
            await exchange.answer_well()


async def _while_open(fault: Awaitable[None], reader: asyncio.StreamReader) -> None:
    """Stop what goes on after the client has gone."""
    failing = asyncio.ensure_future(fault)
    try:
        # Not at_eof: what the client has sent before may be there unread.
        while not failing.done() and not reader._eof:
            await asyncio.wait([failing], timeout=0.01)
    finally:
        failing.cancel()
        await asyncio.gather(failing, return_exceptions=True)


def _spoilt(spoil: Callable[[Exchange, Answer], Awaitable[None]]) -> Fault:
    """Return a fault after which the API has done what was asked."""

    async def fault(to: Exchange) -> None:
        await spoil(to, await to.pass_on())

    return fault


async def _forever(*_: object) -> None:
    await asyncio.sleep(60)


async def _reset_before(to: Exchange, _: Answer) -> None:
    to.reset()


async def _reset_within(to: Exchange, good: Answer) -> None:
    to.send(good.status, good.body[: len(good.body) // 2], *good.headers, length=len(good.body))
    await to.writer.drain()
    await asyncio.sleep(0.02)
    to.reset()


async def _reset_after(to: Exchange, good: Answer) -> None:
    to.send(good.status, good.body, *good.headers)
    await to.writer.drain()
    await asyncio.sleep(0.02)
    to.reset()


async def _half_closed(to: Exchange, _: Answer) -> None:
    to.writer.write_eof()
    await asyncio.sleep(0.5)


async def _silent_in_the_headers(to: Exchange, good: Answer) -> None:
    to.writer.write(f"HTTP/1.1 {good.status} X\r\nContent-Le".encode())
    await _forever()


async def _silent_in_the_body(to: Exchange, good: Answer) -> None:
    to.send(good.status, good.body[:1], *good.headers, length=max(2, len(good.body)))
    await _forever()


async def _drip(to: Exchange, good: Answer) -> None:
    to.send(good.status, b"", *good.headers, length=max(200, len(good.body)))
    for _ in range(200):
        to.writer.write(b" ")
        await to.writer.drain()
        await asyncio.sleep(0.02)


async def _truncated(to: Exchange, good: Answer) -> None:
    body = good.body[: len(good.body) // 2] or b"{"
    to.send(good.status if good.body else 200, body, *good.headers)


async def _cut_between_chunks(to: Exchange, good: Answer) -> None:
    body = good.body or b"{}"
    half = body[: len(body) // 2]
    head = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
    to.writer.write(f"{head}{len(half):x}\r\n".encode() + half + b"\r\n")
    await to.writer.drain()
    to.writer.close()


async def _length_too_long(to: Exchange, good: Answer) -> None:
    status = good.status if good.body else 200
    to.send(status, good.body, *good.headers, length=len(good.body) + 10)
    await to.writer.drain()
    to.writer.close()


async def _length_too_short(to: Exchange, good: Answer) -> None:
    body = good.body or b"{}"
    status = good.status if good.body else 200
    to.send(status, body, *good.headers, length=max(1, len(body) - 5))
    await to.writer.drain()
    to.writer.close()


async def _endless(to: Exchange, _: Answer) -> None:
    to.writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"100000\r\n" + b" " * 2**20 + b"\r\n"
    for _nth in range(1024):
        to.writer.write(piece)
        await to.writer.drain()


async def _endless_header(to: Exchange, good: Answer) -> None:
    to.send(good.status, good.body, *good.headers, f"X-Long: {'x' * 2**20}")


async def _elsewhere(to: Exchange) -> None:
    to.send(302, b"", "Location: http://169.254.1.1/secret")


async def _no_http(to: Exchange) -> None:
    to.writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    await to.writer.drain()
    to.writer.close()


def _holds(body: bytes, *headers: str) -> Fault:
    """Return a fault that does what is asked, and answers 200 with a body that is wrong."""

    async def spoil(to: Exchange, _: Answer) -> None:
        to.send(200, body, *headers)

    return _spoilt(spoil)


def _says(status: int, body: bytes = b"", *headers: str) -> Fault:
    """Return a fault that does nothing of what is asked, and answers so."""

    async def fault(to: Exchange) -> None:
        to.send(status, body, *headers)

    return fault


def _failing(
    status: int, body: bytes = b"", *headers: str
) -> Callable[[Exchange, Answer], Awaitable[None]]:
    async def spoil(to: Exchange, _: Answer) -> None:
        to.send(status, body, *headers)

    return spoil


def _refuses(status: int, *headers: str, message: str = "no") -> Fault:
    body = json.dumps({"id": "refused", "message": message, "request_id": "r-1"}).encode()
    return _says(status, body, "Content-Type: application/json", *headers)


async def _gone_already(to: Exchange) -> None:
    if to.method == "DELETE":
        await to.pass_on()
    await _refuses(404)(to)


async def _several_registries(to: Exchange) -> None:
    if to.path.startswith("/v2/registry/"):
        await _refuses(412, message=_SEVERAL)(to)
    else:
        await to.answer_well()


def blocking(seconds: float) -> Fault:
    """Return what blocks the loop that it shares with the client, while the first answer is due.

    The loop must be one of virtual time: after a block its clock is later, and nothing was done.
    """
    left = [seconds]

    async def spoil(to: Exchange, good: Answer) -> None:
        asyncio.get_running_loop()._clock.now += left.pop() if left else 0
        to.send(good.status, good.body, *good.headers)

    return _spoilt(spoil)


async def none(to: Exchange) -> None:
    """Answer well."""
    await to.answer_well()


@cache
def _bomb() -> bytes:
    """Return half a megabyte of gzip that unpacks to 512 MiB, put together from equal blocks."""
    count, block, checksum = 512, b" " * 2**20, 0
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    # Flushed so, a block refers to nothing before it.
    packed = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    for _ in range(count):
        checksum = zlib.crc32(block, checksum)
    head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    tail = struct.pack("<II", checksum, count * len(block))
    return head + packed * count + deflate.flush() + tail


async def _gzip_bomb(to: Exchange, _: Answer) -> None:
    to.send(200, _bomb(), "Content-Encoding: gzip", "Content-Type: application/json")


_HTML = "Content-Type: text/html"
_SEVERAL = (
    "This API is not supported if you have created multiple registries. "
    "Please use '/v2/registries/{registry_name}' instead."
)

FAULTS: dict[str, Fault] = {
    "reset before the answer": _spoilt(_reset_before),
    "reset within the body": _spoilt(_reset_within),
    "reset after the answer": _spoilt(_reset_after),
    "half-closed": _spoilt(_half_closed),
    "silence before the answer": _spoilt(_forever),
    "silence within the headers": _spoilt(_silent_in_the_headers),
    "silence within the body": _spoilt(_silent_in_the_body),
    "slow drip": _spoilt(_drip),
    "truncated body": _spoilt(_truncated),
    "cut between chunks": _spoilt(_cut_between_chunks),
    "Content-Length too long": _spoilt(_length_too_long),
    "Content-Length too short": _spoilt(_length_too_short),
    "not HTTP": _no_http,
    "a header of 1 MiB": _spoilt(_endless_header),
    "HTML": _holds(b"<html>hello</html>", _HTML),
    "empty body": _holds(b""),
    "JSON: null": _holds(b"null"),
    "JSON: a list": _holds(b"[]"),
    "JSON: a string": _holds(b'"x"'),
    "JSON: wrong within": _holds(
        b'{"tags": {}, "auths": [], "garbage_collection": [], "layers": 3}'
    ),
    "JSON: wrong items": _holds(
        b'{"tags": [3], "auths": {"h": 3}, "garbage_collection": 3, "layers": [3]}'
    ),
    "JSON: wrong fields": _holds(
        b'{"tags": [{"tag": 3}], "auths": {"h": {"auth": 3}}, "garbage_collection": {"uuid": 3},'
        b' "layers": [{"digest": 3}]}',
    ),
    "JSON: not UTF-8": _holds(b'{"tags": "\xff"}'),
    "JSON: 100,000 deep": _holds(b"[" * 100_000 + b"]" * 100_000),
    "a body of 1 GiB": _spoilt(_endless),
    "a gzip bomb": _spoilt(_gzip_bomb),
    "gzip that is none": _holds(b"{}", "Content-Encoding: gzip"),
    "302 to another host": _elsewhere,
    "400": _refuses(400),
    "401": _refuses(401),
    "403": _refuses(403),
    "404": _gone_already,
    "409": _refuses(409),
    "412": _refuses(412),
    "412 that names /v2/registries": _several_registries,
    "422": _refuses(422),
    "429, Retry-After": _refuses(429, "Retry-After: 60"),
    "429, ratelimit-reset": _refuses(429, "ratelimit-remaining: 0", "ratelimit-reset: 9999999999"),
    "429, both": _refuses(
        429, "Retry-After: 60", "ratelimit-remaining: 0", "ratelimit-reset: 9999999999"
    ),
    "429, Retry-After: 0": _refuses(429, "Retry-After: 0"),
    "429, no header": _refuses(429),
    "500": _spoilt(_failing(500)),
    "502 of a proxy, HTML": _spoilt(_failing(502, b"<html>Bad Gateway</html>", _HTML)),
    "503, Retry-After is a date": _refuses(503, "Retry-After: Fri, 31 Dec 2099 23:59:59 GMT"),
    "503, Retry-After is a past date": _refuses(503, "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT"),
    "504": _spoilt(_failing(504)),
}
