"""The commands in a real terminal."""

import io
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aioregistry.cli import asking
from aioregistry.cli.running import EndedError
from aioregistry.sandbox import Fault, Faults, Phases
from tests.cli.terminal import Terminal

pytestmark = pytest.mark.slow(1)

TAGS = 50_000


@pytest.fixture
def crowded(shell, monkeypatch):
    """A repository of 50,000 tags; the commands know the registry."""
    for number in range(TAGS // 500):
        names = [f"t{number * 500 + each:05}" for each in range(500)]
        shell.sandbox.state.push("example", "web", names)
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setenv("AIOREGISTRY_REGISTRY", "example")
    return shell


@pytest.fixture
def condemned(shell, monkeypatch):
    for number in range(400):
        shell.builder.image(f"pr-{number}")
    shell.builder.image("main")
    shell.sandbox.latency = 0.05
    monkeypatch.delenv("COLUMNS")
    return shell


@pytest.mark.parametrize("columns", [80, 200])
def test_fifty_thousand_tags_are_listed_within_the_window(crowded, columns):
    with Terminal("tags", "web", columns=columns) as terminal:
        terminal.wait_for("t00000|t49999")
        assert terminal.end() == 0
        lines = terminal.text.splitlines()
    assert len(re.findall(r"^t\d{5} ", terminal.text, re.MULTILINE)) == TAGS
    assert lines[0].split() == ["tag", "size", "updated", "digest"]
    assert max(map(len, lines)) <= columns


@pytest.mark.usefixtures("crowded")
def test_the_first_rows_show_while_later_pages_are_under_way(crowded):
    crowded.sandbox.latency = 1.0
    with Terminal("tags", "web") as terminal:
        terminal.wait_for(r"t\d{5}")
        assert crowded.sandbox.request_count < 20
        terminal.interrupt()
        assert terminal.end() == 130


def test_a_window_that_gets_narrower_is_kept_to(crowded):
    crowded.sandbox.latency = 0.05
    with Terminal("tags", "web", columns=200) as terminal:
        terminal.wait_for(r"t\d{5}")
        terminal.resize(60)
        before = len(terminal.text)
        assert terminal.end() == 0
    # What was under way when the window changed may be wide still.
    last = terminal.text[before:].splitlines()[-2000:]
    assert max(map(len, last)) <= 60


def test_ctrl_c_ends_a_list_with_one_clean_line(crowded):
    crowded.sandbox.latency = 0.5
    with Terminal("tags", "web") as terminal:
        terminal.wait_for(r"t\d{5}")
        terminal.interrupt()
        assert terminal.end() == 130
        assert terminal.text.splitlines()[-1] == (
            "aioregistry tags: interrupted; nothing was changed"
        )
        assert "Traceback" not in terminal.text


@pytest.mark.parametrize("columns", [80, 200])
def test_a_clean_up_shows_its_progress_and_tells_what_ctrl_c_left(condemned, columns):
    command = ("cleanup", "run", "--policy", "policy.toml", "--force", "--plan-file", "plan.json")
    with Terminal(*command, columns=columns) as terminal:
        terminal.wait_for(r"Delete 400 tags.*\[y/N\]")
        terminal.type("y\n")
        terminal.wait_for(r"Delete  .*\d+/400 requests +[\d,]+/s +ETA \d+:\d\d")
        terminal.resize(columns - 20)
        terminal.wait_for(r"Delete  .*[1-9]\d/400 requests")
        terminal.interrupt()
        assert terminal.end() == 130
        last = " ".join(terminal.text.split())
    assert re.search(r"interrupted; \d+ of 400 deleted, .*\d+ not attempted", last)
    assert last.endswith("to continue: aioregistry cleanup apply plan.json --resume --force")
    assert "Traceback" not in last
    left = len(condemned.tags())
    assert 1 < left < 401


def test_a_clean_up_whose_terminal_is_closed_can_be_resumed(shell):
    # Within the quota of a minute, so that the second run need not wait for it.
    for number in range(150):
        shell.builder.image(f"pr-{number}")
    shell.builder.image("main")
    shell.sandbox.latency = 0.3
    command = ("cleanup", "run", "--policy", "policy.toml", "--force", "--plan-file", "plan.json")
    with Terminal(*command, "--yes") as terminal:
        terminal.wait_for(r"Delete  .*[1-9]\d/150 requests")
        assert terminal.hang_up() == 129
    entries = [json.loads(line) for line in Path("plan.json.journal").read_text().splitlines()[1:]]
    begun = {entry["name"] for entry in entries if entry["state"] == "begun"}
    # Of each that was under way, the journal says what became of it.
    assert begun
    assert begun <= {entry["name"] for entry in entries if entry["state"] != "begun"}
    shell.sandbox.latency = 0
    resumed = shell.run("cleanup", "apply", "plan.json", "--yes", "--force", "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert shell.tags() == {"main"}


ASKING = {
    "delete-tags web pr-1": "nothing was deleted",
    "delete-repository web": "nothing was deleted",
    "cleanup run --policy policy.toml --force --plan-file new.json": "nothing was deleted",
    "cleanup apply plan.json --force": "nothing was deleted",
    "registry delete example": "nothing was deleted",
    "registry create second --tier professional": "nothing was created",
    "subscription --change-to professional": "nothing was changed",
    "gc start example": "no garbage collection was started",
}


@pytest.fixture
def planned(condemned):
    condemned.sandbox.latency = 0
    condemned.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    return condemned


def answer(line, keys):
    """Answer a question, which names the sandbox; return the exit code and the last line."""
    with Terminal(*line.split(), columns=200) as terminal:
        terminal.wait_for(r"http://127\.0\.0\.1:\d+: .*\? \[y/N\]: $")
        if keys is None:
            terminal.terminate()
        else:
            terminal.type(keys)
        return terminal.end(), terminal.text.splitlines()[-1]


def command_of(line):
    words = line.split()
    return " ".join(words[: 1 + (words[0] in {"cleanup", "registry", "gc"})])


@pytest.mark.parametrize(("line", "nothing"), ASKING.items())
def test_ctrl_c_at_a_question_ends_at_once(planned, line, nothing):
    assert answer(line, "\x03") == (130, f"aioregistry {command_of(line)}: interrupted; {nothing}")
    assert {request.method for request in planned.sandbox.requests} <= {"GET", "HEAD"}


@pytest.mark.parametrize("line", ["delete-repository web", "cleanup apply plan.json --force"])
def test_sigterm_at_a_question_does_too(planned, line):
    said = f"aioregistry {command_of(line)}: interrupted; nothing was deleted"
    assert answer(line, None) == (143, said)
    assert planned.deletes() == 0


@pytest.mark.parametrize("keys", ["n\n", "NO\n", "\n", "\x04"])
@pytest.mark.parametrize("line", ["delete-repository web", "cleanup apply plan.json --force"])
def test_all_but_yes_is_a_no_which_is_not_done(planned, line, keys):
    assert answer(line, keys) == (4, f"aioregistry {command_of(line)}: nothing was deleted")
    assert planned.deletes() == 0


@pytest.mark.parametrize(("names", "said"), [("pr-1", "1 tag"), ("pr-1 pr-2", "2 tags")])
def test_yes_is_what_it_asks_for(planned, names, said):
    with Terminal("delete-tags", "web", *names.split()) as terminal:
        terminal.wait_for(rf"Delete {said} from example/web: pr-1.*\? \[y/N\]")
        terminal.type("maybe\n")
        terminal.wait_for(r"maybe\n.*\? \[y/N\]")
        terminal.type("yes\n")
        assert terminal.end() == 0
    assert planned.deletes() == len(names.split())


def test_half_a_character_is_no_answer(planned):
    # Some terminals erase a byte of it for each stroke of the key.
    with Terminal("delete-tags", "web", "pr-1") as terminal:
        terminal.wait_for(r"\? \[y/N\]")
        terminal.type("\udcc3\n")
        terminal.wait_for(r"\? \[y/N\].*\n.*\? \[y/N\]")
        terminal.type("yes\n")
        assert terminal.end() == 0
    assert planned.deletes() == 1


def test_a_text_that_ends_within_a_character_is_no_answer(monkeypatch, capsys):
    class Typed(io.BytesIO):
        def isatty(self):
            return True

    looks = iter(range(2))
    monkeypatch.setattr(asking, "until_readable", lambda _: next(looks))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Typed(b"\xc3"), encoding="utf-8"))
    with pytest.raises(EndedError):
        asking.ask("delete-tags", "Delete?", "nothing was deleted")
    assert capsys.readouterr().err.count("Delete? [y/N]") == 2


