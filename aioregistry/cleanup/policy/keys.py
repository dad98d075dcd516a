"""The keys of a policy file: what each sets, how its value is read, and its JSON Schema."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from attrs import frozen

from aioregistry.cleanup.policy.durations import parse_duration
from aioregistry.cleanup.policy.patterns import (
    MAX_GLOBS,
    REPOSITORY_GLOB,
    TAG_GLOB,
    Glob,
    Pattern,
    Regex,
    check_repositories,
    check_tags,
    pattern,
)

__all__ = [
    "Key",
    "age",
    "boolean",
    "choice",
    "count",
    "fraction",
    "regex",
    "repositories",
    "repository",
    "tags",
    "text",
    "true",
]

_AGE = r"^(?=[0-9])([0-9]{1,9}w)?([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$"


@frozen
class Key:
    """A key of a policy file.

    Attributes:
        name: How it is written in files.
        help: What it says, in a sentence.
        attribute: The attribute that it sets; empty for a key that sets none.
        read: Returns the attribute's value for what a file has, or raises `ValueError`.
        schema: The JSON Schema of its value.
    """

    name: str
    help: str
    attribute: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any]


def count(name: str, attribute: str, help: str) -> Key:  # noqa: A002
    """Return a key whose value is a whole number, 0 or more."""

    def read(value: Any) -> int:
        if type(value) is not int or value < 0:
            raise ValueError(f"must be a whole number, 0 or more, not {value!r}")
        return value

    return Key(name, help, attribute, read, {"type": "integer", "minimum": 0})


def fraction(name: str, attribute: str, help: str) -> Key:  # noqa: A002
    """Return a key whose value is a number from 0 to 1."""

    def read(value: Any) -> float:
        if type(value) not in {int, float} or not 0 <= value <= 1:
            raise ValueError(f"must be a number from 0 to 1, not {value!r}")
        return float(value)

    return Key(name, help, attribute, read, {"type": "number", "minimum": 0, "maximum": 1})


def age(name: str, help: str) -> Key:  # noqa: A002
    """Return a key whose value is a length of time, such as ``30d``."""

    def read(value: Any) -> timedelta:
        if not isinstance(value, str):
            raise ValueError(f'must be a length of time, such as "30d", not {value!r}')  # noqa: TRY004
        return parse_duration(value)

    return Key(name, help, "age", read, {"type": "string", "pattern": _AGE})


def true(name: str, help: str) -> Key:  # noqa: A002
    """Return a key whose only value is true."""

    def read(value: Any) -> None:
        if value is not True:
            raise ValueError(f"must be true, or be left out, not {value!r}")

    return Key(name, help, "", read, {"const": True})


def boolean(name: str, attribute: str, help: str) -> Key:  # noqa: A002
    """Return a key whose value is true or false."""

    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"must be true or false, not {value!r}")  # noqa: TRY004
        return value

    return Key(name, help, attribute, read, {"type": "boolean"})


def text(name: str, attribute: str, help: str) -> Key:  # noqa: A002
    """Return a key whose value is any text."""

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"must be a text, not {value!r}")  # noqa: TRY004
        return value

    return Key(name, help, attribute, read, {"type": "string"})


def choice(name: str, attribute: str, values: tuple[str, ...], help: str) -> Key:  # noqa: A002
    """Return a key whose value is one of a few texts."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in values:
            raise ValueError(f"must be {' or '.join(values)}, not {value!r}")
        return value

    return Key(name, help, attribute, read, {"enum": list(values)})


def tags(name: str, attribute: str, help: str) -> Key:  # noqa: A002
    """Return a key for patterns for tags with ``*``, ``?`` and ``[…]``: one, or a list."""
    return Key(name, help, attribute, _checked(check_tags), _one_or_more(TAG_GLOB))


def repositories(name: str, attribute: str, help: str) -> Key:  # noqa: A002
    """Return a key for patterns for repositories, as `tags` does for tags."""
    schema = _one_or_more(REPOSITORY_GLOB)
    return Key(name, help, attribute, _checked(check_repositories), schema)


def repository(name: str, attribute: str, help: str) -> Key:  # noqa: A002
    """Return a key whose value is one pattern for repositories."""

    def read(value: Any) -> Glob:
        glob = Glob(value)
        check_repositories(glob)
        return glob

    return Key(name, help, attribute, read, {**_PATTERN, "pattern": REPOSITORY_GLOB})


def _checked(check: Callable[[Pattern], None]) -> Callable[[Any], Pattern]:
    def read(value: Any) -> Pattern:
        made = pattern(value) if isinstance(value, list) else Glob(value)
        check(made)
        return made

    return read


def _one_or_more(glob: str) -> Mapping[str, Any]:
    one = {**_PATTERN, "pattern": glob}
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_GLOBS}]}


def regex(name: str, attribute: str, help: str) -> Key:  # noqa: A002
    """Return a key whose value is a regular expression in RE2's syntax."""
    return Key(name, help, attribute, Regex, _PATTERN)


_PATTERN: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 1000}
