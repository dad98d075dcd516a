"""What one worker sees of the limiter in Redis."""

import asyncio
import hashlib

import pytest

pytest.importorskip("redis")

from aioregistry import ClientClosedError, RateLimit, RateLimitedError, RateLimitHeaders
from aioregistry.redis import RedisLimiter
from benchmarks.sharing import NEEDS_REDIS, RedisServer, redis_is_there
from tests.ratelimit.redis_servers import be_patient

pytestmark = [
    pytest.mark.slow(1),
    pytest.mark.skipif(not redis_is_there(), reason=NEEDS_REDIS),
]

TOKEN = "dop_v1_secret"
# On no machine is it so long until its windows end; the brief one is for what waits for that.
QUOTA = RateLimit(windows=((5, 30.0), (20, 60.0)), burst=1000)
BRIEF = RateLimit(windows=((5, 1.0), (20, 60.0)), burst=1000)
OK = RateLimitHeaders(204)


@pytest.fixture
async def server():
    async with RedisServer().running() as server:
        yield server


@pytest.fixture
async def redis(server):
    async with server.client() as client:
        await client.flushall()
        yield client


@pytest.fixture
async def make(redis, monkeypatch):
    be_patient(monkeypatch)
    made = []

    def make(quota: RateLimit = QUOTA, **options) -> RedisLimiter:
        limiter = RedisLimiter(redis, TOKEN, quota, **options)
        made.append(limiter)
        return limiter

    yield make
    for limiter in made:
        await limiter.close()


async def take(limiter: RedisLimiter, count: int, reported: RateLimitHeaders | None = OK) -> None:
    for _ in range(count):
        await limiter.acquire()
        limiter.release(reported)
    await told(limiter)


async def goes(limiter: RedisLimiter) -> bool:
    """Whether a permit is given before a window of `QUOTA` ends, however busy the machine."""
    return await goes_within(20, limiter)


async def goes_at_once(limiter: RedisLimiter) -> bool:
    """For what must not be so: a busy machine may take longer to give a permit."""
    return await goes_within(0.2, limiter)


async def goes_within(seconds: float, limiter: RedisLimiter) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await limiter.acquire()
    except TimeoutError:
        return False
    limiter.release(sent=False)
    return True


def now() -> float:
    return asyncio.get_running_loop().time()


async def told(limiter: RedisLimiter) -> None:
    """Wait until Redis knows all."""
    while not (limiter._worker_task is None or limiter._worker_task.done()):
        await asyncio.sleep(0.005)


async def test_a_window_holds_no_more_than_its_limit(make):
    limiter, begun = make(BRIEF), now()
    await take(limiter, 6)
    assert now() - begun >= 1.0


async def test_another_process_sees_what_was_used(make):
    await take(make(), 5)
    assert not await goes_at_once(make())


async def test_a_permit_counts_from_its_answer(make):
    limiter = make(BRIEF)
    await take(limiter, 1)
    for _ in range(4):
        await limiter.acquire()
    await asyncio.sleep(1.1)
    await limiter.acquire()
    answered = now()
    for _ in range(5):
        limiter.release(OK)
    await limiter.acquire()
    limiter.release(OK)
    assert now() - answered >= 1.0


async def test_a_permit_that_was_not_used_comes_back_at_once(make):
    limiter = make()
    await take(limiter, 4)
    await limiter.acquire()
    limiter.release(sent=False)
    assert await goes(limiter)


async def test_the_servers_word_closes_the_gate_for_all(make):
    one, other = make(), make()
    await take(one, 1)
    answered = now()
    await take(one, 1, RateLimitHeaders(429, retry_after=0.6))
    await other.acquire()
    other.release(OK)
    assert now() - answered >= 0.6


async def test_what_others_used_of_the_longer_window_is_believed(make):
    one, other = make(), make()
    await take(one, 1, RateLimitHeaders(200, limit=20, remaining=0, reset_after=30.0))
    assert not await goes_at_once(other)
    assert other.status.windows[1].used_by_others == 19


async def test_others_that_are_gone_are_forgotten(make):
    limiter = make()
    await take(limiter, 1, RateLimitHeaders(200, limit=20, remaining=10, reset_after=30.0))
    assert limiter.status.windows[1].used_by_others == 9
    await take(limiter, 1, RateLimitHeaders(200, limit=20, remaining=14, reset_after=30.0))
    assert limiter.status.windows[1].used_by_others == 4


