"""Copies of images within a registry: by mounts alone, whole, in order, once."""

import json

import pytest

from aioregistry import InvalidNameError, MountRefusedError, NotFoundError, TagExistsError
from aioregistry.cleanup import DistributionWriter, UnreadableContentError
from aioregistry.images import copy_image
from aioregistry.images.parts import Parts
from aioregistry.images.survey import Image, Member
from aioregistry.oci.documents import FetchedManifest
from aioregistry.sandbox import Fault, Faults
from aioregistry.sandbox.calls import push
from aioregistry.sandbox.state.model import Registry
from aioregistry.sandbox.state.names import digest_bytes
from tests.conftest import QUICK
from tests.images.pushing import manifests, put, sent, tags
from tests.real.images import IMAGE, Store

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
REFERRERS = "/v2/{registry}/{repository}/referrers/{digest}"
TAGS = "/v2/{registry}/{repository}/tags/list"
MANIFEST = "/v2/{registry}/{repository}/manifests/{reference}"


@pytest.fixture
async def writer(sandbox, client):
    registry = client.registry("example")
    async with DistributionWriter(registry, base_url=sandbox.url, retry=QUICK) as writer:
        yield writer


@pytest.fixture
def store():
    return Store()


def release(store: Store) -> dict:
    """An index over two platforms, an attestation for one of them, and an index in it."""
    base = store.layer("base")
    amd, arm = (
        store.image(f"app {kind}", [base, store.layer(kind)], kind) for kind in ("amd64", "arm64")
    )
    nested = store.index(store.image("old", [base]))
    return store.index(amd, arm, store.attestation(amd), nested)


def named(root: dict, suffix: str = "") -> str:
    """The tag that names a digest, as cosign's do."""
    return root["digest"].replace(":", "-") + suffix


def fail(sandbox, route: str, status: int = 404, **more) -> None:
    sandbox.faults = Faults(Fault(kind="status", route=route, status=status, **more))


async def test_an_image_is_copied_by_mounts_alone(sandbox, store, writer):
    root = store.image("app", [store.layer("a"), store.layer("b")])
    put(sandbox, store, root, "v1")
    report = await copy_image(writer, "web", "v1", "production/web")
    assert report.is_complete
    assert report.digest == root["digest"]
    assert report.mounted_blobs == 3
    assert tags(sandbox, "production/web") == {"v1": root["digest"]}
    assert not [one for one in sent(sandbox, "GET", "HEAD", "PUT", "PATCH") if "/blobs/" in one]
    document = json.loads((await writer.get_manifest("production/web", "v1")).body)
    config = await writer.get_blob("production/web", document["config"]["digest"])
    assert json.loads(config)["config"]["Labels"] == {"name": "app"}


async def test_an_index_is_copied_with_all_children_each_blob_once(sandbox, store, writer):
    root = release(store)
    put(sandbox, store, root, "v1")
    report = await copy_image(writer, "web", "v1", "api", "stable")
    assert manifests(sandbox, "api") == manifests(sandbox, "web")
    assert tags(sandbox, "api") == {"stable": root["digest"]}
    mounts = {one for one in sent(sandbox, "POST") if "mount=" in one}
    assert len(mounts) == report.mounted_blobs
    order = [one.rpartition("/")[2] for one in sent(sandbox, "PUT")]
    assert order[-2:] == [root["digest"], "stable"]


async def test_a_cache_whose_layers_stand_in_an_index_is_copied(sandbox, store, writer):
    layers = [{**store.layer(name), "annotations": {}} for name in ("a", "b")]
    registry = sandbox.state.registry("example")
    for layer in layers:
        registry.store_content(store.contents[layer["digest"]], sandbox.state.now())
        registry.link("web", digest_bytes(layer["digest"]))
    root = store.index(*layers)
    push.put_manifest(
        sandbox.state,
        "example/web",
        *("cache", store.contents[root["digest"]], {"Content-Type": root["mediaType"]}),
    )
    report = await copy_image(writer, "web", "cache", "api")
    assert report.is_complete
    assert report.mounted_blobs == 2
    assert tags(sandbox, "api") == {"cache": root["digest"]}


