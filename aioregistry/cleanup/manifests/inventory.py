"""What a repository holds, by a listing that is whole or is not believed."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from attrs import field, frozen

from aioregistry.api.models import Blob, Manifest
from aioregistry.cleanup.manifests.content import subject_of_tag
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import PartialListingError

__all__ = ["BlobSizes", "ListedManifest", "RepositoryInventory", "take_inventory"]

_MOST_PASSES = 4


class BlobSizes:
    """The sizes of all blobs of a registry, each known by a small number.

    Layers are shared: a digest is kept once, however many manifests name it.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._sizes: list[int | None] = []

    def number_of(self, digest: str, size: int | None = None) -> int:
        """Return the number of a blob; a size that is not known yet is noted."""
        number = self._numbers.setdefault(digest, len(self._sizes))
        if number == len(self._sizes):
            self._sizes.append(size or None)
        elif self._sizes[number] is None:
            self._sizes[number] = size or None
        return number

    def size_of(self, number: int) -> int | None:
        """Return the compressed size of a blob in bytes; None when nobody told it."""
        return self._sizes[number]


@frozen
class ListedManifest:
    """A manifest as the listing gave it.

    Attributes:
        digest: Its digest.
        tags: Its tags, sorted.
        image_tags: The tags but for those of signatures, attestations and SBOMs.
        pushed_at: When it was pushed; None when the API does not say.
        blobs: The numbers of its blobs in `BlobSizes`, its own document among them.
        size_bytes: Its compressed size; None when the API does not say.
    """

    digest: str
    tags: tuple[str, ...] = ()
    pushed_at: datetime | None = None
    blobs: tuple[int, ...] = ()
    size_bytes: int | None = None
    image_tags: tuple[str, ...] = field(init=False, eq=False, repr=False)

    @image_tags.default
    def _image_tags(self) -> tuple[str, ...]:
        for tag in self.tags:
            if tag.startswith("sha256-"):
                return tuple(tag for tag in self.tags if subject_of_tag(tag) is None)
        return self.tags


@frozen
class RepositoryInventory:
    """All manifests of a repository, each with its tags."""

    repository: str
    manifests: tuple[ListedManifest, ...]

    @property
    def tags(self) -> Iterator[tuple[str, str]]:
        """Every tag, with the digest of the manifest that it is on."""
        return ((tag, manifest.digest) for manifest in self.manifests for tag in manifest.tags)


async def take_inventory(
    registry: RegistryHandle, repository: str, sizes: BlobSizes | None = None, *, passes: int = 2
) -> RepositoryInventory:
    """List the manifests of a repository, tags and all, until passes agree.

    ``GET …/repositories/{repository}/digests``, each page once a pass. A pass counts when it found
    as many manifests as the API counts in `meta.total`; a listing that moves is read again.

    Args:
        registry: The registry.
        repository: The repository's name.
        sizes: Where the blobs and their sizes are noted.
        passes: How many passes in a row must agree.

    Raises:
        PartialListingError: They do not agree, or the API does not count what it lists.
        RegistryError: Any other of its kinds.
    """
    sizes = BlobSizes() if sizes is None else sizes
    agreed = 0
    known: dict[str, ListedManifest] = {}
    for _ in range(passes + _MOST_PASSES - 2):
        found, total = await _list(registry, repository, sizes, known)
        if found is None:
            agreed = 0
            continue
        # What has not changed is the same object: comparing costs next to nothing.
        same = len(found) == len(known) and all(known.get(key) is found[key] for key in found)
        agreed = agreed + 1 if same else 1
        known = found
        if agreed >= passes:
            return RepositoryInventory(repository, tuple(known.values()))
    problem = (
        "the API does not say how many manifests there are"
        if total is None
        else "what is listed changes from one pass to the next, or is not all there is"
    )
    raise PartialListingError(
        f"the manifests of {repository!r} could not be listed for certain: {problem}; "
        "try again when nothing is being pushed",
        found=len(known),
        total=total,
    )


async def _list(
    registry: RegistryHandle, repository: str, sizes: BlobSizes, known: dict[str, ListedManifest]
) -> tuple[dict[str, ListedManifest] | None, int | None]:
    """Return what one pass found, None when it is not whole, and how many the API counts."""
    found: dict[str, ListedManifest] = {}
    walk = aiter(registry.repository(repository).manifests())
    async with walk:
        async for manifest in walk:
            digest = manifest.digest
            if digest in found:
                # A walk tells items apart by their digests: these have none.
                return None, walk.total
            before = known.get(digest)
            # What a digest stands for never changes: its tags may, and the time of its last push.
            if (
                before is not None
                and before.pushed_at == manifest.updated_at
                and before.tags == tuple(sorted(manifest.tags))
            ):
                found[digest] = before
            else:
                found[digest] = _listed(manifest, sizes)
    whole = walk.complete and walk.total is not None and walk.total == len(found)
    return (found if whole else None), walk.total


def _listed(manifest: Manifest, sizes: BlobSizes) -> ListedManifest:
    blobs: Iterable[Blob] = manifest.blobs
    numbers = [sizes.number_of(blob.digest, blob.compressed_size_bytes) for blob in blobs]
    own = sizes.number_of(manifest.digest)
    return ListedManifest(
        manifest.digest,
        tuple(sorted(manifest.tags)),
        manifest.updated_at,
        tuple(numbers) if own in numbers else (*numbers, own),
        manifest.compressed_size_bytes,
    )
