"""The content of a registry: repositories, manifests, tags and blobs."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from hashlib import sha256

import attrs

from aioregistry.sandbox.refusal import not_found
from aioregistry.sandbox.state import documents
from aioregistry.sandbox.state.layers import layer_digest, layer_tail
from aioregistry.sandbox.state.listing import Listing
from aioregistry.sandbox.state.names import check_repository, check_tag, digest_bytes, is_digest


@attrs.frozen
class Form:
    """The properties of a manifest besides its blobs; images of one platform share them.

    Attributes:
        media_type: The document's.
        platform: ``os/architecture``; empty for a manifest that is no image.
        document: The document, where it does not follow from the blobs.
        children: The manifests that an index names.
        subject: The manifest that this one refers to.
    """

    media_type: str = documents.OCI_MANIFEST
    platform: str = ""
    document: bytes | None = None
    children: tuple[bytes, ...] = ()
    subject: bytes | None = None


@attrs.define(eq=False, weakref_slot=False)
class Manifest:
    """One manifest of one repository.

    Attributes:
        digest: 32 bytes.
        at: When it was pushed, in Unix microseconds.
        blobs: Its parts: the config, then the layers; empty for an index.
        form: Its other properties.
    """

    digest: bytes
    at: int
    blobs: tuple[bytes, ...]
    form: Form
    # Most manifests have one tag, and a million tuples of one would take 64 MB.
    _names: str | tuple[str, ...] = attrs.field(default=(), init=False)

    @property
    def tags(self) -> tuple[str, ...]:
        """The names of its tags, oldest first."""
        return (self._names,) if isinstance(self._names, str) else self._names

    def add_tag(self, name: str) -> None:
        """Note one more tag."""
        self._names = (*self.tags, name) if self._names else name

    def drop_tag(self, name: str) -> None:
        """Forget a tag."""
        self._names = tuple(other for other in self.tags if other != name)


@attrs.define(eq=False, weakref_slot=False)
class Tag:
    """A name that points at a manifest since ``at`` (Unix microseconds)."""

    name: str
    manifest: Manifest
    at: int


def _tag_order(tag: Tag) -> tuple[int, str]:
    return -tag.at, tag.name


def _manifest_order(manifest: Manifest) -> tuple[int, bytes]:
    return -manifest.at, manifest.digest


@attrs.define(eq=False)
class Repository:
    """Manifests and the tags on them, both also listed newest first."""

    name: str
    manifests: dict[bytes, Manifest] = attrs.field(factory=dict)
    tags: dict[str, Tag] = attrs.field(factory=dict)
    newest_manifests: Listing[Manifest] = attrs.field(factory=lambda: Listing(_manifest_order))
    newest_tags: Listing[Tag] = attrs.field(factory=lambda: Listing(_tag_order))

    def add(self, manifest: Manifest) -> Manifest:
        """Add a manifest, unless the repository has one with its digest; return the one it has."""
        known = self.manifests.setdefault(manifest.digest, manifest)
        if known is manifest:
            self.newest_manifests.add(manifest)
        return known

    def point(self, name: str, manifest: Manifest, at: int) -> None:
        """Set a tag, taking it from the manifest it was on."""
        if name in self.tags:
            self.delete_tag(name)
        self.tags[name] = tag = Tag(name, manifest, at)
        self.newest_tags.add(tag)
        manifest.add_tag(name)

    def delete_tag(self, name: str) -> None:
        """Delete a tag; its manifest is kept.

        Raises:
            Refusal: 404.
        """
        tag = self.tags.pop(name, None)
        if tag is None:
            raise not_found()
        self.newest_tags.remove(tag)
        tag.manifest.drop_tag(name)

    def delete_manifest(self, digest: bytes) -> None:
        """Delete a manifest and its tags.

        Raises:
            Refusal: 404.
        """
        manifest = self.manifests.pop(digest, None)
        if manifest is None:
            raise not_found()
        self.newest_manifests.remove(manifest)
        for name in manifest.tags:
            self.newest_tags.remove(self.tags.pop(name))

    def find(self, reference: str) -> Manifest | None:
        """The manifest that a tag or a digest names."""
        if is_digest(reference):
            return self.manifests.get(digest_bytes(reference))
        tag = self.tags.get(reference)
        return tag.manifest if tag else None


@attrs.define(eq=False)
class Registry:
    """Repositories by name, and the blobs that their manifests share.

    Attributes:
        name: Its name.
        region: The region's slug.
        created_at: Unix microseconds.
        repositories: By name.
        repository_names: Sorted.
        blobs: The size of each stored blob, referenced or not.
        storage_bytes: The sum of ``blobs``.
        storage_at: When that sum last changed, Unix microseconds.
        contents: The bytes of blobs that clients have pushed; of others only the size is known.
        layers_made: How many layers were made up, each by its number.
        uploaded: The blobs that a repository has without a manifest: those that clients have
            pushed, and those of its deleted manifests until they are collected.
    """

    name: str
    region: str
    created_at: int
    repositories: dict[str, Repository] = attrs.field(factory=dict)
    repository_names: list[str] = attrs.field(factory=list)
    blobs: dict[bytes, int] = attrs.field(factory=dict)
    storage_bytes: int = 0
    storage_at: int = 0
    contents: dict[bytes, bytes] = attrs.field(factory=dict)
    layers_made: int = 0
    uploaded: dict[str, set[bytes]] = attrs.field(factory=dict)
    # What the API wrote of tags, and of manifests with their tags, when they were listed last.
    texts: dict[Tag | tuple[Manifest, tuple[str, ...]], str] = attrs.field(
        factory=dict, init=False, repr=False
    )
    # One object for each size that occurs: configs and documents have few different ones.
    _sizes: dict[int, int] = attrs.field(factory=dict, init=False)
    _tails: dict[bytes, bytes] = attrs.field(factory=dict, init=False)

    def repository(self, name: str) -> Repository:
        """A repository by name.

        Raises:
            Refusal: 404.
        """
        try:
            return self.repositories[name]
        except KeyError:
            raise not_found() from None

    def size_of(self, manifest: Manifest) -> int:
        """Compressed bytes of a manifest's blobs and its document."""
        sizes = self.blobs
        return sizes[manifest.digest] + sum([sizes[blob] for blob in manifest.blobs])

    def store(self, blobs: Iterable[tuple[bytes, int]], at: int) -> None:
        """Store blobs; those that are stored already cost nothing."""
        stored, sizes = self.blobs, self._sizes
        for digest, size in blobs:
            if digest not in stored:
                stored[digest] = sizes.setdefault(size, size)
                self.storage_bytes += size
        self.storage_at = at

    def make_layer(self, size: int) -> tuple[bytes, int]:
        """Make up a layer that no other one is like, and return its digest and size."""
        number, self.layers_made = self.layers_made, self.layers_made + 1
        return layer_digest(self.name, number, size), size

    def tail_of(self, layer: bytes) -> bytes:
        """The last bytes of a made-up layer, which nobody kept; empty for any other blob."""
        if layer not in self._tails:
            size = self.blobs[layer]
            numbers = range(self.layers_made - 1, -1, -1)
            found = (n for n in numbers if layer_digest(self.name, n, size) == layer)
            number = next(found, None)
            tail = b"" if number is None else layer_tail(self.name, number)
            self._tails[layer] = tail if len(tail) <= size else b""
        return self._tails[layer]

    def store_content(self, content: bytes, at: int) -> None:
        """Store a blob with its bytes."""
        digest = sha256(content).digest()
        self.store([(digest, len(content))], at)
        self.contents[digest] = content

    def link(self, repository: str, digest: bytes) -> None:
        """Let a repository, which may be new, have a stored blob without a manifest."""
        self.uploaded.setdefault(check_repository(repository), set()).add(digest)

    def has_blob(self, repository: str, digest: bytes) -> bool:
        """Whether a repository has a blob: pushed to it, or part of one of its manifests."""
        if digest not in self.blobs:
            return False
        if digest in self.uploaded.get(repository, ()):
            return True
        held = self.repositories.get(repository)
        manifests = held.manifests.values() if held is not None else ()
        return any(digest in manifest.blobs for manifest in manifests)

    def free(self, digests: Iterable[bytes], at: int) -> int:
        """Delete blobs.

        Returns:
            The bytes they took.
        """
        freed = 0
        gone = set(digests)
        for digest in gone:
            freed += self.blobs.pop(digest)
            self.contents.pop(digest, None)
        for linked in self.uploaded.values():
            linked.difference_update(gone)
        self.storage_bytes -= freed
        self.storage_at = at
        return freed

    def put(self, name: str, manifest: Manifest, tags: Iterable[str]) -> Manifest:
        """Add a manifest and its tags to a repository, which is made if it is new.

        Raises:
            Refusal: A name is invalid; nothing was added.
        """
        tags = [check_tag(tag) for tag in tags]
        repository = self.repositories.get(name)
        if repository is None:
            repository = self.repositories[check_repository(name)] = Repository(name)
            insort(self.repository_names, name)
        known = repository.add(manifest)
        for tag in tags:
            repository.point(tag, known, manifest.at)
        return known

    def delete_manifest(self, name: str, digest: bytes) -> None:
        """Delete a manifest; a repository is deleted with its last one.

        Raises:
            Refusal: 404.
        """
        repository = self.repository(name)
        manifest = repository.manifests.get(digest)
        repository.delete_manifest(digest)
        if manifest is not None:
            self.uploaded.setdefault(name, set()).update(manifest.blobs)
        if not repository.manifests:
            self.delete_repository(name)

    def delete_repository(self, name: str) -> None:
        """Delete a repository; its blobs are kept until they are collected.

        Raises:
            Refusal: 404.
        """
        linked = self.uploaded.setdefault(name, set())
        for manifest in self.repository(name).manifests.values():
            linked.update(manifest.blobs)
        del self.repositories[name]
        del self.repository_names[bisect_left(self.repository_names, name)]

    def manifests(self) -> Iterator[Manifest]:
        """Every manifest of every repository."""
        for repository in self.repositories.values():
            yield from repository.manifests.values()
