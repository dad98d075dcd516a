"""The registry itself, by the OCI distribution protocol: manifests, to be read only.

It costs none of the API's quota. What the API tells of a manifest leaves out what other manifests
it needs; that stands in the manifest alone.
"""

import asyncio
import hashlib
import json
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import aiohttp
from attrs import frozen
from yarl import URL

from aioregistry.api import names
from aioregistry.api.models import DockerCredentials
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import (
    AuthenticationError,
    ClientClosedError,
    InvalidResponseError,
    NotFoundError,
    RegistryConnectionError,
    RegistryError,
    RegistryTimeoutError,
    error_for_status,
)
from aioregistry.oci.challenges import Challenge, may_learn_credentials, parse_challenges
from aioregistry.oci.schema1 import signed_payload
from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.session.origins import check_origin, origin_from_environment
from aioregistry.session.retry import Failure, RetryPolicy
from aioregistry.session.secret import Secret
from aioregistry.session.transport import no_hidden_resend, reason

__all__ = ["CredentialsExpiredError", "Distribution", "FetchedManifest"]

_ACCEPT = (
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.oci.artifact.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v1+prettyjws, "
    "application/vnd.docker.distribution.manifest.v1+json"
)
# The protocol has registries refuse manifests of more than 4 MiB.
_MAX_BODY = 16 * 2**20
_REGISTRY_URL_VARIABLE = "AIOREGISTRY_REGISTRY_URL"
_CREDENTIALS_SECONDS = 3600
# The protocol's word for a token that does not say how long it lives.
_TOKEN_SECONDS = 60.0
# Used no longer than this part of its life, so that none runs out on the way.
_SAFE_SHARE = 0.8
_RENEWALS = 2
_TAGS_PER_PAGE = 1000


class CredentialsExpiredError(RegistryError):
    """New docker credentials are needed, and are not to be asked for now."""


@frozen
class FetchedManifest:
    """A manifest as the registry sent it.

    Attributes:
        digest: Its digest, which the body was checked against.
        media_type: What the registry calls it; None when it does not.
        body: The document; of a signed one of Docker's schema 1, the payload without signatures.
    """

    digest: str
    media_type: str | None
    body: bytes


@frozen
class _Answer:
    status: int
    headers: Any
    body: bytes
    too_large: bool = False


@frozen
class _Token:
    authorization: Secret
    good_until: float


