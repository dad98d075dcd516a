"""Options that commands have in common, in groups that a command takes as one argument."""

import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import attrs
import typer
from attrs import frozen

__all__ = [
    "Access",
    "Filters",
    "Format",
    "Order",
    "Output",
    "RegistryName",
    "RepositoryReference",
    "Yes",
    "with_groups",
]

_ACCESS = "Access"
_FILTERS = "Filters and order"
_OUTPUT = "Output"

RegistryName = Annotated[
    str | None,
    typer.Argument(
        metavar="REGISTRY",
        show_default="the configured one, or the account's only one",
        help="The registry.",
    ),
]
RepositoryReference = Annotated[
    str,
    typer.Argument(
        metavar="REPO",
        help="The repository: REPOSITORY, REGISTRY/REPOSITORY, or with the host as Docker writes"
        " it; with :TAG or @DIGEST only what is on that.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@frozen
class Access:
    """Whose account, and where; what is None comes from the environment or the configuration."""

    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            rich_help_panel=_ACCESS,
            help="A profile of the configuration file (AIOREGISTRY_PROFILE).",
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            rich_help_panel=_ACCESS,
            help="Where the API token is (AIOREGISTRY_TOKEN_FILE); else DIGITALOCEAN_TOKEN,"
            " DIGITALOCEAN_ACCESS_TOKEN, the profile or doctl's configuration tell it.",
        ),
    ] = None
    api_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            show_default=False,
            rich_help_panel=_ACCESS,
            help="Where the API is, a sandbox for example (AIOREGISTRY_API_URL).",
        ),
    ] = None
    no_progress: Annotated[
        bool,
        typer.Option("--no-progress", rich_help_panel=_ACCESS, help="Show no progress."),
    ] = False
    debug: Annotated[
        bool,
        typer.Option("--debug", rich_help_panel=_ACCESS, help="Show tracebacks of errors."),
    ] = False


class Order(StrEnum):
    """What a list is sorted by."""

    UPDATED = "updated"
    SIZE = "size"
    NAME = "name"


@frozen
class Filters:
    """Which items of a list are shown, and in which order."""

    match: Annotated[
        str | None,
        typer.Option(
            metavar="GLOB",
            show_default=False,
            rich_help_panel=_FILTERS,
            help="Only names that match: `v1.*`.",
        ),
    ] = None
    regex: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            show_default=False,
            rich_help_panel=_FILTERS,
            help="Only names that match as a whole, in RE2's syntax.",
        ),
    ] = None
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default=False,
            rich_help_panel=_FILTERS,
            help="Only what was updated longer ago: 30d, 12h. What has no time is not shown.",
        ),
    ] = None
    newer_than: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default=False,
            rich_help_panel=_FILTERS,
            help="Only what was updated since.",
        ),
    ] = None
    larger_than: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            show_default=False,
            rich_help_panel=_FILTERS,
            help="Only what is larger, compressed: 500MB, 2GiB.",
        ),
    ] = None
    untagged: Annotated[
        bool,
        typer.Option("--untagged", rich_help_panel=_FILTERS, help="Only what has no tags."),
    ] = False
    sort: Annotated[
        Order | None,
        typer.Option(
            show_default="as the API lists",
            rich_help_panel=_FILTERS,
            help="Newest, largest or least name first; the list is read to its end before.",
        ),
    ] = None
    reverse: Annotated[
        bool, typer.Option("--reverse", rich_help_panel=_FILTERS, help="The other way round.")
    ] = False
    limit: Annotated[
        int | None,
        typer.Option(min=1, show_default=False, rich_help_panel=_FILTERS, help="How many at most."),
    ] = None


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    PLAIN = "plain"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


@frozen
class Output:
    """How rows are shown."""

    output: Annotated[
        Format | None,
        typer.Option(
            "--output",
            "-o",
            show_default="table on a terminal, else plain",
            rich_help_panel=_OUTPUT,
            help="How rows are written.",
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            show_default=False,
            rich_help_panel=_OUTPUT,
            help="Which columns; `all` shows every one.",
        ),
    ] = None
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", rich_help_panel=_OUTPUT, help="Names alone, one a line."),
    ] = False
    no_header: Annotated[
        bool,
        typer.Option("--no-header", rich_help_panel=_OUTPUT, help="Leave the header line out."),
    ] = False
    utc: Annotated[
        bool, typer.Option("--utc", rich_help_panel=_OUTPUT, help="Times in UTC, not local.")
    ] = False


def with_groups(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose arguments of attrs classes are given as the options in them."""
    hints = get_type_hints(function, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if attrs.has(hint)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name in groups:
            parameters += _options_of(groups[name])
        else:
            parameters.append(
                parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
            )

    def command(**given: Any) -> None:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in attrs.fields(group)})
            for name, group in groups.items()
        }
        function(**given, **made)

    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _options_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in attrs.fields(group)
    ]
