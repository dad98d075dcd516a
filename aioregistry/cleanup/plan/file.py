"""Plan files: JSON that people can read, compare and take lines out of."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from attrs import evolve, frozen

from aioregistry.api import names
from aioregistry.cleanup.plan.condemned import Condemned
from aioregistry.cleanup.plan.items import (
    PlanFields,
)
from aioregistry.cleanup.plan.lines import line_of_object, line_of_place, read_lines
from aioregistry.cleanup.plan.writing import FORMAT, VERSION
from aioregistry.cleanup.policy.documents import DocumentError, Place, without_duplicates
from aioregistry.errors import InvalidNameError, RegistryError
from aioregistry.files import in_utf8

__all__ = [
    "PlanFileError",
    "counts_on_top",
    "plan_from_file",
    "plan_from_json",
]

_NEWLINE = b"\n"
_SUMMARY = b' "summary": '
_MAX_LINES_BEFORE_SUMMARY = 10
_TRAILING_COMMA = re.compile(rb",(?=[ \t]*\r?\n\s*[\]}])")
_AT_PLACE = re.compile(r" - at `\$\.?([^`]*)`")
_AT_BYTE = re.compile(r" \(byte (\d+)\)")
_PART = re.compile(r"(\w+)|\[(\d+)\]")
_TRUNCATED = "truncated"

P = TypeVar("P", bound=PlanFields)


class PlanFileError(RegistryError, ValueError):
    """A plan file cannot be used; the message says where and why."""


class _MistakeError(ValueError):
    """A part of a plan that cannot be, and where it is: ``repositories[0].name``."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(problem)
        self.where = where


@frozen(kw_only=True)
class _Envelope:
    format: str
    version: int
    plan: msgspec.Raw


