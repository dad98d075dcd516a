"""From a request's raw path to a route: split first, decode each segment afterwards."""

from collections.abc import Mapping
from typing import Generic, TypeVar
from urllib.parse import unquote

import attrs

H = TypeVar("H")


@attrs.frozen
class Match(Generic[H]):
    """What a path leads to.

    Attributes:
        template: The route with its parameters' names, as ``/v2/registries/{registry}``.
        parameters: The decoded segments by name.
        handlers: What the route does, by method.
    """

    template: str
    parameters: dict[str, str]
    handlers: Mapping[str, H]


@attrs.define
class _Node(Generic[H]):
    literals: "dict[str, _Node[H]]" = attrs.field(factory=dict)
    parameter: "tuple[str, _Node[H]] | None" = None
    template: str = ""
    handlers: dict[str, H] = attrs.field(factory=dict)


class Router(Generic[H]):
    """A tree of path segments, fixed names before parameters."""

    def __init__(self) -> None:
        self._root: _Node[H] = _Node()

    def add(self, method: str, template: str, handler: H) -> None:
        """Add a route: ``{name}`` takes any one segment."""
        node = self._root
        for segment in template.split("/")[1:]:
            if segment.startswith("{"):
                if node.parameter is None:
                    node.parameter = (segment[1:-1], _Node())
                node = node.parameter[1]
            else:
                node = node.literals.setdefault(segment, _Node())
        node.template = template
        node.handlers[method] = handler

    def find(self, raw_path: str) -> Match[H] | None:
        """The route of a path as it came, still percent-encoded and without its query.

        A ``/`` or ``..`` that only decoding brings out is part of its segment's value.
        """
        node = self._root
        parameters: dict[str, str] = {}
        for raw in raw_path.split("/")[1:]:
            segment = unquote(raw) if "%" in raw else raw
            inner = node.literals.get(segment)
            if inner is None:
                if node.parameter is None or not segment:
                    return None
                name, inner = node.parameter
                parameters[name] = segment
            node = inner
        return Match(node.template, parameters, node.handlers) if node.handlers else None
