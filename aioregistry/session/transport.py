"""One attempt over HTTP: a request out, an answer or the lack of one back.

Together with `alike` and `connections` the place in the core that knows aiohttp. It owns an aiohttp
session or borrows the caller's, and nothing of aiohttp leaves it: no exception, and no answer that
is not wholly read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs
from yarl import URL

from aioregistry.api.endpoints import Request
from aioregistry.errors import (
    ClientClosedError,
    InvalidTokenError,
    RegistryConnectionError,
    RegistryError,
    RegistryTimeoutError,
)
from aioregistry.session.alike import AlikeRequests, Response, read_answer
from aioregistry.session.answers import Answer, NoAnswer
from aioregistry.session.connections import (
    Connections,
    cause_of,
    check_loop,
    most_connections,
    no_hidden_resend,
    own_session,
)
from aioregistry.session.deadlines import Deadlines
from aioregistry.session.origins import check_origin, environment_proxy, without_login
from aioregistry.session.secret import Secret, bearer, redact

__all__ = [
    "TokenSource",
    "Transport",
    "foreign_error",
    "is_of_network",
    "not_reached",
    "request_options",
]

TokenSource = str | Callable[[], Awaitable[str]]

_JSON = "application/json"
_CONNECT_SHARE = 0.8
# How long a token callable is waited for where the timeout has no total.
_TOKEN_SECONDS = 30.0


_FOR_EVER: AbstractContextManager[None] = nullcontext()


async def _authorize(
    authorization: Secret | None, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # A session's `auth` is its owner's, for other servers.
    request.headers.pop(hdrs.AUTHORIZATION, None)
    if authorization is not None:
        request.headers[hdrs.AUTHORIZATION] = authorization
    return await no_hidden_resend(request, send)


class Transport:
    """Sends requests to one origin and to no other.

    Attributes:
        connections: Turns for attempts: one is held during each.
        fixed_authorization: The value of the Authorization header; None where it may change.

    Args:
        base_url: The origin, with the path before ``/v2`` if there is one.
        token: The API token, or an async callable that returns one for each attempt.
        session: An aiohttp session to borrow: never closed, never changed.
        connector: An aiohttp connector for a session of our own, closed with it.
        timeout: For one attempt: seconds, or an `aiohttp.ClientTimeout`.
        user_agent: The User-Agent header.
        trust_env: Whether the environment's proxies are used; by default they are not.

    Raises:
        InvalidTokenError: The token cannot be sent in a header.
        ValueError: Another argument makes no sense.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: TokenSource,
        session: aiohttp.ClientSession | None,
        connector: aiohttp.BaseConnector | None,
        timeout: float | aiohttp.ClientTimeout,
        user_agent: str,
        trust_env: bool = False,
    ) -> None:
        if session is not None and connector is not None:
            raise ValueError("give a session or a connector, not both: a session has its own")
        if session is not None and trust_env:
            raise ValueError("give a session or trust_env, not both: a session has its own setting")
        self.base_url: str = check_origin("base_url", base_url)
        self._base = URL(self.base_url, encoded=True)
        self._base_path = urlsplit(self.base_url).path
        self._token = token
        self.fixed_authorization: Secret | None = None if callable(token) else bearer(token)
        self._borrowed = session
        self._connector = connector
        self._trusts_env = trust_env
        self._proxy: dict[str, Any] = {}
        self._last: tuple[Secret, ...] = ()
        self._is_token_default = False
        if isinstance(timeout, aiohttp.ClientTimeout):
            self._timeout, self._deadlines = timeout, None
            self.token_seconds: float = timeout.total or _TOKEN_SECONDS
        else:
            if not isinstance(timeout, int | float):
                raise TypeError(
                    f"timeout must be seconds or an aiohttp.ClientTimeout, not {timeout!r};"
                    " ClientTimeout(total=None) never ends"
                )
            self._deadlines = Deadlines(timeout)
            # A connection that takes longer leaves no time for an answer; and what ends while it
            # is being made was never sent, which is worth knowing.
            connect = timeout * _CONNECT_SHARE
            self._timeout = aiohttp.ClientTimeout(total=None, connect=connect)
            self.token_seconds = timeout
        self._headers: dict[str, str] = {hdrs.USER_AGENT: user_agent, hdrs.ACCEPT: _JSON}
        self._http: aiohttp.ClientSession | None = None
        # For requests without a body, in a session of our own with one timer for all: quicker.
        self._alike: AlikeRequests | None = None
        self.connections: Connections = Connections(None)

    def open(self) -> None:
        """Make the session, or take the borrowed one, in the running event loop."""
        if self._borrowed is not None:
            check_loop(self._borrowed)
            self._http = self._borrowed
            self.connections = Connections(most_connections(self._http.connector))
            return
        if self._trusts_env:
            self._proxy = environment_proxy(self.base_url)
        # What never changes is given once: headers for each request would cost each request. But
        # aiohttp sends the headers of a session to proxies, too, in clear.
        if self.fixed_authorization is not None and not self._proxy:
            self._is_token_default = True
            self._headers[hdrs.AUTHORIZATION] = self.fixed_authorization
        self._http = own_session(
            one_origin=not self._proxy,
            connector=self._connector,
            headers=self._headers,
            timeout=self._timeout,
        )
        self.connections = Connections(most_connections(self._http.connector))
        if self._deadlines is not None and not self._proxy:
            self._alike = AlikeRequests(self._http, self._address)

    async def close(self) -> None:
        """Close what is our own."""
        if self._deadlines is not None:
            self._deadlines.close()
        http, self._http = self._http, None
        if self._borrowed is None and http is not None:
            await http.close()

    @property
    def closed(self) -> bool:
        """Whether the aiohttp session was closed under it."""
        return self._http is not None and self._http.closed

    def check_open(self) -> aiohttp.ClientSession:
        """Return the session, or raise `ClientClosedError` when it is closed."""
        if self._http is None or self._http.closed:
            raise ClientClosedError("the aiohttp session is closed")
        return self._http

    def secrets(self) -> tuple[Secret, ...]:
        """Return the Authorization header that was sent last, which a server may repeat."""
        return self._last if self.fixed_authorization is None else (self.fixed_authorization,)

    async def authorization(self) -> Secret:
        """Return the value of the Authorization header for the next attempt.

        Raises:
            InvalidTokenError: The token's callable returned something that cannot be sent, or
                raised an error, which is the cause of this one, or took longer than an attempt may.
        """
        if self.fixed_authorization is not None:
            return self.fixed_authorization
        deadline = asyncio.timeout(self.token_seconds)
        try:
            async with deadline:
                token = await self._token()  # type: ignore[operator]  # else it is fixed
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if me is None or me.cancelling():
                raise
            # Callers may share a task that gets it, and one of them was cancelled with it.
            raise InvalidTokenError("the token's callable was cancelled") from None
        except Exception as error:
            if deadline.expired():
                raise InvalidTokenError(
                    f"the token's callable did not return within {self.token_seconds:g} s"
                ) from error
            # What a callable raises must not tear a whole bulk delete apart, and its text may be a
            # vault's secret.
            raise InvalidTokenError(
                f"the token's callable raised {type(error).__name__}"
            ) from error
        authorization = bearer(token)
        self._last = (authorization,)
        return authorization

    async def attempt(self, request: Request, authorization: Secret) -> Answer | NoAnswer:
        """Send `request` once and read the answer.

        Raises:
            ClientClosedError: The session is closed.
        """
        http = self._http
        if http is None:
            raise ClientClosedError("the aiohttp session is closed")
        begun: Response | None = None
        deadline = _FOR_EVER if self._deadlines is None else self._deadlines.begin()
        target = self._base_path + request.target
        try:
            with deadline:
                if self._alike is not None and request.body is None:
                    begun = await self._alike.request(request.method, target, authorization)
                else:
                    begun = await http.request(
                        request.method,
                        self._address(target),
                        data=request.body,
                        allow_redirects=False,
                        **self._options(http, request, authorization),
                    )
                # The status alone says what a DELETE achieved: a body that breaks off changes
                # nothing.
                if request.method == hdrs.METH_DELETE and 200 <= begun.status < 300:
                    return Answer(begun.status, begun.headers, b"")
                return await read_answer(begun)
        except Exception as error:  # noqa: BLE001, a trace or a middleware may raise anything
            # How aiohttp says it when a session is closed under a request.
            if isinstance(error, RuntimeError) and http.closed:
                raise ClientClosedError("the aiohttp session was closed") from None
            if isinstance(error, TimeoutError) and begun is not None and begun.status >= 400:
                # The status of an error is worth more than the loss of its body.
                return Answer(begun.status, begun.headers, b"", lost=True)
            return _no_answer(error, authorization)
        finally:
            # It is closed once it has come to its end.
            if begun is not None and not begun.closed:
                begun.release()

    def _address(self, target: str) -> URL:
        """Return the address with a target at the origin."""
        path, _, query = target.partition("?")
        return URL.build(
            scheme=self._base.scheme,
            authority=self._base.raw_authority,
            path=path,
            query_string=query,
            encoded=True,
        )

    def _options(
        self, http: aiohttp.ClientSession, request: Request, authorization: Secret
    ) -> dict[str, Any]:
        if self._is_token_default and request.body is None:
            return {}
        headers: dict[str, str] = {}
        if request.body is not None:
            headers[hdrs.CONTENT_TYPE] = request.content_type
        if self._borrowed is not None:
            return request_options(http, self._headers | headers, authorization, self._timeout)
        if not self._is_token_default:
            headers[hdrs.AUTHORIZATION] = authorization
        return {"headers": headers, **self._proxy}


