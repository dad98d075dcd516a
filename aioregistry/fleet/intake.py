"""What takes steps: from the queue, by pydocket's worker, or past it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Protocol, Self

from docket import Docket, Worker
from redis.exceptions import RedisError, ResponseError

from aioregistry.errors import RegistryError
from aioregistry.fleet.lease import end_task
from aioregistry.fleet.server import FleetServer, FleetServerError, FleetServerRefusedError
from aioregistry.ratelimit.away import describe, is_refused

__all__ = ["Intake", "IntakeError", "TakeStep", "Taker"]

logger: logging.Logger = logging.getLogger("aioregistry.fleet")

_CHECK_INTERVAL = timedelta(milliseconds=100)
_START_SECONDS = 30.0
_LOOKS = 3
_LOOK_SECONDS = 30.0
# A slice writes what it knows when it is broken off.
_SECONDS_TO_END = 10.0
# Of what was read and is not acknowledged, nothing is after this.
_PAST_ALL = f"{2**64 - 1}-{2**64 - 1}"
# So long nothing is under way.
_MAX_MILLISECONDS = 2**50


class IntakeError(RegistryError):
    """A worker takes no steps: its user may not do what it needs, or its engine has ended."""


class Intake:
    """Takes steps from the queue, and carries them out by the functions that the docket knows.

    ``async with Intake(docket, name, concurrency, lease_seconds) as intake`` begins and ends it.
    When it ends, whoever carries out steps has to have ended them.

    Args:
        docket: The queue.
        name: The worker's name.
        concurrency: How many steps are carried out at once.
        lease_seconds: After how long without a sign of life another worker takes over.

    Raises:
        FleetServerError: The server is away, or refuses.
        IntakeError: At the end, what it needs has failed it before.
        Exception: At the end, a bug has ended it before.
    """

    def __init__(self, docket: Docket, name: str, concurrency: int, lease_seconds: float) -> None:
        self._docket = docket
        # It has answered when the docket was opened.
        self._server = FleetServer(docket.redis, was_reached=True)
        self._name = name
        self._worker = Worker(
            docket,
            name=name,
            concurrency=concurrency,
            redelivery_timeout=timedelta(seconds=1.5 * lease_seconds),
            minimum_check_interval=_CHECK_INTERVAL,
            schedule_automatic_tasks=False,
            fallback_task=_leave_to_others,
        )
        self._running: asyncio.Task[None] | None = None
        # Since the server is there: how often it was looked for in vain, and since when.
        self._looks = 0
        self._looked_at = 0.0
        self._has_begun = False

    async def __aenter__(self) -> Self:
        with self._server.errors_told():
            await self._worker.__aenter__()
        self._running = asyncio.create_task(self._worker.run_forever(), name="fleet worker")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._running is None:
            return
        try:
            await end_task(self._running, _SECONDS_TO_END)
        finally:
            with self._server.errors_told():
                await self._worker.__aexit__(kind, error, traceback)
        self._raise_its_error(self._running)

    async def check(self) -> None:
        """Check that it is at work: by itself it tries for ever what it may not do.

        Raises:
            IntakeError: It has not begun in time, or it has ended.
            Exception: What has ended it, where that is a bug.
            FleetServerRefusedError: Its user may not read the queue.
            FleetServerError: The server is away.
        """
        if self._running is not None and self._running.done():
            self._raise_its_error(self._running)
            raise IntakeError("the worker has ended by itself")
        if not self._has_begun:
            with self._server.errors_told():
                await self._look()

    async def _look(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            is_alive = await self._has_shown_life()
        except (RedisError, OSError):
            # It begins once the server is back.
            self._looks = 0
            raise
        if is_alive:
            await self._check_may_read()
            self._has_begun = True
            return
        if self._looks == 0:
            self._looked_at = clock()
        self._looks += 1
        if self._looks > _LOOKS and clock() - self._looked_at > _START_SECONDS:
            await self._check_may_read()
            raise IntakeError(
                f"the worker takes no steps after {_START_SECONDS:g} s: its user on the fleet's"
                " server needs all keys and channels of the fleet's name, and commands on streams;"
                " README.md of aioregistry/fleet has such a user"
            )

    async def _has_shown_life(self) -> bool:
        """Return whether it has done so lately.

        Of what it shows that with, the list of all workers is of no use: each takes out of it whom
        it has not heard of lately by its own clock, and so everybody whose clock is behind.
        """
        async with self._docket.redis() as redis:
            return bool(await redis.exists(self._docket.worker_tasks_set(self._name)))

    async def _check_may_read(self) -> None:
        """Read nothing of the queue, and take nothing over from others.

        It shows that it lives also while it may do neither, or while its server cannot, as before
        6.2.
        """
        queue = self._docket.stream_key
        me: dict[str, Any] = {
            "groupname": self._docket.worker_group_name,
            "consumername": self._name,
            "count": 1,
        }
        async with self._docket.redis() as redis:
            for ask in (
                lambda: redis.xreadgroup(streams={queue: _PAST_ALL}, **me),
                lambda: redis.xautoclaim(name=queue, min_idle_time=_MAX_MILLISECONDS, **me),
            ):
                try:
                    await ask()
                except ResponseError as error:
                    if is_refused(error, reached=True):
                        raise
                    # The queue or its group is not there; by itself it makes them again.

    def _raise_its_error(self, running: "asyncio.Task[None]") -> None:
        error = None if running.cancelled() else running.exception()
        if error is None:
            return
        # Where its server is away it waits by itself. What has ended all the same takes no steps
        # when that is back either.
        if isinstance(error, RedisError | OSError) and not is_refused(error, reached=True):
            raise IntakeError(f"the worker has ended: {describe(error)}") from error
        with self._server.errors_told():
            raise error


class TakeStep(Protocol):
    """Carries out a step of a run, unless somebody else does or has done it."""

    async def __call__(self, registry: str, run: str, part: str, /, *, plan_only: bool) -> bool:
        """Carry it out; return whether what is waited for may have happened."""


class Taker:
    """Has steps carried out, those of the queue and those that are taken past it, until `stop`.

    Args:
        step: Carries out a step.
        concurrency: How many steps past the queue are carried out at once.
        tick_seconds: How long it is between two looks while no step ends.
    """

    def __init__(self, step: TakeStep, concurrency: int, tick_seconds: float) -> None:
        self._step = step
        self._concurrency = concurrency
        self._tick_seconds = tick_seconds
        self._working: set[asyncio.Task[bool]] = set()
        # By registry, what is carried out past the queue.
        self._taken: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        # A step has ended: what is waited for may have happened.
        self._changed = asyncio.Event()

    def has_room_for(self, registry: str) -> bool:
        """Return whether a further step of a registry may be taken."""
        return registry not in self._taken and len(self._taken) < self._concurrency

    def take(self, registry: str, run: str, part: str, *, plan_only: bool) -> None:
        """Begin a step past the queue."""
        taking = self.carry_out(registry, run, part, plan_only=plan_only)
        self._taken[registry] = asyncio.create_task(taking)

    def leaves(self, registry: str) -> bool:
        """Return whether the next step of a registry is not for the queue, or for others."""
        return registry in self._taken or self._stopping.is_set()

    async def carry_out(
        self, registry: str, run: str, part: str, *, plan_only: bool = False
    ) -> None:
        """Carry out a step; no error leaves this, as pydocket could not hand on every one."""
        working = asyncio.create_task(self._step(registry, run, part, plan_only=plan_only))
        self._working.add(working)
        try:
            if self._stopping.is_set():
                working.cancel()
            await asyncio.wait([working])
        finally:
            working.cancel()
            self._working.discard(working)
            self._taken.pop(registry, None)
        if not working.cancelled():
            if (error := working.exception()) is not None:
                logger.error("%s: a step could not be saved", registry, exc_info=error)
            elif working.result():
                self._changed.set()

    async def repeat(self, look: Callable[[], Awaitable[bool]]) -> None:
        """Look at the states, now and then and after each step, until that has an end."""
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    if await look():
                        return
            except FleetServerRefusedError:
                raise
            except FleetServerError as error:
                logger.warning("%s", error.message)
            except TimeoutError:
                logger.warning("the fleet's server is slow: %g s for one look", _LOOK_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._tick_seconds):
                    await self._changed.wait()
            self._changed.clear()

    def stop(self) -> None:
        """Break off what is carried out."""
        self._stopping.set()
        self._changed.set()
        for task in self._working:
            task.cancel()

    async def end(self) -> None:
        """Stop, and return when nothing is carried out past the queue; it may begin anew then."""
        self.stop()
        for task in tuple(self._taken.values()):
            while not task.done():
                await asyncio.wait([task], timeout=_SECONDS_TO_END)
                self.stop()
        self._stopping.clear()


async def _leave_to_others(*_: Any, **__: Any) -> None:
    """Take a step that a newer version queued: by the state, a worker that knows it goes on."""
    logger.warning("a step that this version does not know is left to newer workers")
