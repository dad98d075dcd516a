"""Options of ``aioregistry deploy``, and the files that it prints or writes."""

from pathlib import Path
from typing import Annotated

import typer
from attrs import frozen

from aioregistry.cli.cleanup.options import PolicyFile
from aioregistry.cli.options import RegistryName

__all__ = ["Deploying", "To"]

To = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="DIR",
        show_default="print it",
        help="Write the files into this folder, where none of them may exist yet.",
    ),
]


@frozen
class Deploying:
    """Options on what runs, and when."""

    policy: PolicyFile
    registry: RegistryName = None
    in_use: Annotated[
        list[str] | None,
        typer.Option(
            "--in-use",
            metavar="SOURCE",
            show_default=False,
            help="Keep images in use: `digitalocean`, `kubernetes`, `in-cluster` or a file there,"
            " as in `cleanup run`. Repeatable.",
        ),
    ] = None
    in_use_kind: Annotated[
        list[str] | None,
        typer.Option(
            "--in-use-kind",
            metavar="GROUP/VERSION/PLURAL",
            show_default=False,
            help="A further kind of objects that clusters are asked for. Repeatable.",
        ),
    ] = None
    in_use_ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--in-use-ignore",
            metavar="KIND",
            show_default=False,
            help="As in `cleanup run`: a kind that need not name an image, `cluster/NAME` or"
            " `app/NAME`. Repeatable.",
        ),
    ] = None
    gc: Annotated[bool, typer.Option("--gc", help="Collect garbage after each run.")] = False
    undo_window: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", show_default=False, help="With --gc: leave this time to undo: 20h."
        ),
    ] = None
    deadline: Annotated[
        str, typer.Option(metavar="TIME", help="Start nothing new after this time.")
    ] = "4h"
    at: Annotated[str, typer.Option(metavar="HH:MM", help="Time of day, in UTC.")] = "03:17"
    on: Annotated[
        str | None,
        typer.Option(metavar="DAYS", show_default="every day", help="Days: mon,thu."),
    ] = None
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of what is deployed.")] = (
        "aioregistry-cleanup"
    )
