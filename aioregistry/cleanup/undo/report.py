"""What became of each manifest and tag of an undo."""

from collections.abc import Iterable
from typing import Literal

from attrs import frozen

from aioregistry.api.documents import Document
from aioregistry.errors import RegistryError

__all__ = ["UndoError", "UndoOutcome", "UndoReport", "UndoStatus"]

UndoStatus = Literal["restored", "present", "moved", "lost", "failed", "not_attempted"]


class UndoError(RegistryError):
    """Not everything came back; `report` has what became of each manifest and tag.

    Attributes:
        report: The report.
    """

    report: "UndoReport"


@frozen
class UndoOutcome(Document):
    """What became of one manifest or tag.

    Attributes:
        repository: The repository's name.
        name: The tag, or the manifest's digest.
        digest: The manifest's digest.
        status: ``restored``; ``present``: it existed; ``moved``: the tag points elsewhere now,
            and was left alone; ``lost``: a garbage collection has removed a part of it;
            ``failed``: the registry refused it, or could not be reached; ``not_attempted``: the
            undo ended before it, or a part that it needs did not come back.
        reason: Why, for the last four.
        missing: The digests of the blobs and manifests that it needs and that no longer exist, for
            ``lost``.
    """

    repository: str
    name: str
    digest: str
    status: UndoStatus
    reason: str = ""
    missing: tuple[str, ...] = ()

    @property
    def is_tag(self) -> bool:
        """Whether this is a tag."""
        return self.name != self.digest


@frozen
class UndoReport(Document):
    """All outcomes of an undo, by status, in the order in which they became known."""

    restored: tuple[UndoOutcome, ...] = ()
    present: tuple[UndoOutcome, ...] = ()
    moved: tuple[UndoOutcome, ...] = ()
    lost: tuple[UndoOutcome, ...] = ()
    failed: tuple[UndoOutcome, ...] = ()
    not_attempted: tuple[UndoOutcome, ...] = ()

    @classmethod
    def of(cls, outcomes: Iterable[UndoOutcome]) -> "UndoReport":
        """Return the report of some outcomes."""
        lists: dict[UndoStatus, list[UndoOutcome]] = {}
        for outcome in outcomes:
            lists.setdefault(outcome.status, []).append(outcome)
        return cls(**{status: tuple(found) for status, found in lists.items()})

    @property
    def is_complete(self) -> bool:
        """Whether every manifest and tag is back; a tag that moved meanwhile counts as such."""
        return not (self.lost or self.failed or self.not_attempted)

    def raise_for_failures(self) -> None:
        """Raise `UndoError` unless everything is back."""
        bad = (*self.lost, *self.failed, *self.not_attempted)
        if bad:
            first = bad[0]
            error = UndoError(
                f"{len(bad)} of {len(bad) + len(self.restored) + len(self.present)} manifests and "
                f"tags did not come back; the first is {first.name!r} in {first.repository!r}: "
                f"{first.reason}"
            )
            error.report = self
            raise error
