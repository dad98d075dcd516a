"""Reports of jobs: files to which a thread appends lines as they come."""

import logging
import os
import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, runtime_checkable

import msgspec
from attrs import frozen

from aioregistry.errors import RegistryError

__all__ = [
    "MAX_NOTES",
    "SERVICE_ENDED",
    "SERVICE_STOPPED",
    "JobStore",
    "JobStoreError",
    "JobStoreRefusedError",
    "LineWriter",
    "ReportFolder",
    "SharedJobStore",
    "StoredJob",
    "ended",
    "is_identifier",
    "stored_of",
    "to_json",
]

logger: logging.Logger = logging.getLogger("aioregistry.web")

MAX_NOTES = 1000
_LINES_AT_ONCE = 500
# Why a job ended with its process. It may be done by another one.
SERVICE_ENDED = "the service ended before the job did"
SERVICE_STOPPED = "the service stopped"
_AFTER_ALL_OTHERS = 10**15
_EMPTY: Mapping[str, Any] = {
    "id": "",
    "name": "",
    "status": "running",
    "progress": {},
    "error": None,
    "begun_at": "1970-01-01T00:00:00+00:00",
    "ended_at": None,
}
_ENCODER = msgspec.json.Encoder(enc_hook=str)


def to_json(values: Mapping[str, Any]) -> bytes:
    """Return values as a line of JSON; of what JSON does not have, the text.

    Raises:
        TypeError: A key is no text.
        ValueError: A value has no form in JSON: it contains itself, or half a surrogate pair.
    """
    try:
        return _ENCODER.encode(values)
    except (RecursionError, UnicodeError, OverflowError) as error:
        raise ValueError(f"no JSON: {type(error).__name__}") from error


class JobStoreError(RegistryError):
    """The store of the jobs cannot be reached; as a response it is a 503."""


class JobStoreRefusedError(JobStoreError):
    """The store of the jobs refuses, and to try again cannot help: a password, a right, a name.

    As a response it is a 502.
    """


@frozen
class StoredJob:
    """What a store has of a job.

    Attributes:
        document: Its state, as `Job.document` returns it.
        notes: Its notes, each as JSON.
        event: The number of its newest event that is known here.
    """

    document: dict[str, Any]
    notes: tuple[bytes, ...]
    event: int


class JobStore(Protocol):
    """Where jobs are kept beyond the memory of a process: `ReportFolder`, or one of your own."""

    def write(self, job: str, line: bytes, *, last: bool = False) -> None:
        """Keep a line of a job; any thread may call this, and it must not block.

        Args:
            job: The job's identifier.
            line: JSON without a line break: ``{"job": …, "event": N}`` when the job begins and
                when it ends, ``{"note": …}`` and ``{"progress": …, "event": N}`` in between.
            last: Whether the job has ended with it; by default it has not.
        """

    def read(self, job: str) -> StoredJob | None:
        """Return what is kept of a job; None for nothing. It may block.

        Args:
            job: The job's identifier, which may be any text.

        Raises:
            JobStoreError: The store cannot be reached.
        """

    def close(self) -> None:
        """Return when everything is kept. It may block."""


@runtime_checkable
class SharedJobStore(JobStore, Protocol):
    """A store that the replicas of a service have in common: `RedisJobStore`, or one of your own.

    Of a job that runs in another replica, `read` returns the state ``running`` for as long as that
    replica keeps it alive.
    """

    async def claim(self, name: str, job: str) -> str:
        """Return the job that has a name: this one, unless another one that is alive has it.

        It may be an empty text: for now nobody can tell.

        Args:
            name: The job's name.
            job: Its identifier.

        Raises:
            JobStoreError: The store cannot be reached.
        """

    async def keep_alive(self, jobs: Mapping[str, str]) -> Collection[str]:
        """Keep jobs of this replica alive, for `alive_seconds`, and return those to be cancelled.

        Args:
            jobs: The names of the jobs that run here, by identifier.
        """

    async def cancel(self, job: str) -> None:
        """Have the replica in which a job runs cancel it.

        Args:
            job: The job's identifier.
        """

    @property
    def alive_seconds(self) -> float:
        """For how many seconds a job is taken for alive after `keep_alive`."""


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(line)
    except msgspec.DecodeError:
        # The last line of a process that was killed.
        return {}
    return found if isinstance(found, dict) else {}


