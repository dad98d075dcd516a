"""A squarified treemap: rectangles whose areas are to each other as some values are: pure."""

from collections.abc import Iterator, Sequence

from attrs import frozen

__all__ = ["Box", "squarified"]


@frozen
class Box:
    """A rectangle: its left upper corner, its width and its height."""

    x: float
    y: float
    width: float
    height: float


def squarified(values: Sequence[float], box: Box) -> list[Box]:
    """Return a box for each value, in their order, each as near to a square as it gets.

    The algorithm is that of Bruls, Huizing and van Wijk: along the shorter side a row is filled for
    as long as this improves the worst of its boxes.

    Args:
        values: Positive numbers, the largest first.
        box: The box to fill.
    """
    total = sum(values)
    scale = box.width * box.height / total if total > 0 else 0.0
    areas = [value * scale for value in values]
    boxes: list[Box] = []
    while len(boxes) < len(areas):
        row = _row(areas, len(boxes), min(box.width, box.height))
        boxes += _placed(row, box)
        box = _rest(sum(row), box)
    return boxes


def _row(areas: Sequence[float], begin: int, side: float) -> Sequence[float]:
    """Return the areas of the next row along a side."""
    filled, worst, end = 0.0, float("inf"), begin
    while end < len(areas):
        more = filled + areas[end]
        longest = _ratio(areas[begin], areas[end], more, side)
        if end > begin and longest > worst:
            break
        filled, worst, end = more, longest, end + 1
    return areas[begin:end]


def _ratio(largest: float, smallest: float, filled: float, side: float) -> float:
    if not (smallest and filled and side):
        return float("inf")
    square = side * side
    return max(square * largest / filled**2, filled**2 / (square * smallest))


def _placed(row: Sequence[float], box: Box) -> Iterator[Box]:
    across = box.width >= box.height
    side = box.height if across else box.width
    thick = sum(row) / side if side else 0.0
    at = box.y if across else box.x
    for area in row:
        long = area / thick if thick else 0.0
        yield Box(box.x, at, thick, long) if across else Box(at, box.y, long, thick)
        at += long


def _rest(filled: float, box: Box) -> Box:
    if box.width >= box.height:
        thick = filled / box.height if box.height else 0.0
        return Box(box.x + thick, box.y, max(0.0, box.width - thick), box.height)
    thick = filled / box.width if box.width else 0.0
    return Box(box.x, box.y + thick, box.width, max(0.0, box.height - thick))
