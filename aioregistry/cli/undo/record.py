"""What can still be restored, in words: before a garbage collection, and as a list."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.table import Table

from aioregistry.cleanup.state_folder import RunFiles, StateFolder
from aioregistry.cleanup.undo.record import Restorable, UndoRecord, counts
from aioregistry.cli.display.tables import plain_table, print_table
from aioregistry.cli.display.text import counted, safe
from aioregistry.cli.exit_codes import DONE
from aioregistry.cli.options import Access, ReportFormat
from aioregistry.cli.runs import as_argument
from aioregistry.cli.settings.settings import Settings
from aioregistry.cli.undo.tables import print_documents

__all__ = [
    "end_of_undo",
    "list_restorable",
    "note_collection",
    "record_of",
]

_MAX_SHOWN = 3


def record_of(registry: str, settings: Settings) -> UndoRecord:
    """Return the record of a registry; an empty one where it cannot be read."""
    folder = StateFolder.of(registry, api_url=settings.api_url)
    try:
        return UndoRecord.of(folder)
    except OSError:
        return UndoRecord(folder.path / "undo.jsonl")


def end_of_undo(registry: str, settings: Settings) -> str | None:
    """Return what a garbage collection ends, as a sentence; None when that is nothing."""
    found = record_of(registry, settings).restorable()
    if not found:
        return None
    shown = ", ".join(_argument(one.archive) for one in found[:_MAX_SHOWN])
    more = len(found) - _MAX_SHOWN
    tags, manifests = counts(found)
    things = " and ".join(
        counted(count, unit) for count, unit in ((tags, "tag"), (manifests, "manifest")) if count
    )
    return (
        f"{things} that were deleted"
        f" ({shown}{f' and {more:,} more' if more > 0 else ''}) can be restored only until the"
        " garbage collection removes their parts: 'aioregistry cleanup undo --list' lists them"
    )


def note_collection(registry: str, settings: Settings, uuid: str) -> None:
    """Note in a registry's record that a garbage collection was started."""
    # It is under way, whether or not it can be noted.
    with suppress(OSError):
        record_of(registry, settings).note_collection(uuid)


async def list_restorable(access: Access, form: ReportFormat) -> int:
    """Print what can be restored, without a request, and return the exit code."""
    settings = Settings.load(access)
    known = settings.registry
    folders = StateFolder.every(api_url=settings.api_url)
    rows: list[tuple[str, Restorable]] = []
    for folder in folders:
        if known in {None, folder.registry}:
            record = record_of(folder.registry, settings)
            rows += [(folder.registry, one) for one in record.restorable()]
            if record.collect_after is not None and form is ReportFormat.TABLE:
                due = f"{record.collect_after:%Y-%m-%d %H:%M} UTC"
                typer.echo(f"{folder.registry}: a garbage collection is due at {due}", err=True)
    if form is not ReportFormat.TABLE:
        print_documents([_document(registry, one) for registry, one in rows], form)
    elif rows:
        print_table(_table(rows))
    else:
        typer.echo(
            "nothing that was deleted can be restored for certain, as far as the records go; what a"
            " garbage collection has left, 'aioregistry cleanup undo RUN --dry-run' finds out"
        )
    return DONE


def _table(rows: list[tuple[str, Restorable]]) -> Table:
    table = plain_table(
        ("registry", "run or archive", "tags", "manifests", "since", "age"),
        ("tags", "manifests"),
    )
    now = datetime.now(UTC)
    for registry, one in rows:
        days, rest = divmod(int((now - one.last).total_seconds()), 86400)
        table.add_row(
            safe(registry),
            safe(_argument(one.archive)),
            f"{one.tags:,}",
            f"{one.manifests:,}",
            f"{one.first.astimezone():%Y-%m-%d %H:%M}",
            f"{days} d {rest // 3600} h",
        )
    return table


def _document(registry: str, one: Restorable) -> dict[str, object]:
    return {
        "registry": registry,
        "archive": str(one.archive),
        "tags": one.tags,
        "manifests": one.manifests,
        "first_deleted_at": one.first.isoformat(),
        "last_deleted_at": one.last.isoformat(),
    }


def _argument(archive: Path) -> str:
    """Return what ``cleanup undo`` names an archive by: the run's name where it is enough."""
    plan = archive.with_name(archive.name.removesuffix(".archive"))
    return as_argument(plan if RunFiles(plan).archive == archive and plan.exists() else archive)
