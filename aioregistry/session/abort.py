"""Stopping many requests at once, wherever they are made."""

import asyncio
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from aioregistry.errors import RegistryError

__all__ = ["Halt", "check_halt", "interruptible"]

_CURRENT: ContextVar["Halt | None"] = ContextVar("_CURRENT", default=None)
_NOTHING: AbstractContextManager[None] = nullcontext()


class Halt:
    """Stops all requests that are made within it, those of tasks started there included.

    What is under way may still be answered. What waits, for quota or for another attempt, waits no
    longer, and nothing more is sent.

    Args:
        owner: Whose requests: those of others go on.

    Attributes:
        error: Raised instead of sending; None until `stop` is called.
    """

    __slots__ = ("_called_off", "_waiting", "error", "owner")

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.error: RegistryError | None = None
        self._waiting: set[asyncio.Task[Any]] = set()
        self._called_off: set[asyncio.Task[Any]] = set()

    @contextmanager
    def within(self) -> Generator[None]:
        """Run the inside of the context within this halt."""
        reset = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(reset)

    def stop(self, error: RegistryError) -> None:
        """Send nothing more, and raise `error` instead. The first one counts."""
        if self.error is not None:
            return
        self.error = error
        self._called_off |= self._waiting
        for task in self._waiting:
            task.cancel()

    def check(self) -> None:
        """Raise the error once this was stopped."""
        if self.error is not None:
            raise self.error from None

    def __enter__(self) -> None:
        self.check()
        if task := asyncio.current_task():
            self._waiting.add(task)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if task := asyncio.current_task():
            self._waiting.discard(task)
            if task in self._called_off:
                self._called_off.discard(task)
                # Unless somebody else has cancelled the task, too.
                if task.uncancel() == 0 and kind is asyncio.CancelledError:
                    self.check()


def check_halt(owner: object) -> None:
    """Raise the error of the owner's halt that this runs within, if it was stopped."""
    halt = _CURRENT.get()
    if halt is not None and halt.owner is owner:
        halt.check()


def interruptible(owner: object) -> AbstractContextManager[None]:
    """Return a context for a wait that the owner's halt, if there is one, may cut short."""
    halt = _CURRENT.get()
    return halt if halt is not None and halt.owner is owner else _NOTHING
