"""Doing something for each of many things, some of them at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

__all__ = ["for_each"]

T = TypeVar("T")


async def for_each(
    do: Callable[[T], Awaitable[object]], items: Iterable[T], concurrency: int
) -> None:
    """Await something for each item. With the first error, or cancelled, no further one is begun.

    Args:
        do: Called with an item.
        items: The items.
        concurrency: How many may be under way at once.

    Raises:
        Exception: The first that `do` raised; by then nothing is under way any more.
    """
    left = iter(items)

    async def work() -> None:
        for item in left:
            await do(item)

    workers = [asyncio.ensure_future(work()) for _ in range(concurrency)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
