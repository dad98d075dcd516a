"""The archive: documents and tags of what is deleted, on disk before each DELETE is sent."""

from collections.abc import Collection
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Self

from aioregistry.cleanup.manifests.reader import NOT_SERVED, ContentSource
from aioregistry.cleanup.records.append import Appender
from aioregistry.cleanup.records.archive_format import (
    ArchiveError,
    check_archive,
    encode_lines,
    head_of,
    line_of,
    pack_lines,
    withdrawal_of,
)
from aioregistry.cleanup.records.store import (
    Beginning,
    JournalKind,
    JournalStore,
    store_of,
)
from aioregistry.errors import NotFoundError, ResponseError

__all__ = ["Archive"]


class Archive:
    """What is deleted, in a file that only grows: one registry's, of one run or of many.

    The file is a sequence of gzip members, so ``gzip -dc`` shows it. Each line is a JSON object;
    the first names the format, its version and the registry. A member that was cut off when the
    machine or the process died is dropped when the archive is opened again: its DELETE was never
    sent.

    ``async with Archive(path, registry, contents) as archive`` locks, opens and closes it.
    `delete_tags` and `delete_manifests` of a repository, and `apply_plan`, write into it.

    Args:
        place: The file, which is made, readable by its owner alone, if it does not exist; or
            another store of it.
        registry: The name of the registry.
        contents: Where manifests are read, and where tags point, for `delete_tags(archive=…)` and
            `delete_manifests(archive=…)`; None, the default, where all is given to `add`.

    Raises:
        ArchiveError: It belongs to another registry, is in use by another process, is no archive,
            or cannot be read or written.
    """

    def __init__(
        self, place: Path | JournalStore, registry: str, contents: ContentSource | None = None
    ) -> None:
        self._store = store_of(place)
        self._registry = registry
        self._contents = contents
        self._stack = AsyncExitStack()
        self._lines: Appender | None = None

    async def __aenter__(self) -> Self:
        kind = JournalKind(
            read=self._read,
            error=ArchiveError,
            locked=ArchiveError,
            busy="another process writes this archive; wait for its end",
            head_only=True,
            pack=pack_lines,
        )
        self._lines = await self._stack.enter_async_context(self._store.open(kind))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def add(
        self,
        repository: str,
        digest: str,
        tags: tuple[str, ...] = (),
        document: bytes | None = None,
        media_type: str = "",
    ) -> datetime:
        """Write what is about to be deleted; it is on disk when this returns.

        Args:
            repository: The repository's name.
            digest: The manifest's digest.
            tags: The tags that the DELETE takes away; none by default.
            document: The manifest; None when the DELETE is a tag's.
            media_type: The media type it was served with; empty by default.

        Returns:
            When it was archived, by which `withdraw` knows it.

        Raises:
            ArchiveError: It could not be written.
        """
        at = datetime.now(UTC)
        line = line_of(at, repository, digest, tags, document, media_type)
        self.lines.add(encode_lines([line]))
        await self.lines.flush()
        return at

    def withdraw(self, repository: str, digest: str, tags: tuple[str, ...], at: datetime) -> None:
        """Note that what `add` wrote was not deleted; it is written with what comes next.

        Args:
            repository: The repository's name; all as it was given to `add`.
            digest: The manifest's digest.
            tags: The tags.
            at: What `add` returned.

        Raises:
            ArchiveError: The archive is not open.
        """
        self.lines.add(withdrawal_of(at, repository, digest, tags))

    async def keep_tag(self, repository: str, tag: str) -> bool:
        """Write down where a tag points: ``HEAD /v2/{registry}/{repository}/manifests/{tag}``.

        Returns:
            Whether there is such a tag.

        Raises:
            ArchiveError: It could not be written, or the archive has no contents.
            RegistryError: The registry does not answer.
        """
        digest = await self._source().current_digest(repository, tag)
        if digest is None:
            return False
        await self.add(repository, digest, (tag,))
        return True

    async def keep_manifest(self, repository: str, digest: str, tags: tuple[str, ...] = ()) -> bool:
        """Write down a manifest and its tags: ``GET /v2/{registry}/{repository}/manifests/…``.

        Nothing is sent for a manifest that the contents have in their cache.

        Returns:
            Whether there is such a manifest.

        Raises:
            ArchiveError: It could not be written, or the archive has no contents.
            RegistryError: The registry does not answer.
        """
        try:
            document = await self._source().document(repository, digest)
        except NotFoundError:
            return False
        await self.add(repository, digest, tags, document.body, document.media_type or "")
        return True

    async def new_tags(self, repository: str, known: Collection[str]) -> dict[str, str]:
        """Return the digest of each tag that the registry itself has, without those known.

        ``GET /v2/{registry}/{repository}/tags/list``, and a ``HEAD`` for each that is not known.
        Empty where the registry does not list its tags.

        Raises:
            ArchiveError: The archive has no contents.
            RegistryError: The registry does not answer.
        """
        source = self._source()
        try:
            listed = await source.list_tags(repository)
        except ResponseError as error:
            if error.status not in NOT_SERVED:
                raise
            return {}
        found: dict[str, str] = {}
        for tag in sorted(set(listed).difference(known)):
            digest = await source.current_digest(repository, tag)
            if digest is not None:
                found[tag] = digest
        return found

    @property
    def registry(self) -> str:
        """The name of the registry."""
        return self._registry

    def _source(self) -> ContentSource:
        if self._contents is None:
            raise ArchiveError(
                f"{self._store}: manifests cannot be read: use Archive(path, registry, contents)"
            )
        return self._contents

    @property
    def lines(self) -> Appender:
        """What `add` adds to.

        Raises:
            ArchiveError: It is not open.
        """
        if self._lines is None:
            raise ArchiveError(f"{self._store}: not open: use 'async with Archive(...)'")
        return self._lines

    def _read(self, kept: IO[bytes]) -> Beginning:
        end = check_archive(str(self._store), kept, self._registry)
        return Beginning(end, None if end else head_of(self._registry))
