"""The result of a run of the demo."""

from attrs import frozen
from rich.table import Table

from aioregistry.api.models import Tag
from aioregistry.cleanup.garbage import CollectedGarbage
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.report import CleanupReport
from aioregistry.cli.demo.content import Content, Names
from aioregistry.cli.display.counting import CountingLimiter
from aioregistry.cli.display.plan_tables import problems_of, rows_of_report
from aioregistry.cli.display.tables import in_table
from aioregistry.sizes import size_in_words

__all__ = ["Result", "Walk"]

_MAX_NAMES_SHOWN = 3
_MEBIBYTE = 2**20


@frozen
class Walk:
    """The findings of a walk.

    Attributes:
        repositories: Number of repositories.
        tags: All tags, in the order of the walk.
    """

    repositories: int
    tags: tuple[Tag, ...]

    @property
    def names(self) -> Names:
        """The tags' names."""
        return frozenset((tag.repository, tag.tag) for tag in self.tags)


@frozen
class Result:
    """The result of a run.

    Attributes:
        content: The content at the start.
        plan: The plan.
        report: The outcome of each item of the plan.
        collected: The garbage collection.
        limiter: The limiter, which has counted all requests.
        before: The walk before the deletes.
        expected: The tags that must be left.
        after: The walk after the deletes.
        rejected: Requests that the registry answered with 429.
        seconds: Length of the run.
        memory: Peak of the process's resident memory in bytes: before the first request, and at
            the end. None where it is unknown.
    """

    content: Content
    plan: Plan
    report: CleanupReport
    collected: CollectedGarbage
    limiter: CountingLimiter
    before: Walk
    expected: Names
    after: Walk
    rejected: int
    seconds: float
    memory: tuple[int | None, int | None]

    def problems(self) -> list[str]:
        """Return the differences from the expected result, a line for each."""
        left = self.after.names
        missing, unexpected = self.expected - left, left - self.expected
        found = [f"{left.repository}: {left.reason}" for left in self.plan.left_alone]
        if len(self.before.names) != self.content.tags:
            found.append(f"the walk found {len(self.before.names):,} tags of {self.content.tags:,}")
        found += [
            f"{len(walk.tags) - len(walk.names):,} tags were listed twice in a walk"
            for walk in (self.before, self.after)
            if len(walk.names) != len(walk.tags)
        ]
        if missing:
            found.append(f"{len(missing):,} tags to keep are missing: {_some(missing)}")
        if unexpected:
            found.append(f"{len(unexpected):,} deleted tags still exist: {_some(unexpected)}")
        found += problems_of(self.report)
        if self.report.done and not self._freed_as_planned:
            freed = self.collected.run.freed_bytes
            found.append(f"{freed} bytes freed; the plan said {self.plan.frees.bytes}")
        return found

    @property
    def _freed_as_planned(self) -> bool:
        return self.collected.run.freed_bytes == self.plan.frees.bytes

    def table(self) -> Table:
        """Return the figures of the run."""
        exact = "exactly" if self.after.names == self.expected else "NOT"
        walks = [
            ("repositories walked", f"{self.before.repositories:,}", ""),
            ("tags walked", f"{len(self.before.tags):,}", f"of {self.content.tags:,}"),
            (
                "tags left",
                f"{len(self.after.tags):,}",
                f"{exact} the tags to keep, by a second walk",
            ),
        ]
        if self.content.left is not None:
            walks += self._history_rows()
        exact = "exactly" if self._freed_as_planned else "NOT"
        freed = self.collected.run.freed_bytes or 0
        collection = [("storage freed", size_in_words(freed), f"{exact} the plan's estimate")]
        requests = [
            ("requests sent", f"{self.limiter.sent:,}", ""),
            (
                "429s received",
                f"{self.limiter.rate_limited:,}",
                f"the registry sent {self.rejected:,}",
            ),
        ]
        costs = [("seconds", f"{self.seconds:.1f}", f"{self.limiter.waited:.1f} waiting for quota")]
        start, peak = self.memory
        if start is not None and peak is not None:
            grown = (peak - start) / _MEBIBYTE
            costs.append(
                (
                    "memory",
                    f"{peak / _MEBIBYTE:,.0f} MiB",
                    f"at its peak; the run added {grown:,.1f}",
                )
            )
        return in_table([walks, rows_of_report(self.report), collection, requests, costs])

    def _history_rows(self) -> list[tuple[str, str, str]]:
        releases = self.content.releases
        kept = {tag for _, tag in self.after.names}
        commits = len({tag for _, tag in self.before.names} - releases)
        return [
            ("releases left", f"{len(kept & releases):,}", f"of {len(releases):,} in the file"),
            ("commit tags left", f"{len(kept - releases):,}", f"of {commits:,}"),
        ]


def _some(names: Names) -> str:
    shown = ", ".join(f"{repository}:{tag}" for repository, tag in sorted(names)[:_MAX_NAMES_SHOWN])
    return f"{shown}, ..." if len(names) > _MAX_NAMES_SHOWN else shown
