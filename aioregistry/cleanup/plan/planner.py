"""Planning one repository after the other: lists, contents, decisions."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime

from attrs import evolve, frozen

from aioregistry.arguments import Ignored
from aioregistry.cleanup.in_use.references import InUse, InUseTally
from aioregistry.cleanup.manifests.content import (
    Content,
    MissingContentError,
    UnreadableContentError,
    naming_others,
)
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.reader import ContentReader, ContentSource
from aioregistry.cleanup.manifests.unreadable import (
    keep_unreadable,
    readable,
    tags_on,
    unlisted_children,
    unreadable,
)
from aioregistry.cleanup.memory.memory import ListMemory
from aioregistry.cleanup.memory.state import RepositoryState
from aioregistry.cleanup.memory.times import RememberedTimes
from aioregistry.cleanup.plan.bounds import (
    could_condemn,
    decides_alike,
    has_own_rules_only,
    keeps_so_many,
    may_condemn,
)
from aioregistry.cleanup.plan.decisions import (
    Exempt,
    decide,
    keep_all,
    missing_subjects,
    unlisted_subjects,
)
from aioregistry.cleanup.plan.items import LeftAlone, PlanProgress, RepositoryPlan, known_as
from aioregistry.cleanup.plan.lists import RepositoryLists
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.plan.storage import Storage, subjects_among
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.releases import Release
from aioregistry.cleanup.policy.usage import RuleUsage
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import (
    InvalidNameError,
    InvalidResponseError,
    NotFoundError,
    PartialListingError,
    PreconditionFailedError,
    RegistryTimeoutError,
    ServerError,
)
from aioregistry.oci.fan_out import for_each

__all__ = ["Planner"]

_REPOSITORIES_AT_ONCE = 2
# A repository whose lists turn out to be out of date is listed so often in all.
_LISTINGS = 2
# Stands for what no manifest says where nothing can be deleted.
_NOT_READ = Content("", 0)
# What may be wrong with one repository alone. Any other error is everybody's, and ends the job.
_OF_ONE_REPOSITORY = (
    PartialListingError,
    ServerError,
    InvalidNameError,
    InvalidResponseError,
    RegistryTimeoutError,
)


async def creation_time(registry: RegistryHandle) -> datetime | None:
    """Return when a registry was created; None where the API does not say."""
    try:
        return (await registry.get()).created_at
    except (NotFoundError, PreconditionFailedError):
        return None


@frozen
class _Undecided:
    """A repository that is listed and read.

    Attributes:
        inventory: Its manifests and tags.
        contents: What each manifest says.
        naming: The same of those that name others.
        missing: The `subject_key` of each subject that it lacks.
    """

    inventory: RepositoryInventory
    contents: Mapping[str, Content]
    naming: Mapping[str, Content]
    missing: frozenset[str]


class Planner:
    """Makes one plan: see `make_plan` for what it is given."""

    def __init__(
        self,
        registry: RegistryHandle,
        policy: Policy,
        contents: ContentSource,
        in_use: InUse,
        chosen: Collection[str],
        states: Mapping[str, RepositoryState | None],
        memory: ListMemory | None,
        now: datetime,
        estimates: bool,
        on_progress: Callable[[PlanProgress], Ignored] | None,
    ) -> None:
        self._registry = registry
        self._policy = policy
        self._contents = contents
        self._in_use = in_use
        self._tally = InUseTally(in_use, registry.name)
        self._usage = RuleUsage(policy.rules)
        self._chosen = frozenset(chosen)
        self._states = states
        self._memory = memory
        self._now = now
        self._estimates = estimates
        self._on_progress = on_progress
        self._progress = PlanProgress()
        self._storage = Storage()
        self._lists = RepositoryLists(registry, contents, states, memory, self._is_enough)
        # Repositories with referrers without a subject: decided when all others are listed.
        self._postponed: dict[str, _Undecided] = {}
        self._all_listed = True

    async def plan(self, names: list[str], *, full: bool) -> Plan:
        """Return the plan for all repositories of the registry.

        Args:
            names: The repositories.
            full: Whether nothing that is remembered is used.
        """
        self._tell(of=len(names))
        created_at = await creation_time(self._registry)
        if self._memory is None:
            planned = await self._plan_all(names)
        else:
            called = f"{self._registry.api_url} {self._registry.name} {created_at}"
            self._memory.begin(called, full=full)
            try:
                planned = await self._plan_all(names)
            finally:
                await self._memory.flush()
            await self._memory.forget_others(frozenset(names))
            await self._memory.end()
        done = [planned[name] for name in names if name in planned]
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
            notes=tuple(self._notes(names)),
            repositories=tuple(plan for plan in done if isinstance(plan, RepositoryPlan)),
            left_alone=tuple(left for left in done if isinstance(left, LeftAlone)),
            frees=self._storage.freed(),
        )

    async def _plan_all(self, names: list[str]) -> dict[str, RepositoryPlan | LeftAlone | None]:
        needless = {name for name in names if self._keeps_all(name)}
        planned = await self._plan_each(name for name in names if name not in needless)
        plans = [one for one in planned.values() if isinstance(one, RepositoryPlan)]
        is_needed = self._postponed or any(plan.condemned for plan in plans)
        if self._estimates and is_needed:
            planned |= await self._plan_each(name for name in names if name in needless)
        else:
            planned |= self._unlisted(needless, is_needed=bool(is_needed))
        for one in self._with_subjects_elsewhere():
            planned[one.inventory.repository] = await self._decide_whole(one)
        return planned

    async def _plan_each(
        self, names: Iterable[str]
    ) -> dict[str, RepositoryPlan | LeftAlone | None]:
        # The largest first, while nothing is planned yet that takes memory, too.
        names = sorted(names, key=self._manifests_of, reverse=True)
        planned: dict[str, RepositoryPlan | LeftAlone | None] = {}
        if isinstance(self._contents, ContentReader):
            self._contents.expect(names)

        async def plan(name: str) -> None:
            planned[name] = await self._plan_repository(name)
            if isinstance(planned[name], LeftAlone):
                self._usage.skip(name)
            self._tell(repositories=1)

        await for_each(plan, names, _REPOSITORIES_AT_ONCE)
        return planned

    def _manifests_of(self, name: str) -> int:
        state = self._states[name]
        return 0 if state is None else state.manifests

    def _keeps_all(self, name: str) -> bool:
        """Return whether nothing of a repository can be deleted, as far as shows unlisted."""
        state = self._states[name]
        return not self._may_delete(name) or (
            state is not None and keeps_so_many(self._policy, name, state.tags, state.manifests)
        )

    def _unlisted(
        self, names: Collection[str], *, is_needed: bool
    ) -> dict[str, RepositoryPlan | LeftAlone | None]:
        """Return the plans of repositories that need not be listed: nothing is deleted there.

        Args:
            names: The repositories.
            is_needed: Whether anything is deleted elsewhere.
        """
        planned: dict[str, RepositoryPlan | LeftAlone | None] = {}
        for name in names:
            self._all_listed = False
            self._tally.skip(name)
            self._usage.skip(name)
            if is_needed:
                self._storage.miss()
            if name in self._chosen:
                state = self._states[name]
                tags, manifests = (0, 0) if state is None else (state.tags, state.manifests)
                planned[name] = RepositoryPlan(name=name, tags=tags, manifests=manifests)
            self._tell(repositories=1)
        return planned

    def _notes(self, names: Collection[str]) -> Iterator[str]:
        yield from self._usage.warnings()
        if not self._chosen.issuperset(names):
            return
        yield from self._usage.notes()
        for pattern in self._policy.exclude:
            if not any(map(pattern.matches, names)):
                yield f"exclude {str(pattern)!r} matches no repository, and so protects none"

    def _with_subjects_elsewhere(self) -> Iterator[_Undecided]:
        """Yield what was postponed, with the subjects that other repositories have."""
        wanted = frozenset[str]().union(*(one.missing for one in self._postponed.values()))
        found = wanted
        if self._all_listed:
            found = self._storage.find(wanted)
            for one in self._postponed.values():
                found |= subjects_among(wanted, one.inventory.manifests)
        for one in self._postponed.values():
            yield evolve(one, inventory=evolve(one.inventory, elsewhere=one.missing & found))

    async def _plan_repository(self, name: str) -> RepositoryPlan | LeftAlone | None:
        problem = ""
        try:
            for attempt in range(_LISTINGS):
                if attempt > 0:
                    await self._lists.forget(name)
                inventory = await self._list(name)
                if not self._may_delete(name):
                    self._storage.keep(inventory.manifests)
                    return keep_all(inventory, "the policy deletes nothing here")
                contents = await self._read(inventory)
                naming = naming_others(contents)
                unlisted = unlisted_children(inventory, naming)
                problem = await self._lists.find_unlisted(name, unlisted)
                kinds = set(map(type, contents.values()))
                missing = any(issubclass(kind, MissingContentError) for kind in kinds)
                if not problem and (not missing or attempt > 0):
                    self._usage.add_lacking(tags_on(inventory, unlisted.values()))
                    return await self._decide(inventory, contents, naming)
        except (NotFoundError, *_OF_ONE_REPOSITORY) as error:
            self._all_listed = False
            if isinstance(error, NotFoundError) and error.is_certain:
                return None
            self._storage.miss()
            self._tally.skip(name)
            return LeftAlone(name, str(error))
        self._storage.keep(inventory.manifests)
        self._storage.miss()
        self._all_listed = False
        return LeftAlone(name, problem)

    async def _list(self, name: str) -> RepositoryInventory:
        may_delete = self._may_delete(name)

        def needs_tags(found: RepositoryInventory) -> bool:
            return may_delete and could_condemn(found, self._policy, self._now)

        inventory = await self._lists.take(name, needs_tags)
        if self._lists.is_recalled(name) and not await self._can_rely_on(inventory):
            await self._lists.forget(name)
            inventory = await self._lists.take(name, needs_tags)
        # What was pushed since to a repository that is remembered may be a subject.
        self._all_listed &= not self._lists.is_recalled(name)
        self._tell(manifests=len(inventory.manifests))
        self._tally.add(name, inventory.manifests)
        return inventory

    def _is_enough(self, times: RememberedTimes) -> bool:
        return decides_alike(times, self._policy, self._exempt(times.inventory), self._now)

    async def _can_rely_on(self, inventory: RepositoryInventory) -> bool:
        """Return whether a remembered inventory is as good as a fresh one for a plan."""
        exempt = self._exempt(inventory)
        if not (inventory.tags_read and may_condemn(inventory, self._policy, exempt, self._now)):
            # It can only keep something a night too long.
            return True
        return has_own_rules_only(self._policy) and await self._lists.still_point_there(inventory)

    def _may_delete(self, name: str) -> bool:
        return name in self._chosen and self._policy.may_delete(name)

    async def _read(
        self, inventory: RepositoryInventory
    ) -> Mapping[str, Content | UnreadableContentError]:
        """Return the contents of all manifests; empty ones where nothing can be deleted."""
        name = inventory.repository
        digests = inventory.by_digest
        exempt = self._exempt(inventory)
        if not inventory.tags_read or not may_condemn(inventory, self._policy, exempt, self._now):
            return dict.fromkeys(digests, _NOT_READ)
        return await self._contents.read(name, digests, lambda count: self._tell(read=count))

    def _exempt(self, inventory: RepositoryInventory) -> Exempt:
        registry, name = self._registry.name, inventory.repository
        return Exempt(
            self._in_use.tags_of(registry, name),
            self._in_use.digests_of(registry, name, inventory.manifests),
        )

    async def _decide(
        self,
        inventory: RepositoryInventory,
        contents: Mapping[str, Content | UnreadableContentError],
        naming: Mapping[str, Content],
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
        read = readable(contents)
        missing = missing_subjects(inventory, naming) if inventory.tags_read else frozenset()
        undecided = _Undecided(inventory, read, naming, missing)
        if missing:
            self._postponed[name] = undecided
            return None
        return await self._decide_whole(undecided)

    async def _decide_whole(self, one: _Undecided) -> RepositoryPlan | LeftAlone:
        inventory, read, name = one.inventory, one.contents, one.inventory.repository
        exempt = self._exempt(inventory)
        decided = decide(inventory, read, self._policy, exempt, self._now, self._usage, one.naming)
        plan, going, staying = decided.plan, decided.going, decided.staying
        # An orphan is one only if its subject is not merely missing from the list.
        unlisted = unlisted_subjects(going, inventory, one.naming)
        problem = await self._lists.find_unlisted(name, unlisted)
        # Either all were read or none.
        if going and read.get(going[0].digest) is _NOT_READ:
            problem = "its manifests were not read, as if nothing of it could be deleted"
        if problem:
            self._storage.keep(inventory.manifests)
            self._storage.miss()
            self._usage.skip(name)
            return LeftAlone(name, problem)
        self._storage.keep(staying)
        self._storage.condemn(going, read)
        known = tuple([known_as(manifest.digest) for manifest in staying])
        if not plan.condemned:
            return plan
        if nearly := Release.nearly(decided.tags_going):
            self._usage.add_versions(name, nearly)
        return evolve(plan, known=known, recalled=self._lists.recalled(inventory))

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