def test_ctrl_c_ends_the_reading_of_names(planned):
    with Terminal("delete-tags", "example/web", "-", "--yes") as terminal:
        terminal.type("pr-1\n")
        # Shown by the terminal, and then read.
        terminal.wait_for("pr-1")
        terminal.wait_until_read()
        terminal.interrupt()
        assert terminal.end() == 130
    assert planned.deletes() == 0


def test_no_progress_is_shown_when_it_is_not_wanted(condemned):
    with Terminal("tags", "web", "--sort", "name", "--no-progress") as terminal:
        assert terminal.end() == 0
    assert "Read" not in terminal.text


def test_no_colour_is_shown_when_it_is_not_wanted(condemned, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    with Terminal("tags", "web", "--limit", "3") as terminal:
        assert terminal.end() == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", terminal.seen)
    assert condemned.sandbox.request_count > 0


def test_a_reader_that_has_had_enough_ends_a_list_quietly(crowded):
    script = f"{sys.executable} -m aioregistry tags web | head -2; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"
    assert crowded.sandbox.request_count < TAGS / 200


def test_a_wait_for_a_garbage_collection_is_called_so(condemned):
    condemned.sandbox.state.phases = Phases(60, 60)
    with Terminal("gc", "start", "example", "--yes") as terminal:
        terminal.wait_for("waiting for the end of the garbage collection; Ctrl-C stops the wait")
        terminal.interrupt()
        terminal.wait_for("a garbage collection that was started continues")
        assert terminal.end() == 130


@pytest.mark.slow(7)
def test_the_time_for_an_answer_is_not_called_a_wait(condemned):
    with Terminal("gc", "start", "--no-wait") as terminal:
        terminal.wait_for(r"\? \[y/N\]")
        time.sleep(5.5)
        condemned.sandbox.faults = Faults(Fault(kind="delay", method="POST", seconds=1.5))
        terminal.type("yes\n")
        assert terminal.end() == 0
    assert "waiting for" not in terminal.text


@pytest.mark.parametrize("options", ["", "--sort name"])
def test_the_lines_of_a_pipes_reader_stay_on_the_terminal(crowded, options):
    crowded.sandbox.latency = 0.05
    command = f"{sys.executable} -m aioregistry tags web {options} -q --limit 3000"
    with Terminal("-c", f"{command} | cat", program=("/bin/sh",)) as terminal:
        assert terminal.end() == 0
    *_, rows = terminal.seen.rpartition("\x1b[2K")
    assert len(re.findall(r"^t\d{5}\r$", rows, re.MULTILINE)) == 3000


@pytest.mark.usefixtures("condemned")
def test_output_that_cannot_be_written_is_an_error_of_one_line():
    script = f"{sys.executable} -m aioregistry tags web > /dev/full"
    done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "aioregistry tags: output: No space left on device\n"


def test_the_question_of_a_run_that_is_resumed_counts_what_is_left(planned):
    command = ("cleanup", "apply", "plan.json", "--force", "--yes")
    planned.sandbox.latency = 0.05
    with Terminal(*command) as terminal:
        terminal.wait_for(r"Delete  .*[1-9]\d/400 requests")
        terminal.interrupt()
        assert terminal.end() == 130
    left = len(planned.tags()) - 1
    with Terminal("cleanup", "apply", "plan.json", "--force", "--resume", columns=200) as terminal:
        asked = terminal.wait_for(r"Delete ([\d,]+) tags .*\[y/N\]: $")
        # What was under way may have been deleted without an answer.
        assert left <= int(asked[1]) < 400
        terminal.type("n\n")
        assert terminal.end() == 4


def test_a_question_is_asked_on_the_terminal_while_images_in_use_come_from_stdin(condemned):
    line = (
        f"echo example/web:main | {sys.executable} -m aioregistry cleanup run"
        " --policy policy.toml --force --in-use -"
    )
    with Terminal(program=("/bin/sh", "-c", line)) as terminal:
        terminal.wait_for(r"\[y/N\]")
        terminal.type("n\n")
        assert terminal.end() == 4
    assert condemned.deletes() == 0


def test_a_request_that_is_sent_again_is_told(condemned):
    condemned.sandbox.faults = Faults(Fault(kind="status", status=503, times=1))
    with Terminal("tags", "web", "--limit", "1", columns=200) as terminal:
        code = terminal.end()
    assert code == 0, terminal.text
    assert re.search(r"GET /v2/\S+: 503; again in [\d.]+ s", terminal.text)
