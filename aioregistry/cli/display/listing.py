"""Shows a list: read page by page, filtered, written as it comes."""

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

import typer
from attrs import evolve, frozen

from aioregistry.cli.display.progress import Display
from aioregistry.cli.display.rows import Column, Printer, printer_for
from aioregistry.cli.display.selection import Facts, Selection
from aioregistry.cli.errors import UsageError
from aioregistry.cli.options import Filters, Order, Output
from aioregistry.cli.process import output_is_piped
from aioregistry.errors import NotFoundError

if TYPE_CHECKING:
    from aioregistry.paging.pager import Pager
    from aioregistry.session.exchange import RecentRequests

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
        none: What a person reads where there is no item at all; empty for ``no tags``.
    """

    printer: Printer[T]
    selection: Selection
    facts: Facts[T]
    unit: str
    none: str = ""

    @classmethod
    def of(
        cls,
        unit: str,
        columns: Sequence[Column[T]],
        facts: Facts[T],
        filters: Filters,
        output: Output,
        *,
        places: Sequence[str] = (),
        name: Callable[[T], str] | None = None,
        none: str = "",
    ) -> "Listing[T]":
        """Read the options of a list.

        Args:
            unit: The kind of item, in the plural.
            columns: The columns.
            facts: The values of an item that filters compare.
            filters: The options that filter and sort.
            output: The options on the format.
            places: Columns on where an item is, which are shown first because items of several
                places are in the list.
            name: Returns an item's name for ``--quiet``; None means the first column.
            none: What a person reads where there is no item at all; empty for ``no tags``.

        Raises:
            UsageError: An option is invalid.
        """
        if filters.untagged and facts.untagged is None:
            raise UsageError("--untagged is for manifests and repositories: every tag is tagged")
        selection = Selection.of(filters, datetime.now(UTC))
        known = {each.name: each for each in columns}
        first = [evolve(known[place], shown=True) for place in places]
        rest = [each for each in columns if each.name not in places]
        if filters.sort is Order.SIZE or filters.larger_than is not None:
            # What a list is in the order of can be seen.
            rest = [evolve(each, shown=each.shown or each.name == "size") for each in rest]
        return cls(printer_for([*first, *rest], output, name), selection, facts, unit, none)

    def end(self, read: int) -> None:
        """Tell a person who has seen no row that there is none.

        Args:
            read: How many items were read.
        """
        if self.printer.shows_none:
            none = self.none or f"no {self.unit}"
            typer.echo(f"no {self.unit} match: {read:,} read" if read else none, err=True)


def show_all(listing: Listing[T], items: Iterable[T]) -> None:
    """Write a list that has been read already to stdout, filtered and sorted."""
    wanted, facts, printer = listing.selection, listing.facts, listing.printer
    read = list(items)
    found = wanted.of_page(read, facts)
    found = found[: wanted.limit] if wanted.sort is None else wanted.in_order(found, facts)
    printer.all(found)
    listing.end(len(read))


async def show(
    display: Display,
    answers: "RecentRequests",
    listing: Listing[T],
    pagers: "Iterable[Pager[T]]",
    only: Callable[[T], bool] = lambda _: True,
    missing: str = "",
) -> None:
    """Write lists to stdout as one: each page as it arrives, unless the list is sorted.

    Args:
        display: Shows progress.
        answers: Those of the API: by its clock ages are counted where this machine's is ahead.
        listing: How the list is shown.
        pagers: The lists.
        only: Whether an item is shown at all, before filters.
        missing: The error where `only` has let no item through; empty where that is none.

    Raises:
        NotFoundError: That error.
        RegistryError: A page cannot be read.
        OSError: Output cannot be written; BrokenPipeError when its reader has closed the pipe.
    """
    wanted, facts, printer = listing.selection, listing.facts, listing.printer
    left, kept = wanted.limit, list[T]()
    # Rows that are written to the terminal are progress enough, and a bar would stand in between.
    shown = wanted.sort is not None or not sys.stdout.isatty()
    # The reader of a pipe may write to the same terminal, as `head` does.
    bar = wanted.sort is not None or not output_is_piped()
    begun, named = False, _Named(only, missing)
    async with display.stage(
        "Read", 0, listing.unit, items_a_request=200, shown=shown, bar=bar
    ) as stage:
        for pager in pagers:
            total, done = stage.total, stage.done
            async with pager.pages() as pages:
                async for page in pages:
                    if not begun:
                        begun = True
                        wanted = _by_clock(wanted, answers)
                        printer.begin()
                    stage.total = total + (page.total or pages.found)
                    stage.done = done + pages.found
                    found = wanted.of_page(named.of_page(page.items), facts)
                    if wanted.sort is not None:
                        kept += found
                        continue
                    if left is not None:
                        found = found[:left]
                        left -= len(found)
                    printer.rows(found)
                    if left == 0:
                        break
            if left == 0:
                break
    if not begun:
        printer.begin()
    if wanted.sort is not None:
        printer.rows(wanted.in_order(kept, facts))
    printer.end()
    named.check()
    listing.end(stage.done)


def _by_clock(wanted: Selection, answers: "RecentRequests") -> Selection:
    """Return which items are wanted by the API's clock, once it has answered."""
    if wanted.until is None and wanted.since is None:
        return wanted
    from aioregistry.cleanup.plan.make import time_by

    _, ahead = time_by(answers)
    if not ahead:
        return wanted
    typer.echo(
        f"this machine's clock is {ahead} ahead of the API's, by which ages are counted", err=True
    )
    return wanted.by_clock(ahead)


class _Named(Generic[T]):
    """The items of a list that an argument names."""

    def __init__(self, only: Callable[[T], bool], missing: str) -> None:
        self._only = only
        self._missing = missing
        self._is_found = False

    def of_page(self, items: Iterable[T]) -> list[T]:
        """Return those of a page."""
        found = list(filter(self._only, items))
        self._is_found = self._is_found or bool(found)
        return found

    def check(self) -> None:
        """Raise `NotFoundError` if there was none, and that is an error."""
        if self._missing and not self._is_found:
            raise NotFoundError(self._missing)
