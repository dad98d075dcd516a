"""A plan and what came of it, as tables."""

from collections import Counter
from collections.abc import Iterator

from attrs import define, field
from rich.box import ROUNDED
from rich.table import Table
from rich.text import Text

from aioregistry.bulk.report import Outcome
from aioregistry.cleanup.apply.report import CleanupReport, ItemOutcome
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cli.connection import wait_in_words
from aioregistry.cli.display.progress import in_table
from aioregistry.cli.display.text import counted

__all__ = [
    "DeleteCounts",
    "lines_of_plan",
    "problems_of",
    "rows_of_report",
    "table_of_plan",
    "table_of_report",
]

_SHOWN = 20
_REASONS = 5
_UNCOUNTED = "* those of signatures, attestations and SBOMs not counted"


@define
class DeleteCounts:
    """How far the carrying out of a plan is; as text, what was done.

    Attributes:
        total: DELETEs there are.
        counts: How many have come to each status.
    """

    total: int = 0
    counts: Counter[str] = field(factory=Counter)

    def add(self, settled: ItemOutcome | Outcome) -> None:
        """Count one that is settled."""
        self.counts[settled.status] += 1

    @property
    def all_gone(self) -> bool:
        """Whether nothing is left of what was to be deleted."""
        return self.counts["deleted"] + self.counts["absent"] == self.total

    def __str__(self) -> str:
        if not self.total:
            return "nothing was deleted"
        counts = self.counts.copy()
        counts["not_attempted"] += self.total - counts.total()
        others = "".join(
            f", {count:,} {status.replace('_', ' ')}"
            for status, count in counts.items()
            if count and status != "deleted"
        )
        return f"{counts['deleted']:,} of {self.total:,} DELETEs done{others}"


def table_of_plan(plan: Plan) -> Table:
    """Return what a plan does, by repository."""
    table = Table(box=ROUNDED, show_footer=True, caption=_UNCOUNTED, caption_justify="left")
    rows = [repo for repo in plan.repositories if repo.condemned]
    going = [repo.tags_going for repo in rows]
    whole = [sum(item.delete == "manifest" for item in repo.condemned) for repo in rows]
    table.add_column("repository", footer=f"{len(rows):,} of {len(plan.repositories):,}")
    for title, column in (
        ("tags*", [repo.tags for repo in rows]),
        ("tags to go*", going),
        ("manifests", [repo.manifests for repo in rows]),
        ("manifests to go", whole),
        ("DELETEs", [len(repo.condemned) for repo in rows]),
    ):
        table.add_column(title, justify="right", footer=f"{sum(column):,}")
    for nth, repo in enumerate(rows[:_SHOWN]):
        counts = (repo.tags, going[nth], repo.manifests, whole[nth], len(repo.condemned))
        table.add_row(Text(repo.name), *(f"{count:,}" for count in counts))
    if len(rows) > _SHOWN:
        table.add_row(f"and {len(rows) - _SHOWN:,} more, in the plan")
    return table


def lines_of_plan(plan: Plan) -> Iterator[str]:
    """Yield what a plan takes and brings, and what it leaves alone."""
    yield (
        f"{counted(plan.requests, 'request')}, at least {wait_in_words(plan.seconds)} at the API's"
        f" limit; garbage collection then frees {plan.frees}"
    )
    for left in plan.left_alone:
        yield f"left alone: {left.repository}: {left.reason}"


def table_of_report(report: CleanupReport) -> Table:
    """Return what became of a plan."""
    return in_table([rows_of_report(report)])


def rows_of_report(report: CleanupReport) -> list[tuple[str, str, str]]:
    """Return what became of a plan: status, number of DELETEs, remark."""
    return [
        ("deleted", f"{len(report.deleted):,}", f"of {report.total:,} DELETEs"),
        ("absent", f"{len(report.absent):,}", "gone already"),
        ("drift", f"{len(report.drift):,}", "changed since the plan, left alone"),
        ("failed", f"{len(report.failed):,}", ""),
        ("unknown", f"{len(report.unknown):,}", "sent; whether it was done is not known"),
        ("not attempted", f"{len(report.not_attempted):,}", ""),
    ]


def problems_of(report: CleanupReport) -> Iterator[str]:
    """Yield why some of it was not deleted, a few lines for each status."""
    for some in (report.drift, report.failed, report.unknown, report.not_attempted):
        for one in some[:_REASONS]:
            name = one.item.tags[0] if one.item.tags else one.item.digest
            status = one.status.replace("_", " ")
            yield f"{status}: {one.repository}:{name}: {one.reason}"
        if len(some) > _REASONS:
            yield f"and {len(some) - _REASONS:,} more"
