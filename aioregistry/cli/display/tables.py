"""Tables of results, in which no word is ever broken: a name or digest can always be copied."""

from collections.abc import Iterable, Sequence

from rich.box import ROUNDED
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

from aioregistry.cli.display.widths import table_widths

__all__ = ["in_table", "plain_table", "print_table"]

_ANY_WIDTH = 10_000
_BORDERS = 3


def in_table(sections: Iterable[Sequence[tuple[str, str, str]]]) -> Table:
    """Return a table of results: sections of rows, each with name, value and remark."""
    table = Table(box=ROUNDED, show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for rows in sections:
        for row in rows:
            table.add_row(*row)
        table.add_section()
    return table


def plain_table(titles: Iterable[str], numbers: Iterable[str] = ()) -> Table:
    """Return a table without lines, and without rows still.

    Args:
        titles: The titles of its columns.
        numbers: Those of columns of numbers, which are aligned to the right.
    """
    table, right = Table(box=None, pad_edge=False), set(numbers)
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left")
    return table


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table; what does not fit is wrapped between words, then has no lines around it.

    Where even that is too wide for the terminal, its rows are longer than the terminal's lines.

    Args:
        table: The table; the widths of its columns are set.
        console: Where it is printed; None means stdout.
    """
    console = console or Console()
    columns = table.columns
    measures = [_measure(column, console) for column in columns]
    natural, least = [each.maximum for each in measures], [each.minimum for each in measures]
    # Besides the two blanks that `table_widths` knows.
    lines = 0 if table.box is None else len(columns) + _BORDERS
    if _total(least) + lines > console.width:
        table.box, table.pad_edge, lines = None, False, 0
    widths = table_widths(natural, least, console.width - lines)
    for column, width in zip(columns, widths, strict=True):
        column.width = width
    console.width = max(console.width, _total(widths) + lines)
    console.print(table, highlight=False)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _measure(column: Column, console: Console) -> Measurement:
    options = console.options.update(width=_ANY_WIDTH, max_width=_ANY_WIDTH)
    cells = [
        Measurement.get(console, options, cell)
        for cell in (column.header, *column.cells, column.footer)
    ]
    natural = max(cell.maximum for cell in cells)
    least = natural if column.no_wrap else max(cell.minimum for cell in cells)
    return Measurement(least, natural)
