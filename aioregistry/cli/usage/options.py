"""Options of ``aioregistry usage``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from attrs import frozen

__all__ = ["Counting", "Group", "Money"]

_COUNTING = "Counting"
_MONEY = "Cost and history"


class Group(StrEnum):
    """What bytes are counted by."""

    REGISTRY = "registry"
    REPOSITORY = "repository"
    TAG = "tag"
    AGE = "age"
    PLATFORM = "platform"
    LAYER = "layer"


@frozen
class Money:
    """What is said of the account's tier, and what is kept for later."""

    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            show_default=False,
            rich_help_panel=_MONEY,
            help="Also make the plan of this policy, without deleting anything, and show what it"
            " would free and save. Images in use are not asked for; the lists are read again.",
        ),
    ] = None
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            rich_help_panel=_MONEY,
            help="Keep the figures in the state directory, for `--trend` and the forecast.",
        ),
    ] = False
    openmetrics: Annotated[
        Path | None,
        typer.Option(
            "--openmetrics",
            metavar="FILE",
            show_default=False,
            rich_help_panel=_MONEY,
            help="Also write the figures to this file, for Prometheus' textfile collector. Needs"
            " the extra `metrics`.",
        ),
    ] = None
    per_repository: Annotated[
        bool,
        typer.Option(
            "--per-repository",
            rich_help_panel=_MONEY,
            help="In `--openmetrics`, also have the bytes of each printed repository, by name.",
        ),
    ] = False
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            show_default=False,
            rich_help_panel=_MONEY,
            help="Also write a page to this file: a map of the bytes, growth, ages, shared layers,"
            " all tags, and what `--policy` would free. Needs the extra `report`.",
        ),
    ] = None
    trend: Annotated[
        bool,
        typer.Option(
            "--trend",
            rich_help_panel=_MONEY,
            help="Show the recorded figures over time instead, without counting.",
        ),
    ] = False


@frozen
class Counting:
    """What is counted, and how much of it is shown."""

    by: Annotated[
        Group,
        typer.Option(
            "--by",
            rich_help_panel=_COUNTING,
            help="Rows to print: registries, repositories, tags, ages by push time, platforms as"
            " indexes name them, or the largest layers.",
        ),
    ] = Group.REPOSITORY
    top: Annotated[
        int,
        typer.Option(
            "--top",
            min=1,
            metavar="N",
            rich_help_panel=_COUNTING,
            help="Print at most this many rows of a registry, the largest exclusive bytes first.",
        ),
    ] = 20
    match: Annotated[
        str | None,
        typer.Option(
            "--match",
            metavar="GLOB",
            show_default=False,
            rich_help_panel=_COUNTING,
            help="Print only rows whose name matches a glob: `team/*`; of tags, `web:v1.*`.",
        ),
    ] = None
    lists_only: Annotated[
        bool,
        typer.Option(
            "--lists-only",
            rich_help_panel=_COUNTING,
            help="Read no indexes: parts of multi-platform images then count as untagged.",
        ),
    ] = False
