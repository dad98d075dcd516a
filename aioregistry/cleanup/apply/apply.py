"""Carrying out a plan: each item is looked at again, journaled, and deleted after what needs it."""

import asyncio
from collections.abc import AsyncIterable, Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import TypeVar

from aioregistry.arguments import Ignored, Several, plain_callback
from aioregistry.bulk.progress import Progress, ProgressReporter
from aioregistry.cleanup.apply.caps import Caps
from aioregistry.cleanup.apply.repository import RepositoryJob
from aioregistry.cleanup.in_use.references import (
    InUse,
    InUseSource,
    Use,
    can_be_asked_again,
    collect_in_use,
)
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.memory.memory import ListMemory
from aioregistry.cleanup.memory.opening import open_memory
from aioregistry.cleanup.plan.file import PlanFileError
from aioregistry.cleanup.plan.items import Condemned, RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.journal import Journal, JournalError
from aioregistry.cleanup.records.report import CleanupReport, ItemOutcome, Status
from aioregistry.cleanup.records.store import JournalStore
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import ClientClosedError, NotFoundError, RegistryError
from aioregistry.oci.references import Reference
from aioregistry.ratelimit.priority import bulk_work
from aioregistry.session.origins import canonical_origin

__all__ = ["apply_plan"]

T = TypeVar("T")

# A process that resumes does not look at these again. What was gone already is looked at: the
# answer may have been wrong.
_FINAL: frozenset[str] = frozenset({"deleted", "drift"})
_CONCURRENCY = 32
_TIME_IS_UP = "the deadline has passed"
_GRACE_SECONDS = 5.0
# What runs is asked for again after so many seconds.
_IN_USE_SECONDS = 600.0


async def apply_plan(
    registry: RegistryHandle,
    plan: Plan,
    contents: ContentSource,
    *,
    journal: Path | JournalStore | None = None,
    archive: Path | JournalStore | None = None,
    resume: bool = False,
    caps: Caps | None = None,
    force: bool = False,
    in_use: InUse
    | Several[Use | Reference | str]
    | AsyncIterable[Use | Reference | str]
    | None = None,
    deadline: float | None = None,
    memory: ListMemory | bool = True,
    on_outcome: Callable[[ItemOutcome], Ignored] | None = None,
    on_progress: Callable[[Progress], Ignored] | None = None,
) -> CleanupReport:
    """Delete the items of a plan, except those that changed since it was made.

    Before the first DELETE in a repository, and again after each `batch_size` of them, its
    manifests and tags are listed. Right before each DELETE the registry itself is asked, which
    costs none of the API's quota: where the item's tags point (``HEAD``), and which tags are new
    (``GET …/tags/list``, at most 30 seconds old); what a new tag needs is kept. An item that cannot
    be looked at is not deleted. An index is deleted before its children, and what an item that
    could not be deleted needs is kept. After the last DELETE the tags are read once more.

    ::

        report = await apply_plan(registry, plan, ContentReader(distribution), journal=path)
        print(report)

    Args:
        registry: The registry.
        plan: The plan.
        contents: Where manifests are read, and where the registry is asked for tags.
        journal: A file, or a `JournalStore`, in which every DELETE is noted before it is sent; with
            it a process that was killed can be resumed. None, the default, for no journal.
        archive: A file, or a `JournalStore`, in which the document and the tags of each item are
            kept before its DELETE is sent, for `undo`; it grows from run to run. None, the default,
            for no archive. An item whose document cannot be read is not deleted.
        resume: Whether the journal of an earlier process is continued. False by default.
        caps: The limits on how much may be deleted; None, the default, for those of the plan, and
            half of each repository's tags.
        force: Whether the plan may exceed `Caps.max_fraction`. False by default.
        in_use: The images that run somewhere now. A source that says it each time anew, as
            `ClusterInUse`, is asked again every ten minutes; where it cannot tell then, nothing
            more is deleted. None, the default, for those that the plan recorded, with a warning in
            the log.
        deadline: Seconds after which no further DELETE is sent; None, the default, for no end.
        memory: Where lists are remembered between runs, see `make_plan`: those that turn out to be
            out of date are forgotten, and what is left is remembered. True by default.
        on_outcome: Called with each `ItemOutcome` as soon as it is known.
        on_progress: Called with a `Progress`, at most ten times a second.

    Returns:
        What became of every item, those that an earlier process finished included; and the images
        that were pushed in the moment in which a part of them was deleted.

    Raises:
        CapExceededError: The plan exceeds its limits; nothing was sent.
        JournalError: The journal cannot be used, and nothing was sent; or it cannot be written any
            more, and nothing more was sent: then its `report` has what became of every item. An
            `ArchiveError` where it is the archive.
        InUseError: What is in use cannot be read; nothing was sent.
        NotFoundError: There is no such registry; nothing was deleted.
        PlanFileError: The plan is for another registry of this name; nothing was deleted.
        ClientClosedError: The client is closed.
        ValueError: The plan is for a registry of another name, or `resume` is without a journal.
    """
    on_outcome = plain_callback("on_outcome", on_outcome)
    on_progress = plain_callback("on_progress", on_progress)
    if plan.registry != registry.name:
        raise ValueError(f"the plan is for {plan.registry!r}, not for {registry.name!r}")
    if resume and journal is None:
        raise ValueError("resume needs the journal of the process that was interrupted")
    (Caps() if caps is None else caps).check(plan, force=force)
    running = await collect_in_use(in_use, plan.in_use)
    _check_addresses(registry, plan, contents)
    journaling = nullcontext() if journal is None else Journal(journal, plan, resume=resume)
    archiving = nullcontext() if archive is None else Archive(archive, plan.registry)
    report = None
    with open_memory(memory, plan.registry, contents) as remembered:
        try:
            async with journaling as opened, archiving as kept:
                job = _Job(
                    registry,
                    plan,
                    contents,
                    opened,
                    kept,
                    remembered,
                    running,
                    in_use if can_be_asked_again(in_use) else None,
                    deadline,
                    on_outcome,
                    on_progress,
                    Random(),  # noqa: S311, nobody is to guess it wrong
                )
                # Its lists and credentials give way to people, too.
                with bulk_work():
                    report = await job.run()
        except JournalError as error:
            error.report = report
            raise
        if remembered is not None:
            await _forget(report, plan, remembered)
    return report


