"""Shows a list: read page by page, filtered, written as it comes."""

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Generic, TypeVar

from attrs import frozen

from aioregistry.cli.connection import Connection, refuse
from aioregistry.cli.display.rows import Column, Printer, printer_for
from aioregistry.cli.display.selection import Facts, Selection
from aioregistry.cli.options import Filters, Output
from aioregistry.paging.pager import Pager

__all__ = ["Listing", "printer_of", "show", "show_all"]

T = TypeVar("T")


@frozen
class Listing(Generic[T]):
    """How a list is shown: a command, and its options read.

    Attributes:
        printer: Writes its rows.
        selection: Which items are wanted.
        facts: What of an item is filtered by.
        unit: What the items are, in the plural.
    """

    printer: Printer[T]
    selection: Selection
    facts: Facts[T]
    unit: str

    @classmethod
    def of(
        cls,
        command: str,
        columns: Sequence[Column[T]],
        facts: Facts[T],
        filters: Filters,
        output: Output,
    ) -> "Listing[T]":
        """Read the options of a list; when they make no sense, say so and exit."""
        if filters.untagged and facts.untagged is None:
            refuse(command, "every tag has a tag: --untagged is for manifests and repositories")
        try:
            selection = Selection.of(filters, datetime.now(UTC))
        except (ValueError, ModuleNotFoundError) as error:
            refuse(command, error)
        return cls(printer_of(command, columns, output), selection, facts, command)


def printer_of(command: str, columns: Sequence[Column[T]], output: Output) -> Printer[T]:
    """Return what writes rows as options say; when they make no sense, say so and exit."""
    try:
        return printer_for(columns, output)
    except ValueError as error:
        refuse(command, error)


def show_all(listing: Listing[T], items: Iterable[T]) -> None:
    """Write what is wanted of a list that is there already to stdout."""
    wanted, facts, printer = listing.selection, listing.facts, listing.printer
    found = wanted.of_page(items, facts)
    found = found[: wanted.limit] if wanted.sort is None else wanted.in_order(found, facts)
    printer.begin()
    printer.rows(found)
    printer.end()


async def show(
    to: Connection,
    listing: Listing[T],
    pager: Pager[T],
    only: Callable[[T], bool] = lambda _: True,
) -> None:
    """Write what is wanted of a list to stdout: each page when it is there, unless it is sorted.

    Args:
        to: The client.
        listing: How it is shown.
        pager: The list.
        only: Whether an item is among what was asked for, whatever the filters say.

    Raises:
        RegistryError: A page cannot be read.
        OSError: Nothing more can be written; BrokenPipeError when nobody reads any more.
    """
    wanted, facts, printer = listing.selection, listing.facts, listing.printer
    left, kept = wanted.limit, list[T]()
    # Rows that are written to the terminal are progress enough, and a bar would stand in between.
    bar = wanted.sort is not None or not sys.stdout.isatty()
    async with (
        to.display.stage(
            "Read", 0, listing.unit, to.limiter, items_a_request=200, shown=bar
        ) as stage,
        pager.pages() as pages,
    ):
        async for page in pages:
            if page.number == 1:
                printer.begin()
            stage.total, stage.done = page.total or pages.found, pages.found
            found = wanted.of_page(filter(only, page.items), facts)
            if wanted.sort is not None:
                kept += found
                continue
            if left is not None:
                found = found[:left]
                left -= len(found)
            printer.rows(found)
            if left == 0:
                break
    if wanted.sort is not None:
        printer.rows(wanted.in_order(kept, facts))
    printer.end()
