"""Requests that differ in little: copies of the first of their kind, and the reading of responses.

Together with `connections` and `transport` the place in the core that knows aiohttp.
"""

from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
from aiohttp import client, hdrs
from aiohttp.http import HttpProcessingError
from attrs import define, field

from aioregistry.session.answers import Answer
from aioregistry.session.connections import AlikeRequest, no_hidden_resend

if TYPE_CHECKING:
    from multidict import CIMultiDict, CIMultiDictProxy
    from yarl import URL

__all__ = ["AlikeRequests", "Response", "read_answer"]

# What differs in requests that are alike; a later version of aiohttp may keep it elsewhere.
_DIFFERING = frozenset({"url", "original_url", "headers"})
# What tools wrap; a later version of aiohttp may call it otherwise.
_REQUEST = "_request"
# A page of 200 manifests with fifty layers each has 1 MiB.
_MAX_BODY = 64 * 2**20
_MAX_ERROR_BODY = 64 * 2**10


class Response(Protocol):
    """What is read of a response: an `aiohttp.ClientResponse`, or one of `AlikeRequests`."""

    method: str
    status: int
    content: aiohttp.StreamReader

    @property
    def headers(self) -> "CIMultiDictProxy[str]":
        """The headers."""

    @property
    def content_length(self) -> int | None:
        """How long the body is said to be."""

    @property
    def closed(self) -> bool:
        """Whether its connection has been given back, or was closed."""

    def release(self) -> object:
        """Give the connection back; what was not read of the body closes it."""

    def close(self) -> None:
        """Close the connection."""


class _Copy(AlikeRequest):
    """A request that differs from another one in nothing but its target.

    A subclass has all that aiohttp made of that one as attributes of its class.
    """

    url_of: Callable[[str], "URL"]

    def __init__(self, target: str, head: bytes) -> None:
        self._target = target
        self._head = head

    @property
    def url(self) -> "URL":  # type: ignore[override]  # aiohttp changes that of no copy
        """The address, which few are asked for: it is made when it is."""
        return type(self).url_of(self._target)

    @property
    def original_url(self) -> "URL":  # type: ignore[override]
        """The same."""
        return self.url

    async def send(self, conn: Any) -> Any:
        """Send it, in one piece."""
        transport = conn.transport
        if transport is None or transport.is_closing():
            raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
        transport.write(self._head)
        return _Response(self)


