"""Some worlds; ``python -m tests.worlds 10000 [--memory]`` runs as many as one likes."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from aioregistry.cleanup import CleanupReport, Delete, Policy
from aioregistry.cleanup.apply import last_look
from aioregistry.cleanup.memory.state import Recalled
from aioregistry.cleanup.plan.items import Condemned
from tests.worlds.server import World
from tests.worlds.world import BATCH, Verdict, judge, run

_WORLDS = 200
_USUAL_WORLDS = 100
_PER_TEST = 10
_MEMORY_WORLDS = 6


@pytest.mark.slow(0.7)
@pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=[pytest.mark.exhaustive] * (first >= _USUAL_WORLDS))
        for first in range(0, _WORLDS, _PER_TEST)
    ],
)
def test_nothing_that_is_needed_is_deleted_however_the_world_moves(first):
    wrong = {seed: run(seed).wrong for seed in range(first, first + _PER_TEST)}
    assert not any(wrong.values()), wrong


def test_the_oracle_finds_what_a_clean_up_without_a_last_look_deletes(monkeypatch):
    async def blind(*_: object) -> None:
        return None

    monkeypatch.setattr(last_look.LastLook, "verdict", blind)
    assert all(run(seed).wrong for seed in (5000, 5067))


@pytest.mark.parametrize("seed", [20297, 20396])
def test_a_404_that_passes_proves_nothing(seed):
    assert run(seed).wrong == []


@pytest.mark.parametrize(("set_after", "is_wrong"), [(10, False), (30, True)])
def test_a_tag_that_came_while_the_plan_was_made_may_be_in_it(set_after, is_wrong):
    now = [0.0]
    world = World(lambda: now[0])
    begun = world.now()
    made = begun + timedelta(seconds=20)
    digest = world.push("new", at=begun + timedelta(seconds=set_after))
    item = Condemned(delete="tag", digest=digest, tags=("new",))
    plan = SimpleNamespace(condemned=[("web", item)])
    now[0] = BATCH.total_seconds() + 60
    world._delete("tags", "new")
    verdict = Verdict(0)
    window = timedelta(seconds=30)
    judge(world, plan, CleanupReport(), Policy([Delete()]), (begun, made), window, window, verdict)
    assert bool(verdict.wrong) is is_wrong


@pytest.mark.parametrize("seed", [16, *range(_MEMORY_WORLDS)])
def test_nothing_is_deleted_on_the_strength_of_memory_alone(seed):
    assert run(seed, memory=True).wrong == []


def test_the_oracle_finds_what_is_deleted_on_the_strength_of_memory_alone(monkeypatch):
    monkeypatch.setattr(Recalled, "still_holds", lambda *_: True)
    assert run(16, memory=True).wrong
