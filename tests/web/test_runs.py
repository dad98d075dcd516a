"""Runs of a fleet as jobs: followed in any replica, and outliving each of them."""

import asyncio
import json
import signal
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import ClientSession, web

pytest.importorskip("docket")

from aioregistry import RateLimit
from aioregistry.fleet import FleetEngine, FleetServerError, Run
from aioregistry.sandbox import Limits
from aioregistry.web import Jobs
from aioregistry.web import aiohttp as on_aiohttp
from aioregistry.web.redis import RedisJobStore
from aioregistry.web.runs import run_work, working
from tests.fleet.conftest import server, server_port, url  # noqa: F401
from tests.fleet.fleets import (
    addresses_of,
    collections,
    engine_of,
    fleet_of,
    sandbox_of,
    wrong_repositories,
)

SCALE = 60.0


@pytest.fixture
async def replicas(tmp_path, url):  # noqa: F811
    """Makes replicas of a service: an engine that works, and jobs that all of them see."""
    async with sandbox_of(1, 2, 60, limits=Limits(scale=SCALE)) as sandbox, AsyncExitStack() as at:
        limit = RateLimit().scaled(SCALE)

        @asynccontextmanager
        async def replica(*, works: bool = True):
            engine = engine_of(
                fleet_of(tmp_path, 1), sandbox, url, addresses=addresses_of(sandbox, limit)
            )
            async with engine as opened:
                working = asyncio.create_task(opened.work()) if works else None
                jobs = Jobs(store=RedisJobStore(url))
                try:
                    yield opened, jobs
                finally:
                    await jobs.close()
                    opened.stop()
                    if working is not None:
                        await working

        yield sandbox, replica, at


def follow(engine, jobs, run: Run):
    work = run_work(engine, "reg0", run.id, interval=0.05)
    return jobs.start(f"reg0 {run.id}", work, once=True)


async def planned(engine, jobs) -> Run:
    await engine.begin(["reg0"], plan_only=True)
    job = follow(engine, jobs, (await engine.runs())["reg0"])
    async with asyncio.timeout(200):
        await job.wait()
    assert (job.status, job.progress["result"]) == ("done", "planned"), job.error
    assert job.progress["total"] == 120
    return (await engine.runs())["reg0"]


def deletes(sandbox) -> int:
    return sum(one.method == "DELETE" for one in sandbox.requests)


@pytest.mark.slow(3)
async def test_a_replica_that_ends_in_mid_apply_is_continued_and_followed_elsewhere(replicas):
    sandbox, replica, at = replicas
    other, other_jobs = await at.enter_async_context(replica(works=False))
    async with replica() as (engine, jobs):
        run = await planned(engine, jobs)
        # Approved twice, it is one run.
        approved = await asyncio.gather(*(one.approve("reg0", run.id) for one in (engine, other)))
        assert sorted(approved) == [False, True]
        first = follow(engine, jobs, run)
        while deletes(sandbox) < 20:
            await asyncio.sleep(0.01)
    assert first.status == "cancelled"
    assert 20 <= deletes(sandbox) < 110
    async with replica(), asyncio.timeout(200):
        again = follow(other, other_jobs, run)
        assert follow(other, other_jobs, run) is again
        await again.wait()
    assert (again.status, again.progress["result"]) == ("done", "done")
    assert sum(again.progress["counts"].values()) == 120
    assert wrong_repositories(sandbox) == []
    assert collections(sandbox) == {"reg0": 1}
    assert deletes(sandbox) == 120


@pytest.mark.slow(2)
async def test_a_job_that_is_cancelled_ends_the_run_which_says_what_it_deleted(
    replicas, monkeypatch
):
    monkeypatch.setattr("aioregistry.fleet.steps._SECONDS_BETWEEN_LOOKS", 0.02)
    sandbox, replica, at = replicas
    other, other_jobs = await at.enter_async_context(replica(works=False))
    engine, jobs = await at.enter_async_context(replica())
    run = await planned(engine, jobs)
    await engine.approve("reg0", run.id)
    job = follow(other, other_jobs, run)
    while deletes(sandbox) < 20:
        await asyncio.sleep(0.01)
    job.cancel()
    async with asyncio.timeout(200):
        while (run := (await engine.runs())["reg0"]).phase != "ended":
            await asyncio.sleep(0.02)
    assert run.result == "cancelled"
    report = await engine.store.report(run)
    left = sum(len(each.tags) for each in sandbox.state.registry("reg0").repositories.values())
    assert 20 <= run.counts["deleted"] == len(report.deleted) <= 124 - left
    assert collections(sandbox) == {}