async def test_a_dead_workers_permits_come_back(make):
    dead, other = make(BRIEF, lease=0.2), make(BRIEF, lease=0.2)
    await take(dead, 1)
    begun = now()
    for _ in range(4):
        await dead.acquire()
    await take(other, 2)
    # A request that was not answered may have arrived when the lease ended.
    assert now() - begun >= 1.2


async def test_data_that_are_lost_close_the_gate_for_a_shortest_window(make, redis):
    limiter = make(BRIEF)
    await take(limiter, 3)
    lost = now()
    await redis.flushall()
    # Then one request alone, whose answer tells what is left.
    await limiter.acquire()
    assert now() - lost >= 1.0
    assert not await goes_at_once(limiter)
    limiter.release(OK)
    assert await goes(limiter)


async def test_who_waits_for_longer_than_max_wait_is_refused(make):
    limiter = make(RateLimit(windows=((1, 60.0),), max_wait=0.1))
    await take(limiter, 1)
    with pytest.raises(RateLimitedError, match=r"within the 0.1 s of max_wait"):
        await limiter.acquire()


async def test_who_gives_up_leaves_no_permit_behind(make):
    limiter = make()
    await take(limiter, 4)
    for _ in range(20):
        task = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await told(limiter)
    assert await goes(limiter)


@pytest.mark.parametrize("way", ["cancelled", "max_wait"])
async def test_who_gives_up_in_the_moment_in_which_a_permit_comes_gives_it_back(
    make, monkeypatch, way
):
    limiter = make(RateLimit(windows=QUOTA.windows, burst=1000, max_wait=60.0))
    await take(limiter, 4)
    grant, waits, timeout = limiter._grant, [], asyncio.timeout

    def watched(seconds: float | None) -> asyncio.Timeout:
        waits.append(timeout(seconds))
        return waits[-1]

    def give_and_give_up(reply) -> None:
        grant(reply)
        # The permit is there, and who waited for it has not gone on yet.
        if way == "cancelled":
            task.cancel()
        else:
            waits[0]._on_timeout()

    task = asyncio.create_task(limiter.acquire())
    with monkeypatch.context() as patch:
        patch.setattr(limiter, "_grant", give_and_give_up)
        patch.setattr(asyncio, "timeout", watched)
        (error,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(error, asyncio.CancelledError if way == "cancelled" else RateLimitedError)
    await told(limiter)
    assert await goes(limiter)


async def test_interactive_requests_go_first(make):
    limiter = make(RateLimit(windows=((1, 0.2), (100, 60.0))))
    await take(limiter, 1)
    order = []

    async def wait(name: str, priority: str) -> None:
        await limiter.acquire(priority)
        order.append(name)
        limiter.release(OK)

    await asyncio.gather(
        wait("bulk", "bulk"), wait("bulk", "bulk"), wait("interactive", "interactive")
    )
    assert order == ["interactive", "bulk", "bulk"]


@pytest.mark.slow(6)
async def bulk_before_people(worker: RedisLimiter, site: RedisLimiter) -> int:
    """How many requests of bulk work went, of three, before the last of three interactive ones."""
    # By turns alone it would now be the worker's.
    await take(site, 1)
    order = []

    async def wait(limiter: RedisLimiter, name: str, priority: str) -> None:
        await limiter.acquire(priority)
        order.append(name)
        limiter.release(OK)

    jobs = [asyncio.create_task(wait(worker, "bulk", "bulk")) for _ in range(3)]
    await asyncio.sleep(0.05)
    # What a busy machine let through before they came.
    before = len(order)
    people = [asyncio.create_task(wait(site, "interactive", "interactive")) for _ in range(3)]
    await asyncio.gather(*jobs, *people)
    last = len(order) - order[::-1].index("interactive")
    return order[before:last].count("bulk")


async def test_interactive_requests_of_one_go_before_bulk_work_of_another(make):
    quota = RateLimit(windows=((1, 1.0), (100, 60.0)))
    worker, site = make(quota), make(quota)
    counts: list[int] = []
    # One may have been under way to it; where this machine stood still for a window, more.
    while not counts or counts[-1] > 1:
        assert len(counts) < 5, counts
        counts.append(await bulk_before_people(worker, site))


async def test_the_token_is_in_no_key_and_no_value(make, redis):
    await take(make(), 2)
    keys = await redis.keys("*")
    assert keys
    assert all(TOKEN.encode() not in key for key in keys)
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()[:32]
    assert all(f"aioregistry:{digest}".encode() in key for key in keys)
    for key in keys:
        assert TOKEN.encode() not in await redis.dump(key)


async def test_nothing_stays_in_redis_for_ever(make, redis):
    limiter = make(lease=1.0)
    await take(limiter, 2)
    await told(limiter)
    for key in await redis.keys("*"):
        assert 0 < await redis.pttl(key) <= 62_000


async def test_headroom_is_left_to_others(make):
    limiter = make(RateLimit(windows=((10, 60.0),), headroom=0.5))
    await take(limiter, 5)
    assert not await goes_at_once(limiter)


async def test_a_closed_limiter_gives_nothing(make):
    limiter = make(RateLimit(windows=((1, 60.0),)))
    await take(limiter, 1)
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0.05)
    await limiter.close()
    with pytest.raises(ClientClosedError):
        await waiting
    with pytest.raises(ClientClosedError):
        await limiter.acquire()


