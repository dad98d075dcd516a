"""The bytes that a clean-up frees: blobs that only condemned manifests have."""

from collections.abc import Iterable, Mapping

from aioregistry.cleanup.manifests.blobs import BlobSizes
from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.inventory import ListedManifest
from aioregistry.cleanup.plan.items import FreedBytes

__all__ = ["Storage"]

_KEPT, _CONDEMNED = 1, 2


class Storage:
    """Counts which blobs stay and which may go, over all repositories of a registry.

    Layers are shared between repositories, so the answer is there only when all were counted.
    """

    def __init__(self, sizes: BlobSizes) -> None:
        self._sizes = sizes
        # By number: whether a kept manifest has the blob, and whether a condemned one has.
        self._fates = bytearray()
        self._everything_known = True

    def keep(self, manifests: Iterable[ListedManifest]) -> None:
        """Count manifests that stay."""
        self._mark(manifests, _KEPT)

    def condemn(self, manifests: Iterable[ListedManifest], contents: Mapping[str, Content]) -> None:
        """Count manifests that go; their contents tell the size of their own documents."""
        manifests = list(manifests)
        digests = [manifest.digest for manifest in manifests]
        self._sizes.numbers_of(digests, [contents[digest].size for digest in digests])
        self._mark(manifests, _CONDEMNED)

    def miss(self) -> None:
        """Note that there is a repository whose manifests are not known."""
        self._everything_known = False

    def freed(self) -> FreedBytes:
        """Return what goes when the condemned manifests are gone and garbage is collected."""
        size_of = self._sizes.size_of
        found = [size_of(number) for number, fate in enumerate(self._fates) if fate == _CONDEMNED]
        return FreedBytes(
            bytes=sum(size for size in found if size is not None),
            at_least=None in found,
            at_most=not self._everything_known,
        )

    def _mark(self, manifests: Iterable[ListedManifest], fate: int) -> None:
        fates = self._fates
        fates.extend(bytes(len(self._sizes) - len(fates)))
        for manifest in manifests:
            for number in manifest.blobs:
                fates[number] |= fate
