"""The commands as processes: streams that are full, closed or left, and signals."""

import asyncio
import contextlib
import gc
import inspect
import io
import os
import pwd
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from aioregistry.cli import asking, main, running
from aioregistry.cli.app import app
from aioregistry.cli.options import Access
from aioregistry.cli.process import interruptible, reader_is_gone, run_program
from aioregistry.sandbox import Fault, Faults

pytestmark = pytest.mark.slow(0.4)

ALL = ["--help", "--version", "tags web", "demo --tags 20 --scale 3600", "sandbox --tags 5"]


def usually(*cells, more):
    """Cells of the usual run, and more of which each takes the way of one of them."""
    return [*cells, *(pytest.param(*cell, marks=pytest.mark.exhaustive) for cell in more)]


@pytest.fixture
def filled(shell):
    for tag in ("main", "pr-1", "pr-2"):
        shell.builder.image(tag)
    shell.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    return shell


def run(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which `aioregistry` is the command."""
    script = f'aioregistry() {{ "{sys.executable}" -m aioregistry "$@"; }}; {line}'
    return subprocess.run(
        ["/bin/bash", "-c", script], capture_output=True, text=True, check=False, timeout=120
    )


# Streams


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("line", "unbuffered"),
    usually(
        *((line, "") for line in (*ALL[1:], "cleanup apply plan.json --yes --force")),
        ("tags web", "1"),
        more=[(ALL[0], ""), *((line, "1") for line in (*ALL[:2], *ALL[3:]))],
    ),
)
def test_output_that_is_full_is_told_in_one_line(monkeypatch, line, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    done = run(f"aioregistry {line} > /dev/full")
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert told[-1].endswith(": output: No space left on device")
    assert len(told) == (3 if line.startswith("sandbox") else 1)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    "line", usually(*ALL[1:3], more=[(ALL[0],), (ALL[3],), ("tags web -o json",)])
)
def test_output_that_is_closed_is_told_in_one_line(line):
    done = run(f"aioregistry {line} >&-")
    assert done.returncode == 1
    assert done.stderr.endswith(": output: Bad file descriptor\n")
    assert done.stderr.count("\n") == 1


def test_what_writes_nothing_needs_no_output(filled):
    done = run("aioregistry delete-tags web pr-1 --yes >&-")
    assert done.returncode == 0
    assert filled.tags() == {"main", "pr-2"}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("line", "code", "where"),
    usually(
        ("tags --nope", 2, "&-"),
        ("tags nix", 1, "/dev/full"),
        more=[
            ("tags --nope", 2, "/dev/full"),
            ("tags nix", 1, "&-"),
            ("tags web --untagged", 2, "/dev/full"),
            ("tags web --untagged", 2, "&-"),
        ],
    ),
)
def test_errors_that_cannot_be_told_keep_their_code(line, code, where):
    assert run(f"aioregistry {line} 2> {where}".replace("> &", ">&")).returncode == code


@pytest.mark.parametrize(
    "line", ["delete-tags web - --yes", "cleanup run --policy policy.toml -y --in-use -"]
)
def test_names_are_not_taken_from_a_stdin_that_is_closed(filled, line):
    done = run(f"aioregistry {line} <&-")
    assert done.returncode in {1, 2}
    assert done.stderr.endswith(": stdin: Bad file descriptor\n")
    assert filled.deletes() == 0


@pytest.mark.parametrize("line", usually(*ALL[2:4], more=[(line,) for line in ALL[:2]]))
@pytest.mark.usefixtures("filled")
def test_a_reader_that_has_gone_is_no_failure(line):
    done = run(f"aioregistry {line} | true; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize("both", ["", "2>&1"])
def test_work_goes_on_without_a_reader(filled, both):
    line = f"aioregistry cleanup apply plan.json --yes --force {both}"
    done = run(f"{line} | true; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 0
    assert done.stderr == ""
    assert filled.tags() == {"main"}


@pytest.mark.parametrize("line", ["validate-name example", "tags nix"])
@pytest.mark.usefixtures("filled")
def test_work_that_fails_without_a_reader_has_failed(line):
    assert run(f"aioregistry {line} | true; exit ${{PIPESTATUS[0]}}").returncode == 1


def test_streams_that_somebody_has_replaced_are_theirs(monkeypatch):
    mine = io.StringIO()
    monkeypatch.setattr(sys, "stdout", mine)
    seen = []
    with pytest.raises(SystemExit):
        run_program("x", lambda: seen.append((sys.stdout, reader_is_gone())))
    assert seen == [(mine, False)]
    assert sys.stdout is mine


@pytest.fixture
def streams(monkeypatch):
    """Put something in the place of the streams that this process was given."""

    def put(stdout):
        errors = io.StringIO()
        for name in ("stdout", "__stdout__"):
            monkeypatch.setattr(sys, name, stdout)
        monkeypatch.setattr(sys, "stderr", errors)
        return errors

    return put


def hush():
    with contextlib.suppress(OSError):
        typer.echo("x")


@pytest.mark.parametrize("program", [lambda: typer.echo("x"), lambda: sys.stdout.write("x"), hush])
def test_output_that_is_lost_is_never_a_success(streams, program):
    with Path("/dev/full").open("w") as full:
        errors = streams(full)
        with pytest.raises(SystemExit) as ended:
            run_program("x", program)
    assert ended.value.code == 1
    assert errors.getvalue() == "x: output: No space left on device\n"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("utf-8", "é…😀"), ("iso-8859-15", "é\\u2026\\U0001f600"), ("cp437", "é\\u2026\\U0001f600")],
)
def test_characters_that_an_encoding_lacks_are_escaped(streams, tmp_path, encoding, written):
    path = tmp_path / "output"
    with path.open("w", encoding=encoding) as file:
        streams(file)
        with contextlib.suppress(SystemExit):
            run_program("x", lambda: typer.echo("é…😀"))
    assert path.read_text(encoding=encoding) == f"{written}\n"


def test_what_is_written_after_the_reader_went_goes_nowhere(streams):
    seen = []

    def program():
        for _ in range(3):
            typer.echo("x")
            seen.append(reader_is_gone())
        raise SystemExit(4)

    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        errors = streams(pipe)
        with pytest.raises(SystemExit) as ended:
            run_program("x", program)
    assert (ended.value.code, errors.getvalue()) == (4, "")
    assert seen == [True] * 3


def test_a_list_ends_with_its_reader(monkeypatch):
    monkeypatch.setattr("aioregistry.cli.display.rows.reader_is_gone", lambda: True)
    result = CliRunner().invoke(app, ["config", "show"])
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_file_of_the_shell_that_cannot_be_written_is_told_in_one_line(monkeypatch):
    monkeypatch.setenv("HOME", "/dev/null")
    done = run("aioregistry --install-completion bash")
    assert done.returncode == 1
    assert done.stderr == "aioregistry: /dev/null: File exists\n"


def test_an_error_that_is_not_of_the_output_is_raised():
    def broken():
        raise FileNotFoundError("x")

    with pytest.raises(FileNotFoundError):
        run_program("x", broken)


@pytest.mark.parametrize("home", [None, "", "relative"])
def test_a_user_without_a_home_has_no_configuration(monkeypatch, capsys, home):
    """As one of any number in a container, whom no list of users has."""
    nobody = pwd.getpwuid(os.getuid())
    monkeypatch.setattr(pwd, "getpwuid", lambda _: {}[nobody])
    for name in ("XDG_CONFIG_HOME", "AIOREGISTRY_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", home or "")
    if home is None:
        monkeypatch.delenv("HOME")
    monkeypatch.setattr(sys, "argv", ["aioregistry", "config", "show"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "/.config/aioregistry/config.toml" in capsys.readouterr().out


def test_nothing_is_left_of_it(monkeypatch):
    signals = signal.SIGTERM, signal.SIGHUP, signal.SIGINT
    before = sys.stdout, sys.stderr, *map(signal.getsignal, signals)
    monkeypatch.setattr(sys, "argv", ["aioregistry", "--version"])
    with pytest.raises(SystemExit):
        main()
    after = sys.stdout, sys.stderr, *map(signal.getsignal, signals)
    assert after == before


def test_it_runs_in_any_thread():
    codes = []

    def body():
        with pytest.raises(SystemExit) as ended:
            run_program("x", lambda: None)
        codes.append(ended.value.code)
        with interruptible():
            codes.append("inside")

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert codes == [0, "inside"]


# Signals


def start(*arguments: str, before: str = "") -> subprocess.Popen:
    script = f'{before}exec "$@"'
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", sys.executable, "-m", "aioregistry", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def slow(filled):
    """A registry that takes its time, and a function that waits until a request is under way."""
    before = filled.sandbox.request_count
    filled.sandbox.faults = Faults(Fault(kind="lost", seconds=3600))

    def wait(process):
        while filled.sandbox.request_count == before and process.poll() is None:
            time.sleep(0.01)

    return wait


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_command_as_ctrl_c_does(slow, sent, code):
    with start("delete-repository", "example/web", "--yes") as process:
        slow(process)
        process.send_signal(sent)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == code
    assert errors == (
        "aioregistry delete-repository: interrupted;"
        " the repository may be deleted: check with 'aioregistry repositories'\n"
    )


def test_sigterm_ends_what_a_script_started_deaf_to_ctrl_c(slow):
    # So a shell does for `command &`.
    with start("tags", "web", before="trap '' INT; ") as process:
        slow(process)
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 143
    assert errors == "aioregistry tags: interrupted; nothing was changed\n"


@pytest.mark.parametrize(
    "module",
    [
        "aioregistry.cli.process",
        "typer",
        "rich.console",
        "aioregistry.cli.commands.lists",
        "aiohttp",
    ],
)
def test_ctrl_c_is_one_line_while_modules_are_loaded(module):
    code = f"""
import signal, sys
class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from aioregistry.cli import main
sys.argv = ["aioregistry", "tags", "web"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 130
    assert re.fullmatch(r"aioregistry(| tags): interrupted(|; .*)\n", done.stderr)


def test_the_second_hangup_of_a_closed_terminal_does_not_break_off_the_end():
    ended = []

    def program():
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGHUP)
            ended.append("cleanly")

    with pytest.raises(SystemExit) as left:
        run_program("x", program)
    assert (left.value.code, ended) == (129, ["cleanly"])


def test_sigterm_ends_what_no_loop_runs():
    with pytest.raises(SystemExit) as ended:
        run_program("x", lambda: signal.raise_signal(signal.SIGTERM))
    assert ended.value.code == 143


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_is_ignored_stays_so(filled, slow, sent):
    # So `nohup` has it.
    filled.sandbox.faults, filled.sandbox.latency = Faults(), 0.4
    with start("tags", "example/web", before=f"trap '' {sent.name[3:]}; ") as process:
        slow(process)
        process.send_signal(sent)
        process.communicate(timeout=120)
    assert process.returncode == 0


@pytest.mark.parametrize(("command", "code"), [("demo", 143), ("sandbox", 0)])
def test_sigterm_ends_what_is_embedded(command, code):
    with start(command) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in errors


def test_a_question_is_not_asked_after_ctrl_c(monkeypatch, capsys):
    # asyncio tells the task of it only when it waits next.
    ours, theirs = os.openpty()

    async def work():
        asyncio.current_task().cancel()
        asking.ask("x", "Really?", "nothing was deleted")

    with os.fdopen(theirs, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        os.write(ours, b"y\n")
        with pytest.raises(typer.Exit) as ended:
            asyncio.run(work())
    os.close(ours)
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err == "\naioregistry x: interrupted; nothing was deleted\n"


@pytest.mark.parametrize("raised", [ValueError("x"), ExceptionGroup("x", [OSError("y")])])
def test_what_ctrl_c_makes_of_a_command_is_told_in_a_line(capsys, raised):
    async def fail():
        try:
            await asyncio.sleep(3600)
        finally:
            raise raised

    async def work():
        failing = asyncio.create_task(fail())
        await asyncio.sleep(0)
        signal.raise_signal(signal.SIGINT)
        # Ended, and never asked for its exception.
        asyncio.get_running_loop().call_soon(failing.cancel)
        await fail()

    with pytest.raises(typer.Exit) as ended:
        running.run("x", Access(), work())
    gc.collect()
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err == "aioregistry x: interrupted; nothing was changed\n"


def test_ctrl_c_before_a_command_begins_is_told_in_a_line(monkeypatch, capsys):
    async def work():
        return 0

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio, "run", interrupt)
    with warnings.catch_warnings(record=True) as warned, pytest.raises(typer.Exit):
        running.run("x", Access(), work())
    assert not warned
    assert capsys.readouterr().err == "aioregistry x: interrupted; nothing was changed\n"


def test_ctrl_c_outside_of_a_command_is_told_in_a_line(capsys):
    with pytest.raises(SystemExit) as ended:
        run_program("x", lambda: signal.raise_signal(signal.SIGINT))
    assert (ended.value.code, capsys.readouterr().err) == (130, "x: interrupted\n")


def test_a_signal_right_before_the_wait_for_an_answer_ends_it():
    """Where Python does not see it any more: it comes as select asks for the descriptor."""
    script = """
        import ctypes, functools, signal
        from aioregistry.cli.process import until_readable

        class Stdin:
            # Its result is 0, the descriptor of stdin.
            fileno = functools.partial(ctypes.CDLL(None)["raise"], signal.SIGINT)

        try:
            until_readable(Stdin())
        except KeyboardInterrupt:
            print("interrupted")
    """
    with subprocess.Popen(
        [sys.executable, "-c", inspect.cleandoc(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            process.wait(120)
        finally:
            process.kill()
        assert process.stdout.read() == "interrupted\n"
