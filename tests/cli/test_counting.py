"""What a run costs, as it is counted."""

import asyncio
import sys

import pytest

from aioregistry import RateLimit, RateLimitHeaders
from aioregistry.cli.display import counting
from aioregistry.cli.display.counting import CountingLimiter, peak_memory


async def test_what_was_sent_counts_for_what_is_to_come():
    limiter = CountingLimiter(RateLimit(windows=((2, 60.0), (3, 3600.0))))
    assert limiter.seconds_for(2) == 0.0
    await limiter.acquire()
    limiter.release(RateLimitHeaders(200))
    assert limiter.seconds_for(1) == 0.0
    assert 59.0 < limiter.seconds_for(2) <= 60.0
    assert 3599.0 < limiter.seconds_for(3) <= 3600.0


async def test_every_attempt_and_every_429_is_counted():
    limiter = CountingLimiter(RateLimit())
    for reported in (RateLimitHeaders(204), RateLimitHeaders(429, retry_after=0.001), None):
        await limiter.acquire("bulk")
        limiter.release(reported)
    assert (limiter.sent, limiter.rate_limited) == (3, 1)


async def test_a_permit_that_was_not_used_is_not_counted():
    limiter = CountingLimiter(RateLimit())
    await limiter.acquire()
    limiter.release(sent=False)
    assert limiter.sent == 0
    assert limiter.status.windows[0].free == 250


async def test_what_waits_together_is_counted_once_and_while_it_goes_on():
    limiter = CountingLimiter(RateLimit(windows=((1, 0.1),)))
    await limiter.acquire()
    waiters = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
    await asyncio.sleep(0.02)
    so_far = limiter.waited
    assert so_far >= 0.01
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    at_the_end = limiter.waited
    assert at_the_end >= so_far
    await asyncio.sleep(0.01)
    assert limiter.waited == at_the_end


@pytest.mark.parametrize("has_proc", [True, False])
def test_the_peak_of_memory_is_in_bytes(monkeypatch, tmp_path, has_proc):
    if not has_proc:
        monkeypatch.setattr(counting, "_PROC_STATUS", tmp_path / "absent")
    assert 2**24 < peak_memory() < 2**36


def test_where_memory_is_not_known_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(counting, "_PROC_STATUS", tmp_path / "absent")
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory() is None
