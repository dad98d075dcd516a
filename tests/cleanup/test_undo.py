"""Undo: what was deleted comes back from its archive, byte for byte and in an order that works."""

import asyncio
import json
from pathlib import Path

import pytest

from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.archive_format import ArchiveError
from aioregistry.cleanup.undo.order import restoration_of
from aioregistry.cleanup.undo.report import UndoError, UndoOutcome, UndoReport
from aioregistry.cleanup.undo.undo import undo
from aioregistry.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    RegistryConnectionError,
)
from aioregistry.oci.documents import FetchedManifest
from tests.cleanup.test_archive import digest_of

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def image(name: str, **more: object) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "mediaType": IMAGE, "config": {}, "layers": [], "n": name} | more
    ).encode()


def index(*children: bytes) -> bytes:
    entries = [{"digest": digest_of(child), "size": len(child)} for child in children]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()


class Registry:
    """A second registry of ours, which refuses a manifest whose parts it does not have."""

    def __init__(self, *lost: bytes) -> None:
        self.documents: dict[str, tuple[bytes, str]] = {}
        self.tags: dict[str, str] = {}
        self.lost = {digest_of(document) for document in lost}
        self.puts: list[str] = []
        self.gone: set[str] = set()
        self.fails: dict[str, Exception] = {}

    async def find_manifest(self, repository, reference):
        assert repository == "web"
        await asyncio.sleep(0)
        if ":" in reference:
            return reference if reference in self.documents else None
        return self.tags.get(reference)

    async def get_manifest(self, repository, reference):
        reference = self.tags.get(reference, reference)
        if reference not in self.documents:
            raise NotFoundError("manifest unknown", status=404)
        document, media_type = self.documents[reference]
        return FetchedManifest(reference, media_type, document, document)

    async def has_blob(self, repository, digest):
        return digest not in self.gone

    async def put_manifest(self, repository, reference, document, media_type, *, once=False):
        await asyncio.sleep(0)
        if reference in self.fails:
            raise self.fails[reference]
        self.store(reference, document, media_type)

    def store(self, reference, document, media_type):
        digest = digest_of(document)
        children = [one["digest"] for one in json.loads(document).get("manifests", ())]
        if digest in self.lost or not all(child in self.documents for child in children):
            raise InvalidRequestError("unknown", status=400, error_id="MANIFEST_BLOB_UNKNOWN")
        self.documents[digest] = document, media_type
        self.puts.append(reference)
        if ":" not in reference:
            self.tags[reference] = digest


@pytest.fixture
def archive(tmp_path) -> Path:
    return tmp_path / "archive.gz"


async def keep(path: Path, *items: tuple[bytes, tuple[str, ...]], media_type: str = IMAGE) -> None:
    async with Archive(path, "example") as archive:
        for document, tags in items:
            await archive.add("web", digest_of(document), tags, document, media_type)


async def test_an_index_comes_back_after_its_children_and_before_its_tags(archive):
    amd, arm = image("amd"), image("arm")
    multi = index(amd, arm)
    # Deleted in the order in which a clean-up deletes.
    await keep(archive, (multi, ("v1",)), (amd, ()), (arm, ()))
    registry = Registry()
    report = await undo(registry, archive)
    assert registry.tags == {"v1": digest_of(multi)}
    assert set(registry.documents) == {digest_of(one) for one in (amd, arm, multi)}
    assert registry.puts.index(digest_of(multi)) == 2
    assert len(report.restored) == 4
    assert report.is_complete


async def test_a_referrer_comes_back_after_its_subject(archive):
    subject = image("subject")
    referrer = image("signature", subject={"digest": digest_of(subject), "size": 1})
    await keep(archive, (referrer, ()), (subject, ("v1",)))
    registry = Registry()
    await undo(registry, archive)
    assert registry.puts == [digest_of(subject), digest_of(referrer), "v1"]


async def test_bytes_and_media_type_are_what_they_were(archive):
    odd = b' {"schemaVersion":2 ,"manifests":null}\n'
    await keep(archive, (odd.replace(b"null", b"[]"), ("v1",)), media_type="application/x-odd")
    registry = Registry()
    await undo(registry, archive)
    assert registry.documents == {
        digest_of(odd.replace(b"null", b"[]")): (odd.replace(b"null", b"[]"), "application/x-odd")
    }


