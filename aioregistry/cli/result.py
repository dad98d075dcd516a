"""What came of a run of the demo."""

from collections import Counter

from attrs import define, field, frozen
from rich.table import Table

from aioregistry.bulk import Outcome
from aioregistry.cli.content import Content, Names
from aioregistry.cli.meter import Meter
from aioregistry.cli.render import in_table
from aioregistry.models import Tag

__all__ = ["Result", "Tally", "Walk"]

_SETTLED = ("deleted", "absent")
_STATUSES = (*_SETTLED, "failed", "unknown", "not_attempted")
_SHOWN = 3
_MEBIBYTE = 2**20


@define
class Tally:
    """What has become of the tags that are to be deleted; as text, how far that is.

    Attributes:
        to_delete: How many there are.
        counts: How many have come to each status.
        undone: Those that are neither deleted nor absent.
    """

    to_delete: int = 0
    counts: Counter[str] = field(factory=Counter)
    undone: list[Outcome] = field(factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.counts[outcome.status] += 1
        if outcome.status not in _SETTLED:
            self.undone.append(outcome)

    def __str__(self) -> str:
        if not self.to_delete:
            return "no tag was deleted"
        counts = self.counts.copy()
        counts["not_attempted"] += self.to_delete - counts.total()
        others = "".join(
            f", {counts[status]:,} {_words(status)}" for status in _STATUSES[1:] if counts[status]
        )
        return f"{counts['deleted']:,} of {self.to_delete:,} tags deleted{others}"


@frozen
class Walk:
    """What a walk found.

    Attributes:
        repositories: How many repositories.
        tags: All tags, in the order in which they came.
    """

    repositories: int
    tags: tuple[Tag, ...]

    @property
    def names(self) -> Names:
        """The tags' names."""
        return frozenset((tag.repository, tag.tag) for tag in self.tags)


@frozen
class Result:
    """What came of a run.

    Attributes:
        content: What there was.
        tally: What became of the tags that were to be deleted.
        meter: What it took.
        before: The walk before the deletes.
        expected: The tags that must be left.
        after: The walk after them.
        rejected: How many requests the registry answered with 429.
        seconds: How long it took.
        memory: The process's peak of resident memory, in bytes: before the first request, and at
            the end. None where that is unknown.
    """

    content: Content
    tally: Tally
    meter: Meter
    before: Walk
    expected: Names
    after: Walk
    rejected: int
    seconds: float
    memory: tuple[int | None, int | None]

    def problems(self) -> list[str]:
        """Return what is not as it should be, a line for each."""
        left = self.after.names
        missing, unexpected = self.expected - left, left - self.expected
        found = []
        if len(self.before.names) != self.content.tags:
            found.append(f"the walk found {len(self.before.names):,} tags of {self.content.tags:,}")
        found += [
            f"{len(walk.tags) - len(walk.names):,} tags came twice in a walk"
            for walk in (self.before, self.after)
            if len(walk.names) != len(walk.tags)
        ]
        if missing:
            found.append(f"{len(missing):,} kept tags are gone: {_some(missing)}")
        if unexpected:
            found.append(f"{len(unexpected):,} deleted tags are there: {_some(unexpected)}")
        found += [
            f"{outcome.name} is {_words(outcome.status)}: {outcome.error}"
            for outcome in self.tally.undone[:_SHOWN]
        ]
        if len(self.tally.undone) > _SHOWN:
            found.append(f"and {len(self.tally.undone) - _SHOWN:,} more that are not deleted")
        return found

    def table(self) -> Table:
        """Return all figures."""
        exact = "exactly" if self.after.names == self.expected else "NOT"
        walks = [
            ("repositories walked", f"{self.before.repositories:,}", ""),
            ("tags walked", f"{len(self.before.tags):,}", f"of {self.content.tags:,}"),
            ("tags left", f"{len(self.after.tags):,}", f"{exact} those to keep, by a second walk"),
        ]
        if self.content.left is not None:
            walks += self._history_rows()
        deletes = [(_words(status), f"{self.tally.counts[status]:,}", "") for status in _STATUSES]
        deletes[0] = (*deletes[0][:2], f"of {self.tally.to_delete:,}")
        requests = [
            ("requests sent", f"{self.meter.sent:,}", ""),
            (
                "429s received",
                f"{self.meter.rate_limited:,}",
                f"the registry sent {self.rejected:,}",
            ),
        ]
        costs = [("seconds", f"{self.seconds:.1f}", f"{self.meter.waited:.1f} waiting for quota")]
        start, peak = self.memory
        if start is not None and peak is not None:
            grown = (peak - start) / _MEBIBYTE
            costs.append(
                (
                    "memory",
                    f"{peak / _MEBIBYTE:,.0f} MiB",
                    f"at its peak, {grown:,.1f} of them from the run",
                )
            )
        return in_table([walks, deletes, requests, costs])

    def _history_rows(self) -> list[tuple[str, str, str]]:
        releases = self.content.releases
        kept = {tag for _, tag in self.after.names}
        commits = len({tag for _, tag in self.before.names} - releases)
        return [
            ("releases left", f"{len(kept & releases):,}", f"of {len(releases):,} in the file"),
            ("commit tags left", f"{len(kept - releases):,}", f"of {commits:,}"),
        ]


def _some(names: Names) -> str:
    shown = ", ".join(f"{repository}:{tag}" for repository, tag in sorted(names)[:_SHOWN])
    return f"{shown}, ..." if len(names) > _SHOWN else shown


def _words(status: str) -> str:
    return status.replace("_", " ")
