"""The journal of a clean-up: what was begun and what became of it, on disk before it is done."""

from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal, Self

import msgspec
from attrs import frozen

from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.append import Appender
from aioregistry.cleanup.records.report import Status
from aioregistry.cleanup.records.store import (
    Beginning,
    JournalError,
    JournalKind,
    JournalStore,
    PlanLockedError,
    store_of,
)

__all__ = ["Journal", "JournalError", "Past", "PlanLockedError"]

FORMAT = "aioregistry cleanup journal"
VERSION = 1
# A DELETE was sent, or was about to be.
_BEGUN = frozenset({"begun", "deleted", "unknown", "failed"})
_UNSETTLED = frozenset({"begun", "unknown"})
_CHECKED = "checked"
# A tag that no longer exists is ``unknown`` and has no kind of DELETE: so builds that know of none
# read the journal all the same. Whatever else is to be noted one day has to be such a line, too.
_OF_NO_ITEM = ""
_NO_LONGER_EXISTS = "the tag was to stay, and no longer exists"


@frozen
class Past:
    """What the journal says of one item.

    Attributes:
        state: ``begun``, and nothing more; or what became of it.
        reason: Why, in words.
        was_sent: Whether a DELETE of it was sent that may have been carried out.
    """

    state: str
    reason: str = ""
    was_sent: bool = False


@frozen(kw_only=True)
class _Head:
    format: str
    version: int
    plan: str


@frozen(kw_only=True)
class _Line:
    at: str
    repository: str
    delete: str
    name: str
    # Some builds wrote a tag that no longer exists as ``lost``.
    state: Literal["begun", "checked", "lost"] | Status
    reason: str = ""


_Key = tuple[str, str, str]


