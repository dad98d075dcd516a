"""Jobs at the limit: against a strict server on a virtual clock, where an hour takes a moment."""

import asyncio
import itertools
from collections.abc import Callable
from random import Random
from typing import Any

from attrs import define

from aioregistry.api.endpoints import Request
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import RateLimit
from aioregistry.session.answers import Answer, NoAnswer
from aioregistry.session.retry import RetryPolicy
from aioregistry.session.session import Session
from tests.ratelimit.strict_server import (
    DELETE,
    EPOCH,
    HOUR,
    MINUTE,
    StrictServer,
    best_possible,
    constant,
    uniform,
    virtual,
)

__all__ = ["PATTERNS", "Outcome", "Waits", "alone", "beside_another", "people_beside_a_job"]

_IN_FLIGHT = 32
# Seconds since the epoch are no finer than this as a float.
_RESOLUTION = 1e-6
_THEIR_SHARE = 0.3

Seconds = Callable[[], float]


@define
class Outcome:
    """How a job went.

    Attributes:
        seconds: How long it took, of virtual time.
        best: How long the best possible schedule takes.
        rejected: How many of its requests got a 429.
        tolerated: How many were in flight whenever a 429 closed the gate.
        early: How many were sent while the server had told us to wait.
    """

    seconds: float = 0.0
    best: float = 0.0
    rejected: int = 0
    tolerated: int = 0
    early: int = 0

    @property
    def ratio(self) -> float:
        """How many times as long as the best possible it took."""
        return self.seconds / self.best if self.best else 1.0


class _WatchedServer(StrictServer):
    """Watches our client; another one of the token counts its requests by `count` alone."""

    def __init__(self, latency: Seconds, outcome: Outcome) -> None:
        super().__init__(latency)
        self._outcome = outcome
        self._in_flight = 0
        self._closed_until = 0.0

    async def attempt(self, request: Request, authorization: str) -> Answer | NoAnswer:
        """Answer, and note what a 429 meets."""
        loop = asyncio.get_running_loop()
        self._outcome.early += loop.time() < self._closed_until - _RESOLUTION
        self._in_flight += 1
        answer = await super().attempt(request, authorization)
        now = loop.time()
        if isinstance(answer, Answer) and answer.status == 429:
            self._outcome.rejected += 1
            if now >= self._closed_until:
                self._outcome.tolerated += self._in_flight
            self._closed_until = max(self._closed_until, now + _told_to_wait(answer, now))
        self._in_flight -= 1
        return answer


def _told_to_wait(answer: Answer, now: float) -> float:
    after = answer.headers.get("retry-after")
    return float(answer.headers["ratelimit-reset"]) - EPOCH - now if after is None else float(after)


