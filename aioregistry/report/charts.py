"""The geometry of charts: growth over time, and bars: pure."""

from collections.abc import Sequence
from datetime import date, timedelta

from attrs import frozen

from aioregistry.sizes import size_in_words

__all__ = ["Chart", "Tick", "chart"]

_MOST_POINTS = 240
_DAY = timedelta(days=1)
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 16.0, 14.0, 26.0
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
_DAYS = (1, 2, 7, 14)
_STEPS = (1, 2, 2.5, 5, 10)
# Not by the locale: the same input makes the same page.
_NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@frozen
class Tick:
    """A mark on an axis: where it is, and what it says."""

    at: float
    text: str


@frozen(kw_only=True)
class Chart:
    """A line over time, with the area below it.

    Attributes:
        width: Its width.
        height: Its height.
        line: The line, as the data of an SVG path.
        area: The area, likewise.
        points: The corners of the line, for marks.
        left: Where the axes begin.
        right: Where they end.
        bottom: Where the horizontal one is.
        top: The bytes at the highest mark.
        sizes: The marks of the vertical axis.
        times: The marks of the horizontal axis.
    """

    width: int
    height: int
    line: str
    area: str
    points: Sequence[tuple[float, float]]
    left: float
    right: float
    bottom: float
    top: int
    sizes: Sequence[Tick]
    times: Sequence[Tick]


def chart(values: Sequence[tuple[date, int]], width: int, height: int) -> Chart:
    """Return a chart.

    Args:
        values: Days and bytes, the oldest first; one at least.
        width: The width of the whole.
        height: The height of the whole.
    """
    first, last = values[0][0], values[-1][0]
    if first == last:
        first -= _DAY
    days = (last - first).days
    steps = _steps(max(size for _, size in values))
    left, right, bottom = _LEFT, width - _RIGHT, height - _BOTTOM

    def across(day: date) -> float:
        return round(left + (right - left) * (day - first).days / days, 1)

    def up(size: float) -> float:
        return round(bottom - (bottom - _TOP) * size / steps[-1], 1)

    points = [(across(day), up(size)) for day, size in _thinned(values)]
    line = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    return Chart(
        width=width,
        height=height,
        line=line,
        area=f"{line}L{points[-1][0]:g} {bottom:g}L{points[0][0]:g} {bottom:g}Z",
        points=points,
        left=left,
        right=right,
        bottom=bottom,
        top=steps[-1],
        sizes=[Tick(up(step), _short(step)) for step in steps],
        times=[Tick(across(day), text) for day, text in _times(first, last, width)],
    )


def _thinned(values: Sequence[tuple[date, int]]) -> Sequence[tuple[date, int]]:
    every = -(-len(values) // _MOST_POINTS)
    kept = list(values[::every])
    return kept if kept[-1] == values[-1] else [*kept, values[-1]]


def _steps(most: int) -> list[int]:
    """Return round numbers of bytes from 0 to at least the most, some four of them."""
    most = max(1, most)
    rough = max(1.0, most / 4)
    power = 10 ** (len(str(int(rough))) - 1)
    step = next(step * power for step in _STEPS if step * power >= rough)
    return [round(step * number) for number in range(-(-most // round(step)) + 1)]


def _short(size: int) -> str:
    return size_in_words(size).replace(".0 ", " ") if size else "0"


def _times(first: date, last: date, width: int) -> list[tuple[date, str]]:
    most = max(2, width // 110)
    months = (last.year - first.year) * 12 + last.month - first.month
    if months < 3:
        every = next((days for days in _DAYS if (last - first).days / days <= most), 28)
        number = (last - first).days // every
        days = [first + every * count * _DAY for count in range(number + 1)]
        return [(day, f"{day.day} {_NAMES[day.month - 1]}") for day in days]
    every = next((count for count in _MONTHS if months / count <= most), _MONTHS[-1])
    found = []
    for count in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        day = date(count // 12, count % 12 + 1, 1)
        if count % every == 0 and day >= first:
            is_year = every >= 12 or day.month == 1
            found.append((day, str(day.year) if is_year else _NAMES[day.month - 1]))
    return found
