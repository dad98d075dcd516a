"""Policies from files of TOML, YAML or JSON."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from aioregistry.cleanup.policy.documents import Document, DocumentError, Place, read_document
from aioregistry.cleanup.policy.durations import parse_duration
from aioregistry.cleanup.policy.patterns import Glob, Pattern, Regex
from aioregistry.cleanup.policy.policy import (
    Delete,
    DeleteOlderThan,
    DeleteUntagged,
    Keep,
    KeepNewest,
    KeepReleases,
    KeepWithin,
    Policy,
    Rule,
)
from aioregistry.errors import RegistryError

__all__ = ["PolicyFileError", "load_policy", "read_policy"]


T = TypeVar("T")

_LONGEST_SHOWN = 300


class PolicyFileError(RegistryError, ValueError):
    """A policy file makes no sense; the message names the file, the line and the key."""


def load_policy(path: Path) -> Policy:
    """Return the policy that a file holds; its name ends in .toml, .yaml, .yml or .json.

    Raises:
        PolicyFileError: It makes no sense; the message names the line and the key.
        ModuleNotFoundError: It needs a package that is missing.
        OSError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PolicyFileError(f"{path}: not a text in UTF-8") from None
    return read_policy(text, str(path))


def read_policy(text: str, name: str) -> Policy:
    """Return the policy that a text holds.

    Args:
        text: The text.
        name: What it is called in errors; its ending tells how it is written.

    Raises:
        PolicyFileError: It makes no sense; the message names the line and the key.
        ModuleNotFoundError: It needs a package that is missing.
    """
    try:
        return _Reader(read_document(text, name), name).policy()
    except DocumentError as error:
        raise PolicyFileError(f"{name}: {error}") from None


class _Reader:
    def __init__(self, document: Document, name: str) -> None:
        self._document = document
        self._name = name

    def policy(self) -> Policy:
        said = self._mapping(self._document.value, ())
        self._know_keys(said, (), {"floor", "rules"})
        rules = said.get("rules")
        if not isinstance(rules, list) or not rules:
            raise self._wrong(("rules",), "must be a list of rules, and not empty")
        made: list[Rule] = [self._rule(rule, ("rules", nth)) for nth, rule in enumerate(rules)]
        floor = {"floor": said["floor"]} if "floor" in said else {}
        return self._made(("floor",), lambda: Policy(made, **floor))

    def _rule(self, value: Any, place: Place) -> Rule:
        said = self._mapping(value, place)
        self._know_keys(said, place, {*_ACTIONS, *_OPTIONS, *_COMMON})
        actions = [key for key in said if key in _ACTIONS]
        if len(actions) != 1:
            told = " and ".join(actions) or "none"
            raise self._wrong(
                place, f"must have one of {', '.join(sorted(_ACTIONS))}; it has {told}"
            )
        (action,) = actions
        options = self._common(said, place)
        for key, of in _OPTIONS.items():
            if key in said and of != action:
                raise self._wrong((*place, key), f"goes with {of}, not with {action}")
        if action == "delete-untagged-older-than":
            for key in ("tags", "tags-regex", "including-protected"):
                if key in said:
                    raise self._wrong((*place, key), "untagged manifests have no tags")
        if action == "keep-newest" and "group-by" in said:
            options["group_by"] = self._pattern(Regex, said["group-by"], (*place, "group-by"))
        if action == "keep-releases" and "per" in said:
            if said["per"] not in ("major", "minor"):
                raise self._wrong((*place, "per"), f"must be major or minor, not {said['per']!r}")
            options["per"] = said["per"]
        at = (*place, action)
        return self._made(at, lambda: _ACTIONS[action](said[action], options))

    def _common(self, said: Mapping[str, Any], place: Place) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for key in ("repositories", "tags"):
            both = [key, f"{key}-regex"]
            if all(one in said for one in both):
                raise self._wrong((*place, both[1]), f"give either {both[0]} or {both[1]}")
            if key in said:
                options[key] = self._pattern(Glob, said[key], (*place, key))
            elif both[1] in said:
                options[key] = self._pattern(Regex, said[both[1]], (*place, both[1]))
        for key, kind, what in (
            ("including-protected", bool, "true or false"),
            ("name", str, "a text"),
        ):
            if key in said:
                if type(said[key]) is not kind:
                    raise self._wrong((*place, key), f"must be {what}, not {said[key]!r}")
                options[key.replace("-", "_")] = said[key]
        return options

    def _pattern(self, kind: Callable[[Any], Pattern], value: Any, place: Place) -> Pattern:
        return self._made(place, lambda: kind(value))

    def _mapping(self, value: Any, place: Place) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(place, "must have keys with values")
        return value

    def _know_keys(self, said: Mapping[str, Any], place: Place, known: set[str]) -> None:
        for key in said:
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise self._wrong((*place, key), f"is no key of a policy{hint}")

    def _made(self, place: Place, make: Callable[[], T]) -> T:
        try:
            return make()
        except ValueError as error:
            raise self._wrong(place, str(error)) from None

    def _wrong(self, place: Place, problem: str) -> PolicyFileError:
        line = self._document.line_of(place)
        where = f", line {line}" if line is not None else ""
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
        said = f"{_short(key[1:]) or 'the policy'}: {_short(problem)}"
        return PolicyFileError(f"{self._name}{where}: {said}")


def _short(text: str) -> str:
    """Return a text in which what a file says may be whole, as what fits a terminal."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _true(value: Any) -> None:
    if value is not True:
        raise ValueError(f"must be true, or not be there, and not {value!r}")


def _age(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f'must be a length of time, such as "30d", not {value!r}')  # noqa: TRY004
    return parse_duration(value)


def _keep(value: Any, options: dict[str, Any]) -> Rule:
    _true(value)
    return Keep(**options)


def _delete(value: Any, options: dict[str, Any]) -> Rule:
    _true(value)
    return Delete(**options)


_ACTIONS: Mapping[str, Callable[[Any, dict[str, Any]], Rule]] = {
    "keep": _keep,
    "keep-newest": lambda value, options: KeepNewest(value, **options),
    "keep-within": lambda value, options: KeepWithin(_age(value), **options),
    "keep-releases": lambda value, options: KeepReleases(value, **options),
    "delete": _delete,
    "delete-older-than": lambda value, options: DeleteOlderThan(_age(value), **options),
    "delete-untagged-older-than": lambda value, options: DeleteUntagged(_age(value), **options),
}
# What goes with one action alone.
_OPTIONS = {"group-by": "keep-newest", "per": "keep-releases"}
_COMMON = (
    "repositories",
    "repositories-regex",
    "tags",
    "tags-regex",
    "including-protected",
    "name",
)
