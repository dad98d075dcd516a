"""A walk by page numbers: which page comes next, and what an answer means. Pure decisions.

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
from typing import TypeVar

from aioregistry.api.decoding import RawPage
from aioregistry.errors import InvalidResponseError
from aioregistry.paging.coverage import Coverage
from aioregistry.paging.fingerprints import NamesOf
from aioregistry.paging.links import Link
from aioregistry.paging.walks import MAX_PASSES, BaseWalk, PageRef, believable

__all__ = ["NumberWalk"]

T = TypeVar("T")


class NumberWalk(BaseWalk[T]):
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
        if self._read == 0 or self.answers >= MAX_PASSES * (self._pages(self.highest_total) + 1):
            return None
        for start, end in self._gaps():
            for number in range(start // self._size + 1, (end - 1) // self._size + 2):
                if number not in self._under_way:
                    return number
        return None

    def _begin_again(self) -> bool:
        if not self.answers or not self.short or self.passes == MAX_PASSES or self._gaps():
            return False
        self.begin_pass()
        self._covered_before = True
        self._planned = self._read = 0
        self._seen = Coverage()
        return True

    def receive(self, ref: PageRef, page: RawPage[T]) -> tuple[tuple[T, ...], str | None]:
        """See `Walk.receive`."""
        page = believable(page)
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
