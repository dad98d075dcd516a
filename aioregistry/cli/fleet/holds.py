"""The work of the commands that hold repositories of a fleet, and release them."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from aioregistry.api.names import check_repository
from aioregistry.cli.display.text import counted, safe
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE
from aioregistry.cli.fleet.joining import joined, load_chosen
from aioregistry.cli.fleet.options import Joining
from aioregistry.cli.options import Access
from aioregistry.cli.running import run
from aioregistry.errors import InvalidNameError
from aioregistry.fleet.lease import LeaseTakenError

if TYPE_CHECKING:
    from aioregistry.fleet.engine import FleetEngine

__all__ = ["hold", "hold_repositories", "release_repositories", "tell_held"]

_SECONDS_BETWEEN_ATTEMPTS = 1.0
_MAX_SHOWN = 3


def _checked(repositories: Iterable[str]) -> list[str]:
    """Return names of repositories.

    Raises:
        UsageError: No repository can have one of them.
    """
    try:
        return [check_repository(name) for name in repositories]
    except InvalidNameError as error:
        raise UsageError(error.message) from None


async def hold(engine: "FleetEngine", registry: str, repositories: list[str]) -> None:
    """Hold repositories, as soon as no step of a run is carried out, and say so."""
    told = False
    while True:
        try:
            await engine.store.hold(registry, repositories, time.time())
        except LeaseTakenError:
            if not told:
                told = True
                typer.echo(
                    f"{registry}: waits for the end of a step of its run, some minutes at most;"
                    " 'aioregistry fleet cancel' ends the run",
                    err=True,
                )
            await asyncio.sleep(_SECONDS_BETWEEN_ATTEMPTS)
        else:
            break
    await tell_held(engine, [registry])


async def _release(engine: "FleetEngine", registry: str, repositories: list[str]) -> None:
    """Release repositories, all of them for none, and say which were held."""
    held = await engine.store.held(registry)
    known = [name for name in repositories or held if name in held]
    await engine.store.release(registry, known)
    for name in repositories:
        if name not in held:
            typer.echo(f"{registry}: {safe(name)} was not held", err=True)
    typer.echo(f"{registry}: {counted(len(known), 'repository')} released", err=True)


async def tell_held(engine: "FleetEngine", registries: Iterable[str]) -> None:
    """Say which repositories of some registries are held."""
    for registry in registries:
        held = list(await engine.store.held(registry))
        if held:
            shown = safe(", ".join(held[:_MAX_SHOWN]))
            more = f" and {len(held) - _MAX_SHOWN:,} more" if len(held) > _MAX_SHOWN else ""
            typer.echo(
                f"{registry}: runs leave {shown}{more} alone until 'aioregistry fleet release'",
                err=True,
            )


def hold_repositories(
    file: Path, name: str, repositories: Sequence[str], joining: Joining, access: Access
) -> None:
    """Have runs leave repositories alone."""

    async def work() -> int:
        (fleet, _), names = load_chosen(file, (name,)), _checked(repositories)
        async with joined(fleet, joining, access, needs_server=True) as engine:
            await hold(engine, name, names)
        return DONE

    run("fleet hold", access, work(), lambda: "nothing was held")


def release_repositories(
    file: Path, name: str, repositories: Sequence[str], joining: Joining, access: Access
) -> None:
    """Have runs clean repositories up again."""

    async def work() -> int:
        (fleet, _), names = load_chosen(file, (name,)), _checked(repositories)
        async with joined(fleet, joining, access, needs_server=True) as engine:
            await _release(engine, name, names)
        return DONE

    run("fleet release", access, work(), lambda: "nothing was released")