class Journal:
    """Lines of JSON that are only added to, one for each thing that is begun or settled.

    A line is on disk before the DELETE that it speaks of is sent; many at a time share one write.
    A line that was cut off in its middle, when the machine or the process died, is dropped.

    ``async with Journal(path, plan, resume=False) as journal`` locks, opens and closes it.

    Args:
        place: Its file, or another store of it. Beside a file a lock file, ``….lock``, keeps other
            processes away.
        plan: The plan that is carried out.
        resume: Whether the journal of an earlier process goes on; without one it begins.

    Raises:
        PlanLockedError: Another process has it.
        JournalError: It is there and is not to be resumed, is another plan's, or is no journal.
        ModuleNotFoundError: The package ``filelock`` is missing.
    """

    def __init__(self, place: Path | JournalStore, plan: Plan, *, resume: bool) -> None:
        self._store = store_of(place)
        self._plan = plan
        self._resume = resume
        self._stack = AsyncExitStack()
        self._lines: Appender | None = None
        self._past: dict[_Key, Past] = {}
        # Repositories of which a manifest was deleted, and in which nobody has looked since for
        # images that were pushed meanwhile.
        self._unchecked: set[str] = set()
        # The tags that were to stay, and that a look after the DELETEs did not find, by repository.
        self._lost_tags: dict[str, set[str]] = {}

    async def __aenter__(self) -> Self:
        self._lines = await self._stack.enter_async_context(self._store.open(self.kind()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def kind(self) -> JournalKind:
        """Return what this journal asks of its store."""
        return JournalKind(
            read=self._read,
            error=JournalError,
            locked=PlanLockedError,
            busy="another process is carrying out this plan; wait for its end",
        )

    def _opened(self) -> Appender:
        if self._lines is None:
            raise JournalError(f"{self._store}: not open: use 'async with Journal(...)'")
        return self._lines

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier process has written of any item."""
        return bool(self._past)

    def past(self, repository: str, item: Condemned) -> Past | None:
        """Return what earlier processes wrote of an item; None when that is nothing."""
        return self._past.get((repository, item.delete, item.name))

    def has_begun(self, repository: str, items: Iterable[Condemned]) -> bool:
        """Return whether an earlier process has begun any of some items, so that it may be gone."""
        past = (self.past(repository, item) for item in items)
        return any(one is not None and one.state in _BEGUN for one in past)

    def may_have_sent(self, repository: str, item: Condemned) -> bool:
        """Return whether an earlier process may have sent a DELETE whose outcome is unknown."""
        past = self.past(repository, item)
        return past is not None and past.state in _UNSETTLED

    def was_sent(self, repository: str, item: Condemned) -> bool:
        """Return the same, also where the answer was that the item does not exist."""
        past = self.past(repository, item)
        return past is not None and past.was_sent

    def is_unchecked(self, repository: str) -> bool:
        """Return whether earlier processes deleted manifests, and did not look for new images."""
        return repository in self._unchecked

    def record_checked(self, repository: str) -> None:
        """Note that new images were looked for after the last DELETE in a repository."""
        self._unchecked.discard(repository)
        self._opened().add(_line(repository, _OF_NO_ITEM, "", _CHECKED))

    def lost_tags(self, repository: str) -> set[str]:
        """Return the tags that were to stay and no longer exist, as earlier processes found."""
        return self._lost_tags.get(repository, set())

    async def record_lost_tag(self, repository: str, tag: str) -> None:
        """Note that a tag that was to stay no longer exists; it is on disk when this returns.

        Raises:
            JournalError: It could not be written.
        """
        lines = self._opened()
        lines.add(_line(repository, _OF_NO_ITEM, tag, "unknown", _NO_LONGER_EXISTS))
        await lines.flush()

    async def begin(self, repository: str, item: Condemned) -> None:
        """Write that an item is begun; it is on disk when this returns.

        Args:
            repository: The repository's name.
            item: The item.

        Raises:
            JournalError: It could not be written.
        """
        lines = self._opened()
        lines.add(_line(repository, item.delete, item.name, "begun"))
        await lines.flush()

    def record(self, repository: str, item: Condemned, state: str, reason: str) -> None:
        """Note what became of an item; it is written with what comes next, or at the end."""
        self._opened().add(_line(repository, item.delete, item.name, state, reason))

    def _read(self, kept: IO[bytes]) -> Beginning:
        """Read what is there, or begin."""
        text = kept.read()
        whole, newline, _ = text.rpartition(b"\n")
        head = _Head(format=FORMAT, version=VERSION, plan=self._plan.id)
        first = msgspec.json.encode(head) + b"\n"
        if first.startswith(text):
            # Nothing was begun before the first line was whole, nor since.
            return Beginning(0, first)
        if not newline:
            raise JournalError(f"{self._store}: not a journal of a clean-up")
        lines = whole.split(b"\n")
        self._check_head(lines[0])
        if not self._resume:
            raise JournalError(
                f"{self._store}: this plan was begun before; resume it (--resume, or resume=True),"
                " or make a new plan"
            )
        for number, line in enumerate(lines[1:], 2):
            if line == lines[0]:
                # Written again with what came first, as the answer of a server was lost.
                continue
            try:
                said = msgspec.json.decode(line, type=_Line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise JournalError(f"{self._store}, line {number}: {error}") from None
            if said.state == _CHECKED:
                self._unchecked.discard(said.repository)
                self._lost_tags.pop(said.repository, None)
                continue
            if said.delete == _OF_NO_ITEM:
                self._lost_tags.setdefault(said.repository, set()).add(said.name)
                self._unchecked.add(said.repository)
                continue
            if said.delete == "manifest" and said.state in _BEGUN:
                self._unchecked.add(said.repository)
            key = said.repository, said.delete, said.name
            was_sent = said.state in _UNSETTLED or (
                said.state == "absent" and key in self._past and self._past[key].was_sent
            )
            self._past[key] = Past(said.state, said.reason, was_sent)
        return Beginning(len(whole) + 1)

    def _check_head(self, line: bytes) -> None:
        try:
            head = msgspec.json.decode(line, type=_Head)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise JournalError(f"{self._store}: not a journal of a clean-up") from None
        if head.format == FORMAT and head.version > VERSION:
            raise JournalError(
                f"{self._store}: a newer version of this program wrote this journal (its format is"
                f" {head.version}, and this one reads {VERSION}): resume the plan with that"
            )
        if (head.format, head.version) != (FORMAT, VERSION):
            raise JournalError(f"{self._store}: not a journal that this program reads")
        if head.plan != self._plan.id:
            raise JournalError(
                f"{self._store}: the journal of another plan, or the plan was changed since"
            )


def _line(repository: str, delete: str, name: str, state: str, reason: str = "") -> bytes:
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said: dict[str, Any] = {
        "at": at,
        "repository": repository,
        "delete": delete,
        "name": name,
        "state": state,
    }
    if reason:
        said["reason"] = reason
    return msgspec.json.encode(said) + b"\n"
