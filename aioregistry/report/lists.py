"""Long lists: columns that the page's script draws a hundred rows at a time: pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from attrs import frozen

from aioregistry.errors import printable

__all__ = ["Column", "LongList", "choices", "digests", "minutes"]

Kind = Literal["text", "choice", "bytes", "time", "digest"]
_DIGEST_CHARACTERS = 12
_MAX_CHOICES = 300
_NOTHING = -1


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
