"""``aioregistry config``: the settings in use, and the source of each."""

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from attrs import frozen

from aioregistry.cli.display.rows import Column, printer_for
from aioregistry.cli.exit_codes import DONE, epilog
from aioregistry.cli.groups import CommandGroup
from aioregistry.cli.options import Access, Output, shows, with_groups
from aioregistry.cli.running import run
from aioregistry.cli.settings.config_file import (
    KEYS,
    check_kind,
    config_path,
    parse_config,
    with_setting,
)
from aioregistry.cli.settings.settings import Setting, Settings, SettingsError
from aioregistry.cli.settings.turns import one_at_a_time
from aioregistry.files import read_text, write_file
from aioregistry.session.origins import without_login

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Show and edit the configuration.",
)
_SECRET_KEY = "token"  # noqa: S105, its name
_SHOWN_OF_SECRET = 4
_URLS = ("api-url", "registry-url", "redis")
_SETTABLE = [key for key in KEYS if key != _SECRET_KEY]
_OWNER_ONLY = 0o600
_TEMPLATE = """\
# Settings of aioregistry. A profile is an account; --profile NAME chooses one.
# Precedence: flags, environment, this file.
# profile = "default"

[profiles.default]
# token-file = "~/.config/aioregistry/token"  # file with the API token
# doctl-context = "default"                   # or doctl's token
# registry = "example"                        # registry for commands that name none
# read-write = false                          # whether credentials for Docker may push
# expiry = "30d"                              # lifetime of credentials for Docker
# headroom = 0.2                              # share of the quota to leave to other programs
# redis = "redis://localhost"                 # Redis in which programs share the quota
# keep = 30                                   # runs of clean-ups kept of each registry
# api-url = "http://127.0.0.1:8080"           # address of another API, such as a sandbox
# registry-url = "http://127.0.0.1:8080"      # address of its registry
# rate-limit = "real"                         # or scaled:60, or off, for a sandbox
"""


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
@shows(lambda: _COLUMNS)
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


@app.command(epilog=epilog("aioregistry config init", interrupts=False))
@with_groups
def init(
    access: Access = Access(),
) -> None:
    """Write a configuration file with all settings as comments, where none exists."""

    async def work() -> int:
        path = config_path(os.environ)
        if path.exists():
            raise SettingsError(f"{path} exists: change it with 'aioregistry config set'")
        _write(path, _TEMPLATE, mode=_OWNER_ONLY)
        typer.echo(f"{path}: written; set values with 'aioregistry config set KEY VALUE'", err=True)
        return DONE

    run("config init", access, work())


@app.command(name="set", epilog=epilog("aioregistry config set registry example", interrupts=False))
@with_groups
def set_(
    key: Annotated[str, typer.Argument(metavar="KEY", help=f"Setting: {', '.join(_SETTABLE)}.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Value of the setting.")],
    access: Access = Access(),
) -> None:
    """Change a setting of a profile: that of --profile, else the profile in use, else `default`.

    Comments and all other settings in the file are kept.
    """

    async def work() -> int:
        if key == _SECRET_KEY:
            raise SettingsError(
                "a token on the command line stays in the shell's history: write it to a file, and"
                " run 'aioregistry config set token-file FILE'"
            )
        if key not in _SETTABLE:
            raise SettingsError(f"unknown key {key!r}; the keys are {', '.join(_SETTABLE)}")
        check_kind(key, value)
        path = config_path(os.environ)
        # Help must not load the clean-up.
        from aioregistry.cleanup.state_folder import state_root

        with one_at_a_time(state_root()):
            profile = _change(path, access.profile, key, value)
        typer.echo(f"{path}: set {key} of profile {profile!r}", err=True)
        return DONE

    run("config set", access, work())


def _change(path: Path, profile: str | None, key: str, value: str) -> str:
    """Change a setting in a configuration file, and return the profile that has it."""
    text = read_text(path) if path.exists() else ""
    config = parse_config(path, text)
    profile = profile or os.environ.get("AIOREGISTRY_PROFILE") or config.profile or "default"
    changed = with_setting(text, profile, key, value)
    # What cannot be read back is not written.
    after = parse_config(path, changed)
    if profile in after.invalid:
        raise after.invalid[profile]
    if after.profiles[profile].get(key) != value:
        raise SettingsError(f"{path}: cannot change {key} in this file: edit it by hand")
    Settings(after, Setting(profile, str(path)), {}, {}).check(key)
    _write(path, changed, mode=None if path.exists() else _OWNER_ONLY)
    return profile


def _write(path: Path, text: str, mode: int | None) -> None:
    """Write the configuration file, and make its folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text, mode=mode)
    except OSError as error:
        error.add_note("nothing was changed; AIOREGISTRY_CONFIG names another file")
        raise


def _shown(key: str, value: str) -> str:
    """Return the value of a setting without secrets: of a webhook, its path is one."""
    if key == "notify" and "://" in value:
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            return "…"
        return f"{value.partition('://')[0]}://{parts.netloc.rpartition('@')[2]}/…"
    return without_login(value) if key in _URLS else value


def _lines(settings: Settings) -> list[_Line]:
    found = {"profile": settings.profile}
    found |= {key: settings.get(key) for key in KEYS if key != _SECRET_KEY}
    source = "AIOREGISTRY_CONFIG" if os.environ.get("AIOREGISTRY_CONFIG") else "the default path"
    if not settings.config.path.exists():
        source += "; no such file"
    lines = [_Line("config", str(settings.config.path), source)]
    lines += [
        _Line(key, _shown(key, setting.value), setting.source)
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
