"""A deadline for each of many attempts, with one timer for all of them."""

import asyncio
from types import TracebackType

__all__ = ["Deadlines"]


class Deadlines:
    """Gives attempts that run at the same time the same number of seconds each.

    A timer of its own costs each attempt more than anything else done for it here. Attempts that
    begin in order end in order, so the timer of the oldest will do.

    Args:
        seconds: How long an attempt may take.
    """

    __slots__ = ("_running", "_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[_Deadline, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> "_Deadline":
        """Return a context that raises `TimeoutError` when its inside takes too long."""
        return _Deadline(self, self._running)

    def close(self) -> None:
        """Drop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, deadline: "_Deadline", loop: asyncio.AbstractEventLoop) -> None:
        """Begin to count an attempt."""
        deadline.at = loop.time() + self._seconds
        self._running[deadline] = None
        if self._timer is None:
            self._timer = loop.call_at(deadline.at, self._expire)

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for deadline in tuple(self._running):
            if deadline.at > loop.time():
                self._timer = loop.call_at(deadline.at, self._expire)
                return
            del self._running[deadline]
            deadline.expire()


class _Deadline:
    __slots__ = ("_cancelling", "_deadlines", "_expired", "_running", "_task", "at")

    def __init__(self, deadlines: Deadlines, running: "dict[_Deadline, None]") -> None:
        self._deadlines = deadlines
        self._running = running
        self._expired = False
        self.at: float = 0.0

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a deadline needs a task to cancel")
        self._task = task
        self._cancelling = task.cancelling()
        self._deadlines.add(self, loop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._expired:
            del self._running[self]
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            # Ours alone: nobody else has cancelled the task.
            raise TimeoutError from None

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()
