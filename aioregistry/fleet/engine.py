"""The engine of a fleet: pydocket hands the steps of runs to workers, and this is all it does."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Self

from attrs import evolve
from docket import Docket

from aioregistry.fleet.accounts import Accounts, Addresses
from aioregistry.fleet.file import Fleet
from aioregistry.fleet.intake import Intake, Taker
from aioregistry.fleet.server import FleetServerError, ServerClock, check_server, completed
from aioregistry.fleet.state import (
    VERSION,
    Run,
    RunLostError,
    StateError,
    Step,
    has_work_left,
    id_after,
    may_begin,
    next_step,
)
from aioregistry.fleet.steps import Steps
from aioregistry.fleet.store import FleetStore, Progress
from aioregistry.ratelimit.tls import check_tls

__all__ = ["FleetEngine"]

_IN_THIS_PROCESS = "memory://"
_PHASES = ("plan", "apply", "gc")
_AT_ONCE = datetime.fromtimestamp(0, UTC)
_ADD_SECONDS = 30.0
_ADDED_AT_ONCE = 16
_ENDED_TASKS_KEPT = timedelta(minutes=1)


class FleetEngine:
    """Carries out the runs of a fleet, together with every other worker on the same server.

    The state of each run on the server says what comes next. A worker that finds a step which may
    begin puts it into the queue, under a key that is taken once; whoever gets it carries it out
    under the lease of its registry, saves the state that follows, and queues the next step. What is
    lost on the way, the workers find again by the state, some seconds later.

    Args:
        fleet: The registries.
        url: The server: ``redis://``, ``rediss://``, ``unix://`` or ``redis+sentinel://``; by
            default none, and all of it is in this process and ends with it.
        addresses: Where the registries are; None, the default, for the vendor's.
        name: The fleet's name on the server, with which all keys begin; ``fleet`` by default.
        concurrency: How many registries this worker works on at once; 50 by default.
        slice_seconds: How long a slice takes at most; 300, the most, by default.
        lease_seconds: After how long without a sign of life another worker takes over; 20 by
            default.
        tick_seconds: How often the states and schedules are looked at; 5 by default.
        look_seconds: How long it is between two looks at a garbage collection; 10 by default.
        keep: For how long plans, journals, archives and reports are kept: 14 days by default.
        clock: Returns the seconds since 1970; None, the default, for the server's clock, or this
            machine's without a server.

    Raises:
        ValueError: An option is outside its range, or TLS cannot be made by the server's address.
    """

    def __init__(
        self,
        fleet: Fleet,
        url: str = _IN_THIS_PROCESS,
        *,
        addresses: Addresses | None = None,
        name: str = "fleet",
        concurrency: int = 50,
        slice_seconds: float = 300.0,
        lease_seconds: float = 20.0,
        tick_seconds: float = 5.0,
        look_seconds: float = 10.0,
        keep: timedelta = timedelta(days=14),
        clock: Callable[[], float] | None = None,
    ) -> None:
        if not 0 < slice_seconds <= 300:
            raise ValueError(f"a slice takes 300 s at most, not {slice_seconds:g}")
        fleet.check_keep(keep)
        check_tls(url)
        self._fleet = fleet
        self._url = url
        self._name = name
        self._addresses = Addresses() if addresses is None else addresses
        self._concurrency = concurrency
        self._slice_seconds = slice_seconds
        self._lease_seconds = lease_seconds
        self._tick_seconds = tick_seconds
        self._look_seconds = look_seconds
        self._docket = Docket(name=name, url=completed(url), execution_ttl=_ENDED_TASKS_KEPT)
        self.worker: str = f"{socket.gethostname()}-{os.getpid()}"
        self.store: FleetStore = FleetStore(
            self._docket.redis,
            name,
            lease_seconds=lease_seconds,
            keep_seconds=round(keep.total_seconds()),
        )
        self._server_clock = ServerClock(self.store.server)
        self._clock = self._server_clock if clock is None else clock
        # Of workers that see the same, one looks for all; others would look in vain for them.
        self._group = f"{VERSION}:{fleet.fingerprint()}"
        self._stack = AsyncExitStack()
        self._steps: Steps | None = None
        self._taker = Taker(self._step, concurrency, tick_seconds)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            with self.store.server.errors_told():
                await opened.enter_async_context(self._docket)
            names = [f"fleet_{phase}" for phase in _PHASES]
            self._docket.register(self._taker.carry_out, names=names)
            server = None
            if self._url != _IN_THIS_PROCESS:
                server = await opened.enter_async_context(self._docket.redis())
                await check_server(self.store.server)
            accounts = opened.enter_context(Accounts(self._addresses, server, self._name))
            self._steps = Steps(
                *(self.store, accounts, self.worker, self._slice_seconds, self._look_seconds),
                clock=self._clock,
            )
            self._stack = opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def begin(
        self,
        registries: Iterable[str],
        run: str | None = None,
        *,
        plan_only: bool = False,
        at_any_time: bool = False,
    ) -> list[str]:
        """Begin runs, except of registries whose newest run has not ended: that one goes on.

        Args:
            registries: The names of the registries.
            run: What sets the runs apart from others, the same for all: a moment such as
                ``20260131T030000Z``; None, the default, for now.
            plan_only: Whether they end with the plan, and nothing is deleted. False by default.
            at_any_time: Whether they are carried out outside the registries' windows, too. False by
                default.

        Returns:
            The registries of which a run was begun.

        Raises:
            NotFoundError: One is not in the fleet; nothing was begun.
            FleetServerError: The server is away, or refuses; some may have been begun.
        """
        registries = self._fleet.check_names(registries)
        await self._set_clock()
        now = self._clock()
        newest = await self.store.runs(registries) if run is None else {}
        begun = []
        for name in registries:
            made = Run(
                registry=name,
                id=run or id_after(newest.get(name), now),
                begun_at=now,
                plan_only=plan_only,
                at_any_time=at_any_time,
            )
            if await self.store.begin(made):
                begun.append(name)
        return begun

    async def approve(self, registry: str, run: str, *, at_any_time: bool = False) -> bool:
        """Have the plan of a run carried out that was begun with `plan_only`.

        Args:
            registry: The registry's name.
            run: The run's `Run.id`.
            at_any_time: Whether it is carried out outside the registry's window, too, whenever the
                plan was made. False by default.

        Returns:
            Whether it was approved now: False where somebody has done so before, where it does not
            wait for it, or where a newer run has begun.

        Raises:
            NotFoundError: The fleet has no such registry.
            FleetServerError: The server is away, or refuses; it may have been approved.
        """
        self._fleet.check_names([registry])
        return await self.store.approve(registry, run, at_any_time=at_any_time)

    async def cancel(self, registry: str, run: str) -> None:
        """End a run early, wherever it is carried out; what it has deleted is in its report.

        Args:
            registry: The registry's name.
            run: The run's `Run.id`; one that has ended stays as it is.

        Raises:
            FleetServerError: The server is away, or refuses; the run may end all the same.
        """
        await self.store.cancel(registry, run)

    async def find(self, registry: str, run: str) -> Run | None:
        """Return a run, also one that has ended; None where there is none, or none any more.

        Args:
            registry: The registry's name.
            run: The run's `Run.id`.

        Raises:
            FleetServerError: The server is away, or refuses.
        """
        return await self.store.find(registry, run)

    async def runs(self) -> dict[str, Run | StateError | None]:
        """Return the newest run of each registry; None where there was none.

        Raises:
            FleetServerError: The server is away, or refuses.
        """
        return await self.store.runs(self._fleet.registries)

    async def progress(self) -> dict[str, Progress]:
        """Return how far the slices are that are being carried out.

        Raises:
            FleetServerError: The server is away, or refuses.
        """
        return dict(await self.store.progress(self._fleet.registries))

    async def work(
        self, until_ended: Iterable[str] | None = None, *, plan_only: bool = False
    ) -> None:
        """Carry out steps until `stop` is called.

        Without names it begins what is due by the schedules, and takes whatever is queued. With
        names it begins nothing, and touches these registries alone; other workers may help.

        Args:
            until_ended: Registries; it returns as well when their newest runs have ended, but for
                collections after an undo window. None, the default, for the fleet, and never.
            plan_only: Whether it carries out only runs that were begun with `plan_only`; one of
                another kind counts as ended. Only with names. False by default.

        Raises:
            NotFoundError: One is not in the fleet.
            FleetServerRefusedError: The server refuses; while it is away, that is waited for.
            IntakeError: The worker takes no steps.
            RunLostError: The server has lost one of the runs.
        """
        if until_ended is None:
            return await self._work_for_all()
        names = self._fleet.check_names(until_ended)
        begun: set[str] = set()
        try:
            await self._taker.repeat(lambda: self._take_steps(names, begun, plan_only=plan_only))
        finally:
            await self._taker.end()

    async def _work_for_all(self) -> None:
        intake = Intake(self._docket, self.worker, self._concurrency, self._lease_seconds)
        try:
            async with intake:
                try:
                    await self._taker.repeat(lambda: self._tick(intake))
                finally:
                    self.stop()
        finally:
            await self._taker.end()

    def stop(self) -> None:
        """End the work: slices are broken off, and others go on with them at once."""
        self._taker.stop()

    async def _take_steps(self, names: list[str], begun: set[str], *, plan_only: bool) -> bool:
        """Begin the steps of some registries, past the queue; return whether all have ended.

        Args:
            names: The registries.
            begun: Those of which a run was seen, which is added to.
            plan_only: Whether runs of another kind count as ended.

        Raises:
            RunLostError: A run that was seen is not there any more.
        """
        await self._set_clock()
        found = await self.store.runs(names)
        runs = [run for run in found.values() if isinstance(run, Run)]
        begun |= {run.registry for run in runs}
        if lost := sorted(name for name in begun if found[name] is None):
            raise RunLostError(
                f"the fleet's server has lost the run of {', '.join(lost)}, and with it the journal"
                " and the archive of what was deleted: it needs 'appendonly yes', and"
                " 'maxmemory-policy noeviction'"
            )
        left = [run for run in runs if has_work_left(run, self._clock(), plan_only=plan_only)]
        cancelled = await self.store.cancelled(left)
        for run in left:
            is_free = self._taker.has_room_for(run.registry)
            step = self._step_of(run, is_cancelled=run in cancelled) if is_free else None
            if step is not None:
                self._taker.take(run.registry, run.id, step.part, plan_only=plan_only)
        return not left and len(runs) == len(names)

    async def _tick(self, intake: Intake | None = None) -> bool:
        """Begin the runs that are due, and queue every step that may begin."""
        if intake is not None:
            await intake.check()
        await self._set_clock()
        if not await self.store.take_turn(self._group, 0.9 * self._tick_seconds):
            return False
        now = self._now()
        runs = await self.runs()
        for name, registry in self._fleet.registries.items():
            due = registry.due(now)
            if due is not None and may_begin(runs[name], due):
                await self.begin([name], due)
                runs |= await self.store.runs([name])
        await self._queue([run for run in runs.values() if isinstance(run, Run)])
        return False

    def _step_of(self, run: Run, *, is_cancelled: bool) -> Step | None:
        """Return the next step of a run; None where none may begin now."""
        now = self._now()
        step = next_step(run, self._fleet.registries[run.registry].window, now)
        if step is not None and is_cancelled:
            return evolve(step, when=now)
        return step if step is not None and self._may_begin(step) else None

    def _may_begin(self, step: Step) -> bool:
        return step.when <= self._now() + timedelta(seconds=self._tick_seconds)

    async def _set_clock(self) -> None:
        if self._clock is self._server_clock and self._url != _IN_THIS_PROCESS:
            await self._server_clock.ask()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    async def _queue(self, runs: list[Run]) -> None:
        """Queue the next step of each run, if it may begin now and is not queued or under way."""
        left = [run for run in runs if run.phase != "ended"]
        cancelled = await self.store.cancelled(left)
        found = [(run, self._step_of(run, is_cancelled=run in cancelled)) for run in left]
        now = self._now()
        # What may begin only then is left to the next look: in the queue it would wait for the
        # moment by the clock of whichever machine.
        steps = [(run, step) for run, step in found if step is not None and step.when <= now]
        # Of many registries, one after the other takes longer than until the next look.
        for nth in range(0, len(steps), _ADDED_AT_ONCE):
            some = [self._add(run, step) for run, step in steps[nth : nth + _ADDED_AT_ONCE]]
            for error in await asyncio.gather(*some, return_exceptions=True):
                if error is not None:
                    raise error

    async def _add(self, run: Run, step: Step) -> None:
        with self.store.server.errors_told():
            add = self._docket.add(f"fleet_{step.task}", when=_AT_ONCE, key=step.key)
            async with asyncio.timeout(_ADD_SECONDS):
                await add(run.registry, run.id, step.part)

    async def _step(self, name: str, run_id: str, part: str, *, plan_only: bool = False) -> bool:
        """Carry out a step, unless somebody else does; return whether the state was looked at."""
        registry = self._fleet.registries.get(name)
        if registry is None or self._steps is None:
            # The file of another worker has it.
            return False

        try:
            await self._set_clock()
        except FleetServerError:
            # Nor could a lease be taken.
            return False

        def may_begin(run: Run, step: Step) -> bool:
            return self._may_begin(step) and (run.plan_only or not plan_only)

        was_looked_at, after = await self._steps.take(registry, run_id, part, may_begin)
        if after is not None and not self._taker.leaves(name):
            with suppress(FleetServerError):
                await self._queue([after])
        return was_looked_at