def request_options(
    http: aiohttp.ClientSession,
    headers: Mapping[str, str],
    authorization: Secret | None,
    borrowed_timeout: aiohttp.ClientTimeout | None,
) -> dict[str, Any]:
    """Return the options of a request in a session of our own, or in a borrowed one.

    Args:
        http: The session.
        headers: The headers, but for the one for authorization.
        authorization: The value of that one; None for none.
        borrowed_timeout: The timeout, for a borrowed session; None for one of our own, which has
            it.
    """
    if borrowed_timeout is None:
        own = {} if authorization is None else {hdrs.AUTHORIZATION: authorization}
        return {"headers": {**headers, **own}}
    # A borrowed session's defaults are its owner's. The header goes in behind them, because
    # aiohttp refuses one beside a session's `auth`. aiohttp shows a session's middlewares to
    # nobody, and middlewares given with a request replace them: so they are given along.
    theirs = getattr(http, "_middlewares", ())
    return {
        "headers": headers,
        "timeout": borrowed_timeout,
        "raise_for_status": False,
        "auto_decompress": True,
        "middlewares": (*theirs, partial(_authorize, authorization)),
    }


def _reason(error: BaseException, authorization: str | None) -> str:
    """Return why there is no answer, in words.

    Args:
        error: An error of aiohttp or of the operating system.
        authorization: The value of the Authorization header that was sent; None where none was.
    """
    if isinstance(error, RuntimeError):
        return "the event loop takes the connection for one that was cancelled"
    text = cause_of(error)[0] or str(error) or type(error).__name__
    # It names a proxy with its login.
    text = without_login(text)
    # It quotes an answer that is no HTTP, and that may repeat the request.
    return redact(text) if authorization is None else redact(text, authorization)


