"""``aioregistry config``: what is configured, and where each part of it comes from."""

import typer
from attrs import frozen

from aioregistry.cli.connection import DONE, run
from aioregistry.cli.display.listing import printer_of
from aioregistry.cli.display.rows import Column
from aioregistry.cli.options import Access, Output, with_groups
from aioregistry.cli.settings.config_file import KEYS
from aioregistry.cli.settings.settings import Setting, Settings, SettingsError
from aioregistry.session.origins import without_login

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Show the configuration, and where it comes from.",
)
_SECRET_KEY = "token"  # noqa: S105, its name
_SHOWN_OF_SECRET = 4
_URLS = ("api-url", "registry-url")


@app.callback()
def _config() -> None:
    """Show the configuration, and where it comes from."""


@frozen
class _Line:
    key: str
    value: str
    source: str


_COLUMNS: list[Column[_Line]] = [
    Column("key", lambda line: line.key, width=13),
    Column("value", lambda line: line.value, width=40),
    Column("source", lambda line: line.source, width=30),
]


@app.command(epilog="Exit codes: 0, done; 2, the configuration makes no sense.")
@with_groups
def show(
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Show each setting in force and what says it; of a token only the last characters."""
    printer = printer_of("config show", _COLUMNS, output)

    async def work() -> int:
        settings = Settings.load(access)
        printer.begin()
        printer.rows(_lines(settings))
        printer.end()
        return DONE

    run("config show", access, work())


def _lines(settings: Settings) -> list[_Line]:
    found = {"profile": settings.profile}
    found |= {key: settings.get(key) for key in KEYS if key != _SECRET_KEY}
    lines = [_Line("config", str(settings.config.path), "AIOREGISTRY_CONFIG, or the usual place")]
    lines += [
        _Line(key, without_login(setting.value) if key in _URLS else setting.value, setting.source)
        for key, setting in found.items()
        if setting is not None
    ]
    try:
        lines.append(_Line(_SECRET_KEY, _masked(settings.token), settings.token.source))
    except SettingsError as error:
        lines.append(_Line(_SECRET_KEY, "", str(error)))
    return lines


def _masked(token: Setting) -> str:
    value = token.value
    shown = value[-_SHOWN_OF_SECRET:] if len(value) > 4 * _SHOWN_OF_SECRET else ""
    return f"********{shown}"
