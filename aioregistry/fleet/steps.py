"""The steps of a run: plan, one slice of apply, garbage collection; they know no engine."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Protocol

import msgspec
from attrs import evolve, frozen

from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.apply.caps import CapExceededError
from aioregistry.cleanup.garbage import collect_garbage, newest_collection
from aioregistry.cleanup.in_use.named import ask_sources
from aioregistry.cleanup.plan.file import PlanFileError
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.policy.file import PolicyFileError, load_policy
from aioregistry.cleanup.records.journal import JournalError
from aioregistry.cleanup.records.report import CleanupReport
from aioregistry.errors import (
    InvalidNameError,
    InvalidTokenError,
    NotFoundError,
    RegistryError,
    RegistryTimeoutError,
)
from aioregistry.fleet.accounts import Accounts
from aioregistry.fleet.file import FleetRegistry
from aioregistry.fleet.lease import Lease, LeaseLostError, LeaseTakenError, Write, end_task
from aioregistry.fleet.server import FleetServerError
from aioregistry.fleet.shared import SharedStore
from aioregistry.fleet.state import (
    Run,
    StateError,
    Step,
    after_cancellation,
    after_collection,
    after_error,
    after_plan,
    after_slice,
    next_step,
)
from aioregistry.fleet.store import FleetStore, Progress

__all__ = ["HasDone", "HeldError", "Steps"]

logger: logging.Logger = logging.getLogger("aioregistry.fleet")


class HeldError(RegistryError):
    """The plan would delete in repositories that are held since: a new one leaves them alone."""


# To try these again is of no use.
_FINAL = (
    CapExceededError,
    HeldError,
    InvalidNameError,
    InvalidTokenError,
    NotFoundError,
    PlanFileError,
    PolicyFileError,
)
_MAX_NAMES_SHOWN = 10
_SECONDS_BETWEEN_PROGRESS = 2.0
_SECONDS_BETWEEN_LOOKS = 1.0
# A slice writes what it knows when it is broken off.
_SECONDS_TO_END = 10.0
# To list the largest of repositories takes longer than a slice.
_MAX_DOUBLINGS = 4


class HasDone(Protocol):
    """How far a slice is, as `apply_plan` tells it."""

    @property
    def done(self) -> int:
        """Items whose outcome is known."""


@frozen
class Steps:
    """Carries out steps of runs, each under the lease of its registry.

    A step reads the state, does its work, and saves the state that follows together with what it
    made: all of it or nothing, and only while the lease is held. So whatever is interrupted, or is
    done twice, goes on from the state that was saved.

    Attributes:
        store: Where everything is kept.
        accounts: Opens the registries.
        worker: Who this is.
        slice_seconds: How long a slice takes, unless nothing was achieved in the one before.
        look_seconds: How long it is between two looks at a garbage collection.
        clock: Returns the seconds since 1970.
    """

    store: FleetStore
    accounts: Accounts
    worker: str
    slice_seconds: float
    look_seconds: float = 10.0
    clock: Callable[[], float] = time.time

    async def take(
        self,
        registry: FleetRegistry,
        run_id: str,
        part: str,
        may_begin: Callable[[Run, Step], bool],
    ) -> tuple[bool, Run | None]:
        """Carry out a step of a registry's newest run, unless somebody else does or has done it.

        Where the run was cancelled, it ends instead.

        Args:
            registry: The registry.
            run_id: The run's `Run.id`.
            part: The step's `Step.part`.
            may_begin: Returns whether the step may begin now.

        Returns:
            Whether the step is no longer to be taken, as far as it may begin: False where another
            worker is at it, or nothing could be saved. And the run as it is then, from which the
            next step follows; None where that is somebody else's.
        """
        name = registry.name
        try:
            async with self.store.lease(name) as lease:
                run = await self.store.load(lease, name)
                now = datetime.fromtimestamp(self.clock(), UTC)
                step = None if run is None else next_step(run, registry.window, now)
                if run is None or step is None or (run.id, step.part) != (run_id, part):
                    # Somebody has done it.
                    return True, None
                if await self.store.is_cancelled(run):
                    await self.end(registry, run, lease)
                elif may_begin(run, step):
                    await self.until_cancelled(registry, run, lease)
                return True, await self.store.load(lease, name)
        except LeaseTakenError:
            # Whoever has it goes on; if that one is dead, the next tick sees it.
            return False, None
        except (LeaseLostError, StateError, FleetServerError) as error:
            logger.warning("%s: a step was not saved: %s", name, error)
            return False, None

    async def carry_out(self, registry: FleetRegistry, run: Run, lease: Lease) -> None:
        """Carry out the next step of a run, and save what comes of it.

        Raises:
            LeaseLostError: Another process has taken over; nothing was saved.
            FleetServerError: The server is away, or refuses; nothing was saved.
        """
        try:
            if run.phase == "plan":
                after, writes = await self._plan(registry, run)
            elif run.phase == "apply":
                after, writes = await self._apply(registry, run, lease)
            else:
                after, writes = await self._collect(registry, run, lease)
        except (LeaseLostError, FleetServerError):
            raise
        except Exception as error:
            is_known = isinstance(error, RegistryError)
            if not is_known:
                logger.exception("%s: a step failed", registry.name)
            why = f"{type(error).__name__}: {error}" if is_known else type(error).__name__
            is_final = isinstance(error, _FINAL)
            after, writes = after_error(run, why, self.clock(), is_final=is_final), ()
            if isinstance(error, HeldError):
                after, writes = await self._told(registry, run, lease, after)
        await lease.write(*self.store.writes_of(after), *writes)

    async def until_cancelled(self, registry: FleetRegistry, run: Run, lease: Lease) -> None:
        """Carry out the next step of a run, unless somebody ends the run meanwhile.

        Raises:
            LeaseLostError: Another process has taken over; nothing was saved.
            FleetServerError: The server is away, or refuses; nothing was saved.
        """
        working = asyncio.create_task(self.carry_out(registry, run, lease))
        try:
            while not working.done():
                await asyncio.wait([working], timeout=_SECONDS_BETWEEN_LOOKS)
                with suppress(FleetServerError):
                    if not working.done() and await self.store.is_cancelled(run):
                        await end_task(working, _SECONDS_TO_END)
                        await self.end(registry, run, lease)
                        return
            await working
        finally:
            await end_task(working, _SECONDS_TO_END)

    async def end(self, registry: FleetRegistry, run: Run, lease: Lease) -> None:
        """End a run that was cancelled; what it has deleted is in its report.

        Raises:
            LeaseLostError: Another process has taken over; nothing was saved.
            FleetServerError: The server is away, or refuses; nothing was saved.
        """
        writes: tuple[Write, ...] = ()
        after = after_cancellation(run, self.clock())
        if run.phase == "apply":
            after, writes = await self._told(registry, run, lease, after)
        await lease.write(*self.store.writes_of(after), *writes)

    async def _told(
        self, registry: FleetRegistry, run: Run, lease: Lease, after: Run
    ) -> tuple[Run, tuple[Write, ...]]:
        """Return a run that ends, with what a slice that was broken off has deleted, if known."""
        with suppress(RegistryError):
            # Of no time: what the journal has, and nothing is begun, held or not.
            told, writes = await self._apply(registry, run, lease, seconds=0.0)
            return msgspec.structs.replace(after, counts=told.counts), writes
        return after, ()

    async def _plan(self, registry: FleetRegistry, run: Run) -> tuple[Run, tuple[Write, ...]]:
        policy = load_policy(registry.policy)
        leave = {
            name: f"held since {since:%Y-%m-%d %H:%M} UTC; 'aioregistry fleet release' ends that"
            for name, since in (await self.store.held(registry.name)).items()
        }
        async with self.accounts.open(registry) as (handle, contents):
            in_use = await ask_sources(registry.in_use, handle)
            plan = await make_plan(handle, policy, contents, in_use=in_use, leave=leave)
        if not run.plan_only:
            registry.caps.check(plan)
        text = await asyncio.to_thread(plan.to_json)
        after = after_plan(run, plan, self.clock())
        return after, (self._write(run, "plan", text.encode()),)

    async def _apply(
        self, registry: FleetRegistry, run: Run, lease: Lease, seconds: float | None = None
    ) -> tuple[Run, tuple[Write, ...]]:
        plan = await self.store.plan(run)
        if plan is None:
            raise PlanFileError(f"the plan of the run {run.id} is no longer kept")
        held = await self.store.held(registry.name) if seconds is None else {}
        if names := [one.name for one in plan.repositories if one.condemned and one.name in held]:
            shown = ", ".join(names[:_MAX_NAMES_SHOWN])
            raise HeldError(f"held since the plan was made: {shown}; a new plan leaves that alone")
        async with (
            self.accounts.open(registry) as (handle, contents),
            self._showing(run) as show,
        ):
            in_use = await ask_sources(registry.in_use, handle)
            try:
                report = await apply_plan(
                    handle,
                    plan,
                    contents,
                    journal=self._shared(run, "journal", lease),
                    archive=self._shared(run, "archive", lease),
                    resume=True,
                    caps=registry.caps,
                    in_use=in_use,
                    deadline=self._seconds(registry, run) if seconds is None else seconds,
                    on_progress=show,
                )
            except JournalError as error:
                if isinstance(error.__cause__, LeaseLostError | FleetServerError):
                    raise LeaseLostError(str(error)) from error
                raise
        report = await self._added_up(run, report)
        now = self.clock()
        collect_at = now + registry.undo_window.total_seconds() if registry.gc else None
        text = await asyncio.to_thread(report.to_json)
        after = after_slice(run, report, now, collect_at)
        return after, (self._write(run, "report", text),)

    async def _added_up(self, run: Run, report: CleanupReport) -> CleanupReport:
        """Return a report with what earlier slices found out.

        What was found incomplete stays so. What nobody could look at, the newest slice has to.
        """
        before = await self.store.report(run)
        return report if before is None else evolve(before, unchecked=()) + report

    async def _collect(
        self, registry: FleetRegistry, run: Run, lease: Lease
    ) -> tuple[Run, tuple[Write, ...]]:
        async with self.accounts.open(registry) as (handle, _):
            newest = run.newest_collection
            if newest is None:
                newest = await newest_collection(handle)
                run = msgspec.structs.replace(run, newest_collection=newest)
                # Before one is started, so that whoever comes next knows which is ours.
                await lease.write(*self.store.writes_of(run))
            try:
                done = await collect_garbage(
                    handle,
                    after=newest,
                    timeout=self.slice_seconds,
                    interval=self.look_seconds,
                    # Another may have taken over, and have started one, since this one looked.
                    check=lease.write,
                )
            except RegistryTimeoutError:
                # It goes on, and is adopted.
                return msgspec.structs.replace(run, slices=run.slices + 1), ()
        return after_collection(run, done.run.freed_bytes, self.clock()), ()

    def _seconds(self, registry: FleetRegistry, run: Run) -> float:
        """Return how long a slice takes: longer after one in which no DELETE was reached."""
        seconds: float = self.slice_seconds * 2 ** min(run.attempt, _MAX_DOUBLINGS)
        if registry.window is None or run.at_any_time:
            return seconds
        now = datetime.fromtimestamp(self.clock(), UTC)
        closes = registry.window.closes(now)
        left = 0.0 if closes is None else (closes - now).total_seconds()
        return max(0.001, min(seconds, left))

    def _shared(self, run: Run, what: str, lease: Lease) -> SharedStore:
        key = self.store.keys(run.registry).of_run(run.id, what)
        return SharedStore(lease, key, self.store.keep_seconds)

    def _write(self, run: Run, what: str, value: bytes) -> Write:
        key = self.store.keys(run.registry).of_run(run.id, what)
        return Write(key, value, seconds=self.store.keep_seconds)

    @asynccontextmanager
    async def _showing(self, run: Run) -> AsyncGenerator[Callable[[HasDone], None]]:
        """Let others see how far a slice is, while it is carried out."""
        newest = Progress(worker=self.worker, total=run.items, done=run.settled)

        def take_in(progress: HasDone) -> None:
            nonlocal newest
            newest = Progress(worker=self.worker, total=run.items, done=progress.done)

        async def show() -> None:
            while True:
                with suppress(FleetServerError):
                    await self.store.show_progress(run.registry, newest)
                await asyncio.sleep(_SECONDS_BETWEEN_PROGRESS)

        showing = asyncio.create_task(show())
        try:
            yield take_in
        finally:
            await end_task(showing)
