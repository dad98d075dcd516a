"""Making a plan: what is listed, what it says, and what the policy makes of it."""

import asyncio
from collections.abc import AsyncIterable, Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from attrs import evolve, frozen

from aioregistry.cleanup.in_use.references import InUse, InUseTally, Use, collect_in_use
from aioregistry.cleanup.manifests.content import (
    Content,
    MissingContentError,
    UnreadableContentError,
    subject_key,
)
from aioregistry.cleanup.manifests.inventory import BlobSizes, RepositoryInventory
from aioregistry.cleanup.manifests.listing import take_inventory
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.manifests.unreadable import keep_unreadable, unlisted_children, unreadable
from aioregistry.cleanup.plan.bounds import could_condemn
from aioregistry.cleanup.plan.decisions import (
    Exempt,
    decide,
    keep_all,
    may_condemn,
    missing_subjects,
    unlisted_subjects,
)
from aioregistry.cleanup.plan.items import LeftAlone, RepositoryPlan, known_as
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.plan.storage import Storage
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.usage import RuleUsage
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import (
    ClientClosedError,
    InvalidNameError,
    InvalidResponseError,
    NotFoundError,
    PartialListingError,
    PreconditionFailedError,
    RegistryError,
    RegistryTimeoutError,
    ServerError,
)
from aioregistry.oci.references import Reference
from aioregistry.ratelimit.priority import bulk_work

__all__ = ["PlanProgress", "make_plan"]

_REPOSITORIES_AT_ONCE = 4
_LOOKS_AT_ONCE = 8
# A repository whose lists turn out to be out of date is listed so often in all.
_LISTINGS = 2
# What may be wrong with one repository alone. Any other error is everybody's, and ends the job.
_OF_ONE_REPOSITORY = (
    PartialListingError,
    ServerError,
    InvalidNameError,
    InvalidResponseError,
    RegistryTimeoutError,
)


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
    # Its lists and credentials give way to people.
    with bulk_work():
        return await planner.plan(names)


async def creation_time(registry: RegistryHandle) -> datetime | None:
    """Return when a registry was created; None where the API does not say."""
    try:
        return (await registry.get()).created_at
    except (NotFoundError, PreconditionFailedError):
        return None


