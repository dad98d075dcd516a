"""Small parts of pages: figures on top, and bars: pure."""

from collections.abc import Sequence

from attrs import frozen

__all__ = ["Bar", "Figure", "Stretch", "bars"]

_LEAST_WIDTH = 0.2


@frozen
class Figure:
    """A figure on top of a page.

    Attributes:
        label: What it is.
        value: The figure, in words.
        note: What else is said of it.
    """

    label: str
    value: str
    note: str = ""


@frozen
class Stretch:
    """A piece of a bar, in percent of the width that all bars have."""

    kind: str
    begin: float
    width: float


@frozen
class Bar:
    """A row with a bar.

    Attributes:
        label: What the row is.
        stretches: The pieces of its bar.
        cells: What stands beside it.
    """

    label: str
    stretches: Sequence[Stretch]
    cells: Sequence[str]


def bars(
    rows: Sequence[tuple[str, Sequence[tuple[str, int]], Sequence[str]]],
) -> list[Bar]:
    """Return rows with bars to one scale.

    Args:
        rows: The label of each, the kinds and numbers that its bar is made of, and its cells.
    """
    most = max((sum(number for _, number in pieces) for _, pieces, _ in rows), default=0) or 1
    found = []
    for label, pieces, cells in rows:
        begin, stretches = 0.0, []
        for kind, number in pieces:
            # What is there is seen.
            width = max(_LEAST_WIDTH, round(100 * number / most, 2)) if number else 0.0
            if width:
                stretches.append(Stretch(kind, round(begin, 2), width))
            begin += width
        found.append(Bar(label, stretches, cells))
    return found