async def test_a_digest_without_a_tag_is_copied_untagged(sandbox, store, writer):
    root = store.image("app", [store.layer("a")])
    put(sandbox, store, root, "v1")
    report = await copy_image(writer, "web", root["digest"], "api")
    assert manifests(sandbox, "api") == {root["digest"]}
    assert tags(sandbox, "api") == {}
    assert [one.is_tag for one in report.outcomes] == [False]


@pytest.mark.parametrize("has_api", [True, False])
async def test_referrers_and_tags_of_cosign_come_along_last(sandbox, store, writer, has_api):
    root = release(store)
    child = json.loads(store.contents[root["digest"]])["manifests"][0]
    sbom = store.referrer(root, "an SBOM")
    put(sandbox, store, root, "v1")
    put(sandbox, store, sbom)
    put(sandbox, store, store.signature(sbom), named(sbom, ".sig"))
    signature = store.signature(root)
    put(sandbox, store, signature, named(root, ".sig"))
    put(sandbox, store, store.signature(child), named(child, ".att"))
    if not has_api:
        fail(sandbox, REFERRERS)
        put(sandbox, store, store.index(sbom), named(root))
    put(sandbox, store, store.image("other", [store.layer("c")]), "v2")
    report = await copy_image(writer, "web", "v1", "api")
    assert report.is_complete
    wanted = {"v1", named(root, ".sig"), named(child, ".att"), named(sbom, ".sig")}
    assert set(tags(sandbox, "api")) == wanted | (set() if has_api else {named(root)})
    assert sbom["digest"] in manifests(sandbox, "api")
    order = [one.rpartition("/")[2] for one in sent(sandbox, "PUT")]
    assert order.index(root["digest"]) < order.index(sbom["digest"])
    assert order.index(root["digest"]) < order.index(signature["digest"])
    assert order[-1] == "v1"


async def test_without_referrers_the_image_alone_is_copied(sandbox, store, writer):
    root = store.image("app", [store.layer("a")])
    put(sandbox, store, root, "v1")
    put(sandbox, store, store.signature(root), named(root, ".sig"))
    await copy_image(writer, "web", "v1", "api", referrers=False)
    assert set(tags(sandbox, "api")) == {"v1"}


async def test_a_second_copy_writes_nothing(sandbox, store, writer):
    root = release(store)
    put(sandbox, store, root, "v1")
    put(sandbox, store, store.signature(root), named(root, ".sig"))
    await copy_image(writer, "web", "v1", "api")
    before = sent(sandbox, "POST", "PUT")
    report = await copy_image(writer, "web", "v1", "api")
    assert sent(sandbox, "POST", "PUT") == before
    assert {one.status for one in report.outcomes} == {"present"}
    assert report.mounted_blobs == 0


async def test_a_copy_that_was_cut_off_goes_on(sandbox, store, writer):
    root = release(store)
    put(sandbox, store, root, "v1")
    fail(sandbox, MANIFEST, 400, method="PUT", skip=2)
    with pytest.raises(Exception, match="400"):
        await copy_image(writer, "web", "v1", "api")
    assert tags(sandbox, "api") == {}
    sandbox.faults = Faults()
    assert (await copy_image(writer, "web", "v1", "api")).is_complete
    assert manifests(sandbox, "api") == manifests(sandbox, "web")


