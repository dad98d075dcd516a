"""A short soak: nothing is lost, nothing is doubled, nothing grows."""

import pytest

from benchmarks.soak import hours
from benchmarks.soak_work import Soak, faulty, grown


def check(soak: Soak) -> None:
    told = str(soak)
    assert soak.rounds >= 3, told
    assert soak.sound, told
    assert soak.deleted > 100, told
    # A task or a file for each round would be at least as many.
    leaked = soak.rounds // 2
    assert grown(soak.tasks) < max(leaked, 10), told
    assert grown(soak.files) < max(leaked, 10), told
    assert grown(soak.resident) < 20, told


@pytest.mark.exhaustive
def test_a_quarter_of_an_hour_of_virtual_time_leaves_nothing_behind():
    check(hours(0.25))


@pytest.mark.slow(10)
def test_a_quarter_of_an_hour_with_faults_leaves_nothing_behind():
    soak = hours(0.25, faulty())
    assert soak.errors, "no fault has struck"
    check(soak)