async def test_a_tag_that_points_elsewhere_by_now_is_left_alone(archive):
    old, new = image("old"), image("new")
    await keep(archive, (old, ("latest", "v1")))
    registry = Registry()
    await registry.put_manifest("web", "latest", new, IMAGE)
    report = await undo(registry, archive)
    assert registry.tags == {"latest": digest_of(new), "v1": digest_of(old)}
    (moved,) = report.moved
    assert moved.name == "latest"
    assert digest_of(new) in moved.reason
    assert report.is_complete


async def test_a_tag_comes_back_to_what_it_was_deleted_from_last(archive):
    first, second = image("first"), image("second")
    await keep(archive, (first, ("v1",)), (second, ("v1",)))
    registry = Registry()
    await undo(registry, archive)
    assert registry.tags == {"v1": digest_of(second)}


async def test_the_tag_of_a_manifest_that_stayed_comes_back(archive):
    stayed = image("stayed")
    async with Archive(archive, "example") as opened:
        await opened.add("web", digest_of(stayed), ("v1",))
    registry = Registry()
    await registry.put_manifest("web", "other", stayed, IMAGE)
    await undo(registry, archive)
    assert registry.tags == {"other": digest_of(stayed), "v1": digest_of(stayed)}


async def test_what_a_garbage_collection_took_is_lost_and_said_to_be(archive):
    gone, fine = image("gone"), image("fine")
    multi = index(gone)
    await keep(archive, (multi, ("v1",)), (gone, ()), (fine, ("v2",)))
    registry = Registry(gone)
    report = await undo(registry, archive)
    assert {one.name for one in report.lost} == {digest_of(gone), digest_of(multi)}
    assert "garbage collection" in report.lost[0].reason
    assert [one.name for one in report.not_attempted] == ["v1"]
    assert registry.tags == {"v2": digest_of(fine)}
    with pytest.raises(UndoError, match="3 of 5") as caught:
        report.raise_for_failures()
    assert caught.value.report is report


async def test_one_that_fails_does_not_stop_the_others(archive):
    one, two = image("one"), image("two")
    await keep(archive, (one, ("v1",)), (two, ("v2",)))
    registry = Registry()
    registry.fails[digest_of(one)] = RegistryConnectionError("reset")
    report = await undo(registry, archive)
    assert registry.tags == {"v2": digest_of(two)}
    assert [one.status for one in report.failed] == ["failed"]
    assert "reset" in report.not_attempted[0].reason


@pytest.mark.parametrize("passes", [True, False])
async def test_a_digest_that_is_refused_although_it_is_right_is_tried_again(archive, passes):
    one = image("one")
    await keep(archive, (one, ("v1",)))
    registry = Registry()
    registry.fails["v1"] = InvalidRequestError("no digest", status=400, error_id="DIGEST_INVALID")
    waited = []

    async def sleep(seconds):
        waited.append(seconds)
        if passes:
            registry.fails.clear()

    report = await undo(registry, archive, sleep=sleep)
    assert report.is_complete is passes
    assert registry.tags == ({"v1": digest_of(one)} if passes else {})
    assert len(waited) == (1 if passes else 3)


async def test_refused_credentials_end_it_at_once(archive):
    documents = [image(str(n)) for n in range(100)]
    await keep(archive, *((one, ()) for one in documents))
    registry = Registry()
    for one in documents:
        registry.fails[digest_of(one)] = AuthenticationError("no", status=401)
    report = await undo(registry, archive)
    assert len(report.failed) <= 8
    assert len(report.failed) + len(report.not_attempted) == 100


async def test_it_goes_on_where_it_was_interrupted(archive):
    amd = image("amd")
    multi = index(amd)
    await keep(archive, (multi, ("v1",)), (amd, ()))
    registry = Registry()
    await registry.put_manifest("web", digest_of(amd), amd, IMAGE)
    report = await undo(registry, archive)
    assert [one.name for one in report.present] == [digest_of(amd)]
    again = await undo(registry, archive)
    assert not again.restored
    assert len(again.present) == 3


async def test_a_dry_run_writes_nothing(archive):
    await keep(archive, (image("x"), ("v1",)))
    registry = Registry()
    report = await undo(registry, archive, dry_run=True)
    assert not registry.puts
    assert len(report.restored) == 2


