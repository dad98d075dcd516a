"""The shared quota at real servers: Redis, Valkey, a cluster, Sentinel, and what befalls them."""

import asyncio
import contextlib
import logging
import re
from pathlib import Path

import pytest

pytest.importorskip("redis")

import redis.asyncio
from redis.asyncio.sentinel import Sentinel

import aioregistry.ratelimit
from aioregistry import RateLimit, RateLimitHeaders, SharedQuotaError
from aioregistry.redis import RedisLimiter
from tests.ratelimit.redis_servers import (
    ANY,
    PROGRAMS,
    Server,
    be_patient,
    cluster_of_six,
    until,
)

pytestmark = pytest.mark.slow(1)

TOKEN = "dop_v1_secret"
OK = RateLimitHeaders(204)
QUOTA = RateLimit(windows=((10, 1.0), (1000, 60.0)), burst=1000)
# On no machine does it take so long until something comes that does not wait for a window.
LONG, SOON = 120.0, 60.0
MANUAL = Path(aioregistry.ratelimit.__file__).with_name("README.md").read_text("utf-8")
COMMANDS = set(re.findall(r"\+([a-z]+)", MANUAL))


def now() -> float:
    return asyncio.get_running_loop().time()


def most_in(period: float, times: list[float]) -> int:
    return max(sum(at <= other < at + period for other in times) for at in times)


async def send(
    limiter: RedisLimiter, seconds: float, workers: int = 4, at_least: int = 0
) -> list[float]:
    """Use all the permits that there are for so long, and return when each was given.

    On a busy machine it goes on until there are as many as must come, but not for ever.
    """
    times, begun = [], now()

    async def work() -> None:
        while True:
            await limiter.acquire("bulk")
            times.append(now())
            limiter.release(OK)

    working = [asyncio.create_task(work()) for _ in range(workers)]
    while now() < begun + seconds or (len(times) < at_least and now() < begun + SOON):
        await asyncio.wait(working, timeout=0.05)
        for task in working:
            if task.done():
                task.result()
    for task in working:
        task.cancel()
    await asyncio.wait(working)
    return times


async def waits(limiter: RedisLimiter, priority: str = "interactive") -> float:
    """Take a permit, give it back used, and return how long it took."""
    begun = now()
    async with asyncio.timeout(LONG):
        await limiter.acquire(priority)
    limiter.release(OK)
    return now() - begun


@pytest.fixture(params=PROGRAMS)
def program(request):
    return request.param


@pytest.fixture(autouse=True)
def patient(request, monkeypatch):
    if "impatient" not in request.fixturenames:
        be_patient(monkeypatch)


@pytest.fixture
def impatient():
    """For what stops a server."""


@pytest.fixture
async def server(program):
    async with Server(program).running() as server:
        yield server


@pytest.fixture
async def client(server):
    async with server.client() as client:
        yield client


async def test_the_window_is_kept_by_every_server(client):
    async with RedisLimiter(client, TOKEN, QUOTA) as limiter:
        times = await send(limiter, 2.2, at_least=21)
    assert most_in(0.95, times) <= 10
    assert len(times) >= 21


async def test_scripts_that_a_server_forgot_are_sent_again(client):
    async with RedisLimiter(client, TOKEN, RateLimit(windows=((10, LONG),))) as limiter:
        await waits(limiter)
        await client.script_flush()
        assert await waits(limiter) < SOON


async def test_a_job_leaves_its_reserve_to_people_of_another_worker(client):
    quota = RateLimit(windows=((10, LONG),), reserve=0.2)
    async with (
        RedisLimiter(client, TOKEN, quota) as worker,
        RedisLimiter(client, TOKEN, quota) as web,
    ):
        times = await send(worker, 1.0, at_least=8)
        assert len(times) == 8
        assert [await waits(web) < SOON, await waits(web) < SOON] == [True, True]


async def test_a_job_that_is_alone_leaves_nothing(client):
    async with RedisLimiter(client, TOKEN, RateLimit(windows=((10, LONG),))) as worker:
        assert len(await send(worker, 0.7, at_least=10)) == 10


@pytest.mark.parametrize("program", ANY)
@pytest.mark.slow(6)
async def test_people_beside_a_job_are_left_what_they_need(client):
    quota = RateLimit(windows=((20, 2.0), (40, 30.0)), burst=1000)
    async with (
        RedisLimiter(client, TOKEN, quota) as worker,
        RedisLimiter(client, TOKEN, quota) as web,
    ):
        job = asyncio.create_task(send(worker, 6.0))
        people = []
        for _ in range(5):
            await asyncio.sleep(1.0)
            people.append(await waits(web))
        assert web.status.windows[1].reserved > 0
        await job
    # The job alone would have spent the 40 after two seconds, and there are more after 30.
    assert max(people) < 12


