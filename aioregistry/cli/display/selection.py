"""Which items of a list are shown, and in which order: pure decisions."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from attrs import evolve, frozen

from aioregistry.cli.display.text import parse_size
from aioregistry.cli.errors import UsageError
from aioregistry.cli.options import Filters, Order

if TYPE_CHECKING:
    from aioregistry.cleanup.policy.patterns import Pattern

__all__ = ["Facts", "Selection"]

T = TypeVar("T")
_NEVER = datetime.min.replace(tzinfo=UTC)


@frozen
class Facts(Generic[T]):
    """The values of an item that filters and orders compare.

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
    """Which items of a list are shown, and in which order.

    Attributes:
        patterns: Patterns that one of an item's names must match, each of them.
        until: Items updated later are hidden.
        since: Items updated earlier are hidden.
        larger_than: Items of this many bytes or fewer are hidden.
        untagged: Whether tagged items are hidden.
        sort: The order; None means the API's.
        reverse: Whether the order is reversed.
        limit: The most items to show; None means all.
    """

    patterns: "tuple[Pattern, ...]" = ()
    until: datetime | None = None
    since: datetime | None = None
    larger_than: int | None = None
    untagged: bool = False
    sort: Order | None = None
    reverse: bool = False
    limit: int | None = None

    @classmethod
    def of(cls, filters: Filters, now: datetime) -> Self:
        """Read the options that filter and sort.

        Args:
            filters: The options.
            now: The time that ages count from.

        Raises:
            UsageError: An option is invalid, or needs a package that is not installed.
        """
        if filters.reverse and filters.sort is None:
            raise UsageError("--reverse needs --sort")
        try:
            patterns = tuple(_patterns(filters))
            with _wrong("--larger-than"):
                size = None if filters.larger_than is None else parse_size(filters.larger_than)
            with _wrong("--older-than"):
                until = _ago(filters.older_than, now)
            with _wrong("--newer-than"):
                since = _ago(filters.newer_than, now)
        except ModuleNotFoundError as error:
            raise UsageError(str(error)) from None
        return cls(
            patterns,
            until,
            since,
            size,
            filters.untagged,
            filters.sort,
            filters.reverse,
            filters.limit,
        )

    def by_clock(self, ahead: timedelta) -> Self:
        """Return it with ages that are counted by a clock which is so much earlier."""
        return evolve(self, until=_before(self.until, ahead), since=_before(self.since, ahead))

    def of_page(self, items: Iterable[T], facts: Facts[T]) -> list[T]:
        """Return the items to show, in their given order."""
        return [item for item in items if self._wants(item, facts)]

    def in_order(self, items: Iterable[T], facts: Facts[T]) -> list[T]:
        """Return items sorted, at most `limit` of them."""
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


# Most lists are not filtered, and loading the clean-up takes longer than to show their first page.


def _patterns(filters: Filters) -> "Iterator[Pattern]":
    if filters.match is None and filters.regex is None:
        return
    from aioregistry.cleanup.policy.patterns import Glob, Regex

    if filters.match is not None:
        with _wrong("--match"):
            yield Glob(filters.match)
    if filters.regex is not None:
        with _wrong("--regex"):
            yield Regex(filters.regex)


@contextmanager
def _wrong(option: str) -> "Iterator[None]":
    """Name the option whose value is wrong."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _ago(length: str | None, now: datetime) -> datetime | None:
    if length is None:
        return None
    from aioregistry.cleanup.policy.durations import parse_duration

    return _before(now, parse_duration(length))


def _before(time: datetime | None, by: timedelta) -> datetime | None:
    try:
        return None if time is None else time - by
    except OverflowError:
        return _NEVER
