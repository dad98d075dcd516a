"""Which page a walk asks for next, and what an answer means for it: pure decisions.

Page numbers are windows on a list that moves. When items go, what follows moves to the left, and
an item can slip over the edge between a page already read and the next one: onto the page already
read. `NumberWalk` therefore keeps book of the positions whose items it has seen. When the total
falls by d, an item may have moved to the left by up to d, so every stretch that is known to be
seen loses its last d positions; when the total rises by d, it loses its first d, unless it begins
the list. What is then not covered is read again.

Of pages that are asked for at the same time, nobody knows in which order the server saw them. While
the total stays the same the order makes no difference. Once it differs, none of the pages whose
order is unknown counts as seen, and the walk asks for one page at a time until it knows again where
it is. So a list that holds still costs nothing more, and one that moves the pages that were under
way.
"""

from collections import deque
from typing import Generic, NamedTuple, Protocol, TypeVar

from attrs import evolve

from aioregistry.api.decoding import RawPage
from aioregistry.errors import InvalidResponseError
from aioregistry.paging.coverage import Coverage
from aioregistry.paging.fingerprints import Fingerprints, NamesOf
from aioregistry.paging.links import Link

__all__ = ["NumberWalk", "PageRef", "TokenWalk", "Walk"]

T = TypeVar("T")

_PASSES = 3
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


class _Pass(Generic[T]):
    """What has been found, and how much there should be."""

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
        return self.total is not None and self.found < self.total

    @property
    def _proven(self) -> bool:
        """Whether there are as many items as the list counts, or its end was shown."""
        return self._end_shown if self.total is None else self.found >= self.total


def _believable(page: RawPage[T]) -> RawPage[T]:
    """Return a page without its total where that is below the number of its own items."""
    if page.total is not None and page.total < len(page.items):
        return evolve(page, total=None)
    return page