@pytest.mark.parametrize("key", ["flight", "past", "others1"])
async def test_one_lost_key_closes_the_gate_for_a_shortest_window(client, key):
    async with RedisLimiter(client, TOKEN, QUOTA) as limiter:
        await waits(limiter)
        await limiter.acquire()
        await limiter.acquire()
        limiter.release(RateLimitHeaders(204, 1000, 900, None, None, 30.0, 0.1))
        if key != "flight":
            limiter.release(OK)
        await asyncio.sleep(0.1)
        (lost,) = await client.keys(f"*:{key}")
        await client.delete(lost)
        assert 0.9 < await waits(limiter) < 40
        if key == "flight":
            limiter.release(OK)


async def test_a_lost_state_closes_the_gate_even_for_who_was_not_there(client):
    async with RedisLimiter(client, TOKEN, QUOTA) as limiter:
        await waits(limiter)
    await client.delete(*await client.keys("*:state"))
    async with RedisLimiter(client, TOKEN, QUOTA) as other:
        assert 0.9 < await waits(other) < 40


@pytest.mark.parametrize("seconds", [60, 3600])
async def test_a_clock_that_steps_back_keeps_nobody_waiting(client, seconds):
    async with RedisLimiter(client, TOKEN, QUOTA) as limiter:
        await waits(limiter)
        await asyncio.sleep(0.1)
        # All that was written is put ahead, as if the clock had been.
        for key in await client.keys("*"):
            if await client.type(key) == b"zset":
                for member, score in await client.zrange(key, 0, -1, withscores=True):
                    await client.zadd(key, {member: score + seconds})
            for field, value in (await client.hgetall(key)).items() if b"state" in key else ():
                if float(value.split(b"@")[-1]) > 1e9 and b"@" not in value:
                    await client.hset(key, field, float(value) + seconds)
        begun = now()
        times = await send(limiter, 1.5, at_least=15)
    assert most_in(0.95, times) <= 10
    assert times[14] < begun + 50


async def test_a_user_who_may_do_what_the_manual_names_is_enough(client, server):
    rules = [f"+{command}" for command in COMMANDS]
    user = ("ACL", "SETUSER", "quota", "on", ">secret", "~{aioregistry:*", *rules)
    await client.execute_command(*user)
    async with (
        server.client(username="quota", password="secret") as narrow,
        RedisLimiter(narrow, TOKEN, QUOTA) as limiter,
    ):
        await limiter.acquire()
        limiter.release(RateLimitHeaders(429, 1000, 0, None, 0.1))
        assert await waits(limiter) < 40
        assert await send(limiter, 0.5, at_least=1)


@pytest.mark.parametrize("command", ["evalsha", "zadd"])
async def test_a_user_who_lacks_a_command_is_told_at_once(client, server, command):
    rules = [f"+{each}" for each in COMMANDS if each != command]
    await client.execute_command(
        "ACL", "SETUSER", "quota", "on", ">secret", "~{aioregistry:*", *rules
    )
    async with (
        server.client(username="quota", password="secret") as narrow,
        RedisLimiter(narrow, TOKEN, QUOTA, when_away="fail_open") as limiter,
    ):
        with pytest.raises(SharedQuotaError, match="ACL lacks a command"):
            await limiter.acquire()


async def test_a_wrong_password_is_told_at_once(client, server):
    await client.config_set("requirepass", "right")
    async with (
        server.client(password="wrong") as stranger,
        RedisLimiter(stranger, TOKEN, QUOTA) as limiter,
    ):
        with pytest.raises(SharedQuotaError, match="password"):
            await asyncio.wait_for(limiter.acquire(), SOON)


async def test_a_read_only_replica_is_waited_for_and_logged_once(client, server, caplog):
    async with RedisLimiter(client, TOKEN, QUOTA) as limiter:
        await waits(limiter)
        await client.execute_command("REPLICAOF", "127.0.0.1", server.port)
        with caplog.at_level(logging.INFO, logger="aioregistry"):
            waiting = asyncio.create_task(waits(limiter))
            # For several tries.
            await asyncio.sleep(0.6)
            async with asyncio.timeout(SOON):
                while limiter.status.away is None:
                    await asyncio.sleep(0.01)
            await client.execute_command("REPLICAOF", "NO", "ONE")
            assert await waiting < LONG
        assert limiter.status.away is None
    said = [record.getMessage() for record in caplog.records]
    assert [text.split(":")[0] for text in said] == [
        "Redis, with the shared quota, is away",
        "Redis, with the shared quota, is back",
    ]


