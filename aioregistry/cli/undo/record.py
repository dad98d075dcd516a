"""What can still be restored, in words: before a garbage collection, and as a list."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.table import Table

from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.state_folder import RunFiles, StateFolder
from aioregistry.cleanup.undo.record import Restorable, UndoRecord, counts
from aioregistry.cleanup.undo.report import UndoOutcome
from aioregistry.cli.connection import Connection
from aioregistry.cli.display.tables import plain_table, print_table
from aioregistry.cli.display.text import counted, safe
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE
from aioregistry.cli.options import Access, ReportFormat
from aioregistry.cli.runs import as_argument
from aioregistry.cli.settings.settings import Settings

__all__ = [
    "RestoredTags",
    "check_restored",
    "end_of_undo",
    "leave_restored",
    "list_restorable",
    "note_collection",
    "note_deletes",
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
    return (
        f"{counted(tags, 'tag')} and {counted(manifests, 'manifest')} that were deleted"
        f" ({shown}{f' and {more:,} more' if more > 0 else ''}) can be restored until the garbage"
        " collection starts, and what it removes not afterwards: aioregistry cleanup undo --list"
    )


def note_collection(registry: str, settings: Settings, uuid: str) -> None:
    """Note in a registry's record that a garbage collection was started."""
    # It is under way, whether or not it can be noted.
    with suppress(OSError):
        record_of(registry, settings).note_collection(uuid)


class RestoredTags:
    """The repositories of which an undo restores tags, noted in their registry's record.

    Args:
        to: Where they are restored.
        registry: The registry's name.
        dry_run: Whether nothing is.
    """

    def __init__(self, to: Connection, registry: str, *, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._to = to
        self._registry = registry
        self._repositories: set[str] = set()

    def add(self, outcome: UndoOutcome) -> None:
        """Take in what became of a manifest or a tag."""
        name = outcome.repository
        if self._dry_run or outcome.status != "restored" or not outcome.is_tag:
            return
        if name in self._repositories:
            return
        self._repositories.add(name)
        try:
            record_of(self._registry, self._to.settings).note_restored(name)
        except OSError as error:
            self._to.display.say(f"clean-ups will not leave {name} alone after this undo: {error}")

    def tell(self) -> None:
        """Say what clean-ups make of it, where any tag was restored."""
        if not self._repositories:
            return
        shown = sorted(self._repositories)[:_MAX_SHOWN]
        more = len(self._repositories) - len(shown)
        names = safe(", ".join(shown)) + (f" and {more:,} more" if more else "")
        typer.echo(
            f"restored tags are as new as this undo: clean-ups of this machine leave {names} alone"
            " until a plan is made with --after-undo; a fleet knows nothing of it",
            err=True,
        )


def leave_restored(registry: str, settings: Settings) -> dict[str, str]:
    """Return the repositories that a clean-up leaves alone after an undo, each with the reason.

    By what is restored there now, `keep-newest` would delete what was pushed before the undo.
    """
    return {
        name: f"an undo of {at:%Y-%m-%d %H:%M} UTC restored tags, which are its newest since;"
        " --after-undo cleans it up all the same"
        for name, at in record_of(registry, settings).restored.items()
    }


def check_restored(plan: Plan, settings: Settings) -> None:
    """Refuse a plan that was made before an undo restored tags of one of its repositories.

    Raises:
        UsageError: It was.
    """
    restored = record_of(plan.registry, settings).restored
    for repository in plan.repositories:
        at = restored.get(repository.name)
        if repository.condemned and at is not None and plan.made_at < at:
            raise UsageError(
                f"this plan is older than the undo that restored tags of {repository.name}"
                f" ({at:%Y-%m-%d %H:%M} UTC): make a new one, with --after-undo"
            )


def note_deletes(to: Connection, plan: Plan, archive: Path | None) -> None:
    """Note that a plan is carried out: where its archive is, and that it is newer than undos."""
    if archive is not None:
        to.note_archive(plan.registry, archive)
    record = record_of(plan.registry, to.settings)
    with suppress(OSError):
        for repository in plan.repositories:
            if repository.condemned and repository.name in record.restored:
                record.note_cleaned(repository.name)


def list_restorable(access: Access, form: ReportFormat) -> None:
    """Print what can be restored, without a request, and exit."""
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
        documents = [_document(registry, one) for registry, one in rows]
        if form is ReportFormat.JSON:
            typer.echo(json.dumps(documents, indent=2))
        else:
            typer.echo("".join(f"{json.dumps(document)}\n" for document in documents), nl=False)
    elif rows:
        print_table(_table(rows))
    else:
        typer.echo(
            "nothing that was deleted can be restored for certain, as far as the records go; what a"
            " garbage collection has left, 'aioregistry cleanup undo RUN --dry-run' finds out"
        )
    raise typer.Exit(DONE)


def _table(rows: list[tuple[str, Restorable]]) -> Table:
    table = plain_table(
        ("registry", "run or archive", "tags", "manifests", "since (UTC)", "age"),
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
            f"{one.first:%Y-%m-%d %H:%M:%S}",
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
