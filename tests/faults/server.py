"""A server on a raw socket that goes wrong in one way, and notes what it was asked."""

import asyncio
import gzip
import json
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256

from attrs import define, field

MANIFEST = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}).encode()
DIGEST = f"sha256:{sha256(MANIFEST).hexdigest()}"
# Not per_page=200.
LATER = re.compile(r"[?&]page=2\b")
AUTH = {"auths": {"registry.digitalocean.com": {"auth": "dXNlcjpwYXNzd29yZA=="}}}
RUN = {"uuid": "11111111-2222-3333-4444-555555555555", "status": "requested"}
TAG = {"tag": "v1", "manifest_digest": DIGEST, "repository": "web", "registry_name": "example"}


@define
class Exchange:
    """One request, and the connection to answer it on."""

    method: str
    path: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(
        self, status: int, body: bytes = b"", *headers: str, length: int | None = None
    ) -> None:
        """Send a whole answer."""
        size = len(body) if length is None else length
        lines = (f"HTTP/1.1 {status} X", f"Content-Length: {size}", *headers, "", "")
        self.writer.write("\r\n".join(lines).encode() + body)

    def send_json(self, document: object, *headers: str) -> None:
        self.send(200, json.dumps(document).encode(), "Content-Type: application/json", *headers)

    def good(self) -> tuple[int, bytes]:
        """Return what the API answers when nothing goes wrong."""
        if self.method == "DELETE":
            return 204, b""
        if self.method == "POST":
            return 201, json.dumps({"garbage_collection": RUN}).encode()
        if self.path.endswith("/v2/") or "/manifests/" in self.path:
            return 200, MANIFEST
        if "docker-credentials" in self.path:
            return 200, json.dumps(AUTH).encode()
        if self.path.endswith(("/registry", "/registries")):
            one = {"name": "example"}
            many = self.path.endswith("registries")
            return 200, json.dumps({"registries": [one]} if many else {"registry": one}).encode()
        if LATER.search(self.path):
            return 200, json.dumps({"tags": [{**TAG, "tag": "v2"}], "meta": {"total": 2}}).encode()
        link = "http://x/v2/registry/example/repositories/web/tags?page=2"
        listing = {"tags": [TAG], "meta": {"total": 2}, "links": {"pages": {"next": link}}}
        return 200, json.dumps(listing).encode()

    def answer_well(self) -> None:
        status, body = self.good()
        self.send(status, body, "Content-Type: application/json")

    def reset(self) -> None:
        """Close the connection with RST."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()


Fault = Callable[[Exchange], Awaitable[None]]


@define
class FaultServer:
    """Answers what is aimed at badly, and the rest well.

    Attributes:
        fault: How it goes wrong.
        aim: Whether a request is one that it goes wrong on.
        asked: All requests: methods and paths.
    """

    fault: Fault
    aim: Callable[[Exchange], bool]
    asked: list[tuple[str, str]] = field(factory=list)
    hit: int = 0
    open: int = 0

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        """Serve, and return the URL."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24, ssl=tls)
        try:
            scheme = "http" if tls is None else "https"
            yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    await self._answer(reader, writer)
                    await writer.drain()
                    if writer.is_closing():
                        break
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        for line in head.lower().splitlines():
            if line.startswith("content-length:"):
                await reader.readexactly(int(line.split(":")[1]))
        self.asked.append((method, path))
        exchange = Exchange(method, path, reader, writer)
        if self.aim(exchange):
            self.hit += 1
            await self.fault(exchange)
        else:
            exchange.answer_well()


async def reset_before(to: Exchange) -> None:
    to.reset()