def _no_answer(error: Exception, authorization: Secret) -> NoAnswer:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return NoAnswer(RegistryTimeoutError(_reason(error, authorization)), sent=False)
    if isinstance(error, TimeoutError):
        return NoAnswer(RegistryTimeoutError("no answer in time"), sent=True)
    if is_of_network(error):
        return not_reached(error, authorization)
    # A middleware or a trace, which may raise anything.
    return NoAnswer(foreign_error(error), sent=True, final=True)


def is_of_network(error: Exception) -> bool:
    """Return whether aiohttp, the operating system or the event loop raised an error of a network.

    Event loops, uvloop above all, may take a socket for that of a connection that was cancelled.
    """
    is_taken = isinstance(error, RuntimeError) and "is used by transport" in str(error)
    return is_taken or isinstance(error, aiohttp.ClientError | OSError)


def not_reached(error: Exception, authorization: str | None, *secrets: Secret) -> NoAnswer:
    """Return the lack of an answer for an error of aiohttp or of the operating system.

    Args:
        error: The error, which `is_of_network`.
        authorization: The value of the Authorization header that was sent; None where none was.
        secrets: Further ones, which are not shown either.
    """
    found = RegistryConnectionError(redact(_reason(error, authorization), *secrets))
    found.hint = cause_of(error)[1]
    not_sent = isinstance(
        error, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError | RuntimeError
    )
    # A certificate is no better the next time.
    is_final = isinstance(error, aiohttp.ClientConnectorCertificateError)
    return NoAnswer(found, sent=not not_sent, final=is_final)


def foreign_error(error: Exception) -> RegistryError:
    """Return the error for what a session's middlewares or traces raised: its class alone."""
    found = RegistryError(f"a middleware or a trace of the session raised {type(error).__name__}")
    # Its text may be a secret; its log is where the service looks.
    found.__cause__ = error
    return found
