"""The bytes that a clean-up frees: blobs that only condemned manifests have."""

from array import array
from collections.abc import Iterable, Mapping
from itertools import compress, islice
from operator import itemgetter

from aioregistry.cleanup.manifests.blobs import keys_of, pack_keys, sizes_of
from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.plan.items import FreedBytes

__all__ = ["Storage", "subjects_among"]

# Neighbours share most of their layers: so many manifests at a time are looked at for these.
_MANIFESTS_AT_ONCE = 5_000
# A dict of so many blobs takes some 30 MB.
_BLOBS_AT_ONCE = 250_000
# By one byte of a key there are no more.
_MAX_PARTS = 256
_UNKNOWN = 0


class Storage:
    """Counts which blobs stay and which may go, over all repositories of a registry.

    Layers are shared between repositories, so the answer is there only when all were counted.
    """

    def __init__(self) -> None:
        # The keys of blobs, some of them more than once.
        self._kept = array("Q")
        self._condemned = array("Q")
        # The sizes of those that are condemned.
        self._sizes = array("q")
        self._everything_known = True

    def keep(self, manifests: Iterable[ListedManifest]) -> None:
        """Count manifests that stay."""
        waiting = iter(manifests)
        while some := [manifest.blobs for manifest in islice(waiting, _MANIFESTS_AT_ONCE)]:
            self._kept.extend(set(keys_of(some)))

    def condemn(self, manifests: Iterable[ListedManifest], contents: Mapping[str, Content]) -> None:
        """Count manifests that go; their contents tell the size of their own documents."""
        waiting = iter(manifests)
        while some := list(islice(waiting, _MANIFESTS_AT_ONCE)):
            digests = [manifest.digest for manifest in some]
            blobs = [manifest.blobs for manifest in some]
            documents = [contents[digest].size for digest in digests]
            found = dict(zip(array("Q", pack_keys(digests)), documents, strict=True))
            keys, sizes = keys_of(blobs), sizes_of(blobs)
            if min(sizes, default=_UNKNOWN) > _UNKNOWN:
                found.update(zip(keys, sizes, strict=True))
            else:
                found = dict.fromkeys(keys, _UNKNOWN) | found
                found |= {
                    key: size for key, size in zip(keys, sizes, strict=True) if size > _UNKNOWN
                }
            self._condemned.extend(found)
            self._sizes.extend(found.values())

    def miss(self) -> None:
        """Note that there is a repository whose manifests are not known."""
        self._everything_known = False

    def find(self, keys: frozenset[str]) -> frozenset[str]:
        """Return those of some `subject_key`s that a blob has, a manifest among them."""
        wanted = _by_number(keys)
        found = {*(wanted.keys() & self._kept), *(wanted.keys() & self._condemned)}
        return frozenset(wanted[number] for number in found)

    def freed(self) -> FreedBytes:
        """Return what goes when the condemned manifests are gone and garbage is collected."""
        parts = min(1 + len(self._condemned) // _BLOBS_AT_ONCE, _MAX_PARTS)
        freed, is_certain = 0, True
        of_condemned, of_kept = map(_one_byte_of_each, (self._condemned, self._kept))
        for part in range(parts):
            table = bytes([byte % parts == part for byte in range(256)])
            here = of_condemned.translate(table)
            sizes = dict(compress(zip(self._condemned, self._sizes, strict=True), here))
            if _UNKNOWN in sizes.values():
                # A size that is known anywhere is the size.
                known = compress(zip(self._condemned, self._sizes, strict=True), here)
                sizes.update(filter(itemgetter(1), known))
            kept = compress(self._kept, of_kept.translate(table))
            for key in sizes.keys() & kept:
                del sizes[key]
            freed += sum(sizes.values())
            is_certain &= _UNKNOWN not in sizes.values()
        return FreedBytes(bytes=freed, at_least=not is_certain, at_most=not self._everything_known)


def _one_byte_of_each(keys: "array[int]") -> bytes:
    """Return a byte of each key: to part keys by it takes no loop."""
    # An empty view cannot be cast.
    return bytes(memoryview(keys).cast("B")[:: keys.itemsize]) if keys else b""


def _by_number(keys: Iterable[str]) -> dict[int, str]:
    listed = list(keys)
    return dict(zip(array("Q", pack_keys(listed)), listed, strict=True))


def subjects_among(keys: frozenset[str], manifests: Iterable[ListedManifest]) -> frozenset[str]:
    """Return those of some `subject_key`s that a blob of some manifests has, or one of these."""
    wanted = _by_number(keys)
    numbers = wanted.keys() & keys_of(manifest.blobs for manifest in manifests)
    return frozenset(wanted[number] for number in numbers)
