"""``aioregistry gc``: garbage collections of a registry."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, get_args

import typer
from rich.box import ROUNDED
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aioregistry.cleanup.collection import READ_ONLY, collect_garbage
from aioregistry.cleanup.durations import parse_duration
from aioregistry.cli.connection import (
    DONE,
    SOME_FAILED,
    Connection,
    ask,
    refuse,
    run,
)
from aioregistry.cli.options import Access, RegistryName, Yes, with_groups
from aioregistry.handles import GarbageCollectionType, RegistryHandle
from aioregistry.models import GarbageCollection

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Start, watch and cancel garbage collections, which free what nothing needs any more.",
)

_EXIT_CODES = "Exit codes: 0, done; 1, not so; 2, wrong usage; 130, interrupted."
_KINDS: dict[str, GarbageCollectionType] = dict(
    zip(("manifests", "blobs", "both"), get_args(GarbageCollectionType), strict=True)
)


class _Kind(StrEnum):
    """What is collected."""

    BLOBS = "blobs"
    MANIFESTS = "manifests"
    BOTH = "both"


Kind = Annotated[
    _Kind,
    typer.Option(
        "--type",
        help="Unreferenced blobs, untagged manifests, or both. A clean-up has chosen among"
        " untagged manifests already, so blobs are enough after it.",
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option(metavar="TIME", show_default=False, help="Wait no longer than this: 90s, 30m."),
]
Interval = Annotated[float, typer.Option(min=0.01, help="Seconds between two looks.")]


@app.command(epilog=_EXIT_CODES)
@with_groups
def start(
    registry: RegistryName = None,
    kind: Kind = _Kind.BLOBS,
    yes: Yes = False,
    wait: Annotated[bool, typer.Option(help="Wait until it has ended.")] = True,
    timeout: Timeout = None,
    interval: Interval = 10.0,
    access: Access = Access(),  # noqa: B008, frozen
) -> None:
    """Start a garbage collection. The registry is read-only until it has ended."""
    command = "gc start"
    seconds = _seconds(command, timeout)
    if not yes:
        question = f"Start it? {READ_ONLY[0].upper()}{READ_ONLY[1:]}."
        ask(command, question, "no garbage collection was started")

    async def work() -> int:
        async with Connection.open(access) as to:
            handle = await to.registry(registry)
            to.display.say(READ_ONLY, begin="Collect")
            if not wait:
                _say(await handle.start_garbage_collection(_KINDS[kind]))
                return DONE
            collected = await collect_garbage(
                handle,
                type=_KINDS[kind],
                timeout=seconds,
                interval=interval,
                on_status=_teller(to),
            )
            typer.echo(str(collected))
        return DONE

    run(command, access, work(), _goes_on)


@app.command(epilog=_EXIT_CODES)
@with_groups
def status(
    registry: RegistryName = None,
    access: Access = Access(),  # noqa: B008, frozen
) -> None:
    """Show the garbage collection that is under way."""

    async def work() -> int:
        async with Connection.open(access) as to:
            active = await (await to.registry(registry)).garbage_collection()
        if active is None:
            typer.echo("no garbage collection is under way")
        else:
            _say(active)
        return DONE

    run("gc status", access, work())


@app.command(name="list", epilog=_EXIT_CODES)
@with_groups
def list_(
    registry: RegistryName = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    access: Access = Access(),  # noqa: B008, frozen
) -> None:
    """List past garbage collections, the newest first."""

    async def work() -> int:
        table = Table(box=ROUNDED)
        table.add_column("uuid", no_wrap=True)
        for title in ("status", "started", "ended"):
            table.add_column(title)
        for title in ("blobs", "freed bytes"):
            table.add_column(title, justify="right")
        async with Connection.open(access) as to:
            handle = await to.registry(registry)
            count = 0
            async with aiter(handle.garbage_collections()) as runs:
                async for run in runs:
                    table.add_row(*map(Text, _cells(run)))
                    count += 1
                    if count == limit:
                        break
        Console().print(table, highlight=False)
        return DONE

    run("gc list", access, work())


@app.command(epilog=_EXIT_CODES)
@with_groups
def wait(
    registry: RegistryName = None,
    uuid: Annotated[
        str | None, typer.Option(show_default="the one under way", help="Which one.")
    ] = None,
    timeout: Timeout = None,
    interval: Interval = 10.0,
    access: Access = Access(),  # noqa: B008, frozen
) -> None:
    """Wait until a garbage collection has ended."""
    command = "gc wait"
    seconds = _seconds(command, timeout)

    async def work() -> int:
        async with Connection.open(access) as to:
            handle = await to.registry(registry)
            ended = await handle.wait_for_garbage_collection(
                uuid, timeout=seconds, interval=interval, on_status=_teller(to)
            )
        if ended is None:
            typer.echo("no garbage collection is under way")
            return DONE
        _say(ended)
        return DONE if ended.status in {"succeeded", "success"} else SOME_FAILED

    run(command, access, work(), _goes_on)


@app.command(epilog=_EXIT_CODES)
@with_groups
def cancel(
    registry: RegistryName = None,
    uuid: Annotated[
        str | None, typer.Option(show_default="the one under way", help="Which one.")
    ] = None,
    access: Access = Access(),  # noqa: B008, frozen
) -> None:
    """Cancel a garbage collection; what it has freed by then stays freed."""

    async def work() -> int:
        async with Connection.open(access) as to:
            handle = await to.registry(registry)
            which = uuid or await _active(handle)
            if which is None:
                typer.echo("no garbage collection is under way")
                return DONE
            _say(await handle.cancel_garbage_collection(which))
        return DONE

    run("gc cancel", access, work(), lambda: "look with 'aioregistry gc status'")


async def _active(registry: RegistryHandle) -> str | None:
    active = await registry.garbage_collection()
    return None if active is None else active.uuid


def _say(run: GarbageCollection) -> None:
    uuid, status, started, ended, blobs, freed = _cells(run)
    told = f"{uuid}: {status}, started {started}"
    if run.ended:
        told += f", ended {ended}, {blobs or 'unknown'} blobs, {freed or 'unknown'} bytes freed"
    typer.echo(told)


def _cells(run: GarbageCollection) -> tuple[str, ...]:
    begun = "" if run.created_at is None else f"{run.created_at:%Y-%m-%d %H:%M:%S} UTC"
    ended = "" if run.updated_at is None else f"{run.updated_at:%Y-%m-%d %H:%M:%S} UTC"
    return (
        run.uuid,
        run.status,
        begun,
        ended if run.ended else "",
        "" if run.blobs_deleted is None else f"{run.blobs_deleted:,}",
        "" if run.freed_bytes is None else f"{run.freed_bytes:,}",
    )


def _teller(to: Connection) -> Callable[[GarbageCollection], None]:
    """Return what shows each status once."""
    seen: list[str] = []

    def tell(run: GarbageCollection) -> None:
        if run.status not in seen:
            seen.append(run.status)
            to.display.say(run.status, begin="Collect")

    return tell


def _seconds(command: str, timeout: str | None) -> float | None:
    try:
        return None if timeout is None else parse_duration(timeout).total_seconds()
    except ValueError as error:
        refuse(command, error)


def _goes_on() -> str:
    return "a garbage collection that was started goes on: 'aioregistry gc cancel' ends it"
