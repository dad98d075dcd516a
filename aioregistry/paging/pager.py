"""Walking a list: the pager, its iterators, and reading ahead."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Generic, Protocol, TypeVar

from aioregistry.api.decoding import RawPage
from aioregistry.api.models import Page
from aioregistry.errors import ClientClosedError, NotFoundError, PartialListingError
from aioregistry.paging.closing import Closing
from aioregistry.paging.walks import PageRef, Walk

__all__ = ["ChainedPages", "ItemIterator", "ListPages", "PageIterator", "PageSource", "Pager"]

T = TypeVar("T")
U = TypeVar("U")

Fetch = Callable[[PageRef], Coroutine[Any, Any, RawPage[T]]]
Start = Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]


class PageSource(Protocol[T]):
    """Where an iterator's pages come from."""

    @property
    def found(self) -> int:
        """How many items there were so far."""

    @property
    def total(self) -> int | None:
        """How many the list counted last; None when it does not say."""

    @property
    def complete(self) -> bool:
        """Whether all was yielded, asked at the end."""

    async def next_page(self) -> Page[T] | None:
        """Return the next page; None at the end."""

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Stop reading ahead, and return the tasks that are ending."""


class ListPages(Generic[T]):
    """The pages of one list.

    How many pages are under way at once grows with every page that is consumed, and falls back to
    one when items go from the list meanwhile: what is read ahead there would be read in vain.

    Args:
        walk: Says which pages to ask for.
        fetch: Gets a page.
        start: Runs a coroutine as a task of the client's.
        concurrency: How many pages may be under way at once.
    """

    def __init__(self, walk: Walk[T], fetch: Fetch[T], start: Start, concurrency: int) -> None:
        self._walk = walk
        self._fetch = fetch
        self._start = start
        self._concurrency = concurrency
        self._window = 1
        self._under_way: deque[tuple[PageRef, asyncio.Task[RawPage[T]] | None]] = deque()

    @property
    def found(self) -> int:
        """How many items there were so far."""
        return self._walk.found

    @property
    def total(self) -> int | None:
        """How many the list counted last."""
        return self._walk.total

    @property
    def complete(self) -> bool:
        """Whether all was yielded, asked at the end."""
        return self._walk.complete

    def read_ahead(self) -> None:
        """Ask for the first page before it is wanted."""
        self._plan(1, as_tasks=True)

    async def next_page(self) -> Page[T] | None:
        """Return the next page; None at the end."""
        self._plan(self._window, as_tasks=self._window > 1)
        if not self._under_way:
            return None
        ref, task = self._under_way[0]
        try:
            if task is None:
                listing = await self._fetch(ref)
            elif task.done():
                listing = task.result()
            else:
                # Shielded: a caller that gives up waiting finds the page when it comes again.
                listing = await asyncio.shield(task)
        except NotFoundError:
            if self._walk.list_deleted():
                self.cancel()
                return None
            raise
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if task is not None and task.cancelled() and not (me and me.cancelling()):
                raise ClientClosedError("the client was closed during the walk") from None
            raise
        if not self._under_way:
            # Cancelled meanwhile.
            return None
        self._under_way.popleft()
        items, token = self._walk.receive(ref, listing)
        self._window = 1 if self._walk.moving else min(self._window * 2, self._concurrency)
        return Page(items, listing.total, ref.number, token)

    def _plan(self, window: int, *, as_tasks: bool) -> None:
        while len(self._under_way) < window and (ref := self._walk.plan()) is not None:
            task = self._start(self._fetch(ref)) if as_tasks else None
            self._under_way.append((ref, task))

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Stop reading ahead, and return the tasks that are ending."""
        tasks = [
            task
            for _, task in self._under_way
            if task is not None and not task.done() and not task.get_loop().is_closed()
        ]
        self._under_way.clear()
        for task in tasks:
            task.cancel()
        return tasks


