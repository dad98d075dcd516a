"""Walks as users see them: the pager, and its iterators over pages and items."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from aioregistry.api.decoding import RawPage
from aioregistry.api.models import Page
from aioregistry.errors import PartialListingError

__all__ = [
    "ClosingIterator",
    "ItemIterator",
    "KnownPages",
    "PageIterator",
    "PageSource",
    "Pager",
]

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


class ClosingIterator(AbstractAsyncContextManager[Any, None], AsyncIterator[T_co]):
    """An async iterator that ends by ``aclose``, or with an ``async with`` block."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @abstractmethod
    async def aclose(self) -> None:
        """End the work that is under way. The iterator yields nothing more."""


class PageSource(Protocol[T_co]):
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

    async def next_page(self) -> Page[T_co] | None:
        """Return the next page; None at the end."""

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Stop reading ahead, and return the tasks that are ending."""


class KnownPages(Protocol):
    """The pages of a numbered list that are known from before; those that are read are kept."""

    async def page(
        self, number: int, per_page: int, read: Callable[[], Awaitable[RawPage[Any]]]
    ) -> RawPage[Any]:
        """Return a page.

        Args:
            number: Its number, from 1.
            per_page: How many items a page is asked to have.
            read: Reads it, if it is not known.
        """


class PageIterator(ClosingIterator[Page[T_co]]):
    """Yields the pages of a walk.

    Example:
        ```python
        async with repo.tags().pages() as pages:
            async for page in pages:
                print(page.number, len(page.items), page.total)
        print(pages.complete)
        ```

    Attributes:
        complete: None while the walk is under way. After its end: whether as many items were
            yielded as the list counts, and no position of the list was missed. Of a list that the
            API does not count, True needs its end to have been shown.
    """

    def __init__(self, source: PageSource[T_co]) -> None:
        self._source = source
        self._ended = False
        self._waiting = False
        self.complete: bool | None = None

    async def __anext__(self) -> Page[T_co]:
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


class ItemIterator(ClosingIterator[T_co]):
    """Yields the items of a walk, one by one.

    Example:
        ```python
        walk = aiter(repo.tags())
        async for tag in walk:
            print(tag.tag)
        print(walk.complete, walk.found, walk.total)
        ```
    """

    def __init__(self, pages: PageIterator[T_co]) -> None:
        self._pages = pages
        self._items: Iterator[T_co] = iter(())

    async def __anext__(self) -> T_co:
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


class Pager(Generic[T_co]):
    """A list to walk: a description, from which each iteration begins a walk of its own.

    ``async for item in pager`` yields every item once. The walk asks for the next page only when
    the one before is used up, reads further ahead the longer it lasts, and sends nothing more
    after a ``break``.

    Example:
        ```python
        async for tag in repo.tags():
            print(tag.tag)
        tags = await repo.tags().collect(require_complete=True)
        ```
    """

    def __init__(
        self,
        open_pages: Callable[[int], PageSource[T_co]],
        per_page: int,
        path: str = "",
        open_known: Callable[[int, KnownPages], PageSource[T_co]] | None = None,
        with_decoder: "Callable[[Callable[[bytes], RawPage[Any]]], Pager[Any]] | None" = None,
    ) -> None:
        self._open_pages = open_pages
        self._per_page = per_page
        self._path = path
        self._open_known = open_known
        self._with_decoder = with_decoder

    def __repr__(self) -> str:
        return f"<Pager of {self._path}>" if self._path else "<Pager>"

    def __aiter__(self) -> ItemIterator[T_co]:
        return ItemIterator(self.pages())

    def pages(self) -> PageIterator[T_co]:
        """Return an iterator over the pages, for a walk of its own.

        Nothing is sent before its first step.
        """
        return PageIterator(self._open_pages(self._per_page))

    def through(self, known: KnownPages) -> "Pager[T_co]":
        """Return a pager over the same list that asks only for pages that are not known.

        Args:
            known: The pages that are known, where those that are read are kept.

        Raises:
            ValueError: The pages of this list have no numbers.
        """
        open_known = self._open_known
        if open_known is None:
            raise ValueError(f"the pages of {self!r} have no numbers")
        return Pager(lambda per_page: open_known(per_page, known), self._per_page, self._path)

    def decoded_by(self, decode: Callable[[bytes], RawPage[U]]) -> "Pager[U]":
        """Return a pager over the same list whose items are made by another decoder.

        Args:
            decode: Returns the page that a body is, or raises `DecodeError`. Its items have the
                attribute that tells those of this list apart.

        Raises:
            ValueError: This is no pager over one list of the API.
        """
        if self._with_decoder is None:
            raise ValueError(f"the pages of {self!r} cannot be decoded otherwise")
        return self._with_decoder(decode)

    async def collect(
        self, limit: int | None = None, *, require_complete: bool = False
    ) -> list[T_co]:
        """Return the items as a list.

        Args:
            limit: How many at most; None, the default, for all.
            require_complete: Whether to raise unless it is proven that no item is missing; by
                default what was found is returned.

        Raises:
            PartialListingError: With `require_complete`: items may be missing.
            RegistryError: A page could not be had.
        """
        if limit is not None and limit < 1:
            if limit == 0:
                return []
            raise ValueError(f"limit must not be negative: {limit}")
        per_page = self._per_page if limit is None else min(limit, self._per_page)
        items: list[T_co] = []
        async with PageIterator(self._open_pages(per_page)) as pages:
            async for page in pages:
                items += page.items
                if limit is not None and len(items) >= limit:
                    return items[:limit]
        if require_complete and not pages.complete:
            count = "shows no end" if pages.total is None else f"counts {pages.total}"
            raise PartialListingError(
                f"the walk found {pages.found} items, the API {count}; "
                "the list moved or is inconsistent: try again",
                found=pages.found,
                total=pages.total,
            )
        return items

    async def first(self) -> T_co | None:
        """Return the first item in the server's order, or None when there is none.

        One request for a page of one item.

        Raises:
            RegistryError: The page could not be had.
        """
        async with ItemIterator(PageIterator(self._open_pages(1))) as items:
            return await anext(items, None)
