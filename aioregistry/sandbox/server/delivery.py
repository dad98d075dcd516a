"""Sending an answer, or failing to in the way that a fault asks for."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from random import Random

import attrs
from aiohttp import web

from aioregistry.sandbox.calls.answers import Answer
from aioregistry.sandbox.faults import Fault

_CHUNK = bytes(65536)
_DRIPS = 20
_NO_LINGER = struct.pack("ii", 1, 0)


@attrs.frozen
class Delivery:
    """One answer on its way.

    Attributes:
        request: The request that it answers.
        answer: The answer to send.
        headers: More of them.
        fault: The fault to inject on the way; one of another kind changes nothing.
        random: For how long a fault takes.
    """

    request: web.BaseRequest
    answer: Answer
    headers: Mapping[str, str]
    fault: Fault
    random: Random

    async def send(self) -> web.StreamResponse:
        """Send it, as far as the fault lets it."""
        fault, answer, body = self.fault, self.answer, self.answer.body
        if fault.kind == "lost":
            await asyncio.sleep(fault.duration(self.random))
            return reset(self.request)
        if fault.kind == "truncate":
            body = body[: len(body) // 2]
        elif fault.kind == "body" and body:
            body = fault.body.encode()
        headers = {**self.headers, **answer.headers}
        if body:
            headers.setdefault("Content-Type", "application/json")
        elif self.request.method == "HEAD":
            # Of a blob without a byte; nobody would add it where no body is sent anyway.
            headers["Content-Length"] = "0"
        if answer.zeros or fault.kind in {"reset-within", "reset-after", "drip"}:
            return await self._stream(body, headers)
        return web.Response(status=answer.status, body=body or None, headers=headers)

    async def _stream(self, body: bytes, headers: dict[str, str]) -> web.StreamResponse:
        response = web.StreamResponse(status=self.answer.status, headers=headers)
        if self.answer.status != 204:
            response.content_length = len(body) + self.answer.zeros + len(self.answer.tail)
        try:
            await response.prepare(self.request)
            if self.request.method != "HEAD":
                async for piece in self._pieces(body):
                    await response.write(piece)
        except ConnectionError:
            # The client hung up; nobody reads this.
            return reset(self.request)
        if self.fault.kind == "reset-after":
            await response.write_eof()
        if self.fault.kind in {"reset-within", "reset-after"}:
            reset(self.request)
        return response

    async def _pieces(self, body: bytes) -> AsyncIterator[bytes]:
        if self.fault.kind == "reset-within":
            yield body[: len(body) // 2]
            return
        if self.fault.kind == "drip":
            pause = self.fault.duration(self.random) / _DRIPS
            step = max(1, -(-len(body) // _DRIPS))
            for start in range(0, len(body), step):
                await asyncio.sleep(pause)
                yield body[start : start + step]
        else:
            yield body
        for start in range(0, self.answer.zeros, len(_CHUNK)):
            yield _CHUNK[: self.answer.zeros - start]
        if self.answer.tail:
            yield self.answer.tail


def reset(request: web.BaseRequest) -> web.Response:
    """Reset the connection; the response returned reaches nobody."""
    transport = request.transport
    if transport is not None:
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None:
            # Without lingering the kernel sends a reset instead of an orderly end.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    return web.Response()
