"""The commands in a real terminal."""

import re
import subprocess
import sys

import pytest

from tests.cli.terminal import Terminal

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
    crowded.sandbox.latency = 0.3
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
    crowded.sandbox.latency = 0.2
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
    command = ("cleanup", "run", "--policy", "policy.toml", "--force", "-o", "plan.json")
    with Terminal(*command, columns=columns) as terminal:
        terminal.wait_for(r"Send 400 DELETEs.*\[y/N\]")
        terminal.type("y\n")
        terminal.wait_for(r"Delete  .*\d+/400 DELETEs +[\d,]+/s +ETA \d+:\d\d")
        terminal.resize(columns - 20)
        terminal.wait_for(r"Delete  .*[1-9]\d/400 DELETEs")
        terminal.interrupt()
        assert terminal.end() == 130
        last = " ".join(terminal.text.split())
    assert re.search(r"interrupted; \d+ of 400 DELETEs done, .*\d+ not attempted", last)
    assert last.endswith("'aioregistry cleanup apply plan.json --resume' goes on")
    assert "Traceback" not in last
    left = len(condemned.tags())
    assert 1 < left < 401


def test_no_is_an_answer(condemned):
    with Terminal("delete-tags", "web", "pr-1") as terminal:
        terminal.wait_for(r"Delete 1 tags of example/web: pr-1\? \[y/N\]")
        terminal.type("n\n")
        assert terminal.end() == 0
    assert condemned.deletes() == 0


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


@pytest.mark.usefixtures("condemned")
def test_output_that_cannot_be_written_is_an_error_of_one_line():
    script = f"{sys.executable} -m aioregistry tags web > /dev/full"
    done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "aioregistry tags: output: No space left on device\n"
