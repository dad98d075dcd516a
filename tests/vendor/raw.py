"""A server that speaks bytes: it keeps request lines as they were sent and answers anything."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class RawRequest:
    """One request, undecoded."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        """The second word of the request line: path and query, as sent."""
        return self.line.split(" ")[1]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: str) -> list[str]:
        """Every value sent under one header name, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the way to answer it."""

    server: "RawServer"
    request: RawRequest
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes and count them."""
        self.writer.write(data)
        await self.writer.drain()
        self.server.bytes_sent += len(data)


Reply = Callable[[Exchange], Awaitable[None]]


def head(status: int, *headers: str) -> bytes:
    """The status line and headers of an answer."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Odd"
    return "\r\n".join((f"HTTP/1.1 {status} {phrase}", *headers, "", "")).encode()


def answer(status: int = 200, body: object = b"", *headers: str) -> Reply:
    """A whole answer; the connection is kept. A body that is not bytes is sent as JSON."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = () if any(h.lower().startswith("content-type:") for h in headers) else (JSON,)
    lines = (*(f"Content-Type: {k}" for k in kind), f"Content-Length: {len(payload)}", *headers)
    whole = head(status, *lines) + (b"" if status in (204, 304) else payload)

    async def reply(exchange: Exchange) -> None:
        await exchange.send(whole)

    return reply


def verbatim(data: bytes) -> Reply:
    """These bytes, then the end of the connection."""

    async def reply(exchange: Exchange) -> None:
        await exchange.send(data)
        exchange.writer.close()

    return reply


def endless(status: int, chunk: bytes, *headers: str, limit: int = 1 << 30) -> Reply:
    """A body that goes on until the client hangs up, or `limit` bytes are through."""

    async def reply(exchange: Exchange) -> None:
        await exchange.send(head(status, f"Content-Type: {JSON}", *headers))
        sent = 0
        while sent < limit and not exchange.writer.is_closing():
            await exchange.send(chunk)
            sent += len(chunk)
        exchange.writer.close()

    return reply


async def close(exchange: Exchange) -> None:
    """Read the request, answer nothing, end the connection in good order."""
    exchange.writer.close()


async def reset(exchange: Exchange) -> None:
    """Read the request, answer nothing, reset the connection."""
    sock = exchange.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.writer.transport.abort()


async def stall(exchange: Exchange) -> None:
    """Read the request and keep the client waiting until the server ends."""
    await exchange.server.ended.wait()


class RawServer:
    """Gives the replies in turn, whatever the connection; the last one stays."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[RawRequest] = []
        self.connections = 0
        self.bytes_sent = 0
        self.ended = asyncio.Event()
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def lines(self) -> list[str]:
        """The request lines, without the protocol's version."""
        return [request.line.rpartition(" ")[0] for request in self.requests]

    async def hung_up(self) -> None:
        """Wait until every connection has ended."""
        if self._open:
            await asyncio.wait(self._open)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.ended.set()
        self._server.close()
        for writer in self._open.values():
            writer.transport.abort()
        await self.hung_up()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    request = await self._read(reader, connection)
                    self.requests.append(request)
                    reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                    await reply(Exchange(self, request, writer))
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            del self._open[task]

    @staticmethod
    async def _read(reader: asyncio.StreamReader, connection: int) -> RawRequest:
        raw = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = raw.removesuffix("\r\n\r\n").split("\r\n")
        headers = tuple((k, v.strip()) for k, _, v in (h.partition(":") for h in rest))
        length = next((int(v) for k, v in headers if k.lower() == "content-length"), 0)
        return RawRequest(line, headers, await reader.readexactly(length), connection)
