"""Ending many requests at once, wherever they are made."""

import asyncio
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from aioregistry.errors import RegistryError

__all__ = ["AbortScope", "interruptible", "raise_if_aborted"]

_CURRENT: ContextVar["AbortScope | None"] = ContextVar("_CURRENT", default=None)
_NOTHING: AbstractContextManager[None] = nullcontext()


class AbortScope:
    """Ends all requests that are made within it, those of tasks started within it included.

    A request that was sent may still be answered. One that waits, for quota or for another
    attempt, waits no longer, and nothing more is sent.

    Args:
        owner: The session whose requests are ended; requests of others go on.

    Attributes:
        error: Raised instead of sending; None until `abort` is called.
    """

    __slots__ = ("_aborted", "_waiting", "error", "owner")

    def __init__(self, owner: object) -> None:
        self.owner: object = owner
        self.error: RegistryError | None = None
        self._waiting: set[asyncio.Task[Any]] = set()
        self._aborted: set[asyncio.Task[Any]] = set()

    @contextmanager
    def within(self) -> Generator[None]:
        """Run the inside of the context within this scope."""
        reset = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(reset)

    def abort(self, error: RegistryError) -> None:
        """Send nothing more, and raise `error` instead. Only the first call has an effect."""
        if self.error is not None:
            return
        self.error = error
        self._aborted |= self._waiting
        for task in self._waiting:
            task.cancel()

    def raise_if_aborted(self) -> None:
        """Raise the error of `abort`, if it was called."""
        if self.error is not None:
            raise self.error from None

    def __enter__(self) -> None:
        self.raise_if_aborted()
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
            if task in self._aborted:
                self._aborted.discard(task)
                # Unless somebody else has cancelled the task, too.
                if task.uncancel() == 0 and kind is asyncio.CancelledError:
                    self.raise_if_aborted()


def raise_if_aborted(owner: object) -> None:
    """Raise the error of the owner's scope that this runs within, if it was aborted."""
    scope = _CURRENT.get()
    if scope is not None and scope.owner is owner:
        scope.raise_if_aborted()


def interruptible(owner: object) -> AbstractContextManager[None]:
    """Return a context for a wait that the owner's scope, if there is one, may cut short."""
    scope = _CURRENT.get()
    return scope if scope is not None and scope.owner is owner else _NOTHING
