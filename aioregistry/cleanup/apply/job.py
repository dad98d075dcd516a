"""What the repositories of one apply share."""

from collections.abc import Callable
from typing import Protocol

from aioregistry.cleanup.in_use.references import InUse
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.memory.memory import ListMemory
from aioregistry.cleanup.plan.decisions import Exempt
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.journal import Journal
from aioregistry.cleanup.records.report import Status
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import RegistryError

__all__ = ["Job", "exempt_by"]


class Job(Protocol):
    """What the parts of one apply share."""

    registry: RegistryHandle
    plan: Plan
    contents: ContentSource
    journal: Journal | None
    archive: Archive | None
    memory: ListMemory | None
    in_use: InUse
    clock: Callable[[], float]
    aborted: RegistryError | None
    is_found: bool

    def record(
        self, repository: str, item: Condemned, status: Status, reason: str, busy: float = 0.0
    ) -> None:
        """Record what became of an item."""

    def may_have_sent(self, repository: str, item: Condemned) -> bool:
        """Return whether an earlier process may have sent a DELETE whose outcome is unknown."""

    def record_checked(self, repository: str) -> None:
        """Record that new images were looked for after the last DELETE in a repository."""

    def is_deleted(self, repository: str, item: Condemned) -> bool:
        """Return whether an item was deleted, by this process or one before it."""

    async def ask_what_runs(self) -> None:
        """Ask again what is in use where that was asked some time ago; raise if it is unknown."""

    def time_is_up(self) -> str | None:
        """Return what to say of items when nothing more may be begun; None before that."""

    async def repository_exists(self, name: str) -> bool:
        """Return whether a repository exists by the API's list; raise without a registry."""


def exempt_by(job: Job, inventory: RepositoryInventory) -> Exempt:
    """Return the tags and manifests of a repository that are in use now."""
    where = job.registry.name, inventory.repository
    return Exempt(job.in_use.tags_of(*where), job.in_use.digests_of(*where, inventory.manifests))
