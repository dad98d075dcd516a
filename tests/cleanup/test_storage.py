"""The bytes that a clean-up frees."""

from aioregistry.cleanup.manifests.blobs import BlobSizes
from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.inventory import ListedManifest
from aioregistry.cleanup.plan.items import FreedBytes
from aioregistry.cleanup.plan.storage import Storage


class Counted:
    """Manifests of blobs that were listed, by short names."""

    def __init__(self) -> None:
        self._sizes = BlobSizes()
        self.storage = Storage(self._sizes)

    def manifest(self, name: str, **blobs: int | None) -> ListedManifest:
        """List a manifest of some blobs; a blob without a size has an unknown one."""
        own = self._sizes.number_of(name)
        numbers = [self._sizes.number_of(blob, size) for blob, size in blobs.items()]
        return ListedManifest(name, blobs=(*numbers, own))

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
