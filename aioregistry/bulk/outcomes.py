"""Outcomes of a bulk delete one by one, as its items finish."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from aioregistry.arguments import Ignored
from aioregistry.bulk.report import Outcome
from aioregistry.errors import ClientClosedError
from aioregistry.paging.pager import ClosingIterator

__all__ = ["OutcomeIterator", "ReaderGate"]

_Run = Callable[[], Coroutine[Any, Any, None]]


class ReaderGate:
    """Lets items begin as far ahead of a reader as is allowed, and none while nobody reads.

    Args:
        ahead: How many items may have begun that nobody has read of.
    """

    def __init__(self, ahead: int) -> None:
        self._ahead = asyncio.Semaphore(ahead)
        self._read = asyncio.Event()
        self._waiting = 0

    async def acquire(self) -> None:
        """Wait until an item may begin."""
        await self._ahead.acquire()
        await self.be_read()

    async def be_read(self) -> None:
        """Wait until somebody reads."""
        await self._read.wait()

    def release(self) -> None:
        """Count an item as read."""
        self._waiting -= 1
        self._ahead.release()

    def go_on(self) -> None:
        """Let items begin: somebody reads."""
        self._waiting += 1
        self._read.set()

    def pause(self) -> None:
        """Let no item begin when nobody is left who reads: one reader has given up waiting."""
        self._waiting -= 1
        if not self._waiting:
            self._read.clear()


class OutcomeIterator(ClosingIterator[Outcome]):
    """Yields outcomes as items finish.

    Example:
        ```python
        async with repo.iter_delete_tags(["v1.0.0", "v1.0.1"]) as outcomes:
            async for outcome in outcomes:
                print(outcome.name, outcome.status)
        ```

    The deletes begin with the first ``anext`` and keep no further ahead of the reader than the
    fan-out allows; after one that was cancelled, none begins before the next. Ending early, by
    ``aclose`` or by dropping the iterator, cancels the rest.
    """

    def __init__(
        self,
        prepare: Callable[[Callable[[Outcome], Ignored], ReaderGate], _Run],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        concurrency: int,
    ) -> None:
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self._start = start
        self._gate = ReaderGate(2 * concurrency)
        self._outcomes: asyncio.Queue[Outcome | None] = asyncio.Queue()
        self._run = prepare(self._outcomes.put_nowait, self._gate)

    async def __anext__(self) -> Outcome:
        if self._ended:
            raise StopAsyncIteration
        if self._task is None:
            # The task must not know this iterator: dropping it is to cancel the task.
            outcomes = self._outcomes
            self._task = self._start(self._run())
            self._task.add_done_callback(lambda _: outcomes.put_nowait(None))
        self._gate.go_on()
        try:
            outcome = await self._outcomes.get()
        except asyncio.CancelledError:
            # It may be read again, or only held by the traceback of what ended the reading.
            self._gate.pause()
            raise
        if outcome is None:
            # For whoever else may be reading.
            self._outcomes.put_nowait(None)
            self._end(self._task)
            raise StopAsyncIteration
        self._gate.release()
        return outcome

    def _end(self, task: asyncio.Task[None]) -> None:
        # It may have been closed by another task while this one read.
        if not self._ended:
            self._ended = True
            if task.cancelled():
                raise ClientClosedError("the client was closed while deleting")
            task.result()

    async def aclose(self) -> None:
        """Cancel what is not done yet. The iterator yields nothing more."""
        self._ended = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def __del__(self) -> None:
        task = self._task
        if task is not None and not task.done() and not task.get_loop().is_closed():
            task.cancel()
