"""Reading manifests and tags from the registry itself."""

import asyncio
import logging
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, cast, runtime_checkable

from aioregistry.arguments import Ignored, Several
from aioregistry.cleanup.manifests.cache import ContentCache, has_digest
from aioregistry.cleanup.manifests.content import (
    Content,
    Document,
    MissingContentError,
    UnreadableContentError,
    parse_content,
)
from aioregistry.cleanup.manifests.write_behind import WriteBehind
from aioregistry.errors import (
    ClientClosedError,
    InvalidNameError,
    NotFoundError,
    RegistryConnectionError,
    RegistryError,
    RegistryTimeoutError,
)
from aioregistry.oci.distribution import Distribution
from aioregistry.oci.documents import MEDIA_TYPES

__all__ = ["NOT_SERVED", "ContentReader", "ContentSource", "DocumentStore", "SharedDocuments"]

logger: logging.Logger = logging.getLogger("aioregistry")

# A registry that answers so does not serve its list of tags.
NOT_SERVED = frozenset({400, 401, 403, 404, 405, 501})
_UNREACHED = (RegistryConnectionError, RegistryTimeoutError)
# The digest, by which the cache knows whether a document is right, covers no media type: one that
# nobody has heard of may be a broken one. And of signed documents the cache has the payload alone.
_CERTAIN = frozenset(kind for kind in MEDIA_TYPES if "oci" in kind or "manifest.v1+" not in kind)
# Of those at hand many are in memory at once; a larger one is read when its turn comes.
_MOST_AT_HAND = 2**16
# Documents that were read are shared so many at a time.
_SHARED_AT_ONCE = 100


class ContentSource(Protocol):
    """Where a clean-up reads manifests, and where tags point now."""

    async def read(
        self,
        repository: str,
        digests: Iterable[str],
        on_read: Callable[[int], Ignored] | None = None,
    ) -> Mapping[str, Content | UnreadableContentError]:
        """Return the contents of some manifests of a repository, each or the reason why not."""

    async def current_digest(self, repository: str, reference: str) -> str | None:
        """Return the digest that a tag is on now; None when there is no such tag.

        For a digest it returns the digest itself, or None when there is no such manifest.

        Raises:
            RegistryError: The registry does not answer that.
        """

    async def list_tags(self, repository: str) -> Iterable[str]:
        """Return the tags of a repository now.

        Raises:
            RegistryError: The registry does not answer that.
        """

    async def document(self, repository: str, digest: str) -> Document:
        """Return a manifest byte for byte, for the archive of an apply that is given one.

        Raises:
            RegistryError: It cannot be read.
        """

    @property
    def registry_url(self) -> str | None:
        """The registry's address, as far as it is known."""


@runtime_checkable
class DocumentStore(Protocol):
    """A source that has manifests at hand, such as one with a cache."""

    async def documents_at_hand(self, digests: Iterable[str]) -> Mapping[str, Document]:
        """Return manifests, byte for byte, that are had without a request.

        Large ones may be left out: what is returned is in memory at once.
        """


class SharedDocuments(Protocol):
    """Documents that several machines share, such as on a server: it saves time, nothing more."""

    async def documents(self, digests: Sequence[str]) -> Mapping[str, Document]:
        """Return those documents that are there; their digests are checked by whoever asks.

        Raises:
            OSError: They cannot be read.
        """

    async def keep(self, documents: Mapping[str, Document]) -> None:
        """Keep documents, or some of them.

        Raises:
            OSError: They cannot be written.
        """


