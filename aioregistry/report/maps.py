"""The map of bytes: what is drawn of it, and what its script needs to open a repository: pure."""

from collections.abc import Iterator, Sequence
from itertools import islice

from attrs import evolve, field, frozen

from aioregistry.report.treemap import Box, squarified

__all__ = ["BytesMap", "Node", "Part", "Tile", "bytes_map"]

_GAP = 1.5
_HEADER = 24.0
_MARGIN = 4.0
_LEAST_HEIGHT, _LEAST_WIDTH = 52.0, 58.0
_MAX_PARTS = 140
_LEAST_AREA = 40.0
_MAX_TILES = 400
# Of the fonts that the style names, at its size; what is wider is cut off.
_CHARACTER = 7.2
_SIZE_CHARACTERS = 11


@frozen
class Node:
    """Some bytes, and what they are of.

    Attributes:
        name: The name.
        bytes: What would be freed if this alone was deleted; of what several have, their bytes.
        kind: ``registry``, ``repository``, ``tag``, ``going`` (a tag that a policy deletes),
            ``shared``, ``untagged`` or ``rest``.
        note: What else is said of it.
        parts: What it has, the largest first.
        number: Its number among those of its kind, if it can be opened.
    """

    name: str
    bytes: int
    kind: str
    note: str = ""
    parts: "Sequence[Node]" = field(default=(), repr=False)
    number: int | None = None


@frozen
class Part:
    """A part of a tile."""

    box: Box
    kind: str


@frozen
class Tile:
    """A node as it is drawn.

    Attributes:
        node: The node.
        box: Where it is.
        has_label: Whether its name, or the beginning of it, fits.
        size_fits: Whether its size fits beside that.
        parts: What it has.
    """

    node: Node
    box: Box
    has_label: bool
    size_fits: bool
    parts: Sequence[Part]


@frozen
class BytesMap:
    """A map of one width."""

    name: str
    width: int
    height: int
    tiles: Sequence[Tile]


def bytes_map(name: str, nodes: Sequence[Node], width: int, height: int) -> BytesMap:
    """Return a map.

    Args:
        name: The class of its element.
        nodes: What is on it.
        width: Its width.
        height: Its height.
    """
    box = Box(0, 0, width, height)
    shown = _largest(nodes, box, _MAX_TILES)
    boxes = squarified([node.bytes for node in shown], box)
    tiles = [_tile(node, _within(one)) for node, one in zip(shown, boxes, strict=True)]
    return BytesMap(name, width, height, tiles)


def _largest(nodes: Sequence[Node], box: Box, most: int) -> list[Node]:
    """Return what is large enough to be seen, and one node for all others."""
    ordered = sorted((node for node in nodes if node.bytes > 0), key=_order)
    total = sum(node.bytes for node in ordered)
    area = box.width * box.height / total if total else 0.0
    shown = [node for node in islice(ordered, most) if node.bytes * area >= _LEAST_AREA]
    others = ordered[len(shown) :]
    if others:
        rest = sum(node.bytes for node in others)
        shown.append(Node(f"{len(others):,} smaller", rest, "rest"))
    return sorted(shown, key=_order)


def _order(node: Node) -> tuple[int, str]:
    return -node.bytes, node.name


def _within(box: Box) -> Box:
    gap = min(_GAP, box.width / 4, box.height / 4)
    return Box(box.x + gap, box.y + gap, box.width - 2 * gap, box.height - 2 * gap)


def _tile(node: Node, box: Box) -> Tile:
    has_header = box.height >= _LEAST_HEIGHT and box.width >= _LEAST_WIDTH
    inner = box
    if has_header:
        width, height = box.width - 2 * _MARGIN, box.height - _HEADER - _MARGIN
        inner = Box(box.x + _MARGIN, box.y + _HEADER, width, height)
    has_label = box.width >= _LEAST_WIDTH and box.height >= _HEADER
    room = (box.width - 2 * _MARGIN) / _CHARACTER - len(node.name)
    return Tile(node, box, has_label, room >= _SIZE_CHARACTERS, list(_parts(node, inner)))


def _parts(node: Node, box: Box) -> Iterator[Part]:
    shown = _largest(node.parts, box, _MAX_PARTS)
    if not shown:
        return
    for part, one in zip(shown, squarified([part.bytes for part in shown], box), strict=True):
        inner = _within(one) if min(one.width, one.height) > 6 else evolve(one)
        yield Part(inner, part.kind)
