"""Clean-ups of one registry on one machine, two at once."""

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time

import pytest

from aioregistry.cleanup.state_folder import StateFolder
from aioregistry.sandbox import Phases
from tests.cli.programs import Program
from tests.cli.test_cleanup import filled, read_all, start

__all__ = ["filled"]

NIGHTLY = ("cleanup", "run", "--policy", "policy.toml", "--yes")
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def folder_of(shell) -> StateFolder:
    return StateFolder.of("example", api_url=shell.sandbox.url)


@pytest.mark.parametrize("resumes", [False, True])
def test_one_beside_another_deletes_nothing_and_says_whose_is_under_way(filled, resumes):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    again = ("cleanup", "apply", "plan.json", "--yes", *(["--resume"] if resumes else []))
    with folder_of(filled).alone("aioregistry cleanup run"):
        results = [filled.run(*words) for words in (NIGHTLY, again)]
    for result in results:
        assert result.exit_code == 1
        assert (
            "another clean-up of this registry is under way: aioregistry cleanup run, process"
            f" {os.getpid()} on "
        ) in " ".join(result.stderr.split())
        assert "wait for its end" in result.stderr
    assert filled.deletes() == 0
    assert filled.run(*again).exit_code == 0
    assert filled.tags() == {"main", "dev"}


def test_an_undo_beside_a_clean_up_restores_nothing_and_one_that_only_looks_may(filled):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    before = filled.tags()
    filled.run("cleanup", "apply", "plan.json", "--yes")
    with folder_of(filled).alone("aioregistry cleanup run"):
        refused = filled.run("cleanup", "undo", "plan.json")
        assert filled.run("cleanup", "undo", "plan.json", "--dry-run").exit_code == 0
    assert refused.exit_code == 1
    assert "another clean-up of this registry is under way" in " ".join(refused.stderr.split())
    assert filled.tags() == {"main", "dev"}
    assert filled.run("cleanup", "undo", "plan.json").exit_code == 0
    assert filled.tags() == before


@pytest.mark.parametrize("more", [(), ("--no-wait",)])
def test_no_garbage_is_collected_beside_a_clean_up(filled, more):
    with folder_of(filled).alone("aioregistry cleanup apply"):
        result = filled.run("gc", "start", "example", "--yes", *more)
    assert result.exit_code == 1
    assert "another clean-up of this registry is under way" in " ".join(result.stderr.split())
    assert {request.method for request in filled.sandbox.requests} <= {"GET"}
    assert filled.run("gc", "start", "example", "--yes", "--no-wait").exit_code == 0


def test_a_collection_that_is_waited_for_keeps_nobody_away(filled):
    filled.sandbox.state.phases = Phases(60, 60)
    with Program("gc", "start", "example", "--yes", **PIPES) as process:
        while not filled.sandbox.state.collections("example"):
            time.sleep(0.01)
        process.stderr.readline()
        with folder_of(filled).alone("a clean-up"):
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode == 130


@pytest.mark.parametrize(("kind", "ends"), [("manifests", False), ("blobs", True)])
def test_only_a_collection_of_blobs_ends_what_can_be_restored(filled, kind, ends):
    assert filled.run("cleanup", "run", "--policy", "policy.toml", "--yes").exit_code == 0
    assert len(json.loads(filled.run("cleanup", "undo", "--list", "-o", "json").stdout)) == 1
    started = filled.run("gc", "start", "example", "--yes", "--no-wait", "--type", kind)
    assert started.exit_code == 0, started.output
    left = json.loads(filled.run("cleanup", "undo", "--list", "-o", "json").stdout)
    assert (left == []) is ends


def test_one_by_cron_that_cannot_begin_tells_those_who_are_to_be_told(filled):
    told = filled.folder / "told.json"
    script = f"import sys; open({str(told)!r}, 'w').write(sys.stdin.read())"
    notify = ("--notify", shlex.join([sys.executable, "-c", script]))
    with folder_of(filled).alone("aioregistry cleanup run"):
        assert filled.run(*NIGHTLY, *notify).exit_code == 1
    document = json.loads(told.read_text())
    assert document["exit_code"] == 1
    assert "another clean-up of this registry is under way" in document["problem"]


@pytest.mark.slow(2)
def test_one_that_is_killed_in_mid_apply_keeps_nobody_away(filled):
    for number in range(220):
        filled.builder.image(f"pr-x{number}")
    filled.sandbox.latency = 0.1
    with start(*NIGHTLY[1:], "--force", **PIPES) as process:
        while filled.deletes() < 20 and process.poll() is None:
            time.sleep(0.01)
        # It is under way until it is killed, however long the other one takes to begin.
        filled.sandbox.latency = 1.0
        assert "is under way" in filled.run(*NIGHTLY, "--force").stderr
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
    filled.sandbox.latency = 0
    assert filled.run(*NIGHTLY, "--force").exit_code == 0
    assert filled.tags() == {"main", "dev"}


def test_a_question_that_nobody_answers_keeps_nobody_away(filled):
    ours, theirs = pty.openpty()
    with start("run", "--policy", "policy.toml", stdin=theirs, stdout=theirs, stderr=theirs) as one:
        os.close(theirs)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(ours, 65536)
        assert filled.run(*NIGHTLY).exit_code == 0
        os.write(ours, b"y\n")
        told = read_all(ours)
    # What it would have deleted is gone.
    assert one.returncode == 0, told
    assert filled.tags() == {"main", "dev"}


def test_a_lock_that_cannot_be_made_is_told_and_holds_nothing_up(filled):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    (folder_of(filled).make() / "cleanup.lock").mkdir()
    result = filled.run("cleanup", "apply", "plan.json", "--yes")
    assert result.exit_code == 0
    assert "other clean-ups of example are not kept away: " in result.stderr
    assert filled.tags() == {"main", "dev"}
