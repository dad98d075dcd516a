"""``aioregistry man``: the manual page."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import typer

from aioregistry.cli.exit_codes import epilog
from aioregistry.version import VERSION

__all__ = ["app"]

app: typer.Typer = typer.Typer(add_completion=False, rich_markup_mode="markdown")

_ENVIRONMENT = {
    "DIGITALOCEAN_TOKEN, DIGITALOCEAN_ACCESS_TOKEN": "The API token.",
    "AIOREGISTRY_CONFIG": "The configuration file.",
    "AIOREGISTRY_STATE_DIR": "The state directory, with plans, journals and archives.",
    "AIOREGISTRY_PROFILE, AIOREGISTRY_REGISTRY, AIOREGISTRY_API_URL, AIOREGISTRY_REGISTRY_URL,"
    " AIOREGISTRY_TOKEN_FILE, AIOREGISTRY_DOCTL_CONTEXT, AIOREGISTRY_READ_WRITE,"
    " AIOREGISTRY_EXPIRY, AIOREGISTRY_HEADROOM, AIOREGISTRY_RATE_LIMIT, AIOREGISTRY_REDIS,"
    " AIOREGISTRY_KEEP": "Settings of the configuration file, which they override.",
    "NO_COLOR": "Print no colours.",
}
_FILES = {
    "~/.config/aioregistry/config.toml": "The configuration file; `config init` writes one.",
    "~/.local/state/aioregistry": "The state directory, with a folder for each registry.",
    "~/.cache/aioregistry": "Manifests and names, to ask for them less often.",
}


@app.command(epilog=epilog("aioregistry man | man -l -", interrupts=False))
def man(context: typer.Context) -> None:
    """Print the manual page, made of the help of every command.

    To install it: `aioregistry man > ~/.local/share/man/man1/aioregistry.1`
    """
    from aioregistry.cli.display.manual import manual_page

    root = context.find_root()
    made = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.now(UTC) if made is None else datetime.fromtimestamp(int(made), UTC)
    commands = _commands(root, root.command)
    typer.echo(
        manual_page("aioregistry", VERSION, commands, _ENVIRONMENT, _FILES, now.date()), nl=False
    )


def _commands(
    context: Any, group: Any, before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the words of each command that can be run, and the command."""
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if hasattr(found, "list_commands"):
            yield from _commands(context, found, (*before, name))
        else:
            yield (*before, name), found
