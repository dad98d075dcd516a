"""``aioregistry fleet``: many registries, cleaned by any number of workers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aioregistry.cli.exit_codes import epilog
from aioregistry.cli.fleet.options import AnyTime, Joining, Names, OneRegistry, TheFile
from aioregistry.cli.groups import CommandGroup
from aioregistry.cli.options import Access, Output, Yes, shows, with_groups
from aioregistry.cli.running import refuse

if TYPE_CHECKING:
    from types import ModuleType

    from aioregistry.cli.display.rows import Column
    from aioregistry.cli.fleet.rows import Row

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Clean many registries of many accounts, by themselves, with any number of workers.",
)

_FAILED = {1: "failure: of a registry, something could not be deleted, or nothing was"}


def _work(command: str) -> "ModuleType":
    try:
        from aioregistry.cli.fleet import work
    except ModuleNotFoundError as error:
        refuse(command, f"{error.name} is missing: pip install 'aioregistry-do[fleet]'")
    return work


def _holds(command: str) -> "ModuleType":
    try:
        from aioregistry.cli.fleet import holds
    except ModuleNotFoundError as error:
        refuse(command, f"{error.name} is missing: pip install 'aioregistry-do[fleet]'")
    return holds


def _columns() -> "list[Column[Row]]":
    from aioregistry.cli.fleet.rows import COLUMNS

    return COLUMNS


@app.command(name="run", epilog=epilog("aioregistry fleet run fleet.toml", _FAILED, asks=True))
@with_groups
def run_(
    file: TheFile,
    registries: Names = None,
    yes: Yes = False,
    any_time: AnyTime = False,
    joining: Joining = Joining(),
    access: Access = Access(),
) -> None:
    """Clean registries now: plan, delete, collect garbage, and exit.

    Only these registries are worked on; workers of the same server help. A registry whose earlier
    run has not ended is continued. After an interruption, the same command continues.
    """
    _work("fleet run").clean(file, registries or (), yes, any_time, joining, access)


@app.command(epilog=epilog("aioregistry fleet worker fleet.toml", interrupts=False))
@with_groups
def worker(file: TheFile, joining: Joining = Joining(), access: Access = Access()) -> None:
    """Begin the runs that are due by the file's schedules, and carry them out, until SIGTERM.

    Any number of workers, on any number of machines, share the work of one server.
    """
    _work("fleet worker").work(file, joining, access)


@app.command(epilog=epilog("aioregistry fleet plan fleet.toml", _FAILED))
@with_groups
def plan(
    file: TheFile,
    registries: Names = None,
    joining: Joining = Joining(),
    access: Access = Access(),
) -> None:
    """Plan for registries, and show what each plan deletes and frees; nothing is deleted.

    Refused while a run of one of them has not ended. Plans are made outside of windows, too.
    """
    _work("fleet plan").plan(file, registries or (), joining, access)


@app.command(epilog=epilog("aioregistry fleet approve fleet.toml", _FAILED, asks=True))
@with_groups
def approve(
    file: TheFile,
    registries: Names = None,
    yes: Yes = False,
    any_time: AnyTime = False,
    joining: Joining = Joining(),
    access: Access = Access(),
) -> None:
    """Carry out the plans that `fleet plan` made last: delete, collect garbage, and exit."""
    _work("fleet approve").approve(file, registries or (), yes, any_time, joining, access)


@app.command(epilog=epilog("aioregistry fleet cancel fleet.toml example"))
@with_groups
def cancel(
    file: TheFile,
    registries: Annotated[
        list[str],
        typer.Argument(
            metavar="REGISTRY…", show_default=False, help="Registries of the file whose runs end."
        ),
    ],
    joining: Joining = Joining(),
    access: Access = Access(),
) -> None:
    """End runs early, on whichever worker they are; what they have deleted stays deleted."""
    _work("fleet cancel").cancel(file, registries, joining, access)


@app.command(epilog=epilog("aioregistry fleet status fleet.toml --watch", _FAILED))
@with_groups
@shows(_columns)
def status(
    file: TheFile,
    registries: Names = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again every two seconds, until Ctrl-C.")
    ] = False,
    openmetrics: Annotated[
        Path | None,
        typer.Option(
            "--openmetrics",
            metavar="PATH",
            show_default=False,
            help="Also write it to this file, for Prometheus' textfile collector. Needs the extra"
            " `metrics`.",
        ),
    ] = None,
    joining: Joining = Joining(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Show the newest run of each registry: its state, what it has deleted, when the next begins.

    States: `plan`, `apply` and `gc` while it is under way; then `done`, `planned`, `unfinished`
    (some items could not be deleted), `damaged` (images that were pushed meanwhile lack a part),
    `refused` (by a limit or a mistake in a file), `failed` or `cancelled`.
    """
    work = _work("fleet status")
    work.status(file, registries or (), watch, openmetrics, joining, output, access)


@app.command(epilog=epilog("aioregistry fleet archive fleet.toml example --to example.archive"))
@with_groups
def archive(
    file: TheFile,
    registry: OneRegistry,
    to: Annotated[
        Path, typer.Option("--to", metavar="PATH", show_default=False, help="File to write.")
    ],
    run_id: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", show_default="the newest", help="Run of it."),
    ] = None,
    hold: Annotated[
        bool, typer.Option("--hold/--no-hold", help="Also hold its repositories, as `fleet hold`.")
    ] = True,
    joining: Joining = Joining(),
    access: Access = Access(),
) -> None:
    """Write what a run deleted to a file, from which `aioregistry cleanup undo` restores it.

    Runs leave its repositories alone from then on, until `fleet release`.
    """
    _work("fleet archive").archive(file, registry, to, run_id, hold, joining, access)


@app.command(epilog=epilog("aioregistry fleet hold fleet.toml example web"))
@with_groups
def hold(
    file: TheFile,
    registry: OneRegistry,
    repositories: Annotated[
        list[str],
        typer.Argument(
            metavar="REPOSITORY…", show_default=False, help="Repositories to leave alone."
        ),
    ],
    joining: Joining = Joining(),
    access: Access = Access(),
) -> None:
    """Have runs leave repositories alone until `fleet release`, such as before an undo.

    What is restored is as new as the undo: by rules that keep the newest, the next run would delete
    what was pushed before. A plan that was made earlier, and would delete there, is refused.
    """
    _holds("fleet hold").hold_repositories(file, registry, repositories, joining, access)


@app.command(epilog=epilog("aioregistry fleet release fleet.toml example"))
@with_groups
def release(
    file: TheFile,
    registry: OneRegistry,
    repositories: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="REPOSITORY…", show_default="all that are held", help="Repositories."
        ),
    ] = None,
    joining: Joining = Joining(),
    access: Access = Access(),
) -> None:
    """Have runs clean repositories up again that were held."""
    holds = _holds("fleet release")
    holds.release_repositories(file, registry, repositories or (), joining, access)
