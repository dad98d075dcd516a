"""Plan files: JSON that people can read, compare and take lines out of."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from attrs import evolve, frozen

from aioregistry.api import names
from aioregistry.cleanup.memory.state import Recalled
from aioregistry.cleanup.plan.items import (
    Condemned,
    Kept,
    LeftAlone,
    PlanFields,
    RepositoryPlan,
)
from aioregistry.cleanup.plan.lines import line_of_object, line_of_place, read_lines
from aioregistry.cleanup.policy.documents import DocumentError, Place, without_duplicates
from aioregistry.errors import InvalidNameError, RegistryError

__all__ = [
    "FORMAT",
    "VERSION",
    "PlanFileError",
    "counts_on_top",
    "plan_from_file",
    "plan_from_json",
    "plan_in_chunks",
]

FORMAT = "aioregistry cleanup plan"
VERSION = 1
_KNOWN_PER_LINE = 5
_LINES_AT_ONCE = 1000
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
    document = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
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


def plan_in_chunks(plan: PlanFields, summary: dict[str, Any] | None = None) -> Iterator[bytes]:
    """Yield a plan as JSON in UTF-8, many lines at a time: one for each item, or reason to keep.

    Args:
        plan: The plan.
        summary: Figures for readers, which stand on top and are not read back; None for none.
    """
    lines = _lines(plan, summary)
    while some := "\n".join(islice(lines, _LINES_AT_ONCE)):
        yield f"{some}\n".encode()


def _lines(plan: PlanFields, summary: dict[str, Any] | None) -> Iterator[str]:
    yield "{"
    yield f' "format": {_text(FORMAT)},'
    yield f' "version": {_text(VERSION)},'
    if summary is not None:
        yield f' "summary": {_text(summary)},'
    yield ' "plan": {'
    yield f'  "registry": {_text(plan.registry)},'
    yield f'  "made_at": {_text(_time(plan.made_at))},'
    if plan.created_at is not None:
        yield f'  "created_at": {_text(_time(plan.created_at))},'
    if plan.api_url is not None:
        yield f'  "api_url": {_text(plan.api_url)},'
    if plan.registry_url is not None:
        yield f'  "registry_url": {_text(plan.registry_url)},'
    yield f'  "floor": {_text(plan.floor)},'
    yield from _policy_and_use(plan)
    frees = {name: getattr(plan.frees, name) for name in ("bytes", "at_least", "at_most")}
    yield f'  "frees": {_text(frees)},'
    yield from _listed("  ", "left_alone", map(_left_alone, plan.left_alone), ",")
    if not plan.repositories:
        yield '  "repositories": []'
    else:
        yield '  "repositories": ['
        for nth, repository in enumerate(plan.repositories, 1):
            yield from _repository(repository, "," if nth < len(plan.repositories) else "")
        yield "  ]"
    yield " }"
    yield "}"


def _policy_and_use(plan: PlanFields) -> Iterator[str]:
    """Yield the lines of what the policy allows, and of what is in use, as far as it was given."""
    if plan.max_fraction is not None:
        yield f'  "max_fraction": {_text(plan.max_fraction)},'
    if plan.max_deletes is not None:
        yield f'  "max_deletes": {_text(plan.max_deletes)},'
    if plan.in_use is not None:
        yield '  "in_use": {'
        yield f'    "read": {_text(plan.in_use.read)},'
        yield from _listed("    ", "references", map(_text, plan.in_use.references), ",")
        yield from _listed("    ", "not_found", map(_text, plan.in_use.not_found), "")
        yield "  },"
    if plan.notes:
        yield from _listed("  ", "notes", map(_text, plan.notes), ",")


def _left_alone(left: LeftAlone) -> str:
    return _text({"repository": left.repository, "reason": left.reason})


def _repository(repository: RepositoryPlan, comma: str) -> Iterator[str]:
    head = {"name": repository.name, "tags": repository.tags, "manifests": repository.manifests}
    yield f"   {_text(head)[:-1]},"
    yield from _listed("    ", "condemned", map(_condemned, repository.condemned), ",")
    yield from _listed("    ", "kept", map(_kept, repository.kept), ",")
    if repository.known:
        known = (
            ", ".join(map(_text, repository.known[start : start + _KNOWN_PER_LINE]))
            for start in range(0, len(repository.known), _KNOWN_PER_LINE)
        )
        yield from _listed("    ", "known", known, ",")
    if repository.recalled is not None:
        yield f'    "recalled": {_text(_recalled(repository.recalled))},'
    yield f'    "end": {_text(repository.name)}}}{comma}'


def _recalled(recalled: Recalled) -> dict[str, Any]:
    return {"until": recalled.until and _time(recalled.until), "sha256": recalled.sha256}


def _condemned(item: Condemned) -> str:
    tags = ", ".join(map(_text, item.tags))
    parts = [f'{{"delete": "{item.delete}", "tags": [{tags}], "digest": {_text(item.digest)}']
    if item.pushed_at is not None:
        parts.append(f'"pushed_at": "{_time(item.pushed_at)}"')
    if item.set_at is not None:
        parts.append(f'"set_at": "{_time(item.set_at)}"')
    if item.size_bytes is not None:
        parts.append(f'"size_bytes": {item.size_bytes}')
    parts.append(f'"reason": {_text(item.reason)}}}')
    return ", ".join(parts)


def _kept(kept: Kept) -> str:
    said: dict[str, Any] = {"reason": kept.reason}
    if kept.tags:
        said["tags"] = kept.tags
    if kept.untagged:
        said["untagged"] = kept.untagged
    return _text(said)


def _listed(indent: str, key: str, texts: Iterable[str], comma: str) -> Iterator[str]:
    """Yield the lines of a list: one for each text, indented by one more."""
    before = None
    for text in texts:
        yield f'{indent}"{key}": [' if before is None else f"{before},"
        before = f"{indent} {text}"
    if before is None:
        yield f'{indent}"{key}": []{comma}'
    else:
        yield before
        yield f"{indent}]{comma}"


# A text is escaped without the detours of `json.dumps`.
_text = json.JSONEncoder().encode


def _time(at: datetime) -> str:
    # At either end of the calendar there are times that UTC has no year for.
    with suppress(OverflowError):
        at = at.astimezone(UTC)
    return at.isoformat().replace("+00:00", "Z")


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
