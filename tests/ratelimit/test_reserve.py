"""People before jobs: the reserve that bulk work leaves of each window."""

import asyncio

import pytest

from aioregistry import RateLimit, RateLimitedError, RateLimitHeaders, WindowLimiter
from aioregistry.ratelimit.reserve import Reserve
from tests.ratelimit.strict_server import virtual

OK = RateLimitHeaders(204)
HOUR = 3600.0
# The API's limits, 25 times smaller.
SMALL = RateLimit(windows=((10, 60.0), (200, HOUR)))


def now() -> float:
    return asyncio.get_running_loop().time()


async def request(limiter: WindowLimiter, priority: str, seconds: float = 0.1) -> float:
    """Send one, and return the seconds that it waited."""
    begun = now()
    await limiter.acquire(priority)
    waited = now() - begun
    await asyncio.sleep(seconds)
    limiter.release(OK)
    return waited


async def people(limiter: WindowLimiter, count: int, every: float) -> list[float]:
    """Send an interactive request every so many seconds, and return how long each waited."""
    waits = []
    for _ in range(count):
        await asyncio.sleep(every)
        waits.append(asyncio.ensure_future(request(limiter, "interactive")))
    return await asyncio.gather(*waits)


def job(limiter: WindowLimiter, count: int) -> "asyncio.Task[float]":
    """Start a job, which returns the seconds that it took."""

    async def run() -> float:
        begun = now()
        await asyncio.gather(*(request(limiter, "bulk") for _ in range(count)))
        return now() - begun

    return asyncio.create_task(run())


# By arithmetic.


def test_nothing_is_held_from_a_job_that_is_alone():
    assert Reserve(RateLimit()).held(0.0) == [0, 0]


def test_interactive_requests_before_a_job_hold_nothing():
    reserve = Reserve(RateLimit())
    reserve.count(0.0, beside_bulk=False)
    assert (reserve.active, reserve.held(1.0)) == (False, [0, 0])


def test_interactive_requests_beside_a_job_hold_as_many_more_and_a_fiftieth():
    reserve = Reserve(RateLimit())
    for minute in range(1, 11):
        reserve.count(60.0 * minute, beside_bulk=True)
    # A quarter more than one a minute; one of them in the last minute, ten in the hour.
    assert reserve.held(601.0) == [5 + 2 - 1, 100 + 75 - 10]


def test_a_crowd_holds_no_more_than_half():
    reserve = Reserve(RateLimit())
    for _ in range(100):
        reserve.count(0.0, beside_bulk=True)
    assert reserve.held(0.0) == [125 - 100, 2500 - 100]


def test_what_is_held_ends_a_period_after_the_last_interactive_request():
    reserve = Reserve(RateLimit())
    reserve.count(0.0, beside_bulk=True)
    assert reserve.held(HOUR - 1)[1] > 0
    assert (reserve.held(HOUR), reserve.active) == ([0, 0], False)


def test_a_share_is_held_from_the_start_and_for_good():
    reserve = Reserve(RateLimit(reserve=0.1))
    assert reserve.held(0.0) == [25, 500]
    reserve.count(0.0, beside_bulk=False)
    assert reserve.held(1.0) == [24, 499]
    assert reserve.held(2 * HOUR) == [25, 500]


def test_a_share_is_taken_of_what_headroom_leaves():
    assert Reserve(RateLimit(reserve=0.1, headroom=0.5)).held(0.0) == [12, 250]


def test_a_share_of_nothing_holds_nothing():
    reserve = Reserve(RateLimit(reserve=0.0))
    reserve.count(0.0, beside_bulk=True)
    assert (reserve.active, reserve.held(0.0)) == (False, [0, 0])


@pytest.mark.parametrize("share", [None, 0.9])
def test_bulk_work_keeps_one_request_of_the_smallest_window(share):
    reserve = Reserve(RateLimit(windows=((1, 60.0),), reserve=share))
    reserve.count(0.0, beside_bulk=True)
    assert reserve.held(0.0) == [0]


