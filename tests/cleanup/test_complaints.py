"""What users of other clean-ups complain of, each ruled out here."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from aioregistry import PartialListingError, RegistryClient
from aioregistry.cleanup import (
    ContentReader,
    Delete,
    DeleteOlderThan,
    DeleteUntagged,
    Distribution,
    KeepNewest,
    Plan,
    Policy,
    apply_plan,
    collect_garbage,
    make_plan,
    read_in_use,
)
from aioregistry.cleanup.manifests.listing import take_inventory
from aioregistry.sandbox import Fault, Faults, Limits, Sandbox
from tests.cleanup.registries import NOW, Builder
from tests.cleanup.sources import StateContents
from tests.conftest import QUICK, push_tags


class CleanUp:
    def __init__(self, sandbox: Sandbox, client: RegistryClient, contents) -> None:
        self.sandbox = sandbox
        self.state = sandbox.state
        self.registry = client.registry("example")
        self.contents = contents
        self.builder = Builder(sandbox.state)

    async def plan(self, *rules, **more) -> Plan:
        policy = Policy(rules, floor=0)
        return await make_plan(self.registry, policy, self.contents, now=NOW, **more)

    async def apply(self, plan: Plan, **more):
        return await apply_plan(self.registry, plan, self.contents, force=True, **more)

    async def run(self, *rules, **more):
        return await self.apply(await self.plan(*rules, **more))

    def tags(self) -> set[str]:
        return set(self.state.registry("example").repository("web").tags)

    def digests(self) -> set[str]:
        repository = self.state.registry("example").repository("web")
        return {"sha256:" + digest.hex() for digest in repository.manifests}


@pytest.fixture
async def clean_up(sandbox, client) -> AsyncIterator[CleanUp]:
    registry = client.registry("example")
    async with Distribution(registry, base_url=sandbox.url, retry=QUICK) as distribution:
        yield CleanUp(sandbox, client, ContentReader(distribution))


async def test_1_children_of_multi_platform_images_are_not_taken_for_untagged(clean_up):
    children = {clean_up.builder.image() for _ in range(2)}
    index = clean_up.builder.index("v2", children=children)
    dangling = clean_up.builder.image()
    await clean_up.run(DeleteUntagged(timedelta()))
    assert clean_up.digests() == {*children, index}
    assert dangling not in clean_up.digests()


async def test_2_signatures_go_and_stay_with_their_image_and_are_not_counted(clean_up):
    images = [clean_up.builder.image(f"b{n}", days=9 - n) for n in range(3)]
    signatures = [clean_up.builder.signature(image, days=0) for image in images]
    await clean_up.run(KeepNewest(2), Delete(), DeleteUntagged(timedelta()))
    assert clean_up.digests() == {*images[1:], *signatures[1:]}


async def test_3_a_short_listing_is_refused_and_nothing_is_deleted(clean_up):
    push_tags(clean_up.state, 25, "web")
    page = '{"manifests": [], "meta": {"total": 25}}'
    clean_up.sandbox.faults = Faults(Fault(kind="body", route="*/digests", body=page, skip=1))
    with pytest.raises(PartialListingError):
        await take_inventory(clean_up.registry, "web")
    plan = await clean_up.plan(Delete())
    assert list(plan.condemned) == []
    assert plan.left_alone[0].repository == "web"


async def test_4_the_newest_are_those_pushed_last_among_what_the_filters_leave(clean_up):
    for name, days in (("pr-9", 3), ("pr-10", 2), ("pr-100", 1), ("zzz", 0)):
        clean_up.builder.image(name, days=days)
    await clean_up.run(KeepNewest(1, tags="pr-*"), Delete(tags="pr-*"))
    assert clean_up.tags() == {"pr-100", "zzz"}


async def test_5_the_limit_is_kept_and_what_was_interrupted_goes_on(tmp_path):
    async with Sandbox(limits=Limits(scale=600)) as sandbox:
        push_tags(sandbox.state, 400, "web")
        async with RegistryClient(
            sandbox.token, base_url=sandbox.url, rate_limit=sandbox.rate_limit
        ) as client:
            job = CleanUp(sandbox, client, StateContents(sandbox.state))
            plan = await job.plan(Delete())
            sandbox.faults = Faults(
                Fault(kind="status", status=403, method="DELETE", skip=100, times=200)
            )
            first = await job.apply(plan, journal=tmp_path / "journal")
            assert len(first.failed) == 200
            second = await job.apply(plan, journal=tmp_path / "journal", resume=True)
        assert len(second.deleted) == 400
        assert sandbox.rejected_count == 0


async def test_6_what_runs_in_a_cluster_stays_however_old(clean_up):
    clean_up.builder.image("old", days=900)
    clean_up.builder.image("other", days=900)
    pods = '{"items": [{"kind": "Pod", "spec": {"containers": [{"image": "example/web:old"}]}}]}'
    await clean_up.run(DeleteOlderThan(timedelta(days=1)), in_use=read_in_use(pods, "pods"))
    assert clean_up.tags() == {"old"}


async def test_7_a_release_on_the_same_manifest_stays(clean_up):
    clean_up.builder.image("build-1", "v1.0.0")
    await clean_up.run(Delete())
    assert clean_up.tags() == {"v1.0.0"}


async def test_8_a_tag_that_moved_after_the_listing_stays(clean_up):
    clean_up.builder.image("edge", "v1.0.0")
    plan = await clean_up.plan(Delete())
    moved = clean_up.builder.image("edge", days=0)
    report = await clean_up.apply(plan)
    assert len(report.drift) == 1
    assert clean_up.tags() == {"edge", "v1.0.0"}
    assert moved in clean_up.digests()


async def test_9_a_failure_is_no_success_and_what_is_gone_is_no_failure(clean_up):
    push_tags(clean_up.state, 3, "web")
    plan = await clean_up.plan(Delete())
    clean_up.state.delete_manifest("example", "web", next(iter(clean_up.digests())))
    report = await clean_up.apply(plan)
    assert report.done
    assert len(report.absent) == 1
    push_tags(clean_up.state, 3, "web", "w")
    plan = await clean_up.plan(Delete())
    clean_up.sandbox.faults = Faults(Fault(kind="status", status=403, method="DELETE", times=1))
    assert not (await clean_up.apply(plan)).done


async def test_10_garbage_collection_frees_blobs_and_is_watched_to_its_end(clean_up):
    clean_up.builder.image("a")
    clean_up.builder.image("b")
    await clean_up.run(Delete(tags="a"))
    seen: list[str] = []
    collected = await collect_garbage(
        clean_up.registry, interval=0.02, on_status=lambda run: seen.append(run.status)
    )
    assert collected.run.freed_bytes > 0
    assert "waiting for write JWTs to expire" in seen
    assert clean_up.state.active_collection("example") is None


async def test_11_what_it_frees_is_known_before(clean_up):
    for number in range(5):
        clean_up.builder.image(f"b{number}")
    plan = await clean_up.plan(Delete(tags="b[123]"))
    await clean_up.apply(plan)
    collected = await collect_garbage(clean_up.registry, interval=0.02)
    assert collected.run.freed_bytes == plan.frees.bytes > 0
