"""Reading the lists of a repository until they agree, or as far as they do."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Generic, Protocol, TypeVar

from attrs import define

from aioregistry.cleanup.manifests.inventory import RepositoryInventory, TagComparison
from aioregistry.cleanup.manifests.listed import (
    ListedManifest,
    ListedTag,
    decode_manifests,
    decode_tags,
)
from aioregistry.client.registry import RegistryHandle
from aioregistry.client.repository import RepositoryHandle
from aioregistry.errors import PartialListingError
from aioregistry.paging.pager import Pager

__all__ = ["Remembered", "take_inventory"]

T = TypeVar("T")

# After so many rounds, each of both lists, what still differs is kept.
_ROUNDS_TO_AGREE = 2
# After so many, a list that is still shorter than its total is not believed.
_MAX_ROUNDS = 4


class Remembered(Protocol):
    """The lists of one repository, of which pages may be known from before."""

    def manifests(self, pager: Pager[ListedManifest]) -> Pager[ListedManifest]:
        """Return a pager over the manifests that reads only pages that are not known."""

    def tags(self, pager: Pager[ListedTag]) -> Pager[ListedTag]:
        """Return a pager over the tags that reads only pages that are not known."""

    async def without_tags(self, manifests: RepositoryInventory) -> RepositoryInventory | None:
        """Return the inventory of a repository by its manifests, which one answer showed.

        None where the list of tags is needed.
        """


def _always(_: RepositoryInventory) -> bool:
    return True


async def take_inventory(
    registry: RegistryHandle,
    repository: str,
    *,
    needs_tags: Callable[[RepositoryInventory], bool] = _always,
    on_first_page: Callable[[], object] | None = None,
    remembered: Remembered | None = None,
) -> RepositoryInventory:
    """List the manifests of a repository and its tags, and hold the two lists against each other.

    ``GET …/repositories/{repository}/digests`` and ``…/tags``, each page once a round. Both lists
    must be as long as their totals, and every tag must be on the same manifest in both. What
    differs is read again, in one more round; what differs even then is `uncertain`. A list that is
    short of its total by no more than what was added to it meanwhile is whole: what is added while
    a list is read is seen by whoever looks again before a delete.

    Args:
        registry: The registry.
        repository: The repository's name.
        needs_tags: Returns whether the list of tags is needed, too, when the manifests are listed;
            by default it is.
        on_first_page: Called when the first page of a round has arrived; None for nothing.
        remembered: Where pages may be known from before; None, the default, reads all.

    Raises:
        PartialListingError: A list is shorter than its total each time, or has no total.
        RegistryError: Any other of its kinds.
    """
    known: dict[str, ListedManifest] = {}
    handle = registry.repository(repository)
    for number in range(1, _MAX_ROUNDS + 1):
        manifests, tags = _walks(handle, remembered)
        found: dict[str, ListedManifest] = {}
        async for page in manifests.pages(on_first_page):
            count = len(found)
            found |= {one.digest: _known_or_new(one, known) if known else one for one in page}
            if "" in found or len(found) != count + len(page):
                # A walk tells items apart by their digests: these have none.
                manifests.has_repeats = True
        known = found
        inventory = RepositoryInventory(repository, tuple(found.values()))
        is_whole = manifests.is_whole(len(found))
        if not needs_tags(inventory):
            if is_whole:
                return inventory
            continue
        if is_whole and manifests.count == 1:
            alone = None if remembered is None else await remembered.without_tags(inventory)
            if alone is not None:
                return alone
        comparison = TagComparison(found)
        async for some in tags.pages():
            comparison.add(some)
        inventory = comparison.inventory(repository)
        is_whole &= tags.is_whole(tags.found)
        if is_whole and (not inventory.uncertain or number >= _ROUNDS_TO_AGREE):
            return inventory
    problem = (
        "the API does not say how many manifests there are"
        if manifests.total is None
        else "a list is shorter than its total each time"
    )
    raise PartialListingError(
        f"the manifests of {repository!r} could not be listed for certain: {problem}; "
        "try again when nothing is being pushed",
        found=len(known),
        total=manifests.total,
    )


def _known_or_new(one: ListedManifest, known: Mapping[str, ListedManifest]) -> ListedManifest:
    """Return the same object for what is the same: a second list then takes no memory."""
    before = known.get(one.digest)
    return one if before is None or before != one else before


def _walks(
    handle: RepositoryHandle, remembered: Remembered | None
) -> "tuple[_Walk[ListedManifest], _Walk[ListedTag]]":
    manifests = handle.manifests().decoded_by(decode_manifests)
    tags = handle.tags().decoded_by(decode_tags)
    if remembered is None:
        return _Walk(manifests), _Walk(tags)
    return _Walk(remembered.manifests(manifests)), _Walk(remembered.tags(tags))


@define
class _Walk(Generic[T]):
    """One walk over a list, and what its totals were."""

    pager: Pager[T]
    count: int = 0
    found: int = 0
    first_total: int | None = None
    total: int | None = None
    has_fallen: bool = False
    has_repeats: bool = False
    complete: bool = False

    async def pages(
        self, on_first_page: Callable[[], object] | None = None
    ) -> AsyncIterator[tuple[T, ...]]:
        pages = self.pager.pages()
        async with pages:
            async for page in pages:
                if on_first_page is not None:
                    on_first_page()
                    on_first_page = None
                if self.first_total is None:
                    self.first_total = page.total
                elif page.total is not None and self.total is not None:
                    self.has_fallen |= page.total < self.total
                self.total = page.total
                self.count += 1
                self.found += len(page.items)
                yield page.items
            self.total = pages.total
            self.complete = bool(pages.complete)

    def is_whole(self, found: int) -> bool:
        """Return whether a list shows all that there was when its reading began.

        Args:
            found: How many different things it shows.
        """
        if self.total is None or self.first_total is None or self.has_repeats:
            return False
        if found > self.total + max(0, self.first_total - self.total):
            return False
        if self.complete and found >= self.total:
            return True
        # Where items are only added, each of the others moves away from the pages already read.
        added = max(0, self.total - self.first_total)
        return not self.has_fallen and found + added >= self.total
