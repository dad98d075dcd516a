"""The sizes of all blobs of a registry, in some 25 bytes each.

A dict of a million digests takes 200 MB. Here a digest is its 64-bit hash (keyed anew in each
process) in an open-addressed table: two of a million blobs share one in 37 million registries, and
then an estimate is off by the size of one.
"""

from array import array
from collections.abc import Sequence

from aioregistry.cleanup.manifests.content import KEY_CHARACTERS, subject_key

__all__ = ["BlobSizes"]

_SMALLEST = 2**8
_UNKNOWN = 0
_MAX_SIZE = 2**63
# Neighbours in a list share most of their layers.
_MAX_RECENT = 4096


class BlobSizes:
    """The sizes of all blobs of a registry, each known by a small number, from 0.

    Layers are shared: a digest is kept once, however many manifests name it.
    """

    def __init__(self) -> None:
        # In each slot a number and 1; 0 is a free slot.
        self._table = array("I", [0]) * _SMALLEST
        # By number: the hash of the digest, and the size.
        self._hashes = array("q")
        self._sizes = array("q")
        # The `subject_key` of each digest that is longer than that.
        self._keys: set[str] = set()
        # The numbers of digests that came last, of those whose sizes are known.
        self._recent: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._sizes)

    def has_subject(self, key: str) -> bool:
        """Return whether there is a blob, a manifest among them, with a `subject_key`."""
        return key in self._keys or self._table[self._slot_of(hash(key))] > 0

    def number_of(self, digest: str, size: int | None = None) -> int:
        """Return the number of a blob; a size that is not known yet is noted."""
        return self.numbers_of((digest,), (size,))[0]

    def numbers_of(self, digests: Sequence[str], sizes: Sequence[int | None]) -> list[int]:
        """Return the numbers of some blobs; sizes that are not known yet are noted."""
        while (len(self._sizes) + len(digests)) * 5 > len(self._table) * 4:
            self._grow()
        table, hashes, known_sizes = self._table, self._hashes, self._sizes
        mask = len(table) - 1
        numbers = []
        if len(self._recent) > _MAX_RECENT:
            self._recent.clear()
        recent = self._recent
        for digest, size in zip(digests, sizes, strict=True):
            if digest in recent:
                numbers.append(recent[digest])
                continue
            wanted = hash(digest)
            slot = wanted & mask
            while (number := table[slot] - 1) >= 0 and hashes[number] != wanted:
                slot = (slot + 1) & mask
            known = size if size and 0 < size < _MAX_SIZE else _UNKNOWN
            if number < 0:
                number = len(hashes)
                table[slot] = number + 1
                hashes.append(wanted)
                known_sizes.append(known)
                if len(digest) > KEY_CHARACTERS:
                    self._keys.add(subject_key(digest))
            elif known and not known_sizes[number]:
                known_sizes[number] = known
            if known_sizes[number]:
                recent[digest] = number
            numbers.append(number)
        return numbers

    def size_of(self, number: int) -> int | None:
        """Return the compressed size of a blob in bytes; None when nobody told it."""
        return self._sizes[number] or None

    def _slot_of(self, wanted: int) -> int:
        """Return the slot of a hash, or the free one where it would be."""
        slot = wanted & (len(self._table) - 1)
        while (number := self._table[slot]) and self._hashes[number - 1] != wanted:
            slot = (slot + 1) & (len(self._table) - 1)
        return slot

    def _grow(self) -> None:
        table = array("I", [0]) * (2 * len(self._table))
        mask = len(table) - 1
        for number, wanted in enumerate(self._hashes, 1):
            slot = wanted & mask
            while table[slot]:
                slot = (slot + 1) & mask
            table[slot] = number
        self._table = table
