"""``aioregistry gc``: garbage collections of a registry."""

import json
from contextlib import ExitStack
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from aioregistry.api.names import check_garbage_collection_uuid
from aioregistry.cli.asking import ask
from aioregistry.cli.display.garbage import show_status_of
from aioregistry.cli.display.listing import Listing, show
from aioregistry.cli.display.rows import Column, as_json
from aioregistry.cli.display.selection import Facts
from aioregistry.cli.display.text import counted, safe, size_in_words
from aioregistry.cli.exit_codes import DONE, SOME_FAILED, epilog
from aioregistry.cli.groups import CommandGroup
from aioregistry.cli.options import (
    Access,
    AllRegistries,
    Filters,
    Output,
    RegistryName,
    ReportFormat,
    Yes,
    shows,
    with_groups,
)
from aioregistry.cli.running import run_connected

if TYPE_CHECKING:
    from aioregistry.api.models import GarbageCollection
    from aioregistry.cli.connection import Connection
    from aioregistry.client.garbage import GarbageCollectionType
    from aioregistry.client.registry import RegistryHandle

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Start, watch and cancel garbage collections, which free the storage of deleted images.",
)

_TYPES: "dict[str, GarbageCollectionType]" = {
    "manifests": "untagged manifests only",
    "blobs": "unreferenced blobs only",
    "both": "untagged manifests and unreferenced blobs",
}
_INTERRUPTED = "a garbage collection that was started continues; to end it: aioregistry gc cancel"


class _Kind(StrEnum):
    """Kinds of garbage collection."""

    BLOBS = "blobs"
    MANIFESTS = "manifests"
    BOTH = "both"


Kind = Annotated[
    _Kind,
    typer.Option(
        "--type",
        help="What to delete: unreferenced blobs, untagged manifests, or both. `blobs` is enough"
        " after a clean-up; the others may delete parts of multi-platform images.",
    ),
]
Form = Annotated[
    ReportFormat,
    typer.Option("--output", "-o", help="Format: a sentence, or a JSON object for programs."),
]
Interval = Annotated[
    float, typer.Option(min=0.01, metavar="SECONDS", help="Time between status checks.")
]


@app.command(epilog=epilog("aioregistry gc start example", asks=True))
@with_groups
def start(
    registry: RegistryName = None,
    kind: Kind = _Kind.BLOBS,
    yes: Yes = False,
    wait: Annotated[bool, typer.Option(help="Wait until it ends.")] = True,
    interval: Interval = 10.0,
    output: Form = ReportFormat.TABLE,
    access: Access = Access(),
) -> None:
    """Start a garbage collection. The registry is read-only until it ends: pushes fail.

    Prints first what `aioregistry cleanup undo` can restore until it starts. None is started while
    a clean-up of this machine deletes or restores in the registry.
    """
    command = "gc start"

    async def work(to: "Connection") -> int:
        from aioregistry.cleanup.garbage import READ_ONLY, collect_garbage
        from aioregistry.cli.runs import clean_up_alone
        from aioregistry.cli.undo.record import end_of_undo, note_collection

        handle = await to.registry(registry)
        takes_blobs = kind is not _Kind.MANIFESTS
        if takes_blobs and (ends := end_of_undo(handle.name, to.settings)):
            typer.echo(ends, err=True)
        if not yes:
            question = f"Start a garbage collection in {handle.name!r} ({READ_ONLY})?"
            nothing = "no garbage collection was started"
            ask(command, question, nothing, api_url=to.settings.api_url)
        show_status = show_status_of(to.display, warns=yes)
        noted: list[str] = []

        def note(uuid: str) -> None:
            if takes_blobs and not noted:
                note_collection(handle.name, to.settings, uuid)
                noted.append(uuid)

        with ExitStack() as others:
            # What a clean-up deletes meanwhile could not be restored, and its DELETEs would fail.
            others.enter_context(clean_up_alone(command, handle))
            if not wait:
                started = await handle.start_garbage_collection(_TYPES[kind])
                note(started.uuid)
                to.display.say(READ_ONLY, begin="Collect")
                _print(started, output)
                return DONE

            def on_status(run: "GarbageCollection") -> None:
                others.close()
                note(run.uuid)
                show_status(run)

            collected = await collect_garbage(
                handle, type=_TYPES[kind], interval=interval, on_status=on_status
            )
        if output is ReportFormat.TABLE:
            typer.echo(str(collected))
        else:
            _print(collected.run, output)
        if not collected.run.freed_bytes:
            await _explain_nothing_freed(to, handle)
        return DONE

    run_connected(command, access, work, lambda: _INTERRUPTED)


@app.command(epilog=epilog("aioregistry gc status example"))
@with_groups
def status(
    registry: RegistryName = None,
    output: Form = ReportFormat.TABLE,
    access: Access = Access(),
) -> None:
    """Show the active garbage collection."""

    async def work(to: "Connection") -> int:
        handle = await to.registry(registry)
        active = await handle.garbage_collection()
        if active is None:
            return await _print_none(to, handle, output)
        _print(active, output)
        return DONE

    run_connected("gc status", access, work)