class ContentReader:
    """Reads manifests from the registry itself, each digest once: content never changes.

    Args:
        distribution: The registry itself.
        cache: Where documents are kept on this machine; None keeps none.
        shared: Where other machines keep theirs, too, which is asked for what the cache has not;
            None, the default, for nowhere. Once it fails it is logged, and not asked again.
    """

    def __init__(
        self,
        distribution: Distribution,
        cache: ContentCache | None = None,
        shared: SharedDocuments | None = None,
    ) -> None:
        self._distribution = distribution
        self._cache = cache
        self._shared = shared
        self._is_reached = False

    async def read(
        self,
        repository: str,
        digests: Iterable[str],
        on_read: Callable[[int], Ignored] | None = None,
    ) -> dict[str, Content | UnreadableContentError]:
        """Return the contents of manifests: ``GET /v2/{registry}/{repository}/manifests/{digest}``.

        Args:
            repository: The repository's name.
            digests: Which manifests.
            on_read: Called with how many more are known; None, the default, for no call.

        Returns:
            For each digest its content, or why that could not be read.

        Raises:
            ClientClosedError: The client, or the distribution, is closed.
            RegistryConnectionError: The registry was not reached, not once so far.
            RegistryTimeoutError: The same, after waiting for it.
        """
        wanted = list(dict.fromkeys(digests))
        found: dict[str, Content | UnreadableContentError] = {}
        if self._cache is not None:
            # No second dict of a million.
            cached = await asyncio.to_thread(self._cache.get, wanted)
            found = cast("dict[str, Content | UnreadableContentError]", cached)
            if on_read is not None:
                on_read(len(found))
        writing = None if self._cache is None else WriteBehind(self._write)
        same: dict[Hashable, Content] = {}
        missing = _missing(wanted, found)
        elsewhere = await self._read_shared(missing, same)
        found.update(elsewhere)
        if elsewhere and on_read is not None:
            on_read(len(elsewhere))
        left = iter([digest for digest in missing if digest not in found])
        fresh: dict[str, Document] = {}

        async def work() -> None:
            for digest in left:
                found[digest] = await self._read_one(repository, digest, same, writing, fresh)
                if on_read is not None:
                    on_read(1)
                if len(fresh) >= _SHARED_AT_ONCE:
                    await self._share(fresh)

        workers = [asyncio.ensure_future(work()) for _ in range(self._distribution.concurrency)]
        try:
            await asyncio.gather(*workers)
            await self._share(fresh)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            if writing is not None:
                await writing.finish()
        return found

    async def _read_one(
        self,
        repository: str,
        digest: str,
        same: dict[Hashable, Content],
        writing: WriteBehind[tuple[str, Document]] | None,
        fresh: dict[str, Document],
    ) -> Content | UnreadableContentError:
        try:
            fetched = await self._distribution.get_manifest(repository, digest)
        except ClientClosedError:
            raise
        except RegistryError as error:
            return self._why_not(error)
        self._is_reached = True
        try:
            content = parse_content(fetched.body, fetched.media_type, same=same)
        except UnreadableContentError as error:
            return error
        if writing is not None or self._shared is not None:
            document = Document(fetched.body, fetched.media_type)
            if self._shared is not None:
                fresh[digest] = document
            if writing is not None:
                await writing.add((digest, document))
        return content

    async def _read_shared(
        self, digests: Sequence[str], same: dict[Hashable, Content]
    ) -> dict[str, Content]:
        """Return what others have shared of some manifests, and keep it here, too."""
        found: dict[str, Content] = {}
        if self._shared is None or not digests:
            return found
        try:
            documents = await self._shared.documents(digests)
        except OSError as error:
            self._stop_sharing(error)
            return found
        right: dict[str, Document] = {}
        for digest, one in documents.items():
            if _is_certain(one.media_type) and has_digest(one.body, digest):
                with suppress(UnreadableContentError):
                    found[digest] = parse_content(one.body, one.media_type, same=same)
                    right[digest] = one
        if right and self._cache is not None:
            await asyncio.to_thread(self._cache.put_documents, right)
        return found

    async def _share(self, fresh: dict[str, Document]) -> None:
        if self._shared is None or not fresh:
            return
        some = fresh.copy()
        fresh.clear()
        try:
            await self._shared.keep(some)
        except OSError as error:
            self._stop_sharing(error)

    def _stop_sharing(self, error: OSError) -> None:
        logger.warning("%s are not used any more: %s", self._shared, error)
        self._shared = None

    def _write(self, documents: list[tuple[str, Document]]) -> None:
        if self._cache is not None:
            self._cache.put_documents(dict(documents))

    async def current_digest(self, repository: str, reference: str) -> str | None:
        """See `ContentSource`: ``HEAD /v2/{registry}/{repository}/manifests/{reference}``."""
        return await self._distribution.find_manifest(repository, reference)

    async def list_tags(self, repository: str) -> list[str]:
        """See `ContentSource`: ``GET /v2/{registry}/{repository}/tags/list``."""
        return await self._distribution.list_tags(repository)

    async def document(self, repository: str, digest: str) -> Document:
        """See `ContentSource`: from the cache, else from the registry.

        ``GET /v2/{registry}/{repository}/manifests/{digest}``.
        """
        if self._cache is not None:
            known = await asyncio.to_thread(self._cache.document, digest)
            if known is not None and _is_certain(known.media_type):
                return known
        fetched = await self._distribution.get_manifest(repository, digest)
        return Document(fetched.raw, fetched.media_type)

    async def documents_at_hand(self, digests: Iterable[str]) -> dict[str, Document]:
        """See `DocumentStore`: those in the cache, in one call of a thread for all."""
        if self._cache is None:
            return {}
        known = await asyncio.to_thread(self._cache.documents, digests, _MOST_AT_HAND)
        kinds = {kind for kind in {one.media_type for one in known.values()} if _is_certain(kind)}
        return {digest: one for digest, one in known.items() if one.media_type in kinds}

    @property
    def cache(self) -> ContentCache | None:
        """Where documents are kept; None where they are not."""
        return self._cache

    def expect(self, repositories: Several[str]) -> None:
        """Announce repositories that are going to be read: see `Distribution.expect`."""
        for repository in repositories:
            # One that nobody can be asked for is of no concern to the others.
            with suppress(InvalidNameError):
                self._distribution.expect([repository])

    @property
    def registry_url(self) -> str | None:
        """See `ContentSource`: the base URL that was given."""
        return self._distribution.base_url

    def _why_not(self, error: RegistryError) -> UnreadableContentError:
        if isinstance(error, _UNREACHED) and not self._is_reached:
            # So it would be with every other manifest.
            error.hint = (
                "Manifests are read there; --registry-url, or Distribution's base_url, says"
                " where the registry is if it is elsewhere"
            )
            raise error
        self._is_reached = True
        missing = isinstance(error, NotFoundError) and error.is_certain
        reason = (MissingContentError if missing else UnreadableContentError)(str(error))
        reason.__cause__ = error
        return reason


def _missing(wanted: Sequence[str], found: Collection[str]) -> list[str]:
    """Return those digests that were not found; nothing but wanted ones were."""
    # Of a million that are cached none is looked up.
    return [one for one in wanted if one not in found] if len(found) < len(wanted) else []


def _is_certain(media_type: str | None) -> bool:
    """Return whether a document of a type, as the cache has it, is what the registry would send."""
    return (media_type or "").partition(";")[0].strip() in _CERTAIN
