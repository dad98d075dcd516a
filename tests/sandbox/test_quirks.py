"""A registry that is strange on purpose, each way by itself, and a clean-up of one that is all."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from aioregistry import RegistryClient
from aioregistry.cleanup import (
    ContentReader,
    Delete,
    DeleteUntagged,
    Distribution,
    Policy,
    apply_plan,
    make_plan,
)
from aioregistry.oci.schema1 import signed_payload
from aioregistry.sandbox import STRANGE, Phases, Quirks, Sandbox, State
from tests.real.schema1 import MEDIA_TYPE, signed_manifest
from tests.sandbox.test_push import (
    LAYER,
    OCI,
    Registry,
    code_of,
    described,
    digest_of,
    image,
    image_parts,
    registry,
)

__all__ = ["image_parts", "registry"]

WEB = ("example", "web")


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def sandbox(clock):
    state = State(clock, phases=Phases(*[0.0] * 6))
    state.add_registry("example")
    async with Sandbox(state) as running:
        yield running


@pytest.fixture
async def signed(registry, image_parts):
    body, digest = signed_manifest("example/web", digest_of(LAYER))
    assert (await registry.push("old", body, kind=MEDIA_TYPE)).status == 201
    return body, digest


async def test_a_manifest_of_schema_1_has_the_digest_of_its_payload(registry, signed):
    body, digest = signed
    pulled = await registry.ask("GET", "/v2/example/web/manifests/old", Accept=MEDIA_TYPE)
    assert (pulled.content_type, pulled.content_read) == (MEDIA_TYPE, body)
    assert pulled.headers["Docker-Content-Digest"] == digest


async def test_a_manifest_of_schema_1_is_pushed_by_the_digest_of_its_payload(registry, signed):
    body, digest = signed
    assert (await registry.push(digest, body, kind=MEDIA_TYPE)).status == 201
    wrong = await registry.push(digest_of(body), body, kind=MEDIA_TYPE)
    assert code_of(wrong) == (400, "DIGEST_INVALID")


async def test_a_manifest_of_schema_1_lists_the_blobs_that_it_needs(sandbox, call, signed):
    _, digest = signed
    reply = await call("GET", "/v2/registries/example/repositories/web/digests")
    (listed,) = reply.json["manifests"]
    assert [blob["digest"] for blob in listed["blobs"]] == [digest_of(LAYER), digest]
    sandbox.state.start_collection("example")
    assert digest_of(LAYER)[7:] in {blob.hex() for blob in sandbox.state.registry("example").blobs}


@pytest.mark.parametrize("broken", ["signatures", "protected"])
async def test_a_manifest_of_schema_1_without_a_signature_is_refused(registry, image_parts, broken):
    body, _ = signed_manifest("example/web", digest_of(LAYER))
    pushed = await registry.push("old", body.replace(broken.encode(), b"x"), kind=MEDIA_TYPE)
    assert code_of(pushed) == (400, "MANIFEST_INVALID")


async def test_signatures_change_at_each_get(registry, sandbox, signed):
    body, digest = signed
    sandbox.state.quirks = Quirks(new_signatures=True)
    path = "/v2/example/web/manifests/old"
    one, two = [await registry.ask("GET", path, Accept=MEDIA_TYPE) for _ in range(2)]
    assert len({body, one.content_read, two.content_read}) == 3
    for got in (one, two):
        assert got.headers["Docker-Content-Digest"] == digest
        assert signed_payload(got.content_read) == signed_payload(body)
        assert json.loads(got.content_read)["signatures"][0]["header"]


async def test_tags_may_not_be_listed(registry, sandbox):
    sandbox.state.push(*WEB, ["v1"])
    sandbox.state.quirks = Quirks(lists_tags=False)
    listed = await registry.ask("GET", "/v2/example/web/tags/list")
    assert code_of(listed) == (405, "UNSUPPORTED")


async def test_without_referrers_no_subject_is_confirmed(registry, sandbox, image_parts):
    sandbox.state.quirks = Quirks(lists_referrers=False)
    subject = described(b"somewhere", OCI)
    pushed = await registry.push("sig", image(subject=subject))
    assert pushed.status == 201
    assert "OCI-Subject" not in pushed.headers
    listed = await registry.ask("GET", f"/v2/example/web/referrers/{subject['digest']}")
    assert listed.status == 404


async def test_lists_lag_behind(registry, sandbox, call, clock):
    sandbox.state.quirks = Quirks(list_lag=10)
    state, path = sandbox.state, "/v2/registries/example/repositories/web"
    old = state.push(*WEB, ["v1"])

    async def lists():
        tags = await call("GET", f"{path}/tags")
        manifests = await call("GET", f"{path}/digests?per_page=1")
        protocol = await registry.json("/v2/example/web/tags/list")
        assert tags.json["meta"]["total"] == len(tags.json["tags"])
        return (
            {tag["tag"] for tag in tags.json["tags"]},
            manifests.json["meta"]["total"],
            set(protocol["tags"]),
        )

    assert await lists() == ({"v1"}, 1, {"v1"})
    state.push(*WEB, ["v2"])
    state.delete_manifest(*WEB, old)
    clock.now += 9
    assert await lists() == ({"v1"}, 1, {"v1"})
    # A single manifest is what it is.
    assert (await registry.ask("HEAD", "/v2/example/web/manifests/v1")).status == 404
    clock.now += 1
    assert await lists() == ({"v2"}, 1, {"v2"})


@pytest.mark.parametrize("takes", [True, False])
def test_a_collection_may_take_what_tagged_manifests_need(takes):
    state = State(phases=Phases(*[0.0] * 6), quirks=Quirks(collects_children=takes))
    state.add_registry("example")
    children = [state.push(*WEB), state.push(*WEB)]
    index = state.push_index(*WEB, children, ["v1"])
    state.push_document(*WEB, {"mediaType": OCI, "subject": {"digest": index}})
    state.start_collection("example", "untagged manifests only")
    assert state.active_collection("example") is None
    left = state.registry("example").repository("web").manifests
    assert len(left) == (1 if takes else 4)


async def test_a_tag_is_deleted_alone_and_a_digest_with_its_tags(registry, sandbox):
    sandbox.state.quirks = Quirks(deletes=True)
    digest = sandbox.state.push(*WEB, ["v1", "v2", "v3"])
    sandbox.state.push(*WEB, ["main"])
    path = "/v2/example/web/manifests"
    assert (await registry.ask("DELETE", f"{path}/v1")).status == 202
    assert set(sandbox.state.tag_names(*WEB)) == {"v2", "v3", "main"}
    assert (await registry.ask("DELETE", f"{path}/{digest}")).status == 202
    assert sandbox.state.tag_names(*WEB) == ["main"]
    for gone in (f"{path}/v1", f"{path}/{digest}"):
        assert code_of(await registry.ask("DELETE", gone)) == (404, "MANIFEST_UNKNOWN")
    nowhere = await registry.ask("DELETE", "/v2/example/none/manifests/v1")
    assert code_of(nowhere) == (404, "NAME_UNKNOWN")


async def test_a_blob_is_deleted_unless_a_manifest_needs_it(registry, sandbox, image_parts):
    sandbox.state.quirks = Quirks(deletes=True)
    path = f"/v2/example/web/blobs/{digest_of(LAYER)}"
    pushed = await registry.push("v1", image())
    assert code_of(await registry.ask("DELETE", path)) == (405, "UNSUPPORTED")
    digest = pushed.headers["Docker-Content-Digest"]
    await registry.ask("DELETE", f"/v2/example/web/manifests/{digest}")
    assert (await registry.ask("DELETE", path)).status == 202
    assert code_of(await registry.ask("DELETE", path)) == (404, "BLOB_UNKNOWN")
    invalid = await registry.ask("DELETE", "/v2/example/web/blobs/none")
    assert code_of(invalid) == (400, "DIGEST_INVALID")


async def test_credentials_that_only_read_cannot_delete(session, sandbox):
    sandbox.state.quirks = Quirks(deletes=True)
    sandbox.state.push(*WEB, ["v1"])
    reading = Registry(session, sandbox, sandbox.state.issue_credentials("example").secret)
    refused = await reading.ask("DELETE", "/v2/example/web/manifests/v1")
    assert refused.status == 401
    assert 'scope="repository:example/web:delete"' in refused.headers["WWW-Authenticate"]
    assert sandbox.state.tag_names(*WEB) == ["v1"]


async def test_a_clean_up_of_all_at_once_keeps_what_kept_tags_need(registry, clock, sandbox):
    """Old signatures, a signature under a tag, an index: with every quirk, until lists agree."""
    state = sandbox.state
    await registry.upload(LAYER)
    body, old = signed_manifest("example/web", digest_of(LAYER))
    await registry.push("old", body, kind=MEDIA_TYPE)
    moment = datetime.fromtimestamp(clock.now, UTC) - timedelta(days=40)
    children = [state.push(*WEB, at=moment, platform=f"linux/{one}") for one in ("amd64", "arm64")]
    kept = state.push_index(*WEB, children, ["v1"], at=moment)
    signature = {"mediaType": OCI, "artifactType": "signature", "subject": {"digest": kept}}
    referrer = state.push_document(*WEB, signature, at=moment)
    condemned = [state.push(*WEB, [f"pr-{number}"], at=moment) for number in range(3)]
    dangling = state.push(*WEB, at=moment)
    state.quirks = STRANGE
    clock.now += 60
    async with (
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
        Distribution(client.registry("example"), base_url=sandbox.url) as distribution,
    ):
        handle, contents = client.registry("example"), ContentReader(distribution)
        policy = Policy([Delete(tags="pr-*"), DeleteUntagged(timedelta(days=1))])
        now = datetime.fromtimestamp(clock.now, UTC)
        plan = await make_plan(handle, policy, contents, now=now, memory=False)
        assert plan.left_alone == ()
        report = await apply_plan(handle, plan, contents, force=True, memory=False)
    assert {one.item.digest for one in report.deleted} == {*condemned, dangling}
    left = {f"sha256:{one.hex()}" for one in state.registry("example").repository("web").manifests}
    assert left == {*children, kept, referrer, old}
    assert set(state.tag_names(*WEB)) == {"v1", "old"}
