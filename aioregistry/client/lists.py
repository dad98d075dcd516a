"""The API's lists: how each is decoded, what tells its items apart, how it is paged."""

import asyncio
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Generic, TypeVar

from attrs import frozen

from aioregistry.api.decoding import PageDecoder, RawPage
from aioregistry.api.models import GarbageCollection, Manifest, Repository, RepositoryV1, Tag
from aioregistry.client.families import MakeRequest, PathFamilies
from aioregistry.paging.pager import ChainedPages, ListPages, Pager
from aioregistry.paging.walks import NumberWalk, PageRef, TokenWalk, Walk

__all__ = [
    "GARBAGE_COLLECTIONS",
    "MANIFESTS",
    "REPOSITORIES",
    "REPOSITORIES_V1",
    "TAGS",
    "ListEndpoint",
    "PagerFactory",
]

T = TypeVar("T")


@frozen
class ListEndpoint(Generic[T]):
    """A kind of list: the decoder of its pages, and the name that each item is known by."""

    decoder: PageDecoder[T]
    name_of: Callable[[Any], str]
    by_token: bool = False

    def walk(self, per_page: int) -> Walk[T]:
        """Return a new walk over a list of this kind."""
        if self.by_token:
            return TokenWalk(self.name_of)
        return NumberWalk(self.name_of, per_page)


REPOSITORIES = ListEndpoint(
    PageDecoder("repositories", Repository), attrgetter("name"), by_token=True
)
REPOSITORIES_V1 = ListEndpoint(PageDecoder("repositories", RepositoryV1), attrgetter("name"))
TAGS = ListEndpoint(PageDecoder("tags", Tag), attrgetter("tag"))
MANIFESTS = ListEndpoint(PageDecoder("manifests", Manifest), attrgetter("digest"))
GARBAGE_COLLECTIONS = ListEndpoint(
    PageDecoder("garbage_collections", GarbageCollection), attrgetter("uuid")
)


class PagerFactory:
    """Makes pagers over the API's lists.

    Args:
        api: Makes the calls.
        per_page: How many items a page is asked to have.
        concurrency: How many pages of a walk may be under way at once.
    """

    def __init__(self, families: PathFamilies, per_page: int, concurrency: int) -> None:
        self._families = families
        self._per_page = per_page
        self._concurrency = concurrency

    def pager(self, kind: ListEndpoint[T], make_request: MakeRequest) -> Pager[T]:
        """Return a pager over the list that `make_request` asks for."""
        return Pager(lambda per_page: self._pages(kind, make_request, per_page), self._per_page)

    def chained(
        self,
        outer: Pager[Repository],
        kind: ListEndpoint[T],
        request_of: Callable[[Repository], MakeRequest],
    ) -> Pager[T]:
        """Return a pager over the lists of all repositories, one after the other."""

        def open_pages(per_page: int) -> ChainedPages[Repository, T]:
            # One bound for the whole walk: the list that is read and those that are next.
            slots = asyncio.Semaphore(self._concurrency)
            return ChainedPages(
                outer.pages(),
                lambda repository: self._pages(kind, request_of(repository), per_page, slots),
                self._concurrency,
            )

        return Pager(open_pages, self._per_page)

    def _pages(
        self,
        kind: ListEndpoint[T],
        make_request: MakeRequest,
        per_page: int,
        slots: asyncio.Semaphore | None = None,
    ) -> ListPages[T]:
        async def fetch(ref: PageRef) -> RawPage[T]:
            if slots is None:
                return await self._fetch(kind, make_request, per_page, ref)
            async with slots:
                return await self._fetch(kind, make_request, per_page, ref)

        return ListPages(
            kind.walk(per_page), fetch, self._families.session.start, self._concurrency
        )

    async def _fetch(
        self, kind: ListEndpoint[T], make_request: MakeRequest, per_page: int, ref: PageRef
    ) -> RawPage[T]:
        place: dict[str, str | int] = (
            {"page": ref.number} if ref.token is None else {"page_token": ref.token}
        )
        return await self._families.call(
            lambda endpoints: make_request(endpoints).with_query(per_page=per_page, **place),
            kind.decoder.decode,
        )
