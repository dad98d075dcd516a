"""Single steps of runs, and runs that were begun already."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aioregistry.cleanup.records.report import CleanupReport, Incomplete
from aioregistry.client.registry import RegistryHandle
from aioregistry.fleet import FleetRegistry, TokenSource, Window
from aioregistry.fleet.state import Run
from aioregistry.fleet.steps import Steps
from tests.fleet.fleets import engine_of, fleet_of, sandbox_of
from tests.fleet.test_engine import deletes, finished


async def test_a_run_is_not_begun_once_more_when_it_has_ended(tmp_path):
    async with sandbox_of(1, 1) as sandbox, engine_of(fleet_of(tmp_path, 1), sandbox) as engine:
        assert await engine.begin(["reg0"], "20260601T000000Z") == ["reg0"]
        await finished(engine, ["reg0"])
        assert await engine.begin(["reg0"], "20260601T000000Z") == []


async def test_who_carries_out_plans_alone_deletes_nothing_of_a_run_approved_meanwhile(tmp_path):
    async with sandbox_of(1, 1) as sandbox, engine_of(fleet_of(tmp_path, 1), sandbox) as engine:
        await engine.begin(["reg0"], "20260601T000000Z", plan_only=True)
        await engine._taker.carry_out("reg0", "20260601T000000Z", "0.0")
        # It looked before, and comes to the step only now.
        assert await engine.approve("reg0", "20260601T000000Z")
        await engine._taker.carry_out("reg0", "20260601T000000Z", "0.0", plan_only=True)
        assert not deletes(sandbox)
        await engine._taker.carry_out("reg0", "20260601T000000Z", "0.0")
        assert deletes(sandbox)


async def test_a_run_that_is_cancelled_after_its_plan_deletes_nothing(tmp_path):
    async with sandbox_of(1, 1) as sandbox, engine_of(fleet_of(tmp_path, 1), sandbox) as engine:
        await engine.begin(["reg0"], "20260601T000000Z")
        await engine._taker.carry_out("reg0", "20260601T000000Z", "0.0")
        run = (await engine.runs())["reg0"]
        assert run.phase == "apply"
        await engine.cancel("reg0", "20260601T000000Z")
        await engine._taker.carry_out("reg0", "20260601T000000Z", "0.0")
        run = (await engine.runs())["reg0"]
        assert (run.phase, run.result) == ("ended", "cancelled")
        assert run.counts == {"not_attempted": run.items}
        assert not deletes(sandbox)


async def test_which_collections_are_older_is_saved_before_one_is_started(tmp_path, monkeypatch):
    saved = []

    async def start(self, *arguments, **options):
        saved.append((await engine.runs())["reg0"].newest_collection)
        return await usual(self, *arguments, **options)

    usual = RegistryHandle.start_garbage_collection
    monkeypatch.setattr(RegistryHandle, "start_garbage_collection", start)
    async with sandbox_of(1, 1) as sandbox, engine_of(fleet_of(tmp_path, 1), sandbox) as engine:
        await engine.begin(["reg0"])
        assert (await finished(engine, ["reg0"]))["reg0"].result == "done"
    assert saved == [""]


@pytest.mark.parametrize(
    ("window", "any_time", "attempt", "seconds"),
    [
        (None, False, 0, 300.0),
        (None, False, 2, 1200.0),
        (None, False, 9, 4800.0),
        ("11:00-12:01", False, 0, 60.0),
        ("11:00-12:01", True, 0, 300.0),
        ("11:00-13:00", False, 0, 300.0),
        ("13:00-14:00", False, 0, 0.001),
    ],
)
def test_a_slice_ends_with_its_window(window, any_time, attempt, seconds):
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
    steps = Steps(None, None, "worker", 300.0, clock=lambda: noon)
    registry = FleetRegistry(
        name="acme",
        token=TokenSource("file", "token"),
        policy=Path("policy.toml"),
        window=None if window is None else Window.parse(window),
    )
    run = Run(registry="acme", id="1", begun_at=noon, attempt=attempt, at_any_time=any_time)
    assert steps._seconds(registry, run) == seconds


async def test_what_an_earlier_slice_found_incomplete_stays_so():
    damaged = Incomplete("web", "keep", ("sha256:x",))
    before = CleanupReport(incomplete=(damaged,), unchecked=("api",))

    class Store:
        async def report(self, run: Run) -> CleanupReport:
            await asyncio.sleep(0)
            return before

    steps = Steps(Store(), None, "worker", 1.0)
    run = Run(registry="acme", id="20260601T120000Z", begun_at=0.0)
    report = await steps._added_up(run, CleanupReport(unchecked=("db",)))
    assert report.incomplete == (damaged,)
    assert report.unchecked == ("db",)
