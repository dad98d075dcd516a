"""A plan and its outcome, as tables."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import define, field
from rich.box import ROUNDED
from rich.table import Table
from rich.text import Text

from aioregistry.cli.display.progress import in_table
from aioregistry.cli.display.text import counted, time_in_words

if TYPE_CHECKING:
    from aioregistry.bulk.report import Outcome
    from aioregistry.cleanup.apply.report import CleanupReport, ItemOutcome
    from aioregistry.cleanup.plan.plan import Plan

__all__ = [
    "DeleteCounts",
    "lines_of_plan",
    "problems_of",
    "rows_of_report",
    "table_of_plan",
    "table_of_report",
]

_MAX_REPOSITORIES = 20
_MAX_REASONS = 5
_MAX_NAME_WIDTH = 24
_IN_WORDS = {
    "absent": "did not exist",
    "drift": "kept: changed since the plan",
    "not_attempted": "not attempted",
}
_UNCOUNTED = "* without those of signatures, attestations and SBOMs"


@define
class DeleteCounts:
    """Counts of deletes by status; as text, a summary.

    Attributes:
        total: Deletes in all.
        counts: Deletes that came to each status.
    """

    total: int = 0
    counts: Counter[str] = field(factory=Counter)

    def add(self, outcome: "ItemOutcome | Outcome") -> None:
        """Count one outcome."""
        self.counts[outcome.status] += 1

    @property
    def all_gone(self) -> bool:
        """Whether nothing is left to delete."""
        return self.counts["deleted"] + self.counts["absent"] == self.total

    def __str__(self) -> str:
        if not self.total:
            return "nothing was deleted"
        counts = self.counts.copy()
        counts["not_attempted"] += self.total - counts.total()
        others = "".join(
            f", {count:,} {_IN_WORDS.get(status, status)}"
            for status, count in counts.items()
            if count and status != "deleted"
        )
        return f"{counts['deleted']:,} of {self.total:,} deleted{others}"


def table_of_plan(plan: "Plan") -> Table:
    """Return the deletes of a plan, by repository."""
    table = Table(box=ROUNDED, show_footer=True, caption=_UNCOUNTED, caption_justify="left")
    rows = [repo for repo in plan.repositories if repo.condemned]
    going = [repo.tags_going for repo in rows]
    whole = [repo.manifests_going for repo in rows]
    count = f"{len(rows):,} of {len(plan.repositories):,}"
    # Titles are wrapped before names: a name that is broken cannot be copied.
    longest = max(map(len, (repo.name for repo in rows[:_MAX_REPOSITORIES])), default=0)
    whole_names = longest <= _MAX_NAME_WIDTH
    table.add_column("repository", overflow="fold", no_wrap=whole_names, footer=count)
    for title, column in (
        ("tags*", [repo.tags for repo in rows]),
        ("tags to delete*", going),
        ("manifests", [repo.manifests for repo in rows]),
        ("manifests to delete", whole),
        ("requests", [len(repo.condemned) for repo in rows]),
    ):
        table.add_column(title, justify="right", footer=f"{sum(column):,}")
    for number, repo in enumerate(rows[:_MAX_REPOSITORIES]):
        counts = (repo.tags, going[number], repo.manifests, whole[number], len(repo.condemned))
        table.add_row(Text(repo.name), *(f"{count:,}" for count in counts))
    if len(rows) > _MAX_REPOSITORIES:
        table.add_row(f"{len(rows) - _MAX_REPOSITORIES:,} more in the plan")
    return table


def lines_of_plan(plan: "Plan", *, in_use: bool = True) -> Iterator[str]:
    """Yield the cost of a plan, the images in use, its notes and the repositories it skips.

    Args:
        plan: The plan.
        in_use: Whether a plan made without images in use says so.
    """
    if next(plan.condemned, None) is not None:
        least = f", at least {time_in_words(plan.seconds)}" if plan.seconds >= 1 else ""
        yield (
            f"{counted(plan.requests, 'request')} with all checks{least}; a garbage collection then"
            f" frees {plan.frees}"
        )
    if plan.in_use is not None:
        yield str(plan.in_use)
    elif in_use:
        yield "in use: not asked; --in-use keeps the images that run"
    for note in plan.notes:
        yield f"note: {note}"
    for left in plan.left_alone:
        yield f"skipped: {left.repository}: {left.reason}"


def table_of_report(report: "CleanupReport") -> Table:
    """Return the outcome of a plan."""
    return in_table([rows_of_report(report)])


def rows_of_report(report: "CleanupReport") -> list[tuple[str, str, str]]:
    """Return the outcome of a plan: status, number of items, remark."""
    return [
        ("deleted", f"{len(report.deleted):,}", f"of {report.total:,}"),
        ("absent", f"{len(report.absent):,}", "did not exist any more"),
        ("drift", f"{len(report.drift):,}", "changed since the plan, kept"),
        ("failed", f"{len(report.failed):,}", ""),
        ("unknown", f"{len(report.unknown):,}", "sent, but no answer confirmed it"),
        ("not attempted", f"{len(report.not_attempted):,}", ""),
    ]


def problems_of(report: "CleanupReport") -> Iterator[str]:
    """Yield why items were not deleted, a few lines for each status, and what was damaged."""
    for some in (report.drift, report.failed, report.unknown, report.not_attempted):
        for one in some[:_MAX_REASONS]:
            name = one.item.tags[0] if one.item.tags else one.item.digest
            status = one.status.replace("_", " ")
            yield f"{status}: {one.repository}:{name}: {one.reason}"
        if len(some) > _MAX_REASONS:
            yield f"and {len(some) - _MAX_REASONS:,} more"
    for image in report.incomplete:
        yield f"incomplete: {image}; 'aioregistry cleanup undo' restores what was deleted"
    for repository in report.unchecked:
        yield f"not checked for pushes meanwhile: {repository}"
