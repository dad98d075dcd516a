"""Jobs that all replicas of a service see, on a real server of Redis's protocol."""

import asyncio
import json
import threading
import time
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from aioregistry import RegistryClient
from aioregistry.cleanup import Delete, Policy
from aioregistry.sandbox import Sandbox
from aioregistry.web import Jobs, JobStoreError, Problem
from aioregistry.web.aiohttp import job_routes, setup
from aioregistry.web.work import plan_file, plan_work
from benchmarks.sharing import NEEDS_REDIS, RedisServer, redis_is_there
from tests.web.test_accounts import served

redis = pytest.importorskip("aioregistry.web.redis")

pytestmark = [
    pytest.mark.skipif(not redis_is_there(), reason=NEEDS_REDIS),
    pytest.mark.slow(1),
]


@pytest.fixture(autouse=True)
def any_server_is_old(monkeypatch):
    monkeypatch.setattr(redis, "_YOUNG_SECONDS", 0)


@pytest.fixture
async def server():
    async with RedisServer().running() as server:
        yield server


@asynccontextmanager
async def replicas(server, count: int = 2, **options):
    url = f"redis://127.0.0.1:{server.port}"
    made = [Jobs(store=redis.RedisJobStore(url, **options)) for _ in range(count)]
    try:
        yield made
    finally:
        for jobs in made:
            await jobs.close()


async def seen_by(jobs: Jobs, identifier: str):
    job = await jobs.recall(identifier)
    assert job is not None
    return job


async def states(job) -> list[dict]:
    return [
        json.loads(event.partition(b"data: ")[2])
        async for event in job.events()
        if event.startswith(b"id: ")
    ]


async def test_a_job_that_has_just_begun_is_found_before_the_store_has_heard_of_it(
    server, monkeypatch
):
    usual = redis.RedisJobStore._send

    def send(self, job, lines, *, last):
        time.sleep(0.5)
        usual(self, job, lines, last=last)

    monkeypatch.setattr(redis.RedisJobStore, "_send", send)
    async with replicas(server) as (here, there):
        job = here.start("count", lambda _: asyncio.sleep(60))
        assert (await seen_by(there, job.id)).status == "running"


async def test_a_job_that_there_never_was_is_not_found(server, monkeypatch):
    monkeypatch.setattr("aioregistry.web.replicas._FIRST_LINE_SECONDS", 0.1)
    async with replicas(server, 1) as (jobs,):
        assert await jobs.recall("G0Ga4IqoGQ549iaH") is None


async def test_a_job_that_there_never_was_is_not_looked_for_without_end_in_a_slow_store(
    server, monkeypatch
):
    monkeypatch.setattr("aioregistry.web.replicas._FIRST_LINE_SECONDS", 0.1)
    monkeypatch.setattr("aioregistry.web.replicas._LOOK_SECONDS", 0.02)
    usual = redis.RedisJobStore.read

    def read(self, job):
        time.sleep(0.05)
        return usual(self, job)

    monkeypatch.setattr(redis.RedisJobStore, "read", read)
    async with replicas(server, 1) as (jobs,), asyncio.timeout(10):
        assert await jobs.recall("G0Ga4IqoGQ549iaH") is None


async def test_a_job_of_another_replica_is_followed_to_its_end(server):
    step = asyncio.Event()

    async def work(job):
        job.tell(done=1)
        job.note(tag="v1")
        await step.wait()
        job.tell(done=2)

    async with replicas(server) as (here, there):
        job = here.start("count", work)
        other = await seen_by(there, job.id)
        following = asyncio.create_task(states(other))
        while other.progress != {"done": 1}:
            await asyncio.sleep(0.01)
        assert await seen_by(there, job.id) is other
        step.set()
        last = (await following)[-1]
        assert (last["status"], last["progress"]) == ("done", {"done": 2})
        assert other.noted == [{"tag": "v1"}]
        # A reader that comes back to another replica has seen the same numbers of events.
        assert other.event_number == job.event_number
        assert other.has_ended_for(job.event_number)


async def test_a_job_is_cancelled_from_another_replica(server):
    async with replicas(server) as (here, there):
        job = here.start("wait", lambda _: asyncio.sleep(60))
        (await seen_by(there, job.id)).cancel()
        async with asyncio.timeout(60):
            await job.wait()
        assert (job.status, job.error) == ("cancelled", None)


