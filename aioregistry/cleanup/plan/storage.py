"""The bytes that a clean-up frees: blobs that only condemned manifests have."""

from array import array
from collections.abc import Iterable, Mapping
from itertools import chain, islice
from operator import itemgetter

from aioregistry.cleanup.manifests.blobs import keys_of, pack_keys, sizes_of
from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.plan.items import FreedBytes

__all__ = ["Storage", "subjects_among"]

# Neighbours share most of their layers: so many manifests at a time are looked at for these.
_MANIFESTS_AT_ONCE = 5_000
# Blobs are counted in so many parts, by their keys: of a million manifests, the sizes of one part
# are a dict that stays in the cache of the processor.
_PARTS = 64
_UNKNOWN = 0


class Storage:
    """Counts which blobs stay and which may go, over all repositories of a registry.

    Layers are shared between repositories, so the answer is there only when all were counted.
    """

    def __init__(self) -> None:
        # The keys of blobs, in parts, some of them more than once.
        self._kept = [array("Q") for _ in range(_PARTS)]
        self._condemned = [array("Q") for _ in range(_PARTS)]
        # The sizes of those that are condemned.
        self._sizes = [array("q") for _ in range(_PARTS)]
        self._everything_known = True

    def keep(self, manifests: Iterable[ListedManifest]) -> None:
        """Count manifests that stay."""
        waiting, parts = iter(manifests), self._kept
        while some := [manifest.blobs for manifest in islice(waiting, _MANIFESTS_AT_ONCE)]:
            for key in set(keys_of(some)):
                parts[key % _PARTS].append(key)

    def condemn(self, manifests: Iterable[ListedManifest], contents: Mapping[str, Content]) -> None:
        """Count manifests that go; their contents tell what the list does not: their own sizes."""
        waiting, condemned, sized = iter(manifests), self._condemned, self._sizes
        while some := list(islice(waiting, _MANIFESTS_AT_ONCE)):
            blobs = [manifest.blobs for manifest in some]
            keys, sizes = keys_of(blobs), sizes_of(blobs)
            if all(blobs) and min(sizes) > _UNKNOWN:
                # Their documents are among their blobs.
                found = dict(zip(keys, sizes, strict=True))
            else:
                digests = [manifest.digest for manifest in some]
                documents = [contents[digest].size for digest in digests]
                known = dict(zip(array("Q", pack_keys(digests)), documents, strict=True))
                found = dict.fromkeys(keys, _UNKNOWN) | known
                found |= {
                    key: size for key, size in zip(keys, sizes, strict=True) if size > _UNKNOWN
                }
            for key, size in found.items():
                part = key % _PARTS
                condemned[part].append(key)
                sized[part].append(size)

    def miss(self) -> None:
        """Note that there is a repository whose manifests are not known."""
        self._everything_known = False

    def find(self, keys: frozenset[str]) -> frozenset[str]:
        """Return those of some `subject_key`s that a blob has, a manifest among them."""
        wanted = _by_number(keys)
        found = wanted.keys() & chain(*self._kept, *self._condemned)
        return frozenset(wanted[number] for number in found)

    def freed(self) -> FreedBytes:
        """Return what goes when the condemned manifests are gone and garbage is collected."""
        freed, is_certain = 0, True
        for condemned, sized, kept in zip(self._condemned, self._sizes, self._kept, strict=True):
            sizes = dict(zip(condemned, sized, strict=True))
            if _UNKNOWN in sizes.values():
                # A size that is known anywhere is the size.
                sizes.update(filter(itemgetter(1), zip(condemned, sized, strict=True)))
            for key in sizes.keys() & kept:
                del sizes[key]
            freed += sum(sizes.values())
            is_certain &= _UNKNOWN not in sizes.values()
        return FreedBytes(bytes=freed, at_least=not is_certain, at_most=not self._everything_known)


def _by_number(keys: Iterable[str]) -> dict[int, str]:
    listed = list(keys)
    return dict(zip(array("Q", pack_keys(listed)), listed, strict=True))


def subjects_among(keys: frozenset[str], manifests: Iterable[ListedManifest]) -> frozenset[str]:
    """Return those of some `subject_key`s that a blob of some manifests has, or one of these."""
    wanted = _by_number(keys)
    numbers = wanted.keys() & keys_of(manifest.blobs for manifest in manifests)
    return frozenset(wanted[number] for number in numbers)
