"""Long jobs of a service: started by one request, followed by others, ended with the service."""

import asyncio
import json
import logging
import os
import secrets
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

__all__ = ["Job", "JobStatus", "Jobs"]

JobStatus = Literal["running", "done", "failed", "cancelled"]

logger = logging.getLogger("aioregistry.web")

_KEPT = 100
_KEEP_ALIVE = 15.0


class Job:
    """A job: what it is at, and what came of it.

    Attributes:
        id: Its identifier, which cannot be guessed.
        name: What it is called.
        status: ``running``, and then ``done``, ``failed`` or ``cancelled``.
        progress: What `tell` was given last.
        noted: What `note` was given, all of it.
        error: Why it failed, in words.
    """

    def __init__(self, name: str) -> None:
        self.id = secrets.token_urlsafe(12)
        self.name = name
        self.status: JobStatus = "running"
        self.progress: Mapping[str, Any] = {}
        self.noted: list[Mapping[str, Any]] = []
        self.error: str | None = None
        self.begun_at = datetime.now(UTC)
        self.ended_at: datetime | None = None
        self._task: asyncio.Task[None] | None = None
        self._version = 0
        self._changed = asyncio.Event()

    def tell(self, **progress: Any) -> None:
        """Show how far the job is to all who follow it; the newest is what counts."""
        self.progress = progress
        self._change()

    def note(self, **outcome: Any) -> None:
        """Add something to the job's report."""
        self.noted.append(outcome)

    def cancel(self) -> None:
        """End it early; what it did is in its report."""
        if self._task is not None:
            self._task.cancel()

    async def wait(self) -> None:
        """Wait until it has ended, whatever came of it."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def document(self) -> dict[str, Any]:
        """Return what is known of it, as JSON says it."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "progress": dict(self.progress),
            "error": self.error,
            "begun_at": self.begun_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
        }

    async def events(self, keep_alive: float = _KEEP_ALIVE) -> AsyncGenerator[bytes]:
        """Yield server-sent events: how it is, each time that this changes, until it has ended.

        Who reads slowly misses what is out of date, and is told the newest.

        Args:
            keep_alive: Seconds of silence after which a comment is sent, so that nobody between
                takes the connection for dead.
        """
        seen = -1
        while True:
            changed = self._changed
            if seen != self._version:
                seen = self._version
                document = json.dumps(self.document())
                yield f"id: {seen}\nevent: {self.status}\ndata: {document}\n\n".encode()
                if self.status != "running":
                    return
                continue
            try:
                # Not wait_for: in Python 3.11 it hides a cancellation that comes with the change.
                async with asyncio.timeout(keep_alive):
                    await changed.wait()
            except TimeoutError:
                yield b": still there\n\n"

    def _start(self, work: "Callable[[Job], Awaitable[object]]") -> "asyncio.Task[None]":
        self._task = asyncio.get_running_loop().create_task(self._run(work), name=f"job {self.id}")
        return self._task

    async def _run(self, work: "Callable[[Job], Awaitable[object]]") -> None:
        try:
            await work(self)
        except asyncio.CancelledError:
            self._end("cancelled")
        except Exception as error:
            logger.warning("job %s (%s) failed", self.id, self.name, exc_info=error)
            self.error = f"{type(error).__name__}: {error}"
            self._end("failed")
        else:
            self._end("done")

    def _end(self, status: JobStatus) -> None:
        self.status = status
        self.ended_at = datetime.now(UTC)
        self._change()

    def _change(self) -> None:
        self._version += 1
        self._changed.set()
        self._changed = asyncio.Event()


class Jobs:
    """All jobs of a service. They belong to its event loop, and end with it.

    Args:
        reports: A folder in which each job's report is written when it ends, as ``ID.json``; None
            for nowhere.
    """

    def __init__(self, reports: Path | None = None) -> None:
        self._reports = reports
        self._jobs: dict[str, Job] = {}
        self._closed = False

    def start(self, name: str, work: Callable[[Job], Awaitable[object]]) -> Job:
        """Start a job.

        Args:
            name: What it is called.
            work: Does it; is given the `Job`, and tells it how far it is.

        Raises:
            RuntimeError: The service is about to stop.
        """
        if self._closed:
            raise RuntimeError("the service is about to stop, and begins no more jobs")
        job = Job(name)
        self._jobs[job.id] = job
        job._start(work).add_done_callback(lambda _: self._ended(job))  # noqa: SLF001
        return job

    def get(self, identifier: str) -> Job | None:
        """Return a job; None where there is none, or it ended long ago."""
        return self._jobs.get(identifier)

    def __iter__(self) -> Any:
        """Iterate over the jobs that run, and the last that ended."""
        return iter(tuple(self._jobs.values()))

    async def close(self) -> None:
        """Cancel all that runs, and return when each report is written."""
        self._closed = True
        running = [job for job in self if job.status == "running"]
        for job in running:
            job.cancel()
        for job in running:
            await job.wait()
        # The callbacks of the last ones, which write their reports, run after that.
        await asyncio.sleep(0)

    def _ended(self, job: Job) -> None:
        if job.status == "running":
            # Cancelled before it had begun.
            job._end("cancelled")  # noqa: SLF001
        if self._reports is not None:
            try:
                _write(self._reports / f"{job.id}.json", {**job.document(), "noted": job.noted})
            except OSError as error:
                logger.warning("the report of job %s cannot be written: %s", job.id, error)
        ended = [each.id for each in self if each.status != "running"]
        for identifier in ended[:-_KEPT]:
            del self._jobs[identifier]


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