async def test_of_a_name_one_job_works_and_the_others_go_and_end_as_it_does(server):
    step, begun = asyncio.Event(), []

    async def work(job):
        begun.append(job)
        job.note(tag="v1")
        await step.wait()
        job.tell(done=2)

    async with replicas(server, 3) as made:
        jobs = [each.start("apply 1", work, once=True) for each in made]
        while not begun:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        step.set()
        async with asyncio.timeout(60):
            await asyncio.gather(*(job.wait() for job in jobs))
        assert len(begun) == 1
        assert {job.status for job in jobs} == {"done"}
        assert [job.progress for job in jobs] == [{"done": 2}] * 3
        assert [job.noted for job in jobs] == [[{"tag": "v1"}]] * 3
        again = made[1].start("apply 1", work, once=True)
        await again.wait()
        assert begun[1:] == [again]


@pytest.mark.parametrize("way", ["stopped", "killed"])
async def test_another_replica_does_the_work_of_one_that_has_ended(server, way):
    begun = []

    async def work(job):
        begun.append(job)
        if len(begun) == 1:
            await asyncio.sleep(60)

    async with replicas(server, 2, alive_seconds=1.0) as (here, there):
        first = here.start("apply 1", work, once=True)
        while not begun:
            await asyncio.sleep(0.01)
        second = there.start("apply 1", work, once=True)
        await asyncio.sleep(0.2)
        if way == "stopped":
            await here.close()
            assert (first.status, first.error) == ("cancelled", "the service stopped")
        else:
            # What a killed process does no more.
            here._replicas._keeping.cancel()
        async with asyncio.timeout(60):
            await second.wait()
        assert second.status == "done"
        assert begun == [first, second]


async def test_what_a_killed_replica_ran_has_failed_for_the_others(server):
    async with replicas(server, 2, alive_seconds=0.5) as (here, there):
        job = here.start("wait", lambda _: asyncio.sleep(60))
        other = await seen_by(there, job.id)
        following = asyncio.create_task(states(other))
        here._replicas._keeping.cancel()
        async with asyncio.timeout(60):
            last = (await following)[-1]
        assert (last["status"], last["error"]) == (
            "failed",
            "the service ended before the job did",
        )


async def test_a_server_that_is_away_for_a_moment_ends_no_job_and_gets_what_was_said(server):
    away, back = asyncio.Event(), asyncio.Event()

    async def work(job):
        await away.wait()
        for number in range(20):
            job.note(number=number)
        await back.wait()

    async with replicas(server) as (here, there):
        job = here.start("count", work)
        await seen_by(there, job.id)
        await server.stop()
        away.set()
        await asyncio.sleep(0.3)
        # It comes back empty.
        await server.start()
        back.set()
        other = await seen_by(there, job.id)
        async with asyncio.timeout(60):
            await asyncio.gather(job.wait(), other.wait())
        assert (job.status, other.status) == ("done", "done")
        assert other.noted == [{"number": number} for number in range(20)]


async def test_without_its_server_a_job_that_needs_a_name_fails_and_none_is_found(server):
    async with replicas(server, 1) as (jobs,):
        await server.stop()
        job = jobs.start("apply 1", lambda _: asyncio.sleep(0), once=True)
        with pytest.raises(JobStoreError) as caught:
            await jobs.recall("another")
        assert Problem.of(caught.value).status == 503
        await job.wait()
        assert job.status == "failed"
        assert job.error == "JobStoreError: the store of the jobs cannot be reached"


@pytest.mark.slow(4)
async def test_without_its_server_the_replica_of_a_job_cannot_be_told_to_cancel_it(server, caplog):
    async with replicas(server) as (here, there):
        job = here.start("wait", lambda _: asyncio.sleep(60))
        other = await seen_by(there, job.id)
        app = web.Application()
        setup(app, lambda: RegistryClient("a-token"), make_jobs=lambda: there)
        app.add_routes(job_routes("/jobs"))
        async with served(app) as http:
            await server.stop()
            async with http.delete(f"/jobs/{job.id}") as answer:
                assert answer.status == 503
                assert (await answer.json(content_type=None))["error"] == "JobStoreError"
            # Who does not wait finds it in the log.
            other.cancel()
            async with asyncio.timeout(60):
                while "cannot be cancelled" not in caplog.text:
                    await asyncio.sleep(0.01)
            # What has not been written yet is waited for.
            await server.start()


async def test_jobs_that_end_as_another_one_does_name_the_plan_that_it_made(
    server, monkeypatch, tmp_path
):
    async with Sandbox() as sandbox, replicas(server, 3) as made:
        monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", sandbox.url)
        sandbox.state.push("example", "web", ["main"])
        sandbox.latency = 0.1
        async with RegistryClient(sandbox.token, base_url=sandbox.url) as client:
            work = plan_work(client.registry("example"), Policy([Delete(tags="pr-*")]), tmp_path)
            jobs = [each.start("plan example", work, once=True) for each in made]
            async with asyncio.timeout(60):
                await asyncio.gather(*(job.wait() for job in jobs))
        assert {job.status for job in jobs} == {"done"}
        (identifier,) = {job.progress["plan"] for job in jobs}
        assert identifier in {job.id for job in jobs}
        assert plan_file(tmp_path, identifier) == next(tmp_path.glob("*.json"))


