"""One random world: made, cleaned while it moves, and judged."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from aiohttp import web

from aioregistry import RateLimit, RegistryClient, RegistryError, RetryPolicy
from aioregistry.cleanup import (
    CleanupReport,
    ContentReader,
    Delete,
    DeleteOlderThan,
    DeleteUntagged,
    Distribution,
    Keep,
    KeepNewest,
    KeepNewestUntagged,
    KeepWithin,
    ListMemory,
    Plan,
    Policy,
    Rule,
    apply_plan,
    make_plan,
)
from aioregistry.testing.virtual_time import run_virtual
from tests.worlds.server import Manifest, World

AGE = timedelta(days=30)
# The registry's list of tags is at most so old when a DELETE leaves.
WINDOW = timedelta(seconds=30)
# Where the registry does not list its tags, the API's lists are, which take their time.
BATCH = timedelta(minutes=15)


@dataclass
class Verdict:
    """What became of a world."""

    seed: int
    moves: Counter = field(default_factory=Counter)
    deletes: int = 0
    wrong: list[str] = field(default_factory=list)
    # Images that came in the window over a part that was deleted; all must be in the report.
    arrivals: int = 0
    # Tags that were set on a manifest in the window in which it was deleted: the API takes them
    # along, and no list shows that they ever were.
    taken_along: int = 0
    # Whether the plan was by remembered lists; and whether these condemn what fresh ones keep.
    recalled: bool = False
    outdated: bool = False


_MOVES = (
    *("push", "index", "index", "untagged index"),
    *("retag", "again", "move", "untag", "remove"),
)


class Mover:
    """What others do to a repository, at random, at every request."""

    def __init__(self, random: Random, world: World, verdict: Verdict) -> None:
        self._random = random
        self._world = world
        self._verdict = verdict
        self._count = 0
        self.chance = 0.0
        # Whether nothing moves before the first DELETE.
        self.waits = False
        # Tags and manifests that a plan condemns: others have their eyes on the same ones.
        self.targets: tuple[list[str], list[str]] = ([], [])

    def __call__(self) -> None:
        if self.waits and not self._world.deletes:
            return
        if self._random.random() >= self.chance:
            return
        manifests = list(self._world.repository.manifests)
        tags = list(self._world.repository.tags)
        if self._random.random() < 0.5:
            here = self._world.repository
            tags = [one for one in self.targets[0] if one in here.tags] or tags
            manifests = [one for one in self.targets[1] if one in here.manifests] or manifests
        kind = self._random.choice(_MOVES)
        self._count += 1
        new = f"new{self._count}"
        if kind == "push":
            self._world.push(self._random.choice([new, *tags]))
        elif kind in {"index", "untagged index"} and manifests:
            some = tuple(self._random.sample(manifests, min(len(manifests), 2)))
            self._world.push(*([new] if kind == "index" else []), children=some)
        elif kind == "retag" and manifests:
            self._world.tag(new, self._random.choice(manifests))
        elif kind == "again" and tags:
            tag = self._world.repository.tags[self._random.choice(tags)]
            self._world.tag(tag.name, tag.digest)
        elif kind == "move" and tags:
            self._world.tag(self._random.choice(tags), self._random.choice(manifests))
        elif kind == "untag" and tags and self._random.random() < 0.3:
            self._world.remove_tag(self._random.choice(tags))
        elif kind == "remove" and manifests and self._random.random() < 0.3:
            self._remove(self._random.choice(manifests))
        else:
            return
        self._verdict.moves[kind] += 1

    def _remove(self, digest: str) -> None:
        # Others do not break images either.
        if not self._world.repository.needing(digest):
            self._world.remove(digest)


class Outage:
    """A server that does not answer for some requests in a row."""

    def __init__(self, random: Random, chance: float) -> None:
        self._random = random
        self._chance = chance
        self._left = 0
        self._status = 0

    def __call__(self) -> int:
        if not self._left and self._random.random() < self._chance:
            self._left = self._random.choice([1, 1, 4, 30])
            self._status = self._random.choice([500, 502, 503, 429, 404])
        if not self._left:
            return 0
        self._left -= 1
        return self._status


def fill(random: Random, world: World) -> None:
    """Push what was there before: images, indexes, referrers, old and new, tagged and not."""
    pushed: list[str] = []
    for number in range(random.choice([3, 8, 15, 30])):
        at = world.now() - timedelta(days=random.choice([1, 40, 50, 60]), seconds=number)
        tags = [
            f"{random.choice(['keep', 'pr', 'pr', 'pr', 'run'])}{number}-{nth}"
            for nth in range(random.choice([0, 0, 1, 1, 2]))
        ]
        kind = random.choice(["image", "image", "index", "index", "referrer", "signature"])
        if kind == "index" and pushed:
            some = tuple(random.sample(pushed, min(len(pushed), random.randint(1, 3))))
            pushed.append(world.push(*tags, children=some, at=at))
        elif kind == "referrer" and pushed:
            pushed.append(world.push(*tags, subject=random.choice(pushed), at=at))
        elif kind == "signature" and pushed:
            subject = random.choice(pushed).replace(":", "-")
            pushed.append(world.push(*tags, f"{subject}.sig", at=at))
        else:
            pushed.append(world.push(*tags, at=at))
    if random.random() < 0.3:
        # An index that refers to its child by its tag, so that each needs the other.
        at = world.now() - timedelta(days=60)
        child = world.push(at=at)
        name = child.replace(":", "-")
        world.push("pr-cycle", f"{name}.sbom", children=(child,), at=at)


def random_policy(random: Random) -> Policy:
    rules = [Keep(tags="keep*")]
    rules.append(random.choice([Delete(), DeleteOlderThan(AGE)]))
    if random.random() < 0.7:
        rules.append(DeleteUntagged(AGE))
    return Policy(rules, floor=0)


def random_policy_of_times(random: Random) -> Policy:
    """A policy that decides by what others have, and by when tags were set."""
    rules: list[Rule] = [Keep(tags="keep*")]
    if random.random() < 0.5:
        rules.append(KeepWithin(random.choice([timedelta(days=2), AGE])))
    rules.append(KeepNewest(random.randint(1, 4), unit=random.choice(["images", "tags"])))
    rules.append(random.choice([Delete(), DeleteOlderThan(AGE)]))
    if random.random() < 0.5:
        rules += [KeepNewestUntagged(random.randint(0, 2)), DeleteUntagged(AGE)]
    return Policy(rules, floor=random.choice([0, 0, 2]))


@asynccontextmanager
async def serving(world: World):
    runner = web.ServerRunner(web.Server(world.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def run(seed: int, *, memory: bool = False) -> Verdict:
    """Run one world, and judge it.

    Args:
        seed: Which world.
        memory: Whether the clean-up goes by lists that are remembered from some time before. Then
            it may delete nothing but what a plan by fresh lists of the same moment does.
    """
    # Both ends of every socket are in this loop: what was sent is there at once.
    if not memory:
        return run_virtual(_run(seed), grace=0)
    with TemporaryDirectory() as folder, ListMemory(Path(folder, "lists")) as lists:
        return run_virtual(_run(seed, lists), grace=0)


async def _run(seed: int, memory: ListMemory | None = None) -> Verdict:
    random = Random(seed)
    verdict = Verdict(seed)
    world = World(asyncio.get_running_loop().time)
    world.page_size = random.randint(2, 8)
    if memory is not None and seed % 2:
        # A list of manifests on one page needs no fresh list of tags.
        world.page_size = 100
    world.lists_tags = random.random() < 0.8
    fill(random, world)
    slow = random.choice([0.02, 0.5, 2.0, 5.0])
    world.latency = lambda: slow * random.random()
    mover = Mover(random, world, verdict)
    world.move = mover
    policy = random_policy(random) if memory is None else random_policy_of_times(random)
    in_use = [f"example/web:{tag}" for tag in world.repository.tags if tag.startswith("run")]
    limit = None
    if random.random() < 0.3:
        limit = RateLimit(
            windows=((random.randint(20, 60), 60.0), (random.randint(40, 200), 3600.0))
        )
    retry = RetryPolicy(attempts=2, backoff=0.1)
    async with (
        serving(world) as url,
        RegistryClient(
            "token",
            base_url=url,
            rate_limit=limit,
            retry=retry,
            concurrency=random.choice([1, 2, 8]),
        ) as client,
        Distribution(client.registry("example"), base_url=url, retry=retry) as distribution,
    ):
        contents = ContentReader(distribution)
        registry = client.registry("example")
        mover.chance = random.choice([0.0, 0.02])
        fresh = None
        if memory is None:
            planned_at = world.now()
            plan = await make_plan(
                registry, policy, contents, in_use=in_use or None, now=planned_at
            )
        else:

            async def planned(memory: ListMemory | bool) -> Plan:
                return await make_plan(
                    registry,
                    policy,
                    contents,
                    in_use=in_use or None,
                    now=world.now(),
                    memory=memory,
                )

            await planned(memory)
            await _age(random, world, mover)
            planned_at = world.now()
            plan = await planned(memory)
            verdict.recalled = any(one.recalled for one in plan.repositories)
            world.said = None
            # Where others bring back what was remembered, fresh lists show the same, too.
            if seed % 4 < 2:
                fresh = await planned(memory=False)
                mover.waits = True
        made_at = world.now()
        mover.chance = random.choice([0.0, 0.02, 0.05, 0.2])
        mover.targets = (
            [tag for _, item in plan.condemned for tag in item.tags],
            [item.digest for _, item in plan.condemned],
        )
        world.api_outage = Outage(random, random.choice([0, 0, 0, 0.02]))
        outages = random.choice([0, 0, 0, 0.05])
        world.registry_outage = Outage(random, outages)
        # A list that is not found, once, counts as one that is not served.
        is_seen = world.lists_tags and not outages
        # Where listing is quick, it is done more often.
        oldest = min(WINDOW, timedelta(seconds=max(1.0, 40 * slow)))
        window = oldest + timedelta(seconds=4 * slow + 1) if is_seen else BATCH
        moment = timedelta(seconds=4 * slow + 1)
        try:
            report = await apply_plan(registry, plan, contents, in_use=in_use or None, force=True)
        except RegistryError as error:
            # It says that it could not be done, whatever was done.
            report = CleanupReport(unchecked=(f"{type(error).__name__}",))
    judge(world, plan, report, policy, (planned_at, made_at), window, moment, verdict)
    if fresh is not None:
        judge_memory(world, plan, fresh, verdict)
    return verdict


async def _age(random: Random, world: World, mover: Mover) -> None:
    """Let time pass and others work between two plans; sometimes the API does not notice."""
    before = world.state() if world.repository.manifests else None
    await asyncio.sleep(random.choice([3600.0, 86400.0 * 2, 86400.0 * 20]))
    mover.chance = 1.0
    for _ in range(random.choice([0, 1, 2, 6])):
        mover()
        await asyncio.sleep(random.choice([0.0, 60.0]))
    mover.chance = 0.0
    if random.random() < 0.7:
        world.said = before


def judge_memory(world: World, plan: Plan, fresh: Plan, verdict: Verdict) -> None:
    """Find what was deleted that a plan by fresh lists of the same moment keeps."""
    may_go = {name for _, item in fresh.condemned for name in (item.digest, *item.tags)}
    condemned = {name for _, item in plan.condemned for name in (item.digest, *item.tags)}
    verdict.outdated = bool(condemned - may_go)
    for delete in world.deletes:
        tags = [tag.name for tag in delete.tags if tag.name in condemned]
        for name in filter(None, [delete.digest, *tags]):
            if name not in may_go:
                verdict.wrong.append(f"{name}, which only a memory condemns, was deleted")


def judge(
    world: World,
    plan: Plan,
    report: CleanupReport,
    policy: Policy,
    planned: tuple[datetime, datetime],
    window: timedelta,
    moment: timedelta,
    verdict: Verdict,
) -> None:
    """The oracle: what was deleted wrongly, by what the server saw and by nothing else."""
    verdict.deletes = len(world.deletes)
    # The plan was begun, and was made.
    planned_at, made_at = planned
    # What is pushed over an incomplete image later lacks the same part.
    told = {digest for one in report.incomplete for digest in one.missing}
    is_unchecked = bool(report.unchecked)
    by_age = any(isinstance(rule, DeleteOlderThan) for rule in policy.rules)
    condemned = {(tag, item.digest) for _, item in plan.condemned for tag in item.tags}
    gone = {one.digest: one for one in world.deletes if one.digest is not None}
    for delete in world.deletes:
        for tag in delete.tags:
            is_condemned = (tag.name, tag.digest) in condemned
            # The plan names those that came before its lists were read.
            fresh = tag.set_at > (made_at if is_condemned else planned_at)
            # The times of tags are as old as their list: what was set again is seen by the next.
            # Where a tag of the plan points is asked right before.
            most = window
            if is_condemned:
                # Lists that the quota lets nobody read sooner are taken for as new for longer.
                most = max(BATCH, 11 * delete.listed_for)
            elif delete.digest is None:
                most = moment
            if fresh and delete.at - tag.set_at <= most:
                verdict.taken_along += 1
                continue
            if fresh:
                verdict.wrong.append(f"{tag.name}, set after the plan, was deleted")
            if tag.name.startswith(("keep", "run")):
                verdict.wrong.append(f"{tag.name}, which is kept, was deleted")
            is_image = not tag.name.startswith("sha256-")
            if is_image and by_age and planned_at - tag.set_at <= AGE:
                verdict.wrong.append(f"{tag.name}, which is young, was deleted")
        for index in delete.needed_by:
            if delete.at - _seen_since(world, index, planned_at, delete.at) > window:
                verdict.wrong.append(f"{delete.digest} was deleted before {index.digest}")
    for tag in world.repository.tags.values():
        missing = _missing(world, tag.digest) & gone.keys()
        if not missing:
            continue
        last = max(gone[digest].at for digest in missing)
        if missing <= told or is_unchecked:
            verdict.arrivals += 1
        else:
            verdict.wrong.append(
                f"{tag.name}, set {(last - tag.set_at).total_seconds():.3f} s before, lacks a part,"
                " and nobody says so"
            )


def _seen_since(world: World, index: Manifest, planned_at: datetime, until: datetime) -> datetime:
    """Return since when a list that is free shows an index: it has tags alone."""
    if index.pushed_at <= planned_at:
        return index.pushed_at
    tags = [one.set_at for one in world.repository.tags.values() if one.digest == index.digest]
    return min([*tags, until])


def _missing(world: World, digest: str) -> set[str]:
    missing: set[str] = set()
    waiting = [digest]
    while waiting:
        one = waiting.pop()
        manifest = world.repository.manifests.get(one)
        if manifest is None:
            missing.add(one)
        else:
            waiting.extend(manifest.children)
    return missing
