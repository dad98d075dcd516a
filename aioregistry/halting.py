"""Stopping many requests at once, wherever they are made."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self

from aioregistry.errors import RegistryError

__all__ = ["Halt"]

_CURRENT: ContextVar["Halt | None"] = ContextVar("_CURRENT", default=None)


class Halt:
    """Stops all requests that are made within it, those of tasks started there included.

    What is under way may still be answered. What waits, for quota or for another attempt, waits no
    longer, and nothing more is sent. ``with halt`` marks such a wait.

    Attributes:
        error: Raised instead of sending; None until `stop` is called.
    """

    __slots__ = ("_called_off", "_waiting", "error")

    def __init__(self) -> None:
        self.error: RegistryError | None = None
        self._waiting: set[asyncio.Task[Any] | None] = set()
        self._called_off: set[asyncio.Task[Any] | None] = set()

    @staticmethod
    def current() -> "Halt | None":
        """Return the one that this code runs within."""
        return _CURRENT.get()

    @contextmanager
    def within(self) -> Generator[None]:
        """Run the inside of this context within the halt."""
        reset = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(reset)

    def stop(self, error: RegistryError) -> None:
        """Send nothing more, and raise `error` instead; the first one counts."""
        if self.error is not None:
            return
        self.error = error
        for task in self._waiting:
            if task is not None:
                self._called_off.add(task)
                task.cancel()

    def check(self) -> None:
        """Raise the error after a stop."""
        if self.error is not None:
            raise self.error

    def __enter__(self) -> Self:
        self.check()
        self._waiting.add(asyncio.current_task())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task = asyncio.current_task()
        self._waiting.discard(task)
        if task in self._called_off:
            self._called_off.discard(task)
            # Unless somebody else has cancelled the task, too.
            if task is not None and task.uncancel() == 0 and kind is asyncio.CancelledError:
                self.check()
