"""Options of ``aioregistry fleet``."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from attrs import frozen

__all__ = ["AnyTime", "Joining", "Names", "OneRegistry", "TheFile"]

_FLEET = "Fleet"

TheFile = Annotated[
    Path, typer.Argument(metavar="FILE", show_default=False, help="The fleet's file, as TOML.")
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="REGISTRY…", show_default="all of the file", help="Registries of the file."
    ),
]
OneRegistry = Annotated[
    str, typer.Argument(metavar="REGISTRY", show_default=False, help="Registry of the file.")
]

AnyTime = Annotated[
    bool, typer.Option("--any-time", help="Work outside the registries' windows, too.")
]


@frozen
class Joining:
    """Which fleet is joined, and how."""

    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="AIOREGISTRY_FLEET_SERVER",
            show_default="that of the file, or one of this machine",
            rich_help_panel=_FLEET,
            help="Redis or Valkey that the workers share: redis://, rediss://, unix://.",
        ),
    ] = None
    fleet: Annotated[
        str,
        typer.Option(
            metavar="NAME", rich_help_panel=_FLEET, help="Name of the fleet on its server."
        ),
    ] = "fleet"
    concurrency: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=_FLEET,
            help="Registries that one worker works on at once.",
        ),
    ] = 50
    keep: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            rich_help_panel=_FLEET,
            help="How long plans, journals, archives and reports are kept on the server.",
        ),
    ] = "14d"

    @property
    def keep_for(self) -> timedelta:
        """How long plans and the like are kept.

        Raises:
            ValueError: It is no length of time.
        """
        from aioregistry.cleanup.policy.durations import parse_duration

        return parse_duration(self.keep)