async def test_a_dry_run_writes_nothing_and_says_what_would_be(sandbox, store, writer):
    root = store.image("app", [store.layer("a", 5_000)])
    put(sandbox, store, root, "v1")
    counted: list[int] = []
    report = await copy_image(writer, "web", "v1", "api", dry_run=True, on_read=counted.append)
    outcomes = [(one.name, one.status) for one in report.outcomes]
    assert outcomes == [(root["digest"], "copied"), ("v1", "copied")]
    assert counted == [2]
    assert report.mounted_bytes > 5_000
    assert manifests(sandbox, "api") == set()
    assert not sent(sandbox, "POST", "PUT")


async def test_a_tag_of_the_target_is_not_moved_without_force(sandbox, store, writer):
    root = store.image("app", [store.layer("a")])
    put(sandbox, store, root, "v1")
    put(sandbox, store, store.image("other", [store.layer("b")]), "v1", to="api")
    with pytest.raises(TagExistsError, match="'v1' is on sha256"):
        await copy_image(writer, "web", "v1", "api")
    assert not sent(sandbox, "POST", "PUT")
    report = await copy_image(writer, "web", "v1", "api", force=True)
    assert report.outcomes[-1].status == "moved"
    assert tags(sandbox, "api")["v1"] == root["digest"]


async def test_other_signatures_of_the_target_are_kept_and_told(sandbox, store, writer):
    root = store.image("app", [store.layer("a")])
    put(sandbox, store, root, "v1")
    put(sandbox, store, root, "v0", to="api")
    put(sandbox, store, store.signature(root), named(root, ".sig"))
    other = store.image("another signature", [store.layer("b")])
    put(sandbox, store, other, named(root, ".sig"), to="api")
    report = await copy_image(writer, "web", "v1", "api")
    assert not report.is_complete
    (kept,) = report.having("kept")
    assert (kept.name, kept.is_tag) == (named(root, ".sig"), True)
    assert tags(sandbox, "api")[named(root, ".sig")] == other["digest"]


class Beside(DistributionWriter):
    """A writer beside somebody who sets a tag while its PUT has no answer."""

    tag_of_others = ""
    meddle = staticmethod(lambda: None)
    looks = 0

    async def find_manifest(self, repository, reference):
        if (repository, reference) == ("api", self.tag_of_others):
            self.looks += 1
            if self.looks == 2:
                self.meddle()
        return await super().find_manifest(repository, reference)


@pytest.fixture
async def beside(sandbox, client):
    registry = client.registry("example")
    async with Beside(registry, base_url=sandbox.url, retry=QUICK) as writer:
        yield writer


def lose_third_put(sandbox) -> None:
    """Of an image and one referrer, the third is that of the first tag."""
    sandbox.faults = Faults(
        Fault(kind="status", route=REFERRERS, status=404),
        Fault(kind="reset-before", method="PUT", route=MANIFEST, skip=2, times=1),
    )


async def test_newer_signatures_that_come_while_a_put_has_no_answer_are_kept(
    sandbox, store, beside
):
    root = store.image("app", [store.layer("a")])
    tag = named(root, ".sig")
    signature, other = store.image("signature", []), store.image("newer signature", [])
    put(sandbox, store, root, "v1")
    put(sandbox, store, signature, tag)
    beside.tag_of_others = tag
    beside.meddle = lambda: put(sandbox, store, other, tag, to="api")
    lose_third_put(sandbox)
    report = await copy_image(beside, "web", "v1", "api", tag="v1", force=True)
    (kept,) = [one for one in report.outcomes if one.status == "kept"]
    assert kept.name == tag
    assert "meanwhile" in kept.reason
    assert tags(sandbox, "api")[tag] == other["digest"]


async def test_what_is_added_to_a_list_while_its_put_has_no_answer_stays(sandbox, store, beside):
    root = store.image("app", [store.layer("a")])
    ours, theirs = store.referrer(root, "ours"), store.referrer(root, "theirs")
    put(sandbox, store, root, "v1")
    put(sandbox, store, ours)
    put(sandbox, store, store.index(ours), named(root))

    def add() -> None:
        put(sandbox, store, theirs, to="api")
        put(sandbox, store, store.index(theirs), named(root), to="api")

    beside.tag_of_others = named(root)
    beside.meddle = add
    lose_third_put(sandbox)
    report = await copy_image(beside, "web", "v1", "api")
    assert report.is_complete
    listed = json.loads((await beside.get_manifest("api", named(root))).body)["manifests"]
    assert {one["digest"] for one in listed} == {ours["digest"], theirs["digest"]}