# Those that are shown fit into a terminal of 80 columns.
_COLUMNS: "list[Column[GarbageCollection]]" = [
    Column("uuid", lambda item: item.uuid, width=36),
    Column("status", lambda item: item.status, width=12),
    Column("started", lambda item: item.created_at, kind="time", width=25),
    Column(
        "ended",
        lambda item: item.updated_at if item.ended else None,
        kind="time",
        width=25,
        shown=False,
    ),
    Column("blobs", lambda item: item.blobs_deleted, kind="count", width=9, shown=False),
    Column("freed", lambda item: item.freed_bytes, kind="bytes", width=15),
    Column("registry", lambda item: item.registry_name, width=20, shown=False),
]
_FACTS: "Facts[GarbageCollection]" = Facts(
    lambda item: (item.uuid, item.status),
    lambda item: item.updated_at,
    lambda item: item.freed_bytes,
)


@app.command(name="list", epilog=epilog("aioregistry gc list example"))
@with_groups
@shows(lambda: _COLUMNS)
def list_(
    registry: RegistryName = None,
    all_registries: AllRegistries = False,
    filters: Filters = Filters(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List past garbage collections; `--match` matches UUIDs and statuses."""

    async def work(to: "Connection") -> int:
        places = ("registry",) if all_registries else ()
        listing = Listing.of(
            "garbage collections", _COLUMNS, _FACTS, filters, output, places=places
        )
        registries = await to.registries(registry, every=all_registries)
        await show(
            to.display,
            to.client.recent_requests,
            listing,
            [each.garbage_collections() for each in registries],
        )
        return DONE

    run_connected("gc list", access, work)


@app.command(epilog=epilog("aioregistry gc wait example"))
@with_groups
def wait(
    registry: RegistryName = None,
    uuid: Annotated[
        str | None,
        typer.Option(
            metavar="UUID", show_default="the active one", help="Garbage collection to use."
        ),
    ] = None,
    interval: Interval = 10.0,
    output: Form = ReportFormat.TABLE,
    access: Access = Access(),
) -> None:
    """Wait until a garbage collection ends."""

    async def work(to: "Connection") -> int:
        if uuid is not None:
            check_garbage_collection_uuid(uuid)
        handle = await to.registry(registry)
        ended = await handle.wait_for_garbage_collection(
            uuid, interval=interval, on_status=show_status_of(to.display)
        )
        if ended is None:
            return await _print_none(to, handle, output)
        _print(ended, output)
        return DONE if ended.status in {"succeeded", "success"} else SOME_FAILED

    run_connected("gc wait", access, work, lambda: _INTERRUPTED)


@app.command(epilog=epilog("aioregistry gc cancel example", asks=True))
@with_groups
def cancel(
    registry: RegistryName = None,
    uuid: Annotated[
        str | None,
        typer.Option(
            metavar="UUID", show_default="the active one", help="Garbage collection to use."
        ),
    ] = None,
    yes: Yes = False,
    output: Form = ReportFormat.TABLE,
    access: Access = Access(),
) -> None:
    """Cancel a garbage collection; storage that it has freed already stays freed."""
    command = "gc cancel"

    async def work(to: "Connection") -> int:
        if uuid is not None:
            check_garbage_collection_uuid(uuid)
        handle = await to.registry(registry)
        chosen = uuid or await _active(handle)
        if chosen is None:
            return await _print_none(to, handle, output)
        if not yes:
            question = f"Cancel the garbage collection {safe(chosen)} of {handle.name!r}?"
            ask(command, question, "it was not cancelled", api_url=to.settings.api_url)
        _print(await handle.cancel_garbage_collection(chosen), output)
        return DONE

    run_connected(command, access, work, lambda: "to see its status: aioregistry gc status")


async def _active(registry: "RegistryHandle") -> str | None:
    active = await registry.garbage_collection()
    return None if active is None else active.uuid


async def _print_none(to: "Connection", registry: "RegistryHandle", form: ReportFormat) -> int:
    """Print that no garbage collection is active, and return the exit code.

    Raises:
        NotFoundError: The registry does not exist.
    """
    await to.client.get_registry(registry.name)
    typer.echo("no garbage collection is active", err=form is not ReportFormat.TABLE)
    if form is ReportFormat.JSON:
        typer.echo("null")
    return DONE


async def _explain_nothing_freed(to: "Connection", registry: "RegistryHandle") -> None:
    """Print how many untagged manifests still reference blobs; one request tells it."""
    least = 0
    async for repository in registry.repositories():
        least += max(0, (repository.manifest_count or 0) - (repository.tag_count or 0))
    count = f"at least {counted(least, 'untagged manifest')}" if least else "untagged manifests"
    to.display.say(
        f"a garbage collection of blobs keeps what {count} may reference; a clean-up deletes those"
        " that no image needs: aioregistry cleanup run --help"
    )


def _print(run: "GarbageCollection", form: ReportFormat) -> None:
    if form is not ReportFormat.TABLE:
        document = {column.name: as_json(column.value(run)) for column in _COLUMNS}
        typer.echo(json.dumps(document, indent=2 if form is ReportFormat.JSON else None))
        return
    line = f"{run.uuid}: {run.status}, started {_moment(run.created_at)}"
    if run.ended:
        line += (
            f", ended {_moment(run.updated_at)}, {_count(run.blobs_deleted)} blobs,"
            f" {_size(run.freed_bytes)} freed"
        )
    typer.echo(safe(line))


def _moment(moment: datetime | None) -> str:
    return "at an unknown time" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _count(count: int | None) -> str:
    return "an unknown number of" if count is None else f"{count:,}"


def _size(size: int | None) -> str:
    return "an unknown number of bytes" if size is None else size_in_words(size)
