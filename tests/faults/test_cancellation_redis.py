"""Cancellations at a bad moment while the quota is kept in Redis."""

import asyncio

import pytest

pytest.importorskip("redis")

from aioregistry import ClientClosedError, RateLimit
from aioregistry.redis import RedisLimiter
from benchmarks.sharing import NEEDS_REDIS, RedisServer, redis_is_there
from tests.ratelimit.redis_servers import be_patient

pytestmark = pytest.mark.skipif(not redis_is_there(), reason=NEEDS_REDIS)

QUOTA = RateLimit(windows=((1, 0.5), (100, 60.0)), burst=1000)


@pytest.fixture
async def client(monkeypatch):
    be_patient(monkeypatch)
    async with RedisServer().running() as server, server.client() as client:
        yield client


async def _waiting(limiter: RedisLimiter) -> asyncio.Task[None]:
    """Return a task that waits for the second permit of a window of one."""
    await limiter.acquire()
    limiter.release()
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0.05)
    return waiting


async def test_who_is_cancelled_while_turned_away_gives_nothing_back(client):
    limiter = RedisLimiter(client, "token", QUOTA)
    waiting = await _waiting(limiter)
    limiter._turn_away(ClientClosedError("closed"))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await limiter.close()


async def test_closed_while_it_naps_a_limiter_leaves_no_task(client):
    before = asyncio.all_tasks()
    limiter = RedisLimiter(client, "token", QUOTA)
    waiting = await _waiting(limiter)
    await limiter.close()
    with pytest.raises(ClientClosedError):
        await waiting
    assert asyncio.all_tasks() == before


async def test_who_gives_up_while_redis_is_away_leaves_no_task_behind():
    async with RedisServer().running() as server, server.client() as client:
        before = asyncio.all_tasks()
        limiter = RedisLimiter(client, "token", QUOTA)
        await limiter.acquire()
        await server.stop()
        limiter.release()
        await asyncio.sleep(0.05)
        await limiter.close()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before


async def test_who_sends_while_all_tasks_are_cancelled_gets_a_permit(client):
    limiter = RedisLimiter(client, "token", QUOTA)
    await limiter.acquire()
    limiter.release()

    async def work() -> None:
        try:
            await limiter.acquire()
        finally:
            await limiter.acquire()
            limiter.release()

    working = asyncio.create_task(work())
    await asyncio.sleep(0.05)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    _, waiting = await asyncio.wait([working], timeout=60)
    assert not waiting
    assert working.cancelled()
    await limiter.close()
