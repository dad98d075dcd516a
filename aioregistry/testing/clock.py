"""A clock for tests: hours of waiting in milliseconds."""

import asyncio
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar
from unittest import mock

from aioregistry.sandbox import Sandbox
from aioregistry.testing.virtual_time import VirtualTimeLoop

__all__ = ["VirtualClock"]

T = TypeVar("T")


class VirtualClock:
    """An event loop on which waiting takes no real time.

    ``with VirtualClock() as clock: clock.run(main())``. Within the block ``time.time()``
    follows this clock, because the API's headers count in it; ``datetime.now()`` and
    ``time.monotonic()`` do not. A sandbox must run on the same loop: see `sandbox`.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self._begun = time.time()
        self._unix_time = mock.patch("time.time", self._time)

    def __enter__(self) -> Self:
        self._loop = self._runner.get_loop()
        self._unix_time.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._unix_time.stop()
        self._runner.close()

    @property
    def elapsed(self) -> float:
        """Seconds that have passed on this clock since it was started."""
        return self._loop.time()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the clock's loop, one after the other, and return its result."""
        return self._runner.run(coroutine)

    def sandbox(self, **options: Any) -> Sandbox:
        """Return a sandbox, not started yet, whose quotas and garbage collections use this clock.

        Args:
            options: Arguments of `Sandbox`, except ``clock``.
        """
        sandbox = Sandbox(**options, clock=lambda: self.elapsed)
        sandbox.state.clock = self._time
        return sandbox

    def _time(self) -> float:
        return self._begun + self.elapsed
