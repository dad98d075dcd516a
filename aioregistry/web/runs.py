"""A run of a fleet as a job of a service: it outlives the service, and any replica follows it.

It needs the extra ``fleet``.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aioregistry.fleet.engine import FleetEngine
from aioregistry.fleet.server import FleetServerError, FleetServerRefusedError
from aioregistry.fleet.state import Run
from aioregistry.web.job import Job
from aioregistry.web.work import Work

__all__ = ["RunFailedError", "run_work", "working"]

logger: logging.Logger = logging.getLogger("aioregistry.web")

_GOOD_ENDS = frozenset({"done", "planned", "cancelled"})


class RunFailedError(RuntimeError):
    """A run of a fleet has ended, and not all of it was done; or it is no longer known."""


def run_work(engine: FleetEngine, registry: str, run: str, *, interval: float = 1.0) -> Work:
    """Return the work of a job that follows a run of a fleet to its end.

    The run is carried out by whichever worker of the fleet has it, in this process or in another.
    Its state is the job's progress: ``phase``, ``done`` and ``total``, ``result``, ``counts``. A
    job that is cancelled ends the run; one that is stopped with its service does not.

    Example:
        ```python
        await engine.begin(["example"], plan_only=True)
        run = (await engine.runs())["example"].id
        job = jobs.start(f"example {run}", run_work(engine, "example", run), once=True)
        ```

    Args:
        engine: The engine, which is open.
        registry: The registry's name.
        run: The run's `Run.id`.
        interval: Seconds between two looks at the run; 1 by default.

    Raises:
        RunFailedError: While the job runs: the run has ended otherwise than it should.
        FleetServerRefusedError: While the job runs: the fleet's server refuses.
    """

    async def work(job: Job) -> None:
        try:
            while True:
                found = await _look(engine, registry, run)
                if found is not None:
                    await _tell(job, engine, found)
                    if found.phase == "ended":
                        return _judge(found)
                await asyncio.sleep(interval)
        except asyncio.CancelledError:
            if job.was_cancelled and not job.was_stopped:
                await _end(engine, registry, run, interval)
            raise

    return work


def _end_process(_: BaseException) -> None:
    signal.raise_signal(signal.SIGTERM)


@asynccontextmanager
async def working(
    engine: FleetEngine, *, on_error: Callable[[BaseException], object] = _end_process
) -> AsyncIterator[None]:
    """Work on a fleet as long as the block runs, such as the lifespan of a service.

    A worker that ends with an error before the block does, as its user on the server lacks rights,
    leaves a service that accepts runs and carries none out. So the service ends, too.

    Args:
        engine: The engine, which is open, and stays so until the block has ended.
        on_error: Is called with the error when the worker ends with one. By default the process
            sends itself SIGTERM, by which servers stop as they do for an orchestrator.

    Raises:
        Exception: At the end, what has ended the worker.
    """

    def told(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the fleet's worker has ended; so does the service", exc_info=error)
            on_error(error)

    task = asyncio.create_task(engine.work(), name="fleet worker of a service")
    task.add_done_callback(told)
    try:
        yield
    finally:
        task.remove_done_callback(told)
        engine.stop()
        await task


async def _end(engine: FleetEngine, registry: str, run: str, interval: float) -> None:
    """End a run. While the server is away that has to wait, and so has the end of the job."""
    told = False
    while True:
        try:
            return await engine.cancel(registry, run)
        except FleetServerError as error:
            if isinstance(error, FleetServerRefusedError):
                raise
            if not told:
                told = True
                logger.warning("%s: the run %s cannot be ended yet: %s", registry, run, error)
            await asyncio.sleep(interval)


async def _look(engine: FleetEngine, registry: str, run: str) -> Run | None:
    """Return a run; None while the server is away, which does not end the run."""
    try:
        found = await engine.find(registry, run)
    except FleetServerError as error:
        if isinstance(error, FleetServerRefusedError):
            raise
        return None
    if found is None:
        raise RunFailedError(f"{registry} has no run {run}, or none any more")
    return found


async def _tell(job: Job, engine: FleetEngine, run: Run) -> None:
    try:
        progress = (await engine.progress()).get(run.registry)
    except FleetServerError:
        progress = None
    done = run.settled if progress is None else max(run.settled, progress.done)
    job.tell(
        registry=run.registry,
        run=run.id,
        phase=run.phase,
        result=run.result,
        done=done,
        total=run.items,
        requests=run.requests,
        frees=run.frees,
        counts=run.counts,
        freed_bytes=run.freed_bytes,
    )


def _judge(run: Run) -> None:
    if run.result not in _GOOD_ENDS:
        raise RunFailedError(f"{run.result}: {run.error}")
