"""What became of every item of a plan."""

from collections.abc import Iterator
from typing import Literal

import msgspec
from attrs import frozen

from aioregistry.api.documents import Document
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.errors import RegistryError

__all__ = ["CleanupReport", "Incomplete", "ItemOutcome", "ReportError", "Status"]

FORMAT = "aioregistry cleanup report"
VERSION = 1
Status = Literal["deleted", "absent", "drift", "failed", "unknown", "not_attempted"]
# Of two outcomes of one item, the one that stands first here says more of what became of it.
_BEST_FIRST: tuple[Status, ...] = (
    "deleted",
    "absent",
    "drift",
    "unknown",
    "failed",
    "not_attempted",
)


class ReportError(RegistryError, ValueError):
    """A text is no report of a clean-up, or one of another version."""


@frozen
class ItemOutcome(Document):
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
class Incomplete(Document):
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
class CleanupReport(Document):
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

    @property
    def outcomes(self) -> Iterator[ItemOutcome]:
        """Every outcome, one status after the other."""
        return (one for status in _BEST_FIRST for one in getattr(self, status))

    def __add__(self, other: "CleanupReport") -> "CleanupReport":
        """Return both as one: of parts of a plan, or of two attempts at one plan.

        Of an item that both have, the better outcome stays, whichever came first: ``deleted``
        before ``absent``, ``drift``, ``unknown``, ``failed`` and ``not_attempted``. So a late
        report of a process that was overtaken takes nothing away.
        """
        best: dict[tuple[str, str, str], ItemOutcome] = {}
        for one in (*self.outcomes, *other.outcomes):
            key = one.repository, one.item.delete, one.item.name
            if key not in best or _rank(one) < _rank(best[key]):
                best[key] = one
        lists: dict[Status, list[ItemOutcome]] = {}
        for one in best.values():
            lists.setdefault(one.status, []).append(one)
        return CleanupReport(
            **{status: tuple(some) for status, some in lists.items()},
            incomplete=tuple(dict.fromkeys((*self.incomplete, *other.incomplete))),
            unchecked=tuple(dict.fromkeys((*self.unchecked, *other.unchecked))),
        )

    def to_json(self) -> bytes:
        """Return it as JSON: an object with a list for each status."""
        written = _Report(
            FORMAT,
            VERSION,
            {status: getattr(self, status) for status in _BEST_FIRST if getattr(self, status)},
            self.incomplete,
            self.unchecked,
        )
        return msgspec.json.encode(written)

    @classmethod
    def from_json(cls, text: str | bytes) -> "CleanupReport":
        """Return the report that `to_json` wrote.

        Raises:
            ReportError: It is none, or one of another version.
        """
        try:
            head = msgspec.json.decode(text, type=_Head)
            if (head.format, head.version) != (FORMAT, VERSION):
                raise ReportError(f"not a report of version {VERSION}, which this program reads")
            read = msgspec.json.decode(text, type=_Report)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ReportError(f"not a report of a clean-up: {error}") from None
        for status, some in read.outcomes.items():
            if any(one.status != status for one in some):
                raise ReportError(f"not a report of a clean-up: another status in {status!r}")
        return cls(**read.outcomes, incomplete=read.incomplete, unchecked=read.unchecked)

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


class _Head(msgspec.Struct, frozen=True):
    format: str
    version: int


class _Report(msgspec.Struct, frozen=True):
    format: str
    version: int
    outcomes: dict[Status, tuple[ItemOutcome, ...]]
    incomplete: tuple[Incomplete, ...]
    unchecked: tuple[str, ...]


def _rank(outcome: ItemOutcome) -> int:
    return _BEST_FIRST.index(outcome.status)
