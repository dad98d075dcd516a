"""Shows a list: read page by page, filtered, written as it comes."""

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import frozen

from aioregistry.cli.display.progress import Display
from aioregistry.cli.display.rows import Column, Printer, printer_for
from aioregistry.cli.display.selection import Facts, Selection
from aioregistry.cli.errors import UsageError
from aioregistry.cli.options import Filters, Output
from aioregistry.cli.process import output_is_piped

if TYPE_CHECKING:
    from aioregistry.paging.pager import Pager

__all__ = ["Listing", "show", "show_all"]

T = TypeVar("T")


@frozen
class Listing(Generic[T]):
    """How a list is shown.

    Attributes:
        printer: Writes its rows.
        selection: Which items are shown.
        facts: The values of an item that filters compare.
        unit: The kind of item, in the plural.
    """

    printer: Printer[T]
    selection: Selection
    facts: Facts[T]
    unit: str

    @classmethod
    def of(
        cls,
        unit: str,
        columns: Sequence[Column[T]],
        facts: Facts[T],
        filters: Filters,
        output: Output,
    ) -> "Listing[T]":
        """Read the options of a list.

        Raises:
            UsageError: An option is invalid.
        """
        if filters.untagged and facts.untagged is None:
            raise UsageError("--untagged is for manifests and repositories: every tag is tagged")
        selection = Selection.of(filters, datetime.now(UTC))
        return cls(printer_for(columns, output), selection, facts, unit)


def show_all(listing: Listing[T], items: Iterable[T]) -> None:
    """Write a list that has been read already to stdout, filtered and sorted."""
    wanted, facts, printer = listing.selection, listing.facts, listing.printer
    found = wanted.of_page(items, facts)
    found = found[: wanted.limit] if wanted.sort is None else wanted.in_order(found, facts)
    printer.all(found)


async def show(
    display: Display,
    listing: Listing[T],
    pager: "Pager[T]",
    only: Callable[[T], bool] = lambda _: True,
) -> None:
    """Write a list to stdout: each page as it arrives, unless the list is sorted.

    Args:
        display: Shows progress.
        listing: How the list is shown.
        pager: The list.
        only: Whether an item is shown at all, before filters.

    Raises:
        RegistryError: A page cannot be read.
        OSError: Output cannot be written; BrokenPipeError when its reader has closed the pipe.
    """
    wanted, facts, printer = listing.selection, listing.facts, listing.printer
    left, kept = wanted.limit, list[T]()
    # Rows that are written to the terminal are progress enough, and a bar would stand in between.
    shown = wanted.sort is not None or not sys.stdout.isatty()
    # The reader of a pipe may write to the same terminal, as `head` does.
    bar = wanted.sort is not None or not output_is_piped()
    async with (
        display.stage("Read", 0, listing.unit, items_a_request=200, shown=shown, bar=bar) as stage,
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
