"""Pushes by skopeo while an apply runs on a real registry: what is new or moved is kept."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from aioregistry import RegistryClient
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.apply.watch import MAX_TAGS_AGE
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import Delete
from aioregistry.oci.distribution import Distribution
from tests.real.images import Store
from tests.real.registry import ApiServer, RealRegistry, require_programs

pytestmark = pytest.mark.slow(10)
IMAGES = 60


class Unhurried:
    """A limiter that lets one request go after the other, so that pushes come in between."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self.wait = 0.0

    async def acquire(self, priority="interactive"):
        async with self._turn:
            await asyncio.sleep(self.wait)

    def release(self, reported=None, *, sent=True):
        pass


async def push_until_taken(
    registry: RealRegistry, store: Store, root: dict[str, object], tag: str
) -> None:
    """Push as people do: once more where the registry refused it.

    A registry refuses an index whose child is deleted between the ``PUT`` of the child and that of
    the index, and skopeo then fails with a word about media types.
    """
    for _ in range(2):
        with suppress(AssertionError):
            return await registry.push(store, root, "web", tag)
    return await registry.push(store, root, "web", tag)


async def test_what_is_pushed_meanwhile_is_kept_whole_or_reported(tmp_path):
    require_programs()
    store, registry = Store(), RealRegistry(tmp_path)
    images = [store.image(f"pr {n}", [store.layer(f"pr {n}", 300)]) for n in range(IMAGES)]
    release = store.image("release", [store.layer("release")])
    limiter = Unhurried()
    async with (
        registry.running(),
        ApiServer(registry).running() as url,
        RegistryClient("token", base_url=url, rate_limit=limiter) as client,
        Distribution(client.registry("example"), base_url=registry.url) as distribution,
    ):
        for number, image in enumerate(images):
            await registry.put(store, image, "web", f"pr-{number}")
        before = asyncio.get_running_loop().time()
        await registry.push(store, release, "web", "main")
        took = asyncio.get_running_loop().time() - before
        handle, contents = client.registry("example"), ContentReader(distribution)
        now = datetime.now(UTC) + timedelta(days=2)
        plan = await make_plan(handle, Policy([Delete(tags="pr-*")]), contents, now=now)
        assert len(list(plan.condemned)) == IMAGES

        begun = asyncio.Event()
        left = set(registry.tags("web")) - {"main"}
        # Each tag that was pushed, the tag of the plan whose manifest it is about, and since when
        # at the latest.
        pushed: dict[str, tuple[str, float]] = {}
        taken: set[str] = set()
        ended: dict[str, float] = {}
        clock = asyncio.get_running_loop().time

        def count(outcome) -> None:
            left.difference_update(outcome.item.tags)
            ended.update(dict.fromkeys(outcome.item.tags, clock()))
            if len(left) < IMAGES - 3:
                begun.set()

        async def push() -> None:
            """Move one tag, set one on a condemned manifest, and push an index over another."""
            await begun.wait()
            for kind in range(6):
                if len(left - taken) < 6:
                    return
                victim = sorted(left - taken, key=lambda tag: int(tag[3:]))[len(left - taken) // 2]
                taken.add(victim)
                image = images[int(victim[3:])]
                if kind % 3 == 0:
                    await push_until_taken(registry, store, release, victim)
                elif kind % 3 == 1:
                    await push_until_taken(registry, store, image, f"hotfix-{kind}")
                    pushed[f"hotfix-{kind}"] = victim, clock()
                else:
                    await push_until_taken(registry, store, store.index(image), f"fresh-{kind}")
                    pushed[f"fresh-{kind}"] = victim, clock()

        # Several deletes for a push, however long that takes here.
        limiter.wait = max(0.15, took / 5)
        pushing = asyncio.ensure_future(push())
        report = await apply_plan(handle, plan, contents, force=True, on_outcome=count)
        await pushing

        assert report.drift
        assert report.deleted
        reported = str(report.incomplete)
        tags = registry.tags("web")
        assert pushed.keys() & tags.keys()
        for tag in tags:
            assert await registry.is_whole(store, "web", tag) or tag in reported, tag
        for tag, (victim, at) in pushed.items():
            # The list of tags may be so old when a DELETE leaves.
            is_late = ended[victim] - at < MAX_TAGS_AGE
            assert tag in tags or tag in reported or is_late, tag
        for moved in report.drift:
            assert moved.item.tags[0] in tags, moved
