"""The bytes that a clean-up frees: blobs that only condemned manifests have."""

from collections.abc import Iterable, Mapping

from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.inventory import BlobSizes, ListedManifest
from aioregistry.cleanup.plan.items import FreedBytes

__all__ = ["Storage"]


class Storage:
    """Counts which blobs stay and which may go, over all repositories of a registry.

    Layers are shared between repositories, so the answer is there only when all were counted.
    """

    def __init__(self, sizes: BlobSizes) -> None:
        self._sizes = sizes
        self._kept: set[int] = set()
        self._condemned: set[int] = set()
        self._everything_known = True

    def keep(self, manifests: Iterable[ListedManifest]) -> None:
        """Count manifests that stay."""
        for manifest in manifests:
            self._kept.update(manifest.blobs)

    def condemn(self, manifests: Iterable[ListedManifest], contents: Mapping[str, Content]) -> None:
        """Count manifests that go; their contents tell the size of their own documents."""
        for manifest in manifests:
            self._condemned.update(manifest.blobs)
            self._sizes.number_of(manifest.digest, contents[manifest.digest].size)

    def miss(self) -> None:
        """Note that there is a repository whose manifests are not known."""
        self._everything_known = False

    def freed(self) -> FreedBytes:
        """Return what goes when the condemned manifests are gone and garbage is collected."""
        found = [self._sizes.size_of(number) for number in self._condemned - self._kept]
        return FreedBytes(
            bytes=sum(size for size in found if size is not None),
            at_least=None in found,
            at_most=not self._everything_known,
        )
