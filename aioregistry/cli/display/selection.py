"""Which items of a list are shown, and in which order; pure."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from heapq import nsmallest
from typing import Any, Generic, Self, TypeVar

from attrs import frozen

from aioregistry.cleanup.policy.durations import parse_duration
from aioregistry.cleanup.policy.patterns import Glob, Pattern, Regex
from aioregistry.cli.display.text import parse_size
from aioregistry.cli.options import Filters, Order

__all__ = ["Facts", "Selection"]

T = TypeVar("T")
_NEVER = datetime.min.replace(tzinfo=UTC)


@frozen
class Facts(Generic[T]):
    """What of an item is filtered and sorted by.

    Attributes:
        names: Its names; one that matches is enough.
        updated: When it was updated.
        size: Its compressed size in bytes.
        untagged: Whether it has no tags.
    """

    names: Callable[[T], tuple[str, ...]]
    updated: Callable[[T], datetime | None]
    size: Callable[[T], int | None]
    untagged: Callable[[T], bool] | None = None


@frozen
class Selection:
    """What is wanted of a list.

    Attributes:
        patterns: What a name must match, each of them.
        until: What was updated later is left out.
        since: What was updated earlier is left out.
        larger_than: What has no more bytes than this is left out.
        untagged: Whether what has tags is left out.
        sort: What is sorted by.
        reverse: Whether the order is turned round.
        limit: How many at most.
    """

    patterns: tuple[Pattern, ...] = ()
    until: datetime | None = None
    since: datetime | None = None
    larger_than: int | None = None
    untagged: bool = False
    sort: Order | None = None
    reverse: bool = False
    limit: int | None = None

    @classmethod
    def of(cls, filters: Filters, now: datetime) -> Self:
        """Return what options say.

        Raises:
            ValueError: They make no sense.
            ModuleNotFoundError: They need a package that is missing.
        """
        if filters.reverse and filters.sort is None:
            raise ValueError("--reverse needs --sort")
        patterns: list[Pattern] = []
        if filters.match is not None:
            patterns.append(Glob(filters.match))
        if filters.regex is not None:
            patterns.append(Regex(filters.regex))
        size = filters.larger_than
        return cls(
            tuple(patterns),
            _ago(filters.older_than, now),
            _ago(filters.newer_than, now),
            None if size is None else parse_size(size),
            filters.untagged,
            filters.sort,
            filters.reverse,
            filters.limit,
        )

    def of_page(self, items: Iterable[T], facts: Facts[T]) -> list[T]:
        """Return the items that are wanted, in the order in which they come."""
        return [item for item in items if self._wants(item, facts)]

    def in_order(self, items: Iterable[T], facts: Facts[T]) -> list[T]:
        """Return items in the order that is wanted, no more than are wanted."""
        key = self._key(facts)
        if self.reverse:
            ordered = sorted(items, key=key, reverse=True)
            return ordered if self.limit is None else ordered[: self.limit]
        if self.limit is not None:
            return nsmallest(self.limit, items, key=key)
        return sorted(items, key=key)

    def _wants(self, item: T, facts: Facts[T]) -> bool:
        for pattern in self.patterns:
            if not any(map(pattern.matches, facts.names(item))):
                return False
        if self.untagged and not (facts.untagged is not None and facts.untagged(item)):
            return False
        if self.larger_than is not None and (facts.size(item) or 0) <= self.larger_than:
            return False
        if self.until is None and self.since is None:
            return True
        updated = facts.updated(item)
        return (
            updated is not None
            and (self.until is None or updated <= self.until)
            and (self.since is None or updated >= self.since)
        )

    def _key(self, facts: Facts[T]) -> Callable[[T], Any]:
        if self.sort is Order.SIZE:
            return lambda item: -(facts.size(item) or 0)
        if self.sort is Order.UPDATED:
            return lambda item: _NEVER - (facts.updated(item) or _NEVER)
        return facts.names


def _ago(length: str | None, now: datetime) -> datetime | None:
    if length is None:
        return None
    try:
        return now - parse_duration(length)
    except OverflowError:
        return _NEVER
