"""Pagers over the API's lists: where walks, which only decide, meet the calls."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from attrs import evolve, frozen

from aioregistry.api.decoding import RawPage
from aioregistry.api.endpoints import (
    SECOND_FAMILY,
    Call,
    Endpoints,
    RepositoryPath,
    page_query,
)
from aioregistry.api.models import Manifest, Repository, Tag
from aioregistry.client.families import MakeRequest, PathFamilies
from aioregistry.paging.fingerprints import NamesOf
from aioregistry.paging.number_walk import NumberWalk
from aioregistry.paging.pager import KnownPages, Pager
from aioregistry.paging.read_ahead import ChainedPages, Fetch, ListPages
from aioregistry.paging.token_walk import TokenWalk
from aioregistry.paging.walks import PageRef, Walk

__all__ = [
    "ListEndpoint",
    "PagerFactory",
    "by_id",
    "by_name",
    "list_of_manifests",
    "list_of_tags",
]

T = TypeVar("T")
U = TypeVar("U")
InRepository = TypeVar("InRepository", Tag, Manifest)


@frozen
class ListEndpoint(Generic[T]):
    """A list of the API.

    Attributes:
        make_request: Returns the call for its first page.
        names_of: Returns what tells its items apart.
        by_token: Whether its pages have tokens.
    """

    make_request: MakeRequest[RawPage[T]]
    names_of: NamesOf
    by_token: bool = False

    def decoded_by(self, decode: Callable[[bytes], RawPage[U]]) -> "ListEndpoint[U]":
        """Return the list with another decoder of its pages."""

        def make_request(endpoints: Endpoints) -> Call[RawPage[U]]:
            return self.make_request(endpoints).decoded_by(decode)

        return ListEndpoint(make_request, self.names_of, self.by_token)


def by_id(items: Sequence[Any]) -> list[str]:
    """Return what things that have an ID are known by."""
    return [item.id for item in items]


def by_name(items: Sequence[Any]) -> list[str]:
    """Return what things that have a name are known by."""
    return [item.name for item in items]


def list_of_tags(path: RepositoryPath, registry: str, repository: str) -> ListEndpoint[Tag]:
    """Return the list of a repository's tags."""
    return ListEndpoint(
        lambda endpoints: _named(endpoints.list_tags(path), registry, repository),
        lambda tags: [tag.tag for tag in tags],
    )


def list_of_manifests(
    path: RepositoryPath, registry: str, repository: str
) -> ListEndpoint[Manifest]:
    """Return the list of a repository's manifests."""
    return ListEndpoint(
        lambda endpoints: _named(endpoints.list_manifests(path), registry, repository),
        lambda manifests: [one.digest for one in manifests],
    )


def _named(
    call: Call[RawPage[InRepository]], registry: str, repository: str
) -> Call[RawPage[InRepository]]:
    """Return a call whose items say of which repository they are, if the API leaves that out."""

    def decode(body: bytes) -> RawPage[InRepository]:
        page = call.decode(body)
        # Hardly any page needs more than this look, which as a loop takes the least.
        for one in page.items:
            if not one.repository:
                break
        else:
            return page
        named = [
            evolve(
                one,
                registry_name=one.registry_name or registry,
                repository=one.repository or repository,
            )
            for one in page.items
        ]
        return evolve(page, items=tuple(named))

    return call.decoded_by(decode)


class PagerFactory:
    """Makes pagers over the API's lists.

    Args:
        families: Makes the calls.
        per_page: How many items a page is asked to have.
        concurrency: How many pages of a walk may be under way at once.
    """

    def __init__(self, families: PathFamilies, per_page: int, concurrency: int) -> None:
        self._families = families
        self._per_page = per_page
        self._concurrency = concurrency

    def pager(self, endpoint: ListEndpoint[T]) -> Pager[T]:
        """Return a pager over a list."""
        path = endpoint.make_request(SECOND_FAMILY).target

        def open_known(per_page: int, known: KnownPages) -> ListPages[T]:
            return self._pages(endpoint, per_page, known=known)

        return Pager(
            lambda per_page: self._pages(endpoint, per_page),
            self._per_page,
            path,
            None if endpoint.by_token else open_known,
            lambda decode: self.pager(endpoint.decoded_by(decode)),
        )

    def chained(
        self, outer: Pager[Repository], endpoint_of: Callable[[Repository], ListEndpoint[T]]
    ) -> Pager[T]:
        """Return a pager over one list of each repository, one after the other."""

        def open_pages(per_page: int) -> ChainedPages[Repository, T]:
            # One bound for the whole walk: the list that is read and those that are next.
            slots = asyncio.Semaphore(self._concurrency)
            return ChainedPages(
                outer.pages(),
                lambda repository: self._pages(endpoint_of(repository), per_page, slots),
                self._concurrency,
            )

        return Pager(open_pages, self._per_page, f"each list of {outer!r}")

    def _pages(
        self,
        endpoint: ListEndpoint[T],
        per_page: int,
        slots: asyncio.Semaphore | None = None,
        known: KnownPages | None = None,
    ) -> ListPages[T]:
        names_of = endpoint.names_of
        walk: Walk[T] = TokenWalk(names_of) if endpoint.by_token else NumberWalk(names_of, per_page)

        async def fetch(page: PageRef) -> Callable[[], RawPage[T]]:
            query = page_query(per_page, page.number, page.token)
            if slots is None:
                return await self._families.answer(endpoint.make_request, query=query)
            async with slots:
                return await self._families.answer(endpoint.make_request, query=query)

        async def fetch_through(known: KnownPages, page: PageRef) -> Callable[[], RawPage[T]]:
            async def read() -> RawPage[T]:
                return (await fetch(page))()

            found = await known.page(page.number, per_page, read)
            return lambda: found

        get: Fetch[T] = fetch if known is None else partial(fetch_through, known)
        return ListPages(walk, get, self._families.session.start, self._concurrency)