async def test_what_is_over_is_told_before_the_end(make):
    limiter, other = make(), make()
    await take(limiter, 1)
    for _ in range(4):
        await limiter.acquire()
    for _ in range(4):
        limiter.release(sent=False)
    await limiter.close()
    assert await goes(other)


async def test_the_status_counts_all_who_share(make):
    one, other = make(), make()
    await take(one, 3)
    await take(other, 1)
    await told(other)
    assert other.status.windows[0].used == 4
    assert other.status.windows[0].free == 1
    assert other.seconds_for(1) == 0
    assert other.seconds_for(2) == 30.0
    assert other.seconds_for(40) >= 60.0


@pytest.mark.parametrize(
    "options", [{"share": 0}, {"share": 1.1}, {"lease": 0}, {"when_away": "panic"}]
)
async def test_options_that_make_no_sense_are_refused(make, options):
    with pytest.raises(ValueError, match=r"must be"):
        make(**options)


@pytest.fixture
async def away():
    """A Redis that can be stopped and started."""
    async with RedisServer().running() as server, server.client() as client:
        yield server, client


async def test_fail_closed_waits_until_redis_is_back(away):
    server, client = away
    limiter = RedisLimiter(client, TOKEN, BRIEF)
    await take(limiter, 2)
    await server.stop()
    assert not await goes_at_once(limiter)
    await server.start()
    await asyncio.wait_for(limiter.acquire(), 60)
    limiter.release(OK)
    await limiter.close()


async def test_fail_open_goes_on_with_its_share_after_a_shortest_window(away):
    server, client = away
    limiter = RedisLimiter(client, TOKEN, BRIEF, when_away="fail_open", share=0.4)
    await take(limiter, 2)
    stopped = now()
    await server.stop()
    await limiter.acquire()
    assert now() - stopped >= 0.9
    limiter.release(OK)
    # Two of five are its share.
    begun = now()
    for _ in range(2):
        await limiter.acquire()
        limiter.release(OK)
    assert now() - begun >= 0.9
    await server.start()
    await asyncio.wait_for(limiter.acquire(), 60)
    limiter.release(OK)
    await told(limiter)
    # What went meanwhile counts there, too.
    assert limiter.status.windows[1].used == 4
    await limiter.close()


async def test_a_limiter_closes_while_redis_is_away(away):
    server, client = away
    limiter = RedisLimiter(client, TOKEN, QUOTA)
    await take(limiter, 1)
    await server.stop()
    limiter._over.append({"permit": "x", "sent": True})
    await asyncio.wait_for(limiter.close(), 60)


async def test_what_is_wrong_with_the_script_reaches_who_waits(make, redis):
    limiter = make()
    await take(limiter, 1)
    await told(limiter)
    (key,) = await redis.keys("*:state")
    await redis.set(key, "not a hash")
    with pytest.raises(Exception, match="WRONGTYPE"):
        await limiter.acquire()
