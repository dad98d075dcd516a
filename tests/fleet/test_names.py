"""Work on registries that somebody names: those alone, in their windows; no run is lost."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from aioregistry.errors import NotFoundError
from aioregistry.fleet import Schedule, Window
from aioregistry.fleet.steps import Steps
from tests.fleet.fleets import engine_of, fleet_of, sandbox_of
from tests.fleet.test_engine import deletes, finished


async def test_what_is_asked_for_registries_by_name_touches_no_other(tmp_path):
    schedule = Schedule(f"{(datetime.now(UTC) - timedelta(minutes=5)).minute} * * * *")
    async with sandbox_of(3, 1) as sandbox:
        fleet = fleet_of(tmp_path, 3, schedule=schedule)
        async with engine_of(fleet, sandbox) as engine:
            # Somebody has interrupted this one.
            await engine.begin(["reg1"])
            await engine._tick()
            await engine.begin(["reg0"])
            runs = await finished(engine, ["reg0"])
            await asyncio.sleep(0.3)
            assert (runs["reg0"].result, runs["reg0"].counts) == ("done", {"deleted": 10})
            assert (await engine.runs())["reg1"] == runs["reg1"]
            assert runs["reg1"].phase == "plan"
        assert all("/reg0/" in path for path in deletes(sandbox))


async def test_what_is_asked_for_registries_by_name_begins_nothing_by_schedule(tmp_path):
    schedule = Schedule(f"{(datetime.now(UTC) - timedelta(minutes=5)).minute} * * * *")
    async with sandbox_of(2, 1) as sandbox:
        fleet = fleet_of(tmp_path, 2, schedule=schedule)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(["reg0"], "20260601T000000Z", plan_only=True)
            runs = await finished(engine, ["reg0"])
        assert (runs["reg0"].id, runs["reg0"].result) == ("20260601T000000Z", "planned")
        assert runs["reg1"] is None


async def test_who_only_plans_carries_out_no_run_that_deletes(tmp_path):
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(["reg0"])
            async with asyncio.timeout(200):
                await engine.work(["reg0"], plan_only=True)
            assert (await engine.runs())["reg0"].phase == "plan"
        assert sandbox.request_count == 0


async def test_a_plan_that_was_made_at_any_time_is_carried_out_in_the_window(tmp_path):
    now = datetime.now(UTC)
    closed = Window((now + timedelta(hours=2)).time(), (now + timedelta(hours=3)).time())
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1, window=closed)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(["reg0"], "20260601T000000Z", plan_only=True, at_any_time=True)
            await finished(engine, ["reg0"])
            await engine.approve("reg0", "20260601T000000Z")
            working = asyncio.create_task(finished(engine, ["reg0"]))
            # Nor does one that only plans let it be carried out.
            await engine.begin(["reg0"], plan_only=True, at_any_time=True)
            await asyncio.sleep(0.4)
            assert ((await engine.runs())["reg0"].phase, deletes(sandbox)) == ("apply", [])
            engine.stop()
            await working
            await engine.begin(["reg0"], at_any_time=True)
            assert (await finished(engine, ["reg0"]))["reg0"].result == "done"


async def test_a_plan_can_be_approved_for_any_time(tmp_path):
    now = datetime.now(UTC)
    closed = Window((now + timedelta(hours=2)).time(), (now + timedelta(hours=3)).time())
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1, window=closed)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(["reg0"], "20260601T000000Z", plan_only=True, at_any_time=True)
            await finished(engine, ["reg0"])
            await engine.approve("reg0", "20260601T000000Z", at_any_time=True)
            assert (await finished(engine, ["reg0"]))["reg0"].result == "done"


@pytest.mark.parametrize("at_any_time", [True, False])
async def test_a_run_that_takes_the_place_of_a_plan_under_way_stays(
    tmp_path, monkeypatch, at_any_time
):
    """By a second engine, while the first makes the plan."""
    planning, go_on = asyncio.Event(), asyncio.Event()
    usual = Steps._plan

    async def plan(self: Steps, registry, run):
        if run.id == "20260601T000000Z":
            planning.set()
            await go_on.wait()
        return await usual(self, registry, run)

    monkeypatch.setattr(Steps, "_plan", plan)
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1)
        async with engine_of(fleet, sandbox) as first, engine_of(fleet, sandbox) as second:
            await first.begin(["reg0"], "20260601T000000Z", plan_only=not at_any_time)
            working = asyncio.create_task(first.work())
            await planning.wait()
            begun = await second.begin(["reg0"], "20260602T000000Z", at_any_time=at_any_time)
            go_on.set()
            run = (await finished(second, ["reg0"]))["reg0"]
            first.stop()
            await working
        if at_any_time:
            assert (begun, run.id, run.at_any_time) == ([], "20260601T000000Z", True)
        else:
            assert (begun, run.id) == (["reg0"], "20260602T000000Z")
        assert (run.result, run.counts) == ("done", {"deleted": 10})


async def test_a_registry_that_the_fleet_does_not_have_is_refused(tmp_path):
    async with sandbox_of(1, 1) as sandbox, engine_of(fleet_of(tmp_path, 1), sandbox) as engine:
        for refused in (
            engine.begin(["reg0", "other"]),
            engine.approve("other", "20260601T000000Z"),
            engine.work(["other"]),
        ):
            with pytest.raises(NotFoundError, match="the fleet has no registry 'other'"):
                await refused
        assert await engine.runs() == {"reg0": None}
