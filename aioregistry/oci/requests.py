"""Requests to the registry itself: authorized, attempted, their errors explained."""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs
from yarl import URL

from aioregistry.errors import (
    ClientClosedError,
    InvalidResponseError,
    NotFoundError,
    RegistryError,
    RegistryTimeoutError,
)
from aioregistry.oci.credentials import Credentials, Registry
from aioregistry.oci.documents import ACCEPT, is_host, redirected
from aioregistry.oci.tokens import Authorizer
from aioregistry.session.alike import AlikeRequests, read_answer
from aioregistry.session.answers import Answer, Failure, NoAnswer, classify
from aioregistry.session.connections import Connections, most_connections, own_session
from aioregistry.session.deadlines import Deadlines
from aioregistry.session.origins import (
    API_URL,
    REVOCATION_URL,
    canonical_origin,
    check_origin,
    environment_proxy,
    is_vendors,
    origin_from_environment,
)
from aioregistry.session.retry import RetryPolicy
from aioregistry.session.secret import Secret, redact
from aioregistry.session.transport import foreign_error, not_reached, request_options

__all__ = ["RegistryRequests"]

_JSON = "application/json"
# The protocol has registries refuse manifests of more than 4 MiB.
_MAX_BODY = 16 * 2**20
_RENEWALS = 2
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 3
_READS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})
_REGISTRY_URL_VARIABLE = "AIOREGISTRY_REGISTRY_URL"


