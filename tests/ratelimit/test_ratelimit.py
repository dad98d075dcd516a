"""The limiter at a strict server, an hour in milliseconds, and its manners among waiters."""

import asyncio
import itertools
from collections.abc import Callable, Iterable
from random import Random

import pytest

from aioregistry.errors import ClientClosedError, RateLimitedError
from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import Limiter, RateLimit
from aioregistry.ratelimit.windows import RollingWindow
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

OK = RateLimitHeaders(204)
IN_FLIGHT = 32


def steady() -> Callable[[], float]:
    return constant(0.05)


def jittered() -> Callable[[], float]:
    return uniform(0.0, 0.4)


def now() -> float:
    return asyncio.get_running_loop().time()


def too_many(retry_after: float | None, reset_after: float | None = None) -> RateLimitHeaders:
    return RateLimitHeaders(429, 5000, 0, None, retry_after, reset_after)


def remaining(requests: int, limit: int = HOUR[0], reset_after: float = 60.0) -> RateLimitHeaders:
    return RateLimitHeaders(204, limit, requests, EPOCH, None, reset_after)


async def take(limiter: Limiter, count: int, reported: RateLimitHeaders | None = OK) -> None:
    for _ in range(count):
        await limiter.acquire()
        limiter.release(reported)


async def settle() -> None:
    """Let everything happen that can happen without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


async def job(server: StrictServer, count: int, limiter: Limiter | None = None) -> float:
    """Send `count` requests as a bulk delete does, and return the seconds that it took."""
    begun = now()
    session = Session(server, limiter or WindowLimiter(), RetryPolicy())
    session.open()
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await session.send(DELETE, priority="bulk")

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    await session.close()
    return now() - begun


def most_in(period: float, times: Iterable[float]) -> int:
    times, most, first = sorted(times), 0, 0
    for last, at in enumerate(times):
        while times[first] + period <= at:
            first += 1
        most = max(most, last - first + 1)
    return most


# Alone on the token.


@pytest.mark.parametrize(
    ("count", "latency", "ratio"),
    [
        *((count, steady, 1.02) for count in (250, 1_000, 5_000)),
        *((count, jittered, 1.03) for count in (250, 1_000, 5_000)),
        pytest.param(20_000, jittered, 1.03, marks=pytest.mark.slow(2)),
        pytest.param(20_000, steady, 1.02, marks=pytest.mark.exhaustive),
    ],
)
@virtual
async def test_a_job_alone_is_never_rejected_and_as_short_as_can_be(count, latency, ratio):
    server = StrictServer(latency())
    took = await job(server, count)
    assert server.rejected == []
    assert took <= max(4.0, ratio * best_possible(count, MINUTE, HOUR))


@virtual
async def test_no_window_ever_holds_more_than_its_limit():
    server = StrictServer(jittered(), windows=((10**6, 1.0),))
    await job(server, 6_000)
    assert most_in(MINUTE[1], server.accepted) == MINUTE[0]
    assert most_in(HOUR[1], server.accepted) == HOUR[0]


@virtual
async def test_answers_that_never_come_cost_no_more_than_their_window():
    server = StrictServer(jittered())
    limiter = WindowLimiter()

    async def give_up_on_some() -> None:
        for nth in range(400):
            await limiter.acquire()
            await asyncio.sleep(server.latency())
            answer = server.count(now())
            limiter.release(
                None
                if nth % 3 == 0
                else RateLimitHeaders.parse(answer.status, answer.headers, EPOCH)
            )

    await give_up_on_some()
    assert server.rejected == []


@virtual
async def test_bursts_are_shaped():
    server = StrictServer(constant(0.0))
    await job(server, 250)
    assert most_in(1.0, server.accepted) <= 200


@virtual
async def test_a_burst_within_the_bucket_does_not_wait():
    await take(WindowLimiter(), 100)
    assert now() < 0.001


# With others on the same token.


class SecondClient:
    """Sends within its share of the quota, and waits when it is rejected."""

    def __init__(self, server: StrictServer, gap: Callable[[], float], per_hour: int) -> None:
        self._server = server
        self._gap = gap
        self._limiter = WindowLimiter(RateLimit(windows=((per_hour, HOUR[1]),)))
        self.rejected = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._gap())
            await self._limiter.acquire()
            while (answer := self._server.count(now())).status == 429:
                self.rejected += 1
                await asyncio.sleep(float(answer.headers.get("retry-after", 5)))
            self._limiter.release(OK)


def evenly(each_minute: float) -> Callable[[], float]:
    return lambda: 60.0 / each_minute


def at_random(each_minute: float) -> Callable[[], float]:
    random = Random(3)
    return lambda: random.expovariate(each_minute / 60.0)


def in_gusts(each_minute: float) -> Callable[[], float]:
    sent = itertools.count()
    return lambda: 60.0 if next(sent) % each_minute == 0 else 0.01


TAKING_30_PERCENT = {
    "evenly all the hour": (evenly, 25),
    "at random all the hour": (at_random, 25),
    "evenly while the hour allows": (evenly, 75),
    "at random while the hour allows": (at_random, 75),
    "in gusts": (in_gusts, 75),
}


@pytest.mark.slow(0.6)
@pytest.mark.parametrize(
    "before", [0.0, pytest.param(1_000.0, marks=pytest.mark.exhaustive), 4_000.0]
)
@pytest.mark.parametrize("latency", [pytest.param(steady, marks=pytest.mark.exhaustive), jittered])
@pytest.mark.parametrize("pattern", TAKING_30_PERCENT)
@virtual
async def test_a_second_client_is_left_its_share_and_costs_little(pattern, latency, before):
    gaps, each_minute = TAKING_30_PERCENT[pattern]
    server = StrictServer(latency())
    second = SecondClient(server, gaps(each_minute), per_hour=1_500)
    running = asyncio.ensure_future(second.run())
    await asyncio.sleep(before)
    theirs = second.rejected
    took = await job(server, 5_000)
    running.cancel()
    rejected = len(server.rejected) - second.rejected + theirs
    assert rejected <= 0.02 * 5_000
    left = best_possible(5_000, (MINUTE[0] - each_minute, MINUTE[1]), (HOUR[0] - 1_500, HOUR[1]))
    assert took <= 1.10 * left


@pytest.mark.slow(0.2)
@pytest.mark.parametrize("counts_rejected", [False, True])
@pytest.mark.parametrize("ago", [0.0, 5.0, 55.0])
@virtual
async def test_a_run_right_after_another_learns_of_it(ago, counts_rejected):
    server = StrictServer(steady(), counts_rejected=counts_rejected)
    await job(server, 2_000)
    await asyncio.sleep(ago)
    server.rejected.clear()
    took = await job(server, 1_000)
    # Those in flight at the first 429, and then one at a time.
    assert len(server.rejected) <= IN_FLIGHT + 2
    assert took <= 5 * 60.0


@virtual
async def test_none_starts_while_the_gate_is_closed():
    limiter = WindowLimiter()
    started = []

    async def one() -> None:
        await limiter.acquire()
        started.append(now())
        limiter.release(OK)

    await limiter.acquire()
    limiter.release(too_many(17.0))
    await asyncio.gather(*(one() for _ in range(50)))
    assert min(started) >= 17.0


@virtual
async def test_after_a_429_one_request_tries_before_all_go():
    limiter = WindowLimiter()
    await limiter.acquire()
    limiter.release(too_many(5.0))
    granted = [asyncio.ensure_future(limiter.acquire()) for _ in range(5)]
    await asyncio.sleep(20.0)
    assert [each.done() for each in granted] == [True, False, False, False, False]
    limiter.release(OK)
    await asyncio.sleep(60.0)
    assert all(each.done() for each in granted)


@pytest.mark.parametrize(
    ("reported", "closed"),
    [
        (too_many(17.0), 17.0),
        (too_many(0.25), 0.25),
        (too_many(None, 40.0), 40.0),
        (too_many(None), 1.0),
        (too_many(600.0), 600.0),
        (too_many(1e9), HOUR[1]),
        (too_many(None, 1e9), HOUR[1]),
    ],
)
@virtual
async def test_the_gate_is_closed_as_long_as_the_server_says_within_reason(reported, closed):
    limiter = WindowLimiter()
    await limiter.acquire()
    limiter.release(reported)
    await limiter.acquire()
    assert now() == pytest.approx(closed, abs=0.001)


@virtual
async def test_remaining_lower_than_ours_is_what_others_have_used():
    limiter = WindowLimiter()
    await take(limiter, 1, remaining(4_000))
    hour = limiter.status.windows[-1]
    assert (hour.used, hour.used_by_others, hour.free) == (1, 999, 4_000)


@virtual
async def test_others_that_come_while_we_send_are_in_all_windows():
    limiter = WindowLimiter()
    await take(limiter, 1, remaining(4_999))
    await take(limiter, 1, remaining(4_898))
    assert [window.used_by_others for window in limiter.status.windows] == [100, 100]


@virtual
async def test_requests_in_flight_are_not_taken_for_those_of_others():
    limiter = WindowLimiter()
    for _ in range(10):
        await limiter.acquire()
    limiter.release(remaining(4_990))
    assert limiter.status.windows[-1].used_by_others == 0


@virtual
async def test_a_remaining_of_another_limit_says_nothing():
    limiter = WindowLimiter()
    await take(limiter, 1, remaining(10, limit=100))
    assert limiter.status.windows[-1].used_by_others == 0


# Manners among waiters.


def spent(**options: float) -> WindowLimiter:
    """Return a limiter of one request in ten seconds."""
    return WindowLimiter(RateLimit(windows=((1, 10.0),), **options))


@virtual
async def test_first_come_first_served():
    limiter = spent()
    order = []

    async def one(name: int) -> None:
        await limiter.acquire()
        order.append(name)
        limiter.release(OK)

    await asyncio.gather(*map(one, range(20)))
    assert order == list(range(20))


@virtual
async def test_interactive_goes_before_bulk():
    limiter = spent()
    order = []

    async def one(priority: str) -> None:
        await limiter.acquire(priority)
        order.append(priority)
        limiter.release(OK)

    await asyncio.gather(*map(one, ["bulk", "bulk", "interactive", "bulk", "interactive"]))
    assert order == ["bulk", "interactive", "interactive", "bulk", "bulk"]


@virtual
async def test_nobody_overtakes_those_who_wait():
    limiter = spent()
    await take(limiter, 1)
    waiting = asyncio.ensure_future(limiter.acquire())
    await settle()
    overtaken = []

    def try_to_overtake() -> None:
        # There is quota again, and those who wait have not been woken yet.
        assert limiter.status.windows[0].free == 1
        late = limiter.acquire()
        try:
            late.send(None)
        except StopIteration:
            overtaken.append(now())
        late.close()

    asyncio.get_running_loop().call_at(limiter._quota.windows[0]._returns[0], try_to_overtake)
    await waiting
    assert overtaken == []


@virtual
async def test_one_at_a_time_waits_for_a_burst():
    """aiolimiter since 1.3 wakes whom there is room for: small waiters overtake large ones."""
    limiter = WindowLimiter(RateLimit(windows=((1000, 60.0),), burst=5))
    granted, waiting = [], []

    async def one(number: int) -> None:
        await limiter.acquire("bulk" if number % 3 else "interactive")
        waiting.append(len(limiter._bucket._waiters))
        granted.append(number)
        limiter.release(OK)

    await asyncio.gather(*map(one, range(60)))
    assert max(waiting) <= 1
    late = granted[5:]
    for kind in (True, False):
        numbers = [number for number in late if bool(number % 3) is kind]
        assert numbers == sorted(numbers)


async def cancel_in(limiter: WindowLimiter, seconds: float) -> None:
    task = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@virtual
async def test_who_is_cancelled_while_waiting_has_no_permit_and_loses_none():
    limiter = spent()
    await take(limiter, 1)
    await cancel_in(limiter, 5.0)
    assert (limiter.status.windows[0].used, limiter.status.waiting) == (1, 0)
    await limiter.acquire()
    assert now() == pytest.approx(10.0, abs=0.001)


@virtual
async def test_who_is_cancelled_right_after_the_grant_gives_the_permit_back():
    limiter = spent()
    await limiter.acquire()
    first = asyncio.ensure_future(limiter.acquire())
    second = asyncio.ensure_future(limiter.acquire())
    await settle()
    granted = next(iter(limiter._waiting["interactive"]))
    limiter.release(sent=False)
    while not granted.done():
        await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()
    assert limiter.status.windows[0].used == 1
    assert now() < 0.001


@virtual
async def test_the_last_who_waits_may_give_up_and_others_come_later():
    limiter = spent()
    await take(limiter, 1)
    await cancel_in(limiter, 5.0)
    await settle()
    assert limiter._dispatcher.done()
    await limiter.acquire()


@virtual
async def test_many_cancelled_in_the_middle_leave_the_others_their_order():
    limiter = spent()
    order = []

    async def one(name: int) -> None:
        await limiter.acquire()
        order.append(name)
        limiter.release(OK)

    tasks = [asyncio.ensure_future(one(name)) for name in range(10)]
    await asyncio.sleep(1.0)
    for task in tasks[2:7]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 1, 7, 8, 9]


@virtual
async def test_a_wait_that_would_be_too_long_is_refused_at_once():
    await asyncio.sleep(100.0)
    limiter = spent(max_wait=5.0)
    await take(limiter, 1)
    with pytest.raises(RateLimitedError) as caught:
        await limiter.acquire()
    assert now() < 100.001
    assert str(caught.value) == "no quota for another 10.0 s, and max_wait is 5 s"
    assert caught.value.retry_after == pytest.approx(10.0, abs=0.001)


async def two_that_return_at_10_and_14() -> WindowLimiter:
    """Return a limiter at 4 s where bulk waits for the first permit, and none may wait past 12."""
    limiter = WindowLimiter(RateLimit(windows=((2, 10.0),), max_wait=8.0))
    await take(limiter, 1)
    await asyncio.sleep(4.0)
    await take(limiter, 1)
    limiter.waiter = asyncio.ensure_future(limiter.acquire("bulk"))
    await settle()
    return limiter


@virtual
async def test_those_who_wait_before_count_for_the_foreseeable_wait():
    limiter = await two_that_return_at_10_and_14()
    with pytest.raises(RateLimitedError):
        await limiter.acquire("bulk")
    assert now() < 4.001


@virtual
async def test_interactive_requests_that_wait_count_for_bulk_with_those_before_it():
    limiter = WindowLimiter(RateLimit(windows=((3, 10.0),), max_wait=8.0))
    await take(limiter, 2)
    await asyncio.sleep(4.0)
    await take(limiter, 1)
    waiting = [asyncio.ensure_future(limiter.acquire(each)) for each in ("interactive", "bulk")]
    await settle()
    with pytest.raises(RateLimitedError):
        await limiter.acquire("bulk")
    assert now() < 4.1
    await asyncio.gather(*waiting)
    assert now() == pytest.approx(10.0, abs=0.1)


@virtual
async def test_requests_in_flight_are_the_first_of_those_that_are_yet_to_come():
    limiter = WindowLimiter(RateLimit(windows=((2, 10.0),)))
    await limiter.acquire()
    await limiter.acquire()
    assert [limiter.seconds_for(count) for count in (0, 2)] == [0.0, 0.0]
    assert limiter.seconds_for(3) == pytest.approx(10.0)


@virtual
async def test_a_closed_gate_makes_requests_take_as_long_as_it_is_closed():
    limiter = WindowLimiter()
    await limiter.acquire()
    limiter.release(too_many(30.0))
    assert limiter.seconds_for(1) == pytest.approx(30.0, abs=0.001)


@virtual
async def test_bulk_that_waits_does_not_count_for_an_interactive_request():
    limiter = await two_that_return_at_10_and_14()
    await limiter.acquire("interactive")
    assert now() == pytest.approx(10.0, abs=0.001)


@virtual
async def test_a_wait_that_no_one_could_foresee_ends_at_max_wait():
    limiter = spent(max_wait=5.0)
    await limiter.acquire()
    with pytest.raises(RateLimitedError, match="max_wait"):
        await limiter.acquire()
    assert now() == pytest.approx(5.0, abs=0.001)
    assert limiter.status.waiting == 0


@virtual
async def test_a_wait_within_max_wait_is_waited():
    limiter = spent(max_wait=10.5)
    await take(limiter, 2)
    assert now() == pytest.approx(10.0, abs=0.001)


@virtual
async def test_a_closed_gate_is_foreseeable():
    limiter = WindowLimiter(RateLimit(max_wait=5.0))
    await limiter.acquire()
    limiter.release(too_many(30.0))
    with pytest.raises(RateLimitedError):
        await limiter.acquire()
    assert now() < 0.001


@virtual
async def test_headroom_is_left_in_every_window():
    limiter = WindowLimiter(RateLimit(headroom=0.5))
    server = StrictServer(steady())
    await job(server, 2_600, limiter)
    assert most_in(MINUTE[1], server.accepted) == 125
    assert most_in(HOUR[1], server.accepted) == 2_500


@virtual
async def test_headroom_leaves_at_least_one_request():
    limiter = WindowLimiter(RateLimit(windows=((1, 10.0),), headroom=0.9))
    await limiter.acquire()
    assert limiter.status.windows[0].used == 1


@virtual
async def test_closing_turns_away_all_who_wait():
    limiter = spent()
    await take(limiter, 1)
    waiting = [asyncio.ensure_future(limiter.acquire(each)) for each in ("bulk", "interactive")]
    await settle()
    limiter.close()
    for each in waiting:
        with pytest.raises(ClientClosedError, match=r"^closed while waiting for quota$"):
            await each
    assert limiter.status.waiting == 0


@virtual
async def test_a_limiter_that_fails_fails_all_who_wait_and_keeps_nobody_waiting(monkeypatch):
    limiter = WindowLimiter(RateLimit(windows=((1, 60.0),)))
    await limiter.acquire()
    waiting = [asyncio.ensure_future(limiter.acquire()) for _ in range(3)]
    await settle()
    monkeypatch.setattr(limiter._quota, "opens_at", None)
    limiter.release(OK)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [TypeError] * 3


@virtual
async def test_a_closed_limiter_turns_away_who_comes_later():
    limiter = WindowLimiter()
    limiter.close()
    limiter.close()
    with pytest.raises(ClientClosedError, match=r"^the client is closed$"):
        await limiter.acquire()


@virtual
async def test_no_timer_and_no_task_is_left_when_nobody_waits():
    limiter = WindowLimiter()
    await take(limiter, 260)
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert all(timer.cancelled() for timer in asyncio.get_running_loop()._scheduled)


@virtual
async def test_ten_thousand_waiters_ask_the_windows_no_more_often_than_there_are_grants():
    limiter = WindowLimiter(RateLimit(windows=((20_000, 60.0),), burst=1e6))
    asked = 0

    class Counting(RollingWindow):
        __slots__ = ()

        def free(self, now: float) -> int:
            nonlocal asked
            asked += 1
            return super().free(now)

    limiter._quota.windows[0] = Counting(20_000, 60.0)
    limiter._quota.closed_until = 1.0
    await asyncio.gather(*(take(limiter, 1) for _ in range(10_000)))
    assert asked <= 4 * 10_000


@virtual
async def test_the_state_does_not_grow_beyond_the_window():
    limiter = WindowLimiter(RateLimit(windows=((5, 1.0),)))
    await take(limiter, 200)
    window = limiter._quota.windows[0]
    assert len(window._returns) + len(window._expired) <= 10


# What it tells, and what it is told.


@virtual
async def test_the_status_tells_use_waiters_and_the_next_free_moment():
    limiter = spent()
    await take(limiter, 1)
    await asyncio.sleep(4.0)
    waiting = asyncio.ensure_future(limiter.acquire())
    await settle()
    status = limiter.status
    assert (status.windows[0].used, status.windows[0].free, status.waiting) == (1, 0, 1)
    assert status.server == OK
    waiting.cancel()
    await settle()
    assert limiter.status.next_free == pytest.approx(6.0, abs=0.001)


@virtual
async def test_a_fresh_limiter_is_free_at_once():
    status = WindowLimiter().status
    assert (status.next_free, status.waiting, status.server) == (0.0, 0, None)
    assert [(window.limit, window.period, window.free) for window in status.windows] == [
        (250, 60.0, 250),
        (5_000, 3_600.0, 5_000),
    ]


@virtual
async def test_quota_scaled_in_time_keeps_the_limits():
    fast = RateLimit().scaled(1_000)
    assert fast.windows == ((250, 0.06), (5_000, 3.6))
    server = StrictServer(constant(0.0001), windows=fast.windows)
    took = await job(server, 1_000, WindowLimiter(fast))
    assert server.rejected == []
    assert took <= 1.05 * best_possible(1_000, *fast.windows)


def test_windows_are_in_the_order_of_their_periods():
    assert RateLimit(windows=((5_000, 3_600), (250, 60))).windows == RateLimit().windows


@pytest.mark.parametrize(
    "wrong",
    [
        {"windows": ()},
        {"windows": ((0, 60),)},
        {"windows": ((1, 0),)},
        {"burst": 0.5},
        {"headroom": 1.0},
        {"headroom": -0.1},
        {"max_wait": -1.0},
    ],
)
def test_a_quota_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError):
        RateLimit(**wrong)


@virtual
async def test_any_limiter_of_the_same_shape_works():
    class OneAtATime:
        def __init__(self) -> None:
            self._lock = asyncio.Lock()
            self.reports: list[RateLimitHeaders | None] = []

        async def acquire(self, priority: str = "interactive") -> None:
            await self._lock.acquire()

        def release(self, reported: RateLimitHeaders | None = None, *, sent: bool = True) -> None:
            self.reports.append(reported)
            self._lock.release()

    own = OneAtATime()
    server = StrictServer(constant(0.1))
    assert await job(server, 10, own) == pytest.approx(1.0, abs=0.001)
    assert [reported.status for reported in own.reports] == [204] * 10


@virtual
async def test_bulk_work_may_wait_where_people_may_not():
    limiter = WindowLimiter(RateLimit(windows=((1, 10.0),), max_wait=1.0, bulk_may_wait=True))
    await limiter.acquire()
    limiter.release(RateLimitHeaders(204))
    with pytest.raises(RateLimitedError):
        await limiter.acquire()
    await limiter.acquire("bulk")
    limiter.release(RateLimitHeaders(204))
    limiter.close()