async def test_lists_of_referrers_are_merged(sandbox, store, writer):
    fail(sandbox, REFERRERS)
    root = store.image("app", [store.layer("a")])
    ours, theirs = store.referrer(root, "ours"), store.referrer(root, "theirs")
    for repository, referrer in (("web", ours), ("api", theirs)):
        put(sandbox, store, root, "v1", to=repository)
        put(sandbox, store, referrer, to=repository)
        put(sandbox, store, store.index(referrer), named(root), to=repository)
    report = await copy_image(writer, "web", "v1", "api")
    assert report.is_complete
    listed = json.loads((await writer.get_manifest("api", named(root))).body)["manifests"]
    assert {one["digest"] for one in listed} == {ours["digest"], theirs["digest"]}
    again = await copy_image(writer, "web", "v1", "api")
    assert {one.status for one in again.outcomes} == {"present"}


async def test_a_list_that_has_all_referrers_is_not_written_again(sandbox, store, writer):
    fail(sandbox, REFERRERS)
    root = store.image("app", [store.layer("a")])
    ours, theirs = store.referrer(root, "ours"), store.referrer(root, "theirs")
    listed = {"web": [ours], "api": [theirs, ours]}
    for repository, referrers in listed.items():
        put(sandbox, store, root, "v1", to=repository)
        put(sandbox, store, store.index(*referrers), named(root), to=repository)
    report = await copy_image(writer, "web", "v1", "api")
    assert {one.status for one in report.outcomes} == {"present"}
    assert not sent(sandbox, "PUT", "POST")


async def test_a_referrer_that_is_listed_and_gone_is_told_and_the_rest_copied(
    sandbox, store, writer
):
    fail(sandbox, REFERRERS)
    root = store.image("app", [store.layer("a")])
    here, gone = store.referrer(root, "here"), store.referrer(root, "gone")
    put(sandbox, store, root, "v1")
    put(sandbox, store, here)
    put(sandbox, store, store.index(here, gone), named(root))
    sandbox.state.delete_manifest("example", "web", gone["digest"])
    report = await copy_image(writer, "web", "v1", "api")
    assert [one.digest for one in report.having("missing")] == [gone["digest"]]
    listed = json.loads((await writer.get_manifest("api", named(root))).body)["manifests"]
    assert [one["digest"] for one in listed] == [here["digest"]]


async def test_an_index_without_a_child_is_not_copied(sandbox, store, writer):
    child = store.image("app", [store.layer("a")])
    put(sandbox, store, store.index(child), "v1")
    sandbox.state.delete_manifest("example", "web", child["digest"])
    with pytest.raises(NotFoundError, match="the index names sha256:"):
        await copy_image(writer, "web", "v1", "api")
    assert not sent(sandbox, "POST", "PUT")


async def test_a_registry_that_does_not_mount_is_not_uploaded_to(
    sandbox, store, writer, monkeypatch
):
    put(sandbox, store, store.image("app", [store.layer("a")]), "v1")
    monkeypatch.setattr(Registry, "has_blob", lambda *_: False)
    with pytest.raises(MountRefusedError):
        await copy_image(writer, "web", "v1", "api")
    assert manifests(sandbox, "api") == set()
    assert not sandbox.state.uploads._received
    assert not sent(sandbox, "PATCH", "PUT")


def with_layer(store: Store, layer: dict, **more) -> dict:
    document = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": store.add(b"{}", "application/vnd.oci.image.config.v1+json"),
        "layers": [{**layer, **more}],
    }
    return store.document(document)