class NumberWalk(_Pass[T]):
    """A walk by page numbers.

    It reads forward, and reads again what may have slipped. When it ends with fewer items than
    the list counts, it begins again, up to three times in all, and stops as soon as none is
    missing.

    Args:
        names_of: Returns what each of some items is known by, in their order.
        per_page: How many items a page is asked to have.
    """

    def __init__(self, names_of: NamesOf, per_page: int) -> None:
        super().__init__(names_of)
        self._per_page = per_page
        self._size = 0  # what the server grants; 0 until its first answer
        self._seen = Coverage()
        self._planned = 0  # the last page planned on the way forward
        self._read = 0  # the last page read on the way forward
        # The last page there is, as far as is known. The first answer tells how large pages are,
        # and so what can be asked for beside it.
        self._last = 1
        # Pages under way in the order in which they were planned, each with the number of answers
        # by then: the server may have seen it before or after any later one.
        self._under_way: dict[int, int] = {}
        # The answers that one under way may have come before, and their totals.
        self._recent: deque[tuple[int, int | None]] = deque()
        # The totals of answers in an unknown order, from the first change to the last of them.
        self._unordered: list[int] = []
        self._reread_before = False
        self._covered_before = False
        self._ended = False
        self.moving: bool = False

    @property
    def complete(self) -> bool:
        """See `Walk.complete`."""
        return self._proven and (self._covered_before or not self._gaps())

    def _gaps(self) -> list[tuple[int, int]]:
        return self._seen.gaps(self._read * self._size)

    def plan(self) -> PageRef | None:
        """See `Walk.plan`."""
        if self._ended or (self._under_way and (self._unordered or not self._seen.certain)):
            return None
        forward = self._planned < self._last
        if not (forward and self._reread_before) and (number := self._page_with_gap()):
            # Never two of them in a row: reading again alone would not end while items go.
            self._reread_before = True
        elif forward:
            self._reread_before = False
            self._planned = number = self._planned + 1
        elif not self._under_way and self._begin_again():
            return self.plan()
        else:
            return None
        self._under_way[number] = self.answers
        return PageRef(number)

    def _pages(self, items: int) -> int:
        return -(-items // self._size)

    def _page_with_gap(self) -> int | None:
        # Somebody who removes things all the time must not keep a walk going for ever.
        if self._read == 0 or self.answers >= _PASSES * (self._pages(self.highest_total) + 1):
            return None
        for start, end in self._gaps():
            for number in range(start // self._size + 1, (end - 1) // self._size + 2):
                if number not in self._under_way:
                    return number
        return None

    def _begin_again(self) -> bool:
        if not self.answers or not self.short or self.passes == _PASSES or self._gaps():
            return False
        self.begin_pass()
        self._covered_before = True
        self._planned = self._read = 0
        self._seen = Coverage()
        return True

    def receive(self, ref: PageRef, page: RawPage[T]) -> tuple[tuple[T, ...], str | None]:
        """See `Walk.receive`."""
        page = _believable(page)
        answers_when_planned = self._under_way.pop(ref.number, self.answers)
        following = Link.parse(page.next_link)
        if not self._size:
            self._size = self._granted(page, following)
        new = self.take(page)
        self._cover(ref.number, page.total, answers_when_planned)
        if ref.number == self._read + 1:
            self._read = ref.number
            self._look_ahead(ref.number, page, following, any_new=bool(new))
        else:
            # What was pushed since may have moved the end to another page.
            self._last = max(self._last, self._pages(self.total or 0))
        if self.passes > 1 and not self.short:
            self._ended = True
        return new, following.token if following else None

    def _cover(self, number: int, total: int | None, answers_when_planned: int) -> None:
        """Count a page's positions as seen; or not, while the order of the answers is unknown."""
        overlapping = self.answers - 1 - answers_when_planned
        if self._unordered:
            if total is not None:
                self._unordered.append(total)
        elif total is not None and (overlapping or self._under_way) and self._seen.differs(total):
            self._distrust(overlapping)
            self._unordered.append(total)
        else:
            self.moving = total is not None and self._seen.observe(total) > 0
            self._seen.add((number - 1) * self._size, number * self._size)
            self._recent.append((number, total))
            oldest = next(iter(self._under_way.values()), self.answers)
            while len(self._recent) > self.answers - oldest:
                self._recent.popleft()
            return
        self.moving = True
        if not self._under_way:
            self._seen.observe_unordered(self._unordered)
            self._unordered = []
            self._recent.clear()

    def _distrust(self, count: int) -> None:
        """Count the positions of the last pages as not seen: a change may have come before them."""
        for number, total in [*self._recent][len(self._recent) - count :]:
            self._seen.remove((number - 1) * self._size, number * self._size)
            if total is not None:
                self._unordered.append(total)

    def _look_ahead(
        self, number: int, page: RawPage[T], following: Link | None, *, any_new: bool
    ) -> None:
        last = self._pages(self.total or 0)
        if following is None:
            if self.total is None:
                end = Link.parse(page.last_link)
                last = (end and end.page) or 0
                if self._end_unshown(page, any_new=any_new):
                    last = number + 1
            # An empty page without a next link is past the end, whatever the total says.
            self._last = last if page.items else number
            return
        self._links_seen = True
        if following.page is None or following.page > number:
            last = max(last, number + 1)
        elif self.total is None or last > number:
            raise InvalidResponseError(f"page {number} names page {following.page} as its next")
        end = Link.parse(page.last_link) if self.total is None else None
        self._last = max(last, (end and end.page) or 0)

    def _granted(self, page: RawPage[T], following: Link | None) -> int:
        """Return the page size that the server grants: it may clamp what it was asked."""
        count = len(page.items)
        if count >= self._per_page:
            return count
        end = Link.parse(page.last_link)
        stated = (following and following.per_page) or (end and end.per_page)
        if stated and stated < self._per_page:
            return max(stated, count)
        if end and end.page == -(-(page.total or 0) // self._per_page):
            # It grants what it was asked; the page is short of an item.
            return self._per_page
        return count or self._per_page

    def list_deleted(self) -> bool:
        """See `Walk.list_deleted`."""
        gone = super().list_deleted()
        if gone:
            self._seen.observe(0)
        return gone


class TokenWalk(_Pass[T]):
    """A walk by page tokens, one page after the other; by number where a token is missing.

    A token holds its place in a list that moves. Where a page was reached by its number while
    items went, and where items are missing in the end, the walk begins again, up to three times
    in all.

    Args:
        names_of: Returns what each of some items is known by, in their order.
    """

    def __init__(self, names_of: NamesOf) -> None:
        super().__init__(names_of)
        self._next: PageRef | None = PageRef(1)
        self._tokens: set[str] = set()
        self._slipped = False
        self._whole_pass = True
        self.moving = False

    @property
    def complete(self) -> bool:
        """See `Walk.complete`."""
        return self._proven and not self._slipped

    def plan(self) -> PageRef | None:
        """See `Walk.plan`."""
        ref, self._next = self._next, None
        return ref

    def receive(self, ref: PageRef, page: RawPage[T]) -> tuple[tuple[T, ...], str | None]:
        """See `Walk.receive`."""
        page = _believable(page)
        before = self.total
        new = self.take(page)
        fell = before is not None and self.total is not None and self.total < before
        self._slipped |= fell and ref.token is None and ref.number > 1
        following = Link.parse(page.next_link)
        if not self._whole_pass and not self.short:
            self._next = None
        elif following is not None:
            self._links_seen = True
            self._next = self._follow(ref, following)
        elif self._end_unshown(page, any_new=bool(new)):
            self._next = PageRef(ref.number + 1)
        elif (self.short or self._slipped) and self.passes < _PASSES:
            self.begin_pass()
            # What was missing may turn up at once; what slipped, anywhere.
            self._whole_pass = self._slipped
            self._slipped = False
            self._tokens.clear()
            self._next = PageRef(1)
        return new, following.token if following else None

    def _follow(self, ref: PageRef, following: Link) -> PageRef:
        if following.token is not None:
            if following.token in self._tokens:
                raise InvalidResponseError("a page token came twice: the pages lead in a circle")
            self._tokens.add(following.token)
            return PageRef(ref.number + 1, following.token)
        if following.page is None:
            raise InvalidResponseError("a next link with neither a page token nor a page")
        if following.page <= ref.number:
            raise InvalidResponseError(f"page {ref.number} names page {following.page} as its next")
        return PageRef(following.page)
