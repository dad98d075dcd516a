"""The registry itself, by the OCI distribution protocol: manifests and tags, to be read only.

It costs none of the API's quota. The API does not say which other manifests a manifest needs; only
the manifest itself does.
"""

import asyncio
import hashlib
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from aioregistry.api import names
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import (
    ClientClosedError,
    InvalidNameError,
    InvalidResponseError,
    NotFoundError,
    RegistryConnectionError,
    RegistryError,
    RegistryTimeoutError,
)
from aioregistry.oci.credentials import Credentials
from aioregistry.oci.documents import FetchedManifest, body_with, is_host, tags_of
from aioregistry.oci.tokens import Authorizer
from aioregistry.session.answers import Answer, NoAnswer, classify
from aioregistry.session.origins import check_origin, origin_from_environment
from aioregistry.session.retry import Failure, RetryPolicy
from aioregistry.session.secret import Secret, redact
from aioregistry.session.transport import (
    environment_proxy,
    no_hidden_resend,
    read_answer,
    reason,
    request_options,
)

__all__ = ["Distribution", "FetchedManifest"]

_JSON = "application/json"
_MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.artifact.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v1+json",
)
_ACCEPT = ", ".join(_MEDIA_TYPES)
# The protocol has registries refuse manifests of more than 4 MiB.
_MAX_BODY = 16 * 2**20
_RENEWALS = 2
_TAGS_PER_PAGE = 1000
_MAX_MEDIA_TYPE_CHARACTERS = 255
_MAX_DIGEST_CHARACTERS = 80
_VENDOR_API = "https://api.digitalocean.com"
_VENDOR_REVOCATION = "https://cloud.digitalocean.com/v1/oauth/revoke"
_REGISTRY_URL_VARIABLE = "AIOREGISTRY_REGISTRY_URL"


