"""What of pydocket is used, and how: little, so that most of its traps are none; see TRAPS.md."""

import ast
import asyncio
import re
import threading
import tomllib
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version

from aioregistry.cleanup import CleanupReport, Plan
from aioregistry.fleet import Schedule
from aioregistry.fleet.store import FleetStore
from aioregistry.sandbox import Fault, Faults
from tests.fleet.fleets import carried_out_by_a_worker, engine_of, fleet_of, sandbox_of
from tests.fleet.test_traps import check, forget_ticks, stage
from tests.readme import ROOT

__all__ = ["stage"]

CLI_TESTS = "tests/cli/test_fleet.py"
# No Cron, Perpetual, Retry, ConcurrencyLimit, Timeout, Depends, no results, strikes or snapshots.
NAMES = {"Docket", "Worker"}
CALLS = {"register", "add", "redis"}
KEYS = {"stream_key", "worker_group_name", "worker_tasks_set"}
ARGUMENTS = {
    "Docket": {"name", "url", "execution_ttl"},
    # No port for health or metrics is opened, and no automatic tasks are begun.
    "Worker": {
        "name",
        "concurrency",
        "redelivery_timeout",
        "minimum_check_interval",
        "schedule_automatic_tasks",
        "fallback_task",
    },
}


def trees() -> dict[str, ast.Module]:
    paths = (ROOT / "aioregistry").rglob("*.py")
    found = {str(path.relative_to(ROOT)): path.read_text() for path in paths}
    return {name: ast.parse(text) for name, text in found.items() if "docket" in text.lower()}


def test_two_files_know_it_and_two_of_its_names():
    imported: dict[str, set[str]] = {}
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "docket":
                assert node.module == "docket"
                imported.setdefault(name, set()).update(each.name for each in node.names)
            elif isinstance(node, ast.Import):
                assert all(each.name.split(".")[0] != "docket" for each in node.names)
    assert imported.keys() == {"aioregistry/fleet/engine.py", "aioregistry/fleet/intake.py"}
    assert set().union(*imported.values()) == NAMES


def test_of_a_queue_three_methods_are_called():
    called = {
        node.attr
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "_docket"
    }
    assert called == CALLS | KEYS


def test_queues_and_workers_are_made_with_known_arguments():
    made: dict[str, set[str]] = {}
    for tree in trees().values():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in NAMES
            ):
                made.setdefault(node.func.id, set()).update(str(one.arg) for one in node.keywords)
    assert made == ARGUMENTS


def test_its_next_version_is_not_taken_unseen():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (pin,) = [one for one in extras["optional-dependencies"]["fleet"] if "docket" in one]
    assert pin == "pydocket~=0.27.0"
    assert version("pydocket").startswith("0.27.")


async def test_a_step_that_cannot_be_saved_is_the_steps_and_the_worker_lives(
    stage, monkeypatch, caplog
):
    sandbox, engine = stage
    worker = await engine()
    usual, times = FleetStore.writes_of, []

    class LocalError(Exception):
        """Cannot be pickled."""

    def fail(self, run):
        times.append(run)
        if len(times) in {1, 2}:
            raise LocalError(lambda: None)
        return usual(self, run)

    monkeypatch.setattr(FleetStore, "writes_of", fail)
    await worker.begin(["reg0"])
    check(sandbox, (await carried_out_by_a_worker(worker))["reg0"])
    assert caplog.text.count("reg0: a step could not be saved") == 2


async def test_keys_of_ours_and_of_the_queue_are_apart_and_so_are_two_fleets(tmp_path, url, server):
    async with sandbox_of(2, 1) as sandbox:
        # Named as the queue names its own keys.
        fleets = {name: fleet_of(tmp_path, 2) for name in ("fleet", "runs")}
        for name, fleet in fleets.items():
            async with engine_of(fleet, sandbox, url, name=name) as engine:
                await engine.begin(fleet.registries)
                await carried_out_by_a_worker(engine)
        keys = {key.decode() for key in await server.keys("*")}
        for name, fleet in fleets.items():
            ours = {key for key in keys if key.startswith((f"{name}:{{", f"{name}:tick:"))}
            of = {key.partition("{")[2].partition("}")[0] for key in ours}
            assert of - {""} == {*fleet.registries}
            keys -= ours
        # What is left is the queues' own, which are called otherwise than any key of ours.
        assert {key.split(":")[0] for key in keys} <= {*fleets}
        assert not any("{" in key or ":tick" in key for key in keys)


async def test_workers_whose_clocks_differ_begin_a_run_of_a_moment_once(tmp_path, url, server):
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
    async with sandbox_of(1, 1) as sandbox, AsyncExitStack() as at:
        fleet = fleet_of(tmp_path, 1, schedule=Schedule("* * * * *"), gc=False)
        workers = []
        # By the clock of one it is noon; by that of another a second before, half a minute after.
        # They stand still, so that it stays so however long this takes.
        for ahead in (-1.5, 0.0, 30.0):
            options = {"clock": partial(float, noon + ahead), "tick_seconds": 0.2}
            workers.append(await at.enter_async_context(engine_of(fleet, sandbox, url, **options)))
        working = [asyncio.create_task(each.work()) for each in workers]
        async with asyncio.timeout(200):
            while not await has_ended(workers[0], "20260601T120000Z"):
                await asyncio.sleep(0.02)
        for each in workers:
            each.stop()
        await asyncio.gather(*working)
        # Whoever has not looked since then does so.
        for each in workers:
            await forget_ticks(server)
            await each._tick()
        runs = [run.id for run in await workers[0].store.history("reg0")]
        assert len(runs) == len({*runs})
        assert {*runs} <= {"20260601T115900Z", "20260601T120000Z"}
        assert (await workers[0].runs())["reg0"].id == "20260601T120000Z"


async def has_ended(engine, run: str) -> bool:
    found = await engine.find("reg0", run)
    return found is not None and found.phase == "ended"


async def test_plans_and_reports_are_read_and_written_beside_the_loop(stage, monkeypatch):
    sandbox, engine = stage
    loops, names = threading.get_ident(), set()

    def watched(kind, name):
        usual = getattr(kind, name)

        def call(*arguments):
            names.add((kind.__name__, name))
            assert threading.get_ident() != loops, f"{kind.__name__}.{name} holds up the loop"
            return usual(*arguments)

        monkeypatch.setattr(kind, name, call)

    for kind in (Plan, CleanupReport):
        watched(kind, "to_json")
        watched(kind, "from_json")
    # What was refused is tried again by another slice, which reads the report of the one before.
    monkeypatch.setattr("aioregistry.fleet.state._FIRST_DELAY_SECONDS", 0.01)
    sandbox.faults = Faults(Fault(kind="status", status=403, method="DELETE", times=3))
    worker = await engine()
    await worker.begin(["reg0"])
    run = (await carried_out_by_a_worker(worker))["reg0"]
    assert (run.result, run.counts) == ("done", {"deleted": 120})
    assert names == {
        (kind, name) for kind in ("Plan", "CleanupReport") for name in ("to_json", "from_json")
    }


def test_each_trap_has_a_test():
    table = (ROOT / "tests/fleet/TRAPS.md").read_text()
    rows = [row.split(" | ") for row in table.splitlines() if re.match(r"\| \d", row)]
    assert [int(row[0].strip("| ")) for row in rows] == list(range(1, 22))
    tests = "".join(
        path.read_text() for path in (*ROOT.glob("tests/fleet/test_*.py"), ROOT / CLI_TESTS)
    )
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row[-1])
        assert named, row
        assert [name for name in named if f"def {name}(" not in tests] == []
