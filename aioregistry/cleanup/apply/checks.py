"""The check of an item right before its DELETE: looked at, archived, and noted as begun."""

from collections import Counter

from attrs import define, field

from aioregistry.cleanup.apply.batch_archive import BatchArchive
from aioregistry.cleanup.apply.job import Job
from aioregistry.cleanup.apply.last_look import LastLook
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.session.exchange import Verdict

__all__ = ["Batch", "Checks"]

# So often is an item looked at that is out of date each time before its DELETE can be sent.
_LOOKS = 3


@define
class Batch:
    """One batch: the lists that it goes by, and the looks at its items."""

    inventory: RepositoryInventory
    look: LastLook
    archive: BatchArchive | None = None
    # Items that wait until what runs is known again.
    paused: set[Condemned] = field(factory=set)


class Checks:
    """The checks of one repository's items.

    Args:
        job: What the repository shares with others.
        repository: Its name.
    """

    def __init__(self, job: Job, repository: str) -> None:
        self._job = job
        self._repository = repository
        self._begun: dict[str, float] = {}
        # How often each was looked at in vain.
        self._outdated: Counter[Condemned] = Counter()

    def seconds_since(self, item: Condemned) -> float:
        """Return how long ago the check of an item was begun; 0 where there was none."""
        now = self._job.clock.awake()
        return now - self._begun.get(item.name, now)

    async def check(self, item: Condemned, batch: Batch) -> Verdict | None:
        """Look at an item right before its DELETE, and write down that it is begun.

        Returns:
            Why it must not be deleted; None to delete it.

        Raises:
            JournalError: The journal or the archive cannot be written.
            ClientClosedError: The client is closed.
        """
        journal = self._job.journal
        self._begun[item.name] = self._job.clock.awake()
        while True:
            begun_at = self._job.clock()
            if (verdict := await self._look_at(item, batch)) is not None:
                return verdict
            if journal is not None:
                await journal.begin(self._repository, item)
                journal = None
            # The registry and the disk may have taken their time, and the machine may have slept.
            if batch.look.holds(item, begun_at) and not self._job.running.is_due:
                return None
            self._outdated[item] += 1
            if self._outdated[item] >= _LOOKS:
                return Verdict("cannot_tell", "looking at it, or writing it down, takes too long")

    async def _look_at(self, item: Condemned, batch: Batch) -> Verdict | None:
        if (why := self._job.time_is_up()) is not None:
            return Verdict("cannot_tell", why)
        if self._job.running.is_due:
            batch.paused.add(item)
            return Verdict("cannot_tell", "what is in use is to be asked again")
        if batch.archive is not None:
            # The disk is waited for while the registry is.
            batch.archive.start(item)
        verdict = await batch.look.verdict(item)
        if verdict is None and batch.archive is not None:
            verdict = await batch.archive.keep(item, batch.look.gone_tags.pop(item, ()))
        return verdict
