"""``aioregistry demo``: a clean-up of an embedded registry."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from aioregistry.cli.exit_codes import DONE, INTERRUPTED, SOME_FAILED, WRONG_USAGE, epilog
from aioregistry.errors import RegistryError

if TYPE_CHECKING:
    from aioregistry.cli.demo.content import Content

__all__ = ["app", "demo"]

app: typer.Typer = typer.Typer(add_completion=False, rich_markup_mode="markdown")

_TAGS = 5000
_KEEP = 20
_KEEP_OF_HISTORY = 100
_SCALES = (1, 3600)


def _print_format(wanted: bool) -> None:
    if wanted:
        from aioregistry.cli.demo.history import FORMAT

        typer.echo(FORMAT, nl=False)
        raise typer.Exit


History = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        show_default=False,
        help="Fill the registry from a project's push history: an image for each push,"
        " tagged with the commit and with its releases.",
    ),
]
HistoryFormat = Annotated[
    bool,
    typer.Option(
        "--history-format",
        callback=_print_format,
        is_eager=True,
        help="Describe the format of a push history, with a git command that writes one.",
    ),
]
Tags = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        show_default=str(_TAGS),
        help="Number of made-up tags, without a history.",
    ),
]
Keep = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        show_default=f"{_KEEP}; {_KEEP_OF_HISTORY} with a history",
        help="Number of commit tags to keep in each repository.",
    ),
]
Scale = Annotated[
    float,
    typer.Option(metavar="FACTOR", help=f"Speed of time, {_SCALES[0]} (real) to {_SCALES[1]}."),
]
NoProgress = Annotated[
    bool, typer.Option("--no-progress", help="Print plain lines instead of a progress bar.")
]


@app.command(
    epilog=epilog(
        "aioregistry demo --tags 2000",
        {0: "success, and exactly the kept tags are left"},
    )
)
def demo(
    history: History = None,
    history_format: HistoryFormat = False,  # noqa: ARG001, it acts when it is read
    tags: Tags = None,
    keep: Keep = None,
    scale: Scale = 60.0,
    no_progress: NoProgress = False,
) -> None:
    """Clean up a registry of thousands of tags: plan, delete, collect garbage, and verify.

    The registry is embedded: no account and no token are needed, and nothing leaves this machine.
    It limits requests as the API does, 250 a minute and 5,000 an hour, but time runs 60 times
    faster.

    Commit tags (12 digits of a sha) are deleted, except the newest of each repository, with the
    signatures of their images. Versions, latest, main and the images that they need are kept.
    """
    if not _SCALES[0] <= scale <= _SCALES[1]:
        _refuse(f"--scale must be {_SCALES[0]} to {_SCALES[1]}, not {scale:g}")
    if history is not None and tags is not None:
        _refuse("--tags and --history exclude each other")
    from rich.console import Console

    from aioregistry.cli.demo.history import HistoryError
    from aioregistry.cli.demo.run import demonstrate
    from aioregistry.cli.display.counting import CountingLimiter
    from aioregistry.cli.display.plan_tables import DeleteCounts
    from aioregistry.cli.display.progress import Display
    from aioregistry.ratelimit.limits import RateLimit

    limiter = CountingLimiter(RateLimit().scaled(scale))
    display = Display(Console(), limiter, progress=not no_progress)
    counts = DeleteCounts()
    try:
        content = _content(history, tags, keep)
        result = asyncio.run(demonstrate(content, scale, display, counts))
    except HistoryError as error:
        _refuse(str(error))
    except RegistryError as error:
        display.say(f"{type(error).__name__}: {error}; {counts}", begin="Failed")
        raise typer.Exit(SOME_FAILED) from None
    except KeyboardInterrupt:
        display.say(str(counts), begin="Interrupted")
        raise typer.Exit(INTERRUPTED) from None
    display.show(result.table())
    for problem in result.problems():
        display.say(problem, begin="Wrong")
    raise typer.Exit(SOME_FAILED if result.problems() else DONE)


def _content(history: Path | None, tags: int | None, keep: int | None) -> "Content":
    """Return what the registry is filled with, and how much of it is kept.

    Raises:
        HistoryError: The push history cannot be used.
    """
    from aioregistry.cli.demo.content import Content
    from aioregistry.cli.demo.history import read_history

    if history is None:
        return Content.generated(tags or _TAGS, _KEEP if keep is None else keep)
    return Content.of_history(read_history(history), _KEEP_OF_HISTORY if keep is None else keep)


def _refuse(message: str) -> NoReturn:
    typer.echo(f"aioregistry demo: {message}", err=True)
    raise typer.Exit(WRONG_USAGE)