@pytest.mark.parametrize(
    ("share", "free"), [(0.9, [25, 500]), (0.7, [75, 1500]), (0.1, [225, 4500])]
)
@virtual
async def test_headroom_leaves_exactly_its_share(share, free):
    status = WindowLimiter(RateLimit(headroom=share)).status
    assert [window.free for window in status.windows] == free


@pytest.mark.parametrize("wrong", [-0.1, 1.0])
def test_a_reserve_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="reserve"):
        RateLimit(reserve=wrong)


# At the limiter.


@virtual
async def test_one_request_a_minute_never_waits_beside_a_job_of_more_than_an_hour():
    limiter = WindowLimiter()
    deletes = job(limiter, 6_000)
    waits = await people(limiter, 75, 60.0)
    assert max(waits) < 1.0
    # Alone it would end with the fourth minute of the second hour.
    assert await deletes < HOUR + 6 * 60.0


@virtual
async def test_people_who_need_more_than_the_default_share_get_it():
    limiter = WindowLimiter(SMALL)
    deletes = job(limiter, 400)
    waits = await people(limiter, 120, 60.0)
    assert max(waits) < 1.0
    await deletes


@virtual
async def test_a_job_that_never_waits_is_beside_people_as_well():
    limiter = WindowLimiter()
    await request(limiter, "bulk")
    await request(limiter, "interactive")
    assert limiter.status.windows[1].reserved > 0


@virtual
async def test_a_job_that_ended_a_while_ago_is_not_beside_people():
    limiter = WindowLimiter()
    await request(limiter, "bulk")
    await asyncio.sleep(61.0)
    await request(limiter, "interactive")
    assert limiter.status.windows[1].reserved == 0


@virtual
async def test_who_comes_first_when_a_job_has_spent_its_part_does_not_wait():
    limiter = WindowLimiter(RateLimit(reserve=0.02))
    deletes = job(limiter, 6_000)
    await asyncio.sleep(30 * 60)
    assert limiter.status.windows[1].free == limiter.status.windows[1].reserved == 100
    assert await request(limiter, "interactive") < 0.001
    deletes.cancel()
    await asyncio.gather(deletes, return_exceptions=True)


@virtual
async def test_a_job_waits_in_its_turn_again_when_nobody_came():
    limiter = WindowLimiter(RateLimit(windows=((10, 10.0),), reserve=0.5))
    await job(limiter, 6)
    assert now() == pytest.approx(10.2, abs=0.1)


@virtual
async def test_a_job_is_told_how_long_it_takes_with_what_it_leaves():
    limiter = WindowLimiter(RateLimit(windows=((10, 10.0),), reserve=0.5))
    assert [limiter.seconds_for(count) for count in (5, 6, 11)] == [0.0, 10.0, 20.0]


@virtual
async def test_a_job_that_would_wait_too_long_for_its_part_is_refused_at_once():
    limiter = WindowLimiter(RateLimit(windows=((10, 10.0),), reserve=0.5, max_wait=1.0))
    await job(limiter, 5)
    with pytest.raises(RateLimitedError, match=r"no quota for another 10\.0 s"):
        await limiter.acquire("bulk")
    assert await request(limiter, "interactive") < 0.001


@virtual
async def test_a_job_goes_on_when_people_stay_away_though_no_permit_comes_back():
    limiter = WindowLimiter(RateLimit(windows=((100, 10.0), (200, HOUR))))
    deletes = job(limiter, 180)
    await asyncio.sleep(1.0)
    for _ in range(8):
        await request(limiter, "interactive")
    await asyncio.sleep(60.0)
    assert limiter.status.windows[1].reserved > 0
    assert not deletes.done()
    # Their rate, and what is held for it, falls with every period in which none comes.
    await deletes
    assert now() < HOUR
