"""Repositories that are held: no run deletes in them until they are released."""

import asyncio

import pytest

from aioregistry.fleet import LeaseTakenError
from tests.fleet.fleets import engine_of, fleet_of, sandbox_of, wrong_repositories
from tests.fleet.test_engine import finished


def deletes(sandbox) -> list[str]:
    return [one.raw_path for one in sandbox.requests if one.method == "DELETE"]


async def run_once(engine, **options):
    await engine.begin(["reg0"], **options)
    return (await finished(engine, ["reg0"]))["reg0"]


@pytest.mark.parametrize("where", ["in this process", "on a server"])
async def test_a_run_leaves_held_repositories_alone_until_they_are_released(tmp_path, url, where):
    server = url if where == "on a server" else "memory://"
    async with (
        sandbox_of(1, 2) as sandbox,
        engine_of(fleet_of(tmp_path, 1), sandbox, server) as engine,
        # Another machine.
        engine_of(fleet_of(tmp_path, 1), sandbox, server) as other,
    ):
        await other.store.hold("reg0", ["team/app1", "no/such"], 0.0)
        run = await run_once(engine)
        assert (run.result, run.counts) == ("done", {"deleted": 10})
        assert wrong_repositories(sandbox) == ["reg0/team/app1"]
        (left,) = (await engine.store.plan(run)).left_alone
        assert left.repository == "team/app1"
        assert left.reason.startswith(
            "held since 1970-01-01 00:00 UTC; 'aioregistry fleet release'"
        )
        assert list(await engine.store.held("reg0")) == ["no/such", "team/app1"]
        await engine.store.release("reg0", ["team/app1"])
        assert (await run_once(engine)).counts == {"deleted": 10}
        assert wrong_repositories(sandbox) == []
        assert list(await other.store.held("reg0")) == ["no/such"]


async def test_a_plan_that_is_older_than_a_hold_and_would_delete_there_is_refused(tmp_path):
    async with (
        sandbox_of(1, 2) as sandbox,
        engine_of(fleet_of(tmp_path, 1), sandbox) as engine,
    ):
        run = await run_once(engine, plan_only=True)
        await engine.store.hold("reg0", ["team/app1"], 0.0)
        await engine.approve("reg0", run.id)
        run = (await finished(engine, ["reg0"]))["reg0"]
        assert (run.result, run.error) == (
            "refused",
            "HeldError: held since the plan was made: team/app1; a new plan leaves that alone",
        )
        assert deletes(sandbox) == []


async def test_a_plan_that_is_older_than_a_hold_elsewhere_is_carried_out(tmp_path):
    async with (
        sandbox_of(1, 2) as sandbox,
        engine_of(fleet_of(tmp_path, 1), sandbox) as engine,
    ):
        run = await run_once(engine, plan_only=True)
        await engine.store.hold("reg0", ["team/another"], 0.0)
        await engine.approve("reg0", run.id)
        assert (await finished(engine, ["reg0"]))["reg0"].result == "done"


async def test_no_step_is_carried_out_as_repositories_are_held(tmp_path):
    async with (
        sandbox_of(1, 1) as sandbox,
        engine_of(fleet_of(tmp_path, 1), sandbox) as engine,
    ):
        async with engine.store.lease("reg0"):
            with pytest.raises(LeaseTakenError):
                await engine.store.hold("reg0", ["team/app0"], 0.0)
            assert await engine.store.held("reg0") == {}
        await engine.store.hold("reg0", [], 0.0)
        await engine.store.release("reg0", [])
        assert await engine.store.held("reg0") == {}


@pytest.mark.parametrize("end", ["cancelled", "refused"])
async def test_what_was_deleted_before_a_hold_is_in_the_report_of_a_run(tmp_path, end):
    async with (
        sandbox_of(1, 1, 90) as sandbox,
        engine_of(fleet_of(tmp_path, 1), sandbox) as engine,
    ):
        sandbox.latency = 0.02
        await engine.begin(["reg0"], plan_only=True)
        run = (await finished(engine, ["reg0"]))["reg0"]
        await engine.approve("reg0", run.id)
        working = asyncio.create_task(engine.work(["reg0"]))
        # Some are under way, and what became of the others is in the journal.
        while len(deletes(sandbox)) < 50:
            await asyncio.sleep(0.001)
        # Broken off within a slice.
        engine.stop()
        await working
        await engine.store.hold("reg0", ["team/app0"], 0.0)
        before = len(deletes(sandbox))
        if end == "cancelled":
            await engine.cancel("reg0", run.id)
        run = (await finished(engine, ["reg0"]))["reg0"]
        assert run.result == end
        assert len((await engine.store.report(run)).deleted) == run.counts["deleted"] >= 10
        # It has only told of them.
        assert len(deletes(sandbox)) == before
