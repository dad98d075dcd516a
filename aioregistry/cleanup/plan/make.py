"""Making a plan: what is listed, what it says, and what the policy makes of it."""

import asyncio
from collections.abc import AsyncIterable, Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime

from attrs import evolve, frozen

from aioregistry.cleanup.in_use.references import InUse, Use, collect_in_use
from aioregistry.cleanup.manifests.content import Content, UnreadableContentError
from aioregistry.cleanup.manifests.inventory import BlobSizes, RepositoryInventory, take_inventory
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.plan.decisions import Exempt, decide, keep_all, may_condemn
from aioregistry.cleanup.plan.items import LeftAlone, RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.plan.storage import Storage
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import (
    InvalidResponseError,
    NotFoundError,
    PartialListingError,
    RegistryError,
    RegistryTimeoutError,
    ServerError,
)
from aioregistry.oci.references import Reference

__all__ = ["PlanProgress", "make_plan"]

_REPOSITORIES_AT_ONCE = 4
# What may be wrong with one repository alone. Any other error is everybody's, and ends the job.
_OF_ONE_REPOSITORY = (PartialListingError, ServerError, InvalidResponseError, RegistryTimeoutError)


@frozen
class PlanProgress:
    """How far the making of a plan is.

    Attributes:
        repositories: Repositories that are done.
        of: Repositories in all.
        manifests: Manifests that were listed.
        read: Manifests whose contents were looked at.
    """

    repositories: int = 0
    of: int = 0
    manifests: int = 0
    read: int = 0


async def make_plan(
    registry: RegistryHandle,
    policy: Policy,
    contents: ContentSource,
    *,
    in_use: InUse
    | Iterable[Use | Reference | str]
    | AsyncIterable[Use | Reference | str]
    | None = None,
    repositories: Collection[str] | None = None,
    now: datetime | None = None,
    on_progress: Callable[[PlanProgress], object] | None = None,
) -> Plan:
    """Look at a whole registry, and plan what the policy wants deleted. Nothing is deleted.

    Repositories that the policy may delete from are listed twice, the others once, because layers
    are shared: what a clean-up frees depends on all of them. ``GET …/repositoriesV2`` and, for
    each, ``GET …/digests``. Contents come from the registry itself, which costs none of the API's
    quota. A repository that cannot be listed or read for certain is left alone.

    Args:
        registry: The registry.
        policy: What is to stay and to go.
        contents: Where the contents of manifests are read.
        in_use: What runs somewhere, and so stays.
        repositories: Where the policy holds; None for everywhere.
        now: Up to when ages are counted; None for now.
        on_progress: Called with a `PlanProgress` after each step.

    Raises:
        NotFoundError: There is no such registry, or one of `repositories` is not in it.
        RegistryError: Any other of its kinds.
        ValueError: `now` has no time zone.
    """
    now = datetime.now(UTC) if now is None else now
    if now.tzinfo is None:
        raise ValueError("now must have a time zone, as in datetime.now(UTC)")
    running = await collect_in_use(in_use)
    listed = await registry.repositories().collect(require_complete=True)
    names = sorted({repository.name for repository in listed})
    missing = sorted({*(repositories or ())}.difference(names))
    if missing:
        raise NotFoundError(f"no repository of {registry.name!r}: {', '.join(missing)}")
    planner = _Planner(registry, policy, contents, running, repositories, now, on_progress)
    return await planner.plan(names)


class _Planner:
    def __init__(
        self,
        registry: RegistryHandle,
        policy: Policy,
        contents: ContentSource,
        in_use: InUse,
        chosen: Collection[str] | None,
        now: datetime,
        on_progress: Callable[[PlanProgress], object] | None,
    ) -> None:
        self._registry = registry
        self._policy = policy
        self._contents = contents
        self._in_use = in_use
        self._chosen = chosen
        self._now = now
        self._on_progress = on_progress
        self._progress = PlanProgress()
        self._sizes = BlobSizes()
        self._storage = Storage(self._sizes)

    async def plan(self, names: list[str]) -> Plan:
        self._tell(of=len(names))
        waiting = iter(names)
        planned: dict[str, RepositoryPlan | LeftAlone | None] = {}

        async def work() -> None:
            for name in waiting:
                planned[name] = await self._plan_repository(name)
                self._tell(repositories=1)

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(_REPOSITORIES_AT_ONCE):
                    tasks.create_task(work())
        except BaseExceptionGroup as group:
            # The first says why; the others are what it led to, or as bad.
            raise group.exceptions[0] from None
        done = [planned[name] for name in names]
        return Plan(
            registry=self._registry.name,
            made_at=self._now,
            floor=self._policy.floor,
            repositories=tuple(plan for plan in done if isinstance(plan, RepositoryPlan)),
            left_alone=tuple(left for left in done if isinstance(left, LeftAlone)),
            frees=self._storage.freed(),
        )

    async def _plan_repository(self, name: str) -> RepositoryPlan | LeftAlone | None:
        here = self._chosen is None or name in self._chosen
        may_delete = here and self._policy.may_delete(name)
        try:
            inventory = await take_inventory(
                self._registry, name, self._sizes, passes=2 if may_delete else 1
            )
        except NotFoundError:
            return None
        except _OF_ONE_REPOSITORY as error:
            self._storage.miss()
            return LeftAlone(name, str(error))
        self._tell(manifests=len(inventory.manifests))
        if not may_delete:
            self._storage.keep(inventory.manifests)
            return keep_all(inventory, "the policy deletes nothing here")
        return await self._decide(inventory)

    async def _decide(self, inventory: RepositoryInventory) -> RepositoryPlan | LeftAlone:
        name = inventory.repository
        exempt = Exempt(
            self._in_use.tags_of(self._registry.name, name),
            self._in_use.digests_of(self._registry.name, name),
        )
        digests = [manifest.digest for manifest in inventory.manifests]
        # Where nothing goes, what the manifests say changes nothing.
        contents: Mapping[str, Content] = dict.fromkeys(digests, Content("", 0))
        if may_condemn(inventory, self._policy, exempt, self._now):
            found = await self._contents.read(name, digests, lambda count: self._tell(read=count))
            unread = _unread(digests, found)
            if unread is not None:
                self._storage.keep(inventory.manifests)
                return LeftAlone(name, unread)
            contents = {
                digest: content for digest, content in found.items() if isinstance(content, Content)
            }
        plan = decide(inventory, contents, self._policy, exempt, self._now)
        going = {item.digest for item in plan.condemned if item.delete == "manifest"}
        self._storage.keep(one for one in inventory.manifests if one.digest not in going)
        self._storage.condemn((one for one in inventory.manifests if one.digest in going), contents)
        return plan

    def _tell(self, repositories: int = 0, of: int = 0, manifests: int = 0, read: int = 0) -> None:
        so_far = self._progress
        self._progress = evolve(
            so_far,
            repositories=so_far.repositories + repositories,
            of=so_far.of + of,
            manifests=so_far.manifests + manifests,
            read=so_far.read + read,
        )
        if self._on_progress is not None:
            self._on_progress(self._progress)


def _unread(
    digests: Collection[str], found: Mapping[str, Content | UnreadableContentError]
) -> str | None:
    """Return why contents are missing; None when all are there."""
    missing = [digest for digest in digests if not isinstance(found.get(digest), Content)]
    if not missing:
        return None
    error: RegistryError | Content | None = found.get(missing[0])
    return (
        f"{len(missing):,} of {len(digests):,} manifests could not be read, and might need what "
        f"would go; the first is {missing[0]}: {error or 'it was not read'}"
    )