def plan_from_json(text: str | bytes, kind: type[P]) -> P:
    """Return the plan that `plan_in_chunks` wrote, perhaps with lines taken out by hand.

    Args:
        text: The file's content.
        kind: The class of what is returned.

    Raises:
        PlanFileError: It is no plan, one of another version, or was changed beyond sense.
    """
    document = in_utf8(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    objects = _Objects()
    try:
        envelope = _decoded(document)
        _check_version(envelope)
        plan = _plan_of(envelope, kind)
        _check(plan)
        json.loads(_without_trailing_commas(document), object_pairs_hook=objects.check)
    except PlanFileError:
        raise
    except _MistakeError as error:
        line = line_of_place(_as_text(document), ("plan", *_place_of(error.where)))
        raise PlanFileError(f"line {line}: {error.where}: {error}") from None
    # UnicodeError is a ValueError, and so are the errors of msgspec and json.
    except (ValueError, RecursionError) as error:
        problem = _with_line(str(error), document, objects)
        raise PlanFileError(f"not a plan: {problem}") from None
    # What msgspec fills in passes by the converter.
    return evolve(
        plan,
        repositories=tuple(evolve(one, condemned=one.condemned) for one in plan.repositories),
    )


def _decoded(document: bytes) -> _Envelope:
    try:
        return msgspec.json.decode(document, type=_Envelope)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Whoever takes out the last line of a list leaves a comma.
        return msgspec.json.decode(_without_trailing_commas(document), type=_Envelope)


def _without_trailing_commas(document: bytes) -> bytes:
    # In JSON, no text has the end of a line in it.
    return _TRAILING_COMMA.sub(b"", document)


def _as_text(document: bytes) -> str:
    return _without_trailing_commas(document).decode(errors="replace")


def _plan_of(envelope: _Envelope, kind: type[P]) -> P:
    try:
        return msgspec.json.decode(envelope.plan, type=kind)
    except msgspec.ValidationError as error:
        if found := _AT_PLACE.search(str(error)):
            raise _MistakeError(found[1], str(error)[: found.start()]) from None
        raise


def _place_of(where: str) -> Place:
    return tuple(int(found[2]) if found[2] else found[1] for found in _PART.finditer(where))


def _with_line(problem: str, document: bytes, objects: "_Objects") -> str:
    """Return what a decoder says, with the line that it is about where that is known."""
    text = _without_trailing_commas(document)
    if found := _AT_BYTE.search(problem):
        return f"line {text.count(_NEWLINE, 0, int(found[1])) + 1}: {problem[: found.start()]}"
    if found := _AT_PLACE.search(problem):
        line = line_of_place(_as_text(document), _place_of(found[1]))
        return f"line {line}: {found[1]}: {problem[: found.start()]}"
    if problem.endswith(_TRUNCATED):
        return f"line {text.rstrip().count(_NEWLINE) + 1}: the file ends too early"
    if objects.wrong:
        return f"line {line_of_object(_as_text(document), objects.wrong)}: {problem}"
    return problem


def counts_on_top(lines: Iterable[bytes]) -> tuple[int, int] | None:
    """Return how many tags and manifests a plan was to delete, by the summary in its first lines.

    Args:
        lines: The lines of its file.

    Returns:
        None where no summary is found.
    """
    for line in islice(lines, _MAX_LINES_BEFORE_SUMMARY):
        if line.startswith(_SUMMARY):
            with suppress(ValueError, KeyError, TypeError):
                said = json.loads(line.removeprefix(_SUMMARY).strip().removesuffix(b","))
                return int(said["tags_deleted"]), int(said["manifests_deleted"])
    return None


def plan_from_file(path: Path, kind: type[P]) -> P:
    """Return the plan in a file, as `plan_from_json` does, in the memory that the plan takes.

    Args:
        path: The file.
        kind: The class of what is returned.

    Raises:
        PlanFileError: It is no plan, one of another version, or was changed beyond sense.
        OSError: It cannot be read.
    """
    with path.open("rb") as file, suppress(ValueError, RecursionError):
        return read_lines(file, lambda head: plan_from_json(head, kind), _unmixed)
    # It is in other lines, or something is wrong: then the whole says what.
    return plan_from_json(path.read_bytes(), kind)


def _unmixed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what is left when lines are taken out from within one repository to within another.

    It would have the one's name, and the other's DELETEs.
    """
    said = without_duplicates(pairs)
    if "end" in said and said["end"] != said.get("name"):
        raise DocumentError(f"{said.get('name')!r} ends as {said['end']!r}")
    return said


class _Objects:
    """Checks the objects of a file, one after the other.

    Attributes:
        wrong: Which of them is wrong, counted from 1 by their ends; 0 for none.
    """

    def __init__(self) -> None:
        self.wrong = 0
        self._seen = 0

    def check(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Return an object as `_unmixed` does."""
        self._seen += 1
        try:
            return _unmixed(pairs)
        except DocumentError:
            self.wrong = self._seen
            raise


def _check_version(envelope: _Envelope) -> None:
    if envelope.format != FORMAT:
        raise PlanFileError("not a plan of a clean-up")
    if envelope.version != VERSION:
        raise PlanFileError(
            f"the plan is of version {envelope.version}, this program reads {VERSION}: "
            "make a new one"
        )


def _check(plan: PlanFields) -> None:
    """Raise `_MistakeError` for what could not have been planned."""
    _check_name(names.check_registry, plan.registry, "registry")
    seen: set[str] = set()
    for nth, repository in enumerate(plan.repositories):
        where = f"repositories[{nth}]"
        _check_name(names.check_repository, repository.name, f"{where}.name")
        if repository.name in seen:
            raise _MistakeError(f"{where}.name", f"{repository.name!r} appears twice")
        seen.add(repository.name)
        _check_condemned(repository.condemned, where)


def _check_condemned(condemned: Sequence[Condemned], where: str) -> None:
    seen: set[tuple[str, str]] = set()
    for nth, item in enumerate(condemned):
        here = f"{where}.condemned[{nth}]"
        try:
            names.check_digest(item.digest)
            for tag in item.tags:
                names.check_tag(tag)
        except InvalidNameError as error:
            raise _MistakeError(here, error.message) from None
        if item.delete == "tag" and len(item.tags) != 1:
            raise _MistakeError(f"{here}.tags", "to delete a tag takes exactly one")
        if (item.delete, item.name) in seen:
            raise _MistakeError(here, f"{item.name!r} appears twice")
        seen.add((item.delete, item.name))


def _check_name(check: Callable[[str], str], name: str, where: str) -> None:
    try:
        check(name)
    except InvalidNameError as error:
        raise _MistakeError(where, error.message) from None