class ChainedPages(Generic[U, T]):
    """The pages of many lists, one list after the other, the next ones read ahead.

    Args:
        outer: Walks over what has a list each.
        open_list: Returns the pages of one such list.
        concurrency: How many lists may be begun at once.
    """

    def __init__(
        self,
        outer: "PageIterator[U]",
        open_list: Callable[[U], ListPages[T]],
        concurrency: int,
    ) -> None:
        self._outer = outer
        self._items = ItemIterator(outer)
        self._open_list = open_list
        self._concurrency = concurrency
        self._window = 1
        self._lists: deque[ListPages[T]] = deque()
        self._lists_complete = True
        self._found_before = 0
        self._total_before: int | None = 0

    @property
    def found(self) -> int:
        """How many items there were so far."""
        return self._found_before + (self._lists[0].found if self._lists else 0)

    @property
    def total(self) -> int | None:
        """How many the lists up to here counted; None when one of them did not say."""
        return self._total_before

    @property
    def complete(self) -> bool:
        """Whether all was yielded, asked at the end."""
        return self._lists_complete and bool(self._outer.complete)

    async def next_page(self) -> Page[T] | None:
        """Return the next page; None at the end."""
        while True:
            await self._open_lists()
            if not self._lists:
                return None
            first = self._lists[0]
            try:
                page = await first.next_page()
            except NotFoundError:
                # Gone since it was listed, and with it what was left of its list.
                self._lists_complete &= not first.found
                page = None
            if page is not None:
                return page
            if not self._lists:
                return None
            self._lists.popleft()
            self._lists_complete &= first.complete or not first.found
            self._found_before += first.found
            if self._total_before is not None:
                self._total_before = (
                    None if first.total is None else self._total_before + first.total
                )
            self._window = min(self._window * 2, self._concurrency)

    async def _open_lists(self) -> None:
        while len(self._lists) < self._window:
            try:
                item = await anext(self._items)
            except StopAsyncIteration:
                return
            pages = self._open_list(item)
            if self._window > 1:
                pages.read_ahead()
            self._lists.append(pages)

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Stop reading ahead, and return the tasks that are ending."""
        tasks = [task for pages in self._lists for task in pages.cancel()]
        self._lists.clear()
        return [*tasks, *self._outer.cancel()]


class PageIterator(Closing, AsyncIterator[Page[T]]):
    """Yields the pages of a walk.

    Attributes:
        complete: None while the walk is under way. After its end: whether as many items were
            yielded as the list counts, and no position of the list was missed.
    """

    def __init__(self, source: PageSource[T]) -> None:
        self._source = source
        self._ended = False
        self._waiting = False
        self.complete: bool | None = None

    async def __anext__(self) -> Page[T]:
        if self._ended:
            raise StopAsyncIteration
        if self._waiting:
            raise RuntimeError("the iterator is already waiting for its next page")
        self._waiting = True
        try:
            page = await self._source.next_page()
        except asyncio.CancelledError:
            raise
        except BaseException:
            if self._ended:
                # Closed by another task while this one waited.
                raise StopAsyncIteration from None
            self._end(complete=False)
            raise
        finally:
            self._waiting = False
        if self._ended:
            raise StopAsyncIteration
        if page is None:
            self._end(complete=self._source.complete)
            raise StopAsyncIteration
        return page

    @property
    def found(self) -> int:
        """How many items there were so far."""
        return self._source.found

    @property
    def total(self) -> int | None:
        """How many items the list counted last; None when it does not say."""
        return self._source.total

    def _end(self, *, complete: bool) -> None:
        if not self._ended:
            self._ended = True
            self.complete = complete
        # Somebody may hold on to this, in an exception's frames even, and want no more of it.
        self.cancel()

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Stop reading ahead, and return the tasks that are ending."""
        return self._source.cancel()

    async def aclose(self) -> None:
        """End the walk: cancel what is read ahead. The iterator yields nothing more."""
        ending = self.cancel()
        self._end(complete=False)
        await asyncio.gather(*ending, return_exceptions=True)

    def __del__(self) -> None:
        # After a `break` nobody may be left to close it; what it reads ahead must end with it.
        self._source.cancel()


class ItemIterator(Closing, AsyncIterator[T]):
    """Yields the items of a walk, one by one."""

    def __init__(self, pages: PageIterator[T]) -> None:
        self._pages = pages
        self._items: Iterator[T] = iter(())

    async def __anext__(self) -> T:
        while True:
            for item in self._items:
                return item
            self._items = iter((await anext(self._pages)).items)

    @property
    def complete(self) -> bool | None:
        """See `PageIterator.complete`."""
        return self._pages.complete

    @property
    def found(self) -> int:
        """See `PageIterator.found`."""
        return self._pages.found

    @property
    def total(self) -> int | None:
        """See `PageIterator.total`."""
        return self._pages.total

    async def aclose(self) -> None:
        """End the walk: cancel what is read ahead. The iterator yields nothing more."""
        self._items = iter(())
        await self._pages.aclose()


class Pager(Generic[T]):
    """A listing to walk: a description, from which each iteration begins a walk of its own.

    ``async for item in pager`` yields every item once. The walk asks for the next page only when
    the one before is used up, reads further ahead the longer it goes on, and sends nothing more
    after a ``break``.
    """

    def __init__(self, open_pages: Callable[[int], PageSource[T]], per_page: int) -> None:
        self._open_pages = open_pages
        self._per_page = per_page

    def __aiter__(self) -> ItemIterator[T]:
        return ItemIterator(self.pages())

    def pages(self) -> PageIterator[T]:
        """Return an iterator over the pages, for a walk of its own."""
        return PageIterator(self._open_pages(self._per_page))

    async def collect(self, limit: int | None = None, *, require_complete: bool = False) -> list[T]:
        """Return the items as a list.

        Args:
            limit: How many at most; None for all.
            require_complete: Raise when the walk ends without all that the API counts.

        Raises:
            PartialListingError: `require_complete`, and items are missing.
            RegistryError: A page could not be had.
        """
        if limit is not None and limit < 1:
            if limit == 0:
                return []
            raise ValueError(f"limit must not be negative: {limit}")
        per_page = self._per_page if limit is None else min(limit, self._per_page)
        items: list[T] = []
        async with PageIterator(self._open_pages(per_page)) as pages:
            async for page in pages:
                items += page.items
                if limit is not None and len(items) >= limit:
                    return items[:limit]
        if require_complete and not pages.complete:
            raise PartialListingError(
                f"the walk found {pages.found} items, the API counts {pages.total}; "
                "the list moved or is inconsistent: try again",
                found=pages.found,
                total=pages.total,
            )
        return items

    async def first(self) -> T | None:
        """Return the first item in the server's order, or None when there is none.

        One request for a page of one item.

        Raises:
            RegistryError: The page could not be had.
        """
        async with ItemIterator(PageIterator(self._open_pages(1))) as items:
            return await anext(items, None)
