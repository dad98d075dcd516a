"""A plan and its outcome, as tables."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import astuple, define, evolve, field, frozen
from rich.box import ROUNDED
from rich.table import Table
from rich.text import Text

from aioregistry.cli.display.tables import in_table
from aioregistry.cli.display.text import counted, safe, time_in_words

if TYPE_CHECKING:
    from aioregistry.bulk.report import Outcome
    from aioregistry.cleanup.plan.items import RepositoryPlan
    from aioregistry.cleanup.plan.plan import Plan
    from aioregistry.cleanup.records.report import CleanupReport, ItemOutcome

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
_IN_WORDS = {
    "absent": "did not exist",
    "drift": "kept: changed since the plan",
    "not_attempted": "not attempted",
}
_UNCOUNTED = "* not counting tags of signatures, attestations and SBOMs"


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


@frozen
class _Row:
    """The counts of a repository, or of all of them; as text, a sentence."""

    name: str
    tags: int
    tags_to_delete: int
    manifests: int
    manifests_to_delete: int
    deletes: int

    @classmethod
    def of(cls, repo: "RepositoryPlan") -> "_Row":
        tags, manifests = (repo.tags, repo.tags_going), (repo.manifests, repo.manifests_going)
        return cls(repo.name, *tags, *manifests, len(repo.condemned))

    @classmethod
    def sum(cls, name: str, rows: Sequence["_Row"]) -> "_Row":
        counts = [astuple(row)[1:] for row in rows] or [(0,) * len(_COUNTS)]
        return cls(name, *map(sum, zip(*counts, strict=True)))

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.tags_to_delete:,} of {self.tags:,} tags* and"
            f" {self.manifests_to_delete:,} of {counted(self.manifests, 'manifest')} to delete"
            f" ({counted(self.deletes, 'DELETE')})"
        )


_COUNTS: dict[str, Callable[[_Row], int]] = {
    "tags*": lambda row: row.tags,
    "tags to delete*": lambda row: row.tags_to_delete,
    "manifests": lambda row: row.manifests,
    "manifests to delete": lambda row: row.manifests_to_delete,
    "DELETEs": lambda row: row.deletes,
}
_COLUMNS = (
    _COUNTS,
    {title: _COUNTS[title] for title in ("tags to delete*", "manifests to delete", "DELETEs")},
)


def _width_of(columns: Iterable[str]) -> int:
    """Return the width of a table beside the names in it: its titles are wrapped at blanks."""
    titles = [max(map(len, title.split())) for title in columns]
    return sum(titles) + 3 * (len(titles) + 1) + 1


def table_of_plan(plan: "Plan", width: int) -> Table:
    """Return the deletes of a plan, by repository.

    Args:
        plan: The plan.
        width: The width of the terminal: where names leave no room for all columns, there are
            fewer, or a sentence for each repository.
    """
    rows = [_Row.of(repo) for repo in plan.repositories if repo.condemned]
    total = _Row.sum(f"total: {len(rows):,} of {len(plan.repositories):,}", rows)
    shown = rows[:_MAX_REPOSITORIES]
    more = [f"{len(rows) - len(shown):,} more in the plan"] if len(rows) > len(shown) else []
    longest = max(len(row.name) for row in [total, *shown])
    columns = next((some for some in _COLUMNS if longest <= width - _width_of(some)), None)
    if columns is None:
        lines = [*map(str, shown), *more, str(evolve(total, name=f"{total.name} repositories"))]
        table = Table.grid()
        for line in lines:
            table.add_row(Text(line))
    else:
        table = Table(box=ROUNDED, show_footer=True)
        table.add_column("repository", no_wrap=True, footer=total.name)
        for title, value in columns.items():
            table.add_column(title, justify="right", footer=f"{value(total):,}")
        for row in shown:
            table.add_row(Text(row.name), *(f"{value(row):,}" for value in columns.values()))
        for line in more:
            table.add_row(line)
    table.caption, table.caption_justify = _UNCOUNTED, "left"
    return table


def lines_of_plan(plan: "Plan", *, in_use: bool = True) -> Iterator[str]:
    """Yield the cost of a plan, the images in use, its notes and the repositories it skips.

    Args:
        plan: The plan.
        in_use: Whether a plan made without images in use says so.
    """
    if next(plan.condemned, None) is not None:
        least = f", {time_in_words(plan.seconds)} at the API's limit" if plan.seconds >= 1 else ""
        yield (
            f"{counted(plan.requests, 'request')} with the checks{least}; a garbage collection"
            f" afterwards frees {plan.frees}"
        )
    if plan.in_use is not None:
        yield str(plan.in_use)
        yield from (f"asked: {safe(str(server))}" for server in plan.in_use.asked)
    elif in_use:
        yield "in use: not asked; --in-use digitalocean|kubernetes|FILE keeps images that run"
    for note in plan.notes:
        yield f"note: {note}"
    for left in plan.left_alone:
        yield f"skipped: {left.repository}: {left.reason}"


def table_of_report(report: "CleanupReport") -> Table:
    """Return the outcome of a plan."""
    return in_table([rows_of_report(report)])


def rows_of_report(report: "CleanupReport") -> list[tuple[str, str, str]]:
    """Return the outcome of a plan, without zeros: status, number of items, remark."""
    rows = [
        ("absent", report.absent, "did not exist any more"),
        ("drift", report.drift, "changed since the plan, kept"),
        ("failed", report.failed, ""),
        ("unknown", report.unknown, "sent, but no answer confirmed it"),
        ("not attempted", report.not_attempted, ""),
    ]
    return [
        ("deleted", f"{len(report.deleted):,}", f"of {report.total:,}"),
        *((status, f"{len(some):,}", remark) for status, some, remark in rows if some),
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
