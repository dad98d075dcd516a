"""From the options of ``cleanup undo`` to its exit code."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import typer
from attrs import define

from aioregistry.cleanup.records.archive_format import ArchiveError
from aioregistry.cleanup.records.journal import JournalError
from aioregistry.cleanup.state_folder import RunFiles
from aioregistry.cleanup.undo.report import UndoOutcome, UndoReport
from aioregistry.cleanup.undo.summary import ArchiveSummary, summarize_archive
from aioregistry.cleanup.undo.undo import undo as undo_archive
from aioregistry.cli.connection import Connection
from aioregistry.cli.display.tables import print_table
from aioregistry.cli.display.text import counted
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, DRIFT_ONLY, SOME_FAILED
from aioregistry.cli.options import Access, ReportFormat
from aioregistry.cli.running import refuse, run, run_connected
from aioregistry.cli.runs import clean_up_alone, find_plan
from aioregistry.cli.undo.holds import NotingWriter, RestoredImages
from aioregistry.cli.undo.record import list_restorable, record_of
from aioregistry.cli.undo.tables import (
    documents_of_archive,
    documents_of_undo,
    print_documents,
    problems_of_undo,
    table_of_archive,
    table_of_undo,
)
from aioregistry.client.registry import RegistryHandle

__all__ = ["undo"]

_COMMAND = "cleanup undo"
_GZIP = b"\x1f\x8b"


def _read(source: str, access: Access) -> tuple[Path, ArchiveSummary]:
    """Return the archive that an argument names, and what it has."""
    try:
        archive = _archive(find_plan(source, access))
        return archive, summarize_archive(archive)
    except (ArchiveError, UsageError) as error:
        refuse(_COMMAND, error)
    except OSError as error:
        refuse(_COMMAND, f"{error.filename or source}: {error.strerror or error}")


def undo(
    source: str | None,
    repositories: list[str] | None,
    tags: list[str] | None,
    dry_run: bool,
    only_list: bool,
    form: ReportFormat,
    registry_url: str | None,
    access: Access,
) -> None:
    """Put back what an archive has, or show it."""
    if source is None:
        if only_list:
            run(_COMMAND, access, list_restorable(access, form))
        refuse(
            _COMMAND,
            "name a plan, a run or an archive: 'aioregistry cleanup undo --list' lists them",
        )
    archive, summary = _read(source, access)
    _check(summary, archive, repositories, tags)
    if only_list:
        if form is ReportFormat.TABLE:
            print_table(table_of_archive(summary))
        else:
            print_documents(documents_of_archive(summary), form)
        raise typer.Exit(DONE)
    undoing = _Undoing(archive, summary, repositories, tags, dry_run, form, registry_url)
    run_connected(_COMMAND, access, undoing.run, undoing.how_far)


@define
class _Undoing:
    """One run of the command: what is put back, and how far it has come."""

    archive: Path
    summary: ArchiveSummary
    repositories: list[str] | None
    tags: list[str] | None
    dry_run: bool
    form: ReportFormat
    registry_url: str | None
    items_done: int = 0

    async def run(self, to: Connection) -> int:
        """Put back, show what came of it, and return the exit code."""
        registry = to.client.registry(self.summary.registry)
        # A plan takes a manifest for untagged whose tag is about to come back.
        others = nullcontext() if self.dry_run else clean_up_alone(_COMMAND, registry)
        with others, _told(self.how_far):
            report = await self._restore(to, registry)
            if report.is_complete and not (self.dry_run or self.repositories or self.tags):
                # It is restored, whether or not it can be noted.
                with suppress(OSError):
                    record_of(registry.name, to.settings).note_undone(self.archive)
        if not report.is_complete:
            return SOME_FAILED
        return DRIFT_ONLY if report.moved else DONE

    async def _restore(self, to: Connection, registry: RegistryHandle) -> UndoReport:
        where = to.settings.contents_url(self.registry_url)
        chosen = {
            name: one
            for name, one in self.summary.repositories.items()
            if self.repositories is None or name in self.repositories
        }
        total = sum(len(one.tags) + len(one.manifests) for one in chosen.values())
        with RestoredImages(to, registry.name, () if self.dry_run else chosen) as restored:
            async with (
                NotingWriter(registry, base_url=where, trust_env=True) as writer,
                to.display.stage("Undo", total, "manifests and tags") as stage,
            ):
                writer.restored = restored

                def count(outcome: UndoOutcome) -> None:
                    is_back = outcome.status in {"restored", "present"}
                    self.items_done += self.dry_run or is_back
                    stage.advance(outcome.status)
                    restored.add(outcome)

                report = await undo_archive(
                    writer,
                    self.archive,
                    repositories=self.repositories,
                    tags=self.tags,
                    journal=self.archive.with_name(f"{self.archive.name}.undo-journal"),
                    dry_run=self.dry_run,
                    on_outcome=count,
                )
        _show(report, self.archive, registry.name, self.form, dry_run=self.dry_run)
        restored.tell()
        return report

    def how_far(self) -> str:
        """Return how far it has come, in words."""
        done = "checked" if self.dry_run else "restored or found to exist"
        return f"{counted(self.items_done, 'item')} {done}; the same command continues"


@contextmanager
def _told(how_far: Callable[[], str]) -> Iterator[None]:
    """Say how far it has come where what is restored cannot be noted, as on a full disk."""
    try:
        yield
    except ArchiveError:
        raise
    except JournalError as error:
        raise JournalError(f"{error}; {how_far()}") from None


def _show(
    report: UndoReport, archive: Path, registry: str, form: ReportFormat, *, dry_run: bool
) -> None:
    """Print the outcome: for programs on stdout, or for people."""
    for problem in problems_of_undo(report):
        typer.echo(problem, err=True)
    if form is ReportFormat.TABLE:
        print_table(table_of_undo(report, dry_run=dry_run))
        if dry_run:
            typer.echo("a dry run: nothing was written")
        return
    documents = documents_of_undo(report, archive, registry, dry_run=dry_run)
    if form is ReportFormat.NDJSON:
        for document in documents:
            typer.echo(json.dumps(document))
        return
    *items, last = documents
    typer.echo(json.dumps({**last, "items": items}, indent=2))


def _archive(source: Path) -> Path:
    """Return the archive that an argument names: itself, or the one beside a plan."""
    try:
        with source.open("rb") as file:
            if file.read(2) == _GZIP:
                return source
    except OSError as error:
        refuse(_COMMAND, f"{source}: {error.strerror}")
    archive = RunFiles(source).archive
    if not archive.exists():
        refuse(
            _COMMAND,
            f"{archive} does not exist: the plan was not carried out, or without an archive",
        )
    return archive


def _check(
    summary: ArchiveSummary,
    archive: Path,
    repositories: list[str] | None,
    tags: list[str] | None,
) -> None:
    """Refuse names that the archive does not have."""
    for name in repositories or ():
        if name not in summary.repositories:
            refuse(_COMMAND, f"{archive} has nothing of the repository {name!r}")
    known = set().union(*(one.tags for one in summary.repositories.values()))
    for tag in tags or ():
        if tag not in known:
            refuse(_COMMAND, f"{archive} has no tag {tag!r}")
