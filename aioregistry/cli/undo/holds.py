"""What clean-ups leave alone after an undo: what was restored is the newest there is."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Self

import typer

from aioregistry.cleanup.plan.items import RepositoryPlan
from aioregistry.cleanup.plan.make import time_by
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.state_folder import StateFolder
from aioregistry.cleanup.undo.record import UndoRecord
from aioregistry.cleanup.undo.report import UndoOutcome
from aioregistry.cli.connection import Connection
from aioregistry.cli.display.text import reason_of, safe
from aioregistry.cli.errors import UsageError
from aioregistry.cli.settings.settings import Settings
from aioregistry.errors import ResponseError
from aioregistry.oci.writer import DistributionWriter

__all__ = [
    "NotingWriter",
    "RestoredImages",
    "check_restored",
    "end_holds",
    "end_needless_holds",
    "leave_restored",
]

_MAX_SHOWN = 3
# With less than that a registry has refused something for certain.
_UNCLEAR = 500
# No plan that was made before an undo has a time that is later by so much.
_TIMES_DIFFER = timedelta(seconds=65)


class RestoredImages:
    """The repositories of which an undo restores anything, noted in their registry's record.

    They are noted before the first of them is, as the undo may be killed, and once more at the end:
    a plan that was made meanwhile has seen only some.

    Args:
        to: Where they are restored.
        registry: The registry's name.
        repositories: Those that may be restored; none for a dry run.
    """

    def __init__(self, to: Connection, registry: str, repositories: Iterable[str]) -> None:
        self._to = to
        self._registry = registry
        self._repositories = list(repositories)
        self._restored: set[str] = set()
        # How many PUTs of each may have taken effect, whatever was heard of them.
        self._sent: Counter[str] = Counter()
        self._held: set[str] = set()
        self._is_noted = False

    def __enter__(self) -> Self:
        if self._repositories:
            try:
                record = self._record()
                self._held = set(record.restored)
                record.note_restored(self._repositories)
                self._is_noted = True
            except OSError as error:
                self._to.display.say(
                    "clean-ups will not leave alone what is restored, as that cannot be noted:"
                    f" {error.strerror}"
                )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._is_noted:
            return
        with suppress(OSError):
            record = self._record()
            touched = self._touched()
            record.note_restored(sorted(touched), _ahead(self._to))
            others = touched | self._held
            record.note_cleaned([one for one in self._repositories if one not in others])

    def add(self, outcome: UndoOutcome) -> None:
        """Take in what became of a manifest or a tag."""
        # An untagged manifest is as new as its push.
        if outcome.status == "restored":
            self._restored.add(outcome.repository)

    def send(self, repository: str) -> None:
        """Take in that something is about to be put back."""
        self._sent[repository] += 1

    def refuse(self, repository: str) -> None:
        """Take in that this was refused, so that it had no effect."""
        self._sent[repository] -= 1

    def tell(self) -> None:
        """Say what clean-ups make of it, where anything was restored."""
        touched = self._touched()
        if not self._is_noted or not touched:
            return
        shown = sorted(touched)[:_MAX_SHOWN]
        more = len(touched) - len(shown)
        names = safe(", ".join(shown)) + (f" and {more:,} more" if more else "")
        typer.echo(
            "what was restored is as new as this undo: clean-ups of this machine leave"
            f" {names} alone until one is made with --after-undo; a fleet leaves alone only what"
            " 'aioregistry fleet hold' or 'aioregistry fleet archive' has named",
            err=True,
        )

    def _touched(self) -> set[str]:
        return self._restored.union(name for name, count in self._sent.items() if count)

    def _record(self) -> UndoRecord:
        return _record_of(self._registry, self._to.settings)


class NotingWriter(DistributionWriter):
    """A writer that tells of each manifest and tag before it is put back.

    Attributes:
        restored: Whom it tells.
    """

    restored: RestoredImages

    async def put_manifest(
        self,
        repository: str,
        reference: str,
        document: bytes,
        media_type: str,
        *,
        once: bool = False,
    ) -> None:
        """Store a manifest; see `DistributionWriter.put_manifest`."""
        self.restored.send(repository)
        try:
            await super().put_manifest(repository, reference, document, media_type, once=once)
        except ResponseError as error:
            if once and error.status is not None and error.status < _UNCLEAR:
                self.restored.refuse(repository)
            raise


def leave_restored(registry: str, settings: Settings) -> dict[str, str]:
    """Return the repositories that a clean-up leaves alone after an undo, each with the reason.

    By what is restored there now, `keep-newest` would delete what was pushed before the undo.

    Raises:
        UsageError: That cannot be known.
    """
    return {
        name: f"an undo of {at:%Y-%m-%d %H:%M} UTC restored images, which are its newest since;"
        " --after-undo cleans it up all the same"
        for name, at in _certain(registry, settings).restored.items()
    }


def check_restored(plan: Plan, settings: Settings) -> None:
    """Refuse a plan that was made before an undo restored images of one of its repositories.

    Raises:
        UsageError: It was, or that cannot be known.
    """
    restored = _certain(plan.registry, settings).restored
    for repository in plan.repositories:
        at = restored.get(repository.name)
        if repository.condemned and at is not None and plan.made_at < at:
            raise UsageError(
                f"this plan is older than the undo that restored images of {repository.name}"
                f" ({at:%Y-%m-%d %H:%M} UTC): make a new one, with --after-undo"
            )


def end_holds(plan: Plan, settings: Settings) -> None:
    """Note that clean-ups need no longer leave alone what a plan has cleaned up after an undo.

    Args:
        plan: A plan that was carried out.
        settings: Where the record is.
    """
    _end(plan, settings, lambda one: bool(one.condemned))


def end_needless_holds(
    plan: Plan, settings: Settings, policy: Policy, chosen: Collection[str] | None
) -> None:
    """Note the same of repositories in which a plan that was made after an undo deletes nothing.

    That is of those which the plan is about: others may have policies of their own.

    Args:
        plan: The plan.
        settings: Where the record is.
        policy: Its policy.
        chosen: The repositories that it was made for; None or empty for all.
    """

    def is_needless(one: RepositoryPlan) -> bool:
        is_about = (not chosen or one.name in chosen) and policy.may_delete(one.name)
        return is_about and not one.condemned

    _end(plan, settings, is_needless)


def _end(plan: Plan, settings: Settings, ends: Callable[[RepositoryPlan], bool]) -> None:
    with suppress(OSError):
        record = _record_of(plan.registry, settings)
        record.note_cleaned(
            [
                one.name
                for one in plan.repositories
                if (at := record.restored.get(one.name)) is not None
                and plan.made_at > at
                and ends(one)
            ]
        )


def _ahead(to: Connection) -> timedelta:
    """Return by how much this machine's clock is ahead of the time that a plan would have now."""
    _, ahead = time_by(to.client.recent_requests)
    return max(ahead - _TIMES_DIFFER, timedelta())


def _record_of(registry: str, settings: Settings) -> UndoRecord:
    return UndoRecord.of(StateFolder.of(registry, api_url=settings.api_url))


def _certain(registry: str, settings: Settings) -> UndoRecord:
    try:
        return _record_of(registry, settings)
    except OSError as error:
        raise UsageError(
            f"{reason_of(error)}; it says what an undo has restored, which would"
            " come before what was pushed earlier"
        ) from None
