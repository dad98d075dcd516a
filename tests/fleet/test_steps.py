"""Single steps of runs, and runs that were begun already."""

import asyncio

from aioregistry.cleanup.apply.report import CleanupReport, Incomplete
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
        await finished(engine, ["reg0"])
        # It looked before, and comes to the step only now.
        await engine.approve("reg0", "20260601T000000Z")
        await engine._carry_out("reg0", "20260601T000000Z", "0.0", plan_only=True)
        assert not deletes(sandbox)
        await engine._carry_out("reg0", "20260601T000000Z", "0.0")
        assert deletes(sandbox)


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
