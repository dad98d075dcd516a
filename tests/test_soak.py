"""A short soak: nothing is lost, nothing is doubled, nothing grows."""

import pytest

from benchmarks.soak import Soak, hours, minutes


def check(soak: Soak) -> None:
    told = str(soak)
    assert soak.rounds >= 3, told
    assert (soak.lost, soak.doubled, soak.limited) == (0, 0, 0), told
    assert soak.deleted > 100, told
    # A leak of one task, file or kilobyte a round would show.
    assert max(soak.tasks) - min(soak.tasks) < 20, told
    assert max(soak.files) - min(soak.files) < 40, told
    assert soak.grown < 20, told


@pytest.mark.timeout(300)
def test_an_hour_of_virtual_time_leaves_nothing_behind():
    check(hours(0.5))


@pytest.mark.timeout(300)
def test_a_minute_with_faults_leaves_nothing_behind():
    soak = minutes(1)
    assert soak.errors, "no fault has struck"
    check(soak)
