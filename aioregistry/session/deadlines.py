"""A deadline for each of many attempts, with one timer for all of them."""

import asyncio
import math
from types import TracebackType

__all__ = ["Deadlines"]


class Deadlines:
    """Gives attempts that run at the same time the same number of seconds each.

    A timer of its own costs each attempt more than anything else done for it here. Attempts that
    begin in order end in order, so the timer of the oldest will do.

    Args:
        seconds: How long an attempt may take.

    Raises:
        TypeError: That is no number.
        ValueError: It is not positive, or infinite: aiohttp knows no such time.

    Attributes:
        seconds: The same.
        running: The deadlines of attempts under way, the oldest first.
        timer: What ends the oldest of them; None while there is none.
    """

    __slots__ = ("running", "seconds", "timer")

    def __init__(self, seconds: float) -> None:
        if not isinstance(seconds, int | float):
            raise TypeError(f"timeout must be seconds, not {seconds!r}")
        if not 0 < seconds < math.inf:
            raise ValueError(f"timeout must be positive and finite: {seconds}")
        self.seconds: float = seconds
        self.running: dict[_Deadline, None] = {}
        self.timer: asyncio.TimerHandle | None = None

    def begin(self) -> "_Deadline":
        """Return a context that raises `TimeoutError` when its inside takes too long."""
        return _Deadline(self)

    def close(self) -> None:
        """Drop the timer, unless an attempt is under way.

        In a session that stays open, nothing else may end it.
        """
        if self.timer is not None and not self.running:
            self.timer.cancel()
            self.timer = None

    def expire(self) -> None:
        """End the attempts whose time is over, and wait for that of the next."""
        loop = asyncio.get_running_loop()
        self.timer = None
        for deadline in tuple(self.running):
            if deadline.at > loop.time():
                self.timer = loop.call_at(deadline.at, self.expire)
                return
            del self.running[deadline]
            deadline.expire()


class _Deadline:
    __slots__ = ("_cancelling", "_deadlines", "_expired", "_task", "at")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._expired = False
        self.at: float = 0.0

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a deadline needs a task to cancel")
        self._task = task
        self._cancelling = task.cancelling()
        deadlines = self._deadlines
        self.at = at = loop.time() + deadlines.seconds
        deadlines.running[self] = None
        if deadlines.timer is None:
            deadlines.timer = loop.call_at(at, deadlines.expire)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._expired:
            del self._deadlines.running[self]
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            # Ours alone: nobody else has cancelled the task.
            raise TimeoutError from None

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()
