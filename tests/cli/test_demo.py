"""The command `aioregistry demo`."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aioregistry import cli
from aioregistry.cli.app import app
from aioregistry.cli.demo import content
from aioregistry.cli.demo import run as demonstration
from aioregistry.cli.demo.history import GIT_LINE
from aioregistry.sandbox import Fault, Faults, Sandbox
from tests.cli.programs import Program

START = datetime(2024, 1, 1, tzinfo=UTC)
RELEASES = 7


def demo(*arguments):
    return CliRunner().invoke(app, ["demo", "--scale", "3600", *arguments])


def rows(output):
    """The rows of the table: name to value and remark."""
    cells = [re.split(r"\s*│\s*", line.strip("│ ")) for line in output.splitlines() if "│" in line]
    return {row[0]: tuple(row[1:]) for row in cells}


@pytest.fixture
def history(tmp_path):
    """A history of 60 pushes; every eighth is a release."""
    pushes = [
        {
            "at": (START + timedelta(hours=number)).isoformat(),
            "sha": f"{number:012x}" + "0" * 28,
            "on_default_branch": True,
            "releases": [f"v1.{number // 8}"] if number % 8 == 7 else [],
        }
        for number in range(60)
    ]
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"repository": "owner/project", "pushes": pushes}))
    return path


def test_the_demo_does_the_whole_job():
    result = demo("--tags", "600", "--keep", "5")
    assert result.exit_code == 0, result.output
    table = rows(result.output)
    assert table["repositories walked"][0] == "8"
    assert table["tags walked"] == ("600", "of 600")
    assert table["tags left"][1].startswith("exactly")
    deleted, left = int(table["deleted"][0]), int(table["tags left"][0])
    assert left < 150
    assert deleted > 350
    assert table["storage freed"][0].endswith((" MB", " GB"))
    assert table["storage freed"][1] == "exactly the plan's estimate"
    assert not {"absent", "drift", "failed", "unknown", "not attempted"} & table.keys()
    assert table["429s received"][0] == "0"
    assert int(table["requests sent"][0]) >= deleted
    assert "waiting for quota" in table["seconds"][1]
    assert table["memory"][0].endswith("MiB")


def test_every_stage_is_told_in_a_line():
    lines = demo("--tags", "200").output.splitlines()
    begun = [line.split()[0] for line in lines if line[:1].isalpha()]
    assert begun == ["Registry", "Limits", "Walk", "Plan", "Delete", "Collect", "Verify"]


def test_a_history_loses_all_but_the_newest_commit_tags_and_no_release(history):
    result = demo("--history", str(history), "--keep", "10")
    assert result.exit_code == 0, result.output
    table = rows(result.output)
    assert table["tags walked"] == (f"{60 + RELEASES}", f"of {60 + RELEASES}")
    assert table["deleted"] == ("50", "of 50")
    assert table["releases left"] == (f"{RELEASES}", f"of {RELEASES} in the file")
    assert table["commit tags left"] == ("10", "of 60")


def test_a_history_keeps_a_hundred_commit_tags_unless_told_otherwise(history):
    result = demo("--history", str(history))
    assert result.exit_code == 0
    assert rows(result.output)["deleted"][0] == "0"


def test_the_history_that_the_line_of_git_log_writes_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = (
        "git init -q && for n in 1 2 3 4; do GIT_COMMITTER_DATE=2024-01-0${n}T00:00:00Z"
        " git -c user.name=x -c user.email=x@example.com"
        f" commit -q --allow-empty -m $n; done && git tag v1.0.0 && {GIT_LINE}"
    )
    subprocess.run(script, shell=True, check=True)
    result = demo("--history", "history.json", "--keep", "1")
    assert result.exit_code == 0, result.output
    table = rows(result.output)
    assert table["deleted"] == ("3", "of 3")
    assert table["releases left"] == ("1", "of 1 in the file")


def with_faults(monkeypatch, *faults):
    def sandbox(*arguments, **settings):
        return Sandbox(*arguments, faults=Faults(*faults), **settings)

    monkeypatch.setattr(demonstration, "Sandbox", sandbox)


def test_a_tag_that_cannot_be_deleted_is_told_and_fails_the_demo(monkeypatch):
    with_faults(monkeypatch, Fault(kind="status", status=403, method="DELETE", skip=2, times=1))
    result = demo("--tags", "100", "--keep", "0")
    assert result.exit_code == 1
    table = rows(result.output)
    assert table["failed"][0] == "1"
    assert table["tags left"][1].startswith("NOT")
    # The third DELETE may be that of a manifest with several tags.
    assert re.search(r"[1-9]\d* deleted tags still exist", result.output)
    assert "Wrong  failed: " in result.output


def test_a_walk_that_fails_is_told_in_one_line(monkeypatch):
    with_faults(monkeypatch, Fault(kind="status", status=403, method="GET"))
    result = demo("--tags", "10")
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("Failed  PermissionDeniedError: ")
    assert result.output.endswith("nothing was deleted\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scale", "nan"], "--scale must be 1 to 3600, not nan"),
        (["--scale", "0.5"], "--scale must be 1 to 3600, not 0.5"),
        (["--tags", "5", "--history", "x"], "--tags and --history exclude each other"),
        (["--history", "absent.json"], "absent.json: No such file or directory"),
        (["--history", __file__], "not a push history"),
    ],
)
def test_wrong_usage_is_told_in_one_line(capsys, arguments, said):
    with pytest.raises(SystemExit) as caught:
        app(["demo", *arguments])
    assert caught.value.code == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith("aioregistry demo: ")
    assert said in errors


@pytest.mark.parametrize("arguments", [["--tags", "0"], ["--keep", "-1"], ["--keep", "many"]])
def test_numbers_out_of_range_are_refused(arguments):
    assert demo(*arguments).exit_code == 2


def test_the_line_of_git_log_is_printed_whole():
    result = CliRunner().invoke(app, ["demo", "--history-format"])
    assert result.exit_code == 0
    assert GIT_LINE in result.output.splitlines()


# The process


def start(*arguments, **settings):
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}
    return Program(*arguments, env=environment, **settings)


@pytest.mark.slow(2)
def test_ctrl_c_tells_what_was_done():
    with start("demo", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for line in process.stdout:
            if line.startswith("╰"):
                break
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors == ""
    last = output.splitlines()[-1]
    assert re.fullmatch(r"Interrupted  [\d,]+ of [\d,]+ deleted(, [\d,]+ [a-z ]+)+", last), last


def test_ctrl_c_before_anything_was_begun_is_as_calm(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(content, "generated_state", interrupted)
    result = demo()
    assert result.exit_code == 130
    assert result.output == "Interrupted  nothing was deleted\n"


@pytest.mark.slow(3)
def test_a_terminal_sees_a_bar_with_pace_and_estimate():
    ours, theirs = pty.openpty()
    with start("demo", "--tags", "900", stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                seen += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
        os.close(ours)
    assert process.returncode == 0
    assert re.search(r"Delete  .*━.* [\d,]+/[\d,]+ requests +[\d,]+/s +ETA \d+:\d\d", seen.decode())
    # A slow machine never uses up the minute, and has nothing that waits.
    assert re.search(r"minute \d+/250, hour [\d,]+/5,000", seen.decode())


def test_the_module_is_the_command():
    output = subprocess.check_output([sys.executable, "-m", "aioregistry", "--version"], text=True)
    assert output == "aioregistry-do 0.1.0\n"


def forget(monkeypatch, *packages):
    """Let all modules in some packages be imported anew, and be again what they were afterwards."""
    inside = tuple(f"{package}." for package in packages)
    for name in [name for name in sys.modules if name.startswith(inside)]:
        within, _, last = name.rpartition(".")
        if getattr(sys.modules.get(within), last, None) is sys.modules[name]:
            monkeypatch.setattr(sys.modules[within], last, sys.modules[name])
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_the_command_tells_what_to_install(monkeypatch, capsys, missing):
    forget(monkeypatch, "aioregistry.cli", missing)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "pip install 'aioregistry-do[cli]'" in told
    assert "pip install '.[cli]'" in told


def test_another_missing_module_is_no_question_of_the_extra(monkeypatch):
    forget(monkeypatch, "aioregistry.cli")
    monkeypatch.setitem(sys.modules, "aioregistry.sandbox", None)
    monkeypatch.setattr(sys, "argv", ["aioregistry", "demo"])
    with pytest.raises(ModuleNotFoundError):
        cli.main()


def test_ctrl_c_while_the_command_is_loaded_shows_no_traceback(monkeypatch):
    class Impatient:
        @staticmethod
        def find_spec(*_):
            raise KeyboardInterrupt

    forget(monkeypatch, "aioregistry.cli")
    monkeypatch.setattr(sys, "meta_path", [Impatient])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 130


def test_main_runs_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["aioregistry", "--version"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("aioregistry-do ")


@pytest.mark.parametrize("path", sorted(Path(cli.__file__).parent.rglob("*.py")), ids=str)
def test_no_text_tells_to_install_the_namesake(path):
    assert "pip install aioregistry" not in path.read_text()
