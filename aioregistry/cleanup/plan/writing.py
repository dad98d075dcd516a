"""Writing a plan as JSON that people can read, compare and take lines out of."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec

from aioregistry.cleanup.in_use.summary import AskedServer
from aioregistry.cleanup.memory.state import Recalled
from aioregistry.cleanup.plan.condemned import Condemned, CondemnedItems, Row, in_columns, time_of
from aioregistry.cleanup.plan.items import Kept, LeftAlone, PlanFields, RepositoryPlan

__all__ = ["FORMAT", "VERSION", "plan_in_chunks"]

FORMAT = "aioregistry cleanup plan"
VERSION = 1
_KNOWN_PER_LINE = 5
_ITEMS_AT_ONCE = 500
_CHARACTERS_AT_ONCE = 200_000
_UNSET = msgspec.UNSET
# What JSON in ASCII escapes and JSON in UTF-8 does not.
_ESCAPED = re.compile("[^\\x00-\\x7e]+")
_DELETE = "\x7f"


def plan_in_chunks(plan: PlanFields, summary: dict[str, Any] | None = None) -> Iterator[bytes]:
    """Yield a plan as JSON in UTF-8, many lines at a time: one for each item, or reason to keep.

    Args:
        plan: The plan.
        summary: Figures for readers, which stand on top and are not read back; None for none.
    """
    some: list[str] = []
    characters = 0
    for line in _lines(plan, summary):
        some.append(line)
        characters += len(line)
        if characters > _CHARACTERS_AT_ONCE:
            yield "\n".join((*some, "")).encode()
            some, characters = [], 0
    yield "\n".join((*some, "")).encode()


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
        asked = plan.in_use.asked
        comma = "," if asked else ""
        yield from _listed("    ", "not_found", map(_text, plan.in_use.not_found), comma)
        if asked:
            yield from _listed("    ", "asked", map(_asked, asked), "")
        yield "  },"
    if plan.notes:
        yield from _listed("  ", "notes", map(_text, plan.notes), ",")


def _asked(server: AskedServer) -> str:
    document: dict[str, object] = {
        "source": server.source,
        "server": server.server,
        "counts": dict(server.counts),
        "at": server.at.isoformat(timespec="seconds"),
    }
    for name, texts in (("left_out", server.left_out), ("passed_over", server.passed_over)):
        if texts:
            document[name] = list(texts)
    return _text(document)


def _left_alone(left: LeftAlone) -> str:
    return _text({"repository": left.repository, "reason": left.reason})


def _repository(repository: RepositoryPlan, comma: str) -> Iterator[str]:
    head = {"name": repository.name, "tags": repository.tags, "manifests": repository.manifests}
    yield f"   {_text(head)[:-1]},"
    condemned = _items(in_columns(repository.condemned), ",\n     ")
    yield from _listed("    ", "condemned", condemned, ",")
    yield from _listed("    ", "kept", map(_kept, repository.kept), ",")
    if repository.known:
        known = (
            ", ".join(map(_quoted, repository.known[start : start + _KNOWN_PER_LINE]))
            for start in range(0, len(repository.known), _KNOWN_PER_LINE)
        )
        yield from _listed("    ", "known", known, ",")
    if repository.recalled is not None:
        yield f'    "recalled": {_text(_recalled(repository.recalled))},'
    yield f'    "end": {_text(repository.name)}}}{comma}'


def _recalled(recalled: Recalled) -> dict[str, Any]:
    return {"until": recalled.until and _time(recalled.until), "sha256": recalled.sha256}


class _Line(msgspec.Struct, gc=False):
    """An item as it is written."""

    delete: str
    tags: Sequence[str]
    digest: str
    pushed_at: datetime | msgspec.UnsetType
    set_at: datetime | msgspec.UnsetType
    size_bytes: int | msgspec.UnsetType
    reason: str


def _items(items: CondemnedItems, between: str) -> Iterator[str]:
    """Yield the lines of items, many at a time.

    Args:
        items: The items.
        between: What stands between two lines.
    """
    waiting = items.rows()
    while some := list(islice(waiting, _ITEMS_AT_ONCE)):
        lines: list[_Line] = []
        for row in some:
            if not isinstance(row, tuple):
                yield between.join(map(_item, some))
                break
            delete, digest, tags, reason, pushed, was_set, size = row
            pushed_at = _UNSET if pushed is None else time_of(pushed)
            set_at = pushed_at
            if was_set != pushed:
                set_at = _UNSET if was_set is None else time_of(was_set)
            size_bytes = _UNSET if size is None else size
            lines.append(_Line(delete, tags, digest, pushed_at, set_at, size_bytes, reason))
        else:
            try:
                # Within a text, a quotation mark has a backslash before it.
                text = _quickly_written(lines)[1:-1]
                yield text.replace('}, {"delete": ', f'}}{between}{{"delete": ')
            except UnicodeEncodeError:
                # Half of a character, in the name of a rule.
                yield between.join(map(_item, some))


def _quickly_written(value: object) -> str:
    """Return what `_text` returns, for much at a time."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
    if not text.isascii() or _DELETE in text:
        text = _ESCAPED.sub(lambda found: _quoted(found[0])[1:-1], text)
    return text


def _item(item: Row | Condemned) -> str:
    tags: Sequence[str]
    if isinstance(item, Condemned):
        delete, digest, tags, reason = item.delete, item.digest, item.tags, item.reason
        pushed = None if item.pushed_at is None else _time(item.pushed_at)
        was_set = None if item.set_at is None else _time(item.set_at)
        size = item.size_bytes
    else:
        delete, digest, tags, reason, pushed_at, set_at, size = item
        pushed = None if pushed_at is None else _time(time_of(pushed_at))
        was_set = None if set_at is None else _time(time_of(set_at))
    text = f'{{"delete": "{delete}", "tags": [{", ".join(map(_quoted, tags))}], '
    text += f'"digest": {_quoted(digest)}'
    if pushed is not None:
        text += f', "pushed_at": "{pushed}"'
    if was_set is not None:
        text += f', "set_at": "{was_set}"'
    if size is not None:
        text += f', "size_bytes": {size}'
    return f'{text}, "reason": {_quoted(reason)}}}'


def _kept(kept: Kept) -> str:
    said: dict[str, Any] = {"reason": kept.reason}
    if kept.tags:
        said["tags"] = kept.tags
    if kept.untagged:
        said["untagged"] = kept.untagged
    try:
        return _quickly_written(said)
    except UnicodeEncodeError:
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
_quoted = json.encoder.encode_basestring_ascii


def _time(at: datetime) -> str:
    # At either end of the calendar there are times that UTC has no year for.
    with suppress(OverflowError):
        at = at.astimezone(UTC)
    return at.isoformat().replace("+00:00", "Z")
