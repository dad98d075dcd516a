"""``aioregistry delete-tags``, ``delete-manifests`` and ``delete-repository``."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from aioregistry.api import names
from aioregistry.bulk.report import DeletionReport, Outcome
from aioregistry.cli.commands.lists import InRegistry
from aioregistry.cli.connection import (
    DONE,
    SOME_FAILED,
    Connection,
    Target,
    ask,
    read_text,
    refuse,
    run,
)
from aioregistry.cli.display.plan_tables import DeleteCounts
from aioregistry.cli.display.text import counted, safe
from aioregistry.cli.options import Access, RepositoryReference, Yes, with_groups
from aioregistry.client.repository import RepositoryHandle
from aioregistry.errors import InvalidNameError, NotFoundError

__all__ = ["app"]

app = typer.Typer(rich_markup_mode="markdown")

_EXIT_CODES = (
    "Exit codes: 0, done, or gone already; 1, some are left, or there is no such registry or"
    " repository; 2, wrong usage, nothing was deleted;"
    " 4, the answer was no, nothing was deleted; 130 or 143, interrupted, what was done is told."
)
_SHOWN = 10

Given = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME...", show_default=False, help="Which; `-` reads them from stdin, one a line."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")
]


@app.command(epilog=_EXIT_CODES)
@with_groups
def delete_tags(
    repo: RepositoryReference,
    tags: Given = None,
    registry: InRegistry = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    access: Access = Access(),
) -> None:
    """Delete tags; the manifests that they are on stay.

    What is older than, not among the newest of, or not needed by anything is a matter for
    `aioregistry cleanup`.
    """
    job = _Job("delete-tags", "tag", access)
    job.run(
        repo,
        registry,
        lambda target: job.names(target.reference.tag, tags, names.check_tag),
        lambda target, given, tell: target.repository.delete_tags(given, tell),
        "",
        yes,
        dry_run,
    )


@app.command(epilog=_EXIT_CODES)
@with_groups
def delete_manifests(
    repo: RepositoryReference,
    digests: Given = None,
    registry: InRegistry = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    access: Access = Access(),
) -> None:
    """Delete manifests, and all tags on them.

    An untagged manifest may be a part of an image that is tagged: `aioregistry cleanup` knows,
    this command does not ask.
    """
    job = _Job("delete-manifests", "manifest", access)
    job.run(
        repo,
        registry,
        lambda target: job.names(target.reference.digest, digests, names.check_digest),
        lambda target, given, tell: target.repository.delete_manifests(given, tell),
        ", and all tags on them",
        yes,
        dry_run,
    )


@app.command(epilog=_EXIT_CODES)
@with_groups
def delete_repository(
    repo: RepositoryReference,
    registry: InRegistry = None,
    yes: Yes = False,
    access: Access = Access(),
) -> None:
    """Delete a repository with all that it holds."""
    command = "delete-repository"

    async def work() -> int:
        async with Connection.open(access) as to:
            target = await to.target(repo, registry)
            if target.reference.tag or target.reference.digest:
                raise InvalidNameError(f"{repo!r} is not a whole repository; nothing was deleted")
            repository = target.repository
            name = f"{repository.registry_name}/{repository.name}"
            if not yes:
                ask(command, f"Delete {name} with all that it holds?", "nothing was deleted")
            try:
                await to.client.registry(repository.registry_name).delete_repository(
                    repository.name
                )
            except NotFoundError:
                await to.client.get_registry(repository.registry_name)
                typer.echo(f"{name} was gone already", err=True)
            else:
                typer.echo(f"{name} is deleted", err=True)
        return DONE

    run(command, access, work(), lambda: "it may be deleted: look with 'aioregistry repositories'")


class _Job:
    def __init__(self, command: str, unit: str, access: Access) -> None:
        self._command = command
        self._unit = unit
        self._access = access
        self._applied = DeleteCounts()
        self._reads_stdin = False

    def names(
        self, first: str | None, given: list[str] | None, check: Callable[[str], str]
    ) -> list[str]:
        """Return the names that were given, each once."""
        read: list[str] = [] if first is None else [first]
        for name in given or ():
            if name == "-":
                self._reads_stdin = True
                read += filter(None, map(str.strip, read_text(Path("-")).splitlines()))
            else:
                read.append(name)
        return list(dict.fromkeys(map(check, read)))

    def run(
        self,
        repo: str,
        registry: str | None,
        names_for: Callable[[Target], list[str]],
        delete: Callable[
            [Target, list[str], Callable[[Outcome], object]], Awaitable[DeletionReport]
        ],
        also: str,
        yes: bool,
        dry_run: bool,
    ) -> None:
        async def work() -> int:
            async with Connection.open(self._access) as to:
                target = await to.target(repo, registry)
                given = names_for(target)
                if not given and self._reads_stdin:
                    typer.echo("no names on stdin: nothing to delete", err=True)
                    return DONE
                if not given:
                    refuse(self._command, f"which {self._unit}s? Give their names, or - for stdin")
                where = f"{target.repository.registry_name}/{target.repository.name}"
                if dry_run:
                    typer.echo("".join(f"{where} {name}\n" for name in given), nl=False)
                    return DONE
                if not yes:
                    some = f"{counted(len(given), self._unit)} of {where}{also}"
                    question = f"Delete {some}: {_some(given)}?"
                    ask(self._command, question, "nothing was deleted")
                self._applied.total = len(given)
                report = await self._delete(to, target, given, delete)
                code = self._tell(report)
                if len(report.absent) == len(given):
                    await _find(target.repository)
                return code

        run(self._command, self._access, work(), lambda: str(self._applied))

    async def _delete(
        self,
        to: Connection,
        target: Target,
        given: list[str],
        delete: Callable[
            [Target, list[str], Callable[[Outcome], object]], Awaitable[DeletionReport]
        ],
    ) -> DeletionReport:
        async with to.display.stage("Delete", len(given), f"{self._unit}s", to.limiter) as stage:

            def tell(outcome: Outcome) -> None:
                self._applied.add(outcome)
                stage.advance()

            return await delete(target, given, tell)

    def _tell(self, report: DeletionReport) -> int:
        for outcome in (*report.failed, *report.unknown, *report.not_attempted):
            typer.echo(f"{outcome.name}: {outcome.status}: {safe(str(outcome.error))}", err=True)
        typer.echo(str(self._applied), err=True)
        return DONE if self._applied.all_gone else SOME_FAILED


async def _find(repository: RepositoryHandle) -> None:
    """Raise `NotFoundError` when there is no such repository."""
    try:
        await repository.manifests().first()
    except NotFoundError as error:
        where = f"{repository.registry_name}/{repository.name}"
        raise NotFoundError(f"there is no repository {where}") from error


def _some(given: list[str]) -> str:
    more = f" and {len(given) - _SHOWN:,} more" if len(given) > _SHOWN else ""
    return ", ".join(given[:_SHOWN]) + more
