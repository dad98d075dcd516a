"""Tags and copies on a real registry: whole, in order, and no blob is uploaded."""

import json

import pytest

from aioregistry import AuthenticationError, RegistryClient
from aioregistry.cleanup import Distribution, DistributionWriter
from aioregistry.images import copy_image, inspect_image
from tests.conftest import QUICK
from tests.real.front import Front
from tests.real.images import Store
from tests.real.registry import ApiServer, RealRegistry, require_programs
from tests.real.schema1 import MEDIA_TYPE, signed_manifest
from tests.real.test_cleanup import POLICY, filled, signature_tag

__all__ = ["filled"]


def fallback_tag(subject: dict) -> str:
    return str(subject["digest"]).replace(":", "-")


@pytest.mark.slow(6)
async def test_tagging_and_copying_upload_no_blob(filled, tmp_path):
    registry, store = filled.registry, filled.store
    release = filled.kept["release"]
    nested = filled.kept["nested"]
    subject = {"digest": nested, "mediaType": "", "size": 0}
    document = json.loads(store.contents[filled.kept["referrer"]])
    listed = {
        "mediaType": document["mediaType"],
        "digest": filled.kept["referrer"],
        "size": len(store.contents[filled.kept["referrer"]]),
    }
    await registry.put(store, store.index(listed), "web", fallback_tag(subject))
    front = Front()
    async with (
        ApiServer(registry).running() as url,
        front.running(),
        RegistryClient("token", base_url=url, rate_limit=None) as client,
        DistributionWriter(client.registry("example"), base_url=front.url) as writer,
    ):
        front.upstream = registry.url
        await writer.tag("web", "v1.0.0", "stable")
        moved = await writer.tag("web", nested, "stable", force=True)
        released = await copy_image(writer, "web", "v1.0.0", "production/web", "v1")
        whole = await copy_image(writer, "web", nested, "production/web", "nested")
        again = await copy_image(writer, "web", nested, "production/web", "nested")
    assert (moved[0].status, moved[0].previous) == ("moved", release)
    assert released.is_complete
    assert whole.is_complete
    assert {one.status for one in again.outcomes} == {"present"}
    assert front.uploads() == []
    assert len(front.mounts()) == released.mounted_blobs + whole.mounted_blobs
    assert registry.tags("web")["stable"] == nested
    tags = registry.tags("production/web")
    assert tags["v1"] == release
    assert tags["nested"] == nested
    assert tags[signature_tag({"digest": release})] == filled.kept["signature"]
    assert fallback_tag(subject) in tags
    # skopeo knows no index within an index: that one is read blob by blob.
    assert await registry.pulls("production/web", "v1")
    for digest in (release, nested, filled.kept["signature"], filled.kept["referrer"]):
        assert await registry.is_whole(store, "production/web", digest)


@pytest.mark.slow(4)
async def test_an_image_is_inspected_whole(filled):
    registry = filled.registry
    async with (
        ApiServer(registry).running() as url,
        RegistryClient("token", base_url=url, rate_limit=None) as client,
        Distribution(client.registry("example"), base_url=registry.url) as distribution,
    ):
        handle = client.registry("example")
        release = await inspect_image(
            handle, distribution, "web", "v1.0.0", all_repositories=True, policy=POLICY
        )
    kinds = [(one.kind, one.platform) for one in release.manifests]
    assert kinds[0] == ("index", None)
    assert {("image", "linux/amd64"), ("image", "linux/arm64")} <= set(kinds)
    by_kind = {one.kind: one for one in release.manifests}
    assert by_kind["attestation"].refers_to in {one.digest for one in release.manifests}
    assert by_kind["signature"].digest == filled.kept["signature"]
    image = next(one for one in release.manifests if one.platform == "linux/arm64")
    assert image.config.labels == {"name": "release arm64"}
    base, own = image.layers
    assert "team/api:v2.0.0" in base.shared_with or base.shared_count > len(base.shared_with)
    assert own.shared_count == 0
    assert [(one.tag, one.deleted) for one in release.decisions] == [("v1.0.0", False)]


@pytest.mark.slow(2)
@pytest.mark.parametrize("grants", [True, False])
async def test_a_mount_needs_a_token_that_pulls_from_the_source(tmp_path, grants):
    require_programs()
    store, front = Store(), Front()
    root = store.image("app", [store.layer("a"), store.layer("b")])
    plain = RealRegistry(tmp_path)
    async with plain.running():
        await plain.push(store, root, "web", "v1")
    async with front.running():
        # The same storage, behind tokens.
        registry = RealRegistry(tmp_path, auth=front.settings(tmp_path))
        front.upstream = registry.url
        async with (
            registry.running(),
            ApiServer(registry).running() as url,
            RegistryClient("token", base_url=url, rate_limit=None) as client,
            DistributionWriter(
                client.registry("example"), base_url=front.url, retry=QUICK
            ) as writer,
        ):
            if not grants:
                front.withheld.add("repository:example/web:pull")
                await writer.get_manifest("web", "v1")
                with pytest.raises(AuthenticationError, match="pull from 'web'"):
                    await copy_image(writer, "web", "v1", "api")
                assert registry.revisions("api") == {}
            else:
                assert (await copy_image(writer, "web", "v1", "api")).is_complete
                assert registry.tags("api") == {"v1": root["digest"]}
    assert front.uploads() == []
    assert any("repository:example/web:pull" in asked for asked in front.asked)


async def test_a_signed_manifest_of_schema_1_is_tagged_and_copied(tmp_path):
    require_programs()
    store, registry = Store(), RealRegistry(tmp_path, schema1=True)
    layer = store.layer("old")
    body, digest = signed_manifest("example/web", layer["digest"])
    async with (
        registry.running(),
        ApiServer(registry).running() as url,
        RegistryClient("token", base_url=url, rate_limit=None) as client,
        DistributionWriter(client.registry("example"), base_url=registry.url) as writer,
    ):
        # An image that names the layer, so that it is uploaded.
        await registry.push(store, store.image("new", [layer]), "web", "new")
        await writer.put_manifest("web", "old", body, MEDIA_TYPE)
        (outcome,) = await writer.tag("web", "old", "older")
        report = await copy_image(writer, "web", digest, "api", "old")
    assert outcome.digest == report.digest == digest
    assert report.mounted_blobs == 1
    assert registry.tags("web")["older"] == registry.tags("api")["old"] == digest
