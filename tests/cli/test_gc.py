"""The commands `aioregistry gc start|status|list|wait|cancel`."""

import json
import re

import pytest

from aioregistry.cli.display.counting import CountingLimiter
from aioregistry.cli.display.garbage import show_status_of
from aioregistry.sandbox import Fault, Faults, Phases


@pytest.fixture
def filled(shell):
    image = shell.builder.image("a")
    shell.builder.image("b")
    shell.sandbox.state.delete_manifest("example", "web", image)
    shell.sandbox.state.phases = Phases(*[0.001] * 6)
    return shell


def test_one_is_started_and_waited_for(filled):
    result = filled.run("gc", "start", "--yes", "--interval", "0.01")
    assert result.exit_code == 0, result.output
    assert re.search(r"^[\d.,]+ [kM]?B in \d+ blobs freed$", result.stdout, re.MULTILINE)
    assert "the registry is read-only until" in result.stderr


@pytest.mark.parametrize("options", [(), ("--no-wait",)])
def test_one_that_is_refused_has_not_made_the_registry_read_only(filled, options):
    filled.sandbox.faults = Faults(Fault(kind="status", status=403, method="POST"))
    result = filled.run("gc", "start", "--yes", *options)
    assert result.exit_code == 1
    assert "the registry is read-only" not in result.stderr


def test_without_a_terminal_it_needs_yes(filled):
    result = filled.run("gc", "start")
    assert result.exit_code == 2
    assert "no garbage collection was started" in result.stderr
    assert {request.method for request in filled.sandbox.requests} <= {"GET"}


def test_none_is_cancelled_without_a_yes(filled):
    filled.sandbox.state.phases = Phases(0, 60, cancelling=0)
    filled.run("gc", "start", "--yes", "--no-wait")
    result = filled.run("gc", "cancel")
    assert result.exit_code == 2
    assert "it was not cancelled: no terminal to ask on; add --yes" in result.stderr
    assert "cancel" not in filled.run("gc", "status").stdout


def test_untagged_manifests_go_when_asked_for(filled):
    filled.builder.image()
    filled.run("gc", "start", "--yes", "--type", "both", "--interval", "0.01")
    assert len(list(filled.sandbox.state.registry("example").manifests())) == 1


def test_one_that_takes_too_long_fails_and_goes_on(filled, monkeypatch):
    monkeypatch.setattr(CountingLimiter, "waited", 61.0)
    filled.sandbox.state.phases = Phases(60, 60)
    result = filled.run("gc", "start", "--yes", "--interval", "0.01", "--timeout", "1s")
    assert result.exit_code == 1
    late = "not finished after 1s, 1 min 1 s of which it waited for quota"
    assert f"{late}; a garbage collection that was started continues" in result.stderr
    status = filled.run("gc", "status", "example")
    assert "requested" in status.stdout


def test_one_can_be_watched_and_cancelled(filled):
    filled.sandbox.state.phases = Phases(0, 60, cancelling=0)
    started = filled.run("gc", "start", "--yes", "--no-wait")
    assert started.exit_code == 0
    uuid = started.stdout.partition(":")[0]
    cancelled = filled.run("gc", "cancel", "--yes")
    assert cancelled.exit_code == 0
    assert cancelled.stdout.startswith(uuid)
    waited = filled.run("gc", "wait", "--uuid", uuid, "--interval", "0.01")
    assert waited.exit_code == 1
    assert f"{uuid}: cancelled" in waited.stdout
    assert uuid in filled.run("gc", "list").stdout


@pytest.mark.parametrize("command", ["status", "wait", "cancel"])
def test_without_one_there_is_nothing_to_do(filled, command):
    result = filled.run("gc", command)
    assert result.exit_code == 0
    assert result.stdout == "no garbage collection is active\n"


def test_one_that_runs_is_waited_for(filled, monkeypatch):
    filled.sandbox.state.phases = Phases(*[3600] * 6)
    filled.run("gc", "start", "--yes", "--no-wait")

    def end_it_when_seen(display, **options):
        show = show_status_of(display, **options)

        def show_and_end(run):
            show(run)
            filled.sandbox.state.phases = Phases(*[0] * 6)

        return show_and_end

    monkeypatch.setattr("aioregistry.cli.commands.gc.show_status_of", end_it_when_seen)
    result = filled.run("gc", "wait", "--interval", "0.01")
    assert result.exit_code == 0
    assert re.search(r"[\d.]+ [kM]?B freed", result.stdout)


def test_the_newest_of_many_are_listed(filled):
    for _ in range(3):
        filled.run("gc", "start", "--yes", "--interval", "0.01")
    result = filled.run("gc", "list", "--limit", "2")
    assert result.stdout.count("succe") == 2


def test_a_length_of_time_that_is_none_is_refused(filled):
    assert filled.run("gc", "wait", "--timeout", "soon").exit_code == 2
    assert filled.sandbox.request_count == 0


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_programs_get_an_object(shell, form):
    shell.sandbox.state.phases = Phases(*[0.0] * 6)
    started = shell.run("gc", "start", "--yes", "--interval", "0.01", "-o", form)
    assert started.exit_code == 0, started.output
    document = json.loads(started.stdout)
    assert document["status"] == "succeeded"
    assert document["registry"] == "example"
    assert isinstance(document["freed"], int)
    none = shell.run("gc", "status", "-o", form)
    assert none.exit_code == 0
    assert none.stdout == ("null\n" if form == "json" else "")
    assert "no garbage collection is active" in none.stderr
