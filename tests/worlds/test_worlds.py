"""Two hundred worlds; ``python -m tests.worlds 10000`` runs as many as one likes."""

import pytest

from aioregistry.cleanup.apply import last_look
from tests.worlds.world import run

_WORLDS = 200
_PER_TEST = 10


@pytest.mark.parametrize("first", range(0, _WORLDS, _PER_TEST))
def test_nothing_that_is_needed_is_deleted_however_the_world_moves(first):
    wrong = {seed: run(seed).wrong for seed in range(first, first + _PER_TEST)}
    assert not any(wrong.values()), wrong


def test_the_oracle_finds_what_a_clean_up_without_a_last_look_deletes(monkeypatch):
    async def blind(*_: object) -> None:
        return None

    monkeypatch.setattr(last_look.LastLook, "verdict", blind)
    assert all(run(seed).wrong for seed in (5000, 5027, 5067))
