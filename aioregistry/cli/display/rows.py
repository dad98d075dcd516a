"""Rows, written as they arrive: a table, plain columns, CSV, JSON, names."""

import csv
import io
import json
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import zip_longest
from typing import Any, Generic, Literal, TypeVar

from attrs import frozen
from rich.console import Console
from rich.text import Text

from aioregistry.cli.display.text import csv_cell, safe, size_in_words, time_in_words
from aioregistry.cli.display.widths import GAP, fitted, table_widths, width_of, wrap
from aioregistry.cli.errors import UsageError
from aioregistry.cli.options import Format, Output
from aioregistry.cli.process import reader_is_gone

__all__ = ["Column", "Printer", "Value", "as_json", "choose_columns", "printer_for"]

T = TypeVar("T")
Value = str | int | datetime | tuple[str, ...] | None

_SHORT_DIGITS = 12
# How people read the numbers of a column; those of others as they are.
_AMOUNTS = {"bytes": size_in_words, "seconds": time_in_words}
# Below this no column gets for want of room, whatever is in it.
_NARROW = 20


@frozen
class Column(Generic[T]):
    """A column of a list.

    Attributes:
        name: Its name.
        value: Returns an item's value.
        kind: The kind of value.
        width: Its width in plain output, where rows are written before all are known.
        shown: Whether it is shown unless `--columns` names others.
    """

    name: str
    value: Callable[[T], Value]
    kind: Literal["text", "digest", "time", "count", "bytes", "seconds"] = "text"
    width: int = 0
    shown: bool = True


class Printer(ABC, Generic[T]):
    """Writes rows.

    Attributes:
        shows_none: Whether a person who waits for rows has seen none.
    """

    shows_none: bool = False

    def begin(self) -> None:
        """Write the beginning, before all rows."""

    @abstractmethod
    def rows(self, items: Sequence[T]) -> None:
        """Write some rows."""

    def end(self) -> None:
        """Write the end, after all rows."""

    def all(self, items: Sequence[T]) -> None:
        """Write all rows, with beginning and end."""
        self.begin()
        self.rows(items)
        self.end()


