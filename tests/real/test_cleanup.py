"""A clean-up of a real registry: docker-registry, its garbage collector, and skopeo."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from attrs import frozen

from aioregistry import RegistryClient, RegistryHandle
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import Delete, Keep
from aioregistry.cleanup.policy.untagged_rules import DeleteUntagged
from aioregistry.oci.distribution import Distribution
from tests.real.images import Store
from tests.real.registry import ApiServer, RealRegistry, require_programs

pytestmark = pytest.mark.slow(1)

POLICY = Policy([Delete(tags="pr-*"), DeleteUntagged(timedelta())])


def signature_tag(of: dict[str, object]) -> str:
    return str(of["digest"]).replace(":", "-") + ".sig"


@frozen
class Filled:
    """A real registry with all kinds of images, and the digests of some of them."""

    registry: RealRegistry
    store: Store
    kept: dict[str, str]
    condemned: dict[str, str]


@pytest.fixture
async def filled(tmp_path) -> AsyncIterator[Filled]:
    require_programs()
    store = Store()
    base = store.layer("base", 20_000)

    def multi_platform(name: str) -> dict[str, object]:
        images = [
            store.image(f"{name} {one}", [base, store.layer(f"{name} {one}")], one)
            for one in ("amd64", "arm64")
        ]
        return store.index(*images, store.attestation(images[0]))

    release, preview, old = (multi_platform(name) for name in ("release", "preview", "old"))
    single = store.image("single", [base, store.layer("single", 5_000)])
    api = store.image("api", [base, store.layer("single", 5_000), store.layer("api")])
    dangling = store.image("dangling", [store.layer("dangling", 7_000)])
    nested = store.index(release, store.index(store.image("deep", [store.layer("deep")])))
    nested_preview = store.index(store.index(store.image("deep preview", [store.layer("shallow")])))
    kept_signature, gone_signature = store.signature(release), store.signature(single)
    kept_referrer = store.referrer(nested, "sbom")
    gone_referrer = store.referrer(preview, "sbom")
    registry = RealRegistry(tmp_path, schema1=True)
    async with registry.running():
        await registry.push(store, release, "web", "v1.0.0")
        await registry.push(store, preview, "web", "pr-1")
        await registry.push(store, single, "web", "pr-2")
        await registry.push(store, api, "team/api", "v2.0.0")
        await registry.push(store, dangling, "web", "dangling")
        await registry.push(store, old, "web", "main")
        await registry.push(store, old, "web", "pr-also-main")
        await registry.put(store, nested, "web", "nested")
        await registry.put(store, nested_preview, "web", "pr-nested")
        await registry.put(store, kept_signature, "web", signature_tag(release))
        await registry.put(store, gone_signature, "web", signature_tag(single))
        await registry.put(store, kept_referrer, "web")
        await registry.put(store, gone_referrer, "web")
        # A tag is taken off by hand: what it was on is untagged now.
        folder = registry.repository("web") / "tags" / "dangling"
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        folder.rmdir()
        yield Filled(
            registry,
            store,
            kept={
                "release": str(release["digest"]),
                "nested": str(nested["digest"]),
                "old": str(old["digest"]),
                "signature": str(kept_signature["digest"]),
                "referrer": str(kept_referrer["digest"]),
            },
            condemned={
                "preview": str(preview["digest"]),
                "single": str(single["digest"]),
                "dangling": str(dangling["digest"]),
                "nested preview": str(nested_preview["digest"]),
                "signature": str(gone_signature["digest"]),
                "referrer": str(gone_referrer["digest"]),
            },
        )


async def clean_up(registry: RealRegistry, policy: Policy = POLICY) -> Plan:
    """Plan and apply, with the API over the storage folder."""
    server = ApiServer(registry)
    async with (
        server.running() as url,
        RegistryClient("token", base_url=url, rate_limit=None) as client,
    ):
        handle: RegistryHandle = client.registry("example")
        async with Distribution(handle, base_url=registry.url) as distribution:
            contents = ContentReader(distribution)
            now = datetime.now(UTC) + timedelta(days=2)
            plan = await make_plan(handle, policy, contents, now=now)
            assert plan.left_alone == ()
            report = await apply_plan(handle, plan, contents, force=True)
            assert report.done
            assert not report.drift
            assert len(report.deleted) == len(list(plan.condemned))
    return plan


async def test_every_kept_tag_pulls_whole_and_what_was_condemned_is_gone(filled):
    registry, store = filled.registry, filled.store
    plan = await clean_up(registry)
    freed = await registry.collect_garbage()

    assert set(registry.tags("web")) == {
        "v1.0.0", "main", "nested", filled.kept["release"].replace(":", "-") + ".sig",
    }  # fmt: skip
    assert set(registry.tags("team/api")) == {"v2.0.0"}
    assert await registry.pulls("web", "v1.0.0")
    assert await registry.pulls("web", "main")
    assert await registry.pulls("team/api", "v2.0.0")
    for tag in registry.tags("web"):
        assert await registry.is_whole(store, "web", tag), tag
    for digest in filled.kept.values():
        assert await registry.is_whole(store, "web", digest)
    for name, digest in filled.condemned.items():
        assert not await registry.is_whole(store, "web", digest), name
        assert not registry.blob(digest).exists(), name
    # What the plan said is what the registry's own collector removed.
    assert plan.frees.bytes == freed
    assert not plan.frees.at_least
    assert not plan.frees.at_most


async def test_a_manifest_that_another_tag_keeps_stays(filled):
    plan = await clean_up(filled.registry)
    tags = [item for _, item in plan.condemned if item.delete == "tag"]
    assert [item.tags for item in tags] == [("pr-also-main",)]
    assert filled.registry.tags("web")["main"] == filled.kept["old"]


async def test_deleting_all_that_is_untagged_breaks_a_kept_tag(filled):
    """The naive way, which shows that the tests above can fail."""
    registry = filled.registry
    tagged = set(registry.tags("web").values())
    untagged = [digest for digest in registry.revisions("web") if digest not in tagged]
    server = ApiServer(registry)
    async with (
        server.running() as url,
        RegistryClient("token", base_url=url, rate_limit=None) as client,
    ):
        report = await client.registry("example").repository("web").delete_manifests(untagged)
    assert len(report.deleted) == len(untagged)
    await registry.collect_garbage()
    assert "v1.0.0" in registry.tags("web")
    assert not await registry.pulls("web", "v1.0.0")
    assert not await registry.is_whole(filled.store, "web", "v1.0.0")


async def test_a_policy_that_keeps_everything_frees_nothing(filled):
    before = filled.registry.blob_bytes()
    plan = await clean_up(filled.registry, Policy([Keep()]))
    assert plan.frees.bytes == await filled.registry.collect_garbage() == 0
    assert filled.registry.blob_bytes() == before


async def test_what_is_pulled_is_checked_byte_by_byte(filled):
    store = filled.store
    assert await filled.registry.is_whole(store, "web", "v1.0.0")
    release = filled.kept["release"]
    layer = store.members(release)[0]
    blob = filled.registry.blob(layer)
    content = await asyncio.to_thread(blob.read_bytes)
    await asyncio.to_thread(blob.write_bytes, content[::-1])
    assert not await filled.registry.is_whole(store, "web", "v1.0.0")
