"""Where journals and archives are kept: in files, or wherever a `JournalStore` keeps them."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from attrs import frozen

from aioregistry.cleanup.records.append import Appender, AppendOnlyFile, in_a_thread, to_its_end
from aioregistry.cleanup.records.report import CleanupReport
from aioregistry.errors import NotRecordedError
from aioregistry.files import open_to_append, sync_folder, take_lock

__all__ = [
    "Beginning",
    "FileStore",
    "JournalError",
    "JournalKind",
    "JournalStore",
    "PlanLockedError",
    "store_of",
]


class JournalError(NotRecordedError):
    """The journal cannot be used; nothing is deleted without it.

    Attributes:
        report: What became of every item until then; None when none was begun.
    """

    report: CleanupReport | None = None


class PlanLockedError(JournalError):
    """Another process is carrying out this plan."""


@frozen
class Beginning:
    """How an appender begins with what was kept before.

    Attributes:
        size: How many bytes of it stay; what comes after them was cut off when a process died.
        first: The record that is written before all others; None for none.
    """

    size: int
    first: bytes | None = None


@frozen(kw_only=True)
class JournalKind:
    """What a journal, or an archive, asks of its store.

    Attributes:
        read: Reads what was kept before, and returns how to go on.
        error: The class of the errors of the store.
        locked: The class of the error when another process has it.
        busy: That error's text.
        head_only: Whether `read` needs no more than what was written first, where nothing can be
            cut off.
        pack: Makes the bytes that are written from the records of one write.
    """

    read: Callable[[IO[bytes]], Beginning]
    error: type[JournalError]
    locked: type[JournalError]
    busy: str
    head_only: bool = False
    pack: Callable[[list[bytes]], bytes] = b"".join


class JournalStore(Protocol):
    """Where a journal or an archive is kept: bytes that only grow, for one writer at a time.

    `apply_plan`, `undo` and `Archive` take a path for a file, or one of these: on a server that
    several machines share, for example, as `aioregistry.fleet` has it. ``str`` of it says in errors
    where it is.
    """

    def open(self, kind: JournalKind) -> AbstractAsyncContextManager[Appender]:
        """Return a context in which this process alone appends.

        Args:
            kind: What is kept: its `read` is given what was kept before.

        Raises:
            JournalError: It cannot be used, as `kind.error`, or another process has it, as
                `kind.locked`; or what `kind.read` raises, and everything is left as it was.
        """


@frozen
class FileStore:
    """A file; beside it a lock file, ``….lock``, keeps other processes away.

    Attributes:
        path: The file, which is made if it does not exist, for its owner alone.
        lock: Its lock.
    """

    path: Path
    lock: Any

    @classmethod
    def at(cls, path: Path) -> "FileStore":
        """Return the store of a file.

        Raises:
            ModuleNotFoundError: The package ``filelock`` is missing.
        """
        try:
            from filelock import FileLock  # noqa: PLC0415  (only journals need it)
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                "a journal needs filelock: pip install 'aioregistry-do[cleanup]'"
            ) from None
        # Whichever thread of the pool takes it, it is this process's.
        return cls(path, FileLock(f"{path}.lock", timeout=0, thread_local=False))

    def __str__(self) -> str:
        return str(self.path)

    @asynccontextmanager
    async def open(self, kind: JournalKind) -> AsyncGenerator[AppendOnlyFile]:
        """Lock and open the file; see `JournalStore.open`."""
        opening = in_a_thread(self.open_now, kind)
        try:
            await to_its_end(opening)
        except BaseException:
            if opening.exception() is None:
                self.close(opening.result())
            raise
        file: AppendOnlyFile = opening.result()
        try:
            try:
                yield file
            finally:
                await file.flush()
        finally:
            self.close(file)

    def open_now(self, kind: JournalKind) -> AppendOnlyFile:
        """Lock and open the file in the thread that calls this; the lock is free after an error."""
        try:
            take_lock(self.lock)
        except TimeoutError:
            raise kind.locked(f"{self.path}: {kind.busy}") from None
        except OSError as error:
            raise kind.error(f"{self.path}: cannot be locked: {error}") from None
        try:
            return self._opened(kind)
        except BaseException:
            self.lock.release()
            raise

    def close(self, file: AppendOnlyFile) -> None:
        """Close the file, and let others have it."""
        file.close()
        self.lock.release()

    def _opened(self, kind: JournalKind) -> AppendOnlyFile:
        descriptor = None
        try:
            descriptor = open_to_append(self.path)
            with os.fdopen(os.dup(descriptor), "rb") as reading:
                beginning = kind.read(reading)
            os.ftruncate(descriptor, beginning.size)
            file = AppendOnlyFile(self.path, descriptor, kind.error, kind.pack)
            if beginning.first is not None:
                file.put([beginning.first])
                sync_folder(self.path.parent)
        except BaseException as error:
            if descriptor is not None:
                os.close(descriptor)
            if isinstance(error, OSError):
                raise kind.error(f"{self.path}: cannot be opened: {error}") from None
            raise
        return file


def store_of(given: Path | JournalStore) -> JournalStore:
    """Return a store as it is, or that of a file.

    Raises:
        ModuleNotFoundError: The package ``filelock`` is missing.
    """
    return FileStore.at(given) if isinstance(given, Path) else given