class LineWriter(ABC):
    """Writes lines of jobs, in a thread of its own, in order and soon after they come."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aioregistry-reports")
        self._lock = Lock()
        self._lines: dict[str, list[bytes]] = {}
        self._complete: set[str] = set()
        self._unwritable: set[str] = set()

    def write(self, job: str, line: bytes, *, last: bool = False) -> None:
        """Have a line written; any thread may call this.

        Args:
            job: The job's identifier.
            line: JSON without a line break.
            last: Whether the report is complete with it; by default it is not.
        """
        with self._lock:
            idle = not self._lines
            self._lines.setdefault(job, []).append(line)
            if last:
                self._complete.add(job)
        if idle:
            try:
                self._thread.submit(self._flush)
            except RuntimeError:
                # Closed: this comes from a job that went on after its end.
                self._flush()

    def close(self) -> None:
        """Return when every line is written; it blocks."""
        self._thread.shutdown(wait=True)

    @abstractmethod
    def append(self, job: str, lines: list[bytes], *, last: bool) -> None:
        """Write lines of a job; it blocks.

        Raises:
            OSError: They cannot be written.
        """

    def rest(self, complete: Collection[str]) -> None:  # noqa: B027, there may be nothing
        """Do what is left to do when all lines are written; it blocks.

        Args:
            complete: The jobs whose reports are now complete.
        """

    def has_more(self) -> bool:
        """Whether lines have come meanwhile."""
        return bool(self._lines)

    def _could_not_write(self, job: str) -> bool:
        """Whether lines of a job could not be written before."""
        return job in self._unwritable

    def attempt(self, job: str, action: Callable[[], None]) -> None:
        """Do something for a job; that it cannot be done is logged once."""
        try:
            action()
        except OSError as error:
            if job not in self._unwritable:
                self._unwritable.add(job)
                logger.warning("the report of job %s cannot be written: %s", job, error)

    def _flush(self) -> None:
        with self._lock:
            batches, self._lines = self._lines, {}
            complete, self._complete = self._complete, set()
        for job, lines in batches.items():
            self.attempt(job, partial(self.append, job, lines, last=job in complete))
        written = complete - self._unwritable
        self._unwritable -= complete
        self.rest(written)


class ReportFolder(LineWriter):
    """A folder with one file for each job, ``ID.jsonl``, of lines of JSON.

    The event loop waits for no disk, and what was written is there after ``kill -9``. A report that
    is complete is also synced to the disk, when there is nothing to write. A file that cannot be
    written is logged once, and harms no job.

    Args:
        path: The folder; it is made when the first line comes.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._unsynced: set[str] = set()

    def read(self, job: str) -> StoredJob | None:
        """Return what the report of a job says; it blocks.

        A job that ran when its process ended has failed.

        Args:
            job: The job's identifier, which may be any text.
        """
        if not is_identifier(job):
            return None
        try:
            with (self._path / f"{job}.jsonl").open("rb") as file:
                stored = stored_of(file)
        except OSError:
            return None
        return None if stored is None or stored.document["id"] != job else ended(stored)

    def append(self, job: str, lines: list[bytes], *, last: bool) -> None:  # noqa: ARG002
        """Write lines of a job to its file; it blocks."""
        self._path.mkdir(parents=True, exist_ok=True)
        with (self._path / f"{job}.jsonl").open("ab") as file:
            if self._could_not_write(job):
                # Half a line may be the last: the disk was full.
                file.write(b"\n")
            # In parts: while one is made, the event loop stands still.
            for begin in range(0, len(lines), _LINES_AT_ONCE):
                file.write(b"\n".join(lines[begin : begin + _LINES_AT_ONCE]) + b"\n")

    def rest(self, complete: Collection[str]) -> None:
        """Sync what is complete. That takes longer than to write: lines that come go first."""
        self._unsynced.update(complete)
        while self._unsynced and not self.has_more():
            job = self._unsynced.pop()
            self.attempt(job, partial(self._sync, job))

    def _sync(self, job: str) -> None:
        with (self._path / f"{job}.jsonl").open("rb") as file:
            os.fsync(file.fileno())


def is_identifier(job: str) -> bool:
    """Return whether a text may be the identifier of a job, and so a part of a path or a key."""
    return re.fullmatch(r"[\w-]{1,100}", job, re.ASCII) is not None


def stored_of(lines: Iterable[bytes]) -> StoredJob | None:
    """Return what the lines of a job say; None without its state."""
    document: dict[str, Any] | None = None
    event = 0
    notes: deque[bytes] = deque(maxlen=MAX_NOTES)
    for line in lines:
        found = _parsed(line)
        if isinstance(found.get("job"), dict):
            document = {**_EMPTY, **found["job"]}
            event = int(found.get("event", 0))
        elif "note" in found:
            notes.append(msgspec.json.encode(found["note"]))
        elif document is not None and "progress" in found:
            document["progress"] = found["progress"]
            event = int(found.get("event", event))
    return None if document is None else StoredJob(document, tuple(notes), event)


def ended(stored: StoredJob) -> StoredJob:
    """Return a job as it is now that its process has ended: one that ran has failed."""
    if stored.document["status"] != "running":
        return stored
    document = stored.document | {
        "status": "failed",
        "error": SERVICE_ENDED,
    }
    # Whatever its followers have seen, they have not seen this.
    return StoredJob(document, stored.notes, _AFTER_ALL_OTHERS)
