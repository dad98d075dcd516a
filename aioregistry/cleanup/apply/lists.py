"""The lists of a repository, and the manifests that they show and nobody has read yet."""

from collections.abc import Collection, Mapping
from datetime import datetime

from attrs import frozen

from aioregistry.cleanup.apply.absence import without_deleted
from aioregistry.cleanup.apply.drift import NEEDS_NOTHING, not_read
from aioregistry.cleanup.apply.job import Job, exempt_by
from aioregistry.cleanup.manifests.content import (
    Content,
    MissingContentError,
    UnreadableContentError,
)
from aioregistry.cleanup.manifests.held import MOST_HELD_BYTES, HeldDocuments
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listing import take_inventory
from aioregistry.cleanup.manifests.unreadable import keep_unreadable, parted, unreadable
from aioregistry.cleanup.memory.recorder import ListRecorder
from aioregistry.cleanup.plan.decisions import Exempt
from aioregistry.cleanup.plan.items import Condemned, RepositoryPlan, known_as
from aioregistry.errors import RegistryError

__all__ = ["FreshLists", "ListReader"]

# Lists are read once more where a manifest of theirs is missing.
_ATTEMPTS = 2


@frozen
class FreshLists:
    """A repository's lists, read just now.

    Attributes:
        inventory: What they show, without what was deleted.
        begun_at: When the first page was asked for, on the clock.
        begun_awake_at: The same by the time that the machine was awake.
        unread: The manifests that could not be read, each with why.
        is_behind: Whether they showed what was deleted before them.
    """

    inventory: RepositoryInventory
    begun_at: float
    begun_awake_at: float
    unread: Mapping[str, UnreadableContentError]
    is_behind: bool


class ListReader:
    """Reads a repository's lists, again for each batch, and what they show that is new.

    Args:
        job: What it shares with other repositories.
        plan: What is to be deleted of the repository.
    """

    def __init__(self, job: Job, plan: RepositoryPlan) -> None:
        # What manifests say, by digest; it grows.
        self.contents: dict[str, Content] = {}
        self.documents: HeldDocuments = HeldDocuments(
            job.contents, 0 if job.archive is None else MOST_HELD_BYTES
        )
        self.recorder: ListRecorder = ListRecorder(job.memory, plan.name)
        self._job = job
        self._name = plan.name
        manifests = [item for item in plan.condemned if item.delete == "manifest"]
        self._condemned = dict.fromkeys(item.digest for item in manifests)
        self._kept = frozenset(plan.known)
        if not self._kept.isdisjoint(map(known_as, self._condemned)):
            # Somebody has added it: what is kept may need it.
            self._kept = frozenset()

    async def read(
        self,
        pending: Collection[Condemned],
        deleted: Mapping[str, datetime | None],
        *,
        needs_tags: bool,
    ) -> FreshLists:
        """List the repository and read what is new.

        Args:
            pending: What is still to be deleted.
            deleted: The manifests that were deleted, each with when it was pushed before.
            needs_tags: Whether the list of tags is read as well.

        Raises:
            RegistryError: They cannot be read.
        """
        for attempt in range(_ATTEMPTS):
            inventory, begun, is_behind = await self._take_inventory(
                pending, deleted, needs_tags=needs_tags
            )
            if pending:
                # The lists of a large repository take longer than what runs stays known.
                await self._job.ask_what_runs()
            found = await self._read(inventory, pending)
            # One that the registry lacks may have been deleted after it was listed.
            missing = any(isinstance(one, MissingContentError) for one in found.values())
            if not missing or attempt == _ATTEMPTS - 1:
                break
        unread = unreadable(inventory, {**self.contents, **found})
        return FreshLists(inventory, *begun, unread, is_behind)

    def without_unreadable(self, lists: FreshLists) -> RepositoryInventory:
        """Return the inventory of lists, with what cannot be read kept.

        Raises:
            RegistryError: A manifest that is not to be deleted cannot be read.
        """
        for digest, why in lists.unread.items():
            if digest not in self._condemned:
                raise RegistryError(
                    f"{digest} could not be read, and might need what would be deleted: {why}"
                )
        return keep_unreadable(lists.inventory, lists.unread, self._condemned)

    async def _take_inventory(
        self,
        pending: Collection[Condemned],
        deleted: Mapping[str, datetime | None],
        *,
        needs_tags: bool,
    ) -> tuple[RepositoryInventory, tuple[float, float], bool]:
        begun: list[tuple[float, float]] = []
        clock = self._job.clock
        inventory = await take_inventory(
            self._job.registry,
            self._name,
            needs_tags=lambda _: needs_tags,
            on_first_page=lambda: begun.append((clock(), clock.awake())),
            remembered=None if pending else self.recorder,
        )
        there = await without_deleted(self._job.contents, inventory, deleted)
        # What came before the first page was the wait for quota.
        return there, begun[-1], there is not inventory

    async def _read(
        self, inventory: RepositoryInventory, pending: Collection[Condemned]
    ) -> dict[str, UnreadableContentError]:
        """Read the manifests that are condemned or new, and return those that could not be read."""
        for one in inventory.manifests:
            if one.digest not in self._condemned and known_as(one.digest) in self._kept:
                self.contents.setdefault(one.digest, NEEDS_NOTHING)
        soon = (item.digest for item in pending if item.delete == "manifest")
        unread: dict[str, UnreadableContentError] = {}
        parts = exempt_by(self._job, inventory) != Exempt()
        # What a source says nothing of would be asked for again and again.
        asked: set[str] = set()
        while unknown := not_read(inventory, self.contents, asked, parts=parts):
            asked.update(unknown)
            read, failed = parted(await self.documents.read(self._name, unknown, soon))
            self.contents |= read
            unread |= failed
        return unread