class _Response:
    """The response to a copy: its headers, and its body to be read."""

    __slots__ = ("_connection", "_request", "content", "headers", "method", "status")

    def __init__(self, request: _Copy) -> None:
        self._request = request
        self._connection: Any = None
        self.method: str = request.method

    async def start(self, connection: Any) -> None:
        """Wait for the headers: aiohttp calls it when the request is sent."""
        self._connection = connection
        try:
            while True:
                message, content = await connection.protocol.read()
                # Those below only announce the one that matters.
                if not 100 <= message.code < 200 or message.code == 101:
                    break
        except HttpProcessingError as error:
            raise aiohttp.ClientResponseError(
                self._request.request_info,
                (),
                status=error.code,
                message=error.message,
                headers=error.headers,
            ) from error
        self.status: int = message.code
        self.headers: CIMultiDictProxy[str] = message.headers
        self.content: aiohttp.StreamReader = content

    @property
    def content_length(self) -> int | None:
        """How long the body is said to be."""
        length = self.headers.get(hdrs.CONTENT_LENGTH)
        return None if length is None else int(length)

    @property
    def closed(self) -> bool:
        """Whether its connection has been given back, or was closed."""
        return self._connection is None

    def release(self) -> None:
        """Give the connection back; what was not read of the body closes it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@define
class _Made:
    """What is made once for all requests of a method.

    Attributes:
        kind: Makes a copy of the first request.
        authorization: The authorization of the last one; None for none.
        headers: The headers of that one.
        lines: The same, as they are sent.
        send: How aiohttp goes on with a request.
    """

    kind: type[_Copy]
    authorization: str | None
    # Not shown: both have the secret that was sent.
    headers: "CIMultiDict[str]" = field(repr=False)
    lines: str = field(repr=False)
    send: aiohttp.ClientHandlerType


class AlikeRequests:
    """Sends requests that differ in nothing but their target and their authorization.

    For each request aiohttp works out anew what its session says of headers, timeouts, cookies,
    proxies and redirects, and what is to be sent of it: that is half of a client's time. Here the
    first request of a method goes that way. Those after it are copies of it, go on where
    middlewares hand requests over, and are sent as that one was. None is a copy where something
    observes or replaces requests, as tools for tracing and for tests do: it is to see each.

    Args:
        session: A session of our own for one origin, without a timeout but for connections: see
            `own_session`.
        url_of: Returns the address with a target.
    """

    __slots__ = ("_made", "_own_request", "_session", "_url_of")

    def __init__(self, session: aiohttp.ClientSession, url_of: Callable[[str], "URL"]) -> None:
        self._session = session
        self._url_of = url_of
        self._made: dict[str, _Made] = {}
        self._own_request = None if session.trace_configs else _own_request()

    def request(self, method: str, target: str, authorization: str | None) -> Awaitable[Response]:
        """Send a request without a body, and return the response; no redirect is followed.

        Args:
            method: The method.
            target: The path, and the query if there is one, encoded.
            authorization: The value of the Authorization header; None for none.

        Raises:
            RuntimeError: The session is closed.
        """
        made = self._made.get(method)
        if (
            made is None
            or self._session.closed
            or self._is_observed()
            # aiohttp refuses what could end a line.
            or not target.isprintable()
        ):
            return self._first(method, target, authorization)
        if made.authorization is not authorization:
            headers = made.headers.copy()
            headers.popall(hdrs.AUTHORIZATION, None)
            if authorization is not None:
                headers[hdrs.AUTHORIZATION] = authorization
            made.authorization, made.headers, made.lines = authorization, headers, _lines(headers)
        head = f"{method} {target} HTTP/1.1\r\n{made.lines}"
        return made.send(made.kind(target, head.encode()))

    def _is_observed(self) -> bool:
        own = self._own_request
        return own is None or getattr(aiohttp.ClientSession, _REQUEST, None) is not own

    async def _first(self, method: str, target: str, authorization: str | None) -> Response:
        async def keep(
            request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            state = dict(getattr(request, "__dict__", ()))
            response = await no_hidden_resend(request, send)
            if self._is_observed():
                return response
            if getattr(request, "may_be_copied", False) and state.keys() >= _DIFFERING:
                for name in _DIFFERING:
                    del state[name]
                # With what aiohttp has added as it sent them.
                headers = request.headers.copy()
                state |= {"headers": headers, "url_of": staticmethod(self._url_of)}
                kind = type("_Copy", (_Copy,), state)
                self._made[method] = _Made(kind, authorization, headers, _lines(headers), send)
            return response

        headers = None if authorization is None else {hdrs.AUTHORIZATION: authorization}
        return await self._session.request(
            method,
            self._url_of(target),
            headers=headers,
            allow_redirects=False,
            middlewares=[keep],
        )


def _own_request() -> object:
    """Return how aiohttp makes requests, by itself; None where something is in its place."""
    found = getattr(aiohttp.ClientSession, _REQUEST, None)
    # A wrapper may have all attributes of what it wraps, and is of another class then.
    is_own = type(found) is FunctionType and found.__globals__ is vars(client)
    return found if is_own else None


def _lines(headers: "CIMultiDict[str]") -> str:
    """Return headers as they are sent, with the empty line after them."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()]) + "\r\n"


async def read_answer(response: Response, limit: int = _MAX_BODY) -> Answer:
    """Return a response's status, headers and body; a body that is too large is not read.

    Args:
        response: The response.
        limit: The most bytes that a body without error may have; by default 64 MiB. One of an error
            may have 64 KiB.
    """
    status, headers, content = response.status, response.headers, response.content
    succeeded = 200 <= status < 300
    if not succeeded:
        limit = _MAX_ERROR_BODY
    length = response.content_length
    if length is not None and length > limit and response.method != hdrs.METH_HEAD:
        response.close()
        return Answer(status, headers, b"", too_large=True)
    try:
        # Most bodies come with their headers: then there is nothing to wait for.
        body = content.read_nowait() if content.is_eof() else await _read(content, limit)
    except (aiohttp.ClientError, OSError):
        # The status of an error is worth more than the loss of its body.
        if succeeded:
            raise
        return Answer(status, headers, b"", lost=True)
    if len(body) > limit:
        response.close()
        return Answer(status, headers, b"", too_large=True)
    return Answer(status, headers, body)


async def _read(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Return a body, or more of it than the limit."""
    chunks: list[bytes] = []
    size = 0
    while size <= limit and (chunk := await content.readany()):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)
