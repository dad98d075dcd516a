"""``aioregistry demo``: the main job, on an embedded registry."""

import asyncio
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from aioregistry.cli.demo.content import Content
from aioregistry.cli.demo.history import FORMAT, HistoryError, read_history
from aioregistry.cli.demo.run import demonstrate
from aioregistry.cli.display.plan_tables import DeleteCounts
from aioregistry.cli.display.progress import Display
from aioregistry.errors import RegistryError

__all__ = ["app", "demo"]

app = typer.Typer(rich_markup_mode="markdown")

_TAGS = 5000
_KEEP = 20
_KEEP_OF_HISTORY = 100
_SCALES = (1, 3600)


def _print_format(wanted: bool) -> None:
    if wanted:
        typer.echo(FORMAT, nl=False)
        raise typer.Exit


@app.command()
def demo(
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Fill the registry with a project's push history: an image for each push,"
            " tagged with the commit and with its releases.",
        ),
    ] = None,
    history_format: Annotated[  # noqa: ARG001, it acts when it is read
        bool,
        typer.Option(
            "--history-format",
            callback=_print_format,
            is_eager=True,
            help="Show what a push history is, and the line of git log that writes one.",
        ),
    ] = False,
    tags: Annotated[
        int | None,
        typer.Option(
            min=1, show_default=str(_TAGS), help="How many tags to make up, without a history."
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            min=0,
            show_default=f"{_KEEP}; {_KEEP_OF_HISTORY} with a history",
            help="How many commit tags to keep in each repository.",
        ),
    ] = None,
    scale: Annotated[
        float,
        typer.Option(help=f"How many times faster time runs, {_SCALES[0]} to {_SCALES[1]}."),
    ] = 60.0,
    no_progress: Annotated[
        bool, typer.Option("--no-progress", help="Print plain lines instead of a progress bar.")
    ] = False,
) -> None:
    """Clean up a registry of thousands of tags: plan, apply, collect, and check what is left.

    The registry is embedded: no account, no token, nothing leaves this machine. It limits
    requests as the API does, 250 a minute and 5,000 an hour, but time runs 60 times faster.

    What goes are commit tags (12 digits of a sha), all but the newest of each repository, and
    with an image its signatures. Versions, latest, main and what they need stay.

    Exit codes: 0, all done, and exactly the kept tags are left; 1, not so; 2, wrong usage;
    130 or 143, interrupted.
    """
    if not _SCALES[0] <= scale <= _SCALES[1]:
        _refuse(f"--scale must be {_SCALES[0]} to {_SCALES[1]}, not {scale:g}")
    if history is not None and tags is not None:
        _refuse("--tags is for made-up content; a history brings its own")
    display = Display(Console(), progress=not no_progress)
    applied = DeleteCounts()
    try:
        if history is None:
            content = Content.generated(tags or _TAGS, _KEEP if keep is None else keep)
        else:
            kept = _KEEP_OF_HISTORY if keep is None else keep
            content = Content.of_history(read_history(history), kept)
        result = asyncio.run(demonstrate(content, scale, display, applied))
    except HistoryError as error:
        _refuse(str(error))
    except RegistryError as error:
        display.say(f"{type(error).__name__}: {error}; {applied}", begin="Failed")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        display.say(str(applied), begin="Interrupted")
        raise typer.Exit(130) from None
    display.show(result.table())
    for problem in result.problems():
        display.say(problem, begin="Wrong")
    raise typer.Exit(1 if result.problems() else 0)


def _refuse(message: str) -> NoReturn:
    typer.echo(f"aioregistry demo: {message}", err=True)
    raise typer.Exit(2)
