"""A server that grants not one request more than both windows allow, on the loop's clock.

It stands in for the transport, so that an hour at the limit is tested in milliseconds.
"""

import asyncio
import functools
import math
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from multidict import CIMultiDict

from aioregistry.api.endpoints import FIRST_FAMILY, Request, repository_path
from aioregistry.session.answers import Answer, NoAnswer
from aioregistry.session.connections import Connections
from aioregistry.testing.virtual_time import run_virtual

EPOCH = 1_700_000_000.0
MINUTE, HOUR = (250, 60.0), (5000, 3600.0)
DELETE = FIRST_FAMILY.delete_tag(repository_path("example", "app"), "v1")


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on a loop of virtual time."""

    async def on_one_clock(*args: Any, **kwargs: Any) -> None:
        # The hour of the day goes with the loop's time, as it does outside.
        loop = asyncio.get_running_loop()
        wall_clock = SimpleNamespace(time=lambda: EPOCH + loop.time())
        with mock.patch("aioregistry.session.session.time", wall_clock):
            await test(*args, **kwargs)

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(on_one_clock(*args, **kwargs))

    return run


def constant(seconds: float) -> Callable[[], float]:
    return lambda: seconds


def uniform(low: float, high: float, seed: int = 1) -> Callable[[], float]:
    random = Random(seed)
    return lambda: random.uniform(low, high)


def best_possible(count: int, *windows: tuple[int, float]) -> float:
    """Return when the last of `count` requests can go at the earliest: the greedy schedule."""
    times: list[float] = []
    for nth in range(count):
        times.append(
            max(
                (times[nth - limit] + period for limit, period in windows if nth >= limit),
                default=0.0,
            )
        )
    return times[-1]


class StrictServer:
    """Counts a request when it gets there, half-way through the latency on average.

    Attributes:
        accepted: When each request was granted, on the loop's clock.
        rejected: When each was answered 429.
    """

    base_url = "https://api.test"
    connections = Connections(None)
    token_seconds = 30.0

    def __init__(
        self,
        latency: Callable[[], float],
        *,
        windows: tuple[tuple[int, float], ...] = (MINUTE, HOUR),
        counts_rejected: bool = False,
    ) -> None:
        self.latency = latency
        self.accepted: list[float] = []
        self.rejected: list[float] = []
        self._counts_rejected = counts_rejected
        self._windows = [(limit, period, deque[float]()) for limit, period in windows]
        self._random = Random(7)

    def open(self) -> None:
        """Nothing to open."""

    def check_open(self) -> None:
        """Always open."""

    async def close(self) -> None:
        """Nothing to close."""

    fixed_authorization = None

    async def authorization(self) -> str:
        return "Bearer token"

    async def attempt(self, request: Request, authorization: str) -> Answer | NoAnswer:
        latency = self.latency()
        there = latency * self._random.random()
        await asyncio.sleep(there)
        answer = self.count(asyncio.get_running_loop().time())
        await asyncio.sleep(latency - there)
        return answer

    def count(self, now: float) -> Answer:
        """Count one request and answer it."""
        spent = []
        for limit, period, times in self._windows:
            while times and times[0] + period <= now:
                times.popleft()
            if len(times) >= limit:
                spent.append((times[len(times) - limit] + period, period))
        if not spent or self._counts_rejected:
            for _, _, times in self._windows:
                times.append(now)
        (self.rejected if spent else self.accepted).append(now)
        limit, period, times = self._windows[-1]
        remaining = 0 if spent else limit - len(times)
        headers = CIMultiDict(
            {
                "RateLimit-Limit": str(limit),
                "RateLimit-Remaining": str(remaining),
                "RateLimit-Reset": str(math.ceil(EPOCH + times[0] + period)),
            }
        )
        if spent and max(spent)[1] != period:
            headers["Retry-After"] = str(math.ceil(max(spent)[0] - now))
        return Answer(429 if spent else 204, headers, b"")