@pytest.mark.slow(2)
async def test_a_job_that_is_cancelled_while_the_server_is_away_ends_the_run_later(
    replicas, monkeypatch
):
    monkeypatch.setattr("aioregistry.fleet.steps._SECONDS_BETWEEN_LOOKS", 0.02)
    sandbox, replica, at = replicas
    engine, jobs = await at.enter_async_context(replica())
    run = await planned(engine, jobs)
    await engine.approve("reg0", run.id)
    job = follow(engine, jobs, run)
    while deletes(sandbox) < 20:
        await asyncio.sleep(0.01)
    usual, asked = engine.cancel, []

    async def cancel(*which):
        asked.append(job.status)
        # Somebody presses the button again.
        job.cancel()
        if len(asked) < 4:
            raise FleetServerError("away")
        await usual(*which)

    monkeypatch.setattr(engine, "cancel", cancel)
    job.cancel()
    async with asyncio.timeout(200):
        await job.wait()
        while (run := (await engine.runs())["reg0"]).phase != "ended":
            await asyncio.sleep(0.02)
    assert asked == ["running"] * 4
    assert (job.status, run.result) == ("cancelled", "cancelled")


async def test_a_run_that_was_refused_is_a_job_that_failed(replicas):
    _, replica, at = replicas
    engine, jobs = await at.enter_async_context(replica())
    registry = engine._fleet.registries["reg0"]
    object.__setattr__(registry, "caps", type(registry.caps)(max_deletes=1))
    run = await planned(engine, jobs)
    await engine.approve("reg0", run.id)
    job = follow(engine, jobs, run)
    async with asyncio.timeout(200):
        await job.wait()
    assert (job.status, job.error) == ("failed", "RunFailedError")
    assert job.progress["result"] == "refused"


async def test_a_run_that_does_not_exist_is_a_job_that_failed(replicas):
    _, replica, at = replicas
    engine, jobs = await at.enter_async_context(replica(works=False))
    job = jobs.start("reg0 x", run_work(engine, "reg0", "x"))
    async with asyncio.timeout(200):
        await job.wait()
    assert (job.status, job.error) == ("failed", "RunFailedError")


@pytest.mark.slow(2)
@pytest.mark.exhaustive
async def test_the_routes_of_jobs_show_a_run(replicas):
    _, replica, at = replicas
    engine, jobs = await at.enter_async_context(replica())
    run = await planned(engine, jobs)
    application = web.Application()
    application[on_aiohttp.JOBS] = jobs
    application.add_routes(on_aiohttp.job_routes())
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    at.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/jobs"
    assert await engine.approve("reg0", run.id)
    job = follow(engine, jobs, run)
    async with ClientSession() as session:
        async with session.get(f"{base}/{job.id}") as response:
            assert (await response.json())["status"] == "running"
        seen = []
        async with session.get(f"{base}/{job.id}/events") as stream:
            async for line in stream.content:
                if line.startswith(b"data: "):
                    seen.append(json.loads(line[6:]))
    assert len(seen) > 3
    assert (seen[-1]["status"], seen[-1]["progress"]["result"]) == ("done", "done")


class LosesItsWorker(FleetEngine):
    """An engine whose worker ends with an error by itself, or as it is stopped."""

    async def work(self, *_, **__) -> None:
        await asyncio.sleep(0.01)
        raise RuntimeError("no rights")


async def test_who_works_beside_a_service_is_told_what_ends_the_worker_and_so_is_its_end(tmp_path):
    told = asyncio.get_running_loop().create_future()
    async with LosesItsWorker(fleet_of(tmp_path, 1)) as engine:
        with pytest.raises(RuntimeError, match="no rights"):
            async with asyncio.timeout(60), working(engine, on_error=told.set_result):
                assert str(await told) == "no rights"


async def test_a_worker_that_cannot_work_ends_the_process_as_an_orchestrator_does(tmp_path):
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    try:
        async with LosesItsWorker(fleet_of(tmp_path, 1)) as engine:
            with pytest.raises(RuntimeError, match="no rights"):
                async with asyncio.timeout(60), working(engine):
                    await stopped.wait()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def test_a_worker_has_ended_before_its_engine_closes_also_after_an_error(tmp_path):
    class Watched(FleetEngine):
        has_ended = False

        async def work(self, *_, **__) -> None:
            await super().work()
            self.has_ended = True

    async with Watched(fleet_of(tmp_path, 1)) as engine:
        with pytest.raises(KeyError):
            async with asyncio.timeout(60), working(engine, on_error=pytest.fail):
                raise KeyError("the application's own")
        assert engine.has_ended