async def test_a_layer_that_is_stored_elsewhere_stays_there(sandbox, store, writer):
    layer = {"mediaType": FOREIGN, "digest": "sha256:" + "7" * 64, "size": 9}
    root = with_layer(store, layer, urls=["https://elsewhere.test/layer"])
    put(sandbox, store, root, "v1")
    report = await copy_image(writer, "web", "v1", "api")
    assert report.mounted_blobs == 1
    assert tags(sandbox, "api") == {"v1": root["digest"]}


async def test_a_layer_that_may_be_elsewhere_and_is_here_is_mounted(sandbox, store, writer):
    layer = store.add(b"here", "application/vnd.oci.image.layer.nondistributable.v1.tar")
    put(sandbox, store, with_layer(store, layer), "v1")
    assert (await copy_image(writer, "web", "v1", "api")).mounted_blobs == 2


async def test_a_manifest_of_an_unknown_kind_is_not_copied(sandbox, store, writer):
    document = {"schemaVersion": 2, "mediaType": "application/vnd.example+json", "parts": []}
    put(sandbox, store, store.document(document), "v1")
    # The sandbox answers such a type only to who asks for it.
    with pytest.raises((UnreadableContentError, NotFoundError)):
        await copy_image(writer, "web", "v1", "api")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("web", "v1", "web"), ValueError),
        (("web", "v1", "API"), InvalidNameError),
        (("web", "v1", "api", "-x"), InvalidNameError),
        (("web", "a:b", "api"), InvalidNameError),
    ],
)
async def test_wrong_names_send_nothing(sandbox, writer, arguments, error):
    with pytest.raises(error):
        await copy_image(writer, *arguments)
    assert sandbox.request_count == 0


async def test_a_registry_that_lists_no_tags_is_asked_for_the_usual_ones(sandbox, store, writer):
    root = store.image("app", [store.layer("a")])
    put(sandbox, store, root, "v1")
    put(sandbox, store, store.signature(root), named(root, ".sig"))
    fail(sandbox, TAGS)
    await copy_image(writer, "web", "v1", "api")
    assert set(tags(sandbox, "api")) == {"v1", named(root, ".sig")}


async def test_tags_that_name_each_other_in_a_circle_are_copied(sandbox, store, writer):
    first, second = store.image("1", [store.layer("a")]), store.image("2", [store.layer("b")])
    put(sandbox, store, first, named(second, ".sig"))
    put(sandbox, store, second, named(first, ".sig"))
    report = await copy_image(writer, "web", first["digest"], "api", "v1")
    assert report.is_complete
    assert len(tags(sandbox, "api")) == 3


async def test_a_tag_of_the_target_that_lists_no_referrers_is_kept(sandbox, store, writer):
    root = store.image("app", [store.layer("a")])
    put(sandbox, store, root, "v1")
    put(sandbox, store, store.index(store.attestation(root)), named(root))
    theirs = store.image("other", [store.layer("b")])
    put(sandbox, store, theirs, named(root), "api")
    report = await copy_image(writer, "web", "v1", "api", force=True)
    (kept,) = [one for one in report.outcomes if one.status == "kept"]
    assert kept.name == named(root)
    assert "lists no referrers" in kept.reason
    assert tags(sandbox, "api") == {"v1": root["digest"], named(root): theirs["digest"]}


def test_a_subject_comes_first_although_a_tag_says_otherwise():
    first, second = ("sha256:" + letter * 64 for letter in "ab")
    members = {
        # By its tag, it refers to the other.
        first: Member(FetchedManifest(first, IMAGE, b"", b""), Parts("image", IMAGE), second),
        second: Member(
            FetchedManifest(second, IMAGE, b"", b""), Parts("image", IMAGE, subject=first), first
        ),
    }
    assert list(Image("web", first, members).waves()) == [(first,), (second,)]
