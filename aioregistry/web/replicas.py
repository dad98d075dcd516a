"""The jobs of other replicas, by a store that all of them have in common."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aioregistry.web.job import Job
from aioregistry.web.reports import (
    SERVICE_ENDED,
    SERVICE_STOPPED,
    JobStore,
    JobStoreError,
    SharedJobStore,
    StoredJob,
    is_identifier,
)

__all__ = ["Replicas"]

logger: logging.Logger = logging.getLogger("aioregistry.web")

_LOOK_SECONDS = 0.5
# How long the first line of a job may take from its replica to the store.
_FIRST_LINE_SECONDS = 3.0
_MAX_WAITS = 4
_READ_AT_ONCE = 8
_Work = Callable[[Job], Awaitable[object]]


class Replicas:
    """Keeps this replica's jobs alive, and follows those of others, once for all who follow them.

    Args:
        store: The store that the replicas have in common.
    """

    def __init__(self, store: SharedJobStore) -> None:
        self._store = store
        self._look_seconds = min(_LOOK_SECONDS, store.alive_seconds / 4)
        self._tasks: set[asyncio.Task[None]] = set()
        # Those of other replicas that are to be cancelled.
        self._cancelled: set[str] = set()
        # Those that work here because they have their name.
        self._named: set[Job] = set()
        self._readers = ThreadPoolExecutor(
            _READ_AT_ONCE, thread_name_prefix="aioregistry-job-readers"
        )
        self._keeping: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, store: JobStore | None) -> "Replicas | None":
        """Return what a store makes possible; None where it is this process's alone."""
        return cls(store) if isinstance(store, SharedJobStore) else None

    def keep_alive(self, jobs: Iterable[Job], report: Callable[[Job], None]) -> None:
        """Keep the jobs that run here alive, until none is left.

        Args:
            jobs: All jobs, as they are at any time.
            report: Has the state of a job written.
        """
        if self._keeping is None or self._keeping.done():
            self._keeping = self._start(self._keep_alive(jobs, report))

    async def _keep_alive(self, jobs: Iterable[Job], report: Callable[[Job], None]) -> None:
        clock = asyncio.get_running_loop().time
        kept_at = clock()
        while here := {
            job.id: job for job in jobs if job.status == "running" and not job.is_elsewhere
        }:
            # Again and again: the store may have forgotten it.
            for job in here.values():
                report(job)
            names = {identifier: job.name for identifier, job in here.items()}
            try:
                asked_at = clock()
                for identifier in await self._store.keep_alive(names):
                    if not here[identifier].was_cancelled:
                        here[identifier].cancel()
                if clock() - kept_at > self._store.alive_seconds / 2:
                    await self._stop_replaced()
                kept_at = asked_at
            except Exception as error:  # noqa: BLE001, the server may come back in time
                logger.warning("jobs cannot be kept alive: %s", error)
            await asyncio.sleep(self._look_seconds)

    async def _stop_replaced(self) -> None:
        """Stop those whose name another job has by now, as this replica seemed dead for a while."""
        for job in tuple(self._named):
            holder = await self._store.claim(job.name, job.id)
            if holder not in {"", job.id}:
                logger.warning("job %s is stopped: another replica does its work", job.id)
                job.stop()

    async def read(self, identifier: str) -> StoredJob | None:
        """Return what the store has of a job, also of one that another replica has just begun.

        Who began it may ask here before the store has heard of it, so what is not there is looked
        for a few seconds longer.

        Args:
            identifier: The job's identifier, which may be any text.

        Raises:
            JobStoreError: The store cannot be reached.
        """
        clock = asyncio.get_running_loop().time
        late, pause = clock() + _FIRST_LINE_SECONDS, 0.01
        # However slow the store is, and many may ask it for what there never was.
        latest = clock() + _MAX_WAITS * _FIRST_LINE_SECONDS
        while True:
            asked_at = clock()
            stored = await self.read_once(identifier)
            if clock() - asked_at > _LOOK_SECONDS:
                # The store stood still, and who has begun it could not report it either.
                late = min(clock() + _FIRST_LINE_SECONDS, latest)
            if stored is not None or not is_identifier(identifier) or clock() + pause > late:
                return stored
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._look_seconds)

    async def read_once(self, identifier: str) -> StoredJob | None:
        """Return what the store has of a job now.

        Args:
            identifier: The job's identifier, which may be any text.

        Raises:
            JobStoreError: The store cannot be reached.
        """
        # In threads of its own: where the store stands still, nothing else waits for that.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._store.read, identifier)

    def follow(self, job: Job, on_end: Callable[[Job], None]) -> None:
        """Have a job of another replica show how it is there, until it has ended.

        Args:
            job: The job.
            on_end: Called with it then.
        """
        self._start(self._follow(job, on_end))

    async def _follow(self, job: Job, on_end: Callable[[Job], None]) -> None:
        clock = asyncio.get_running_loop().time
        missed_since: float | None = None
        while job.status == "running":
            await asyncio.sleep(self._look_seconds)
            try:
                stored = await self.read_once(job.id)
                if job.id in self._cancelled:
                    # Again: the store may have forgotten it.
                    await self._store.cancel(job.id)
            except Exception as error:  # noqa: BLE001, the server may come back
                logger.warning("job %s cannot be followed: %s", job.id, error)
                # It may have forgotten the job when it is back, until that is reported again.
                missed_since = None
                continue
            if stored is not None:
                job.take_over(stored)
                missed_since = None
            elif missed_since is None:
                missed_since = clock()
            elif clock() - missed_since > self._store.alive_seconds:
                job.end("failed", SERVICE_ENDED)
        self._cancelled.discard(job.id)
        on_end(job)

    async def cancel(self, identifier: str) -> None:
        """Have the replica in which a job runs cancel it.

        Raises:
            JobStoreError: The store cannot be reached.
        """
        await self._store.cancel(identifier)
        self._cancelled.add(identifier)

    def cancel_soon(self, identifier: str) -> None:
        """Do the same without waiting for it: what goes wrong is logged."""
        self._start(self._try_to_cancel(identifier))

    async def _try_to_cancel(self, identifier: str) -> None:
        try:
            await self.cancel(identifier)
        except Exception as error:  # noqa: BLE001, nobody waits for it
            logger.warning("job %s cannot be cancelled: %s", identifier, error)

    def once(self, work: _Work, recall: Callable[[str], Awaitable[Job | None]]) -> _Work:
        """Return work that is done unless a job of the same name runs anywhere.

        Args:
            work: The work.
            recall: Returns the job of an identifier.
        """

        async def do(job: Job) -> None:
            holder = await self._store.claim(job.name, job.id)
            try:
                while holder != job.id:
                    holder = await self._wait_for(holder, job, recall)
                    if job.status != "running":
                        return
            except asyncio.CancelledError:
                if job.was_cancelled and not job.was_stopped:
                    # Who cancels it means the work, whichever job does that.
                    await self._end(holder)
                raise
            self._named.add(job)
            try:
                await work(job)
            finally:
                self._named.discard(job)

        return do

    async def _wait_for(
        self, holder: str, job: Job, recall: Callable[[str], Awaitable[Job | None]]
    ) -> str:
        """Have a job go and end as the one that has its name, or return who has it then."""
        try:
            other = await recall(holder) if holder else None
            # One that ended before has yet to give the name back.
            is_newer = other is not None and not _ended_before(other, job)
            if other is not None and is_newer and await _mirrored(other, job):
                return holder
            await asyncio.sleep(self._look_seconds)
            return await self._store.claim(job.name, job.id)
        except JobStoreError as error:
            logger.warning("job %s waits for one of its name: %s", job.id, error)
            await asyncio.sleep(self._look_seconds)
            return holder

    async def _end(self, identifier: str) -> None:
        """Have another job cancelled. While the store is away that has to wait."""
        while identifier:
            try:
                await self.cancel(identifier)
                identifier = ""
            except JobStoreError as error:
                logger.warning("job %s cannot be cancelled yet: %s", identifier, error)
                await asyncio.sleep(self._look_seconds)

    async def close(self) -> None:
        """Follow nothing any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _ended_before(other: Job, job: Job) -> bool:
    return other.ended_at is not None and other.ended_at <= job.begun_at


async def _mirrored(other: Job, job: Job) -> bool:
    """Have a job go and end as another one does; return whether that has come to an end.

    It has not where its replica stopped or was killed: then this job does the work.
    """
    async for _ in other.events():
        job.tell(**other.progress)
    if other.status == "running" or other.error in {SERVICE_ENDED, SERVICE_STOPPED}:
        return False
    for note in other.noted:
        job.note(**note)
    job.end(other.status, other.error)
    return True
