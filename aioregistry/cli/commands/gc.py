"""``aioregistry gc``: garbage collections of a registry."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, get_args

import typer

from aioregistry.api.models import GarbageCollection
from aioregistry.cleanup.garbage import READ_ONLY, collect_garbage
from aioregistry.cleanup.policy.durations import parse_duration
from aioregistry.cli.connection import (
    DONE,
    SOME_FAILED,
    Connection,
    ask,
    refuse,
    run,
)
from aioregistry.cli.display.listing import Listing, show
from aioregistry.cli.display.rows import Column
from aioregistry.cli.display.selection import Facts
from aioregistry.cli.display.text import safe
from aioregistry.cli.options import Access, Filters, Output, RegistryName, Yes, with_groups
from aioregistry.client.registry import GarbageCollectionType, RegistryHandle

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Start, watch and cancel garbage collections, which free what nothing needs any more.",
)

_EXIT_CODES = "Exit codes: 0, done; 1, not so; 2, wrong usage; 130 or 143, interrupted."
_EXIT_CODES_OF_ASKING = (
    "Exit codes: 0, done; 1, not so; 2, wrong usage; 4, the answer was no, nothing was started;"
    " 130 or 143, interrupted."
)
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


@app.command(epilog=_EXIT_CODES_OF_ASKING)
@with_groups
def start(
    registry: RegistryName = None,
    kind: Kind = _Kind.BLOBS,
    yes: Yes = False,
    wait: Annotated[bool, typer.Option(help="Wait until it has ended.")] = True,
    timeout: Timeout = None,
    interval: Interval = 10.0,
    access: Access = Access(),
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
    access: Access = Access(),
) -> None:
    """Show the garbage collection that is under way."""

    async def work() -> int:
        async with Connection.open(access) as to:
            handle = await to.registry(registry)
            active = await handle.garbage_collection()
            if active is None:
                return await _say_none(to, handle)
            _say(active)
        return DONE

    run("gc status", access, work())


_COLUMNS: list[Column[GarbageCollection]] = [
    Column("uuid", lambda item: item.uuid, width=36),
    Column("status", lambda item: item.status, width=12),
    Column("started", lambda item: item.created_at, width=25),
    Column("ended", lambda item: item.updated_at if item.ended else None, width=25),
    Column("blobs", lambda item: item.blobs_deleted, kind="count", width=9),
    Column("freed", lambda item: item.freed_bytes, kind="bytes", width=15),
    Column("registry", lambda item: item.registry_name, width=20, shown=False),
]
_FACTS: Facts[GarbageCollection] = Facts(
    lambda item: (item.uuid, item.status),
    lambda item: item.updated_at,
    lambda item: item.freed_bytes,
)


@app.command(name="list", epilog=_EXIT_CODES)
@with_groups
def list_(
    registry: RegistryName = None,
    filters: Filters = Filters(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List past garbage collections; `--match` looks at their status, too."""
    listing = Listing.of("gc list", _COLUMNS, _FACTS, filters, output)

    async def work() -> int:
        async with Connection.open(access) as to:
            await show(to, listing, (await to.registry(registry)).garbage_collections())
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
    access: Access = Access(),
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
                return await _say_none(to, handle)
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
    access: Access = Access(),
) -> None:
    """Cancel a garbage collection; what it has freed by then stays freed."""

    async def work() -> int:
        async with Connection.open(access) as to:
            handle = await to.registry(registry)
            which = uuid or await _active(handle)
            if which is None:
                return await _say_none(to, handle)
            _say(await handle.cancel_garbage_collection(which))
        return DONE

    run("gc cancel", access, work(), lambda: "look with 'aioregistry gc status'")


async def _active(registry: RegistryHandle) -> str | None:
    active = await registry.garbage_collection()
    return None if active is None else active.uuid


async def _say_none(to: Connection, registry: RegistryHandle) -> int:
    """Say that none is under way, in a registry that is there; return the exit code.

    Raises:
        NotFoundError: There is no such registry.
    """
    await to.client.get_registry(registry.name)
    typer.echo("no garbage collection is under way")
    return DONE


def _say(run: GarbageCollection) -> None:
    told = f"{run.uuid}: {run.status}, started {_moment(run.created_at)}"
    if run.ended:
        told += (
            f", ended {_moment(run.updated_at)}, {_count(run.blobs_deleted)} blobs,"
            f" {_count(run.freed_bytes)} bytes freed"
        )
    typer.echo(safe(told))


def _moment(moment: datetime | None) -> str:
    return "at a time unknown" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _count(count: int | None) -> str:
    return "an unknown number of" if count is None else f"{count:,}"


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
