"""One quota for many processes: the limiter whose windows are in Redis."""

import asyncio
from collections import Counter

import pytest

from aioregistry.sandbox import Limits, Sandbox

pytest.importorskip("redis")

from benchmarks.sharing import NEEDS_REDIS, RedisServer, Worker, redis_is_there

pytestmark = pytest.mark.skipif(not redis_is_there(), reason=NEEDS_REDIS)

WORKERS = 8
TAGS = 1200
SCALE = 40.0


@pytest.fixture
async def server():
    async with RedisServer().running() as server:
        yield server


@pytest.fixture
async def strict():
    """The API with both windows, 40 times faster: 250 in 1.5 s, and 5,000 in 90 s."""
    async with Sandbox(limits=Limits(scale=SCALE)) as sandbox:
        sandbox.state.push("example", "web", [f"t{number}" for number in range(TAGS)])
        yield sandbox


async def start(strict: Sandbox, server: RedisServer, names: list[list[str]]) -> list[Worker]:
    return [
        await Worker.start(strict.url, strict.token, server.port, SCALE, each) for each in names
    ]


def parts(strict: Sandbox) -> list[list[str]]:
    names = sorted(strict.state.tag_names("example", "web"))
    return [names[nth::WORKERS] for nth in range(WORKERS)]


def answers(strict: Sandbox) -> Counter[int | None]:
    return Counter(one.status for one in strict.requests)


@pytest.mark.slow(8)
async def test_eight_processes_share_a_token_and_meet_no_limit(strict, server):
    workers = await start(strict, server, parts(strict))
    await asyncio.gather(*(worker.go() for worker in workers))
    assert answers(strict) == {204: TAGS}
    assert strict.state.tag_names("example", "web") == []
    # Of the last window there is enough for all that is left: no quota is to be shared any more.
    end = sorted(done.at for worker in workers for done in worker.done)[TAGS - 250]
    shares = [sum(done.at <= end for done in worker.done) for worker in workers]
    # How equal exactly is measured where the machine has nothing else to do: it decides, too, which
    # process gets to ask.
    assert max(shares) <= 8 * min(shares), shares


@pytest.mark.exhaustive
async def test_dead_workers_and_a_redis_that_forgot_everything_meet_no_limit(strict, server):
    workers = await start(strict, server, parts(strict))
    running = [asyncio.create_task(worker.go()) for worker in workers]
    while sum(len(worker.done) for worker in workers) < 400:
        await asyncio.sleep(0.01)
    for worker in workers[:2]:
        worker.kill()
    await server.stop()
    await asyncio.sleep(0.3)
    await server.start()
    await asyncio.gather(*running)
    (successor,) = await start(strict, server, [[*workers[0].left, *workers[1].left]])
    await successor.go()
    statuses = answers(strict)
    assert 429 not in statuses
    assert strict.state.tag_names("example", "web") == []
    told = Counter(done.status for worker in [*workers, successor] for done in worker.done)
    # What a dead worker had deleted and not told, its successor finds gone.
    assert told["deleted"] + told["absent"] == TAGS
    assert told.total() == TAGS
    assert statuses[204] == TAGS
    assert told["absent"] == statuses[404]
