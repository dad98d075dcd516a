"""What became of each item of a bulk delete, and of all of them."""

from collections.abc import Iterable, Sequence
from typing import Literal, Self

from attrs import frozen

from aioregistry.errors import RegistryError
from aioregistry.session.exchange import Verdict

__all__ = ["BulkDeleteError", "DeletionReport", "Outcome", "Status"]

Status = Literal["deleted", "absent", "failed", "unknown", "not_attempted"]


@frozen
class Outcome:
    """What became of one item of a bulk delete.

    Attributes:
        index: The item's place in the input, from 0.
        name: The tag or digest, as given.
        status: ``deleted``; ``absent``, it was not there; ``failed``, the API refused or was
            not to be reached; ``unknown``, a DELETE was sent, and no answer tells whether it was
            done; ``not_attempted``, it was not begun.
        error: Why, for the last three.
        verdict: The verdict of the check that had the DELETE not be sent (again); None where none
            did. ``gone`` is ``absent``; the others are ``not_attempted``; all are ``unknown`` where
            an earlier DELETE of the item may have been carried out.
        attempts: How often the DELETE was sent.
    """

    index: int
    name: str
    status: Status
    error: RegistryError | None = None
    attempts: int = 0
    verdict: Verdict | None = None


@frozen
class DeletionReport:
    """All outcomes of a bulk delete, by status, each in the order of the input."""

    deleted: tuple[Outcome, ...] = ()
    absent: tuple[Outcome, ...] = ()
    failed: tuple[Outcome, ...] = ()
    unknown: tuple[Outcome, ...] = ()
    not_attempted: tuple[Outcome, ...] = ()

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "DeletionReport":
        """Return the report of `outcomes`, which may come in any order."""
        lists: dict[Status, list[Outcome]] = {}
        for outcome in sorted(outcomes, key=lambda outcome: outcome.index):
            lists.setdefault(outcome.status, []).append(outcome)
        return cls(**{status: tuple(found) for status, found in lists.items()})

    def raise_for_failures(self) -> None:
        """Raise `BulkDeleteError` unless every item is deleted or was absent."""
        bad = (*self.failed, *self.unknown, *self.not_attempted)
        if not bad:
            return
        # One error that stopped many items counts once.
        errors = {id(outcome.error): outcome.error for outcome in bad if outcome.error}
        counts = ", ".join(
            f"{len(found)} {what}"
            for found, what in (
                (self.failed, "failed"),
                (self.unknown, "unknown"),
                (self.not_attempted, "not attempted"),
            )
            if found
        )
        error = BulkDeleteError(
            f"{counts}; the first is {bad[0].name!r}", [*errors.values()] or [RegistryError(counts)]
        )
        error.report = self
        raise error


class BulkDeleteError(ExceptionGroup[RegistryError], RegistryError):  # type: ignore[override]
    """Some items of a bulk delete were not deleted.

    Attributes:
        report: The `DeletionReport` that it was raised for; None on a part that was split off.
    """

    report: DeletionReport | None = None

    def __init__(self, message: str, errors: Sequence[RegistryError]) -> None:
        # A group has its message and its errors from __new__, and guards them.
        Exception.__init__(self, message, errors)

    __str__ = ExceptionGroup.__str__

    def derive(self, excs: Sequence[RegistryError]) -> Self:  # type: ignore[override]
        """Return the same error around a part of its exceptions (for ``except*``)."""
        return type(self)(self.message, excs)
