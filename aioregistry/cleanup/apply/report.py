"""What became of every item of a plan."""

from typing import Literal

from attrs import frozen

from aioregistry.cleanup.plan.items import Condemned

__all__ = ["CleanupReport", "ItemOutcome", "Status"]

Status = Literal["deleted", "absent", "drift", "failed", "unknown", "not_attempted"]


@frozen
class ItemOutcome:
    """What became of one item of a plan.

    Attributes:
        repository: The repository's name.
        item: The item.
        status: ``deleted``; ``absent``, it was gone already; ``drift``, something changed since
            the plan was made, and it was left alone; ``failed``, the API refused or was not to
            be reached; ``unknown``, a DELETE was sent, and no answer tells whether it was done;
            ``not_attempted``, it was not begun.
        reason: Why, for all but the first two.
    """

    repository: str
    item: Condemned
    status: Status
    reason: str = ""


@frozen(kw_only=True)
class CleanupReport:
    """What became of every item of a plan, by status, each in the order of the plan."""

    deleted: tuple[ItemOutcome, ...] = ()
    absent: tuple[ItemOutcome, ...] = ()
    drift: tuple[ItemOutcome, ...] = ()
    failed: tuple[ItemOutcome, ...] = ()
    unknown: tuple[ItemOutcome, ...] = ()
    not_attempted: tuple[ItemOutcome, ...] = ()

    @property
    def total(self) -> int:
        """How many items there were."""
        settled = (self.deleted, self.absent, self.drift)
        return sum(map(len, (*settled, self.failed, self.unknown, self.not_attempted)))

    @property
    def done(self) -> bool:
        """Whether nothing is left to do, but for what must stay now."""
        return not (self.failed or self.unknown or self.not_attempted)

    def __str__(self) -> str:
        told = (
            (self.deleted, "deleted"),
            (self.absent, "no longer existed"),
            (self.drift, "kept, changed since the plan"),
            (self.failed, "failed"),
            (self.unknown, "unknown"),
            (self.not_attempted, "not attempted"),
        )
        return ", ".join(f"{len(some):,} {what}" for some, what in told if some) or "nothing to do"
