"""A job: how far it is, what came of it, and its events."""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, Self

import msgspec

from aioregistry.web.problems import describe
from aioregistry.web.reports import SERVICE_STOPPED, StoredJob, to_json

__all__ = ["Job", "JobOwner", "JobStatus"]

JobStatus = Literal["running", "done", "failed", "cancelled"]

logger: logging.Logger = logging.getLogger("aioregistry.web")

_KEEP_ALIVE_SECONDS = 15.0
_WRITE_SECONDS = 30.0
_SECONDS_BETWEEN_PROGRESS = 1.0


class JobOwner(Protocol):
    """What a job needs of the `Jobs` that it belongs to."""

    @property
    def max_notes(self) -> int | None:
        """How many notes a job keeps in memory; None for all."""

    def report(self, identifier: str, line: bytes) -> None:
        """Have a line of a job's report written."""

    def report_end(self, job: "Job") -> None:
        """Take in that a job has ended."""

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in the event loop."""

    def cancel_elsewhere(self, identifier: str) -> None:
        """Have a job cancelled that runs in another replica."""

    def limit_writing(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """Return a context that ends after some seconds."""


class Job:
    """A job: how far it is, and what came of it.

    Attributes:
        id: Its identifier, which cannot be guessed.
        name: Its name.
        status: ``running``, and then ``done``, ``failed`` or ``cancelled``.
        progress: The newest values that `tell` was given, as JSON values.
        error: Why it failed: the error's class, and for errors of the client what a `Problem` says;
            no text of a foreign exception. For one that was cancelled, that the service stopped.
            None otherwise.
        begun_at: When it was started.
        ended_at: When it ended; None while it runs.
    """

    def __init__(self, name: str, owner: JobOwner) -> None:
        self.id: str = secrets.token_urlsafe(12)
        self.name = name
        self.status: JobStatus = "running"
        self.progress: Mapping[str, Any] = {}
        self.error: str | None = None
        self.begun_at: datetime = datetime.now(UTC)
        self.ended_at: datetime | None = None
        self._owner = owner
        self._notes: deque[bytes] = deque(maxlen=owner.max_notes)
        self._progress_at = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        self._is_elsewhere = False
        self._stopped = False
        self._left = False
        self._version = 0
        self._event: tuple[int, bytes] = (-1, b"")
        self._changed = asyncio.Event()

    @classmethod
    def recalled(cls, stored: StoredJob, owner: JobOwner) -> Self:
        """Return a job as it was stored.

        Args:
            stored: What the store has of it.
            owner: Whom it belongs to.
        """
        job = cls(stored.document["name"], owner)
        job.id = stored.document["id"]
        job.begun_at = datetime.fromisoformat(stored.document["begun_at"])
        job._is_elsewhere = True
        job.take_over(stored)
        return job

    def take_over(self, stored: StoredJob) -> None:
        """Take in how a job of another replica is by now.

        Args:
            stored: What the store has of it.
        """
        document = stored.document
        self.status, self.error = document["status"], document["error"]
        self.progress = document["progress"]
        if document["ended_at"] is not None:
            self.ended_at = datetime.fromisoformat(document["ended_at"])
        self._notes.clear()
        self._notes.extend(stored.notes)
        if stored.event != self._version:
            self._version = stored.event
            self._wake()

    @property
    def is_elsewhere(self) -> bool:
        """Whether it runs, or ran, in another process."""
        return self._is_elsewhere

    @property
    def event_number(self) -> int:
        """The number of the newest event."""
        return self._version

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.name!r} {self.status}>"

    @property
    def noted(self) -> list[dict[str, Any]]:
        """What `note` was given, as JSON values: the last thousand where reports are written."""
        return [msgspec.json.decode(line) for line in self._notes]

    def tell(self, **progress: Any) -> None:
        """Show how far the job is to all who follow it; new values replace the old ones.

        Any thread may call it. After the end of the job it has no effect.

        Args:
            progress: Values that JSON has; of others the text (``str``) is taken, and of numbers
                that are not finite null.

        Raises:
            TypeError: A key is no text.
            ValueError: A value cannot be written as JSON.

        Example:
            >>> async def work(job):
            ...     job.tell(done=3, total=10)
        """
        line = to_json(progress)
        if self.status != "running":
            return
        self.progress = msgspec.json.decode(line)
        now = time.monotonic()
        if now - self._progress_at >= _SECONDS_BETWEEN_PROGRESS:
            self._progress_at = now
            number = self._version + 1
            self._owner.report(self.id, b'{"progress":%s,"event":%d}' % (line, number))
        self._change()

    def note(self, **outcome: Any) -> None:
        """Add a line to the job's report, at once on its way to the disk. Any thread may call it.

        Args:
            outcome: As in `tell`.

        Raises:
            TypeError: A key is no text.
            ValueError: A value cannot be written as JSON.
        """
        line = to_json(outcome)
        self._notes.append(line)
        self._owner.report(self.id, b'{"note":' + line + b"}")

    def cancel(self) -> None:
        """End the job early, also in another replica. Any thread may call it.

        Once is enough: further calls have no effect. What the job did is in its report. Where the
        store of the replicas cannot be reached, that is logged; `Jobs.cancel` raises it.
        """
        if self._is_elsewhere:
            self._owner.cancel_elsewhere(self.id)
            return
        # A second cancellation would interrupt what a job does at its end.
        if not self._cancelled:
            self._cancelled = True
            self._owner.call(self._cancel_task)

    def stop(self) -> None:
        """Cancel the job because the service stops: `Jobs` does this."""
        if not self._cancelled:
            self._stopped = True
            self.cancel()

    @property
    def was_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    @property
    def was_stopped(self) -> bool:
        """Whether it was cancelled because the service stops."""
        return self._stopped

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def wait(self) -> None:
        """Wait until the job has ended, whatever came of it.

        For one of another replica that is until this one stops, if that is sooner.
        """
        while self.status == "running" and not self._left:
            await self._changed.wait()

    def leave(self) -> None:
        """Follow a job of another replica no more: who follows it here comes back elsewhere."""
        self._left = True
        self._wake()

    def document(self) -> dict[str, Any]:
        """Return the job's state as JSON values, without its notes."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "progress": dict(self.progress),
            "error": self.error,
            "begun_at": self.begun_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
        }

    def has_ended_for(self, event_id: int | None) -> bool:
        """Return whether a reader that has seen an event has seen the last one.

        Args:
            event_id: The number of the event, from ``Last-Event-ID``; None for a new reader.
        """
        return self.status != "running" and event_id == self._version

    async def events(
        self, keep_alive: float = _KEEP_ALIVE_SECONDS, *, after: int | None = None
    ) -> AsyncGenerator[bytes]:
        """Yield server-sent events: the job's state each time that it changes, until it has ended.

        Who reads slowly misses states that are out of date, and gets the newest.

        Args:
            keep_alive: Seconds of silence after which a comment is sent, so that no proxy takes the
                connection for dead; 15 by default.
            after: The number of the last event that the reader has seen; None for a new reader.
        """
        seen = -1 if after is None or after > self._version else after
        while True:
            changed = self._changed
            if seen < self._version:
                seen, event = self._encoded_event()
                yield event
            if self._left or (self.status != "running" and seen == self._version):
                return
            if changed.is_set():
                continue
            try:
                # Not wait_for: in Python 3.11 it hides a cancellation that comes with the change.
                async with asyncio.timeout(keep_alive):
                    await changed.wait()
            except TimeoutError:
                yield b": still there\n\n"

    @asynccontextmanager
    async def writing(self, seconds: float = _WRITE_SECONDS) -> AsyncGenerator[None]:
        """Limit the time for which a reader may be waited for; less when the service stops.

        Args:
            seconds: The time; 30 by default.

        Raises:
            TimeoutError: The reader has not read.
        """
        async with self._owner.limit_writing(seconds):
            yield

    def _encoded_event(self) -> tuple[int, bytes]:
        """The newest event, encoded once for all who follow."""
        if self._event[0] != self._version:
            version, status = self._version, self.status
            data = msgspec.json.encode(self.document())
            event = b"id: %d\nevent: %s\ndata: %s\n\n" % (version, status.encode(), data)
            self._event = (version, event)
        return self._event

    def begin(self, work: "Callable[[Job], Awaitable[object]]") -> None:
        """Begin the work, in the event loop: `Jobs` does this."""
        task = asyncio.get_running_loop().create_task(self._run(work), name=f"job {self.id}")
        self._task = task
        if self._cancelled:
            task.cancel()
        # Cancelled before it had begun, it never ran.
        task.add_done_callback(lambda _: self._end_cancelled())

    async def _run(self, work: "Callable[[Job], Awaitable[object]]") -> None:
        try:
            await work(self)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self._end_cancelled()
            else:
                # Something that the job awaits was cancelled, and not the job.
                self._fail(error)
        except Exception as error:  # noqa: BLE001, whatever it is belongs to the job alone
            self._fail(error)
        else:
            self.end("done")

    def _end_cancelled(self) -> None:
        self.end("cancelled", SERVICE_STOPPED if self._stopped else None)

    def _fail(self, error: BaseException) -> None:
        logger.warning("job %s (%s) failed", self.id, self.name, exc_info=error)
        self.end("failed", describe(error))

    def end(self, status: JobStatus, error: str | None = None) -> None:
        """Take in that the job has ended, unless that is known: `Jobs` does this."""
        if self.status != "running":
            return
        self.error = error
        self.ended_at = datetime.now(UTC)
        self.status = status
        self._change()
        self._owner.report_end(self)

    def _change(self) -> None:
        self._version += 1
        self._owner.call(self._wake)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