@pytest.mark.parametrize("program", ANY)
@pytest.mark.slow(6)
async def test_a_server_that_hangs_is_away_and_the_limiter_closes(client, server, impatient):
    limiter = RedisLimiter(client, TOKEN, QUOTA, when_away="fail_open", share=0.3)
    await waits(limiter)
    server.freeze()
    try:
        assert 0.9 < await waits(limiter) < LONG
        async with asyncio.timeout(SOON):
            await limiter.close()
    finally:
        server.thaw()


@pytest.mark.parametrize("program", ANY)
@pytest.mark.slow(6)
async def test_evicted_keys_never_let_more_through_than_one_for_each_loss(program):
    options = ("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random")
    async with Server(program, *options).running() as server, server.client() as client:
        stop = asyncio.Event()

        async def fill() -> None:
            number = 0
            while not stop.is_set():
                with contextlib.suppress(redis.exceptions.RedisError):
                    await client.set(f"junk:{number}", "x" * 10_000)
                number += 1
                await asyncio.sleep(0.002)

        filling = asyncio.create_task(fill())

        async def is_full() -> bool:
            return (await client.info("stats"))["evicted_keys"] > 0

        await until(is_full)
        async with server.client() as another, RedisLimiter(another, TOKEN, QUOTA) as limiter:
            times = await send(limiter, 5.0, at_least=1)
        stop.set()
        await filling
    assert times
    assert most_in(0.95, times) <= QUOTA.windows[0][0] + 1


@pytest.mark.parametrize("program", ANY)
@pytest.mark.slow(8)
async def test_a_cluster_serves_while_the_quotas_slot_moves(program):
    async with (
        cluster_of_six(program) as nodes,
        redis.asyncio.RedisCluster(host="127.0.0.1", port=nodes[0].port) as cluster,
        RedisLimiter(cluster, TOKEN, QUOTA) as limiter,
    ):
        await waits(limiter)
        slot = cluster.keyslot(limiter._store._keys[0])
        masters = [node.client() for node in nodes[:3]]
        source = masters[min(slot // 5461, 2)]
        target = next(each for each in masters if each is not source)
        port = nodes[masters.index(target)].port
        ids = [await each.execute_command("CLUSTER", "MYID") for each in (source, target)]
        sending = asyncio.create_task(send(limiter, 6.0))
        await asyncio.sleep(0.5)
        await target.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        await source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        while keys := await source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1):
            await source.execute_command("MIGRATE", "127.0.0.1", port, keys[0], 0, 2000)
            await asyncio.sleep(0.1)
        for master in (target, source, *masters):
            await master.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
        times = await sending
        # It goes on at the new place.
        times += await send(limiter, 1.0, at_least=5)
        assert len(times) >= 5
        assert most_in(0.95, times) <= 10
        assert await waits(limiter) < SOON
        assert limiter.status.away is None
        for master in masters:
            await master.aclose()


@pytest.mark.parametrize("program", ANY)
@pytest.mark.slow(8)
async def test_sentinel_names_a_new_master_when_the_old_one_is_killed(program, caplog, impatient):
    master, replica = Server(program), Server(program)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(master.running())
        await stack.enter_async_context(replica.running())
        async with replica.client() as client:
            await client.execute_command("REPLICAOF", "127.0.0.1", master.port)
        watching = await stack.enter_async_context(sentinel_of(program, master.port))
        sentinel = Sentinel([("127.0.0.1", watching.port)], socket_timeout=0.5)
        client = await stack.enter_async_context(sentinel.master_for("quota"))

        async def replica_is_known() -> bool:
            return bool(await sentinel.discover_slaves("quota"))

        await until(replica_is_known)
        async with RedisLimiter(client, TOKEN, QUOTA) as limiter:
            await waits(limiter)
            await asyncio.sleep(0.5)
            await master.stop()
            with caplog.at_level(logging.INFO, logger="aioregistry"):
                assert await waits(limiter) < LONG
            assert limiter.status.away is None
            async with replica.client() as new:
                assert await new.keys("*:state")
        for each in sentinel.sentinels:
            await each.aclose()


@contextlib.asynccontextmanager
async def sentinel_of(program: str, port: int):
    """A sentinel that calls a master down after half a second."""
    server = Server(program, "--sentinel")
    server.with_file(
        f"sentinel monitor quota 127.0.0.1 {port} 1\n"
        "sentinel down-after-milliseconds quota 500\n"
        "sentinel failover-timeout quota 3000\n"
    )
    async with server.running():
        yield server
