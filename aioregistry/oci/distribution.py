"""The registry itself, by the OCI distribution protocol: manifests and tags, to be read only.

It costs none of the API's quota. The API does not say which other manifests a manifest needs; only
the manifest itself does.
"""

import hashlib
from urllib.parse import quote

from aioregistry.api import names
from aioregistry.arguments import Several
from aioregistry.errors import InvalidNameError, InvalidResponseError, NotFoundError, RegistryError
from aioregistry.oci.documents import (
    MEDIA_TYPES,
    FetchedManifest,
    body_with,
    referrers_of,
    tags_of,
)
from aioregistry.oci.links import next_query
from aioregistry.oci.requests import RegistryRequests
from aioregistry.session.answers import Answer

__all__ = ["Distribution", "FetchedManifest"]

_TAGS_PER_PAGE = 1000
_MAX_BLOB = 4 * 2**20
# What registries without the referrers API answer to it.
_NOT_SERVED = frozenset({404, 405, 501})
_MAX_MEDIA_TYPE_CHARACTERS = 255
_MAX_DIGEST_CHARACTERS = 80


class Distribution(RegistryRequests):
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
            None, the default, for one of its own.
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

    # The repository whose name was checked last.
    _checked: str | None = None

    def expect(self, repositories: Several[str]) -> None:
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
        if media_type is not None and media_type not in MEDIA_TYPES:
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
        except NotFoundError as error:
            if not error.is_certain:
                raise
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
            is_linked = next_query(answer.headers) is not None
            # After a full page there may be another, to which the registry does not link.
            if not is_linked and (len(tags) < _TAGS_PER_PAGE or len(found) == before):
                return list(found)
            if len(found) == before:
                raise InvalidResponseError(f"the pages of tags of {repository!r} never end")
            # The link itself is not followed: it may lead anywhere.
            query = f"?n={_TAGS_PER_PAGE}&last={quote(tags[-1], safe='')}"

    async def list_referrers(self, repository: str, digest: str) -> list[str] | None:
        """Return the referrers of a manifest: ``GET /v2/{registry}/{repository}/referrers/…``.

        Not every registry serves this call. Where it does not, clients list referrers in an index
        with the tag ``sha256-<hex>``.

        Args:
            repository: The repository's name.
            digest: The manifest's digest.

        Returns:
            The digests of manifests with this subject; None where the registry does not serve the
            call: after that it is not asked again.

        Raises:
            InvalidNameError: No repository or digest can be called so; nothing was sent.
            NotFoundError: There is no such repository, at a registry that serves the call.
            InvalidResponseError: The answer is not what the protocol says.
            RegistryError: Any other of its kinds.
        """
        name = names.check_repository(repository)
        path = f"/v2/{self._registry.name}/{name}/referrers/{names.check_digest(digest)}"
        found: dict[str, None] = {}
        query: str | None = ""
        while self._serves_referrers is not False and query is not None:
            try:
                answer = await self._send("GET", repository, f"{path}?{query}" if query else path)
            except RegistryError as error:
                # Where it has been served, a 404 is about this repository.
                if error.status not in _NOT_SERVED or self._serves_referrers:
                    raise
                self._serves_referrers = False
                break
            self._serves_referrers = True
            before = len(found)
            found |= dict.fromkeys(referrers_of(answer.body))
            query = next_query(answer.headers)
            if query is not None and len(found) == before:
                raise InvalidResponseError(f"the pages of referrers of {digest!r} never end")
        return list(found) if self._serves_referrers else None

    async def get_blob(self, repository: str, digest: str, *, max_bytes: int = _MAX_BLOB) -> bytes:
        """Return a blob, such as an image's config: ``GET /v2/{registry}/{repository}/blobs/…``.

        A registry may redirect to where it stores blobs. That is followed over HTTPS (or to its own
        origin), without credentials, and the digest is checked.

        Args:
            repository: The repository's name.
            digest: The blob's digest, which the bytes are checked against.
            max_bytes: The most bytes that are read; by default 4 MiB.

        Raises:
            InvalidNameError: No repository or digest can be called so; nothing was sent.
            NotFoundError: The repository has no such blob.
            InvalidResponseError: The bytes are not what the digest says, or too many.
            RegistryError: Any other of its kinds.
        """
        path = self._blob_path(repository, digest)
        answer = await self._send(
            "GET", repository, path, on_redirect="follow", max_bytes=max_bytes
        )
        algorithm, _, digits = digest.partition(":")
        if algorithm not in {"sha256", "sha384", "sha512"} or (
            hashlib.new(algorithm, answer.body).hexdigest() != digits
        ):
            raise InvalidResponseError(f"the registry sent other bytes than those of {digest!r}")
        return answer.body

    async def has_blob(self, repository: str, digest: str) -> bool:
        """Return whether a repository has a blob: ``HEAD /v2/{registry}/{repository}/blobs/…``.

        Args:
            repository: The repository's name.
            digest: The blob's digest.

        Raises:
            InvalidNameError: No repository or digest can be called so; nothing was sent.
            RegistryError: Any other of its kinds.
        """
        path = self._blob_path(repository, digest)
        try:
            await self._send("HEAD", repository, path, on_redirect="return")
        except NotFoundError as error:
            if not error.is_certain:
                raise
            return False
        return True

    def _blob_path(self, repository: str, digest: str) -> str:
        names.check_repository(repository)
        return f"/v2/{self._registry.name}/{repository}/blobs/{names.check_digest(digest)}"

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
        # Of one repository many are read.
        if repository is not self._checked:
            self._checked = names.check_repository(repository)
        check = names.check_digest if ":" in reference else names.check_tag
        return f"/v2/{self._registry.name}/{repository}/manifests/{check(reference)}"
