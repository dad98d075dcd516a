"""A set that only remembers that it has seen a name, in at most 20 bytes for each.

A Python set of a million names takes some 100 MB, and a walk may be that long. Here a name is its
64-bit hash (keyed anew in each process) in an open-addressed table. Two of a million names share
one in 37 million walks.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["Fingerprints"]

T = TypeVar("T")

_SMALLEST = 2**8
# A table is not laid out in advance for more than this, whatever a server claims to hold.
_LARGEST_AT_ONCE = 2**21


class Fingerprints:
    """The names that a walk has yielded.

    Args:
        expected: How many names are likely to come.
    """

    __slots__ = ("_table", "count")

    def __init__(self, expected: int = 0) -> None:
        slots = _SMALLEST
        while slots < _LARGEST_AT_ONCE and slots * 4 < expected * 5:
            slots *= 2
        self._table = array("q", [0]) * slots
        self.count = 0

    def add_new(self, items: Sequence[T], name_of: Callable[[T], str]) -> list[T]:
        """Remember the items' names and return the items whose names were not known.

        An item without a name is always new: nothing tells it from another.
        """
        while (self.count + len(items)) * 5 > len(self._table) * 4:
            self._grow()
        table = self._table
        mask = len(table) - 1
        new: list[T] = []
        # The hash of no name is 0, which marks a free slot: it is new each time it comes.
        for fingerprint, item in zip(map(hash, map(name_of, items)), items, strict=True):
            slot = fingerprint & mask
            while (known := table[slot]) and known != fingerprint:
                slot = (slot + 1) & mask
            if not known:
                table[slot] = fingerprint
                new.append(item)
        self.count += len(new)
        return new

    def _grow(self) -> None:
        old = self._table
        mask = len(old) * 2 - 1
        table = array("q", [0]) * (mask + 1)
        for fingerprint in filter(None, old):
            slot = fingerprint & mask
            while table[slot]:
                slot = (slot + 1) & mask
            table[slot] = fingerprint
        self._table = table
