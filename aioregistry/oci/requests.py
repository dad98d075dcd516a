"""Requests to the registry itself: authorized, attempted, their errors explained."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Literal, Self
from urllib.parse import urlsplit

from aioregistry.errors import InvalidResponseError, NotFoundError, RegistryError
from aioregistry.oci.credentials import Credentials, Registry
from aioregistry.oci.documents import is_host, redirected
from aioregistry.oci.tokens import Authorizer
from aioregistry.oci.transport import MAX_BODY, RegistryTransport
from aioregistry.session.answers import Answer, Failure, NoAnswer, classify
from aioregistry.session.origins import (
    API_URL,
    REVOCATION_URL,
    canonical_origin,
    check_origin,
    is_vendors,
    origin_from_environment,
)
from aioregistry.session.retry import RetryPolicy
from aioregistry.session.secret import Secret, redact

if TYPE_CHECKING:
    import aiohttp

__all__ = ["RegistryRequests"]

_JSON = "application/json"
_RENEWALS = 2
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 3
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
        session: "aiohttp.ClientSession | None" = None,
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
        self._revoke_url = None if revoke_url is None else check_origin("revoke_url", revoke_url)
        if revoke_url == REVOCATION_URL and api_url != API_URL:
            self._revoke_url = None
        self._retry = RetryPolicy() if retry is None else retry
        # None until the registry has answered a question about referrers.
        self._serves_referrers: bool | None = None
        self._credentials = Credentials(registry, read_write=self._writes)
        self._transport = RegistryTransport(
            _url_from_environment(api_url)
            if base_url is None
            else check_origin("base_url", base_url),
            timeout,
            concurrency,
            session,
            trust_env=trust_env,
            secrets=self._credentials.secrets,
        )
        self._authorizer = Authorizer(
            self._credentials, registry.name, self._attempt_json, self._retry, self._writes
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._registry!r}, base_url={self.base_url!r})"

    @property
    def registry_name(self) -> str:
        """The registry's name."""
        return self._registry.name

    @property
    def base_url(self) -> str | None:
        """The registry's address that was given; None for that of its credentials."""
        return self._transport.base_url

    async def open(self) -> Self:
        """Open it in the running event loop."""
        self._transport.open()
        return self

    async def close(self) -> None:
        """Revoke the credentials, as far as that succeeds soon, and close the connections."""
        if not self._transport.was_opened:
            return
        try:
            if self._revoke_url is not None:
                await self._credentials.revoke(self._send_revocation)
        finally:
            await self._transport.close()

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
        max_bytes: int = MAX_BODY,
        once: bool = False,
        may_repeat: Callable[[], Awaitable[bool]] | None = None,
        is_digest_right: bool = False,
    ) -> Answer:
        self._transport.check_open()
        base_url = self._transport.base_url or await self._base()
        url = f"{base_url}{path}"
        own = self._transport.own_target(method, path)
        attempts = renewals = redirects = 0
        # Where a blob's storage is: it is sent no authorization, and stands in no error.
        storage: str | None = None
        while True:
            authorization = None
            if storage is None:
                # Credentials that were made for what cannot be sent would be left behind.
                self._transport.check_open()
                known = self._authorizer.at_hand(repository)
                authorization = known or await self._authorizer.authorize(repository, base_url)
                attempts += 1
            answer = await self._transport.attempt(
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
            storage, redirects = None, 0
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
        transport = self._transport
        if transport.base_url is None:
            host = (await self._credentials.get()).host
            if not is_host(host):
                raise InvalidResponseError(f"the docker credentials are for {host!r}, no host")
            transport.base_url = f"https://{host}"
        return transport.base_url

    async def _send_revocation(self, token: str) -> Answer | NoAnswer:
        """``POST {revoke_url}``, where the token that is revoked is also what authorizes it."""
        return await self._transport.attempt(
            "POST", self._revoke_url or "", Secret(f"Bearer {token}"), _JSON, {"token": token}
        )

    async def _attempt_json(
        self, method: str, url: str, authorization: Secret | None
    ) -> Answer | NoAnswer:
        return await self._transport.attempt(method, url, authorization, _JSON)


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
