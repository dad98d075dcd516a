"""The work of ``aioregistry usage``."""

import sys
from collections.abc import Callable

import typer

from aioregistry.api.models import Registry
from aioregistry.cleanup.policy.patterns import Glob
from aioregistry.cli.connection import Connection
from aioregistry.cli.display.rows import printer_for
from aioregistry.cli.display.text import safe
from aioregistry.cli.exit_codes import DONE, SOME_FAILED
from aioregistry.cli.options import Access, Format, Output
from aioregistry.cli.running import refuse, run_connected
from aioregistry.cli.usage.options import Counting, Group
from aioregistry.cli.usage.rows import columns_by, rows_of, sentences
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import NotFoundError, PermissionDeniedError, PreconditionFailedError
from aioregistry.usage.measuring import measure_usage
from aioregistry.usage.model import By, RegistryUsage

__all__ = ["usage"]

_COMMAND = "usage"


def usage(
    registry: str | None,
    every: bool,
    counting: Counting,
    output: Output,
    access: Access,
) -> None:
    """Count the bytes of registries, and print them."""
    matches = _matches(counting.match)

    async def work(to: Connection) -> int:
        printer = printer_for(columns_by(counting.by, several=every), output)
        handles = await to.registries(registry, every=every)
        reported = await _reported(to)
        code = DONE
        notes: list[str] = []
        printer.begin()
        for handle in handles:
            try:
                found = await _measure(to, handle, counting, matches)
            except NotFoundError as error:
                if not every:
                    raise
                notes.append(f"{handle.name}: {error}")
                code = SOME_FAILED
                continue
            printer.rows(rows_of(found, reported.get(handle.name), counting.by))
            notes += sentences(found, reported.get(handle.name), read=not counting.lists_only)
        printer.end()
        _say(notes, output)
        return code

    run_connected(_COMMAND, access, work)


def _matches(glob: str | None) -> Callable[[str], bool]:
    if glob is None:
        return lambda _: True
    try:
        return Glob(glob).matches
    except ValueError as error:
        refuse(_COMMAND, f"--match: {error}")


async def _reported(to: Connection) -> dict[str, Registry]:
    """Return what the API says of each registry, by name; nothing where it may not be asked."""
    try:
        return {each.name: each for each in await to.client.registries()}
    except (PermissionDeniedError, PreconditionFailedError):
        return {}


async def _measure(
    to: Connection,
    handle: RegistryHandle,
    counting: Counting,
    matches: Callable[[str], bool],
) -> RegistryUsage:
    by = By.REPOSITORY if counting.by is Group.REGISTRY else By(counting.by.value)
    async with to.display.stage("Read", 0, "manifests", items_a_request=200) as stage:

        def count(listed: int) -> None:
            stage.done = stage.total = listed

        if counting.lists_only:
            return await measure_usage(
                handle, by=by, top=counting.top, matches=matches, on_progress=count
            )
        async with to.contents(handle, None, cache=True) as contents:
            return await measure_usage(
                handle, contents, by=by, top=counting.top, matches=matches, on_progress=count
            )


def _say(notes: list[str], output: Output) -> None:
    """Print sentences: below a table, and where programs read the rows, on stderr."""
    is_table = not output.quiet and (
        output.output is Format.TABLE or (output.output is None and sys.stdout.isatty())
    )
    for note in notes:
        typer.echo(safe(note), err=not is_table)
