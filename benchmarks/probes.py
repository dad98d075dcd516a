"""What concerns our client alone. Each probe is run in a process of its own."""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from aioregistry import FinishedRequest, RateLimit, RateLimitHeaders, RegistryClient
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.testing.virtual_time import run_virtual
from benchmarks.job import TOKEN

__all__ = ["HAS_RESIDENT"]

_STATM = Path("/proc/self/statm")
HAS_RESIDENT = _STATM.exists()
# Who waits is let through in windows of so many.
_BATCH = 250


def memory_growth(url: str, tags: str) -> list[float]:
    """Return by how many MiB resident memory grows at most while so many tags are streamed."""
    return [asyncio.run(_memory_growth(url, int(tags)))]


async def _memory_growth(url: str, tags: int) -> float:
    async with RegistryClient(TOKEN, base_url=url, rate_limit=None) as client:
        repository = client.registry("example").repository("app")
        await repository.tags().first()
        gc.collect()
        start = most = _resident()
        seen = 0
        async for _ in repository.tags():
            seen += 1
            if seen % 2_000 == 0:
                most = max(most, _resident())
    if seen != tags:
        raise SystemExit(f"saw {seen} of {tags} tags")
    return (most - start) / 2**20


def _resident() -> int:
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def permit(count: str) -> list[float]:
    """Return the seconds that an uncontended permit costs: to get it, and to give it back."""
    return [asyncio.run(_permits(int(count))) / int(count)]


async def _permits(count: int) -> float:
    limiter = WindowLimiter(RateLimit(windows=((10**9, 60.0), (10**9, 3600.0)), burst=10**9))
    word = RateLimitHeaders(204, 10**9, 10**9, 2e9, None, 3600.0, 0.001)
    begun = time.process_time()
    for _ in range(count):
        await limiter.acquire("bulk")
        limiter.release(word)
    return time.process_time() - begun


def waiters(few: str, many: str) -> list[float]:
    """Return how many times as much CPU time a waiter costs among many as among few.

    First of our limiter, then of a bare semaphore, which is what the machine allows: the more tasks
    there are, the more each costs the caches and the garbage collector.
    """
    growths = []
    for crowd in (_wait_for_permits, _wait_for_semaphore):
        each_of_few, each_of_many = (
            min(_run_collected(crowd, count) for _ in range(5)) / count
            for count in (int(few), int(many))
        )
        growths.append(each_of_many / each_of_few)
    return growths


def _run_collected(crowd: Callable[[int], Coroutine[Any, Any, float]], count: int) -> float:
    # Whose garbage is collected while it is measured, is chance.
    gc.collect()
    return run_virtual(crowd(count))


async def _wait_for_permits(count: int) -> float:
    limiter = WindowLimiter(RateLimit(windows=((_BATCH, 60.0),), burst=10**9))

    async def one() -> None:
        await limiter.acquire()
        limiter.release()

    # The window is full from the start, so that all wait.
    for _ in range(_BATCH):
        await one()
    begun = time.process_time()
    await asyncio.gather(*(one() for _ in range(count)))
    return time.process_time() - begun


async def _wait_for_semaphore(count: int) -> float:
    semaphore = asyncio.Semaphore(0)

    async def one() -> None:
        await semaphore.acquire()

    async def let_through() -> None:
        for nth in range(count):
            if nth % _BATCH == 0:
                await asyncio.sleep(60.0)
            semaphore.release()

    begun = time.process_time()
    await asyncio.gather(let_through(), *(one() for _ in range(count)))
    return time.process_time() - begun


def at_the_limit(url: str, count: str, scale: str) -> list[float]:
    """Return the seconds that so many deletes took, and how often more than once was sent.

    The quota is the real one, in a time that runs `scale` times faster.
    """
    return asyncio.run(_at_the_limit(url, int(count), float(scale)))


async def _at_the_limit(url: str, count: int, scale: float) -> list[float]:
    again = 0

    def finished(request: FinishedRequest) -> None:
        nonlocal again
        again += request.attempts - 1

    quota = RateLimit().scaled(scale)
    async with RegistryClient(
        TOKEN, base_url=url, rate_limit=quota, concurrency=32, on_request=finished
    ) as client:
        begun = time.perf_counter()
        names = [f"v{number}" for number in range(count)]
        report = await client.registry("example").repository("app").delete_tags(names)
        took = time.perf_counter() - begun
    if len(report.deleted) != count:
        raise SystemExit(f"deleted {len(report.deleted)} of {count} tags")
    return [took, again]


_PROBES: dict[str, Callable[..., list[float]]] = {
    probe.__name__: probe for probe in (memory_growth, permit, waiters, at_the_limit)
}


def main() -> None:
    """Print the figures of the probe that the command line names."""
    print(json.dumps(_PROBES[sys.argv[1]](*sys.argv[2:])))


if __name__ == "__main__":
    main()