def choose_columns(columns: Sequence[Column[T]], wanted: str | None) -> list[Column[T]]:
    """Return the columns that `--columns` names, in this order.

    Raises:
        UsageError: There is no such column.
    """
    if wanted is None:
        return [column for column in columns if column.shown]
    if wanted == "all":
        return list(columns)
    known = {column.name: column for column in columns}
    names = [name.strip() for name in wanted.split(",")]
    for name in names:
        if name not in known:
            raise UsageError(f"no column {name!r}; the columns are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)]


def printer_for(
    columns: Sequence[Column[T]], output: Output, name: Callable[[T], str] | None = None
) -> Printer[T]:
    """Return a printer of rows to stdout.

    Args:
        columns: The columns.
        output: The options.
        name: Returns an item's name for ``--quiet``; None means the value of the first column.

    Raises:
        UsageError: There is no such column.
    """
    chosen = choose_columns(columns, output.columns)
    if output.quiet:
        return _Names(name or (lambda item: str(columns[0].value(item))))
    match output.output or (Format.TABLE if sys.stdout.isatty() else Format.PLAIN):
        case Format.TABLE:
            return _TablePrinter(chosen, output, Console())
        case Format.CSV:
            return _Csv(chosen, output)
        case Format.JSON:
            return _Json(chosen)
        case Format.NDJSON:
            return _Ndjson(chosen)
        case Format.PLAIN:
            return _Plain(chosen, output)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
    if reader_is_gone():
        # A list is for its reader alone.
        raise BrokenPipeError


class _Names(Printer[T]):
    def __init__(self, name: Callable[[T], str]) -> None:
        self._name = name

    def rows(self, items: Sequence[T]) -> None:
        _write("".join(f"{safe(self._name(item))}\n" for item in items))


class _Plain(Printer[T]):
    """Columns without blanks in a cell; times and sizes for programs."""

    def __init__(self, columns: Sequence[Column[T]], output: Output) -> None:
        self._columns = columns
        self._output = output

    def begin(self) -> None:
        if not self._output.no_header:
            _write(self._line([column.name.upper() for column in self._columns]))

    def rows(self, items: Sequence[T]) -> None:
        lines = (
            self._line([self._cell(column, column.value(item)) for column in self._columns])
            for item in items
        )
        _write("".join(lines))

    def _line(self, cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(column.width) for cell, column in zip(cells, self._columns, strict=True)
        ]
        return (" " * GAP).join(padded).rstrip() + "\n"

    def _cell(self, column: Column[T], value: Value) -> str:
        text = safe(_as_text(value, "" if self._output.utc else "local")) or "-"
        # A blank would begin another column, after which in the last one there is none.
        return text if column is self._columns[-1] else text.replace(" ", "\\x20")


class _Csv(Printer[T]):
    def __init__(self, columns: Sequence[Column[T]], output: Output) -> None:
        self._columns = columns
        self._header = not output.no_header

    def begin(self) -> None:
        if self._header:
            self._write([[column.name for column in self._columns]])

    def rows(self, items: Sequence[T]) -> None:
        self._write(
            [csv_cell(_as_text(column.value(item))) for column in self._columns] for item in items
        )

    def _write(self, rows: Any) -> None:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(rows)
        _write(buffer.getvalue())


class _Ndjson(Printer[T]):
    def __init__(self, columns: Sequence[Column[T]]) -> None:
        self._columns = columns

    def rows(self, items: Sequence[T]) -> None:
        _write("".join(f"{self._document(item)}\n" for item in items))

    def _document(self, item: T) -> str:
        return json.dumps({column.name: as_json(column.value(item)) for column in self._columns})


class _Json(_Ndjson[T]):
    """One list, valid at its end."""

    def __init__(self, columns: Sequence[Column[T]]) -> None:
        super().__init__(columns)
        self._before = "[\n"

    def rows(self, items: Sequence[T]) -> None:
        for item in items:
            _write(f"{self._before}  {self._document(item)}")
            self._before = ",\n"

    def end(self) -> None:
        _write("[]\n" if self._before == "[\n" else "\n]\n")


class _TablePrinter(Printer[T]):
    """A table in parts: the first rows decide the widths of the columns.

    Where it is too wide for the terminal, digests get their short form, then texts are wrapped
    between words. No word is ever broken: a tag or digest can always be copied. What follows one
    that is too long for its column continues below it.
    Without rows there is no header either.
    """

    def __init__(self, columns: Sequence[Column[T]], output: Output, console: Console) -> None:
        self._columns = columns
        self._output = output
        self._console = console
        self._measures: list[_Measure] | None = None
        self._room: float = math.inf
        self.shows_none = True

    def rows(self, items: Sequence[T]) -> None:
        if not items:
            return
        self.shows_none = False
        cells = [
            [_for_people(column, column.value(item), self._output.utc) for column in self._columns]
            for item in items
        ]
        if self._measures is None:
            header = [[column.name for column in self._columns]]
            columns = zip(self._columns, zip(*header, *cells, strict=True), strict=True)
            self._measures = [_Measure.of(column, each) for column, each in columns]
            self._print_header()
        # Asked each time: the terminal may have another width by now.
        shortened, widths = self._widths()
        _write("".join(self._lines(row, shortened, widths) for row in cells))

    def _print_header(self) -> None:
        if not self._output.no_header:
            names = [column.name for column in self._columns]
            header = self._lines(names, *self._widths()).rstrip("\n")
            self._console.print(Text(header, "bold"), soft_wrap=True)

    def _widths(self) -> tuple[bool, list[int]]:
        """Return whether digests are shortened, and the width of each column."""
        measures = self._measures or []
        natural = [measure.natural for measure in measures]
        if self._output.no_trunc:
            return False, natural
        self._room = room = self._console.width
        if sum(natural) + GAP * (len(natural) - 1) <= room:
            return False, natural
        widths = [measure.short for measure in measures]
        for least in ("least", "narrow"):
            widths = table_widths(widths, [getattr(each, least) for each in measures], room)
        return True, widths

    def _lines(self, cells: Sequence[str], shortened: bool, widths: Sequence[int]) -> str:
        """Return the lines of one row; a wrapped cell continues in the next line.

        Rich's own tables take a quarter of a millisecond for each row.
        """
        shown = [
            _short_digest(cell) if shortened and column.kind == "digest" else cell
            for cell, column in zip(cells, self._columns, strict=True)
        ]
        wrapped = [wrap(cell, width) for cell, width in zip(shown, widths, strict=True)]
        lines = (
            map(_pad, parts, widths, self._columns) for parts in zip_longest(*wrapped, fillvalue="")
        )
        return "".join(
            f"{line}\n" for parts in lines for line in fitted(list(parts), widths, self._room)
        )


@frozen
class _Measure:
    """Widths of a column: of whole cells, with short digests, of the longest word, and for most."""

    natural: int
    short: int
    least: int
    narrow: int

    @classmethod
    def of(cls, column: Column[Any], cells: Sequence[str]) -> "_Measure":
        natural = max(map(width_of, cells))
        if column.kind == "digest":
            short = max(width_of(_short_digest(cell)) for cell in cells)
            return cls(natural, short, short, short)
        words = (word for cell in cells for word in cell.split(" "))
        least = max(map(width_of, words)) if column.kind == "text" else natural
        narrow = min(least, _NARROW) if column.kind == "text" else least
        return cls(natural, natural, least, narrow)


def _short_digest(text: str) -> str:
    """Return the first twelve digits of a digest, as Docker shows it."""
    algorithm, _, digits = text.partition(":")
    return digits[:_SHORT_DIGITS] if digits and algorithm == "sha256" else text


def _pad(part: str, width: int, column: Column[Any]) -> str:
    blanks = " " * (width - width_of(part))
    return part + blanks if column.kind in {"text", "digest", "time"} else blanks + part


def _for_people(column: Column[Any], value: Value, utc: bool) -> str:
    if isinstance(value, int):
        return _AMOUNTS.get(column.kind, "{:,}".format)(value)
    if isinstance(value, datetime):
        return f"{_in_zone(value, UTC if utc else None):%Y-%m-%d %H:%M}" + ("Z" if utc else "")
    if isinstance(value, tuple):
        return safe(", ".join(value))
    return safe(value or "")


def _as_text(value: Value, zone: str = "") -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        if zone == "local":
            return _in_zone(value, None).isoformat(timespec="seconds")
        return _in_zone(value, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _in_zone(moment: datetime, zone: tzinfo | None) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:
        # Beyond the ends of the calendar there is no other zone.
        return moment


def as_json(value: Value) -> object:
    """Return a value of a column as JSON has it."""
    return _as_text(value) if isinstance(value, datetime) else value
