"""The clock of what was looked at: no sleep of the machine makes anything look younger."""

import sys
import time

import pytest

from aioregistry.cleanup.apply import clock as clocks
from aioregistry.cleanup.apply.clock import AgeClock, seconds_asleep
from aioregistry.cleanup.apply.job import WhatRuns


class Machine:
    """The clocks of a machine."""

    def __init__(self, monkeypatch):
        self.awake = self.asleep = self.day = 0.0
        monkeypatch.setattr(clocks, "seconds_asleep", lambda: self.asleep)
        monkeypatch.setattr(time, "time", lambda: self.day)
        monkeypatch.setattr(time, "monotonic", lambda: self.awake)
        self.clock = AgeClock(lambda: self.awake)

    def run(self, seconds):
        self.awake += seconds
        self.day += seconds

    def sleep(self, seconds):
        self.asleep += seconds
        self.day += seconds


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def test_a_machine_that_sleeps_grows_older(machine):
    machine.run(10)
    assert machine.clock() == 10
    machine.sleep(3600)
    assert machine.clock() == 3610
    machine.run(5)
    assert machine.clock() == 3615
    assert machine.clock.awake() == 15


def test_sleep_counts_although_the_time_of_day_is_set_back(machine):
    machine.sleep(3600)
    machine.day -= 7200
    assert machine.clock() == 3600


def test_a_pause_that_the_time_of_day_alone_shows_counts(machine):
    machine.run(10)
    machine.day += 3600
    assert machine.clock() == 3610


def test_a_time_of_day_that_is_set_back_changes_nothing(machine):
    machine.run(10)
    machine.day -= 3600
    assert machine.clock() == 10
    machine.run(10)
    assert machine.clock() == 20


def test_short_sleeps_add_up_and_a_time_of_day_that_is_set_by_little_does_not(machine):
    for _ in range(10):
        machine.sleep(0.5)
        machine.clock()
        machine.day += 0.5
        machine.clock()
    assert machine.clock() == 5


@pytest.mark.parametrize(
    ("awake", "ran", "day"), [(3600, 0, 0), (3600, 0, 3600), (3600, 3700, 3700)]
)
def test_a_clock_of_the_loop_that_is_ahead_or_behind_counts_nothing_twice(
    monkeypatch, awake, ran, day
):
    """A virtual one is ahead of the machine; that of some loops stands still while they work."""
    machine = Machine(monkeypatch)
    clock = AgeClock(lambda: awake if machine.awake else 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: ran)
    machine.awake, machine.day = awake, day
    assert clock() == 3600


@pytest.mark.parametrize(
    ("platform", "sleepless", "asleep"),
    [
        ("linux", "CLOCK_BOOTTIME", 3600),
        ("darwin", "CLOCK_MONOTONIC", 3600),
        ("win32", "CLOCK_BOOTTIME", 0),
    ],
)
def test_what_the_machine_has_slept_is_told_by_a_clock_that_goes_on(
    monkeypatch, platform, sleepless, asleep
):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(time, sleepless, 7, raising=False)
    monkeypatch.setattr(time, "clock_gettime", {7: 3700.0}.__getitem__)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert seconds_asleep() == asleep


def test_what_the_machine_has_slept_grows_by_sleep_alone():
    # A busy machine may do something else for a while between the two clocks of one reading.
    before, after = (max(seconds_asleep() for _ in range(20)) for _ in range(2))
    assert before == pytest.approx(after, abs=0.5)


class Source:
    asked = ("a server",)

    def __init__(self, machine, *takes):
        self._machine = machine
        self._takes = takes

    async def __aiter__(self):
        for take in self._takes:
            take()
        if self._machine is None:
            yield ""


async def test_what_runs_is_as_old_as_the_question(machine):
    running = WhatRuns(Source(machine, lambda: machine.run(200)), None, machine.clock)
    await running.ask()
    machine.run(399)
    assert not running.is_due
    machine.run(1)
    assert running.is_due


async def test_who_takes_long_to_say_what_runs_is_asked_less_often(machine):
    machine.sleep(3600)
    running = WhatRuns(Source(machine, lambda: machine.run(400)), None, machine.clock)
    await running.ask()
    machine.run(399)
    assert not running.is_due
    machine.run(1)
    assert running.is_due


async def test_what_runs_is_asked_again_after_a_machine_has_slept_while_it_was_asked(machine):
    running = WhatRuns(Source(machine, lambda: machine.sleep(30_000)), None, machine.clock)
    await running.ask()
    assert running.is_due


async def test_what_cannot_be_asked_again_is_not(machine):
    running = WhatRuns(["example/web:v1"], None, machine.clock)
    await running.ask()
    machine.run(30_000)
    assert not running.is_due
