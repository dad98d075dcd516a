"""The contents of manifests, read from the registry itself."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from aioregistry.cleanup.manifests.cache import ContentCache
from aioregistry.cleanup.manifests.content import Content, UnreadableContentError, parse_content
from aioregistry.errors import (
    ClientClosedError,
    RegistryConnectionError,
    RegistryError,
    RegistryTimeoutError,
)
from aioregistry.oci.distribution import Distribution

__all__ = ["ContentReader", "ContentSource"]

_UNREACHED = (RegistryConnectionError, RegistryTimeoutError)


class ContentSource(Protocol):
    """Where a clean-up learns what manifests say, and where tags point now."""

    async def read(
        self,
        repository: str,
        digests: Iterable[str],
        on_read: Callable[[int], object] | None = None,
    ) -> Mapping[str, Content | UnreadableContentError]:
        """Return what some manifests of a repository say; for each at least why not."""

    async def current_digest(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag is on now; None when there is no such tag.

        Raises:
            RegistryError: That cannot be said.
        """


class ContentReader:
    """Reads contents from the registry itself, each digest once: content never changes.

    Args:
        distribution: The registry itself.
        cache: Where contents are kept; None keeps none.
    """

    def __init__(self, distribution: Distribution, cache: ContentCache | None = None) -> None:
        self._distribution = distribution
        self._cache = cache
        self._is_reached = False

    async def read(
        self,
        repository: str,
        digests: Iterable[str],
        on_read: Callable[[int], object] | None = None,
    ) -> dict[str, Content | UnreadableContentError]:
        """Return what some manifests say: ``GET /v2/{registry}/{repository}/manifests/{digest}``.

        Args:
            repository: The repository's name.
            digests: Which manifests.
            on_read: Called with how many more are known.

        Returns:
            For each digest its content, or why that could not be read.

        Raises:
            ClientClosedError: The client, or what reads, is closed.
            RegistryConnectionError: The registry was not reached, not once so far.
            RegistryTimeoutError: The same, after waiting for it.
        """
        wanted = list(dict.fromkeys(digests))
        found: dict[str, Content | UnreadableContentError] = {}
        if self._cache is not None:
            found.update(await asyncio.to_thread(self._cache.get, wanted))
            if on_read is not None:
                on_read(len(found))
        left = iter([digest for digest in wanted if digest not in found])
        fresh: dict[str, Content] = {}

        async def work() -> None:
            for digest in left:
                try:
                    found[digest] = fresh[digest] = await self._fetch(repository, digest)
                except UnreadableContentError as error:
                    found[digest] = error
                if on_read is not None:
                    on_read(1)

        workers = [asyncio.ensure_future(work()) for _ in range(self._distribution.concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            if self._cache is not None and fresh:
                await asyncio.to_thread(self._cache.put, fresh)
        return found

    async def current_digest(self, repository: str, tag: str) -> str | None:
        """See `ContentSource`: ``HEAD /v2/{registry}/{repository}/manifests/{tag}``."""
        return await self._distribution.find_manifest(repository, tag)

    async def _fetch(self, repository: str, digest: str) -> Content:
        try:
            fetched = await self._distribution.get_manifest(repository, digest)
        except ClientClosedError:
            raise
        except RegistryError as error:
            if isinstance(error, _UNREACHED) and not self._is_reached:
                # So it would be with every other manifest.
                error.hint = (
                    "Manifests are read there; where else the registry is, --registry-url tells, or"
                    " Distribution's base_url"
                )
                raise
            self._is_reached = True
            raise UnreadableContentError(str(error)) from error
        self._is_reached = True
        return parse_content(fetched.body, fetched.media_type)
