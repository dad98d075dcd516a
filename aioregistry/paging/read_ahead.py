"""Reading ahead: the pages of a list, and of many lists, asked for before they are wanted."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from aioregistry.api.decoding import RawPage
from aioregistry.api.models import Page
from aioregistry.errors import ClientClosedError, NotFoundError
from aioregistry.paging.pager import ItemIterator, PageIterator
from aioregistry.paging.walks import PageRef, Walk

__all__ = ["ChainedPages", "Fetch", "ListPages"]

T = TypeVar("T")
U = TypeVar("U")

# What a page is read with decodes it: one that is read ahead waits as it came, which takes less
# memory, and less time for Python's garbage collection.
Fetch = Callable[[PageRef], Coroutine[Any, Any, Callable[[], RawPage[T]]]]
Start = Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]


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
        self._under_way: deque[tuple[PageRef, asyncio.Task[Callable[[], RawPage[T]]] | None]] = (
            deque()
        )

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
                answer = await self._fetch(ref)
            else:
                if not task.done():
                    # A caller that gives up waiting finds the page when it comes again. Of what
                    # is shielded instead, newer Pythons would log an error that nobody waits for.
                    await asyncio.wait((task,))
                answer = task.result()
        except NotFoundError as error:
            if error.is_certain and self._walk.list_deleted():
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
        listing = answer()
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
        self._lists: deque[tuple[U, ListPages[T], bool]] = deque()
        self._lists_complete = True
        self._found_before = 0
        self._total_before: int | None = 0

    @property
    def found(self) -> int:
        """How many items there were so far."""
        return self._found_before + (self._lists[0][1].found if self._lists else 0)

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
            item, first, asked_before = self._lists[0]
            try:
                page = await first.next_page()
                complete = first.complete
            except NotFoundError as error:
                if not error.is_certain:
                    raise
                if not (asked_before or first.found):
                    # One passing 404 is no proof that the list was deleted since.
                    self._lists[0] = (item, self._open_list(item), True)
                    continue
                page = None
                # Items that were found were there, and so may others have been.
                complete = not first.found
            if page is not None:
                return page
            if not self._lists:
                return None
            self._lists.popleft()
            self._lists_complete &= complete
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
            self._lists.append((item, pages, False))

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Stop reading ahead, and return the tasks that are ending."""
        tasks = [task for _, pages, _ in self._lists for task in pages.cancel()]
        self._lists.clear()
        return [*tasks, *self._outer.cancel()]
