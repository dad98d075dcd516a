"""Connections: aiohttp sessions of our own, turns for attempts, and why there is no connection.

Together with `alike` and `transport` the place in the core that knows aiohttp.
"""

import asyncio
import errno
import inspect
import math
import os
import socket
import ssl
from collections import deque
from typing import Any, ClassVar

import aiohttp

from aioregistry.errors import ClientClosedError

__all__ = [
    "AlikeRequest",
    "Connections",
    "cause_of",
    "check_loop",
    "most_connections",
    "no_hidden_resend",
    "own_session",
]

# An attribute of aiohttp's sessions, which a later version may not have.
_RESEND_SWITCH = "_retry_connection"
# More than the 256 KiB in which asyncio, and its TLS, receive whatever comes.
_LARGE_BYTES = 2**19
_CERTIFICATES = "SSL_CERT_FILE can name the certificates to trust"
_PROXIES = "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
_NO_TLS = "Check whether the address begins with http:// or https://"


class Connections:
    """Lets no more attempts begin at once than a connector has connections.

    aiohttp counts the wait for a connection as part of a request. With more requests under way
    than connections, those that wait would end with timeouts that are not the server's.

    A semaphore would do, at six times the price for each request.

    Args:
        most: How many at most; None for no limit.
    """

    __slots__ = ("_free", "_waiting")

    def __init__(self, most: int | None) -> None:
        self._free = math.inf if most is None else most
        self._waiting: deque[asyncio.Future[None]] = deque()

    def acquire_at_once(self) -> bool:
        """Take a turn if there is one, and return whether there was."""
        # While anybody waits there is none: a turn that comes back is theirs.
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    async def acquire(self) -> None:
        """Wait for a turn, and take it."""
        if self.acquire_at_once():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Give a turn back: to who has waited longest, if anybody does."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def check_loop(session: aiohttp.ClientSession) -> None:
    """Refuse a session that is another event loop's: what it raises then may be anything.

    Raises:
        ClientClosedError: It is.
    """
    running = asyncio.get_running_loop()
    # aiohttp shows it to nobody, and a later version may keep it elsewhere.
    if getattr(session, "_loop", running) is not running:
        raise ClientClosedError("the aiohttp session belongs to another event loop")


def most_connections(connector: aiohttp.BaseConnector | None) -> int | None:
    """Return how many connections to one host a connector allows; None for no limit."""
    if connector is None:
        return None
    limits = [limit for limit in (connector.limit, connector.limit_per_host) if limit]
    return min(limits, default=None)


class AlikeRequest(aiohttp.ClientRequest):
    """A request of a session whose requests all go to one origin, in one way, without a proxy.

    What connections for it are known by, aiohttp works out once. Each session has a subclass of its
    own, which keeps it.
    """

    key: ClassVar[Any] = None
    # Whether aiohttp has sent it over a connection of which all is known that a copy uses.
    may_be_copied: bool = False

    @property
    def connection_key(self) -> Any:
        """What connections for this request are known by."""
        kind = type(self)
        if kind.key is None:
            kind.key = super().connection_key
        return kind.key

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        """Send it, as aiohttp does."""
        response = await super().send(conn)
        read = getattr(conn.protocol, "read", None)
        self.may_be_copied = hasattr(conn.transport, "write") and inspect.iscoroutinefunction(read)
        return response


def own_session(*, one_origin: bool = False, **options: Any) -> aiohttp.ClientSession:
    """Return a session of our own: without cookies, and it never sends again by itself.

    Args:
        one_origin: Whether all its requests go to one origin, with the same TLS settings, and
            without a proxy; by default they may not.
        options: Further options of `aiohttp.ClientSession`.
    """
    # The C library of most Linux systems asks the system for each large block, and gives it back,
    # until one of that size was freed: a quarter of the time of a small request. So one is.
    bytes(_LARGE_BYTES)
    has_switch = _RESEND_SWITCH in getattr(aiohttp.ClientSession, "ATTRS", ())
    if one_origin:
        options["request_class"] = type("_Request", (AlikeRequest,), {})
    session = aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=() if has_switch else (no_hidden_resend,),
        **options,
    )
    if has_switch:
        # As aiohttp's own test client does. A middleware costs a tenth of a request.
        setattr(session, _RESEND_SWITCH, False)
    return session


class _ConnectionLostError(aiohttp.ClientConnectionError):
    """A lost connection, of a class that aiohttp does not answer by resending unseen."""


async def no_hidden_resend(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending again by itself: a middleware."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ConnectionLostError(str(error) or type(error).__name__) from None


def cause_of(error: BaseException) -> tuple[str, str]:
    """Return why no connection was made, and what to look at; both empty for any other error.

    Args:
        error: An error of aiohttp.
    """
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy refuses to connect: {error.status} {error.message}", _PROXIES
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        found = error.certificate_error
        why = getattr(found, "verify_message", "") or str(found)
        return f"the certificate of {_place(error)} is refused: {why}", _CERTIFICATES
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"no TLS with {_place(error)}: {_words(error.os_error)}", _NO_TLS
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"cannot connect to the proxy {_place(error)}: {_words(error.os_error)}", _PROXIES
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {_place(error)}: {_words(error.os_error)}", ""
    return "", ""


def _place(
    error: aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError,
) -> str:
    host = f"[{error.host}]" if ":" in error.host else error.host
    return f"{host}:{error.port}"


def _words(error: OSError) -> str:
    """Return what an error of the operating system is called, without the address in it."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    # Those of names have numbers of their own, which on some systems others have, too.
    number = None if isinstance(error, socket.gaierror) else error.errno
    if number is not None and number in errno.errorcode:
        return os.strerror(number)
    return error.strerror or str(error)
