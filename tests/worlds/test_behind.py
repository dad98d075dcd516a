"""What a clean-up does and says where the API's lists are some seconds behind."""

from datetime import timedelta
from unittest.mock import patch

import pytest

from aioregistry.cleanup import Delete
from aioregistry.cleanup.apply import watch
from tests.worlds.behind import run_behind
from tests.worlds.test_promises import virtual

_SEEDS = range(10)
_MOVING = (1002, 1005, 1010, 1027, 1031)


@pytest.mark.slow(1)
def test_what_was_deleted_and_is_listed_needs_nothing_and_lacks_nothing():
    runs = {seed: run_behind(seed, moves=False) for seed in _SEEDS}
    wrong = {seed: verdict.wrong for seed, (verdict, _) in runs.items() if verdict.wrong}
    assert not wrong, wrong
    assert all(report.done for _, report in runs.values())


@pytest.mark.parametrize("seed", _MOVING)
def test_an_image_that_lacks_a_part_is_told_before_the_api_lists_it(seed):
    assert run_behind(seed, moves=True)[0].wrong == []


@virtual
async def test_a_part_of_an_index_that_is_pushed_again_after_its_delete_stays(job):
    child = job.push()
    index = job.push("pr-1", children=(child,))
    job.push("pr-2", days=61)
    manifest = job.world.repository.manifests[index]
    plan = await job.plan(Delete())
    slow: list[float] = []

    def push() -> None:
        if index not in job.manifests:
            job.world.repository.manifests[index] = manifest
            job.world.tag("pr-1", index)
            slow.append(20.0)

    job.world.move = push
    job.world.latency = lambda: slow.pop() if slow else 0.02
    report = await job.apply(plan)
    assert job.manifests == {index, child}
    assert [(one.item.digest, one.reason) for one in report.drift] == [
        (child, f"part of {index[:19]} (pr-1), which is new")
    ]


@virtual
async def test_a_tag_that_is_set_again_after_its_delete_keeps_what_it_needs(job):
    kept, child = job.push("pr-1", "keep"), job.push()
    job.push("old", children=(child,))
    plan = await job.plan(Delete(tags="pr-*"), Delete(tags="old"))
    assert next(item.name for _, item in plan.condemned) == "pr-1"
    new: list[str] = []
    slow: list[float] = []

    def push() -> None:
        if "pr-1" not in job.tags and not new:
            new.append(job.world.push("pr-1", children=(child,)))
            slow.append(20.0)

    job.world.move = push
    job.world.latency = lambda: slow.pop() if slow else 0.02
    # As where there are more tags than are looked at each time.
    with patch.object(watch, "_MAX_WATCHED", 0):
        await job.apply(plan)
    assert job.manifests == {kept, child, *new}
    assert job.world.now() - job.start < timedelta(minutes=1)
