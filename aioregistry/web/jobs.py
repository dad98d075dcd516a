"""Long jobs of a service: started by one request, followed by others, ended with the service."""

import asyncio
import logging
import secrets
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from aioregistry.errors import ClientClosedError
from aioregistry.web.problems import describe
from aioregistry.web.reports import ReportFolder, to_json

__all__ = ["Job", "JobStatus", "Jobs", "ServiceStoppingError"]

JobStatus = Literal["running", "done", "failed", "cancelled"]

logger = logging.getLogger("aioregistry.web")

_KEEP_ALIVE_SECONDS = 15.0
_WRITE_SECONDS = 30.0
_WRITE_SECONDS_AT_THE_END = 1.0


class ServiceStoppingError(ClientClosedError, RuntimeError):
    """The service is about to stop, and begins no more jobs; as a response it is a 503."""


class Job:
    """A job: how far it is, and what came of it.

    Attributes:
        id: Its identifier, which cannot be guessed.
        name: Its name.
        status: ``running``, and then ``done``, ``failed`` or ``cancelled``.
        progress: The newest values that `tell` was given, as JSON values.
        error: Why it failed: the error's class, and for errors of the client what a `Problem` says;
            no text of a foreign exception. None unless it failed.
        begun_at: When it was started.
        ended_at: When it ended; None while it runs.
    """

    def __init__(self, name: str, jobs: "Jobs") -> None:
        self.id = secrets.token_urlsafe(12)
        self.name = name
        self.status: JobStatus = "running"
        self.progress: Mapping[str, Any] = {}
        self.error: str | None = None
        self.begun_at = datetime.now(UTC)
        self.ended_at: datetime | None = None
        self._jobs = jobs
        self._notes: list[bytes] = []
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        self._version = 0
        self._event: tuple[int, bytes] = (-1, b"")
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.name!r} {self.status}>"

    @property
    def noted(self) -> list[dict[str, Any]]:
        """Everything that `note` was given, as JSON values."""
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
        shown = msgspec.json.decode(to_json(progress))
        if self.status == "running":
            self.progress = shown
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
        self._jobs._report(self.id, b'{"note":' + line + b"}")  # noqa: SLF001

    def cancel(self) -> None:
        """End the job early. Any thread may call it; what the job did is in its report."""
        self._cancelled = True
        self._jobs._call(self._cancel_task)  # noqa: SLF001

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def wait(self) -> None:
        """Wait until the job has ended, whatever came of it."""
        while self.status == "running":
            await self._changed.wait()

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
                connection for dead; 15 unless given.
            after: The number of the last event that the reader has seen; None for a new reader.
        """
        seen = -1 if after is None or after > self._version else after
        while True:
            changed = self._changed
            if seen < self._version:
                seen, event = self._encoded_event()
                yield event
            if self.status != "running" and seen == self._version:
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
            seconds: The time; 30 unless given.

        Raises:
            TimeoutError: The reader has not read.
        """
        async with self._jobs._writing(seconds):  # noqa: SLF001
            yield

    def _encoded_event(self) -> tuple[int, bytes]:
        """The newest event, encoded once for all who follow."""
        if self._event[0] != self._version:
            version, status = self._version, self.status
            data = msgspec.json.encode(self.document())
            event = b"id: %d\nevent: %s\ndata: %s\n\n" % (version, status.encode(), data)
            self._event = (version, event)
        return self._event

    def _begin(self, work: "Callable[[Job], Awaitable[object]]") -> None:
        task = asyncio.get_running_loop().create_task(self._run(work), name=f"job {self.id}")
        self._task = task
        if self._cancelled:
            task.cancel()
        # Cancelled before it had begun, it never ran.
        task.add_done_callback(lambda _: self._end("cancelled"))

    async def _run(self, work: "Callable[[Job], Awaitable[object]]") -> None:
        try:
            await work(self)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self._end("cancelled")
            else:
                # Something that the job awaits was cancelled, and not the job.
                self._fail(error)
        except Exception as error:  # noqa: BLE001, whatever it is belongs to the job alone
            self._fail(error)
        else:
            self._end("done")

    def _fail(self, error: BaseException) -> None:
        logger.warning("job %s (%s) failed", self.id, self.name, exc_info=error)
        self._end("failed", describe(error))

    def _end(self, status: JobStatus, error: str | None = None) -> None:
        if self.status != "running":
            return
        self.error = error
        self.ended_at = datetime.now(UTC)
        self.status = status
        self._change()
        self._jobs._ended(self)  # noqa: SLF001

    def _change(self) -> None:
        self._version += 1
        self._jobs._call(self._wake)  # noqa: SLF001

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Jobs:
    """All jobs of a service. They belong to one event loop, and end with it.

    Args:
        reports: A folder for the jobs' reports, ``ID.jsonl``: a line with the job's state when it
            begins and when it ends, and a line for each note; None (the default) for no reports.
        max_ended: How many jobs that have ended are remembered; 500 unless given.
        max_age: For how many seconds after their end they are remembered; 3600 unless given.
        grace: How many seconds `close` waits for jobs that it has cancelled; 2.5 unless given.
    """

    def __init__(
        self,
        reports: Path | None = None,
        *,
        max_ended: int = 500,
        max_age: float = 3600.0,
        grace: float = 2.5,
    ) -> None:
        self._folder = None if reports is None else ReportFolder(reports)
        self._max_ended = max_ended
        self._max_age = max_age
        self._grace = grace
        self._jobs: dict[str, Job] = {}
        # The identifiers of those that have ended, with when: the oldest first.
        self._old: dict[str, float] = {}
        self._deadlines: set[asyncio.Timeout] = set()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        with suppress(RuntimeError):
            self._bind(asyncio.get_running_loop())

    def start(self, name: str, work: Callable[[Job], Awaitable[object]]) -> Job:
        """Start a job, from the service's event loop or from any thread.

        Args:
            name: Its name.
            work: Does it: is called with the `Job` in the event loop, and awaited.

        Raises:
            ServiceStoppingError: The service is about to stop.
            RuntimeError: It is called from a thread, and no event loop has been seen yet.

        Example:
            >>> async def work(job):
            ...     job.tell(done=1, total=1)
            >>> async def main():
            ...     jobs = Jobs()
            ...     job = jobs.start("count", work)
            ...     await job.wait()
            ...     await jobs.close()
            ...     return job.status
            >>> asyncio.run(main())
            'done'
        """
        if self._closed:
            raise ServiceStoppingError("the service is about to stop, and begins no more jobs")
        if self._loop is None:
            try:
                self._bind(asyncio.get_running_loop())
            except RuntimeError:
                raise RuntimeError(
                    "make Jobs() in the event loop to start jobs elsewhere"
                ) from None
        self._drop_old()
        job = Job(name, self)
        self._jobs[job.id] = job
        self._report_state(job)
        self._call(lambda: self._begin(job, work))
        return job

    def get(self, identifier: str) -> Job | None:
        """Return a job; None where there is none, or where it has been dropped since its end."""
        self._drop_old()
        return self._jobs.get(identifier)

    def __iter__(self) -> Iterator[Job]:
        """Iterate over the jobs that run, and those that have ended and are remembered."""
        self._drop_old()
        return iter(tuple(self._jobs.values()))

    async def close(self) -> None:
        """Cancel all jobs, and return when they have ended and their reports are written.

        A job that goes on for longer than the grace after its cancellation is given up, as failed:
        nothing can end it. Readers that do not read are dropped after a second.
        """
        self._closed = True
        running = [job for job in self if job.status == "running"]
        for job in running:
            # A second cancellation would interrupt what a job does at its end.
            if not job._cancelled:  # noqa: SLF001
                job.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace):
                for job in running:
                    await job.wait()
        for job in running:
            if job.status == "running":
                logger.warning("job %s (%s) ignores its cancellation", job.id, job.name)
                job._end("failed", "the job did not end when it was cancelled")  # noqa: SLF001
        now = asyncio.get_running_loop().time()
        for deadline in self._deadlines:
            deadline.reschedule(min(deadline.when() or now, now + _WRITE_SECONDS_AT_THE_END))
        if self._folder is not None:
            await asyncio.to_thread(self._folder.close)

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._thread = loop, threading.get_ident()

    def _call(self, function: Callable[[], object]) -> None:
        """Call a function in the event loop: now, when this is its thread."""
        if self._loop is None or threading.get_ident() == self._thread:
            function()
            return
        # Closed: nobody follows any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)

    def _begin(self, job: Job, work: Callable[[Job], Awaitable[object]]) -> None:
        if self._closed:
            # Started by a thread while the service began to stop.
            job._end("cancelled")  # noqa: SLF001
        else:
            job._begin(work)  # noqa: SLF001

    def _ended(self, job: Job) -> None:
        self._report_state(job, last=True)
        self._old[job.id] = self._now()
        self._drop_old()

    def _report(self, identifier: str, line: bytes) -> None:
        if self._folder is not None:
            self._folder.write(identifier, line)

    def _report_state(self, job: Job, *, last: bool = False) -> None:
        if self._folder is not None:
            line = b'{"job":' + msgspec.json.encode(job.document()) + b"}"
            self._folder.write(job.id, line, last=last)

    def _drop_old(self) -> None:
        horizon = self._now() - self._max_age
        for identifier, ended in tuple(self._old.items()):
            if len(self._old) <= self._max_ended and ended > horizon:
                return
            self._old.pop(identifier, None)
            self._jobs.pop(identifier, None)

    def _now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

    @asynccontextmanager
    async def _writing(self, seconds: float) -> AsyncGenerator[None]:
        if self._closed:
            seconds = min(seconds, _WRITE_SECONDS_AT_THE_END)
        async with asyncio.timeout(seconds) as deadline:
            self._deadlines.add(deadline)
            try:
                yield
            finally:
                self._deadlines.discard(deadline)
