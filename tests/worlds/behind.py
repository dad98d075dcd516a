"""A world whose API lists are behind what is there, as those of a busy service may be."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from copy import copy
from random import Random
from unittest.mock import patch

from aioregistry import RegistryClient, RetryPolicy
from aioregistry.cleanup import CleanupReport, ContentReader, Distribution, apply_plan, make_plan
from aioregistry.cleanup.apply import repository
from aioregistry.testing.virtual_time import run_virtual
from tests.worlds.server import Repository, World
from tests.worlds.world import Mover, Verdict, _missing, fill, random_policy, serving

__all__ = ["WorldBehind", "run_behind"]


class WorldBehind(World):
    """Its API lists what was there some seconds ago; its registry, and a DELETE, what is."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.behind: Callable[[], float] = lambda: 0.0
        self._past: list[tuple[float, Repository]] = []

    def remember(self) -> None:
        here = self.repository
        tags = {name: copy(tag) for name, tag in here.tags.items()}
        self._past.append((self._clock(), Repository(dict(here.manifests), tags)))

    def _api(self, request, path):
        self.remember()
        if request.method == "DELETE":
            response = super()._api(request, path)
            self.remember()
            return response
        here, at = self.repository, self._clock() - self.behind()
        place = bisect_right([time for time, _ in self._past], at) - 1
        self.repository = self._past[max(place, 0)][1]
        try:
            return super()._api(request, path)
        finally:
            self.repository = here

    def _registry(self, request, path):
        self.remember()
        return super()._registry(request, path)


def run_behind(seed: int, *, moves: bool) -> tuple[Verdict, CleanupReport]:
    """Clean up one world whose lists are behind, and judge it.

    Args:
        seed: Which world.
        moves: Whether others push meanwhile; else all that is planned must be deleted.
    """
    return run_virtual(_run(seed, moves=moves), grace=0)


async def _run(seed: int, *, moves: bool) -> tuple[Verdict, CleanupReport]:
    random = Random(seed)
    verdict = Verdict(seed)
    world = WorldBehind(asyncio.get_running_loop().time)
    world.page_size = random.choice([3, 7, 100])
    fill(random, world)
    world.remember()
    await asyncio.sleep(100)
    slow, seconds = random.choice([0.02, 0.5, 2.0]), random.choice([0.5, 3.0, 10.0, 25.0])
    world.latency = lambda: slow * random.random()
    world.behind = lambda: seconds
    mover = Mover(random, world, verdict)
    world.move = mover
    policy, retry = random_policy(random), RetryPolicy(attempts=2, backoff=0.1)
    async with (
        serving(world) as url,
        RegistryClient("token", base_url=url, rate_limit=None, retry=retry) as client,
        Distribution(client.registry("example"), base_url=url, retry=retry) as distribution,
    ):
        contents, registry = ContentReader(distribution), client.registry("example")
        plan = await make_plan(registry, policy, contents, now=world.now())
        condemned = [item for _, item in plan.condemned]
        mover.chance = random.choice([0.02, 0.05, 0.2]) if moves else 0.0
        mover.targets = (
            [tag for one in condemned for tag in one.tags],
            [one.digest for one in condemned],
        )
        most = random.choice([1, 3, 170])
        with patch.object(repository, "batch_size", lambda *_: most):
            report = await apply_plan(registry, plan, contents, force=True)
    verdict.deletes = len(world.deletes)
    if not moves and len(report.deleted) != len(condemned):
        verdict.wrong.append(f"of {len(condemned)}: {report}: {[*report.outcomes]}")
    _judge_images(world, report, verdict)
    return verdict, report


def _judge_images(world: World, report: CleanupReport, verdict: Verdict) -> None:
    """Find images that lack a part of which nobody says so, and such as are only said to."""
    gone = {one.digest: one.at for one in world.deletes if one.digest is not None}
    told = {digest for one in report.incomplete for digest in one.missing}
    for tag in world.repository.tags.values():
        # A registry takes no index over what it does not have.
        missing = {one for one in _missing(world, tag.digest) & {*gone} if gone[one] >= tag.set_at}
        if missing and not missing <= told and not report.unchecked:
            verdict.wrong.append(f"{tag.name} lacks a part, and nobody says so")
    tags, manifests = world.repository.tags, world.repository.manifests
    for one in report.incomplete if not verdict.moves else ():
        if one.image not in tags and one.image not in manifests:
            verdict.wrong.append(f"{one.image} is said to lack a part, and does not exist")