async def reset_within(to: Exchange) -> None:
    status, body = to.good()
    to.send(status, body[: len(body) // 2], length=len(body))
    await to.writer.drain()
    await asyncio.sleep(0.02)
    to.reset()


async def reset_after(to: Exchange) -> None:
    to.answer_well()
    await to.writer.drain()
    await asyncio.sleep(0.02)
    to.reset()


async def half_closed(to: Exchange) -> None:
    to.writer.write_eof()
    await asyncio.sleep(0.5)


async def silence(_: Exchange) -> None:
    await asyncio.sleep(5)


async def silence_in_the_body(to: Exchange) -> None:
    status, body = to.good()
    to.send(status, body[:1], length=max(2, len(body)))
    await to.writer.drain()
    await asyncio.sleep(5)


async def drip(to: Exchange) -> None:
    status, body = to.good()
    to.send(status, b"", length=max(200, len(body)))
    for _ in range(200):
        to.writer.write(b" ")
        await to.writer.drain()
        await asyncio.sleep(0.02)


async def truncated(to: Exchange) -> None:
    status, body = to.good()
    to.send(status if body else 200, body[: len(body) // 2] or b"{")


async def length_too_long(to: Exchange) -> None:
    status, body = to.good()
    to.send(status if body else 200, body, length=len(body) + 10)
    await to.writer.drain()
    to.writer.close()


async def length_too_short(to: Exchange) -> None:
    status, body = to.good()
    to.send(status if body else 200, body or b"{}", length=max(1, len(body) - 5))
    await to.writer.drain()
    to.writer.close()


async def endless(to: Exchange) -> None:
    to.writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"100000\r\n" + b" " * 2**20 + b"\r\n"
    for _ in range(1024):
        to.writer.write(piece)
        await to.writer.drain()


async def bomb(to: Exchange) -> None:
    # Half a megabyte that unpacks to 512 MiB.
    to.send(200, BOMB, "Content-Encoding: gzip", "Content-Type: application/json")


async def elsewhere(to: Exchange) -> None:
    to.send(302, b"", "Location: http://169.254.1.1/secret")


def says(status: int, body: bytes = b"", *headers: str) -> Fault:
    async def fault(to: Exchange) -> None:
        to.send(status, body, *headers)

    return fault


def refuses(status: int, *headers: str) -> Fault:
    body = json.dumps({"id": "refused", "message": "no", "request_id": "r-1"}).encode()
    return says(status, body, "Content-Type: application/json", *headers)


BOMB = gzip.compress(b" " * 2**29, 9)

FAULTS: dict[str, Fault] = {
    "reset before the answer": reset_before,
    "reset within the body": reset_within,
    "reset after the answer": reset_after,
    "half-closed": half_closed,
    "silence before the answer": silence,
    "silence within the body": silence_in_the_body,
    "slow drip": drip,
    "truncated body": truncated,
    "Content-Length too long": length_too_long,
    "Content-Length too short": length_too_short,
    "HTML": says(200, b"<html>hello</html>", "Content-Type: text/html"),
    "empty body": says(200),
    "JSON: null": says(200, b"null"),
    "JSON: a list": says(200, b"[]"),
    "JSON: a string": says(200, b'"x"'),
    "JSON: wrong within": says(
        200, b'{"tags": {}, "auths": [], "garbage_collection": [], "layers": 3}'
    ),
    "JSON: wrong items": says(
        200, b'{"tags": [3], "auths": {"h": 3}, "garbage_collection": 3, "layers": [3]}'
    ),
    "JSON: wrong fields": says(
        200,
        b'{"tags": [{"tag": 3}], "auths": {"h": {"auth": 3}}, "garbage_collection": {"uuid": 3},'
        b' "layers": [{"digest": 3}]}',
    ),
    "JSON: not UTF-8": says(200, b'{"tags": "\xff"}'),
    "JSON: 100,000 deep": says(200, b"[" * 100_000 + b"]" * 100_000),
    "a body of 1 GiB": endless,
    "a gzip bomb": bomb,
    "302 to another host": elsewhere,
    "400": refuses(400),
    "401": refuses(401),
    "403": refuses(403),
    "404": refuses(404),
    "409": refuses(409),
    "412": refuses(412),
    "422": refuses(422),
    "429, Retry-After": refuses(429, "Retry-After: 60"),
    "429, ratelimit-reset": refuses(429, "ratelimit-remaining: 0", "ratelimit-reset: 9999999999"),
    "429, no header": refuses(429),
    "500": refuses(500),
    "503, Retry-After is a date": refuses(503, "Retry-After: Fri, 31 Dec 2099 23:59:59 GMT"),
}
