"""Turns for connections: an attempt begins when there is one for it."""

import asyncio

__all__ = ["Connections"]


class Connections:
    """Lets no more attempts begin at once than a connector has connections.

    aiohttp counts the wait for a connection as part of a request. With more requests under way
    than connections, those that wait would end with timeouts that are not the server's.

    Args:
        most: How many at most; None for no limit.
    """

    __slots__ = ("_turns",)

    def __init__(self, most: int | None) -> None:
        self._turns = None if most is None else asyncio.Semaphore(most)

    def acquire_at_once(self) -> bool:
        """Take a turn if there is one, and return whether there was."""
        if self._turns is None:
            return True
        if self._turns.locked():
            return False
        try:  # noqa: SIM105, suppress() would cost more than all else here
            # With a turn left it has nothing to wait for, and is over with its first step.
            self._turns.acquire().send(None)
        except StopIteration:
            pass
        return True

    async def acquire(self) -> None:
        """Wait for a turn, and take it."""
        if self._turns is not None:
            await self._turns.acquire()

    def release(self) -> None:
        """Give a turn back."""
        if self._turns is not None:
            self._turns.release()
