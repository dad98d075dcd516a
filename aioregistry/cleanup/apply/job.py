"""What the repositories of one apply share."""

from collections.abc import Callable

from aioregistry.arguments import Ignored
from aioregistry.bulk.progress import Progress, ProgressReporter
from aioregistry.cleanup.apply.clock import AgeClock
from aioregistry.cleanup.in_use.references import (
    InUse,
    InUseSource,
    can_be_asked_again,
    collect_in_use,
)
from aioregistry.cleanup.in_use.summary import InUseSummary
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.memory.memory import ListMemory
from aioregistry.cleanup.plan.decisions import Exempt
from aioregistry.cleanup.plan.items import Condemned, RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.journal import Journal
from aioregistry.cleanup.records.report import ItemOutcome, Status
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import NotFoundError, RegistryError

__all__ = ["TIME_IS_UP", "Job", "WhatRuns", "exempt_by"]

TIME_IS_UP = "the deadline has passed"
# A process that resumes does not look at these again. What was gone already is looked at: the
# answer may have been wrong.
_FINAL: frozenset[str] = frozenset({"deleted", "drift"})
_CONCURRENCY = 32
# What runs is asked for again after so many seconds, or so many times what asking took: who takes
# longer than that to answer would be asked without end.
_IN_USE_SECONDS = 600.0
_IN_USE_SHARE = 2.0


class WhatRuns:
    """What is in use, and until when that is known.

    Args:
        source: What was given to say it; None when nothing was.
        recorded: What was in use when the plan was made.
        clock: Returns the time.
    """

    def __init__(
        self,
        source: InUse | InUseSource | None,
        recorded: InUseSummary | None,
        clock: AgeClock,
    ) -> None:
        self.found: InUse = InUse.not_given()
        self._source = source
        self._recorded = recorded
        self._clock = clock
        self._can_be_asked_again = can_be_asked_again(source)
        self._asked_at = clock()
        self._holds = _IN_USE_SECONDS

    @property
    def is_due(self) -> bool:
        """Whether it is to be asked again before anything more is deleted."""
        return self._can_be_asked_again and self._clock() - self._asked_at >= self._holds

    async def ask(self) -> None:
        """Ask what is in use.

        Raises:
            InUseError: That cannot be known.
        """
        begun, awake = self._clock(), self._clock.awake()
        self.found = await collect_in_use(self._source, self._recorded)
        self._asked_at = begun
        # A night in which the machine slept does not make it slow to ask.
        self._holds = max(_IN_USE_SECONDS, _IN_USE_SHARE * (self._clock.awake() - awake))


class Job:
    """One apply: what its repositories share, and what has become of its items so far.

    Args:
        registry: The registry.
        plan: The plan.
        contents: Where manifests are read, and where the registry is asked for tags.
        running: What runs; it has been asked.
        clock: Returns the time.
        journal: The open journal; None for none.
        archive: The open archive; None for none.
        memory: Where lists are remembered; None for nowhere.
        deadline: Seconds from now after which nothing more is begun; None for no end.
        on_outcome: Called with each outcome.
        on_progress: Called with a `Progress`.
    """

    def __init__(
        self,
        registry: RegistryHandle,
        plan: Plan,
        contents: ContentSource,
        running: WhatRuns,
        clock: AgeClock,
        *,
        journal: Journal | None,
        archive: Archive | None,
        memory: ListMemory | None,
        deadline: float | None,
        on_outcome: Callable[[ItemOutcome], Ignored] | None,
        on_progress: Callable[[Progress], Ignored] | None,
    ) -> None:
        self.registry: RegistryHandle = registry
        self.plan: Plan = plan
        self.contents: ContentSource = contents
        self.running: WhatRuns = running
        self.journal: Journal | None = journal
        self.archive: Archive | None = archive
        self.memory: ListMemory | None = memory
        self.clock: AgeClock = clock
        # By the time of the event loop.
        self.end: float | None = None if deadline is None else clock.awake() + deadline
        self._end = None if deadline is None else clock() + deadline
        # What became of items, by repository and item.
        self.outcomes: dict[tuple[str, Condemned], ItemOutcome] = {}
        # After it nothing more is begun.
        self.aborted: RegistryError | None = None
        # Whether the registry has answered anything.
        self.is_found: bool = False
        self._on_outcome = on_outcome
        self._progress = None
        if on_progress is not None:
            total = sum(len(one.condemned) for one in plan.repositories)
            self._progress = ProgressReporter(
                on_progress, total, _CONCURRENCY, registry.seconds_for, clock.awake
            )

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

    def was_sent(self, repository: str, item: Condemned) -> bool:
        """Return the same, also where the answer was that the item does not exist."""
        return self.journal is not None and self.journal.was_sent(repository, item)

    def recall(self, repository: RepositoryPlan, item: Condemned) -> bool:
        """Return whether an earlier process has finished an item, and record that."""
        past = None if self.journal is None else self.journal.past(repository.name, item)
        if past is None or past.state not in _FINAL:
            return False
        self._take_in(ItemOutcome(repository.name, item, past.state, past.reason))  # type: ignore[arg-type]
        return True

    def record_checked(self, repository: str) -> None:
        """Record that new images were looked for after the last DELETE in a repository."""
        if self.journal is not None:
            self.journal.record_checked(repository)

    async def record_lost_tag(self, repository: str, tag: str) -> None:
        """Record that a tag that was to stay no longer exists; no later list shows that it did."""
        if self.journal is not None:
            await self.journal.record_lost_tag(repository, tag)

    def is_deleted(self, repository: str, item: Condemned) -> bool:
        """Return whether an item was deleted, by this process or one before it."""
        outcome = self.outcomes.get((repository, item))
        return outcome is not None and outcome.status == "deleted"

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
            raise self.not_found() from None
        self.is_found = True
        return any(repository.name == name for repository in listed)

    def not_found(self) -> NotFoundError:
        """Return the error for a registry that does not exist."""
        # An earlier process may have deleted some of it.
        more = "" if self.journal is None or not self.journal.is_resumed else "more "
        return NotFoundError(
            f"there is no registry {self.registry.name!r}, or none that the token may see; "
            f"nothing {more}was deleted"
        )

    async def ask_what_runs(self) -> None:
        """Ask again what is in use where that was asked some time ago, and can be asked."""
        if self.running.is_due:
            await self.running.ask()

    def time_is_up(self) -> str | None:
        """Return what to say of items that are not begun after the deadline; None before it."""
        return TIME_IS_UP if self._end is not None and self.clock() >= self._end else None

    def _take_in(self, outcome: ItemOutcome, busy: float = 0.0) -> None:
        self.outcomes[outcome.repository, outcome.item] = outcome
        if self._on_outcome is not None:
            self._on_outcome(outcome)
        if self._progress is not None:
            self._progress.count(busy)


def exempt_by(job: Job, inventory: RepositoryInventory) -> Exempt:
    """Return the tags and manifests of a repository that are in use now."""
    where = job.registry.name, inventory.repository
    found = job.running.found
    return Exempt(found.tags_of(*where), found.digests_of(*where, inventory.manifests))
