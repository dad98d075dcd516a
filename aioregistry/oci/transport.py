"""One attempt at the registry itself: a request out, an answer or the lack of one back."""

import io
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs
from yarl import URL

from aioregistry.errors import ClientClosedError, RegistryTimeoutError
from aioregistry.oci.documents import ACCEPT
from aioregistry.session.alike import AlikeRequests, Response, read_answer
from aioregistry.session.answers import Answer, NoAnswer
from aioregistry.session.connections import (
    Connections,
    check_loop,
    most_connections,
    own_session,
)
from aioregistry.session.deadlines import Deadlines
from aioregistry.session.origins import environment_proxy
from aioregistry.session.secret import Secret
from aioregistry.session.transport import foreign_error, is_of_network, not_reached, request_options

__all__ = ["MAX_BODY", "RegistryTransport"]

# The protocol has registries refuse manifests of more than 4 MiB.
MAX_BODY = 16 * 2**20
_READS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})


class RegistryTransport:
    """Sends requests to the registry itself, and to what it names: its token service, its storage.

    Args:
        base_url: The registry's origin; None where it is not known yet.
        timeout: Seconds for each attempt.
        concurrency: How many requests may be under way at once.
        session: An aiohttp session to borrow: never closed, never changed. None for one of its own.
        trust_env: Whether the environment's proxies are used.
        secrets: Returns what a server may repeat of all that it was sent.

    Attributes:
        base_url: The registry's origin, to be set once it is known.
    """

    def __init__(
        self,
        base_url: str | None,
        timeout: float,
        concurrency: int,
        session: aiohttp.ClientSession | None,
        *,
        trust_env: bool,
        secrets: Callable[[], tuple[Secret, ...]],
    ) -> None:
        self.base_url = base_url
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._deadlines = Deadlines(timeout)
        self._concurrency = concurrency
        self._borrowed = session
        self._trusts_env = trust_env
        self._secrets = secrets
        # By origin: the environment is read once for each.
        self._proxies: dict[URL, dict[str, Any]] = {}
        self._http: aiohttp.ClientSession | None = None
        # A borrowed session stays open.
        self._closed = False
        # For the registry's own origin alone, over the same connections: quicker.
        self._direct: aiohttp.ClientSession | None = None
        self._alike: AlikeRequests | None = None
        self._base_path: str | None = None
        # Waiting for a connection must not count as waiting for the registry.
        most = None if session is None else most_connections(session.connector)
        self._turns = Connections(min(concurrency, most or concurrency))

    @property
    def was_opened(self) -> bool:
        """Whether it is open, or was."""
        return self._http is not None

    def open(self) -> None:
        """Make the sessions, or take the borrowed one, in the running event loop."""
        if self._http is not None:
            return
        if self._borrowed is not None:
            check_loop(self._borrowed)
            self._http = self._borrowed
            return
        options: dict[str, Any] = {
            "connector": aiohttp.TCPConnector(limit=self._concurrency),
            "headers": {"Accept": ACCEPT},
            # One timer for all requests takes its place.
            "timeout": aiohttp.ClientTimeout(total=None),
        }
        self._http = own_session(**options)
        if not self._trusts_env:
            self._direct = own_session(one_origin=True, connector_owner=False, **options)
            self._alike = AlikeRequests(self._direct, self._address)

    def check_open(self) -> aiohttp.ClientSession:
        """Return the session to send with, or raise `ClientClosedError` unless it is open."""
        http = self._http
        if http is None or http.closed or self._closed:
            raise ClientClosedError("it is not open: use 'async with Distribution(registry)'")
        return http

    async def close(self) -> None:
        """Send nothing more, and close what is its own."""
        self._closed = True
        self._deadlines.close()
        if self._direct is not None:
            await self._direct.close()
        if self._http is not None and self._borrowed is None:
            await self._http.close()

    async def attempt(
        self,
        method: str,
        url: str,
        authorization: Secret | None,
        accept: str = ACCEPT,
        data: bytes | Mapping[str, str] | None = None,
        kind: str = "",
        max_bytes: int = MAX_BODY,
        own: str | None = None,
    ) -> Answer | NoAnswer:
        """Send a request once, and read the answer.

        Args:
            method: The method.
            url: The address.
            authorization: The value of the Authorization header; None for none.
            accept: The Accept header.
            data: The body; None for none.
            kind: The media type of the body; empty for none.
            max_bytes: The most bytes of an answer.
            own: The target, if the request is like many others; see `own_target`.

        Raises:
            ClientClosedError: It is not open.
            RegistryError: A trace or a middleware of a borrowed session raised something.
        """
        http = self.check_open()
        if own is None:
            address, options = self._usual_way(http, url, authorization, accept, kind)
        # Of bytes beyond a mebibyte aiohttp warns, and a manifest may have four.
        body = io.BytesIO(data) if isinstance(data, bytes) else data
        if not self._turns.acquire_at_once():
            await self._wait_for_turn()
        begun: Response | None = None
        try:
            with self._deadlines.begin():
                if own is not None and self._alike is not None:
                    begun = await self._alike.request(method, own, authorization)
                else:
                    begun = await http.request(
                        method, address, allow_redirects=False, data=body, **options
                    )
                return await read_answer(begun, max_bytes)
        except TimeoutError:
            if begun is not None and begun.status >= 400:
                # The status of an error is worth more than the loss of its body.
                return Answer(begun.status, begun.headers, b"", lost=True)
            return NoAnswer(RegistryTimeoutError("no answer in time"), sent=True)
        except Exception as error:
            if is_of_network(error):
                return not_reached(error, authorization, *self._secrets())
            # How aiohttp says it when a session is closed under a request.
            if isinstance(error, RuntimeError) and http.closed:
                raise ClientClosedError("the Distribution was closed") from None
            # A trace or a middleware of a borrowed session.
            raise foreign_error(error) from error
        finally:
            # It is closed once it has come to its end.
            if begun is not None and not begun.closed:
                begun.release()
            self._turns.release()

    async def _wait_for_turn(self) -> None:
        await self._turns.acquire()
        try:
            # A borrowed session does not end whoever waits.
            self.check_open()
        except ClientClosedError:
            self._turns.release()
            raise

    def own_target(self, method: str, path: str) -> str | None:
        """Return the target of a request that is like many others; None for any other.

        Those are the ones that read from the registry's own origin.
        """
        if self._alike is None or method not in _READS or "?" in path:
            return None
        if self._base_path is None:
            self._base_path = urlsplit(self.base_url or "").path
        return self._base_path + path

    def _address(self, target: str) -> URL:
        """Return the address of a target at the registry's own origin."""
        return URL(self.base_url or "", encoded=True).with_path(target, encoded=True)

    def _usual_way(
        self,
        http: aiohttp.ClientSession,
        url: str,
        authorization: Secret | None,
        accept: str,
        kind: str,
    ) -> tuple[URL, dict[str, Any]]:
        """Return the address and the options of any request; an empty kind is for no body."""
        address = URL(url, encoded=True)
        options = request_options(
            http,
            {"Accept": accept, "Content-Type": kind} if kind else {"Accept": accept},
            authorization,
            None if self._borrowed is None else self._timeout,
        )
        return address, options | (self._proxy_for(address) if self._trusts_env else {})

    def _proxy_for(self, address: URL) -> dict[str, Any]:
        origin = address.origin()
        if origin not in self._proxies:
            self._proxies[origin] = environment_proxy(str(origin))
        return self._proxies[origin]
