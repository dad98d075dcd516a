"""Fleets in one process, without a server."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from aioregistry import RateLimit
from aioregistry.cleanup import Caps, read_archive
from aioregistry.fleet import FleetEngine, Schedule, TokenSource, Window
from aioregistry.sandbox import Fault, Faults, Limits
from tests.fleet.fleets import (
    addresses_of,
    carried_out_by_a_worker,
    collections,
    engine_of,
    fleet_of,
    sandbox_of,
    wrong_repositories,
)


async def finished(engine: FleetEngine, names) -> dict:
    async with asyncio.timeout(200):
        await engine.work(names)
    return await engine.runs()


def deletes(sandbox) -> list[str]:
    return [one.raw_path for one in sandbox.requests if one.method == "DELETE"]


@pytest.mark.slow(1)
async def test_registries_are_planned_applied_and_collected_once(tmp_path):
    async with sandbox_of(3) as sandbox:
        fleet = fleet_of(tmp_path, 3)
        async with engine_of(fleet, sandbox) as engine:
            assert await engine.begin(fleet.registries) == ["reg0", "reg1", "reg2"]
            runs = await carried_out_by_a_worker(engine)
            for run in runs.values():
                assert (run.result, run.items, run.counts) == ("done", 40, {"deleted": 40})
                assert run.freed_bytes > 0
                report, plan = await engine.store.report(run), await engine.store.plan(run)
                assert len(report.deleted) == sum(1 for _ in plan.condemned)
            assert [one.id for one in await engine.store.history("reg0")] == [runs["reg0"].id]
            parts = await engine.store.archive(runs["reg0"])
        assert wrong_repositories(sandbox) == []
        assert collections(sandbox) == {"reg0": 1, "reg1": 1, "reg2": 1}
    (tmp_path / "archive").write_bytes(b"".join(parts))
    assert len(list(read_archive(tmp_path / "archive", "reg0"))) == 40


@pytest.mark.slow(3)
async def test_a_long_run_is_carried_out_in_slices(tmp_path, monkeypatch):
    monkeypatch.setattr("aioregistry.fleet.state._FIRST_DELAY_SECONDS", 0.0)
    limit = RateLimit(windows=((30, 0.4), (1000, 60.0)))
    async with sandbox_of(1, 2, 50) as sandbox:
        # The limit is of the run, whatever slices come before.
        fleet = fleet_of(tmp_path, 1, caps=Caps(max_deletes=100))
        options = {"addresses": addresses_of(sandbox, limit), "slice_seconds": 0.4}
        async with engine_of(fleet, sandbox, **options) as engine:
            await engine.begin(fleet.registries)
            run = (await finished(engine, fleet.registries))["reg0"]
            report = await engine.store.report(run)
        assert (run.result, run.counts) == ("done", {"deleted": 100})
        assert (report.done, report.total) == (True, 100)
        # Nothing is deleted twice.
        assert len(deletes(sandbox)) == len({*deletes(sandbox)}) == 100
        credentials = [one for one in sandbox.requests if "docker-credentials" in one.raw_path]
        assert len(credentials) > 3


async def test_a_slice_takes_five_minutes_at_most(tmp_path):
    with pytest.raises(ValueError, match="300 s at most"):
        FleetEngine(fleet_of(tmp_path, 1), slice_seconds=301)


async def test_what_was_deleted_is_kept_for_as_long_as_it_can_be_restored(tmp_path):
    fleet = fleet_of(tmp_path, 1, undo_window=timedelta(days=2))
    with pytest.raises(ValueError, match=r"kept for 1 day, 0:00:00, .* the undo-window of reg0"):
        FleetEngine(fleet, keep=timedelta(days=1))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"caps": Caps(max_deletes=39)}, "the plan has 40 DELETEs"),
        ({"caps": Caps(max_fraction=0.1)}, "more than 10% of the tags"),
    ],
)
async def test_a_plan_over_its_limits_is_refused_as_a_whole(tmp_path, options, error):
    async with sandbox_of(1) as sandbox:
        fleet = fleet_of(tmp_path, 1, **options)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(fleet.registries)
            run = (await finished(engine, fleet.registries))["reg0"]
        assert run.result == "refused"
        assert error in run.error
        assert deletes(sandbox) == []


async def test_a_plan_over_its_limits_that_is_approved_deletes_nothing(tmp_path):
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1, caps=Caps(max_deletes=9))
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(["reg0"], "20260601T000000Z", plan_only=True)
            await finished(engine, ["reg0"])
            assert await engine.approve("reg0", "20260601T000000Z")
            run = (await finished(engine, ["reg0"]))["reg0"]
        assert (run.result, deletes(sandbox)) == ("refused", [])
        assert "the plan has 10 DELETEs" in run.error


async def test_a_plan_alone_deletes_nothing(tmp_path):
    async with sandbox_of(1) as sandbox:
        fleet = fleet_of(tmp_path, 1)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(fleet.registries, plan_only=True)
            run = (await finished(engine, fleet.registries))["reg0"]
            assert (run.result, run.items) == ("planned", 40)
            assert run.frees
        assert deletes(sandbox) == []


async def test_images_in_use_are_asked_for_again_before_each_slice(tmp_path):
    async with sandbox_of(1, 1) as sandbox:
        running = tmp_path / "running.txt"
        running.write_text("registry.digitalocean.com/reg0/team/app0:pr-1\n")
        fleet = fleet_of(tmp_path, 1, in_use=(str(running),))
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(fleet.registries)
            run = (await finished(engine, fleet.registries))["reg0"]
        assert run.counts == {"deleted": 9}
        tags = sandbox.state.tag_names("reg0", "team/app0")
        assert "pr-1" in tags


async def test_what_is_in_use_cannot_be_known_and_nothing_is_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr("aioregistry.fleet.state._FIRST_DELAY_SECONDS", 0.0)
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1, in_use=(str(tmp_path / "missing.txt"),))
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(fleet.registries)
            run = (await finished(engine, fleet.registries))["reg0"]
        assert (run.result, "InUseError" in run.error) == ("failed", True)
        assert deletes(sandbox) == []


async def test_an_error_of_one_registry_is_its_own_and_passes(tmp_path, monkeypatch):
    monkeypatch.setattr("aioregistry.fleet.state._FIRST_DELAY_SECONDS", 0.01)
    async with sandbox_of(2, 1) as sandbox:
        # The token is refused at first, as one that was just renewed.
        sandbox.tokens.remove("token-reg1")
        fleet = fleet_of(tmp_path, 2)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(fleet.registries)
            working = asyncio.create_task(finished(engine, fleet.registries))
            while not (run := (await engine.runs())["reg1"]).attempt:
                await asyncio.sleep(0.01)
            assert "AuthenticationError" in run.error
            assert "token-reg1" not in run.error
            sandbox.tokens.add("token-reg1")
            runs = await working
        assert [run.result for run in runs.values()] == ["done", "done"]


async def test_a_registry_that_does_not_exist_is_refused(tmp_path):
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 2)
        (tmp_path / "reg1.token").write_text("token-reg0")
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(fleet.registries)
            runs = await finished(engine, fleet.registries)
        assert [run.result for run in runs.values()] == ["done", "refused"]
        assert "NotFoundError" in runs["reg1"].error


async def test_an_error_of_any_kind_is_the_runs_and_the_worker_lives(tmp_path, monkeypatch):
    monkeypatch.setattr("aioregistry.fleet.state._FIRST_DELAY_SECONDS", 0.0)

    class LocalError(Exception):
        """Cannot be pickled, nor can what it has."""

        def __init__(self) -> None:
            super().__init__(lambda: "secret")

    async def fail(_: TokenSource) -> str:
        raise LocalError

    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1)
        monkeypatch.setattr(TokenSource, "read", fail)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(fleet.registries)
            run = (await finished(engine, fleet.registries))["reg0"]
        assert (run.result, run.error) == ("failed", "LocalError")


async def test_a_run_is_begun_once_for_each_moment_of_its_schedule(tmp_path):
    now = datetime.now(UTC)
    schedule = Schedule(f"{(now - timedelta(minutes=5)).minute} * * * *")
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1, schedule=schedule)
        async with engine_of(fleet, sandbox) as engine:
            working = asyncio.create_task(engine.work())
            while not await engine.store.history("reg0"):
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.5)
            (run,) = await engine.store.history("reg0")
            assert run.id == f"{schedule.due(now):%Y%m%dT%H%M%SZ}"
            engine.stop()
            await working
        assert collections(sandbox) == {"reg0": 1}


async def test_a_newer_run_waits_for_the_end_of_the_one_before(tmp_path):
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1)
        async with engine_of(fleet, sandbox) as engine:
            assert await engine.begin(["reg0"], "20260601T000000Z") == ["reg0"]
            assert await engine.begin(["reg0"], "20260602T000000Z") == []
            await finished(engine, ["reg0"])
            # Nor is an older one begun, as by a worker whose clock is late.
            assert await engine.begin(["reg0"], "20260531T000000Z") == []
            assert await engine.begin(["reg0"], "20260602T000000Z") == ["reg0"]


async def test_work_waits_for_its_window(tmp_path):
    now = datetime.now(UTC)
    closed = Window((now + timedelta(hours=2)).time(), (now + timedelta(hours=3)).time())
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1, window=closed)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(["reg0"])
            working = asyncio.create_task(engine.work(["reg0"]))
            await asyncio.sleep(0.4)
            assert sandbox.request_count == 0
            # Somebody asks for it now: the run that waits is the one that begins.
            assert await engine.begin(["reg0"], "29990101T000000Z", at_any_time=True) == []
            async with asyncio.timeout(200):
                await working
            assert (await engine.runs())["reg0"].result == "done"


async def test_what_was_deleted_can_be_restored_for_a_while(tmp_path):
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1, undo_window=timedelta(hours=1))
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(["reg0"])
            # Whoever waits for its end does not wait for an hour.
            run = (await finished(engine, ["reg0"]))["reg0"]
            assert (run.phase, run.counts) == ("gc", {"deleted": 10})
            assert run.not_before > run.begun_at + 3500
        assert collections(sandbox) == {}


async def test_deletes_that_fail_are_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr("aioregistry.fleet.state._FIRST_DELAY_SECONDS", 0.01)
    async with sandbox_of(1, 1) as sandbox:
        sandbox.faults = Faults(Fault(kind="status", status=403, method="DELETE", times=3))
        fleet = fleet_of(tmp_path, 1)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(["reg0"])
            run = (await finished(engine, ["reg0"]))["reg0"]
            report = await engine.store.report(run)
        assert (run.result, run.counts, report.done) == ("done", {"deleted": 10}, True)


@pytest.mark.slow(2)
async def test_how_far_a_slice_is_can_be_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("aioregistry.fleet.steps._SECONDS_BETWEEN_PROGRESS", 0.02)
    limit = RateLimit().scaled(60)
    async with sandbox_of(1, 2, 60, limits=Limits(scale=60.0)) as sandbox:
        sandbox.latency = 0.1
        fleet = fleet_of(tmp_path, 1)
        async with engine_of(fleet, sandbox, addresses=addresses_of(sandbox, limit)) as engine:
            await engine.begin(["reg0"])
            working = asyncio.create_task(engine.work(["reg0"]))
            seen = set()
            while not working.done():
                if progress := (await engine.progress()).get("reg0"):
                    assert (progress.worker, progress.total) == (engine.worker, 120)
                    seen.add(progress.done)
                await asyncio.sleep(0.02)
            await working
    assert len(seen) > 2


async def test_a_collection_that_takes_longer_than_a_slice_is_adopted(tmp_path):
    async with sandbox_of(1, 1) as sandbox:
        sandbox.state.phases = type(sandbox.state.phases)(0.3, 0.3, 0.3)
        fleet = fleet_of(tmp_path, 1)
        async with engine_of(fleet, sandbox, slice_seconds=0.2) as engine:
            await engine.begin(["reg0"])
            run = (await finished(engine, ["reg0"]))["reg0"]
        assert run.result == "done"
        assert run.freed_bytes > 0
        assert collections(sandbox) == {"reg0": 1}


@pytest.mark.slow(2)
@pytest.mark.exhaustive
async def test_registries_of_one_token_share_its_quota(tmp_path):
    limit = RateLimit().scaled(120)
    async with sandbox_of(2, 2, 40, limits=Limits(scale=120.0)) as sandbox:
        (tmp_path / "reg1.token").write_text("token-reg0")
        fleet = fleet_of(tmp_path, 2)
        async with engine_of(fleet, sandbox, addresses=addresses_of(sandbox, limit)) as engine:
            await engine.begin(fleet.registries)
            runs = await finished(engine, fleet.registries)
        assert [run.result for run in runs.values()] == ["done", "done"]
        assert sandbox.rejected_count == 0


async def test_the_lists_are_remembered_on_this_machine(tmp_path):
    async with sandbox_of(1, 3) as sandbox:
        fleet = fleet_of(tmp_path, 1)
        addresses = addresses_of(sandbox)
        addresses = type(addresses)(
            api_url=sandbox.url, registry_url=sandbox.url, rate_limit=None, cache=tmp_path / "cache"
        )
        async with engine_of(fleet, sandbox, addresses=addresses) as engine:
            counts = []
            for nth in range(2):
                before = sandbox.request_count
                await engine.begin(["reg0"], f"2026060{nth + 1}T000000Z", plan_only=True)
                await finished(engine, ["reg0"])
                counts.append(sandbox.request_count - before)
        assert counts[1] < counts[0]


@pytest.mark.slow(2)
@pytest.mark.exhaustive
async def test_stopping_breaks_a_slice_off_and_another_worker_continues(tmp_path):
    limit = RateLimit().scaled(60)
    async with (
        sandbox_of(1, 2, 60, limits=Limits(scale=60.0)) as sandbox,
        AsyncExitStack() as stack,
    ):
        fleet = fleet_of(tmp_path, 1)
        options = {"addresses": addresses_of(sandbox, limit)}
        # Both are on the same server, which is this event loop.
        first, second = [
            await stack.enter_async_context(engine_of(fleet, sandbox, **options)) for _ in range(2)
        ]
        await first.begin(["reg0"])
        working = asyncio.create_task(first.work())
        while len(deletes(sandbox)) < 10:
            await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        first.stop()
        await working
        assert loop.time() - begun < 5
        assert 10 <= len(deletes(sandbox)) < 110
        run = (await finished(second, ["reg0"]))["reg0"]
        assert run.result == "done"
        assert sum(run.counts.values()) == 120
        assert wrong_repositories(sandbox) == []
        assert collections(sandbox) == {"reg0": 1}


async def test_a_plan_is_approved_once(tmp_path):
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(["reg0"], "20260601T000000Z", plan_only=True)
            assert not await engine.approve("reg0", "20260601T000000Z")
            await finished(engine, ["reg0"])
            assert not await engine.approve("reg0", "another")
            assert await engine.approve("reg0", "20260601T000000Z")
            assert not await engine.approve("reg0", "20260601T000000Z")
            run = (await finished(engine, ["reg0"]))["reg0"]
            assert (run.result, run.counts) == ("done", {"deleted": 10})
            # A newer run has begun.
            await engine.begin(["reg0"], "20260602T000000Z")
            assert not await engine.approve("reg0", "20260601T000000Z")
            assert (await engine.find("reg0", "20260601T000000Z")).result == "done"
            assert await engine.find("reg0", "20260603T000000Z") is None


async def test_a_run_that_waits_for_its_window_is_cancelled_at_once(tmp_path):
    now = datetime.now(UTC)
    closed = Window((now + timedelta(hours=2)).time(), (now + timedelta(hours=3)).time())
    async with sandbox_of(1, 1) as sandbox:
        fleet = fleet_of(tmp_path, 1, window=closed)
        async with engine_of(fleet, sandbox) as engine:
            await engine.begin(["reg0"], "20260601T000000Z")
            await engine.cancel("reg0", "20260601T000000Z")
            run = (await finished(engine, ["reg0"]))["reg0"]
        assert (run.result, sandbox.request_count) == ("cancelled", 0)