@frozen
class _Postponed:
    """A repository with referrers without a subject in it: which subjects these are."""

    inventory: RepositoryInventory
    contents: Mapping[str, Content]
    missing: frozenset[str]


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
        self._tally = InUseTally(in_use, registry.name)
        self._usage = RuleUsage(policy.rules)
        self._chosen = chosen
        self._now = now
        self._on_progress = on_progress
        self._progress = PlanProgress()
        self._sizes = BlobSizes()
        self._storage = Storage(self._sizes)
        # Repositories with referrers without a subject: decided when all others are listed.
        self._postponed: dict[str, _Postponed] = {}
        self._all_listed = True

    async def plan(self, names: list[str]) -> Plan:
        self._tell(of=len(names))
        created_at = await creation_time(self._registry)
        waiting = iter(names)
        planned: dict[str, RepositoryPlan | LeftAlone | None] = {}

        async def work() -> None:
            for name in waiting:
                planned[name] = await self._plan_repository(name)
                if isinstance(planned[name], LeftAlone):
                    self._usage.skip(name)
                self._tell(repositories=1)

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(_REPOSITORIES_AT_ONCE):
                    tasks.create_task(work())
        except BaseExceptionGroup as group:
            # The first says why; the others are what it led to, or as bad.
            raise group.exceptions[0] from None
        for name, inventory, read in self._with_subjects_elsewhere():
            planned[name] = await self._decide_whole(inventory, read)
        done = [planned[name] for name in names]
        return Plan(
            registry=self._registry.name,
            made_at=self._now,
            created_at=created_at,
            api_url=self._registry.api_url,
            registry_url=self._contents.registry_url,
            floor=self._policy.floor,
            in_use=self._tally.summary(),
            max_fraction=self._policy.max_fraction,
            max_deletes=self._policy.max_deletes,
            notes=tuple(self._notes(names)) if self._chosen is None else (),
            repositories=tuple(plan for plan in done if isinstance(plan, RepositoryPlan)),
            left_alone=tuple(left for left in done if isinstance(left, LeftAlone)),
            frees=self._storage.freed(),
        )

    def _notes(self, names: Collection[str]) -> Iterator[str]:
        yield from self._usage.notes()
        for pattern in self._policy.exclude:
            if not any(map(pattern.matches, names)):
                yield f"exclude {str(pattern)!r} matches no repository, and so protects none"

    def _with_subjects_elsewhere(
        self,
    ) -> Iterator[tuple[str, RepositoryInventory, Mapping[str, Content]]]:
        """Yield what was postponed, with the subjects that other repositories have."""
        wanted = frozenset[str]().union(*(one.missing for one in self._postponed.values()))
        keys = map(subject_key, self._sizes.digests) if self._all_listed else wanted
        found = wanted.intersection(keys)
        for name, one in self._postponed.items():
            inventory = evolve(one.inventory, elsewhere=one.missing & found)
            yield name, inventory, one.contents

    async def _plan_repository(self, name: str) -> RepositoryPlan | LeftAlone | None:
        problem = ""
        try:
            for attempt in range(_LISTINGS):
                inventory = await self._list(name)
                if not self._may_delete(name):
                    self._storage.keep(inventory.manifests)
                    return keep_all(inventory, "the policy deletes nothing here")
                contents = await self._read(inventory)
                problem = await self._short_list(name, unlisted_children(inventory, contents))
                missing = any(isinstance(one, MissingContentError) for one in contents.values())
                if not problem and (not missing or attempt > 0):
                    return await self._decide(inventory, contents)
        except NotFoundError:
            self._all_listed = False
            return None
        except _OF_ONE_REPOSITORY as error:
            self._storage.miss()
            self._tally.skip(name)
            self._all_listed = False
            return LeftAlone(name, str(error))
        self._storage.keep(inventory.manifests)
        self._storage.miss()
        self._all_listed = False
        return LeftAlone(name, problem)

    async def _list(self, name: str) -> RepositoryInventory:
        may_delete = self._may_delete(name)
        inventory = await take_inventory(
            self._registry,
            name,
            self._sizes,
            needs_tags=lambda found: may_delete and could_condemn(found, self._policy, self._now),
        )
        self._tell(manifests=len(inventory.manifests))
        self._tally.add(
            name,
            (tag for tag, _ in inventory.tags),
            (manifest.digest for manifest in inventory.manifests),
        )
        return inventory

    def _may_delete(self, name: str) -> bool:
        return (self._chosen is None or name in self._chosen) and self._policy.may_delete(name)

    async def _read(
        self, inventory: RepositoryInventory
    ) -> Mapping[str, Content | UnreadableContentError]:
        """Return the contents of all manifests; empty ones where nothing can be deleted."""
        name = inventory.repository
        digests = [manifest.digest for manifest in inventory.manifests]
        exempt = self._exempt(name)
        if not inventory.tags_read or not may_condemn(inventory, self._policy, exempt, self._now):
            return dict.fromkeys(digests, Content("", 0))
        return await self._contents.read(name, digests, lambda count: self._tell(read=count))

    async def _short_list(self, name: str, named: Mapping[str, str]) -> str:
        """Return what shows that the list of manifests lacks some; empty when nothing does.

        Args:
            name: The repository's name.
            named: Digests that are not listed, each with a manifest that names it.
        """
        unlisted = iter(named.items())
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

        await asyncio.gather(*(work() for _ in range(_LOOKS_AT_ONCE)))
        return problems[0] if problems else ""

    def _exempt(self, name: str) -> Exempt:
        return Exempt(
            self._in_use.tags_of(self._registry.name, name),
            self._in_use.digests_of(self._registry.name, name),
        )

    async def _decide(
        self,
        inventory: RepositoryInventory,
        contents: Mapping[str, Content | UnreadableContentError],
    ) -> RepositoryPlan | LeftAlone | None:
        """Return the plan of a repository; None when it is postponed."""
        name = inventory.repository
        unread = unreadable(inventory, contents)
        if 2 * len(unread) > len(inventory.manifests):
            self._storage.keep(inventory.manifests)
            digest, error = next(iter(unread.items()))
            return LeftAlone(
                name,
                f"{len(unread):,} of {len(inventory.manifests):,} manifests could not be read, and"
                f" might need any other; the first is {digest}: {error}",
            )
        inventory = keep_unreadable(inventory, unread)
        read = {
            digest: content if isinstance(content, Content) else Content("", 0)
            for digest, content in contents.items()
        }
        missing = missing_subjects(inventory, read) if inventory.tags_read else frozenset()
        if missing:
            self._postponed[name] = _Postponed(inventory, read, missing)
            return None
        return await self._decide_whole(inventory, read)

    async def _decide_whole(
        self, inventory: RepositoryInventory, read: Mapping[str, Content]
    ) -> RepositoryPlan | LeftAlone:
        name = inventory.repository
        plan = decide(inventory, read, self._policy, self._exempt(name), self._now, self._usage)
        # An orphan is one only if its subject is not merely missing from the list.
        problem = await self._short_list(name, unlisted_subjects(plan, inventory, read))
        if problem:
            self._storage.keep(inventory.manifests)
            self._storage.miss()
            self._usage.skip(name)
            return LeftAlone(name, problem)
        going = {item.digest for item in plan.condemned if item.delete == "manifest"}
        self._storage.keep(one for one in inventory.manifests if one.digest not in going)
        self._storage.condemn((one for one in inventory.manifests if one.digest in going), read)
        known = tuple(
            known_as(manifest.digest)
            for manifest in inventory.manifests
            if manifest.digest not in going
        )
        return evolve(plan, known=known if plan.condemned else ())

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
