"""Policies from files of TOML, YAML or JSON."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attrs import frozen

from aioregistry.cleanup.policy import keys
from aioregistry.cleanup.policy.documents import Document, DocumentError, Place, read_document
from aioregistry.cleanup.policy.keys import Key
from aioregistry.cleanup.policy.patterns import Glob
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import Rule
from aioregistry.cleanup.policy.rules import RULES
from aioregistry.errors import RegistryError
from aioregistry.files import NotTextError, read_text

__all__ = [
    "EXCLUDE",
    "POLICY_KEYS",
    "Mistake",
    "PolicyFileError",
    "PolicyText",
    "load_policy",
    "read_policy",
]

_MAX_CHARACTERS_SHOWN = 300

POLICY_KEYS = (
    keys.count("floor", "floor", "Never leave fewer tags than this in a repository."),
    keys.fraction(
        "max-fraction", "max_fraction", "The largest part of a repository's tags to delete."
    ),
    keys.count("max-deletes", "max_deletes", "The largest number of DELETEs in one plan."),
)
# One of it by itself, or a list of them.
EXCLUDE = keys.repository(
    "exclude", "exclude", "Repositories of which nothing is ever deleted: globs."
)
_ACTIONS: Mapping[str, type[Rule]] = {rule.key.name: rule for rule in RULES}
# The answer to keys of other tools, such as keep-pulled-within.
_NO_PULL_TIMES = (
    "the API does not report when images were pulled; use keep-within, and --in-use for images that"
    " run"
)


class PolicyFileError(RegistryError, ValueError):
    """A policy file cannot be used; the message names the file, the line and the key."""


@frozen
class Mistake:
    """A mistake in a policy file.

    Attributes:
        line: Its line, from 1; None when that is unknown.
        key: Its key, as ``rules[2].tags``.
        problem: What is wrong, and what would be right.
    """

    line: int | None
    key: str
    problem: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.key}: {self.problem}"


def load_policy(path: Path) -> Policy:
    """Return the policy of a file.

    Args:
        path: The file; its name ends in .toml, .yaml, .yml or .json.

    Raises:
        PolicyFileError: It has a mistake; the message names the line and the key of the first.
        ModuleNotFoundError: It needs a package that is missing.
        OSError: It cannot be read.
    """
    try:
        text = read_text(path)
    except NotTextError as error:
        raise PolicyFileError(str(error)) from None
    return read_policy(text, str(path))


def read_policy(text: str, name: str) -> Policy:
    """Return the policy that a text holds.

    Args:
        text: The text.
        name: What it is called in errors; its ending says how it is written.

    Raises:
        PolicyFileError: It has a mistake; the message names the line and the key of the first.
        ModuleNotFoundError: It needs a package that is missing.
    """
    read = PolicyText.read(text, name)
    if read.policy is None:
        mistake = read.mistakes[0]
        where = f", line {mistake.line}" if mistake.line is not None else ""
        raise PolicyFileError(f"{name}{where}: {mistake.key}: {mistake.problem}")
    return read.policy


@frozen
class PolicyText:
    """A text read as a policy.

    Attributes:
        policy: The policy; None when there are mistakes.
        mistakes: All mistakes, in the order of the text as far as possible.
        document: The text's values and lines.
    """

    policy: Policy | None
    mistakes: tuple[Mistake, ...]
    document: Document

    @classmethod
    def read(cls, text: str, name: str) -> "PolicyText":
        """Read a text, and find all of its mistakes.

        Raises:
            PolicyFileError: It is no document of the kind that its name says.
            ModuleNotFoundError: It needs a package that is missing.
        """
        try:
            document = read_document(text, name)
        except DocumentError as error:
            raise PolicyFileError(f"{name}: {error}") from None
        reader = _Reader(document)
        policy = reader.policy()
        mistakes = tuple(reader.mistakes)
        return cls(None if mistakes else policy, mistakes, document)


class _Reader:
    """Reads a document as a policy. Each mistake is noted, and what is around it is read on."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.mistakes: list[Mistake] = []

    def policy(self) -> Policy | None:
        value = self._document.value
        if not isinstance(value, dict):
            self._note((), "must have keys with values")
            return None
        known = {*(key.name for key in POLICY_KEYS), EXCLUDE.name, "rules"}
        self._check_keys(value, (), known)
        made = self._rules(value.get("rules"))
        options: dict[str, Any] = {}
        for key in POLICY_KEYS:
            if key.name in value:
                self._read(key, value[key.name], (key.name,), options)
        if EXCLUDE.name in value:
            options[EXCLUDE.attribute] = list(self._globs(value[EXCLUDE.name]))
        return None if self.mistakes else Policy(made, **options)

    def _rules(self, rules: Any) -> list[Rule]:
        if not isinstance(rules, list) or not rules:
            self._note(("rules",), "must be a list of rules, and not empty")
            return []
        made = [self._rule(rule, ("rules", nth)) for nth, rule in enumerate(rules)]
        return [rule for rule in made if rule is not None]

    def _globs(self, value: Any) -> Iterator[Glob]:
        """Yield what a list of globs, or one by itself, says."""
        for nth, one in enumerate(value if isinstance(value, list) else [value]):
            place: Place = (EXCLUDE.name, nth) if isinstance(value, list) else (EXCLUDE.name,)
            try:
                yield EXCLUDE.read(one)
            except ValueError as error:
                self._note(place, str(error))

    def _rule(self, value: Any, place: Place) -> Rule | None:
        if not isinstance(value, dict):
            self._note(place, "must have keys with values")
            return None
        noted = len(self.mistakes)
        kinds = [_ACTIONS[key] for key in value if key in _ACTIONS]
        known = {key.name for rule in RULES for key in (rule.key, *rule.options, *rule.common)}
        self._check_keys(value, place, known)
        if len(kinds) != 1:
            if not any("pull" in key.lower() for key in value):
                has = " and ".join(kind.key.name for kind in kinds) or "none"
                self._note(place, f"must have one of {', '.join(sorted(_ACTIONS))}; it has {has}")
            return None
        arguments = self._arguments(kinds[0], value, place, known)
        if len(self.mistakes) > noted:
            return None
        try:
            return kinds[0](**arguments)
        except ValueError as error:
            where = "tags" if "tags" in value else "tags-regex" if "tags-regex" in value else ""
            self._note((*place, where or kinds[0].key.name), str(error))
            return None

    def _arguments(
        self, kind: type[Rule], value: Mapping[str, Any], place: Place, known: set[str]
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        allowed = {key.name: key for key in (kind.key, *kind.options, *kind.common)}
        for name in value:
            if name in allowed:
                self._read(allowed[name], value[name], (*place, name), arguments)
            elif name in known:
                self._note((*place, name), _misplaced(name, kind))
        for name in ("repositories", "tags"):
            if name in value and f"{name}-regex" in value and name in allowed:
                self._note((*place, f"{name}-regex"), f"give either {name} or {name}-regex")
        return arguments

    def _read(self, key: Key, value: Any, place: Place, arguments: dict[str, Any]) -> None:
        try:
            read = key.read(value)
        except ValueError as error:
            self._note(place, str(error))
        else:
            if key.attribute:
                arguments[key.attribute] = read

    def _check_keys(self, value: Mapping[str, Any], place: Place, known: set[str]) -> None:
        for key in value:
            if key in known:
                continue
            if "pull" in key.lower():
                self._note((*place, key), _NO_PULL_TIMES)
                continue
            close = get_close_matches(key, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            self._note((*place, key), f"is no key of a policy{hint}")

    def _note(self, place: Place, problem: str) -> None:
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
        line = self._document.line_of(place)
        self.mistakes.append(Mistake(line, _short(key[1:]) or "the policy", _short(problem)))


def _misplaced(name: str, kind: type[Rule]) -> str:
    owners = [rule.key.name for rule in RULES if name in {key.name for key in rule.options}]
    if owners:
        return f"is for {' and '.join(owners)}, not for {kind.key.name}"
    return f"is not for {kind.key.name}, which decides on no tags of images"


def _short(text: str) -> str:
    """Return a text that may contain a whole value of a file, cut to what fits a terminal."""
    if len(text) <= _MAX_CHARACTERS_SHOWN:
        return text
    return f"{text[:_MAX_CHARACTERS_SHOWN]}…"
