"""The journal of a clean-up: what was begun and what became of it, on disk before it is done."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
from attrs import frozen

from aioregistry.cleanup.apply.report import CleanupReport, Status
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.errors import RegistryError

__all__ = ["Journal", "JournalError", "Past", "PlanLockedError"]

FORMAT = "aioregistry cleanup journal"
VERSION = 1


class JournalError(RegistryError):
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
        self._file = -1
        self._lines: list[bytes] = []
        self._counted = self._written = 0
        self._write_lock = asyncio.Lock()
        self._past: dict[_Key, Past] = {}
        self._lock = lock_beside(path)

    async def __aenter__(self) -> Self:
        opening = _in_a_thread(self._open)
        try:
            await _to_its_end(opening)
        except asyncio.CancelledError:
            if opening.exception() is None:
                self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        lines, self._lines = self._lines, []
        try:
            if lines:
                await self._write(lines)
        finally:
            self._close()

    async def _write(self, lines: list[bytes]) -> None:
        # A file is not closed, nor written further, under the hands of a thread.
        writing = _in_a_thread(self._put, lines)
        try:
            await _to_its_end(writing)
        finally:
            if writing.done() and writing.exception() is not None:
                # Others may wait for some of them to be on disk.
                self._lines[:0] = lines

    def _close(self) -> None:
        os.close(self._file)
        self._lock.release()

    def past(self, repository: str, item: Condemned) -> Past | None:
        """Return what earlier processes wrote of an item; None when that is nothing."""
        return self._past.get((repository, item.delete, item.name))

    async def begin(self, repository: str, item: Condemned) -> None:
        """Write that an item is begun; it is on disk when this returns.

        Raises:
            JournalError: It could not be written.
        """
        self._lines.append(_line(repository, item, "begun"))
        self._counted += 1
        mine = self._counted
        async with self._write_lock:
            if self._written < mine:
                lines, self._lines = self._lines, []
                last = self._counted
                await self._write(lines)
                self._written = last

    def record(self, repository: str, item: Condemned, state: str, reason: str) -> None:
        """Note what became of an item; it is written with what comes next, or at the end."""
        self._lines.append(_line(repository, item, state, reason))

    def _open(self) -> None:
        try:
            self._lock.acquire()
        except TimeoutError:
            raise PlanLockedError(
                f"{self._path}: another process is carrying out this plan; wait for its end"
            ) from None
        except OSError as error:
            raise JournalError(f"{self._path}: cannot be locked: {error}") from None
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                self._read()
            except BaseException:
                os.close(self._file)
                raise
        except OSError as error:
            self._lock.release()
            raise JournalError(f"{self._path}: cannot be opened: {error}") from None
        except BaseException:
            self._lock.release()
            raise

    def _read(self) -> None:
        """Read what is there, or begin."""
        with os.fdopen(os.dup(self._file), "rb") as file:
            text = file.read()
        whole, newline, _ = text.rpartition(b"\n")
        head = _Head(format=FORMAT, version=VERSION, plan=self._plan.id)
        first = msgspec.json.encode(head) + b"\n"
        if first.startswith(text):
            # Nothing was begun before the first line was whole, nor since.
            os.ftruncate(self._file, 0)
            self._put([first])
            _sync_folder(self._path)
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
        os.ftruncate(self._file, len(whole) + 1)

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

    def _put(self, lines: list[bytes]) -> None:
        text = b"".join(lines)
        size = os.fstat(self._file).st_size
        try:
            while text:
                text = text[os.write(self._file, text) :]
            os.fsync(self._file)
        except OSError as error:
            # What comes next must not go on in the middle of a line.
            with suppress(OSError):
                os.ftruncate(self._file, size)
            raise JournalError(f"{self._path}: cannot be written: {error}") from None


async def _to_its_end(work: "asyncio.Future[None]") -> None:
    """Wait for what a thread does, even when cancelled: a file is not closed under its hands."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    work.result()


def _in_a_thread(do: Callable[..., None], *arguments: Any) -> "asyncio.Future[None]":
    # No task: whoever cancels all tasks, as `asyncio.run` does at its end, stops no thread.
    return asyncio.get_running_loop().run_in_executor(None, do, *arguments)


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


def _sync_folder(path: Path) -> None:
    """Have the file's name on disk, too, where folders can be synced."""
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
