"""The archive: the documents and tags of what is deleted, on disk before each DELETE is sent."""

import os
from pathlib import Path
from typing import Self

from aioregistry.cleanup.apply.append import AppendOnlyFile, in_a_thread, to_its_end
from aioregistry.cleanup.apply.archive_format import (
    ArchiveError,
    check_archive,
    first_member,
    line_of,
    pack_lines,
)
from aioregistry.cleanup.apply.journal import lock_beside
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.errors import NotFoundError
from aioregistry.files import sync_folder

__all__ = ["Archive"]


class Archive:
    """An append-only file of what is deleted: one registry's, of one run or of many.

    The file is a sequence of gzip members, so ``gzip -dc`` shows it. Each line is a JSON object;
    the first names the format, its version and the registry. A member that was cut off when the
    machine or the process died is dropped when the archive is opened again: its DELETE was never
    sent.

    ``async with Archive(path, registry, contents) as archive`` locks, opens and closes it.
    `delete_tags` and `delete_manifests` of a repository, and `apply_plan`, write into it.

    Args:
        path: The file, which is made, readable by its owner alone, if it does not exist.
        registry: The name of the registry.
        contents: Where manifests are read, and where tags point, for `delete_tags(archive=…)` and
            `delete_manifests(archive=…)`; None, the default, where all is given to `add`.

    Raises:
        ArchiveError: It belongs to another registry, is in use by another process, is no archive,
            or cannot be read or written.
    """

    def __init__(self, path: Path, registry: str, contents: ContentSource | None = None) -> None:
        self._path = path
        self._registry = registry
        self._contents = contents
        self._lock = lock_beside(path)
        self._file: AppendOnlyFile | None = None

    async def __aenter__(self) -> Self:
        opening = in_a_thread(self._open)
        try:
            await to_its_end(opening)
        except BaseException:
            if opening.exception() is None:
                os.close(opening.result())
                self._lock.release()
            raise
        self._file = AppendOnlyFile(self._path, opening.result(), ArchiveError, pack_lines)
        return self

    async def __aexit__(self, *_: object) -> None:
        file = self.file
        try:
            await file.flush()
        finally:
            file.close()
            self._lock.release()

    async def add(
        self,
        repository: str,
        digest: str,
        tags: tuple[str, ...] = (),
        document: bytes | None = None,
        media_type: str = "",
        *,
        wait: bool = True,
    ) -> None:
        """Write what is about to be deleted; it is on disk when this returns.

        Args:
            repository: The repository's name.
            digest: The manifest's digest.
            tags: The tags that the DELETE takes away.
            document: The manifest; None when the DELETE is a tag's.
            media_type: The media type it was served with.
            wait: Whether to wait for the disk; by default it does. Else it is on disk after the
                next flush of `file`.

        Raises:
            ArchiveError: It could not be written.
        """
        self.file.add(line_of(repository, digest, tags, document, media_type))
        if wait:
            await self.file.flush()

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

    @property
    def registry(self) -> str:
        """The name of the registry."""
        return self._registry

    def _source(self) -> ContentSource:
        if self._contents is None:
            raise ArchiveError(
                f"{self._path}: manifests cannot be read: use Archive(path, registry, contents)"
            )
        return self._contents

    @property
    def file(self) -> AppendOnlyFile:
        """The open file, to flush it after `add` did not wait.

        Raises:
            ArchiveError: It is not open.
        """
        if self._file is None:
            raise ArchiveError(f"{self._path}: not open: use 'async with Archive(...)'")
        return self._file

    def _open(self) -> int:
        try:
            self._lock.acquire()
        except TimeoutError:
            raise ArchiveError(
                f"{self._path}: another process writes this archive; wait for its end"
            ) from None
        except OSError as error:
            raise ArchiveError(f"{self._path}: cannot be locked: {error}") from None
        try:
            return self._begin()
        except BaseException:
            self._lock.release()
            raise

    def _begin(self) -> int:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise ArchiveError(f"{self._path}: cannot be opened: {error}") from None
        try:
            with os.fdopen(os.dup(descriptor), "rb") as file:
                end = check_archive(self._path, file, self._registry)
            os.ftruncate(descriptor, end)
            if not end:
                os.write(descriptor, first_member(self._registry))
                os.fsync(descriptor)
                sync_folder(self._path.parent)
        except OSError as error:
            os.close(descriptor)
            raise ArchiveError(f"{self._path}: cannot be used: {error}") from None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
