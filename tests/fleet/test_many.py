"""How long a run takes over the best that its quota allows, on a virtual clock."""

import pytest

from tests.fleet.many import lengths


@pytest.mark.slow(6)
def test_nothing_is_waited_for_but_quota():
    found = lengths(2, 60)
    assert found[0].slices == 2
    # What threads take is the machine's time, which may bring a slice past the worker's next looks:
    # 5 s each, of 300.
    assert found[-1].ratio < 1.04
