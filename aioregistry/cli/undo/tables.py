"""What an archive has, and what became of it, as tables and lines."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from aioregistry.cleanup.undo.report import UndoOutcome, UndoReport
from aioregistry.cleanup.undo.summary import ArchiveSummary
from aioregistry.cli.display.tables import in_table, plain_table
from aioregistry.cli.display.text import safe
from aioregistry.cli.options import ReportFormat

__all__ = [
    "documents_of_archive",
    "documents_of_undo",
    "print_documents",
    "problems_of_undo",
    "table_of_archive",
    "table_of_undo",
]

_MAX_REASONS = 5
_STATUSES = ("restored", "present", "moved", "lost", "failed", "not_attempted")


def table_of_archive(summary: ArchiveSummary) -> Table:
    """Return what an archive has: tags, manifests and times by repository."""
    table = plain_table(
        ("repository", "tags", "manifests", "first deleted", "last deleted"),
        ("tags", "manifests"),
    )
    for name, one in summary.repositories.items():
        table.add_row(
            safe(name),
            f"{len(one.tags):,}",
            f"{len(one.manifests):,}",
            f"{one.first.astimezone():%Y-%m-%d %H:%M:%S}",
            f"{one.last.astimezone():%Y-%m-%d %H:%M:%S}",
        )
    return table


def documents_of_archive(summary: ArchiveSummary) -> list[dict[str, object]]:
    """Return what an archive has of each repository, for programs."""
    return [
        {
            "registry": summary.registry,
            "repository": name,
            "tags": len(one.tags),
            "manifests": len(one.manifests),
            "first_deleted_at": one.first.isoformat(),
            "last_deleted_at": one.last.isoformat(),
        }
        for name, one in summary.repositories.items()
    ]


def print_documents(documents: Sequence[dict[str, object]], form: ReportFormat) -> None:
    """Print documents as one list of JSON, or a line each."""
    if form is ReportFormat.JSON:
        typer.echo(json.dumps(documents, indent=2))
    else:
        typer.echo("".join(f"{json.dumps(document)}\n" for document in documents), nl=False)


def table_of_undo(report: UndoReport, *, dry_run: bool = False) -> Table:
    """Return the outcome of an undo, without zeros: status, number of things, remark."""
    rows = (
        ("present", report.present, "existed"),
        ("moved", report.moved, "tags that point elsewhere by now, kept"),
        ("lost", report.lost, "a part no longer exists"),
        ("failed", report.failed, ""),
        ("not attempted", report.not_attempted, ""),
    )
    first = ("to restore" if dry_run else "restored", f"{len(report.restored):,}", "")
    others = [(name, f"{len(some):,}", remark) for name, some, remark in rows if some]
    return in_table([[first, *others]])


def documents_of_undo(
    report: UndoReport, archive: Path, registry: str, *, dry_run: bool
) -> Iterator[dict[str, Any]]:
    """Yield what became of each manifest and tag, then the summary.

    Args:
        report: The report.
        archive: The archive's file.
        registry: The registry's name.
        dry_run: Whether nothing was written.
    """
    counts = {}
    for status in _STATUSES:
        outcomes: tuple[UndoOutcome, ...] = getattr(report, status)
        counts[status] = len(outcomes)
        for one in outcomes:
            yield {
                "kind": "outcome",
                "repository": one.repository,
                "tag": one.name if one.is_tag else None,
                "digest": one.digest,
                "status": one.status,
                "status_reason": one.reason,
                "missing": one.missing,
            }
    yield {
        "kind": "summary",
        "registry": registry,
        "archive": str(archive),
        "dry_run": dry_run,
        "complete": report.is_complete,
        "outcomes": counts,
    }


def problems_of_undo(report: UndoReport) -> Iterator[str]:
    """Yield why manifests and tags did not come back, a few lines for each status."""
    for some in (report.moved, report.lost, report.failed, report.not_attempted):
        for one in some[:_MAX_REASONS]:
            separator = ":" if one.is_tag else "@"
            status = one.status.replace("_", " ")
            yield safe(f"{status}: {one.repository}{separator}{one.name}: {one.reason}")
        if len(some) > _MAX_REASONS:
            yield f"and {len(some) - _MAX_REASONS:,} more"
