"""Writing to disk behind the reading, so that a process that is killed loses little."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["WriteBehind"]

T = TypeVar("T")


class WriteBehind(Generic[T]):
    """Writes things in a thread, as soon as those before them are written.

    What is lost when the process is killed is what was added during one write.

    Args:
        write: Writes some things; called in a thread, and never twice at a time.
        most: How many things may wait: a disk that is slower than the network then holds the
            reading up, rather than fill the memory. 2,000 by default.
    """

    def __init__(self, write: Callable[[list[T]], None], most: int = 2_000) -> None:
        self._write = write
        self._most = most
        self._waiting: list[T] = []
        self._task: asyncio.Task[None] | None = None

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
        self._start()
        if self._task is not None:
            await asyncio.shield(self._task)

    def _start(self) -> None:
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting, []
            await asyncio.to_thread(self._write, some)
