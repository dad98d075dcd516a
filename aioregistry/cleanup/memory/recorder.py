"""Lists that an apply reads anyway, kept for the next plan."""

from collections.abc import Awaitable, Callable
from typing import Any

from aioregistry.api.decoding import RawPage
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest, ListedTag
from aioregistry.cleanup.memory.memory import ListMemory
from aioregistry.cleanup.memory.state import RepositoryState
from aioregistry.paging.pager import Pager

__all__ = ["ListRecorder"]


class ListRecorder:
    """Keeps the manifests of a repository as they are listed after the last DELETE.

    Args:
        memory: Where they are kept; None keeps nothing.
        repository: The repository's name.
    """

    def __init__(self, memory: ListMemory | None, repository: str) -> None:
        self._memory = memory
        self._name = repository

    def manifests(self, pager: Pager[ListedManifest]) -> Pager[ListedManifest]:
        """Return a pager over the manifests that keeps what it reads."""
        return pager if self._memory is None else pager.through(self)

    def tags(self, pager: Pager[ListedTag]) -> Pager[ListedTag]:
        """Return the pager as it is."""
        return pager

    async def without_tags(self, manifests: RepositoryInventory) -> RepositoryInventory | None:  # noqa: ARG002
        """Return None: whether tags are needed is not for this to say."""
        return None

    async def page(
        self, number: int, per_page: int, read: Callable[[], Awaitable[RawPage[Any]]]
    ) -> RawPage[Any]:
        """Read a page, and keep it."""
        page = await read()
        if self._memory is not None:
            await self._memory.keep(self._name, "manifests", number, per_page, "", page)
        return page

    async def finish(self, inventory: RepositoryInventory) -> None:
        """Take in what the pages showed, so that the next plan may recall them.

        It does as long as the list of repositories then says what it says of such a repository: of
        which manifest is the latest, that is a guess, and a wrong one costs a request.

        Args:
            inventory: The inventory of the repository.
        """
        state = RepositoryState.of_inventory(inventory)
        if self._memory is not None and state is not None and not inventory.uncertain:
            await self._memory.name_state(self._name, state)
