"""The lists of a registry's repositories for a plan: read, or remembered and looked at again."""

import asyncio
from collections.abc import Callable, Mapping

from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest, ListedTag
from aioregistry.cleanup.manifests.listing import take_inventory
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.memory.memory import ListMemory, RepositoryMemory
from aioregistry.cleanup.memory.state import Recalled, RepositoryState
from aioregistry.cleanup.memory.times import RememberedTimes
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import ClientClosedError, RegistryError
from aioregistry.paging.pager import Pager

__all__ = ["RepositoryLists"]

_LOOKS_AT_ONCE = 8
# To look at more tags one by one takes longer than to list them, 200 a page.
_MAX_LOOKS = 200


class RepositoryLists:
    """Lists repositories, with a memory or without one.

    Args:
        registry: The registry.
        contents: Where tags are looked at.
        states: What the list of repositories says of each repository.
        memory: What is remembered; None for nothing.
        is_enough: Returns whether remembered times of tags decide as fresh ones would.
    """

    def __init__(
        self,
        registry: RegistryHandle,
        contents: ContentSource,
        states: Mapping[str, RepositoryState | None],
        memory: ListMemory | None,
        is_enough: Callable[[RememberedTimes], bool],
    ) -> None:
        self._registry = registry
        self._contents = contents
        self._states = states
        self._memory = memory
        self._is_enough = is_enough
        self._remembered: dict[str, _Remembered] = {}

    def is_recalled(self, repository: str) -> bool:
        """Return whether the last inventory of a repository is from memory, if only in part."""
        remembered = self._remembered.get(repository)
        return remembered is not None and remembered.is_recalled

    def recalled(self, inventory: RepositoryInventory) -> Recalled | None:
        """Return what shows later on whether an inventory still holds; None for a fresh one."""
        remembered = self._remembered.get(inventory.repository)
        if remembered is None or not remembered.is_recalled:
            return None
        return Recalled.of(inventory, remembered.times)

    async def forget(self, repository: str) -> None:
        """Have the next inventory of a repository be read afresh."""
        remembered = self._remembered.get(repository)
        if remembered is not None:
            await remembered.forget()

    async def take(
        self, repository: str, needs_tags: Callable[[RepositoryInventory], bool]
    ) -> RepositoryInventory:
        """Return the inventory of a repository: see `take_inventory`.

        One that is from memory has as many tags and manifests as the repository has, and the same
        latest manifest; where it has not, it is read afresh. One that nobody could know again by
        that is forgotten.
        """
        if self._memory is None:
            return await take_inventory(self._registry, repository, needs_tags=needs_tags)
        state = self._states.get(repository)
        remembered = self._remembered.setdefault(
            repository, _Remembered(self._memory.repository(repository, state), self._is_enough)
        )
        while True:
            inventory = await take_inventory(
                self._registry,
                repository,
                needs_tags=needs_tags,
                remembered=remembered,
            )
            if state is not None and not inventory.uncertain and state.fits(inventory):
                return inventory
            was_recalled = remembered.is_recalled
            await remembered.forget()
            if not was_recalled:
                return inventory

    async def still_point_there(self, inventory: RepositoryInventory) -> bool:
        """Return whether the registry has every tag of an inventory where that has it.

        Where there are as many tags as then, these are all. A look that fails proves nothing. More
        than 200 tags are not looked at: the answer is no, and they are listed afresh.
        """
        if sum(len(manifest.tags) for manifest in inventory.manifests) > _MAX_LOOKS:
            return False
        tags = iter(inventory.tags)
        name = inventory.repository
        moved: list[str] = []

        async def look() -> None:
            for tag, digest in tags:
                if moved:
                    return
                try:
                    if await self._contents.current_digest(name, tag) != digest:
                        moved.append(tag)
                except ClientClosedError:
                    raise
                except RegistryError:
                    moved.append(tag)

        await asyncio.gather(*(look() for _ in range(_LOOKS_AT_ONCE)))
        return not moved

    async def find_unlisted(self, name: str, named: Mapping[str, str]) -> str:
        """Return what shows that the list of manifests lacks some; empty when nothing does.

        ``HEAD …/manifests/{digest}`` of the registry itself for each, twice where it has none: a
        404 may pass.

        Args:
            name: The repository's name.
            named: Digests that are not listed, each with a manifest that names it.
        """
        missing, problem = await self._look_for(name, named)
        if not problem:
            _, problem = await self._look_for(name, missing)
        return problem

    async def _look_for(self, name: str, named: Mapping[str, str]) -> tuple[dict[str, str], str]:
        """Return those that the registry lacks, and what shows that it has another."""
        unlisted = iter(named.items())
        missing: dict[str, str] = {}
        problems: list[str] = []

        async def work() -> None:
            for child, index in unlisted:
                try:
                    exists = await self._contents.current_digest(name, child) is not None
                except ClientClosedError:
                    raise
                except RegistryError as error:
                    problems.append(f"{index} names {child}, which may exist unlisted: {error}")
                    continue
                if exists:
                    problems.append(
                        f"the list of manifests is short: {index} names {child}, which exists"
                    )
                else:
                    missing[child] = index

        await asyncio.gather(*(work() for _ in range(_LOOKS_AT_ONCE)))
        return missing, problems[0] if problems else ""


class _Remembered:
    """What is remembered of a repository, with the times of its tags as far as these decide."""

    def __init__(
        self, memory: RepositoryMemory, is_enough: Callable[[RememberedTimes], bool]
    ) -> None:
        # Times that were taken from an older list of tags.
        self.times: RememberedTimes | None = None
        self._memory = memory
        self._is_enough = is_enough

    @property
    def is_recalled(self) -> bool:
        return self._memory.is_recalled or self.times is not None

    def manifests(self, pager: Pager[ListedManifest]) -> Pager[ListedManifest]:
        return self._memory.manifests(pager)

    def tags(self, pager: Pager[ListedTag]) -> Pager[ListedTag]:
        self.times = None
        return self._memory.tags(pager)

    async def without_tags(self, manifests: RepositoryInventory) -> RepositoryInventory | None:
        times = await self._memory.times(manifests)
        if times is None or not self._is_enough(times):
            return None
        self.times = times
        return times.inventory

    async def forget(self) -> None:
        self.times = None
        await self._memory.forget()