class RegistryRequests:
    """Sends requests to a registry, with docker credentials for it; see `Distribution`."""

    _writes: ClassVar[bool] = False

    def __init__(
        self,
        registry: Registry,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
        concurrency: int = 16,
        session: aiohttp.ClientSession | None = None,
        trust_env: bool = False,
        revoke_url: str | None = REVOCATION_URL,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency must be 1 or more: {concurrency}")
        if session is not None and trust_env:
            raise ValueError("give a session or trust_env, not both: a session has its own setting")
        self.concurrency = concurrency
        self._registry = registry
        api_url = canonical_origin(getattr(registry, "api_url", ""))
        self._base_url = (
            _url_from_environment(api_url)
            if base_url is None
            else check_origin("base_url", base_url)
        )
        self._revoke_url = None if revoke_url is None else check_origin("revoke_url", revoke_url)
        if revoke_url == REVOCATION_URL and api_url != API_URL:
            self._revoke_url = None
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._deadlines = Deadlines(timeout)
        self._retry = RetryPolicy() if retry is None else retry
        self._borrowed = session
        self._trusts_env = trust_env
        # By origin: the environment is read once for each.
        self._proxies: dict[URL, dict[str, Any]] = {}
        self._http: aiohttp.ClientSession | None = None
        # For the registry's own origin alone, over the same connections: quicker.
        self._direct: aiohttp.ClientSession | None = None
        self._alike: AlikeRequests | None = None
        self._base_path: str | None = None
        self._serves_referrers = True
        # Waiting for a connection must not count as waiting for the registry.
        most = None if session is None else most_connections(session.connector)
        self._turns = Connections(min(concurrency, most or concurrency))
        self._credentials = Credentials(registry, read_write=self._writes)
        self._authorizer = Authorizer(
            self._credentials, registry.name, self._attempt_json, self._retry, self._writes
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._registry!r}, base_url={self._base_url!r})"

    @property
    def registry_name(self) -> str:
        """The registry's name."""
        return self._registry.name

    @property
    def base_url(self) -> str | None:
        """The registry's address that was given; None for that of its credentials."""
        return self._base_url

    async def open(self) -> Self:
        """Open it in the running event loop."""
        if self._http is None and self._borrowed is not None:
            self._http = self._borrowed
        elif self._http is None:
            options: dict[str, Any] = {
                "connector": aiohttp.TCPConnector(limit=self.concurrency),
                "headers": {"Accept": ACCEPT},
                # One timer for all requests takes its place.
                "timeout": aiohttp.ClientTimeout(total=None),
            }
            self._http = own_session(**options)
            if not self._trusts_env:
                self._direct = own_session(one_origin=True, connector_owner=False, **options)
                self._alike = AlikeRequests(self._direct, self._address)
        return self

    async def close(self) -> None:
        """Revoke the credentials, as far as that succeeds soon, and close the connections."""
        http = self._http
        if http is None:
            return
        self._deadlines.close()
        try:
            if self._revoke_url is not None:
                await self._credentials.revoke(self._send_revocation)
        finally:
            if self._direct is not None:
                await self._direct.close()
            if self._borrowed is None:
                await http.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(
        self,
        method: str,
        repository: str,
        path: str,
        data: bytes | None = None,
        kind: str = "",
        *,
        on_redirect: Literal["fail", "follow", "return"] = "fail",
        max_bytes: int = _MAX_BODY,
        once: bool = False,
        may_repeat: Callable[[], Awaitable[bool]] | None = None,
        is_digest_right: bool = False,
    ) -> Answer:
        base_url = self._base_url or await self._base()
        url = f"{base_url}{path}"
        own = self._own_target(method, base_url, path)
        attempts = renewals = redirects = 0
        # Where a blob's storage is: it is sent no authorization, and stands in no error.
        storage: str | None = None
        while True:
            authorization = None
            if storage is None:
                known = self._authorizer.at_hand(repository)
                authorization = known or await self._authorizer.authorize(repository, base_url)
                attempts += 1
            answer = await self._attempt(
                method,
                storage or url,
                authorization,
                data=data,
                kind=kind,
                max_bytes=max_bytes,
                own=own if storage is None else None,
            )
            if isinstance(answer, NoAnswer):
                error, failure = answer.error, Failure(None)
                once |= answer.final
            else:
                if 200 <= answer.status < 300 and not answer.too_large:
                    self._credentials.accept()
                    return answer
                if on_redirect != "fail" and answer.status in _REDIRECTS:
                    if on_redirect == "return":
                        return answer
                    redirects += 1
                    if redirects > _MAX_REDIRECTS:
                        raise InvalidResponseError(f"the registry redirects again and again: {url}")
                    storage = redirected(storage or url, answer.headers.get("Location", ""))
                    continue
                if answer.status == 401 and storage is None and renewals < _RENEWALS:
                    attempts -= 1
                    renewals += 1
                    self._authorizer.on_unauthorized(repository, answer, authorization)
                    continue
                error, failure = classify(
                    answer, *self._secrets(authorization), now=time.time(), server="registry"
                )
                error.url = url
                self._explain(error, repository)
                failure = _as_passing(error, failure, is_digest_right=is_digest_right)
            error.method, error.url, error.attempts = method, url, attempts
            storage = None
            wait = None if once else self._retry.decide(failure, attempts, repeatable=True)
            if not await _wait(wait, may_repeat):
                raise error

    def _explain(self, error: RegistryError, repository: str) -> None:
        where = f"{self._registry.name}/{repository}"
        if error.status == 401:
            error.hint = "The registry refuses the docker credentials that the API made"
        elif error.status == 403:
            error.hint = f"The docker credentials give no access to {where!r}"
        elif isinstance(error, NotFoundError) and not error.is_certain:
            error.hint = "Another server answers for the registry: check what is in between"
        elif error.status == 404:
            _, is_manifest, reference = (error.url or "").rpartition("/manifests/")
            if is_manifest:
                error.hint = f"There is no image {reference!r} in {where!r}"

    def _secrets(self, authorization: Secret | None) -> tuple[Secret, ...]:
        secrets = self._credentials.secrets()
        return secrets if authorization is None else (*secrets, authorization)

    def _redacted(self, text: str, repository: str) -> str:
        return redact(text, *self._secrets(self._authorizer.known(repository)))

    async def _base(self) -> str:
        if self._base_url is None:
            host = (await self._credentials.get()).host
            if not is_host(host):
                raise InvalidResponseError(f"the docker credentials are for {host!r}, no host")
            self._base_url = f"https://{host}"
        return self._base_url

    async def _send_revocation(self, token: str) -> Answer | NoAnswer:
        """``POST {revoke_url}``, where the token that is revoked is also what authorizes it."""
        return await self._attempt(
            "POST", self._revoke_url or "", Secret(f"Bearer {token}"), _JSON, {"token": token}
        )

    async def _attempt_json(
        self, method: str, url: str, authorization: Secret | None
    ) -> Answer | NoAnswer:
        return await self._attempt(method, url, authorization, _JSON)

    async def _attempt(
        self,
        method: str,
        url: str,
        authorization: Secret | None,
        accept: str = ACCEPT,
        data: Any = None,
        kind: str = "",
        max_bytes: int = _MAX_BODY,
        own: str | None = None,
    ) -> Answer | NoAnswer:
        """Send a request once.

        Args:
            method: The method.
            url: The address.
            authorization: The value of the Authorization header; None for none.
            accept: The Accept header.
            data: The body; None for none.
            kind: The media type of the body; empty for none.
            max_bytes: The most bytes of an answer.
            own: The target, if the request is like many others; see `_own_target`.
        """
        http = self._http
        if http is None or http.closed:
            raise ClientClosedError("it is not open: use 'async with Distribution(registry)'")
        if own is None:
            address, options = self._usual_way(http, url, authorization, accept, kind)
        # Of bytes beyond a mebibyte aiohttp warns, and a manifest may have four.
        body = io.BytesIO(data) if isinstance(data, bytes) else data
        if not self._turns.acquire_at_once():
            await self._turns.acquire()
        try:
            with self._deadlines.begin():
                if own is not None and self._alike is not None:
                    response = await self._alike.request(method, own, authorization)
                else:
                    response = await http.request(
                        method, address, allow_redirects=False, data=body, **options
                    )
                try:
                    return await read_answer(response, max_bytes)
                finally:
                    # It is closed once it has come to its end.
                    if not response.closed:
                        response.release()
        except TimeoutError:
            return NoAnswer(RegistryTimeoutError("no answer in time"), sent=True)
        except (aiohttp.ClientError, OSError) as error:
            return not_reached(error, authorization, *self._credentials.secrets())
        except Exception as error:
            # How aiohttp says it when a session is closed under a request.
            if isinstance(error, RuntimeError) and http.closed:
                raise ClientClosedError("the Distribution was closed") from None
            # A trace or a middleware of a borrowed session.
            raise foreign_error(error) from error
        finally:
            self._turns.release()

    def _own_target(self, method: str, base_url: str, path: str) -> str | None:
        """Return the target of a request that is like many others; None for any other.

        Those are the ones that read from the registry's own origin.
        """
        if self._alike is None or method not in _READS or "?" in path:
            return None
        if self._base_path is None:
            self._base_path = urlsplit(base_url).path
        return self._base_path + path

    def _address(self, target: str) -> URL:
        """Return the address of a target at the registry's own origin."""
        return URL(self._base_url or "", encoded=True).with_path(target, encoded=True)

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


def _url_from_environment(api_url: str) -> str | None:
    """Return the registry's address that the environment names; None for none.

    Raises:
        ValueError: The credentials of the vendor's API would be sent to another place.
    """
    url = origin_from_environment(_REGISTRY_URL_VARIABLE)
    if url is not None and api_url == API_URL and not is_vendors(urlsplit(url).hostname or ""):
        raise ValueError(
            f"{_REGISTRY_URL_VARIABLE} names {url}, and the API is the vendor's: its credentials"
            " would be sent there; unset the variable, or give base_url"
        )
    return url


async def _wait(seconds: float | None, may_repeat: Callable[[], Awaitable[bool]] | None) -> bool:
    """Wait before a repetition, and return whether there is to be one; None is for never."""
    if seconds is None:
        return False
    await asyncio.sleep(seconds)
    return may_repeat is None or await may_repeat()


def _as_passing(error: RegistryError, failure: Failure, *, is_digest_right: bool) -> Failure:
    """Take a refusal of a digest that is right for one that passes.

    distribution 2.8 answers so while another request writes a child of the manifest.
    """
    return Failure(None) if is_digest_right and error.error_id == "DIGEST_INVALID" else failure
