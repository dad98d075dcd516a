"""Files of TOML, YAML or JSON, read so that an error can name the line of a mistake."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

__all__ = ["Document", "DocumentError", "Place", "read_document", "without_duplicates"]

# The place of a value in a document: keys, and places in lists.
Place = tuple[str | int, ...]

_MAX_CHARACTERS = 2**20
_MAX_DEPTH = 20
_MAX_VALUES = 10_000
# Characters that may be read again to find the lines of a mistake.
_MAX_SEARCHED_CHARACTERS = 4 * _MAX_CHARACTERS


class DocumentError(ValueError):
    """A file cannot be read as its name says; the message has the line where that is known."""


@frozen
class Document:
    """The value of a file, and the lines of its parts.

    Attributes:
        value: The value.
    """

    value: Any
    # Returns the line of each key and each entry, from 1, as far as it is known: only a mistake
    # is worth the search.
    _find_lines: Callable[[], Mapping[Place, int]] = dict

    def line_of(self, place: Place) -> int | None:
        """Return the line of a place, or of the nearest thing around it."""
        lines = self._find_lines()
        while place and place not in lines:
            place = place[:-1]
        return lines.get(place)


def read_document(text: str, name: str) -> Document:
    """Return the value of a file.

    Args:
        text: Its text.
        name: Its name; the ending decides how it is read: ``.toml``, ``.yaml``, ``.yml`` or
            ``.json``.

    Raises:
        DocumentError: It has another ending, or cannot be read as its name says.
        ModuleNotFoundError: It is YAML, and PyYAML is missing.
    """
    read = _READERS.get(Path(name).suffix.lower())
    if read is None:
        raise DocumentError("its name must end in .toml, .yaml, .yml or .json")
    if len(text) > _MAX_CHARACTERS:
        raise DocumentError(f"more than {_MAX_CHARACTERS:,} characters")
    return read(text)


# tomllib keeps every beginning of a dotted key: one of 40 KB would take gigabytes.
_ENDLESS_KEY = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}"""
)


def _read_toml(text: str) -> Document:
    if _ENDLESS_KEY.search(text):
        raise DocumentError("not TOML: a key of too many parts")
    try:
        value = tomllib.loads(text)
    except ValueError as error:
        raise DocumentError(f"not TOML: {error}") from None
    except RecursionError:
        raise DocumentError("not TOML: too deep") from None
    _check(value)
    return Document(value, lambda: dict(_lines_of_toml(text)))


_ENDS_OF_TOML = ("]", '"""', "'''")


def _lines_of_toml(text: str) -> Iterator[tuple[Place, int]]:
    """Yield where each table and key of a valid text begins.

    A statement is as many lines as it takes until they are valid by themselves.
    """
    table: Place = ()
    counts: dict[Place, int] = {}
    statement: list[str] = []
    searched = 0
    # As tomllib does it: the \r that splitting leaves would make every line invalid.
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        statement.append(line)
        if len(statement) > 1 and not any(end in line for end in _ENDS_OF_TOML):
            # Only a list or a long string goes on in a next line.
            continue
        whole = "\n".join(statement)
        searched += len(whole)
        if searched > _MAX_SEARCHED_CHARACTERS:
            return
        try:
            statement_value = tomllib.loads(whole)
        except tomllib.TOMLDecodeError:
            continue
        begun = number - len(statement) + 1
        if whole.lstrip().startswith("["):
            table = _table_of(statement_value, counts)
            yield table, begun
        else:
            for place in _keys_of(statement_value):
                yield table + place, begun
        statement.clear()


def _table_of(header: Any, counts: dict[Place, int]) -> Place:
    """Return where a header leads: its keys, with the place in each list of tables."""
    place: Place = ()
    while isinstance(header, dict) and header:
        ((key, header),) = header.items()
        place = (*place, key)
        if isinstance(header, list):
            counts[place] = counts.get(place, -1) + 1
            return (*place, counts[place])
        if place in counts:
            place = (*place, counts[place])
    return place


