"""Long lists in a fixed order, cheap to slice and to change anywhere; lists as they were."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

import attrs

T = TypeVar("T")

# A block is split when it is this long: moving half a block's pointers costs less than a
# microsecond, and a million items still make only some thousand blocks.
_BLOCK = 1024


class Listing(Generic[T]):
    """Items sorted by a key, kept in blocks: any page and any change costs O(log n + block)."""

    __slots__ = ("_blocks", "_ends", "_firsts", "_key")

    def __init__(self, key: Callable[[T], Any]) -> None:
        """Start empty.

        Args:
            key: Gives the sort key of an item, unique and unchanging while the item is listed.
        """
        self._key = key
        self._blocks: list[list[T]] = []
        self._firsts: list[Any] = []
        self._ends: list[int] | None = []

    def __len__(self) -> int:
        return self._positions()[-1] if self._blocks else 0

    def __iter__(self) -> Iterator[T]:
        for block in self._blocks:
            yield from block

    def add(self, item: T) -> None:
        """Put an item in its place."""
        key = self._key(item)
        self._ends = None
        if not self._blocks:
            self._blocks.append([item])
            self._firsts.append(key)
            return
        if key < self._firsts[0]:
            # What is newest comes first, and most items are the newest when they come.
            index = place = 0
            self._firsts[0] = key
        else:
            index = bisect_right(self._firsts, key) - 1
            place = bisect_left(self._blocks[index], key, key=self._key)
        block = self._blocks[index]
        block.insert(place, item)
        if len(block) > _BLOCK:
            self._split(index)

    def remove(self, item: T) -> None:
        """Take an item out.

        Raises:
            ValueError: It is not listed.
        """
        key = self._key(item)
        index = bisect_right(self._firsts, key) - 1
        block = self._blocks[index] if index >= 0 else []
        place = bisect_left(block, key, key=self._key)
        if place == len(block) or self._key(block[place]) != key:
            raise ValueError("the item is not listed")
        self._ends = None
        del block[place]
        if not block:
            del self._blocks[index], self._firsts[index]
        elif place == 0:
            self._firsts[index] = self._key(block[0])

    def slice(self, start: int, count: int) -> list[T]:
        """The items at the positions ``start`` to ``start + count``, as far as there are any."""
        found: list[T] = []
        ends = self._positions()
        index = bisect_right(ends, start)
        offset = start - (ends[index - 1] if index else 0)
        while index < len(self._blocks) and len(found) < count:
            found += self._blocks[index][offset : offset + count - len(found)]
            index, offset = index + 1, 0
        return found

    def first(self) -> T | None:
        """The first item, or None."""
        return self._blocks[0][0] if self._blocks else None

    def _positions(self) -> list[int]:
        """The position after each block, counted anew after a change."""
        if self._ends is None:
            self._ends = list(accumulate(map(len, self._blocks)))
        return self._ends

    def _split(self, index: int) -> None:
        block = self._blocks[index]
        tail = block[_BLOCK // 2 :]
        del block[_BLOCK // 2 :]
        self._blocks.insert(index + 1, tail)
        self._firsts.insert(index + 1, self._key(tail[0]))


@attrs.define(eq=False)
class Lag:
    """What each list was when it was made last, by any key."""

    _made: dict[Hashable, tuple[float, Sequence[str]]] = attrs.field(factory=dict, init=False)

    def listed(
        self, key: Hashable, now: float, seconds: float, make: Callable[[], Sequence[str]]
    ) -> Sequence[str]:
        """Return a list as it was at most so many seconds ago.

        Args:
            key: Which list.
            now: Unix seconds.
            seconds: How old it may be.
            make: Makes it as it is now.
        """
        at, items = self._made.get(key, (now - seconds, ()))
        if now - at >= seconds:
            items = make()
            self._made[key] = (now, items)
        return items