@pytest.mark.parametrize("name", ["", "nix", "../x", "a:b", "a\0", "x" * 5000])
async def test_what_is_no_identifier_is_no_job(server, name):
    async with replicas(server, 1) as (jobs,):
        assert await jobs.recall(name) is None


async def test_a_job_is_not_taken_for_one_of_its_name_that_ended_before_it(server, monkeypatch):
    """The end of the first is not yet in the store when the second is started."""
    may_end = threading.Event()
    usual = redis.RedisJobStore._send

    def send(self, job, lines, *, last):
        if last:
            may_end.wait(60)
        usual(self, job, lines, last=last)

    monkeypatch.setattr(redis.RedisJobStore, "_send", send)
    worked = []

    async def work(job):
        worked.append(job.id)

    async with replicas(server, 1) as (jobs,), asyncio.timeout(60):
        first = jobs.start("run 1", work, once=True)
        await first.wait()
        second = jobs.start("run 1", work, once=True)
        try:
            await asyncio.sleep(0.2)
            assert second.status == "running"
        finally:
            may_end.set()
        await second.wait()
    assert worked == [first.id, second.id]


async def test_a_job_is_cancelled_once_however_long_it_takes_to_end(server, monkeypatch):
    monkeypatch.setattr("aioregistry.web.replicas._LOOK_SECONDS", 0.05)
    cancelled = 0

    async def work(job):
        nonlocal cancelled
        try:
            await asyncio.sleep(60)
        finally:
            for _ in range(10):
                try:
                    await asyncio.sleep(0.05)
                except asyncio.CancelledError:
                    cancelled += 1

    async with replicas(server) as (here, there):
        job = here.start("wait", work)
        (await seen_by(there, job.id)).cancel()
        async with asyncio.timeout(60):
            await job.wait()
        assert cancelled == 0


async def test_a_job_that_ends_late_leaves_its_name_to_the_one_that_has_it_by_then(
    server, monkeypatch
):
    # Who asks has been answered for long enough.
    monkeypatch.setattr(redis.RedisJobStore, "_is_steady", lambda _: True)
    url = f"redis://127.0.0.1:{server.port}"
    stores = [redis.RedisJobStore(url, alive_seconds=600.0) for _ in range(3)]
    late, newer, newest = stores
    try:
        assert await late.claim("apply 1", "a") == "a"
        await late.keep_alive({"a": "apply 1"})
        async with server.client() as client:
            # It stood still, and its life ran out.
            assert await client.delete("aioregistry:jobs:alive:a") == 1
        async with asyncio.timeout(60):
            # An answer that took a second gives no name away.
            while await newer.claim("apply 1", "b") != "b":
                pass
        await asyncio.to_thread(late.append, "a", [], last=True)
        await newer.keep_alive({"b": "apply 1"})
        assert await newest.claim("apply 1", "c") == "b"
    finally:
        for store in stores:
            await asyncio.to_thread(store.close)


async def test_what_was_said_while_the_server_was_away_is_sent_before_the_end(server, monkeypatch):
    monkeypatch.setattr(redis, "_AWAY_SECONDS", 60.0)
    url = f"redis://127.0.0.1:{server.port}"
    store, other = redis.RedisJobStore(url), redis.RedisJobStore(url)
    job = Jobs().start("count", lambda _: asyncio.sleep(60))
    state = json.dumps({"job": job.document(), "event": 1}).encode().replace(b": ", b":", 1)
    try:
        await server.stop()
        with pytest.raises(OSError, match="Connection"):
            await asyncio.to_thread(store.append, job.id, [state], last=False)
        await server.start()
        await asyncio.to_thread(store.close)
        assert (await asyncio.to_thread(other.read, job.id)).document["id"] == job.id
    finally:
        job.cancel()
        await asyncio.to_thread(other.close)


async def test_a_job_that_has_ended_is_not_kept_alive_by_a_later_note(server):
    url = f"redis://127.0.0.1:{server.port}"
    store = redis.RedisJobStore(url)
    await server.stop()
    with pytest.raises(OSError, match="Connection"):
        await asyncio.to_thread(store.append, "a", [b'{"job":{}}'], last=True)
    await asyncio.to_thread(store.append, "a", [b'{"note":{}}'], last=False)
    await server.start()
    await asyncio.to_thread(store.close)
    async with server.client() as client:
        assert sorted(await client.keys()) == [
            b"aioregistry:jobs:notes:a",
            b"aioregistry:jobs:state:a",
        ]
