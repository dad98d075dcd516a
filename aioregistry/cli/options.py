"""Options that commands share, in groups that a command takes as one argument."""

import inspect
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import attrs
import typer
from attrs import frozen

__all__ = [
    "Access",
    "AllRegistries",
    "Filters",
    "Format",
    "InRegistry",
    "OptionalRepository",
    "Order",
    "Output",
    "RegistryName",
    "ReportFormat",
    "RepositoryReference",
    "Yes",
    "as_arguments",
    "shows",
    "with_groups",
]

T = TypeVar("T", bound=Callable[..., None])

_ACCESS = "Access"
_FILTERS = "Filters and order"
_OUTPUT = "Output"
_REPOSITORY = (
    "REPOSITORY, REGISTRY/REPOSITORY or HOST/REGISTRY/REPOSITORY; with :TAG or @DIGEST, only that"
    " image."
)

RegistryName = Annotated[
    str | None,
    typer.Argument(
        metavar="REGISTRY",
        show_default="the configured registry, or the only one of the account",
        help="Name of the registry.",
    ),
]
InRegistry = Annotated[
    str | None,
    typer.Option(
        "--registry", metavar="REGISTRY", show_default=False, help="Registry of the repository."
    ),
]
RepositoryReference = Annotated[
    str,
    typer.Argument(
        metavar="REPO",
        help=_REPOSITORY,
    ),
]
OptionalRepository = Annotated[
    str | None,
    typer.Argument(
        metavar="REPO",
        show_default="all of the registry",
        help=_REPOSITORY,
    ),
]
AllRegistries = Annotated[
    bool, typer.Option("--all-registries", help="Use every registry of the account.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]


@frozen
class Access:
    """Account and address; None means the environment or the configuration decides."""

    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            rich_help_panel=_ACCESS,
            help="Profile of the configuration file (AIOREGISTRY_PROFILE).",
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            rich_help_panel=_ACCESS,
            help="File with the API token (AIOREGISTRY_TOKEN_FILE). Without it: DIGITALOCEAN_TOKEN,"
            " DIGITALOCEAN_ACCESS_TOKEN, the profile, doctl's configuration.",
        ),
    ] = None
    api_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            show_default=False,
            rich_help_panel=_ACCESS,
            help="Address of the API, for example of a sandbox (AIOREGISTRY_API_URL).",
        ),
    ] = None
    headroom: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            show_default=False,
            rich_help_panel=_ACCESS,
            help="Share of the API's quota to leave to other programs, such as 0.2"
            " (AIOREGISTRY_HEADROOM).",
        ),
    ] = None
    rate_limit: Annotated[
        str | None,
        typer.Option(
            metavar="real|scaled:60|off",
            show_default="real",
            rich_help_panel=_ACCESS,
            help="Limits to keep to: the API's, or a sandbox's (AIOREGISTRY_RATE_LIMIT).",
        ),
    ] = None
    redis: Annotated[
        str | None,
        typer.Option(
            "--redis",
            metavar="URL",
            show_default=False,
            rich_help_panel=_ACCESS,
            help="Redis in which programs of one token share the quota (AIOREGISTRY_REDIS).",
        ),
    ] = None
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout",
            metavar="TIME",
            show_default=False,
            rich_help_panel=_ACCESS,
            help="Stop the command with an error after this time: 30s, 10m.",
        ),
    ] = None
    no_progress: Annotated[
        bool,
        typer.Option("--no-progress", rich_help_panel=_ACCESS, help="Hide progress bars."),
    ] = False
    debug: Annotated[
        bool,
        typer.Option("--debug", rich_help_panel=_ACCESS, help="Show tracebacks of errors."),
    ] = False


class Order(StrEnum):
    """The orders that a list can be sorted in."""

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
            help="Show only names that match a glob: `v1.*`.",
        ),
    ] = None
    regex: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            show_default=False,
            rich_help_panel=_FILTERS,
            help="Show only names that match an RE2 expression in full.",
        ),
    ] = None
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default=False,
            rich_help_panel=_FILTERS,
            help="Show only items updated longer ago than this: 30d, 12h; items without a time are"
            " hidden.",
        ),
    ] = None
    newer_than: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default=False,
            rich_help_panel=_FILTERS,
            help="Show only items updated within this time.",
        ),
    ] = None
    larger_than: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            show_default=False,
            rich_help_panel=_FILTERS,
            help="Show only items larger than this, compressed: 500MB, 2GiB.",
        ),
    ] = None
    untagged: Annotated[
        bool,
        typer.Option("--untagged", rich_help_panel=_FILTERS, help="Show only items without tags."),
    ] = False
    sort: Annotated[
        Order | None,
        typer.Option(
            show_default="the API's order",
            rich_help_panel=_FILTERS,
            help="Sort by newest, largest or name; the whole list is read first.",
        ),
    ] = None
    reverse: Annotated[
        bool, typer.Option("--reverse", rich_help_panel=_FILTERS, help="Reverse the order.")
    ] = False
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            show_default=False,
            rich_help_panel=_FILTERS,
            help="Show at most this many items.",
        ),
    ] = None


class Format(StrEnum):
    """Formats of output."""

    TABLE = "table"
    PLAIN = "plain"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class ReportFormat(StrEnum):
    """Formats of a clean-up's report."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


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
            help="Output format.",
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            show_default=False,
            rich_help_panel=_OUTPUT,
            help="Columns to print; `all` prints every column.",
        ),
    ] = None
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", rich_help_panel=_OUTPUT, help="Print names only, one per line."
        ),
    ] = False
    no_trunc: Annotated[
        bool,
        typer.Option(
            "--no-trunc",
            rich_help_panel=_OUTPUT,
            help="Print whole digests in tables, however wide they get.",
        ),
    ] = False
    no_header: Annotated[
        bool,
        typer.Option("--no-header", rich_help_panel=_OUTPUT, help="Omit the header line."),
    ] = False
    utc: Annotated[
        bool,
        typer.Option(
            "--utc", rich_help_panel=_OUTPUT, help="Print times in UTC instead of local time."
        ),
    ] = False


def as_arguments(group: Any) -> list[str]:
    """Return the arguments that give a group the values it has, those of defaults left out."""
    hints = get_type_hints(type(group), include_extras=True)
    arguments: list[str] = []
    for field in attrs.fields(type(group)):
        value = getattr(group, field.name)
        if value == field.default:
            continue
        (option,) = hints[field.name].__metadata__
        names = [name.split("/")[0] for name in option.param_decls if name.startswith("--")]
        flag = names[0] if names else f"--{field.name.replace('_', '-')}"
        if isinstance(value, bool):
            arguments.append(flag)
        else:
            for each in value if isinstance(value, list) else [value]:
                arguments += [flag, str(each)]
    return arguments


def shows(columns: Callable[[], Sequence[Any]]) -> Callable[[T], T]:
    """Return a decorator of a command whose ``--columns`` has these names, for completion.

    Args:
        columns: Returns the columns.
    """

    def named(function: T) -> T:
        vars(function)["columns"] = lambda: [column.name for column in columns()]
        return function

    return named


def with_groups(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command in which each argument of an attrs class becomes that class's options."""
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

    vars(command).update(vars(function))
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
            default=inspect.Parameter.empty if field.default is attrs.NOTHING else field.default,
            annotation=hints[field.name],
        )
        for field in attrs.fields(group)
    ]
