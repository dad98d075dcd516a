"""Writing to disk behind the reading, so that a process that is killed loses little."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["WriteBehind"]

T = TypeVar("T")

# Each write costs a transaction and a turn of a thread, however little is written.
_GATHERING_SECONDS = 0.2


class WriteBehind(Generic[T]):
    """Writes things in a thread, those of a fifth of a second at a time.

    What is lost when the process is killed is what was added during one write, and while it was
    gathered for the next one.

    Args:
        write: Writes some things; called in a thread, and never twice at a time.
        most: How many things may wait: a disk that is slower than the network then holds the
            reading up, rather than fill the memory. 2,000 by default; half as many are written at
            once.
    """

    def __init__(self, write: Callable[[list[T]], None], most: int = 2_000) -> None:
        self._write = write
        self._most = most
        self._waiting: list[T] = []
        self._task: asyncio.Task[None] | None = None
        # Set where nothing more is gathered.
        self._full: asyncio.Event | None = None
        self._finishing = 0

    async def add(self, thing: T) -> None:
        """Have a thing written soon; wait only when very many are not written yet."""
        self._waiting.append(thing)
        self._start()
        if len(self._waiting) > self._most and self._task is not None:
            await asyncio.shield(self._task)

    async def finish(self) -> None:
        """Wait until all is written.

        Raises:
            Exception: Whatever `write` raised.
        """
        self._finishing += 1
        try:
            self._start()
            if self._task is not None:
                await asyncio.shield(self._task)
        finally:
            self._finishing -= 1

    def _start(self) -> None:
        if self._waiting and (self._task is None or self._task.done()):
            self._full = asyncio.Event()
            self._task = asyncio.create_task(self._work(self._full))
        if self._full is not None and self._is_full():
            self._full.set()

    def _is_full(self) -> bool:
        return self._finishing > 0 or 2 * len(self._waiting) >= self._most

    async def _work(self, full: asyncio.Event) -> None:
        while self._waiting:
            if not self._is_full():
                full.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(full.wait(), _GATHERING_SECONDS)
            some, self._waiting = self._waiting, []
            await asyncio.to_thread(self._write, some)