class Distribution:
    """Reads manifests from the registry itself, with docker credentials for it.

    ``async with Distribution(registry) as distribution`` opens and closes it. The credentials are
    read-only ones of an hour: one API request, and one more each time they are near their end.

    Args:
        registry: The registry.
        base_url: Where it is; None takes ``AIOREGISTRY_REGISTRY_URL`` (https, or http on this
            machine), else what its credentials name, over HTTPS.
        timeout: Seconds for each attempt.
        retry: Decides on repetition.
        concurrency: How many requests may be under way at once.

    Raises:
        ValueError: `base_url` is no URL of a server, or `concurrency` is less than 1.
    """

    def __init__(
        self,
        registry: RegistryHandle,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
        concurrency: int = 16,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency must be 1 or more: {concurrency}")
        self.concurrency = concurrency
        self._registry = registry
        self._base_url = (
            origin_from_environment(_REGISTRY_URL_VARIABLE)
            if base_url is None
            else check_origin("base_url", base_url)
        )
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._retry = RetryPolicy() if retry is None else retry
        self._http: aiohttp.ClientSession | None = None
        self._credentials: tuple[DockerCredentials, float] | None = None
        self._credentials_lock = asyncio.Lock()
        self._no_login = ContextVar("no_login", default=False)
        self._challenges: dict[str, Challenge] = {}
        self._tokens: dict[str, _Token] = {}
        self._token_locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def __repr__(self) -> str:
        return f"Distribution({self._registry!r}, base_url={self._base_url!r})"

    async def open(self) -> Self:
        """Open it in the running event loop."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.concurrency),
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(no_hidden_resend,),
                timeout=self._timeout,
            )
        return self

    async def close(self) -> None:
        """Close its connections."""
        if self._http is not None:
            await self._http.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

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
        given = answer.headers.get("Docker-Content-Digest")
        digest = reference if ":" in reference else given
        if digest is None:
            digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        body = _body_with(digest, answer.body)
        if body is None:
            raise InvalidResponseError(
                f"what the registry sent for {reference!r} does not have the digest {digest!r}"
            )
        return FetchedManifest(digest, answer.headers.get("Content-Type"), body)

    async def find_manifest(self, repository: str, reference: str) -> str | None:
        """Return the digest of a manifest: ``HEAD /v2/{registry}/{repository}/manifests/…``.

        Args:
            repository: The repository's name.
            reference: A tag, or a digest.

        Returns:
            The digest; None when there is no such manifest.

        Raises:
            InvalidNameError: No repository, tag or digest can be called so; nothing was sent.
            RegistryError: Any other of its kinds.
        """
        try:
            answer = await self._send("HEAD", repository, self._path(repository, reference))
            digest = answer.headers.get("Docker-Content-Digest")
            if digest is None:
                return (await self.get_manifest(repository, reference)).digest
        except NotFoundError:
            return None
        return str(digest)

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
            tags = _tags_of(answer.body)
            before = len(found)
            found |= dict.fromkeys(tags)
            if 'rel="next"' not in answer.headers.get("Link", ""):
                return list(found)
            if len(found) == before:
                raise InvalidResponseError(f"the pages of tags of {repository!r} never end")
            # The link itself is not followed: it may lead anywhere.
            query = f"?n={_TAGS_PER_PAGE}&last={quote(tags[-1], safe='')}"

    async def renew_credentials(self) -> None:
        """Get docker credentials now if those known are near their end, or if there are none.

        Raises:
            RegistryError: Any of its kinds.
        """
        await self._login()

    @contextmanager
    def known_credentials_only(self) -> Iterator[None]:
        """Get no docker credentials within the block: a request that needs new ones fails.

        Whoever holds a permit of the API's quota must not wait for another one.
        """
        token = self._no_login.set(True)
        try:
            yield
        finally:
            self._no_login.reset(token)

    async def _send(self, method: str, repository: str, path: str) -> _Answer:
        attempts = renewals = 0
        while True:
            attempts += 1
            url = f"{await self._base()}{path}"
            error: RegistryError
            try:
                authorization = await self._authorize(repository)
                answer = await self._attempt(method, url, authorization)
            except (RegistryConnectionError, RegistryTimeoutError) as lost:
                error, failure = lost, Failure(None)
            else:
                if 200 <= answer.status < 300 and not answer.too_large:
                    return answer
                if answer.status == 401 and renewals < _RENEWALS:
                    attempts -= 1
                    renewals += 1
                    self._refused(repository, answer, authorization)
                    continue
                error, failure = _judge(answer)
            error.method, error.url, error.attempts = method, url, attempts
            wait = self._retry.decide(failure, attempts, repeatable=True)
            if wait is None:
                raise error
            await asyncio.sleep(wait)

    def _path(self, repository: str, reference: str) -> str:
        names.check_repository(repository)
        check = names.check_digest if ":" in reference else names.check_tag
        return f"/v2/{self._registry.name}/{repository}/manifests/{check(reference)}"

    async def _base(self) -> str:
        if self._base_url is None:
            host = (await self._login()).host
            if not _is_host(host):
                raise InvalidResponseError(f"the docker credentials are for {host!r}, no host")
            self._base_url = f"https://{host}"
        return self._base_url

    async def _attempt(
        self, method: str, url: str, authorization: Secret | None, accept: str = _ACCEPT
    ) -> _Answer:
        if self._http is None or self._http.closed:
            raise ClientClosedError("it is not open: use 'async with Distribution(registry)'")
        headers = {"Accept": accept}
        if authorization is not None:
            headers["Authorization"] = authorization
        try:
            async with self._http.request(
                method, URL(url, encoded=True), headers=headers, allow_redirects=False
            ) as response:
                return await _read(response)
        except TimeoutError:
            raise RegistryTimeoutError("no answer in time", method=method, url=url) from None
        except (aiohttp.ClientError, OSError) as error:
            raise RegistryConnectionError(
                reason(error, authorization), method=method, url=url
            ) from None

    async def _login(self, refused: DockerCredentials | None = None) -> DockerCredentials:
        """Return docker credentials, others than those that were refused."""
        if self._credentials is not None:
            known, good_until = self._credentials
            if known is not refused and _now() < good_until:
                return known
        if self._no_login.get():
            raise CredentialsExpiredError("the docker credentials have to be renewed first")
        async with self._credentials_lock:
            now = _now()
            if self._credentials is not None:
                known, good_until = self._credentials
                if known is not refused and now < good_until:
                    return known
            fresh = await self._registry.docker_credentials(
                read_write=False, expiry_seconds=_CREDENTIALS_SECONDS
            )
            self._credentials = fresh, now + _SAFE_SHARE * _CREDENTIALS_SECONDS
            return fresh

    def _refused(self, repository: str, answer: _Answer, authorization: Secret | None) -> None:
        """Take in what a 401 asks for."""
        offered = parse_challenges(", ".join(answer.headers.getall("WWW-Authenticate", [])))
        known = {challenge.scheme: challenge for challenge in reversed(offered)}
        challenge = known.get("bearer") or known.get("basic")
        if challenge is None:
            raise AuthenticationError(
                "the registry asks for no authentication that is known here", status=401
            )
        self._challenges[repository] = challenge
        token = self._tokens.get(repository)
        # Others may have got a new one by now.
        if token is not None and token.authorization == authorization:
            del self._tokens[repository]

    async def _authorize(self, repository: str) -> Secret | None:
        challenge = self._challenges.get(repository)
        if challenge is None:
            return None
        async with self._token_locks[repository]:
            token = self._tokens.get(repository)
            if token is None or _now() >= token.good_until:
                token = await self._new_token(repository, challenge)
                self._tokens[repository] = token
            return token.authorization

    async def _new_token(self, repository: str, challenge: Challenge) -> _Token:
        credentials = await self._login()
        if challenge.scheme == "basic":
            return _Token(_basic(credentials), _now() + _TOKEN_SECONDS)
        realm = challenge.parameters.get("realm", "")
        try:
            service = URL(realm)
        except ValueError:
            raise AuthenticationError("the registry names a token service without a URL") from None
        if not may_learn_credentials(realm, await self._base()):
            raise AuthenticationError(
                f"the registry asks to send its credentials to {service.host!r}, which "
                "is neither itself nor the vendor; nothing was sent there"
            )
        query = {
            "service": challenge.parameters.get("service", ""),
            "scope": challenge.parameters.get(
                "scope", f"repository:{self._registry.name}/{repository}:pull"
            ),
        }
        url = str(service.update_query(query))
        begun = _now()
        answer = await self._attempt("GET", url, _basic(credentials), "application/json")
        if answer.status == 401:
            fresh = await self._login(refused=credentials)
            answer = await self._attempt("GET", url, _basic(fresh), "application/json")
        if not 200 <= answer.status < 300 or answer.too_large:
            error, _ = _judge(answer)
            error.method, error.url = "GET", realm
            raise error
        return _token_of(answer.body, begun)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _is_host(text: str) -> bool:
    try:
        # Each finds fault with what the other takes.
        parts, url = urlsplit(f"https://{text}"), URL(f"https://{text}")
    except ValueError:
        return False
    return bool(parts.hostname and url.host) and parts.netloc == text and "@" not in text


def _basic(credentials: DockerCredentials) -> Secret:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return Secret(f"Basic {b64encode(pair).decode()}")


def _token_of(body: bytes, begun: float) -> _Token:
    try:
        document = json.loads(body)
        value = document.get("token") or document.get("access_token")
        seconds = document.get("expires_in")
    except (ValueError, AttributeError, RecursionError):
        value = seconds = None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        raise InvalidResponseError("the token service answered without a token")
    if type(seconds) not in {int, float} or not seconds > 0:
        seconds = _TOKEN_SECONDS
    # Bounded, as the number may be larger than any float.
    seconds = min(seconds, _CREDENTIALS_SECONDS)
    return _Token(Secret(f"Bearer {value}"), begun + _SAFE_SHARE * seconds)


async def _read(response: aiohttp.ClientResponse) -> _Answer:
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > _MAX_BODY:
            response.close()
            return _Answer(response.status, response.headers, b"", too_large=True)
    return _Answer(response.status, response.headers, b"".join(chunks))


def _judge(answer: _Answer) -> tuple[RegistryError, Failure]:
    status = answer.status
    if status < 400:
        what = "too large a body" if answer.too_large else "a redirect, which is not followed"
        return (
            InvalidResponseError(f"the registry answered with {what}", status=status),
            Failure(status),
        )
    code, message = _complaint(answer.body)
    error = error_for_status(status)(
        message or f"the registry answered with status {status}", status=status, error_id=code
    )
    word = RateLimitHeaders.parse(status, answer.headers, time.time())
    return error, Failure(status, retry_after=word.retry_after)


def _complaint(body: bytes) -> tuple[str | None, str | None]:
    """Return code and message of the first error in an answer's body."""
    try:
        first = json.loads(body)["errors"][0]
        code, message = first.get("code"), first.get("message")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None, None
    return (
        code if isinstance(code, str) else None,
        message if isinstance(message, str) else None,
    )


def _tags_of(body: bytes) -> list[str]:
    try:
        tags = json.loads(body)["tags"]
    except (ValueError, LookupError, TypeError, RecursionError):
        tags = False
    # Go's empty list is null.
    tags = [] if tags is None else tags
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise InvalidResponseError("the registry sent no list of tags")
    return tags


def _body_with(digest: str, body: bytes) -> bytes | None:
    """Return the part of a body that has a digest; None when that cannot be shown."""
    algorithm = digest.partition(":")[0]
    if algorithm in {"sha256", "sha384", "sha512"}:
        for part in (body, signed_payload(body)):
            if part is None:
                continue
            if digest == f"{algorithm}:{hashlib.new(algorithm, part).hexdigest()}":
                return part
    return None
