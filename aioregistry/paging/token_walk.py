"""A walk by page tokens: which page comes next, and what an answer means. Pure decisions."""

from typing import TypeVar

from aioregistry.api.decoding import RawPage
from aioregistry.errors import InvalidResponseError
from aioregistry.paging.fingerprints import NamesOf
from aioregistry.paging.links import Link
from aioregistry.paging.walks import MAX_PASSES, BaseWalk, PageRef, believable

__all__ = ["TokenWalk"]

T = TypeVar("T")


class TokenWalk(BaseWalk[T]):
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
        page = believable(page)
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
        elif (self.short or self._slipped) and self.passes < MAX_PASSES:
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
