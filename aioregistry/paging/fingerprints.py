"""A set that only remembers that it has seen a name, in at most 20 bytes for each.

A Python set of a million names takes some 100 MB, and a walk may be that long. Here a name is its
64-bit hash (keyed anew in each process) in an open-addressed table. Two of a million names share
one in 37 million walks. A few names are in sets of Python's as they are, 32,768 at most: each is
hashed once then, and no number is made of it.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

__all__ = ["Fingerprints", "NamesOf"]

T = TypeVar("T")
# Returns what each of some items is known by, in their order. One call for all of a page: to call
# something for each takes twice as long.
NamesOf = Callable[[Sequence[Any]], Sequence[str]]

_MOST_IN_SETS = 2**15
# With one more, a set takes 2 MiB instead of 512 KiB, and is empty for the most part: a second one
# is faster.
_MOST_IN_A_SET = 2**15 * 3 // 5
_SMALLEST = 2**8
# A table is not laid out in advance for more than this, whatever a server claims to hold.
_LARGEST_AT_ONCE = 2**21


class Fingerprints:
    """The names that a walk has yielded.

    Args:
        expected: How many names are likely to come.

    Attributes:
        count: How many names are known.
    """

    __slots__ = ("_sets", "_table", "count")

    def __init__(self, expected: int = 0) -> None:
        self.count: int = 0
        self._sets: list[set[str]] = [set()]
        self._table: array[int] | None = None
        if expected > _MOST_IN_SETS:
            self._table = _table_for(expected)

    def add_new(self, items: Sequence[T], names: Sequence[str]) -> Sequence[T]:
        """Remember the items' names and return the items whose names were not known.

        An item whose name is empty is always new: nothing tells it from another.

        Args:
            items: The items.
            names: Their names, in the same order.
        """
        if self._table is None:
            if self.count + len(items) <= _MOST_IN_SETS:
                return self._add_to_sets(items, names)
            self._table = _table_for(2 * _MOST_IN_SETS)
            for some in self._sets:
                for name in some:
                    _put(self._table, hash(name))
            self._sets.clear()
        while (self.count + len(items)) * 5 > len(self._table) * 4:
            self._table = _grown(self._table)
        table = self._table
        mask = len(table) - 1
        new: list[T] = []
        # The hash of no name is 0, which marks a free slot: it is new each time it comes.
        for fingerprint, item in zip(map(hash, names), items, strict=True):
            slot = fingerprint & mask
            while (known := table[slot]) and known != fingerprint:
                slot = (slot + 1) & mask
            if not known:
                table[slot] = fingerprint
                new.append(item)
        self.count += len(new) - names.count("")
        return new

    def _add_to_sets(self, items: Sequence[T], names: Sequence[str]) -> Sequence[T]:
        if len(self._sets[-1]) + len(items) > _MOST_IN_A_SET:
            self._sets.append(set())
        *full, known = self._sets
        before = len(known)
        new: Sequence[T] = items
        if known.isdisjoint(names) and all(each.isdisjoint(names) for each in full):
            known.update(names)
            if len(known) - before < len(items):
                new = _first_of_each(names, items, set(), [])
        else:
            new = _first_of_each(names, items, known, full)
        known.discard("")
        self.count += len(known) - before
        return new


def _first_of_each(
    names: Sequence[str], items: Sequence[T], known: set[str], full: Sequence[set[str]]
) -> list[T]:
    """Return the items that are not known, each once, and know them from now on."""
    new = []
    for name, item in zip(names, items, strict=True):
        if name not in known and not any(name in each for each in full):
            new.append(item)
            if name:
                known.add(name)
    return new


def _table_for(expected: int) -> "array[int]":
    slots = _SMALLEST
    while slots < _LARGEST_AT_ONCE and slots * 4 < expected * 5:
        slots *= 2
    return array("q", [0]) * slots


def _grown(old: "array[int]") -> "array[int]":
    table = array("q", [0]) * (len(old) * 2)
    for fingerprint in filter(None, old):
        _put(table, fingerprint)
    return table


def _put(table: "array[int]", fingerprint: int) -> None:
    """Put in what is not there yet."""
    mask = len(table) - 1
    slot = fingerprint & mask
    while table[slot]:
        slot = (slot + 1) & mask
    table[slot] = fingerprint
