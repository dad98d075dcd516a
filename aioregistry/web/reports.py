"""Reports of jobs: files to which a thread appends lines as they come."""

import logging
import os
import re
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import msgspec
from attrs import frozen

__all__ = ["JobStore", "ReportFolder", "StoredJob", "to_json"]

logger: logging.Logger = logging.getLogger("aioregistry.web")

_MAX_NOTES = 1000
_LINES_AT_ONCE = 500
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


@frozen
class StoredJob:
    """What a store has of a job.

    Attributes:
        document: Its state, as `Job.document` returns it.
        notes: Its notes, each as JSON.
        event: The number of its newest event.
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
                when it ends, ``{"note": …}`` and ``{"progress": …}`` in between.
            last: Whether the job has ended with it; by default it has not.
        """

    def read(self, job: str) -> StoredJob | None:
        """Return what is kept of a job; None for nothing. It may block.

        Args:
            job: The job's identifier, which may be any text.
        """

    def close(self) -> None:
        """Return when everything is kept. It may block."""


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(line)
    except msgspec.DecodeError:
        # The last line of a process that was killed.
        return {}
    return found if isinstance(found, dict) else {}


class ReportFolder:
    """A folder with one file for each job, ``ID.jsonl``, of lines of JSON.

    Lines are written by a thread of their own, in order and soon after they come: the event loop
    waits for no disk, and what was written is there after ``kill -9``. A report that is complete is
    also synced to the disk, when there is nothing to write. A file that cannot be written is logged
    once, and harms no job.

    Args:
        path: The folder; it is made when the first line comes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aioregistry-reports")
        self._lock = Lock()
        self._lines: dict[str, list[bytes]] = {}
        self._complete: set[str] = set()
        self._unsynced: set[str] = set()
        self._unwritable: set[str] = set()

    def write(self, job: str, line: bytes, *, last: bool = False) -> None:
        """Have a line written; any thread may call this.

        Args:
            job: The job's identifier.
            line: JSON without a line break.
            last: Whether the report is complete with it.
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

    def read(self, job: str) -> StoredJob | None:
        """Return what the report of a job says; it blocks.

        A job that ran when its process ended has failed.

        Args:
            job: The job's identifier, which may be any text.
        """
        if re.fullmatch(r"[\w-]+", job, re.ASCII) is None:
            return None
        document: dict[str, Any] | None = None
        event = 0
        notes: deque[bytes] = deque(maxlen=_MAX_NOTES)
        try:
            with (self._path / f"{job}.jsonl").open("rb") as file:
                for line in file:
                    found = _parsed(line)
                    if isinstance(found.get("job"), dict):
                        document = {**_EMPTY, **found["job"]}
                        event = int(found.get("event", 0))
                    elif "note" in found:
                        notes.append(msgspec.json.encode(found["note"]))
                    elif document is not None and "progress" in found:
                        document["progress"] = found["progress"]
        except OSError:
            return None
        if document is None or document["id"] != job:
            return None
        if document["status"] == "running":
            document |= {"status": "failed", "error": "the service ended before the job did"}
            # Whatever its followers have seen, they have not seen this.
            event = _AFTER_ALL_OTHERS
        return StoredJob(document, tuple(notes), event)

    def close(self) -> None:
        """Return when every line is written; it blocks."""
        self._thread.shutdown(wait=True)

    def _flush(self) -> None:
        with self._lock:
            batches, self._lines = self._lines, {}
            complete, self._complete = self._complete, set()
        for job, lines in batches.items():
            self._try(job, partial(self._append, job, lines))
        self._unsynced |= complete - self._unwritable
        self._unwritable -= complete
        # To sync takes longer than to write: lines that have come meanwhile go first.
        while self._unsynced and not self._lines:
            job = self._unsynced.pop()
            self._try(job, partial(self._sync, job))

    def _try(self, job: str, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            if job not in self._unwritable:
                self._unwritable.add(job)
                logger.warning("the report of job %s cannot be written: %s", job, error)

    def _append(self, job: str, lines: list[bytes]) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        with (self._path / f"{job}.jsonl").open("ab") as file:
            # In parts: while one is made, the event loop stands still.
            for begin in range(0, len(lines), _LINES_AT_ONCE):
                file.write(b"\n".join(lines[begin : begin + _LINES_AT_ONCE]) + b"\n")

    def _sync(self, job: str) -> None:
        with (self._path / f"{job}.jsonl").open("rb") as file:
            os.fsync(file.fileno())
