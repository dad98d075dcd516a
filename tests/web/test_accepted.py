"""Jobs whose 202 is sent when the store has them: found whatever becomes of their process."""

import asyncio
import subprocess
import sys
from threading import Event

import pytest

from aioregistry.web import Jobs, JobStoreError, Problem, ServiceStoppingError
from aioregistry.web.reports import ReportFolder
from benchmarks.sharing import NEEDS_REDIS, redis_is_there
from tests.web.test_replicas import any_server_is_old, replicas, server

__all__ = ["any_server_is_old", "server"]

needs_redis = pytest.mark.skipif(not redis_is_there(), reason=NEEDS_REDIS)
KILLED = """
import asyncio, os, signal, sys, time
from aioregistry.web import Jobs
from aioregistry.web.redis import RedisJobStore

usual = RedisJobStore.append

def append(self, job, lines, *, last):
    time.sleep(0.3)
    usual(self, job, lines, last=last)

RedisJobStore.append = append

async def main():
    jobs = Jobs(store=RedisJobStore(sys.argv[1], alive_seconds=0.5))
    job = await jobs.accept("count", lambda _: asyncio.sleep(60))
    print(job.id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


class HeldFolder(ReportFolder):
    """Writes nothing until it may."""

    def __init__(self, path) -> None:
        super().__init__(path)
        self.may_write = Event()

    def append(self, job, lines, *, last):
        self.may_write.wait(60)
        super().append(job, lines, last=last)


@needs_redis
@pytest.mark.slow(2)
async def test_a_job_of_a_replica_that_is_killed_right_after_its_202_is_known(server):
    url = f"redis://127.0.0.1:{server.port}"
    command = (sys.executable, "-c", KILLED, url)
    killed = await asyncio.to_thread(
        subprocess.run, command, check=False, capture_output=True, text=True
    )
    identifier = killed.stdout.strip()
    async with replicas(server, 1, alive_seconds=0.5) as (there,):
        job = await there.recall(identifier)
        assert job is not None
        assert job.name == "count"


async def test_no_work_is_begun_and_nobody_is_told_before_the_store_has_the_job(tmp_path):
    store = HeldFolder(tmp_path)
    jobs, begun = Jobs(store=store), []

    async def work(_) -> None:
        begun.append(1)

    accepting = asyncio.create_task(jobs.accept("count", work))
    for _ in range(50):
        await asyncio.sleep(0)
    (job,) = jobs
    assert not accepting.done()
    assert not begun
    assert store.read(job.id) is None
    store.may_write.set()
    assert await accepting is job
    assert store.read(job.id) is not None
    await job.wait()
    assert begun == [1]
    await jobs.close()


async def test_two_who_ask_for_the_same_job_are_told_of_one(tmp_path):
    jobs = Jobs(tmp_path)
    done = asyncio.Event()

    async def work(_) -> None:
        await done.wait()

    both = await asyncio.gather(*(jobs.accept("count", work, once=True) for _ in range(2)))
    assert both[0] is both[1]
    # Also where it was not waited for before.
    started = jobs.start("other", work, once=True)
    assert await jobs.accept("other", work, once=True) is started
    done.set()
    await jobs.close()


async def test_who_leaves_before_the_store_has_the_job_ends_nothing_for_others(tmp_path):
    store = HeldFolder(tmp_path)
    jobs, begun = Jobs(store=store), []

    async def work(_) -> None:
        begun.append(1)

    leaves, stays = (asyncio.create_task(jobs.accept("count", work, once=True)) for _ in range(2))
    for _ in range(50):
        await asyncio.sleep(0)
    leaves.cancel()
    store.may_write.set()
    job = await stays
    await job.wait()
    assert leaves.cancelled()
    assert (job.status, begun) == ("done", [1])
    await jobs.close()


async def test_a_store_that_keeps_nothing_is_a_503_and_no_work_is_begun(tmp_path, monkeypatch):
    monkeypatch.setattr("aioregistry.web.jobs._KEPT_SECONDS", 0.05)
    (tmp_path / "reports").write_text("no folder")
    jobs, begun = Jobs(tmp_path / "reports"), []

    async def work(_) -> None:
        begun.append(1)

    with pytest.raises(JobStoreError, match="does not keep") as caught:
        await jobs.accept("count", work)
    assert Problem.of(caught.value).status == 503
    (job,) = jobs
    await job.wait()
    assert job.status == "failed"
    assert not begun
    await jobs.close()


@needs_redis
async def test_without_its_server_a_job_is_not_accepted(server):
    begun = []

    async def work(_) -> None:
        begun.append(1)

    async with replicas(server, 1) as (jobs,):
        await server.stop()
        with pytest.raises(JobStoreError):
            await jobs.accept("count", work)
        (job,) = jobs
        await job.wait()
        assert not begun
        await server.start()
        assert (await jobs.accept("count", work)).name == "count"


async def test_a_service_that_stops_accepts_no_job(tmp_path):
    store = HeldFolder(tmp_path)
    jobs, begun = Jobs(store=store), []

    async def work(_) -> None:
        begun.append(1)

    accepting = asyncio.create_task(jobs.accept("count", work))
    for _ in range(50):
        await asyncio.sleep(0)
    closing = asyncio.create_task(jobs.close())
    with pytest.raises(ServiceStoppingError):
        await accepting
    store.may_write.set()
    await closing
    assert not begun
    with pytest.raises(ServiceStoppingError):
        await jobs.accept("count", work)


async def test_without_a_store_a_job_is_accepted_at_once():
    jobs = Jobs()
    job = jobs.start("count", lambda _: asyncio.sleep(0))
    await job.wait()
    assert job.status == "done"
    await jobs.close()
