"""``aioregistry config``: the settings in use, and the source of each."""

import typer
from attrs import frozen

from aioregistry.cli.display.rows import Column, printer_for
from aioregistry.cli.exit_codes import DONE, epilog
from aioregistry.cli.options import Access, Output, with_groups
from aioregistry.cli.running import run
from aioregistry.cli.settings.config_file import KEYS
from aioregistry.cli.settings.settings import Setting, Settings, SettingsError
from aioregistry.session.origins import without_login

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Show and edit the configuration.",
)
_SECRET_KEY = "token"  # noqa: S105, its name
_SHOWN_OF_SECRET = 4
_URLS = ("api-url", "registry-url")


@app.callback()
def _config() -> None:
    """Show and edit the configuration."""


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


@app.command(epilog=epilog("aioregistry config show", interrupts=False))
@with_groups
def show(
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Show each setting and its source; of a token, only the last characters."""

    async def work() -> int:
        printer = printer_for(_COLUMNS, output)
        settings = Settings.load(access)
        printer.all(_lines(settings))
        return DONE

    run("config show", access, work())


def _lines(settings: Settings) -> list[_Line]:
    found = {"profile": settings.profile}
    found |= {key: settings.get(key) for key in KEYS if key != _SECRET_KEY}
    lines = [_Line("config", str(settings.config.path), "AIOREGISTRY_CONFIG, or the default path")]
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