def _keys_of(table: Any) -> Iterator[Place]:
    for key, value in table.items():
        yield (key,)
        if isinstance(value, dict):
            for place in _keys_of(value):
                yield (key, *place)


def _read_yaml(text: str) -> Document:
    value, lines = _parse_yaml(text)
    return Document(value, lambda: lines)


def _parse_yaml(text: str) -> tuple[Any, Mapping[Place, int]]:
    try:
        import yaml  # noqa: PLC0415  (TOML and JSON need none)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "YAML needs PyYAML: pip install 'aioregistry-do[cleanup]', or write TOML or JSON"
        ) from None
    lines: dict[Place, int] = {}
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        root = loader.get_single_node()
        value = None if root is None else _of_node(loader, root, (), lines, [0])
    except DocumentError:
        raise
    # The last ones are how PyYAML refuses values that are not what their tag says.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f"line {mark.line + 1}: "
        problem = getattr(error, "problem", None) or str(error)
        raise DocumentError(f"not YAML: {where}{problem}") from None
    except RecursionError:
        raise DocumentError("not YAML: too deep") from None
    _check(value)
    return value, lines


def _of_node(loader: Any, node: Any, place: Place, lines: dict[Place, int], seen: list[int]) -> Any:
    """Return the value of a node of YAML, and note the lines of its parts."""
    line = node.start_mark.line + 1
    lines.setdefault(place, line)
    seen[0] += 1
    # By aliases, a short text can have a value without end.
    if seen[0] > _MAX_VALUES or len(place) > _MAX_DEPTH:
        raise DocumentError(f"line {line}: too much, or too deep")
    if node.id == "sequence":
        return [
            _of_node(loader, item, (*place, nth), lines, seen)
            for nth, item in enumerate(node.value)
        ]
    if node.id == "scalar":
        return loader.construct_object(node)
    mapping: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        at = key_node.start_mark.line + 1
        if key_node.id != "scalar":
            # Not shown: made of aliases, it could be without end.
            raise DocumentError(f"line {at}: a key that is no text")
        key = loader.construct_object(key_node)
        if not isinstance(key, str):
            raise DocumentError(f"line {at}: the key {key!r} is no text")
        if key in mapping:
            raise DocumentError(f"line {at}: {key!r} appears twice")
        lines[(*place, key)] = at
        mapping[key] = _of_node(loader, value_node, (*place, key), lines, seen)
    return mapping


def _read_json(text: str) -> Document:
    try:
        value = json.loads(text, object_pairs_hook=without_duplicates)
    except json.JSONDecodeError as error:
        raise DocumentError(f"not JSON: line {error.lineno}: {error.msg}") from None
    except DocumentError:
        raise
    except ValueError as error:
        raise DocumentError(f"not JSON: {error}") from None
    except RecursionError:
        raise DocumentError("not JSON: too deep") from None
    _check(value)
    return Document(value, lambda: _lines_of_json(text))


def _lines_of_json(text: str) -> Mapping[Place, int]:
    try:
        # JSON is YAML but for tabs, of which none is in a string.
        return _parse_yaml(text.replace("\t", " "))[1]
    except (DocumentError, ModuleNotFoundError):
        return {}


def _check(value: Any, depth: int = 0) -> None:
    """Raise `DocumentError` for a value that no error or reason can show."""
    if depth > _MAX_DEPTH:
        raise DocumentError("too deep")
    if isinstance(value, dict):
        for part in (*value, *value.values()):
            _check(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            _check(part, depth + 1)
    else:
        try:
            str(value).encode()
        except ValueError as error:
            raise DocumentError(f"no text, or no number: {error}") from None


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON: a hook for `json.loads`.

    Raises:
        DocumentError: A key appears twice: whoever reads the one would not see the other.
    """
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise DocumentError(f"{key!r} appears twice")
        made[key] = value
    return made


_READERS = {
    ".toml": _read_toml,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".json": _read_json,
}
