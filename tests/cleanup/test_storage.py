"""The bytes that a clean-up frees."""

from aioregistry.cleanup.manifests.blobs import pack_blobs
from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.plan import storage
from aioregistry.cleanup.plan.items import FreedBytes
from aioregistry.cleanup.plan.storage import Storage, subjects_among


class Counted:
    """Manifests of blobs that were listed, by short names."""

    def __init__(self) -> None:
        self.storage = Storage()

    def manifest(self, name: str, **blobs: int | None) -> ListedManifest:
        """List a manifest of some blobs; a blob without a size has an unknown one."""
        names, sizes = [*blobs, name], [*(size or 0 for size in blobs.values()), 0]
        (packed,) = pack_blobs([len(names)], names, sizes)
        return ListedManifest(name, blobs=packed)

    def condemn(self, *manifests: ListedManifest, size: int = 1) -> None:
        self.storage.condemn(
            manifests, {manifest.digest: Content("x", size) for manifest in manifests}
        )


def test_what_goes_is_the_blobs_and_the_documents():
    counted = Counted()
    counted.condemn(counted.manifest("a", layer=300, config=20), size=7)
    assert counted.storage.freed() == FreedBytes(bytes=327)


def test_what_two_manifests_that_go_share_is_counted_once():
    counted = Counted()
    counted.condemn(counted.manifest("a", layer=300), counted.manifest("b", layer=300))
    assert counted.storage.freed() == FreedBytes(bytes=302)


def test_what_a_manifest_that_stays_has_too_is_not_counted():
    counted = Counted()
    counted.condemn(counted.manifest("a", shared=300, own=20))
    counted.storage.keep([counted.manifest("b", other=5), counted.manifest("c", shared=300)])
    assert counted.storage.freed() == FreedBytes(bytes=21)


def test_where_a_size_is_unknown_it_is_at_least_the_others():
    counted = Counted()
    counted.condemn(counted.manifest("a", known=20, unknown=None))
    freed = counted.storage.freed()
    assert freed == FreedBytes(bytes=21, at_least=True)
    assert str(freed) == "at least 21 B"


def test_where_a_repository_is_not_known_it_is_at_most_that():
    counted = Counted()
    counted.condemn(counted.manifest("a", known=20))
    counted.storage.miss()
    freed = counted.storage.freed()
    assert freed == FreedBytes(bytes=21, at_most=True)
    assert str(freed) == "at most 21 B"


def test_a_size_that_one_of_two_lists_tells_is_known():
    counted = Counted()
    counted.condemn(counted.manifest("a", layer=None))
    counted.condemn(counted.manifest("b", layer=300))
    counted.condemn(counted.manifest("c", layer=None))
    assert counted.storage.freed() == FreedBytes(bytes=303)


def test_where_the_list_tells_the_size_of_a_document_that_is_its_size():
    counted = Counted()
    (packed,) = pack_blobs([2], ["layer", "a"], [300, 20])
    counted.condemn(ListedManifest("a", blobs=packed), size=21)
    assert counted.storage.freed() == FreedBytes(bytes=320)


def test_a_manifest_that_is_listed_without_blobs_has_its_document():
    counted = Counted()
    (packed,) = pack_blobs([2], ["layer", "a"], [300, 20])
    counted.condemn(ListedManifest("a", blobs=packed), ListedManifest("b"), size=7)
    assert counted.storage.freed() == FreedBytes(bytes=327)


def test_a_blob_of_very_many_manifests_is_counted_once(monkeypatch):
    monkeypatch.setattr("aioregistry.cleanup.plan.storage._MANIFESTS_AT_ONCE", 2)
    counted = Counted()
    shared = {f"shared{nth}": 10 for nth in range(3)}
    gone = [counted.manifest(f"gone{nth}", **shared, **{f"own{nth}": 100}) for nth in range(5)]
    counted.condemn(*gone)
    counted.storage.keep([counted.manifest("kept", shared0=10)])
    assert counted.storage.freed() == FreedBytes(bytes=525)


def test_subjects_are_found_among_what_goes_and_what_stays():
    counted = Counted()
    kept, gone, postponed = (counted.manifest(name) for name in ("kept", "gone", "postponed"))
    counted.storage.keep([kept])
    counted.condemn(gone)
    wanted = frozenset({"kept", "gone", "postponed", "nowhere"})
    assert counted.storage.find(wanted) == {"kept", "gone"}
    assert subjects_among(wanted, [postponed]) == {"postponed"}


def test_what_is_counted_in_parts_is_counted_as_at_once(monkeypatch):
    in_parts = _count_many().storage.freed()
    monkeypatch.setattr(storage, "_PARTS", 1)
    at_once = _count_many().storage.freed()
    assert in_parts.bytes
    assert in_parts == at_once


def _count_many():
    counted = Counted()
    for nth in range(200):
        # Some sizes are known only from manifests that come later.
        later = 1000 if nth >= 160 else None
        blobs = {f"layer{nth % 40}": 100 + nth % 40, f"own{nth}": 7, f"later{nth % 60}": later}
        manifest = counted.manifest(f"m{nth}", **blobs)
        if nth % 5:
            counted.condemn(manifest)
        else:
            counted.storage.keep([manifest])
    return counted