class Distribution:
    """Reads manifests and tags from the registry itself, with docker credentials for it.

    ``async with Distribution(registry) as distribution`` opens and closes it. The credentials are
    read-only ones of an hour: one API request, and one more each time they are near their end.

    Args:
        registry: The registry.
        base_url: The registry's origin; None takes ``AIOREGISTRY_REGISTRY_URL`` (https, or http on
            this machine), else the host that the credentials name, over HTTPS.
        timeout: Seconds for each attempt; by default 30.
        retry: Decides on repetition; None for `RetryPolicy`'s defaults.
        concurrency: How many requests may be under way at once; by default 16.
        session: An `aiohttp.ClientSession` to use; it stays as it is and is never closed here.
        trust_env: Whether ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` are honoured; by default
            they are not. A session that is given has its own setting.
        revoke_url: Where credentials are revoked on closing; by default the vendor's address if the
            client's API is the vendor's, else nowhere. None revokes nothing: the credentials then
            stay valid for up to an hour.

    Raises:
        ValueError: An argument makes no sense.

    Example:
        ```python
        async with Distribution(client.registry("example")) as distribution:
            manifest = await distribution.get_manifest("web", "v1.0.0")
            print(manifest.media_type, len(manifest.body))
        ```
    """

    _writes: ClassVar[bool] = False

    def __init__(
        self,
        registry: RegistryHandle,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
        concurrency: int = 16,
        session: aiohttp.ClientSession | None = None,
        trust_env: bool = False,
        revoke_url: str | None = _VENDOR_REVOCATION,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency must be 1 or more: {concurrency}")
        if session is not None and trust_env:
            raise ValueError("give a session or trust_env, not both: a session has its own setting")
        self.concurrency = concurrency
        self._registry = registry
        self._base_url = (
            origin_from_environment(_REGISTRY_URL_VARIABLE)
            if base_url is None
            else check_origin("base_url", base_url)
        )
        self._revoke_url = None if revoke_url is None else check_origin("revoke_url", revoke_url)
        if revoke_url == _VENDOR_REVOCATION and getattr(registry, "api_url", "") != _VENDOR_API:
            self._revoke_url = None
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._retry = RetryPolicy() if retry is None else retry
        self._borrowed = session
        self._trusts_env = trust_env
        self._http: aiohttp.ClientSession | None = None
        # Waiting for a connection must not count as waiting for the registry.
        self._turn = asyncio.Semaphore(concurrency)
        self._credentials = Credentials(registry, read_write=self._writes)
        self._authorizer = Authorizer(
            self._credentials, registry.name, self._attempt_json, self._retry, self._writes
        )

    def __repr__(self) -> str:
        return f"Distribution({self._registry!r}, base_url={self._base_url!r})"

    @property
    def base_url(self) -> str | None:
        """The registry's address that was given; None for that of its credentials."""
        return self._base_url

    async def open(self) -> Self:
        """Open it in the running event loop."""
        if self._http is None:
            self._http = self._borrowed or aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.concurrency),
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(no_hidden_resend,),
                timeout=self._timeout,
            )
        return self

    async def close(self) -> None:
        """Revoke the credentials, as far as that succeeds soon, and close the connections."""
        http = self._http
        if http is None:
            return
        try:
            if self._revoke_url is not None:
                await self._credentials.revoke(self._send_revocation)
        finally:
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

    def expect(self, repositories: Iterable[str]) -> None:
        """Announce repositories that are going to be read, so that one token serves many of them.

        Sends nothing, and is never needed.

        Args:
            repositories: The names of the repositories.

        Raises:
            InvalidNameError: No repository can be called so.
        """
        self._authorizer.expect([names.check_repository(name) for name in repositories])

    async def get_manifest(self, repository: str, reference: str) -> FetchedManifest:
        """Return a manifest: ``GET /v2/{registry}/{repository}/manifests/{reference}``.

        Args:
            repository: The repository's name.
            reference: A tag, or a digest, which the body is checked against.

        Raises:
            InvalidNameError: No repository, tag or digest can be called so; nothing was sent.
            NotFoundError: There is no such manifest.
            InvalidResponseError: The body is not what its digest says, or far too large.
            RegistryError: Any other of its kinds.
        """
        answer = await self._send("GET", repository, self._path(repository, reference))
        digest = reference if ":" in reference else self._digest_in(answer, repository)
        if digest is None:
            digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        body = body_with(digest, answer.body)
        if body is None:
            raise InvalidResponseError(
                f"what the registry sent for {reference!r} does not have the digest {digest!r}"
            )
        media_type = answer.headers.get("Content-Type")
        # One that was asked for needs no search for secrets, which takes longer than the digest.
        if media_type is not None and media_type not in _MEDIA_TYPES:
            media_type = self._redacted(media_type, repository)[:_MAX_MEDIA_TYPE_CHARACTERS]
        return FetchedManifest(digest, media_type, body, answer.body)

    async def find_manifest(self, repository: str, reference: str) -> str | None:
        """Return the digest of a manifest: ``HEAD /v2/{registry}/{repository}/manifests/…``.

        Args:
            repository: The repository's name.
            reference: A tag, or a digest.

        Returns:
            The digest; None when there is no such manifest.

        Raises:
            InvalidNameError: No repository, tag or digest can be called so; nothing was sent.
            InvalidResponseError: The registry names something else than a digest.
            RegistryError: Any other of its kinds.
        """
        try:
            answer = await self._send("HEAD", repository, self._path(repository, reference))
            digest = self._digest_in(answer, repository)
            return digest or (await self.get_manifest(repository, reference)).digest
        except NotFoundError:
            return None

    async def list_tags(self, repository: str) -> list[str]:
        """Return the tags of a repository: ``GET /v2/{registry}/{repository}/tags/list``.

        Costs none of the API's quota. Not every registry serves this call.

        Args:
            repository: The repository's name.

        Raises:
            InvalidNameError: No repository can be called so; nothing was sent.
            NotFoundError: There is no such repository, or the registry does not serve the call.
            InvalidResponseError: The answer is not what the protocol says.
            RegistryError: Any other of its kinds.
        """
        path = f"/v2/{self._registry.name}/{names.check_repository(repository)}/tags/list"
        found: dict[str, None] = {}
        query = f"?n={_TAGS_PER_PAGE}"
        while True:
            answer = await self._send("GET", repository, path + query)
            tags = tags_of(answer.body)
            before = len(found)
            found |= dict.fromkeys(tags)
            if 'rel="next"' not in answer.headers.get("Link", ""):
                return list(found)
            if len(found) == before:
                raise InvalidResponseError(f"the pages of tags of {repository!r} never end")
            # The link itself is not followed: it may lead anywhere.
            query = f"?n={_TAGS_PER_PAGE}&last={quote(tags[-1], safe='')}"

    async def _send(
        self, method: str, repository: str, path: str, data: bytes | None = None, kind: str = ""
    ) -> Answer:
        base_url = await self._base()
        url = f"{base_url}{path}"
        attempts = renewals = 0
        while True:
            authorization = await self._authorizer.authorize(repository, base_url)
            attempts += 1
            answer = await self._attempt(method, url, authorization, _ACCEPT, data, kind)
            if isinstance(answer, NoAnswer):
                error, failure = answer.error, Failure(None)
            else:
                if 200 <= answer.status < 300 and not answer.too_large:
                    self._credentials.accept()
                    return answer
                if answer.status == 401 and renewals < _RENEWALS:
                    attempts -= 1
                    renewals += 1
                    self._authorizer.on_unauthorized(repository, answer, authorization)
                    continue
                error, failure = classify(
                    answer, *self._secrets(authorization), now=time.time(), server="registry"
                )
                self._explain(error, repository)
            error.method, error.url, error.attempts = method, url, attempts
            wait = self._retry.decide(failure, attempts, repeatable=True)
            if wait is None:
                raise error
            await asyncio.sleep(wait)

    def _explain(self, error: RegistryError, repository: str) -> None:
        where = f"{self._registry.name}/{repository}"
        if error.status == 401:
            error.hint = "The registry refuses the docker credentials that the API made"
        elif error.status == 403:
            error.hint = f"The docker credentials give no access to {where!r}"

    def _secrets(self, authorization: Secret | None) -> tuple[Secret, ...]:
        secrets = self._credentials.secrets()
        return secrets if authorization is None else (*secrets, authorization)

    def _redacted(self, text: str, repository: str) -> str:
        return redact(text, *self._secrets(self._authorizer.known(repository)))

    def _digest_in(self, answer: Answer, repository: str) -> str | None:
        digest = answer.headers.get("Docker-Content-Digest")
        if digest is None:
            return None
        try:
            return names.check_digest(digest)
        except InvalidNameError:
            # Nothing else is to keep it, not even for a traceback.
            digest = self._redacted(digest, repository)[:_MAX_DIGEST_CHARACTERS]
        raise InvalidResponseError(f"what the registry sent does not have the digest {digest!r}")

    def _path(self, repository: str, reference: str) -> str:
        names.check_repository(repository)
        check = names.check_digest if ":" in reference else names.check_tag
        return f"/v2/{self._registry.name}/{repository}/manifests/{check(reference)}"

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
        accept: str = _ACCEPT,
        data: Any = None,
        kind: str = "",
    ) -> Answer | NoAnswer:
        http = self._http
        if http is None or http.closed:
            raise ClientClosedError("it is not open: use 'async with Distribution(registry)'")
        options = request_options(
            http,
            {"Accept": accept, "Content-Type": kind} if kind else {"Accept": accept},
            authorization,
            None if self._borrowed is None else self._timeout,
        )
        if self._trusts_env:
            options |= environment_proxy(url)
        try:
            async with (
                self._turn,
                http.request(
                    method, URL(url, encoded=True), allow_redirects=False, data=data, **options
                ) as response,
            ):
                return await read_answer(response, _MAX_BODY)
        except TimeoutError:
            return NoAnswer(RegistryTimeoutError("no answer in time"), sent=True)
        except (aiohttp.ClientError, OSError) as error:
            why = redact(reason(error, authorization), *self._credentials.secrets())
            return NoAnswer(RegistryConnectionError(why), sent=True)
        except RuntimeError:
            # How aiohttp says it when a session is closed under a request.
            if http.closed:
                raise ClientClosedError("the Distribution was closed") from None
            raise