async def test_one_tag_comes_back_with_what_it_needs_and_its_signatures_alone(archive):
    amd, other = image("amd"), image("other")
    multi = index(amd)
    signature, foreign = image("signature"), image("foreign signature")
    signed = digest_of(multi).replace(":", "-") + ".sig"
    await keep(
        archive,
        (multi, ("v1",)),
        (amd, ()),
        (signature, (signed,)),
        (other, ("v2",)),
        (foreign, (digest_of(other).replace(":", "-") + ".sig",)),
    )
    registry = Registry()
    await undo(registry, archive, tags=["v1"])
    assert registry.tags == {"v1": digest_of(multi), signed: digest_of(signature)}
    assert set(registry.documents) == {digest_of(one) for one in (multi, amd, signature)}


async def test_repositories_that_were_not_asked_for_are_left_alone(archive):
    await keep(archive, (image("x"), ("v1",)))
    registry = Registry()
    report = await undo(registry, archive, repositories=["api"])
    assert not registry.puts
    assert report.is_complete


async def test_another_registrys_archive_is_refused(archive):
    await keep(archive, (image("x"), ("v1",)))
    with pytest.raises(ArchiveError, match="registry 'example'"):
        await undo(Registry(), archive, registry="other")


async def test_each_outcome_is_reported_as_soon_as_it_is_known(archive):
    await keep(archive, (image("x"), ("v1",)))
    seen = []
    registry = Registry()
    await undo(
        registry,
        archive,
        on_outcome=lambda outcome: seen.append((outcome.is_tag, len(registry.puts))),
    )
    assert seen == [(False, 1), (True, 2)]


async def test_what_a_callback_raises_ends_the_undo_as_it_is(archive):
    await keep(archive, *((image(str(number)), (f"v{number}",)) for number in range(20)))
    registry = Registry()

    def refuse(outcome: UndoOutcome) -> None:
        raise LookupError(outcome.name)

    with pytest.raises(LookupError, match="sha256:"):
        await undo(registry, archive, on_outcome=refuse)
    sent = len(registry.puts)
    await asyncio.sleep(0)
    assert sent == len(registry.puts) < 20


async def test_a_tag_that_one_kind_of_request_does_not_find_is_not_overwritten(archive):
    old, new = image("old"), image("new")
    await keep(archive, (old, ("v1",)))
    registry = Registry()
    registry.store("v1", new, IMAGE)
    look = registry.find_manifest

    async def find_manifest(repository, reference):
        return None if reference == "v1" else await look(repository, reference)

    registry.find_manifest = find_manifest
    report = await undo(registry, archive)
    assert registry.tags == {"v1": digest_of(new)}
    assert [one.name for one in report.moved] == ["v1"]


async def test_a_cache_whose_blobs_are_gone_is_lost_and_names_them(archive):
    """Its blobs are looked for as blobs: for a manifest, registries have but an error."""
    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    layers = [{"digest": digest_of(one), "size": 1, "mediaType": kind} for one in (b"1", b"2")]
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": layers}
    cache = json.dumps(document).encode()
    await keep(archive, (cache, ("cache",)), media_type=INDEX)
    registry = Registry()
    registry.gone = {digest_of(b"2")}
    asked = []

    async def find_manifest(repository, reference):
        asked.append(reference)

    registry.find_manifest = find_manifest
    report = await undo(registry, archive)
    (lost,) = report.lost
    assert lost.missing == (digest_of(b"2"),)
    assert set(asked) == {digest_of(cache)}


def test_a_deep_nest_comes_back_from_the_bottom():
    contents = {str(n): Content(INDEX, 1, (str(n - 1),)) for n in range(1, 3000)}
    contents["0"] = Content(IMAGE, 1)
    assert [len(wave) for wave in restoration_of(contents, {}).waves] == [1] * 3000


def test_an_undo_error_counts_and_names_the_first_that_did_not_come_back():
    def outcome(name, status):
        return UndoOutcome("web", name, "sha256:a", status, f"why {name}")

    report = UndoReport.of(
        [
            outcome("a", "restored"),
            outcome("b", "present"),
            outcome("c", "moved"),
            outcome("d", "not_attempted"),
            outcome("e", "failed"),
            outcome("f", "lost"),
        ]
    )
    assert not report.is_complete
    for status in ("not_attempted", "failed", "lost"):
        assert not UndoReport.of([outcome("x", status)]).is_complete
    with pytest.raises(UndoError) as raised:
        report.raise_for_failures()
    assert raised.value.report is report
    assert raised.value.message == (
        "3 of 5 manifests and tags did not come back; the first is 'f' in 'web': why f"
    )
    UndoReport.of([outcome("c", "moved")]).raise_for_failures()
