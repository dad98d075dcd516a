"""Carrying out a plan: each item is looked at again, journaled, and deleted after what needs it."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from aioregistry.bulk.progress import Progress, ProgressReporter, check_callback
from aioregistry.bulk.report import DeletionReport, Outcome
from aioregistry.cleanup.apply.caps import Caps
from aioregistry.cleanup.apply.drift import Recheck, recheck
from aioregistry.cleanup.apply.journal import Journal, JournalError
from aioregistry.cleanup.apply.report import CleanupReport, ItemOutcome, Status
from aioregistry.cleanup.in_use.references import InUse, Use, collect_in_use
from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listing import take_inventory
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.plan.decisions import Exempt
from aioregistry.cleanup.plan.items import Condemned, RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan, batch_size
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import (
    AuthenticationError,
    ClientClosedError,
    NotFoundError,
    RegistryError,
)
from aioregistry.oci.references import Reference

__all__ = ["apply_plan"]

# ItemOutcome for good: a process that resumes does not look at these again.
_FINAL: frozenset[str] = frozenset({"deleted", "absent", "drift"})
# After these nothing more is begun.
_HALTING = (AuthenticationError, JournalError)
_CONCURRENCY = 32
_TIME_IS_UP = "the deadline has passed"
_GRACE = 5.0


class _CannotLookError(RegistryError):
    """The registry itself does not say where a tag points now."""


class _GoneError(RegistryError):
    """A tag is not there any more."""


class _DriftError(RegistryError):
    """Something moved since the listing."""


class _DeadlineError(RegistryError):
    """Time is up."""


async def apply_plan(
    registry: RegistryHandle,
    plan: Plan,
    contents: ContentSource,
    *,
    journal: Path | None = None,
    resume: bool = False,
    caps: Caps | None = None,
    force: bool = False,
    in_use: InUse
    | Iterable[Use | Reference | str]
    | AsyncIterable[Use | Reference | str]
    | None = None,
    deadline: float | None = None,
    on_outcome: Callable[[ItemOutcome], object] | None = None,
    on_progress: Callable[[Progress], object] | None = None,
) -> CleanupReport:
    """Delete what a plan condemns, and nothing that changed since it was made.

    Before the first DELETE in a repository, and again after each `batch_size` of them, its
    manifests are listed; right before each DELETE of something with tags, the registry itself is
    asked where they point (``HEAD``, which costs none of the API's quota). Nothing goes while
    something that stays, or goes later, needs it; when something cannot be deleted, what it needs
    stays, too.

    Args:
        registry: The registry.
        plan: The plan.
        contents: Where the contents of manifests are read, and where tags point now.
        journal: A file in which all is noted before it is done; a process that was killed can be
            resumed with it.
        resume: Whether the journal of an earlier process goes on.
        caps: What may go at most; None for half of each repository's tags.
        force: Whether the plan may go over `Caps.max_fraction`.
        in_use: What runs somewhere now.
        deadline: Seconds after which nothing more is begun; None for no end.
        on_outcome: Called with each `ItemOutcome` as soon as it is known.
        on_progress: Called with a `Progress`, ten times a second at most.

    Returns:
        What became of every item, those that an earlier process settled included.

    Raises:
        CapExceededError: The plan is over its caps; nothing was sent.
        JournalError: The journal cannot be used, and nothing was sent; or it cannot be written any
            more, and nothing more was sent: then its `report` tells what became of every item.
        InUseError: What is in use cannot be read; nothing was sent.
        NotFoundError: There is no such registry; nothing was deleted.
        ClientClosedError: The client is closed.
        ValueError: The plan is for another registry, or `resume` is without a journal.
    """
    check_callback("on_outcome", on_outcome)
    check_callback("on_progress", on_progress)
    if plan.registry != registry.name:
        raise ValueError(f"the plan is for {plan.registry!r}, not for {registry.name!r}")
    if resume and journal is None:
        raise ValueError("resume needs the journal of the process that was interrupted")
    (Caps() if caps is None else caps).check(plan, force=force)
    running = await collect_in_use(in_use, plan.in_use)
    writing = nullcontext() if journal is None else Journal(journal, plan, resume=resume)
    report = None
    try:
        async with writing as opened:
            job = _Job(registry, plan, contents, opened, running, deadline, on_outcome, on_progress)
            report = await job.run()
    except JournalError as error:
        error.report = report
        raise
    return report


class _Job:
    def __init__(
        self,
        registry: RegistryHandle,
        plan: Plan,
        contents: ContentSource,
        journal: Journal | None,
        in_use: InUse,
        deadline: float | None,
        on_outcome: Callable[[ItemOutcome], object] | None,
        on_progress: Callable[[Progress], object] | None,
    ) -> None:
        clock = asyncio.get_running_loop().time
        self.registry = registry
        self.plan = plan
        self.contents = contents
        self.journal = journal
        self.in_use = in_use
        self.clock = clock
        self.halted: RegistryError | None = None
        # Whether anything was heard of the registry.
        self.is_found = False
        self._end = None if deadline is None else clock() + deadline
        self._on_outcome = on_outcome
        self._outcomes: dict[tuple[str, Condemned], ItemOutcome] = {}
        self._progress = None
        if on_progress is not None:
            total = sum(1 for _ in plan.condemned)
            self._progress = ProgressReporter(
                on_progress, total, _CONCURRENCY, registry.seconds_for, clock
            )

    async def run(self) -> CleanupReport:
        try:
            # What is under way at the deadline may end; what waits for quota may not wait on.
            async with asyncio.timeout_at(None if self._end is None else self._end + _GRACE) as end:
                await self._run_repositories()
        except TimeoutError:
            if not end.expired():
                raise
        lists: dict[Status, list[ItemOutcome]] = {}
        for key in self.plan.condemned:
            if key not in self._outcomes:
                self.record(*key, "not_attempted", _TIME_IS_UP)
            outcome = self._outcomes[key]
            lists.setdefault(outcome.status, []).append(outcome)
        return CleanupReport(**{status: tuple(some) for status, some in lists.items()})

    async def _run_repositories(self) -> None:
        for repository in self.plan.repositories:
            pending = [item for item in repository.condemned if not self._recall(repository, item)]
            if pending:
                await _Repository(self, repository, pending).run()

    def record(
        self, repository: str, item: Condemned, status: Status, reason: str, busy: float = 0.0
    ) -> None:
        if self.journal is not None:
            self.journal.record(repository, item, status, reason)
        self._tell(ItemOutcome(repository, item, status, reason), busy)

    async def find_registry(self) -> None:
        """Raise `NotFoundError` when what was not found may be the registry, and it is.

        To take that for a repository that is gone would settle all of the plan, for good.
        """
        if self.is_found:
            return
        try:
            await self.registry.repositories().first()
        except NotFoundError:
            raise NotFoundError(
                f"there is no registry {self.registry.name!r}, or none that the token knows; "
                "nothing was deleted"
            ) from None
        self.is_found = True

    def check_time(self) -> None:
        if self._end is not None and self.clock() >= self._end:
            raise _DeadlineError(_TIME_IS_UP)

    def _recall(self, repository: RepositoryPlan, item: Condemned) -> bool:
        """Return whether an earlier process has settled an item for good."""
        past = None if self.journal is None else self.journal.past(repository.name, item)
        if past is None or past.state not in _FINAL:
            return False
        self._tell(ItemOutcome(repository.name, item, past.state, past.reason))  # type: ignore[arg-type]
        return True

    def _tell(self, outcome: ItemOutcome, busy: float = 0.0) -> None:
        self._outcomes[outcome.repository, outcome.item] = outcome
        if self._on_outcome is not None:
            self._on_outcome(outcome)
        if self._progress is not None:
            self._progress.count(busy)


class _Repository:
    """The part of a plan that is one repository's."""

    def __init__(self, job: _Job, plan: RepositoryPlan, pending: Sequence[Condemned]) -> None:
        self._job = job
        self._name = plan.name
        self._pending = dict.fromkeys(pending)
        self._handle = job.registry.repository(plan.name)
        self._known: dict[str, Content] = {}
        # Condemned manifests that may still be there although they were to be deleted.
        self._given_up: set[str] = set()
        self._begun: dict[str, float] = {}
        # Whether the registry itself tells where tags point. If not, a fresh listing has to do.
        self._can_look = True

    async def run(self) -> None:
        """Record what becomes of every item.

        Raises:
            NotFoundError: There is no such registry.
        """
        try:
            await self._run_batches()
        except (ClientClosedError, NotFoundError):
            raise
        except RegistryError as error:
            if isinstance(error, _HALTING):
                self._job.halted = error
            for item in tuple(self._pending):
                self._record(item, "not_attempted", str(error))

    async def _run_batches(self) -> None:
        try:
            while self._pending:
                if self._job.halted is not None:
                    raise self._job.halted
                self._job.check_time()
                await self._run_batch()
        except NotFoundError:
            await self._job.find_registry()
            # The repository is gone, and all that was in it.
            for item in tuple(self._pending):
                self._record_gone(item)

    async def _run_batch(self) -> None:
        job = self._job
        inventory = await take_inventory(job.registry, self._name, needs_tags=lambda _: False)
        job.is_found = True
        await self._read(inventory)
        exempt = Exempt(
            job.in_use.tags_of(job.registry.name, self._name),
            job.in_use.digests_of(job.registry.name, self._name),
        )
        look = recheck(
            self._pending,
            inventory,
            self._known,
            exempt,
            given_up=self._given_up,
            floor=job.plan.floor,
        )
        for item in look.absent:
            self._record_gone(item)
        for item, why in look.drifted:
            self._record(item, "drift", why)
        for item, why in look.blocked:
            self._record(item, "not_attempted", why)
        await self._delete(look, batch_size(len(inventory.manifests)))

    async def _read(self, inventory: RepositoryInventory) -> None:
        """Read what manifests say that nobody has read yet; what cannot be read may need all."""
        unknown = [one.digest for one in inventory.manifests if one.digest not in self._known]
        if not unknown:
            return
        found = await self._job.contents.read(self._name, unknown)
        for digest in unknown:
            content = found.get(digest)
            if not isinstance(content, Content):
                raise RegistryError(
                    f"{digest} could not be read, and might need what would go: "
                    f"{content or 'no content'}"
                )
            self._known[digest] = content

    async def _delete(self, look: Recheck, most: int) -> None:
        tags = look.tags[:most]
        if tags:
            await self._send(self._handle.delete_tags, tags)
        left = most - len(tags)
        stays: dict[str, str] = {}
        for wave in look.waves:
            here = [item for item in wave if item.digest not in stays][:left]
            if not here or self._job.halted is not None:
                return
            left -= len(here)
            await self._send(self._handle.delete_manifests, here)
            # What did not go, for whatever reason, keeps what it needs.
            still = [item.digest for item in here if not self._has_gone(item)]
            stays |= look.graph.reached_from(still)

    async def _send(
        self,
        delete: Callable[..., Awaitable[DeletionReport]],
        items: Sequence[Condemned],
    ) -> None:
        by_name: Mapping[str, Condemned] = {item.name: item for item in items}

        async def check(name: str) -> None:
            await self._check(by_name[name])

        def tell(outcome: Outcome) -> None:
            self._take_in(by_name[outcome.name], outcome)

        await delete(list(by_name), tell, check=check)

    async def _check(self, item: Condemned) -> None:
        """Look at an item right before its DELETE, and write down that it is begun."""
        self._job.check_time()
        self._begun[item.name] = self._job.clock()
        for tag in item.tags if self._can_look else ():
            try:
                now = await self._job.contents.current_digest(self._name, tag)
            except ClientClosedError:
                raise
            except RegistryError as error:
                raise _CannotLookError(str(error)) from error
            if now is None and item.delete == "tag":
                raise _GoneError("it is gone")
            if now not in {None, item.digest}:
                raise _DriftError(f"the tag {tag} moved to {now}")
        if self._job.journal is not None:
            await self._job.journal.begin(self._name, item)

    def _take_in(self, item: Condemned, outcome: Outcome) -> None:
        """Take in what became of a DELETE."""
        error = outcome.error
        busy = self._job.clock() - self._begun.get(item.name, self._job.clock())
        # An attempt before this look may have been done.
        unsettled = outcome.status == "unknown"
        match error:
            case _CannotLookError() if not unsettled:
                # It is left pending, for the next look by a listing.
                self._can_look = False
            case _GoneError():
                self._record(item, "deleted" if unsettled else "absent")
            case _DriftError() if not unsettled:
                self._record(item, "drift", error.message)
            case _:
                if isinstance(error, _HALTING):
                    self._job.halted = error
                reason = "" if error is None else str(error)
                self._record(item, outcome.status, reason, busy)

    def _record_gone(self, item: Condemned) -> None:
        """Record an item that is not there: an earlier process may have begun to delete it."""
        journal = self._job.journal
        past = None if journal is None else journal.past(self._name, item)
        begun = past is not None and past.state in {"begun", "unknown"}
        self._record(item, "deleted" if begun else "absent")

    def _has_gone(self, item: Condemned) -> bool:
        return item not in self._pending and item.digest not in self._given_up

    def _record(self, item: Condemned, status: Status, reason: str = "", busy: float = 0.0) -> None:
        del self._pending[item]
        if item.delete == "manifest" and status not in {"deleted", "absent"}:
            self._given_up.add(item.digest)
        self._job.record(self._name, item, status, reason, busy)
