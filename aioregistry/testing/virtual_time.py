"""An event loop whose clock jumps to the next timer: an hour passes in milliseconds."""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

__all__ = ["VirtualTimeLoop", "run_virtual"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# What one turn of the loop takes. Were it nothing, code that waits for less than the clock can
# show would spin for ever.
_TURN = 1e-9


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector event loop that never waits for a timer: its clock jumps there.

    Time stands still while anything can be done now. Sockets work as ever, and go first: only when
    none is ready does time jump. While a thread of an executor works, time passes as usual.

    Args:
        grace: Real seconds that sockets, where there are any, are given before time jumps. More
            than 0 is needed only when the other end of one is not in this loop.
    """

    def __init__(self, grace: float = 0.001) -> None:
        self._clock = _JumpingSelector(grace)
        super().__init__(self._clock)
        self._clock.ignore_registered()

    def time(self) -> float:
        """Return the seconds of virtual time since the loop was made."""
        return self._clock.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run `func` in a thread, as every event loop does."""
        future = super().run_in_executor(executor, func, *args)
        self._clock.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """Wait for the threads, in their time: a limit for that is none of virtual time."""
        self._clock.threads += 1
        try:
            await super().shutdown_default_executor(*args, **kwargs)
        finally:
            self._clock.threads -= 1

    def _thread_ended(self, _: asyncio.Future[Any]) -> None:
        self._clock.threads -= 1


class _JumpingSelector(selectors.DefaultSelector):
    """Passes time: whoever waits in it for a timer finds that it is time already."""

    def __init__(self, grace: float) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0
        self._grace = grace
        self._own = 0

    def ignore_registered(self) -> None:
        """Take what is registered by now for the loop's own, by which nobody sends anything."""
        self._own = len(self.get_map())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready, or jump as far as the loop would have waited."""
        if timeout is None:
            # Without a timer there is no time to jump to: only the world outside can go on.
            return super().select(None)
        if self.threads:
            real = timeout
        else:
            real = min(timeout, self._grace) if len(self.get_map()) > self._own else 0.0
        ready = super().select(real)
        passed = _TURN if ready else timeout + _TURN
        self.now = max(self.now + passed, math.nextafter(self.now, math.inf))
        return ready


def run_virtual(main: Coroutine[Any, Any, T], *, grace: float = 0.001) -> T:
    """Run `main` on a new `VirtualTimeLoop`, as `asyncio.run` does on a usual one.

    Args:
        main: What to run.
        grace: See `VirtualTimeLoop`.

    Returns:
        What `main` returns.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(grace)) as runner:
        return runner.run(main)
