"""Every wait in the limiter ends: by time where time alone is enough, however slow answers are."""

import asyncio
import math
from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from aioregistry import RateLimit, RateLimitHeaders, WindowLimiter
from aioregistry.ratelimit.windows import RollingWindow
from tests.ratelimit.strict_server import virtual

OK = RateLimitHeaders(204)


def remaining(requests: int, limit: int, reset_after: float) -> RateLimitHeaders:
    return RateLimitHeaders(200, limit, requests, None, None, reset_after, 0.1)


steps = st.lists(
    st.tuples(
        st.floats(0, 20).map(lambda seconds: round(seconds, 2)),
        st.sampled_from(["take", "answer", "others leave", "others come", "probe", "settle"]),
        st.integers(0, 4),
    ),
    max_size=40,
)


def served_at(window: RollingWindow, now: float, ahead: int) -> float:
    """Return when time alone frees more than `ahead`, by looking every hundredth of a second."""
    window = deepcopy(window)
    for step in range(12_000):
        if window.free(now + step / 100) > ahead:
            return now + step / 100
    return math.inf


@given(st.integers(1, 8), steps, st.integers(0, 2))
def test_a_window_opens_when_it_says_and_no_earlier(limit, steps, ahead):
    window, now = RollingWindow(limit, 10.0, others_timeout=12.5), 0.0
    for gap, step, count in steps:
        now = round(now + gap, 2)
        if step == "take" and window.free(now) > 0:
            window.take(now)
        elif step == "answer" and window.in_flight:
            window.give_back(now, sent=True)
        elif step == "others leave":
            window.add_others(count, now + 1.0, now + 10.0)
        elif step == "others come":
            window.observe_others(count, now)
        elif step == "settle":
            window.cap_others(count)
        elif step == "probe":
            window.probing = True
    right = served_at(window, now, ahead)
    looked, at = 0, window.opens_at(now, ahead)
    while now < at < math.inf:
        assert looked < 50, "it looks again and again"
        looked, now = looked + 1, at
        at = window.opens_at(now, ahead)
    assert math.isclose(at, right, abs_tol=0.02) or at == right


async def ends(waiter: "asyncio.Future[None]", seconds: float) -> bool:
    await asyncio.wait([waiter], timeout=seconds)
    return waiter.done()


@virtual
async def test_room_that_others_leave_is_taken_though_an_answer_is_slow():
    limiter = WindowLimiter(RateLimit(windows=((5, 6.0), (20, 60.0))))
    await limiter.acquire()
    limiter.release(remaining(1, 20, 30.0))  # 18 of others
    await limiter.acquire()
    assert await ends(asyncio.ensure_future(limiter.acquire()), 61.0)


@virtual
async def test_room_that_is_held_for_others_is_taken_though_an_answer_is_slow():
    limiter = WindowLimiter(RateLimit(windows=((20, 60.0),)))
    await limiter.acquire()
    limiter.release(remaining(19, 20, 60.0))
    await limiter.acquire()
    limiter.release(remaining(0, 20, 60.0))  # 18 of others came meanwhile
    await asyncio.sleep(59.0)
    slow = asyncio.ensure_future(limiter.acquire())
    # They leave after a minute, their room is held for another while, then it is tried.
    assert await ends(slow, 80.0)
    assert await ends(asyncio.ensure_future(limiter.acquire()), 2 * 75.0 + 1)


@virtual
async def test_a_probe_that_is_never_answered_is_no_longer_waited_for():
    limiter = WindowLimiter(RateLimit(windows=((10, 10.0),)))
    await limiter.acquire()
    limiter.release(RateLimitHeaders(429, retry_after=1.0))
    await limiter.acquire()
    assert await ends(asyncio.ensure_future(limiter.acquire()), 1.0 + 12.5 + 10.0)


@virtual
async def test_bulk_work_is_served_though_an_answer_is_slow():
    limiter = WindowLimiter(RateLimit(windows=((20, 60.0),), reserve=0.1))
    await limiter.acquire()
    limiter.release(remaining(1, 20, 30.0))
    await limiter.acquire()
    assert await ends(asyncio.ensure_future(limiter.acquire("bulk")), 61.0)
