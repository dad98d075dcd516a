"""What a walk is, and what walks by number and by token have in common: pure decisions."""

from typing import Generic, NamedTuple, Protocol, TypeVar

from attrs import evolve

from aioregistry.api.decoding import RawPage
from aioregistry.errors import InvalidResponseError
from aioregistry.paging.fingerprints import Fingerprints, NamesOf

__all__ = ["MAX_PASSES", "BaseWalk", "PageRef", "Walk", "believable"]

T = TypeVar("T")

MAX_PASSES = 3
# So many pages in a row without one new item are a server that goes in circles.
_MAX_PAGES_WITHOUT_NEWS = 100


class PageRef(NamedTuple):
    """The page to ask for: by token where there is one, else by number."""

    number: int
    token: str | None = None


class Walk(Protocol[T]):
    """A walk over a list, one way or the other.

    Attributes:
        found: How many items there were so far.
        total: How many the list counted last; None when it does not say.
        answers: How many pages were received.
        moving: Whether the last one showed that reading ahead is in vain: items go while the walk
            is under way, or the order of the pages under way is not known.
    """

    found: int
    total: int | None
    answers: int
    moving: bool

    @property
    def complete(self) -> bool:
        """Whether, as the walk stands, it has yielded all that it was to yield."""

    def plan(self) -> PageRef | None:
        """Return a page to ask for beside those under way; None when there is none now.

        None with nothing under way is the end.
        """

    def receive(self, ref: PageRef, page: RawPage[T]) -> tuple[tuple[T, ...], str | None]:
        """Take in an answer, in the order in which pages were planned.

        Returns:
            The items that are new, and the token of the page that follows, if it has one.

        Raises:
            InvalidResponseError: The pages lead in a circle.
        """

    def list_deleted(self) -> bool:
        """Note that the list was deleted, and return whether all of it was read before."""


class BaseWalk(Generic[T]):
    """What both kinds of walk have in common: what was found, and how much there should be."""

    def __init__(self, names_of: NamesOf) -> None:
        self._names_of = names_of
        self._known: Fingerprints | None = None
        self.found: int = 0
        self.answers: int = 0
        self.passes: int = 1
        self.total: int | None = None
        self.highest_total: int = 0
        self._pages_without_news = 0
        self._first_pass = 0  # how many pages it had, once it is over
        self._links_seen = False
        self._end_shown = False

    def take(self, page: RawPage[T]) -> tuple[T, ...]:
        """Count an answer, and return its items that are new."""
        self.answers += 1
        if page.total is not None:
            self.total = page.total
            self.highest_total = max(self.highest_total, page.total)
        if self._known is None:
            self._known = Fingerprints(self.total or 0)
        known_before = self._known.count
        new = self._known.add_new(page.items, self._names_of(page.items))
        self.found += len(new)
        # A pass after the first has read all the pages before, and need not find anything there.
        without = self._pages_without_news + 1 if self._known.count == known_before else 0
        if without > _MAX_PAGES_WITHOUT_NEWS + self._first_pass:
            raise InvalidResponseError(f"{without} pages in a row held nothing new")
        self._pages_without_news = without
        return tuple(new)

    def _end_unshown(self, page: RawPage[T], *, any_new: bool) -> bool:
        """Return whether a page without a next link may still have another page after it.

        A list that counts has its total, and one that links its pages ends with one that has no
        next link. Where neither is the case, only an empty page is an end.
        """
        self._links_seen |= page.last_link is not None
        if self.total is not None or self._links_seen or not page.items:
            self._end_shown = True
            return False
        # Whoever answers each page with the same items has no further one to give.
        return any_new

    def begin_pass(self) -> None:
        """Begin to read the list once more."""
        if self.passes == 1:
            self._first_pass = self.answers
        self.passes += 1
        self._pages_without_news = 0

    def list_deleted(self) -> bool:
        """See `Walk.list_deleted`."""
        if self.total is None or self.found < self.highest_total:
            return False
        self.total = 0
        return True

    @property
    def short(self) -> bool:
        """Whether fewer items were found than the list counts."""
        return self.total is not None and self.found < self.total

    @property
    def _proven(self) -> bool:
        """Whether there are as many items as the list counts, or its end was shown."""
        return self._end_shown if self.total is None else self.found >= self.total


def believable(page: RawPage[T]) -> RawPage[T]:
    """Return a page without its total where that is below the number of its own items."""
    if page.total is not None and page.total < len(page.items):
        return evolve(page, total=None)
    return page
