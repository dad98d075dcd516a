"""The manifests of one repository in columns, and which tag needs which of them: pure."""

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from attrs import field, frozen

from aioregistry.api.models import Manifest
from aioregistry.cleanup.manifests.content import subject_of_tag
from aioregistry.usage.blobs import BlobSizes

__all__ = ["SHARED", "UNTAGGED", "Columns", "Described", "Needs"]

# Which tag needs a manifest: none, several, or the one of this number and 2.
UNTAGGED, SHARED = 0, 1
_FIRST_TAG = 2
_ATTESTATION = "unknown/unknown"
# The config of artifacts, which have no use for one: two bytes, {}.
_EMPTY_CONFIG = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@frozen
class Described:
    """What the document of a manifest says of others.

    Attributes:
        size: Bytes of the document.
        children: The manifests that it names, each with its platform; None where it says none.
        subject: The manifest that it refers to; None for none.
    """

    size: int
    children: tuple[tuple[str, str | None], ...] = ()
    subject: str | None = None


class Columns:
    """The manifests of one repository: some 40 bytes each, and their tags.

    Args:
        sizes: The blobs of the registry.
    """

    def __init__(self, sizes: BlobSizes) -> None:
        self._sizes = sizes
        self.own: array[int] = array("I")
        # Seconds since 1970; not a number where nobody says.
        self.pushed: array[float] = array("d")
        # One tag, or several.
        self.names: list[str | tuple[str, ...]] = []
        self._starts = array("Q", [0])
        self._blobs = array("I")
        # The manifests without blobs, which may be indexes, and artifacts; those without tags.
        self.naming: dict[int, str] = {}
        self.without_tags: dict[int, str] = {}
        self.sized_bytes: int = 0

    def __len__(self) -> int:
        return len(self.own)

    def add(self, manifest: Manifest) -> None:
        """Take in a manifest of the API's list."""
        digests = [blob.digest for blob in manifest.blobs]
        sizes = [blob.compressed_size_bytes for blob in manifest.blobs]
        is_image = any(digest != manifest.digest for digest in digests)
        is_image = is_image and _EMPTY_CONFIG not in digests
        if manifest.digest not in digests:
            digests.append(manifest.digest)
            sizes.append(None)
        numbers = self._sizes.numbers_of(digests, sizes)
        own, node = numbers[digests.index(manifest.digest)], len(self)
        self.own.append(own)
        at = manifest.updated_at
        self.pushed.append(float("nan") if at is None else at.timestamp())
        tags = manifest.tags
        self.names.append(tags[0] if len(tags) == 1 else tags)
        self._blobs.extend(dict.fromkeys(numbers))
        self._starts.append(len(self._blobs))
        if not is_image:
            self.naming[node] = manifest.digest
        if not tags:
            self.without_tags[node] = manifest.digest
        self.sized_bytes += manifest.compressed_size_bytes or 0

    def tags(self, node: int) -> tuple[str, ...]:
        """Return the tags of a manifest."""
        names = self.names[node]
        return (names,) if isinstance(names, str) else names

    def blobs(self, node: int) -> Sequence[int]:
        """Return the numbers of the blobs of a manifest, its own document among them."""
        return self._blobs[self._starts[node] : self._starts[node + 1]]


@frozen
class Needs:
    """Which tags need which manifests of a repository.

    Attributes:
        labels: For each manifest `UNTAGGED`, `SHARED`, or 2 and the number of the only tag that
            needs it; tags are numbered in the order of their manifests.
        edges: What a manifest needs: its children and its referrers.
        referrers: The signatures, attestations and SBOMs.
        platforms: The platforms that indexes give their children.
        documents: The blobs of the documents that an index names: its children's. A garbage
            collection keeps them for as long as it keeps the index.
    """

    labels: "array[int]"
    edges: Mapping[int, Sequence[int]] = field(factory=dict)
    referrers: frozenset[int] = frozenset()
    platforms: Mapping[int, str] = field(factory=dict)
    documents: Mapping[int, Sequence[int]] = field(factory=dict)

    @classmethod
    def of(cls, columns: Columns, described: Mapping[int, Described], sizes: BlobSizes) -> "Needs":
        """Find out what the tags of a repository need.

        Args:
            columns: Its manifests.
            described: What those manifests say that may name others.
            sizes: The blobs of the registry.
        """
        edges: dict[int, list[int]] = {}
        referrers: set[int] = set()
        platforms: dict[int, str] = {}
        documents: dict[int, list[int]] = {}
        signed = _signed(columns)
        if any(one.children or one.subject for one in described.values()) or signed:
            node_of = _finder(columns, sizes)
            for node, one in described.items():
                for digest, platform in one.children:
                    child = node_of(digest)
                    if child is None:
                        continue
                    edges.setdefault(node, []).append(child)
                    documents.setdefault(node, []).append(columns.own[child])
                    if platform == _ATTESTATION:
                        referrers.add(child)
                    elif platform is not None:
                        platforms[child] = platform
                if one.subject is not None:
                    referrers.add(node)
                    subject = node_of(one.subject)
                    if subject is not None:
                        edges.setdefault(subject, []).append(node)
            referrers.update(signed)
        labels = _spread(columns, edges)
        return cls(labels, edges, frozenset(referrers), platforms, documents)

    def blobs(self, columns: Columns, node: int) -> Iterable[int]:
        """Return the numbers of the blobs that a manifest keeps, documents of children too."""
        named = self.documents.get(node)
        return columns.blobs(node) if named is None else [*columns.blobs(node), *named]

    def reached(self, node: int) -> Collection[int]:
        """Return a manifest, what it needs, and what that needs."""
        if node not in self.edges:
            return (node,)
        found, waiting = {node}, [node]
        while waiting:
            for needed in self.edges.get(waiting.pop(), ()):
                if needed not in found:
                    found.add(needed)
                    waiting.append(needed)
        return found


def _finder(columns: Columns, sizes: BlobSizes) -> Callable[[str], int | None]:
    """Return what finds a manifest of a repository by its digest."""
    # By number of a blob: the manifest whose document it is, from 1. A dict takes ten times that.
    nodes = array("I", bytes(4 * len(sizes)))
    for node, number in enumerate(columns.own, 1):
        nodes[number] = node

    def node_of(digest: str) -> int | None:
        number = sizes.number_of(digest)
        found = nodes[number] if number < len(nodes) else 0
        return found - 1 if found else None

    return node_of


def _signed(columns: Columns) -> set[int]:
    """Return the manifests that a tag as cosign's calls a referrer."""
    return {
        node
        for node, names in enumerate(columns.names)
        for tag in ((names,) if isinstance(names, str) else names)
        if subject_of_tag(tag) is not None
    }


def _spread(columns: Columns, edges: Mapping[int, Sequence[int]]) -> "array[int]":
    labels = array("I", bytes(4 * len(columns)))
    number = _FIRST_TAG
    for node, names in enumerate(columns.names):
        count = 1 if isinstance(names, str) else len(names)
        if count:
            labels[node] = number if count == 1 else SHARED
        number += count
    waiting = [node for node in edges if labels[node]]
    while waiting:
        node = waiting.pop()
        for needed in edges.get(node, ()):
            before, label = labels[needed], labels[node]
            after = label if before in {UNTAGGED, label} else SHARED
            if after != before:
                labels[needed] = after
                waiting.append(needed)
    return labels
