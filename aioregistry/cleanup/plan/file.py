"""Plan files: JSON that people can read, compare and take lines out of."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from attrs import frozen

from aioregistry.api import names
from aioregistry.cleanup.plan.items import (
    Condemned,
    Kept,
    LeftAlone,
    PlanFields,
    RepositoryPlan,
)
from aioregistry.cleanup.policy.documents import DocumentError, without_duplicates
from aioregistry.errors import InvalidNameError, RegistryError

__all__ = ["FORMAT", "VERSION", "PlanFileError", "plan_from_json", "plan_to_json"]

FORMAT = "aioregistry cleanup plan"
VERSION = 1
_KNOWN_PER_LINE = 5

P = TypeVar("P", bound=PlanFields)


class PlanFileError(RegistryError, ValueError):
    """A plan file cannot be used; the message says where and why."""


@frozen(kw_only=True)
class _Envelope:
    format: str
    version: int
    plan: msgspec.Raw


def plan_from_json(text: str | bytes, kind: type[P]) -> P:
    """Return the plan that `plan_to_json` wrote, perhaps with lines taken out by hand.

    Args:
        text: The file's content.
        kind: The class of what is returned.

    Raises:
        PlanFileError: It is no plan, one of another version, or was changed beyond sense.
    """
    try:
        envelope = msgspec.json.decode(text, type=_Envelope)
        _check_version(envelope)
        plan = msgspec.json.decode(envelope.plan, type=kind)
        _check(plan)
        json.loads(text, object_pairs_hook=_unmixed)
    except PlanFileError:
        raise
    # UnicodeError is a ValueError, and so are the errors of msgspec and json.
    except (ValueError, RecursionError) as error:
        raise PlanFileError(f"not a plan: {error}") from None
    return plan


def plan_to_json(plan: PlanFields, summary: dict[str, Any] | None = None) -> str:
    """Return a plan as JSON: one line for each item that is deleted or kept.

    Args:
        plan: The plan.
        summary: Figures for readers, which stand on top and are not read back; None for none.
    """
    head: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    if summary is not None:
        head["summary"] = summary
    lines = [f" {_text(key)}: {_text(value)}," for key, value in head.items()]
    frees = {name: getattr(plan.frees, name) for name in ("bytes", "at_least", "at_most")}
    lines += [
        ' "plan": {',
        f'  "registry": {_text(plan.registry)},',
        f'  "made_at": {_text(_time(plan.made_at))},',
        *(
            f'  "{name}": {_text(value)},'
            for name, value in (
                ("created_at", plan.created_at and _time(plan.created_at)),
                ("api_url", plan.api_url),
                ("registry_url", plan.registry_url),
            )
            if value is not None
        ),
        f'  "floor": {_text(plan.floor)},',
        *_policy_and_use(plan),
        f'  "frees": {_text(frees)},',
        f'  "left_alone": {_listed([_left_alone(left) for left in plan.left_alone], 3)},',
        f'  "repositories": {_listed([_repository(repo) for repo in plan.repositories], 3)}',
        " }",
    ]
    return "\n".join(["{", *lines, "}", ""])


def _policy_and_use(plan: PlanFields) -> Iterator[str]:
    """Yield the lines of what the policy allows, and of what is in use, as far as it was given."""
    if plan.max_fraction is not None:
        yield f'  "max_fraction": {_text(plan.max_fraction)},'
    if plan.max_deletes is not None:
        yield f'  "max_deletes": {_text(plan.max_deletes)},'
    if plan.in_use is not None:
        yield '  "in_use": {'
        yield f'    "read": {_text(plan.in_use.read)},'
        yield f'    "references": {_listed(list(map(_text, plan.in_use.references)), 5)},'
        yield f'    "not_found": {_listed(list(map(_text, plan.in_use.not_found)), 5)}'
        yield "  },"
    if plan.notes:
        yield f'  "notes": {_listed(list(map(_text, plan.notes)), 3)},'


def _left_alone(left: LeftAlone) -> str:
    return _text({"repository": left.repository, "reason": left.reason})


def _repository(repository: RepositoryPlan) -> str:
    head = {"name": repository.name, "tags": repository.tags, "manifests": repository.manifests}
    condemned = [_condemned(item) for item in repository.condemned]
    kept = [_text(_kept(kept)) for kept in repository.kept]
    known = [
        ", ".join(map(_text, repository.known[start : start + _KNOWN_PER_LINE]))
        for start in range(0, len(repository.known), _KNOWN_PER_LINE)
    ]
    return (
        f"{_text(head)[:-1]},\n"
        f'    "condemned": {_listed(condemned, 5)},\n'
        f'    "kept": {_listed(kept, 5)},\n'
        + (f'    "known": {_listed(known, 5)},\n' if known else "")
        + f'    "end": {_text(repository.name)}}}'
    )


def _condemned(item: Condemned) -> str:
    said: dict[str, Any] = {"delete": item.delete, "tags": item.tags, "digest": item.digest}
    if item.pushed_at is not None:
        said["pushed_at"] = _time(item.pushed_at)
    if item.set_at is not None:
        said["set_at"] = _time(item.set_at)
    if item.size_bytes is not None:
        said["size_bytes"] = item.size_bytes
    return _text({**said, "reason": item.reason})


def _kept(kept: Kept) -> dict[str, Any]:
    said: dict[str, Any] = {"reason": kept.reason}
    if kept.tags:
        said["tags"] = kept.tags
    if kept.untagged:
        said["untagged"] = kept.untagged
    return said


def _listed(texts: Sequence[str], indent: int) -> str:
    if not texts:
        return "[]"
    space = " " * indent
    return "[\n" + ",\n".join(space + text for text in texts) + f"\n{space[:-1]}]"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)


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


def _check_version(envelope: _Envelope) -> None:
    if envelope.format != FORMAT:
        raise PlanFileError("not a plan of a clean-up")
    if envelope.version != VERSION:
        raise PlanFileError(
            f"the plan is of version {envelope.version}, this program reads {VERSION}: "
            "make a new one"
        )


def _check(plan: PlanFields) -> None:
    """Raise `PlanFileError` for what could not have been planned."""
    try:
        names.check_registry(plan.registry)
    except InvalidNameError as error:
        raise PlanFileError(f"registry: {error.message}") from None
    seen: set[str] = set()
    for nth, repository in enumerate(plan.repositories):
        where = f"repositories[{nth}]"
        try:
            names.check_repository(repository.name)
        except InvalidNameError as error:
            raise PlanFileError(f"{where}.name: {error.message}") from None
        if repository.name in seen:
            raise PlanFileError(f"{where}.name: {repository.name!r} appears twice")
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
            raise PlanFileError(f"{here}: {error.message}") from None
        if item.delete == "tag" and len(item.tags) != 1:
            raise PlanFileError(f"{here}.tags: to delete a tag takes exactly one")
        if (item.delete, item.name) in seen:
            raise PlanFileError(f"{here}: {item.name!r} appears twice")
        seen.add((item.delete, item.name))
