"""Long lists: columns that the page's script draws a hundred rows at a time: pure."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from attrs import define, field, frozen

from aioregistry.errors import printable

__all__ = ["MAX_ROWS", "Budget", "Column", "LongList", "choices", "digests", "minutes"]

MAX_ROWS = 100_000
# The rest of a page has its own megabyte.
_MAX_BYTES = 7_000_000
# Numbers, commas and the beginning of a digest.
_ROW_BYTES = 40

Kind = Literal["text", "choice", "bytes", "time", "digest"]
_DIGEST_CHARACTERS = 12
_MAX_CHOICES = 300
_NOTHING = -1


@define
class Budget:
    """What a page may still weigh: a browser opens some megabytes at once, and no more."""

    _left: int = _MAX_BYTES
    _known: set[str] = field(factory=set)

    def take(self, weights: Iterable[int]) -> None:
        """Take something else from what is left."""
        self._left -= sum(weights)

    def rows(self, texts: Iterable[Sequence[str]], least: int = 0) -> int:
        """Return how many rows fit, and take them from what is left.

        Args:
            texts: The texts of each row; the first is its own, the others stand once for all rows.
            least: Rows that fit in any case.
        """
        count = 0
        for own, *shared in texts:
            new = set(shared) - self._known
            weight = _ROW_BYTES + sum(map(_weight, (own, *new)))
            if count >= MAX_ROWS or (weight > self._left and count >= least):
                break
            self._known |= new
            self._left -= weight
            count += 1
        return count


def _weight(text: str) -> int:
    return len(text) + 3 if text.isascii() else len(json.dumps(text))


@frozen
class Column:
    """A column of a list.

    Attributes:
        title: Its heading.
        kind: What its values are: a text, one of some choices, bytes, minutes since 1970, or the
            beginning of a digest; -1 for a number that nobody knows.
        values: A value for each row, or all digests as one text.
        choices: What the numbers of a choice stand for.
    """

    title: str
    kind: Kind
    values: "Sequence[int] | Sequence[str] | str"
    choices: Sequence[str] = ()

    @property
    def is_number(self) -> bool:
        """Whether it stands at the right."""
        return self.kind == "bytes"

    @property
    def is_filter(self) -> bool:
        """Whether one of its choices can be chosen."""
        return 1 < len(self.choices) <= _MAX_CHOICES

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        said = {"title": self.title, "kind": self.kind, "values": self.values}
        if self.kind == "choice":
            said["choices"] = list(self.choices)
        return said


@frozen(kw_only=True)
class LongList:
    """A list with search, filters, sorting and pages.

    Attributes:
        name: What its elements are called in the page.
        label: What it is, for readers who do not see it.
        one: What a row is, in the singular; in the plural it has an s.
        columns: Its columns.
        rows: How many rows it has.
        left_out: How many further rows there are that the page does not have.
        all_rows: Where all rows are, in words.
    """

    name: str
    label: str
    one: str
    columns: Sequence[Column]
    rows: int
    left_out: int = 0
    all_rows: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        columns = [column.document() for column in self.columns]
        return {"rows": self.rows, "one": self.one, "columns": columns}


def choices(values: Iterable[str]) -> tuple[list[int], list[str]]:
    """Return texts as numbers, and what these stand for, in the order in which they come."""
    known: dict[str, int] = {}
    numbers = [known.setdefault(value, len(known)) for value in values]
    return numbers, [printable(text) for text in known]


def digests(values: Iterable[str]) -> str:
    """Return the beginnings of digests as one text: twelve characters of each."""
    found = (printable(value.rpartition(":")[2])[:_DIGEST_CHARACTERS] for value in values)
    return "".join(f"{digest:<{_DIGEST_CHARACTERS}}" for digest in found)


def minutes(at: datetime | None) -> int:
    """Return a time as minutes since 1970; -1 for none."""
    return _NOTHING if at is None else int(at.timestamp()) // 60
