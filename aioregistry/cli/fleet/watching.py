"""Working on runs until they end, and telling on the way what fails."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import typer

from aioregistry.cli.display.text import safe
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, SOME_FAILED
from aioregistry.fleet.file import Fleet
from aioregistry.fleet.server import FleetServerError, FleetServerRefusedError
from aioregistry.fleet.tokens import TokenSourceError

if TYPE_CHECKING:
    from aioregistry.fleet.engine import FleetEngine
    from aioregistry.fleet.state import Run, StateError
    from aioregistry.fleet.store import Progress

__all__ = ["check_tokens", "described", "look_again", "told_of_failures", "work_to_the_end"]

_SECONDS_BETWEEN_LOOKS = 2.0


async def check_tokens(fleet: Fleet, names: Sequence[str]) -> None:
    """Refuse to begin while a registry has no token: a worker would try again for long.

    Raises:
        UsageError: The tokens of some cannot be had; it names all of them.
    """
    sources = [fleet.registries[name].token for name in names]
    found = await asyncio.gather(*(one.read() for one in sources), return_exceptions=True)
    problems = []
    for name, token in zip(names, found, strict=True):
        if isinstance(token, TokenSourceError):
            problems.append(f"{name}: {token.message}")
        elif isinstance(token, BaseException):
            raise token
    if problems:
        raise UsageError("; ".join(problems))


async def work_to_the_end(
    engine: "FleetEngine", names: Sequence[str], *, plan_only: bool = False
) -> int:
    """Work on runs until all of them have ended, and say what came of them."""
    from aioregistry.fleet.state import Run

    async with told_of_failures(engine, names):
        await engine.work(names, plan_only=plan_only)
    runs = await engine.runs()
    results = set()
    for name in names:
        ended = runs[name]
        if isinstance(ended, Run):
            typer.echo(described(ended))
            results.add(ended.result or ("done" if ended.phase == "gc" else ""))
    return DONE if results == {"planned" if plan_only else "done"} else SOME_FAILED


@asynccontextmanager
async def told_of_failures(engine: "FleetEngine", names: Sequence[str]) -> AsyncGenerator[None]:
    """Say of runs that are under way which steps failed, as they are tried again later."""
    watching = asyncio.create_task(_tell_failures(engine, names))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _tell_failures(engine: "FleetEngine", names: Sequence[str]) -> None:
    from aioregistry.fleet.state import Run

    told: dict[str, tuple[str, str]] = {}
    while True:
        with suppress(FleetServerError):
            runs = await engine.runs()
            for name in names:
                found = runs.get(name)
                if not isinstance(found, Run) or found.phase == "ended" or not found.error:
                    continue
                if told.get(name) != (found.id, found.error):
                    told[name] = found.id, found.error
                    typer.echo(safe(f"{name}: {found.error}; tried again"), err=True)
        await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)


async def look_again(
    engine: "FleetEngine", command: str
) -> "tuple[dict[str, Run | StateError | None], dict[str, Progress]]":
    """Return the runs and how far they are, some seconds after the last look.

    While the server is away, as it is restarted, that is said and waited for.

    Args:
        engine: The engine, whose server has answered before.
        command: Who looks.

    Raises:
        FleetServerRefusedError: The server refuses.
    """
    is_away = False
    while True:
        await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        try:
            found = await engine.runs(), await engine.progress()
        except FleetServerError as error:
            if isinstance(error, FleetServerRefusedError):
                raise
            if not is_away:
                is_away = True
                told = f"aioregistry {command}: {error.message}; looked for again"
                typer.echo(safe(told), err=True)
        else:
            if is_away:
                typer.echo(f"aioregistry {command}: the fleet's server is back", err=True)
            return found


def described(run: "Run") -> str:
    """Return what came of a run, in a line."""
    from aioregistry.cli.fleet.rows import describe

    return safe(describe(run))
