"""Long jobs of a service: started by one request, followed by others, ended with the service."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from aioregistry.errors import ClientClosedError
from aioregistry.web.job import Job, JobStatus
from aioregistry.web.replicas import Replicas
from aioregistry.web.reports import JobStore, JobStoreError, ReportFolder, StoredJob

__all__ = ["Job", "JobStatus", "Jobs", "ServiceStoppingError"]

_Work = Callable[[Job], Awaitable[object]]

logger: logging.Logger = logging.getLogger("aioregistry.web")

_WRITE_SECONDS_AT_THE_END = 1.0
_MAX_NOTES = 1000
_STOPPING = "the service is about to stop, and begins no more jobs"
# How long a store may take to show a job that was written to it, and how often it is looked for.
_KEPT_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 0.002
_MAX_PAUSE_SECONDS = 0.1


class ServiceStoppingError(ClientClosedError, RuntimeError):
    """The service is about to stop, and begins no more jobs; as a response it is a 503."""


class Jobs:
    """All jobs of a service. They belong to one event loop, and end with it.

    Args:
        reports: A folder for the jobs' reports, ``ID.jsonl``, which belongs to this process alone:
            a line with the job's state when it begins and when it ends, a line for each note, and
            in between its progress, once a second at most. None (the default) for no reports.
        store: Where jobs are kept instead; None (the default) for the folder. A `SharedJobStore`
            shows each replica the jobs of all.
        max_ended: How many jobs that have ended are remembered; 500 by default.
        max_age: For how many seconds after their end they are remembered; 3600 by default.
        grace: How many seconds `close` waits for jobs that it has cancelled; 2.5 by default.
    """

    def __init__(
        self,
        reports: Path | None = None,
        *,
        store: JobStore | None = None,
        max_ended: int = 500,
        max_age: float = 3600.0,
        grace: float = 2.5,
    ) -> None:
        if reports is not None and store is not None:
            raise ValueError("give a folder for reports or a store, not both")
        self._store = store if reports is None else ReportFolder(reports)
        self._max_ended = max_ended
        self._max_age = max_age
        self._grace = grace
        self._jobs: dict[str, Job] = {}
        # The identifiers of those that have ended, with when: the oldest first.
        self._old: dict[str, float] = {}
        # By job, what ends when the store has it.
        self._kept: dict[str, asyncio.Task[None]] = {}
        self._deadlines: set[asyncio.Timeout] = set()
        self._closed = False
        self._replicas = Replicas.of(self._store)
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        with suppress(RuntimeError):
            self._bind(asyncio.get_running_loop())

    @property
    def max_notes(self) -> int | None:
        """How many notes a job keeps in memory: all where nothing is written."""
        return None if self._store is None else _MAX_NOTES

    def start(self, name: str, work: _Work, *, once: bool = False) -> Job:
        """Start a job, from the service's event loop or from any thread.

        Args:
            name: Its name.
            work: Does it: is called with the `Job` in the event loop, and awaited.
            once: Whether a job of this name that runs is returned instead of a second one; by
                default every call starts a job. Where such a job runs in another replica, the new
                one does no work, and goes and ends as that does.

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
        return self._start(name, work, once=once)

    async def accept(self, name: str, work: _Work, *, once: bool = False) -> Job:
        """Start a job, and return when it is kept where the jobs are: for routes that answer 202.

        Whoever is told of the job finds it then, in other replicas and later processes, too, also
        when this one is killed at once. No work is begun before. It takes one look into the store,
        mostly some milliseconds; without a store it is `start`.

        Args:
            name: Its name.
            work: As for `start`.
            once: As for `start`.

        Raises:
            JobStoreError: The store cannot be reached, or does not keep it: no work was begun.
            ServiceStoppingError: The service is about to stop.
        """
        job = self._start(name, work, once=once, gated=True)
        if self._store is not None:
            await self._wait_until_kept(job)
        return job

    def _start(self, name: str, work: _Work, *, once: bool, gated: bool = False) -> Job:
        if self._closed:
            raise ServiceStoppingError(_STOPPING)
        if self._loop is None:
            try:
                self._bind(asyncio.get_running_loop())
            except RuntimeError:
                raise RuntimeError(
                    "make Jobs() in the event loop to start jobs elsewhere"
                ) from None
        self._drop_old()
        job = Job(name, self)
        with self._starting:
            if once and (running := self._running(name)) is not None:
                return running
            self._jobs[job.id] = job
        self._report_state(job)
        if once and self._replicas is not None:
            work = self._replicas.once(work, self.recall)
        if gated and self._store is not None:
            work = self._when_kept(work)
        self.call(lambda: self._begin(job, work))
        return job

    def _when_kept(self, work: _Work) -> _Work:
        async def begin(job: Job) -> None:
            await self._wait_until_kept(job)
            await work(job)

        return begin

    async def _wait_until_kept(self, job: Job) -> None:
        if job.id not in self._kept:
            looking = asyncio.get_running_loop().create_task(self._until_kept(job.id))
            # Whoever waits for it may have gone.
            looking.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._kept[job.id] = looking
        task = self._kept[job.id]
        # Others wait for the same, whatever becomes of this one.
        await asyncio.wait([task])
        if task.cancelled():
            raise ServiceStoppingError(_STOPPING)
        task.result()

    async def _until_kept(self, identifier: str) -> None:
        clock = asyncio.get_running_loop().time
        end, pause = clock() + _KEPT_SECONDS, _FIRST_PAUSE_SECONDS
        while await self._stored(identifier) is None:
            if clock() > end:
                raise JobStoreError("the store of the jobs does not keep this one")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)

    async def _stored(self, identifier: str) -> StoredJob | None:
        if self._replicas is not None:
            return await self._replicas.read_once(identifier)
        if self._store is None:
            return None
        return await asyncio.to_thread(self._store.read, identifier)

    def get(self, identifier: str) -> Job | None:
        """Return a job; None where there is none, or where it has been dropped since its end."""
        self._drop_old()
        return self._jobs.get(identifier)

    async def recall(self, identifier: str) -> Job | None:
        """Return a job, also one that was dropped, or that an earlier process started.

        Such a job is read from its report, in a thread. One that ran when its process was killed
        has failed. Where replicas have a store in common, a job that one of them has just begun is
        found as well, so it takes 3 seconds to tell that there is none, and 12 by a slow store.

        Args:
            identifier: Its identifier, which may be any text.

        Returns:
            The job; None where there is none, and no report of one.
        """
        job = self.get(identifier)
        if job is not None or self._store is None:
            return job
        if self._replicas is not None:
            stored = await self._replicas.read(identifier)
        else:
            stored = await self._stored(identifier)
        # Another request may have found it meanwhile.
        return None if stored is None else self.get(identifier) or self._recalled(stored)

    async def cancel(self, job: Job) -> None:
        """End a job early, wherever it runs; it returns once that replica is to be told.

        Args:
            job: The job.

        Raises:
            JobStoreError: It runs in another replica, and the store cannot be reached.
        """
        if job.is_elsewhere and self._replicas is not None:
            await self._replicas.cancel(job.id)
        else:
            job.cancel()

    def _recalled(self, stored: StoredJob) -> Job:
        job = Job.recalled(stored, self)
        if self._replicas is not None and job.status == "running":
            self._jobs[job.id] = job
            self._replicas.follow(job, self._forget)
        return job

    def _forget(self, job: Job) -> None:
        self._old[job.id] = self._now()
        self._drop_old()

    def _running(self, name: str) -> Job | None:
        for job in self._jobs.values():
            # How one of another replica is by now, the store tells.
            if job.name == name and job.status == "running" and not job.is_elsewhere:
                return job
        return None

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
            if job.is_elsewhere:
                job.leave()
        running = [job for job in running if not job.is_elsewhere]
        for job in running:
            job.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace):
                for job in running:
                    await job.wait()
        for job in running:
            if job.status == "running":
                logger.warning("job %s (%s) ignores its cancellation", job.id, job.name)
                job.end("failed", "the job did not end when it was cancelled")
        now = asyncio.get_running_loop().time()
        for deadline in self._deadlines:
            deadline.reschedule(min(deadline.when() or now, now + _WRITE_SECONDS_AT_THE_END))
        if self._replicas is not None:
            await self._replicas.close()
        if self._store is not None:
            await asyncio.to_thread(self._store.close)

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._thread = loop, threading.get_ident()

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in the event loop: now, when this is its thread."""
        if self._loop is None or threading.get_ident() == self._thread:
            function()
            return
        # Closed: nobody follows any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)

    def _begin(self, job: Job, work: _Work) -> None:
        if self._closed:
            # Started by a thread while the service began to stop.
            job.end("cancelled")
        else:
            job.begin(work)
            if self._replicas is not None:
                self._replicas.keep_alive(self._jobs.values(), self._report_state)

    def cancel_elsewhere(self, identifier: str) -> None:
        """Have a job cancelled that runs in another replica."""
        replicas = self._replicas
        if replicas is not None:
            self.call(lambda: replicas.cancel_soon(identifier))

    def report_end(self, job: Job) -> None:
        """Take in that a job has ended."""
        if not job.is_elsewhere:
            self._report_state(job, last=True)
        self._old[job.id] = self._now()
        looking = self._kept.pop(job.id, None)
        if looking is not None and self._closed:
            looking.cancel()
        self._drop_old()

    def report(self, identifier: str, line: bytes) -> None:
        """Have a line of a job's report written."""
        if self._store is not None:
            self._store.write(identifier, line)

    def _report_state(self, job: Job, *, last: bool = False) -> None:
        if self._store is not None:
            document = msgspec.json.encode(job.document())
            line = b'{"job":%s,"event":%d}' % (document, job.event_number)
            self._store.write(job.id, line, last=last)

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
    async def limit_writing(self, seconds: float) -> AsyncGenerator[None]:
        """Limit a wait for a reader: less when the service stops."""
        if self._closed:
            seconds = min(seconds, _WRITE_SECONDS_AT_THE_END)
        async with asyncio.timeout(seconds) as deadline:
            self._deadlines.add(deadline)
            try:
                yield
            finally:
                self._deadlines.discard(deadline)
