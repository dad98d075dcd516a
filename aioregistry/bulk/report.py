"""Outcomes of a bulk delete: of each item, and the report of all."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Literal, Self, get_args

from attrs import frozen

from aioregistry.errors import RegistryError
from aioregistry.session.exchange import Verdict

__all__ = ["BulkDeleteError", "DeletionReport", "Outcome", "Status"]

Status = Literal["deleted", "absent", "failed", "unknown", "not_attempted"]


@frozen
class Outcome:
    """The outcome of one item of a bulk delete.

    Attributes:
        index: The item's place in the input, from 0.
        name: The tag or digest, as given.
        status: ``deleted``, the API accepted the DELETE (it may accept one for a tag that never
            existed, too); ``absent``, the item did not exist; ``failed``, the API refused or could
            not be reached; ``unknown``, a DELETE was sent, and no answer shows whether it was
            carried out; ``not_attempted``, no DELETE was sent, or each was refused for the moment
            and the work was cancelled before the next.
        error: Why, for the last three; None for the others.
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

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON values; `error` is the name of its class, beside `message`."""
        error = self.error
        return {
            "index": self.index,
            "name": self.name,
            "status": self.status,
            "error": None if error is None else type(error).__name__,
            "message": None if error is None else str(error),
            "attempts": self.attempts,
        }


@frozen
class DeletionReport:
    """All outcomes of a bulk delete, by status, each in the order of the input.

    Example:
        ```python
        report = await repo.delete_tags(["v1.0.0", "v1.0.1"])
        for outcome in report.failed:
            print(outcome.name, outcome.error)
        report.raise_for_failures()
        ```

    Attributes:
        deleted: Items whose DELETE the API accepted.
        absent: Items that did not exist.
        failed: Items that the API refused, or could not be asked for.
        unknown: Items whose DELETE was sent, and may or may not have been carried out.
        not_attempted: Items for which no DELETE was sent, or none that was not put off.
    """

    deleted: tuple[Outcome, ...] = ()
    absent: tuple[Outcome, ...] = ()
    failed: tuple[Outcome, ...] = ()
    unknown: tuple[Outcome, ...] = ()
    not_attempted: tuple[Outcome, ...] = ()

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "DeletionReport":
        """Return the report of `outcomes`, which may come in any order."""
        lists: dict[Status, list[Outcome]] = {}
        for outcome in sorted(outcomes, key=attrgetter("index")):
            lists.setdefault(outcome.status, []).append(outcome)
        return cls(**{status: tuple(found) for status, found in lists.items()})

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return the report as JSON values: the outcomes by status."""
        return {
            status: [outcome.to_dict() for outcome in getattr(self, status)]
            for status in get_args(Status)
        }

    def raise_for_failures(self) -> None:
        """Raise `BulkDeleteError` unless every item was deleted or did not exist."""
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

    def __str__(self) -> str:
        return ExceptionGroup.__str__(self)

    def derive(self, excs: Sequence[RegistryError]) -> Self:  # type: ignore[override]
        """Return the same error around a part of its exceptions (for ``except*``)."""
        return type(self)(self.message, excs)