async def _delete(server: StrictServer, count: int) -> float:
    """Send `count` requests as a bulk delete does, and return the seconds that it took."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    session: Any = Session(server, WindowLimiter(), RetryPolicy())  # type: ignore[arg-type]
    session.open()
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await session.send(DELETE, priority="bulk")

    await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))
    await session.close()
    return loop.time() - begun


def alone(count: int, *, jittered: bool = False, seed: int = 1) -> Outcome:
    """Delete `count` tags alone on the token.

    Args:
        count: How many.
        jittered: Whether the latency is random, up to 400 ms, and not 50 ms.
        seed: Of the latencies.
    """
    outcome = Outcome(best=best_possible(count, MINUTE, HOUR))

    @virtual
    async def run() -> None:
        latency = uniform(0.0, 0.4, seed) if jittered else constant(0.05)
        outcome.seconds = await _delete(_WatchedServer(latency, outcome), count)

    run()
    return outcome


def _evenly(_: Random, each_minute: int) -> Seconds:
    return constant(MINUTE[1] / each_minute)


def _at_random(random: Random, each_minute: int) -> Seconds:
    return lambda: random.expovariate(each_minute / MINUTE[1])


def _in_gusts(_: Random, each_minute: int) -> Seconds:
    sent = itertools.count(1)
    return lambda: 0.01 if next(sent) % each_minute else MINUTE[1]


def _part(share: float) -> tuple[tuple[int, float], tuple[int, float]]:
    """Return a share of both windows."""
    return (round(share * MINUTE[0]), MINUTE[1]), (round(share * HOUR[0]), HOUR[1])


@define
class Waits:
    """How long interactive requests waited beside a job.

    Attributes:
        seconds: How long each waited for its answer, of virtual time, the shortest first.
        job: How long the job took.
        rejected: How many requests of both got a 429.
    """

    seconds: list[float]
    job: float = 0.0
    rejected: int = 0


def people_beside_a_job(count: int, *, every: float = 60.0, seed: int = 1) -> Waits:
    """Delete `count` tags while people send requests now and then, through one client.

    Args:
        count: How many.
        every: Seconds between two interactive requests, on average.
        seed: Of their moments, and of the latencies.
    """
    outcome = Waits([])

    @virtual
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = StrictServer(uniform(0.0, 0.4, seed))
        session: Any = Session(server, WindowLimiter(), RetryPolicy())  # type: ignore[arg-type]
        session.open()
        left, random, asked = iter(range(count)), Random(seed), []

        async def work() -> None:
            for _ in left:
                await session.send(DELETE, priority="bulk")

        async def ask() -> None:
            begun = loop.time()
            await session.send(DELETE)
            outcome.seconds.append(loop.time() - begun)

        async def people() -> None:
            while True:
                await asyncio.sleep(random.expovariate(1 / every))
                asked.append(asyncio.ensure_future(ask()))

        coming = asyncio.ensure_future(people())
        await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))
        outcome.job = loop.time()
        coming.cancel()
        await asyncio.gather(*asked)
        await session.close()
        outcome.rejected = len(server.rejected)

    run()
    outcome.seconds.sort()
    return outcome


PATTERNS = {"evenly": _evenly, "at random": _at_random, "in gusts": _in_gusts}


def on_many_tokens(tokens: int, count: int) -> Outcome:
    """Send `count` requests on each of some tokens at the same time.

    Returns:
        How long the last took, and what all of them met.
    """
    outcome = Outcome(best=best_possible(count, MINUTE, HOUR))

    @virtual
    async def run() -> None:
        servers = [_WatchedServer(constant(0.05), outcome) for _ in range(tokens)]
        outcome.seconds = max(await asyncio.gather(*(_delete(one, count) for one in servers)))

    run()
    return outcome


def beside_another(
    pattern: str,
    *,
    before: float,
    seed: int = 1,
    count: int = 5_000,
    share: float = _THEIR_SHARE,
) -> Outcome:
    """Delete `count` tags while another client takes a part of the token's quota.

    Args:
        pattern: How the other spreads its requests: one of `PATTERNS`.
        before: How many seconds earlier it began.
        seed: Of what is random.
        count: How many.
        share: Which part the other takes; 30% by default.
    """
    outcome = Outcome(best=best_possible(count, *_part(1 - share)))
    theirs = _part(share)
    gap = PATTERNS[pattern](Random(seed), theirs[0][0])

    async def other(server: StrictServer) -> None:
        quota = WindowLimiter(RateLimit(windows=theirs))
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(gap())
            await quota.acquire()
            while (answer := server.count(loop.time())).status == 429:  # noqa: ASYNC110
                # It keeps to what it is told, so what it takes is its share and no more.
                await asyncio.sleep(max(0.1, _told_to_wait(answer, loop.time())))
            quota.release()

    @virtual
    async def run() -> None:
        server = _WatchedServer(uniform(0.0, 0.4, seed), outcome)
        running = asyncio.ensure_future(other(server))
        await asyncio.sleep(before)
        outcome.seconds = await _delete(server, count)
        running.cancel()

    run()
    return outcome