async def _forget(report: CleanupReport, plan: Plan, memory: ListMemory) -> None:
    """Have the next plan list repositories of which remembered lists turned out to be old."""
    recalled = {repository.name for repository in plan.repositories if repository.recalled}
    await memory.forget(*recalled.intersection(outcome.repository for outcome in report.drift))


def _check_addresses(registry: RegistryHandle, plan: Plan, contents: ContentSource) -> None:
    """Raise `PlanFileError` for a plan that was made at other addresses."""
    for server, made_for, here in (
        ("API", plan.api_url, registry.api_url),
        ("registry", plan.registry_url, contents.registry_url),
    ):
        if made_for is None or here is None:
            continue
        if canonical_origin(here) != canonical_origin(made_for):
            raise PlanFileError(
                f"the plan was made with the {server} at {made_for}, and this one is at {here}:"
                " make a plan for it"
            )


class _Job:
    """One apply: what its repositories share."""

    def __init__(
        self,
        registry: RegistryHandle,
        plan: Plan,
        contents: ContentSource,
        journal: Journal | None,
        archive: Archive | None,
        memory: ListMemory | None,
        in_use: InUse,
        source: InUse | InUseSource | None,
        deadline: float | None,
        on_outcome: Callable[[ItemOutcome], Ignored] | None,
        on_progress: Callable[[Progress], Ignored] | None,
        random: Random,
    ) -> None:
        clock = asyncio.get_running_loop().time
        self.registry = registry
        self.plan = plan
        self.contents = contents
        self.journal = journal
        self.archive = archive
        self.memory = memory
        self.in_use = in_use
        self.clock = clock
        self.aborted: RegistryError | None = None
        # Whether the registry has answered anything.
        self.is_found = False
        self._source = source
        self._asked_at = clock()
        self._random = random
        self._end = None if deadline is None else clock() + deadline
        self._on_outcome = on_outcome
        self._outcomes: dict[tuple[str, Condemned], ItemOutcome] = {}
        self._repositories: list[RepositoryJob] = []
        self._progress = None
        if on_progress is not None:
            total = sum(len(one.condemned) for one in plan.repositories)
            self._progress = ProgressReporter(
                on_progress, total, _CONCURRENCY, registry.seconds_for, clock
            )

    async def run(self) -> CleanupReport:
        """Record what becomes of every item, and return the report."""
        try:
            # What is under way at the deadline may end; what waits for quota may not wait on.
            end = None if self._end is None else self._end + _GRACE_SECONDS
            async with asyncio.timeout_at(end) as timeout:
                await self._run_repositories()
        except TimeoutError:
            if not timeout.expired():
                raise
        lists: dict[Status, list[ItemOutcome]] = {}
        for key in self.plan.condemned:
            if key not in self._outcomes:
                was_sent = self.may_have_sent(*key)
                self.record(*key, "unknown" if was_sent else "not_attempted", _TIME_IS_UP)
            outcome = self._outcomes[key]
            lists.setdefault(outcome.status, []).append(outcome)
        return CleanupReport(
            **{status: tuple(some) for status, some in lists.items()},
            incomplete=tuple(
                one for each in self._repositories for one in each.lacking.found.values()
            ),
            unchecked=tuple(each.name for each in self._repositories if not each.is_checked),
        )

    async def _check_registry(self) -> None:
        """Raise unless the plan was made for this registry, and not for another of its name.

        What cannot be found out aborts everything.
        """
        made_for = self.plan.created_at
        if made_for is None or self.is_found or self.aborted is not None:
            return
        try:
            created_at = (await self.registry.get()).created_at
        except NotFoundError as error:
            if not error.is_certain:
                raise
            raise self._not_found() from None
        except ClientClosedError:
            raise
        except RegistryError as error:
            self.aborted = error
            return
        if created_at != made_for:
            raise PlanFileError(
                f"the plan is for a registry {self.plan.registry!r} that was created at"
                f" {made_for}, and this one was created at {created_at or 'an unknown time'}:"
                " make a plan for it"
            )
        self.is_found = True

    def _not_found(self) -> NotFoundError:
        return NotFoundError(
            f"there is no registry {self.registry.name!r}, or none that the token may see; "
            "nothing was deleted"
        )

    async def _run_repositories(self) -> None:
        for repository in self.turn(self.plan.repositories):
            pending = [item for item in repository.condemned if not self._recall(repository, item)]
            journal = self.journal
            if pending or (journal is not None and journal.is_unchecked(repository.name)):
                await self._check_registry()
                self._repositories.append(RepositoryJob(self, repository, pending))
                await self._repositories[-1].run()

    def turn(self, things: Sequence[T]) -> Sequence[T]:
        """Return things from some place on, and the rest after them.

        Several processes that apply one plan begin at different places, and meet what the others
        have done, in place of doing the same at the same time.
        """
        start = self._random.randrange(len(things)) if things else 0
        return [*things[start:], *things[:start]]

    def record(
        self, repository: str, item: Condemned, status: Status, reason: str, busy: float = 0.0
    ) -> None:
        """Record what became of an item."""
        if self.journal is not None:
            self.journal.record(repository, item, status, reason)
        self._take_in(ItemOutcome(repository, item, status, reason), busy)

    def may_have_sent(self, repository: str, item: Condemned) -> bool:
        """Return whether an earlier process may have sent a DELETE whose outcome is unknown."""
        return self.journal is not None and self.journal.may_have_sent(repository, item)

    def record_checked(self, repository: str) -> None:
        """Record that new images were looked for after the last DELETE in a repository."""
        if self.journal is not None:
            self.journal.record_checked(repository)

    async def repository_exists(self, name: str) -> bool:
        """Return whether the API lists a repository.

        Raises:
            NotFoundError: There is no such registry.
            RegistryError: Any other of its kinds.
        """
        try:
            listed = await self.registry.repositories().collect(require_complete=True)
        except NotFoundError as error:
            if not error.is_certain:
                raise
            if self.is_found:
                # It went with all that was in it.
                return False
            raise self._not_found() from None
        self.is_found = True
        return any(repository.name == name for repository in listed)

    def is_deleted(self, repository: str, item: Condemned) -> bool:
        """Return whether an item was deleted, by this process or one before it."""
        outcome = self._outcomes.get((repository, item))
        return outcome is not None and outcome.status == "deleted"

    async def ask_what_runs(self) -> None:
        """Ask again what is in use where that was asked some time ago, and can be asked."""
        if self._source is None or self.clock() - self._asked_at < _IN_USE_SECONDS:
            return
        begun = self.clock()
        self.in_use = await collect_in_use(self._source, self.plan.in_use)
        self._asked_at = begun

    def time_is_up(self) -> str | None:
        """Return what to say of items that are not begun after the deadline; None before it."""
        return _TIME_IS_UP if self._end is not None and self.clock() >= self._end else None

    def _recall(self, repository: RepositoryPlan, item: Condemned) -> bool:
        """Return whether an earlier process has finished an item."""
        past = None if self.journal is None else self.journal.past(repository.name, item)
        if past is None or past.state not in _FINAL:
            return False
        self._take_in(ItemOutcome(repository.name, item, past.state, past.reason))  # type: ignore[arg-type]
        return True

    def _take_in(self, outcome: ItemOutcome, busy: float = 0.0) -> None:
        self._outcomes[outcome.repository, outcome.item] = outcome
        if self._on_outcome is not None:
            self._on_outcome(outcome)
        if self._progress is not None:
            self._progress.count(busy)
