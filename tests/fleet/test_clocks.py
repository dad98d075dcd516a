"""Clocks that differ: those of machines, and one of the server that steps back."""

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from aioregistry.fleet import FleetEngine, FleetServerError
from aioregistry.fleet.intake import Intake
from aioregistry.fleet.lease import Lease, LeaseTakenError
from aioregistry.fleet.state import Run
from tests.fleet.fleets import carried_out_by_a_worker, collections, engine_of, fleet_of, sandbox_of
from tests.fleet.test_traps import forget_ticks

TEN_MINUTES = 600.0


@pytest.fixture
async def store(tmp_path, url):
    async with FleetEngine(fleet_of(tmp_path, 1), url) as engine:
        yield engine.store


@pytest.fixture
def wrong(monkeypatch):
    """Set the clock of this machine: by so many seconds it is ahead."""

    def set_clock(seconds: float) -> None:
        clock = SimpleNamespace(time=lambda: time.time() + seconds, monotonic=time.monotonic)
        monkeypatch.setattr("aioregistry.fleet.server.time", clock)

        class Wrong(datetime):
            @classmethod
            def now(cls, zone=None):
                return datetime.now(zone) + timedelta(seconds=seconds)

        monkeypatch.setattr("docket.execution.datetime", Wrong)

    return set_clock


async def test_a_lease_outlasts_its_time_by_nothing_when_the_servers_clock_steps_back(
    store, server
):
    async with store.lease("reg0") as lost:
        # Its holder is dead, and the clock ten minutes before the one by which it was taken.
        await server.pexpire(lost.key, round(1000 * (lost.seconds + TEN_MINUTES)))
        with pytest.raises(LeaseTakenError):
            await store.lease("reg0").__aenter__()
        assert 0 < await server.pttl(lost.key) <= 1000 * lost.seconds


async def test_a_lease_lasts_as_long_as_its_holder_said_whoever_wants_it(store, server):
    async with store.lease("reg0") as held:
        impatient = Lease(store._connect, held.key, held.seconds / 10)
        with pytest.raises(LeaseTakenError):
            await impatient.__aenter__()
        assert await server.pttl(held.key) > 1000 * held.seconds / 2


async def test_the_states_are_looked_at_soon_after_the_servers_clock_stepped_back(store, server):
    assert await store.take_turn("all", 5.0)
    await server.pexpire("fleet:tick:all", round(1000 * TEN_MINUTES))
    assert not await store.take_turn("all", 5.0)
    assert 0 < await server.pttl("fleet:tick:all") <= 5000


async def test_a_worker_is_at_work_though_by_the_clocks_of_others_its_signs_are_old(
    tmp_path, url, server
):
    async with FleetEngine(fleet_of(tmp_path, 1), url) as engine, engine._docket.redis() as client:
        intake = Intake(engine._docket, "a worker", 1, 2.0)
        await intake.check()
        assert not intake._has_begun
        # Another one has taken it out of the list of all, as it does every two seconds.
        await client.sadd(engine._docket.worker_tasks_set("a worker"), "fleet_plan")
        await intake.check()
        assert intake._has_begun


async def test_a_run_is_named_by_the_servers_clock(tmp_path, url, wrong):
    wrong(400 * 86_400.0)
    async with FleetEngine(fleet_of(tmp_path, 1), url) as engine:
        await engine.begin(["reg0"], plan_only=True)
        run = (await engine.runs())["reg0"]
        # Else no moment of a schedule would be newer for a year.
        assert abs(run.begun_at - time.time()) < TEN_MINUTES
        assert run.id < f"{datetime.now(UTC) + timedelta(days=1):%Y%m%d}"


async def test_a_machine_whose_clock_is_ahead_collects_no_garbage_before_the_undo_window_ends(
    tmp_path, url, server, wrong
):
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1, undo_window=timedelta(days=2))
        async with engine_of(fleet, sandbox, url) as engine:
            await engine.begin(["reg0"])
            await engine.work(["reg0"])
        wrong(3 * 86_400.0)
        async with engine_of(fleet, sandbox, url) as engine:
            assert (await engine.runs())["reg0"].phase == "gc"
            await forget_ticks(server)
            await engine._tick()
            await engine.work(["reg0"])
            assert await server.xlen(engine._docket.stream_key) == 0
            assert collections(sandbox) == {}


@pytest.mark.parametrize("ahead", [-TEN_MINUTES, TEN_MINUTES])
async def test_a_step_that_is_due_waits_for_no_clock_of_a_machine(
    tmp_path, url, server, wrong, ahead
):
    wrong(ahead)
    async with (
        sandbox_of(1, 1) as sandbox,
        engine_of(fleet_of(tmp_path, 1), sandbox, url, tick_seconds=600.0) as engine,
    ):
        await engine.begin([])
        now = engine._clock()
        for seconds, queued in ((300.0, 0), (0.0, 1)):
            run = Run(registry="reg0", id="1", begun_at=now, not_before=now + seconds)
            await engine._queue([run])
            assert await server.exists(engine._docket.queue_key) == 0
            assert await server.xlen(engine._docket.stream_key) == queued


async def test_a_worker_begun_while_its_server_is_away_waits_for_it(tmp_path, url, monkeypatch):
    async with (
        sandbox_of(1, 1) as sandbox,
        engine_of(fleet_of(tmp_path, 1), sandbox, url) as engine,
    ):
        await engine.begin(["reg0"], plan_only=True)
        ask, asked = engine._server_clock.ask, []

        async def away_at_first():
            asked.append(time.monotonic())
            if len(asked) < 5:
                raise FleetServerError("away")
            await ask()

        monkeypatch.setattr(engine._server_clock, "ask", away_at_first)
        assert (await carried_out_by_a_worker(engine))["reg0"].result == "planned"
        assert len(asked) > 5
