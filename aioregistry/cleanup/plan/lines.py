"""Reading a plan file line by line, as it is written: a plan of any size in little memory."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

import msgspec
from attrs import evolve

from aioregistry.api import names
from aioregistry.cleanup.plan.condemned import Condemned, CondemnedItems
from aioregistry.cleanup.plan.items import PlanFields, RepositoryPlan
from aioregistry.cleanup.policy.documents import Place

__all__ = ["NotInLinesError", "line_of_object", "line_of_place", "read_lines"]

P = TypeVar("P", bound=PlanFields)

_REPOSITORIES = b'  "repositories": [\n'
_END = b"  ]\n }\n}\n"
_CONDEMNED = b'    "condemned": [\n'
_CONDEMNED_END = b"    ],\n"
_REPOSITORY_END = b'    "end": '
_ITEMS_AT_ONCE = 500
_TAG = rb'"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"'
# With it no key comes twice, and what the item names is valid.
_ITEM = re.compile(
    rb' {5}\{"delete": (?:"tag", "tags": \[%b\]|"manifest", "tags": \[(?:%b(?:, %b)*)?\]),'
    rb' "digest": "sha256:[0-9a-f]{64}"(?:, "pushed_at": "[^"\\]*")?(?:, "set_at": "[^"\\]*")?'
    rb'(?:, "size_bytes": \d{1,18})?, "reason": "(?:[^"\\]|\\.)*"\}' % (_TAG, _TAG, _TAG)
)
_BLANKS = re.compile(r"\s*")
_TEXT_OR_END_OF_OBJECT = re.compile(r'"(?:[^"\\]|\\.)*"|\}')
_DECODER = json.JSONDecoder()
_ITEMS = msgspec.json.Decoder(list[Condemned])


class NotInLinesError(ValueError):
    """A file that is not in the lines in which plans are written; it may be a plan all the same."""


def read_lines(
    lines: Iterator[bytes],
    read_head: Callable[[bytes], P],
    check_object: Callable[[list[tuple[str, Any]]], dict[str, Any]],
) -> P:
    """Return the plan that lines are.

    Args:
        lines: The lines of the file.
        read_head: Returns the plan that a text without repositories is.
        check_object: Refuses an object of JSON in which a key comes twice.

    Raises:
        NotInLinesError: They are not written as plans are, or something in them is wrong.
        ValueError: Something in them is wrong.
    """
    head: list[bytes] = []
    for line in lines:
        if line == _REPOSITORIES:
            break
        head.append(line)
    else:
        raise NotInLinesError
    plan = read_head(b"".join((*head, _REPOSITORIES, _END)))
    repositories = tuple(_repositories(lines, check_object))
    if len({repository.name for repository in repositories}) != len(repositories):
        raise NotInLinesError
    return evolve(plan, repositories=repositories)


def _repositories(
    lines: Iterator[bytes], check_object: Callable[[list[tuple[str, Any]]], dict[str, Any]]
) -> Iterator[RepositoryPlan]:
    goes_on = True
    while goes_on:
        parts: list[bytes] = []
        items: CondemnedItems | None = None
        line = b""
        while not line.startswith(_REPOSITORY_END):
            line = next(lines, b"")
            if not line or (line == _CONDEMNED and items is not None):
                raise NotInLinesError
            parts.append(line)
            if line == _CONDEMNED:
                items = CondemnedItems(_items(lines))
                parts.append(_CONDEMNED_END)
        goes_on = line.endswith(b"},\n")
        text = b"".join(parts).rstrip(b",\n")
        json.loads(text, object_pairs_hook=check_object)
        repository = msgspec.json.decode(text, type=RepositoryPlan)
        names.check_repository(repository.name)
        if items is not None and repository.condemned:
            raise NotInLinesError
        yield evolve(repository, condemned=repository.condemned if items is None else items)
    if b"".join(lines) != _END:
        raise NotInLinesError


def _items(lines: Iterator[bytes]) -> Iterator[Condemned]:
    """Yield the items of a repository up to the end of their list."""
    seen: set[str] = set()
    some: list[bytes] = []
    is_last = False
    for line in lines:
        if line == _CONDEMNED_END:
            if not is_last:
                break
            yield from _decoded(some, seen)
            return
        if is_last or not _ITEM.fullmatch(line, 0, len(line) - (2 if line[-2:] == b",\n" else 1)):
            break
        is_last = line[-2:] != b",\n"
        some.append(line)
        if len(some) == _ITEMS_AT_ONCE and not is_last:
            yield from _decoded(some, seen)
            some.clear()
    raise NotInLinesError


def _decoded(lines: Iterable[bytes], seen: set[str]) -> Iterator[Condemned]:
    for item in _ITEMS.decode(b"[%b]" % b"".join(lines).rstrip(b",\n")):
        # No tag has the colon of a digest.
        if item.name in seen:
            raise NotInLinesError
        seen.add(item.name)
        yield item


def line_of_place(text: str, place: Place) -> int:
    """Return the line, from 1, where a value of JSON begins, or the nearest thing around it.

    Args:
        text: The whole.
        place: The keys and the places in lists that lead to the value.
    """
    at = _next(text, 0)
    with suppress(ValueError, LookupError):
        for part in place:
            at = _start_of_part(text, at, part)
    return text.count("\n", 0, at) + 1


def line_of_object(text: str, nth: int) -> int:
    """Return the line, from 1, where the nth object of JSON ends that ends at all, from 1."""
    ends = (found for found in _TEXT_OR_END_OF_OBJECT.finditer(text) if found[0] == "}")
    found = next(islice(ends, nth - 1, None), None)
    return text.count("\n", 0, None if found is None else found.start()) + 1


def _start_of_part(text: str, at: int, part: str | int) -> int:
    """Return where the value of a key, or the nth of a list, begins.

    Raises:
        LookupError: There is none.
        ValueError: It is not JSON.
    """
    is_list = text[at] == "["
    if not is_list and text[at] != "{":
        raise LookupError
    at, nth = _next(text, at + 1), 0
    while text[at] not in "]}":
        key: str | int = nth
        if not is_list:
            key, at = _DECODER.raw_decode(text, at)
            at = _next(text, _next(text, at) + 1)
        if key == part:
            return at
        _, at = _DECODER.raw_decode(text, at)
        at = _next(text, at)
        at = _next(text, at + 1) if text[at] == "," else at
        nth += 1
    raise LookupError


def _next(text: str, at: int) -> int:
    """Return where the blanks from a place on end."""
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()
