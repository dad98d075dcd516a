"""Jobs of several replicas whose server is away, stands still, or comes back empty."""

import asyncio
import threading
import time
from types import SimpleNamespace
from unittest.mock import AsyncMock

import msgspec
import pytest
from redis.client import Pipeline
from redis.exceptions import TimeoutError as NoAnswerError

from aioregistry.web import Jobs, JobStoreError, JobStoreRefusedError
from aioregistry.web.redis import RedisJobStore
from tests.ratelimit.redis_servers import REDIS, VALKEY, Server
from tests.web.test_replicas import any_server_is_old, replicas, seen_by

redis = pytest.importorskip("aioregistry.web.redis")

__all__ = ["any_server_is_old"]

pytestmark = [
    pytest.mark.skipif(not (REDIS or VALKEY), reason="needs valkey or redis-server"),
    pytest.mark.slow(2),
]


@pytest.fixture
async def server():
    async with Server(REDIS or VALKEY).running() as server:
        yield server


class Work:
    """Work that lasts until it may end, and who has begun it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.may_end = asyncio.Event()

    async def __call__(self, job) -> None:
        self.begun.append(job.id)
        await self.may_end.wait()
        job.tell(done=1)


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.slow(5)
async def test_a_server_that_stood_still_for_longer_than_lives_ends_no_job_and_doubles_none(
    server, monkeypatch
):
    work = Work()
    async with replicas(server, 3, alive_seconds=2.0) as (here, there, third):
        job = here.start("apply 1", work, once=True)
        await until(lambda: work.begun)
        second, other = there.start("apply 1", work, once=True), await seen_by(third, job.id)
        await asyncio.sleep(2.4)

        async def keep_alive(_):
            raise JobStoreError("away")

        # Its replica is the last to be heard afterwards.
        with monkeypatch.context() as late:
            late.setattr(here._store, "keep_alive", keep_alive)
            late.setattr(here._store, "write", lambda *_, **__: None)
            server.freeze()
            # Its clock goes on: everybody's life runs out.
            await asyncio.sleep(2.8)
            server.thaw()
            await asyncio.sleep(1.0)
        await asyncio.sleep(2.5)
        assert (job.status, second.status, other.status) == ("running",) * 3
        assert work.begun == [job.id]
        work.may_end.set()
        async with asyncio.timeout(60):
            await asyncio.gather(*(each.wait() for each in (job, second, other)))
        assert [each.status for each in (job, second, other)] == ["done"] * 3
        assert work.begun == [job.id]


async def test_a_replica_that_seemed_dead_ends_a_job_whose_work_another_one_does(
    server, monkeypatch
):
    work = Work()
    async with replicas(server, alive_seconds=0.4) as (here, there):
        monkeypatch.setattr(there._store, "_is_steady", lambda: True)
        # However short the other's life is, this one takes no name from it.
        monkeypatch.setattr(here._store, "_is_steady", lambda: False)
        first = here.start("apply 1", work, once=True)
        await until(lambda: work.begun)
        with monkeypatch.context() as cut_off:
            away = AsyncMock(side_effect=JobStoreError("away"))
            cut_off.setattr(here._store, "keep_alive", away)
            cut_off.setattr(here._store, "write", lambda *_, **__: None)
            second = there.start("apply 1", work, once=True)
            await until(lambda: work.begun == [first.id, second.id])
        async with asyncio.timeout(60):
            await first.wait()
        assert (first.status, second.status) == ("cancelled", "running")
        work.may_end.set()
        await second.wait()
    assert second.status == "done"


async def test_a_server_whose_clock_jumps_ends_no_job_and_gives_no_name_away(server, monkeypatch):
    monkeypatch.setattr("aioregistry.web.redis._STEADY_SECONDS", 0.0)
    url = f"redis://127.0.0.1:{server.port}"
    here, there = RedisJobStore(url), RedisJobStore(url)
    job = Jobs().start("apply 1", lambda _: asyncio.sleep(60))
    state = b'{"job":%s,"event":1}' % msgspec.json.encode(job.document())
    try:
        await asyncio.to_thread(here.append, job.id, [state], last=False)
        assert await here.claim("apply 1", job.id) == job.id
        assert await there.claim("apply 1", "other") == job.id
        # Every life runs out by it.
        usual = there._client.time
        monkeypatch.setattr(there._client, "time", lambda: (usual()[0] + 60, 0))
        async with server.client() as client:
            assert await client.delete(f"aioregistry:jobs:alive:{job.id}") == 1
        monkeypatch.setattr("aioregistry.web.redis._STEADY_SECONDS", 1e-9)
        frozen = time.monotonic()
        monkeypatch.setattr("aioregistry.web.redis.time", SimpleNamespace(monotonic=lambda: frozen))
        stored = await asyncio.to_thread(there.read, job.id)
        assert stored.document["status"] == "running"
        assert await there.claim("apply 1", "other") == job.id
    finally:
        job.cancel()
        for store in (here, there):
            await asyncio.to_thread(store.close)


async def test_a_server_that_comes_back_empty_is_told_again_who_has_a_name(server):
    work = Work()
    async with replicas(server, 2) as (here, there):
        job = here.start("apply 1", work, once=True)
        await until(lambda: work.begun)
        await server.stop()
        await server.start()
        await here._store.keep_alive({job.id: job.name})
        second = there.start("apply 1", work, once=True)
        await asyncio.sleep(0.3)
        work.may_end.set()
        async with asyncio.timeout(60):
            await asyncio.gather(job.wait(), second.wait())
        assert work.begun == [job.id]


@pytest.mark.slow(5)
async def test_a_server_that_has_just_started_gives_no_name_away(server, monkeypatch):
    monkeypatch.setattr(redis, "_YOUNG_SECONDS", 3)
    work = Work()
    async with replicas(server, 2) as (here, there), asyncio.timeout(60):
        job = here.start("apply 1", work, once=True)
        await until(lambda: work.begun)
        await server.stop()
        await server.start()
        second = there.start("apply 1", work, once=True)
        await asyncio.sleep(0.5)
        assert work.begun == [job.id]
        work.may_end.set()
        await asyncio.gather(job.wait(), second.wait())
        assert second.status == "done"


async def test_who_waits_for_one_of_its_name_waits_while_the_server_is_away(server, monkeypatch):
    work, asked = Work(), []
    async with replicas(server, 2) as (here, there):
        job = here.start("apply 1", work, once=True)
        await until(lambda: work.begun)
        usual = there._replicas.read

        async def read(identifier):
            asked.append(identifier)
            if len(asked) < 3:
                raise JobStoreError("away")
            return await usual(identifier)

        monkeypatch.setattr(there._replicas, "read", read)
        second = there.start("apply 1", work, once=True)
        await until(lambda: len(asked) == 3)
        work.may_end.set()
        async with asyncio.timeout(60):
            await asyncio.gather(job.wait(), second.wait())
        assert (second.status, work.begun) == ("done", [job.id])


async def test_to_cancel_a_job_is_to_cancel_the_work_that_another_replica_does(server):
    work = Work()
    async with replicas(server, 2) as (here, there):
        job = here.start("apply 1", work, once=True)
        await until(lambda: work.begun)
        second = there.start("apply 1", work, once=True)
        await until(lambda: there.get(job.id) is not None)
        await there.cancel(second)
        async with asyncio.timeout(60):
            await asyncio.gather(job.wait(), second.wait())
        assert (job.status, second.status) == ("cancelled", "cancelled")
        assert work.begun == [job.id]


async def test_a_service_that_stops_cancels_no_work_of_another_replica(server):
    work = Work()
    async with replicas(server, 2) as (here, there):
        job = here.start("apply 1", work, once=True)
        await until(lambda: work.begun)
        second = there.start("apply 1", work, once=True)
        await until(lambda: there.get(job.id) is not None)
        await there.close()
        await asyncio.sleep(0.7)
        assert (job.status, second.status) == ("running", "cancelled")


async def test_a_cancellation_that_a_server_has_forgotten_is_told_it_again(server, monkeypatch):
    work = Work()
    async with replicas(server, 2) as (here, there):
        job = here.start("wait", work)
        other = await seen_by(there, job.id)
        usual = here._store.keep_alive

        async def cannot(*_):
            raise JobStoreError("away")

        monkeypatch.setattr(here._store, "keep_alive", cannot)
        await asyncio.sleep(0.6)
        await there.cancel(other)
        await server.stop()
        await server.start()
        monkeypatch.setattr(here._store, "keep_alive", usual)
        async with asyncio.timeout(60):
            await job.wait()
        assert job.status == "cancelled"


async def test_a_job_that_is_started_right_after_another_has_ended_elsewhere_does_its_work(server):
    works = [Work(), Work()]
    async with replicas(server, 2) as (here, there):
        job = here.start("apply 1", works[0], once=True)
        await until(lambda: works[0].begun)
        other = await seen_by(there, job.id)
        works[0].may_end.set()
        await job.wait()
        works[1].may_end.set()
        # Its replica has not looked yet.
        assert other.status == "running"
        second = there.start("apply 1", works[1], once=True)
        async with asyncio.timeout(60):
            await second.wait()
        assert works[1].begun == [second.id]


@pytest.mark.slow(6)
async def test_a_server_that_stands_still_holds_up_nothing_but_the_jobs(server):
    async with replicas(server, 1) as (jobs,):
        await seen_by(jobs, jobs.start("wait", Work()).id)
        server.freeze()
        try:
            asking = [asyncio.create_task(jobs.recall(f"unknown{nth}")) for nth in range(8)]
            await asyncio.sleep(0.2)
            # The threads that look up the names of hosts, too.
            async with asyncio.timeout(3):
                await asyncio.gather(*(asyncio.to_thread(time.time) for _ in range(8)))
            async with asyncio.timeout(60):
                answers = await asyncio.gather(*asking, return_exceptions=True)
        finally:
            server.thaw()
        assert {type(answer) for answer in answers} == {JobStoreError}


async def test_a_job_that_began_while_the_server_stood_still_is_found(server, monkeypatch):
    monkeypatch.setattr("aioregistry.web.replicas._FIRST_LINE_SECONDS", 0.7)
    usual = redis.RedisJobStore._send

    def send(self, job, lines, *, last):
        usual(self, "another", [b'{"note":1}'], last=False)
        time.sleep(0.2)
        usual(self, job, lines, last=last)

    async with replicas(server, 2) as (here, there):
        await there.recall("none")
        monkeypatch.setattr(redis.RedisJobStore, "_send", send)
        server.freeze()
        job = here.start("wait", Work())
        asking = asyncio.create_task(seen_by(there, job.id))
        await asyncio.sleep(1.0)
        server.thaw()
        assert (await asking).status == "running"


async def test_notes_whose_answer_was_lost_are_not_noted_twice(server, monkeypatch):
    usual, lost = Pipeline.execute, []

    def execute(self, *args, **options):
        answer = usual(self, *args, **options)
        if not lost:
            lost.append(answer)
            raise NoAnswerError("lost")
        return answer

    url = f"redis://127.0.0.1:{server.port}"
    store, other = redis.RedisJobStore(url), redis.RedisJobStore(url)
    notes = [b'{"note":{"n":%d}}' % number for number in range(3)]
    job, state = "a", b'{"job":{"id":"a","name":"count"},"event":1}'
    try:
        monkeypatch.setattr(Pipeline, "execute", execute)
        with pytest.raises(OSError, match="lost"):
            await asyncio.to_thread(store.append, job, [state, *notes[:2]], last=False)
        await asyncio.to_thread(store.append, job, notes[2:], last=False)
        await asyncio.to_thread(store.close)
        stored = await asyncio.to_thread(other.read, job)
        assert stored.notes == tuple(b'{"n":%d}' % number for number in range(3))
    finally:
        await asyncio.to_thread(other.close)


async def test_a_job_that_ends_while_it_is_kept_alive_gives_its_name_back(server, monkeypatch):
    usual, is_kept, may_go = Pipeline.execute, threading.Event(), threading.Event()

    def execute(self, *args, **options):
        if not self.explicit_transaction and not self.transaction:
            is_kept.set()
            may_go.wait(10)
        return usual(self, *args, **options)

    url = f"redis://127.0.0.1:{server.port}"
    store, other = redis.RedisJobStore(url), redis.RedisJobStore(url)
    state = b'{"job":{"id":"a","name":"count"},"event":2}'
    try:
        assert await store.claim("count", "a") == "a"
        monkeypatch.setattr(Pipeline, "execute", execute)
        keeping = asyncio.create_task(store.keep_alive({"a": "count"}))
        await asyncio.to_thread(is_kept.wait, 10)
        ending = asyncio.create_task(asyncio.to_thread(store.append, "a", [state], last=True))
        await asyncio.sleep(0.2)
        may_go.set()
        await asyncio.gather(keeping, ending)
        assert await other.claim("count", "b") == "b"
    finally:
        await asyncio.to_thread(store.close)
        await asyncio.to_thread(other.close)


def test_a_store_whose_tls_cannot_be_made_is_refused_before_anything_is_sent():
    with pytest.raises(ValueError, match=r"ca_certs missing\.pem: No such file or directory"):
        RedisJobStore("rediss://127.0.0.1:1/0?ssl_ca_certs=missing.pem")


async def test_a_server_that_refuses_is_no_server_that_is_away(server):
    async with server.client() as client:
        await client.config_set("requirepass", "right")
    async with replicas(server, 1) as (jobs,):
        with pytest.raises(JobStoreRefusedError, match="Check the user name and password"):
            await jobs.accept("count", lambda _: asyncio.sleep(60))
        with pytest.raises(JobStoreRefusedError):
            await jobs.recall("G0Ga4IqoGQ549iaH")
