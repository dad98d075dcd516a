"""The journal of a clean-up: what was begun and what became of it, on disk before it is done."""

import asyncio
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
from attrs import frozen

from aioregistry.cleanup.apply.append import AppendOnlyFile, in_a_thread, to_its_end
from aioregistry.cleanup.apply.report import CleanupReport, Status
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.errors import NotRecordedError
from aioregistry.files import sync_folder

__all__ = ["Journal", "JournalError", "Past", "PlanLockedError"]

FORMAT = "aioregistry cleanup journal"
VERSION = 1
# A DELETE was sent, or was about to be.
_BEGUN = frozenset({"begun", "deleted", "unknown", "failed"})


class JournalError(NotRecordedError):
    """The journal cannot be used; nothing is deleted without it.

    Attributes:
        report: What became of every item until then; None when none was begun.
    """

    report: CleanupReport | None = None


class PlanLockedError(JournalError):
    """Another process is carrying out this plan."""


@frozen
class Past:
    """What the journal says of one item.

    Attributes:
        state: ``begun``, and nothing more; or what became of it.
        reason: Why, in words.
    """

    state: str
    reason: str = ""


@frozen(kw_only=True)
class _Head:
    format: str
    version: int
    plan: str


@frozen(kw_only=True)
class _Line:
    at: str
    repository: str
    delete: str
    name: str
    state: Literal["begun"] | Status
    reason: str = ""


_Key = tuple[str, str, str]


class Journal:
    """An append-only file of lines of JSON, one for each thing that is begun or settled.

    A line is on disk before the DELETE that it speaks of is sent; many at a time share one write.
    A line that was cut off in its middle, when the machine or the process died, is dropped.

    ``async with Journal(path, plan, resume=False) as journal`` locks, opens and closes it.

    Args:
        path: The file. Beside it a lock file, ``….lock``, keeps other processes away.
        plan: The plan that is carried out.
        resume: Whether the file of an earlier process goes on; without one it begins.

    Raises:
        PlanLockedError: Another process has it.
        JournalError: It is there and is not to be resumed, is another plan's, or is no journal.
        ModuleNotFoundError: The package ``filelock`` is missing.
    """

    def __init__(self, path: Path, plan: Plan, *, resume: bool) -> None:
        self._path = path
        self._plan = plan
        self._resume = resume
        self._file: AppendOnlyFile | None = None
        self._past: dict[_Key, Past] = {}
        self._lock = lock_beside(path)

    async def __aenter__(self) -> Self:
        opening = in_a_thread(self._open)
        try:
            await to_its_end(opening)
        except asyncio.CancelledError:
            if opening.exception() is None:
                self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._opened().flush()
        finally:
            self._close()

    def _opened(self) -> AppendOnlyFile:
        if self._file is None:
            raise JournalError(f"{self._path}: not open: use 'async with Journal(...)'")
        return self._file

    def _close(self) -> None:
        self._opened().close()
        self._lock.release()

    def past(self, repository: str, item: Condemned) -> Past | None:
        """Return what earlier processes wrote of an item; None when that is nothing."""
        return self._past.get((repository, item.delete, item.name))

    def has_begun(self, repository: str, items: Iterable[Condemned]) -> bool:
        """Return whether an earlier process has begun any of some items, so that it may be gone."""
        past = (self.past(repository, item) for item in items)
        return any(one is not None and one.state in _BEGUN for one in past)

    async def begin(
        self, repository: str, item: Condemned, archive: AppendOnlyFile | None = None
    ) -> None:
        """Write that an item is begun; it is on disk when this returns.

        Args:
            repository: The repository's name.
            item: The item.
            archive: The archive's file, of which all that was added is on disk before; None for no
                archive.

        Raises:
            JournalError: It, or the archive, could not be written.
        """
        file = self._opened()
        file.add(_line(repository, item, "begun"))
        await file.flush(before=archive)

    def record(self, repository: str, item: Condemned, state: str, reason: str) -> None:
        """Note what became of an item; it is written with what comes next, or at the end."""
        self._opened().add(_line(repository, item, state, reason))

    def _open(self) -> None:
        busy = "another process is carrying out this plan; wait for its end"
        self._file = open_locked(self._path, self._lock, busy, self._read)

    def _read(self, descriptor: int, file: AppendOnlyFile) -> None:
        """Read what is there, or begin."""
        with os.fdopen(os.dup(descriptor), "rb") as reading:
            text = reading.read()
        whole, newline, _ = text.rpartition(b"\n")
        head = _Head(format=FORMAT, version=VERSION, plan=self._plan.id)
        first = msgspec.json.encode(head) + b"\n"
        if first.startswith(text):
            # Nothing was begun before the first line was whole, nor since.
            os.ftruncate(descriptor, 0)
            file.put([first])
            sync_folder(self._path.parent)
            return
        if not newline:
            raise JournalError(f"{self._path}: not a journal of a clean-up")
        lines = whole.split(b"\n")
        self._check_head(lines[0])
        if not self._resume:
            raise JournalError(
                f"{self._path}: this plan was begun before; resume it (--resume, or resume=True), "
                "or make a new plan"
            )
        for number, line in enumerate(lines[1:], 2):
            try:
                said = msgspec.json.decode(line, type=_Line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise JournalError(f"{self._path}, line {number}: {error}") from None
            key = said.repository, said.delete, said.name
            self._past[key] = Past(said.state, said.reason)
        os.ftruncate(descriptor, len(whole) + 1)

    def _check_head(self, line: bytes) -> None:
        try:
            head = msgspec.json.decode(line, type=_Head)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise JournalError(f"{self._path}: not a journal of a clean-up") from None
        if (head.format, head.version) != (FORMAT, VERSION):
            raise JournalError(f"{self._path}: not a journal that this program reads")
        if head.plan != self._plan.id:
            raise JournalError(
                f"{self._path}: the journal of another plan, or the plan was changed since"
            )


def lock_beside(path: Path) -> Any:
    try:
        from filelock import FileLock  # noqa: PLC0415  (only journals need it)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "a journal needs filelock: pip install 'aioregistry-do[cleanup]'"
        ) from None
    # Whichever thread of the pool takes it, it is this process's.
    return FileLock(f"{path}.lock", timeout=0, thread_local=False)


def _line(repository: str, item: Condemned, state: str, reason: str = "") -> bytes:
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said: dict[str, Any] = {
        "at": at,
        "repository": repository,
        "delete": item.delete,
        "name": item.name,
        "state": state,
    }
    if reason:
        said["reason"] = reason
    return msgspec.json.encode(said) + b"\n"


def open_locked(
    path: Path, lock: Any, busy: str, read: Callable[[int, AppendOnlyFile], None]
) -> AppendOnlyFile:
    """Lock a journal, open it and read it; the lock is free again after an error.

    Args:
        path: The journal.
        lock: Its lock, of `lock_beside`.
        busy: Why it is refused while another process has the lock.
        read: Reads what the open file has, or begins it.

    Raises:
        PlanLockedError: Another process has the lock.
        JournalError: It cannot be locked, opened or read.
    """
    try:
        lock.acquire()
    except TimeoutError:
        raise PlanLockedError(f"{path}: {busy}") from None
    except OSError as error:
        raise JournalError(f"{path}: cannot be locked: {error}") from None
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        file = AppendOnlyFile(path, descriptor, JournalError)
        try:
            read(descriptor, file)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        lock.release()
        raise JournalError(f"{path}: cannot be opened: {error}") from None
    except BaseException:
        lock.release()
        raise
    return file
