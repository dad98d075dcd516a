"""Something done at one suspension of a coroutine, counted from its first."""

from collections.abc import Awaitable, Callable
from typing import Any


class AtSuspension:
    """Awaits something, and does something at its n-th suspension.

    Args:
        work: What to await.
        nth: At which suspension.
        act: What to do.
        again: Whether to do it at each later suspension, too.

    Attributes:
        reached: Whether it came so far.
    """

    def __init__(
        self, work: Awaitable[Any], nth: int, act: Callable[[], object], *, again: bool = False
    ) -> None:
        self._work = work
        self._nth = nth
        self._act = act
        self._again = again
        self.reached = False

    def __await__(self) -> Any:
        inner = self._work.__await__()
        count, give, value = 0, inner.send, None
        while True:
            try:
                future = give(value)
            except StopIteration as stop:
                return stop.value
            finally:
                # An error would hold on to this frame, and this frame to the error.
                value = None
            count += 1
            if count == self._nth or (self._again and self.reached):
                self.reached = True
                self._act()
            try:
                value = yield future
                give = inner.send
            except BaseException as error:  # noqa: BLE001, handed on
                give, value = inner.throw, error

    async def run(self) -> Any:
        """Await it."""
        return await self
