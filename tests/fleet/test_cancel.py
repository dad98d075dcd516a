"""Which run is ended by a cancellation: the one that was meant, and no other."""

from tests.fleet.fleets import engine_of, fleet_of, sandbox_of
from tests.fleet.test_engine import finished

OLD, NEW = "20260601T000000Z", "20260602T000000Z"


async def test_to_cancel_a_run_that_has_ended_lets_the_newest_be_cancelled_all_the_same(tmp_path):
    async with (
        sandbox_of(1, 1) as sandbox,
        engine_of(fleet_of(tmp_path, 1), sandbox) as engine,
    ):
        await engine.begin(["reg0"], OLD, plan_only=True)
        await finished(engine, ["reg0"])
        await engine.begin(["reg0"], NEW)
        await engine.cancel("reg0", NEW)
        # As by a page that was opened long ago.
        await engine.cancel("reg0", OLD)
        assert (await finished(engine, ["reg0"]))["reg0"].result == "cancelled"


async def test_a_plan_that_was_cancelled_too_late_can_be_approved(tmp_path, monkeypatch):
    async with (
        sandbox_of(1, 1) as sandbox,
        engine_of(fleet_of(tmp_path, 1), sandbox) as engine,
    ):
        await engine.begin(["reg0"], NEW, plan_only=True)
        # Somebody asks in the moment in which the plan is saved.
        looks = engine.store.is_cancelled

        async def is_cancelled(run):
            return False if run.phase == "plan" else await looks(run)

        monkeypatch.setattr(engine.store, "is_cancelled", is_cancelled)
        await engine.cancel("reg0", NEW)
        assert (await finished(engine, ["reg0"]))["reg0"].result == "planned"
        assert await engine.approve("reg0", NEW)
        run = (await finished(engine, ["reg0"]))["reg0"]
        assert (run.result, run.counts) == ("done", {"deleted": 10})
