"""What became of every item of a plan."""

from typing import Literal

from attrs import frozen

from aioregistry.cleanup.plan.items import Condemned

__all__ = ["CleanupReport", "Incomplete", "ItemOutcome", "Status"]

Status = Literal["deleted", "absent", "drift", "failed", "unknown", "not_attempted"]


@frozen
class ItemOutcome:
    """What became of one item of a plan.

    Attributes:
        repository: The repository's name.
        item: The item.
        status: ``deleted``; ``absent``, it did not exist any more; ``drift``, something changed
            since the plan was made, and it was kept; ``failed``, the API refused the DELETE or
            could not be reached; ``unknown``, a DELETE was sent, and no answer shows whether it
            was carried out; ``not_attempted``, no DELETE was sent.
        reason: Why, for all but the first two.
    """

    repository: str
    item: Condemned
    status: Status
    reason: str = ""


@frozen
class Incomplete:
    """An image that was pushed or tagged in the moment in which it, or a part of it, was deleted.

    Attributes:
        repository: The repository's name.
        image: The tag of the image, or its digest where it has none.
        missing: The digests of the deleted manifests that it needs. Until the next garbage
            collection, pushing the image again brings them back. Empty where the tag itself no
            longer exists, although it was to stay: it was moved to a manifest that was just then
            deleted, or somebody else deleted it.
    """

    repository: str
    image: str
    missing: tuple[str, ...]

    def __str__(self) -> str:
        if self.missing:
            return f"{self.repository}:{self.image}: lacks {', '.join(self.missing)}"
        return (
            f"{self.repository}:{self.image}: the tag no longer exists; it may have been moved to a"
            " manifest that was just then deleted"
        )


@frozen(kw_only=True)
class CleanupReport:
    """What became of every item of a plan, by status, each in the order of the plan.

    Attributes:
        incomplete: Images that were pushed in the moment in which a part of them was deleted.
        unchecked: Repositories whose tags could not be read after the last DELETE: images that
            were pushed meanwhile may be incomplete.
    """

    deleted: tuple[ItemOutcome, ...] = ()
    absent: tuple[ItemOutcome, ...] = ()
    drift: tuple[ItemOutcome, ...] = ()
    failed: tuple[ItemOutcome, ...] = ()
    unknown: tuple[ItemOutcome, ...] = ()
    not_attempted: tuple[ItemOutcome, ...] = ()
    incomplete: tuple[Incomplete, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many items there were."""
        final = (self.deleted, self.absent, self.drift)
        return sum(map(len, (*final, self.failed, self.unknown, self.not_attempted)))

    @property
    def done(self) -> bool:
        """Whether nothing is left to do, but for what must be kept now, and nothing was damaged."""
        return not (
            self.failed or self.unknown or self.not_attempted or self.incomplete or self.unchecked
        )

    def __str__(self) -> str:
        counted = (
            (self.deleted, "deleted"),
            (self.absent, "no longer existed"),
            (self.drift, "kept, changed since the plan"),
            (self.failed, "failed"),
            (self.unknown, "unknown"),
            (self.not_attempted, "not attempted"),
            (self.incomplete, "pushed meanwhile and incomplete"),
            (self.unchecked, "repositories not checked for pushes meanwhile"),
        )
        return ", ".join(f"{len(some):,} {what}" for some, what in counted if some) or (
            "nothing to do"
        )
