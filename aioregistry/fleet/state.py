"""Where the run of a registry is, and what comes next: pure."""

from datetime import UTC, datetime
from typing import Literal

import msgspec
from attrs import frozen

from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.report import CleanupReport
from aioregistry.errors import RegistryError
from aioregistry.fleet.times import Window

__all__ = [
    "MAX_ATTEMPTS",
    "Phase",
    "Result",
    "Run",
    "RunLostError",
    "StateError",
    "Step",
    "after_collection",
    "after_error",
    "after_plan",
    "after_slice",
    "has_work_left",
    "id_after",
    "may_begin",
    "next_step",
    "read_run",
]

VERSION = 1
# In a row, without an item that was settled.
MAX_ATTEMPTS = 8
_FIRST_DELAY_SECONDS = 5.0
_MAX_DELAY_SECONDS = 300.0
_MAX_ERROR_CHARACTERS = 500
# In seconds: so far the clocks of workers may be apart.
_MAX_SKEW = 60.0

Phase = Literal["plan", "apply", "gc", "ended"]
Result = Literal["", "planned", "done", "unfinished", "damaged", "refused", "failed", "cancelled"]


class StateError(RegistryError):
    """The state of a run cannot be read: a newer version wrote it, and such a worker goes on."""


class RunLostError(RegistryError):
    """The server no longer has a run that it had: it has lost what it was given."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The run of one registry.

    Attributes:
        registry: The registry's name.
        id: What sets it apart from the registry's other runs: the moment at which it is due.
        begun_at: When it was begun, in seconds since 1970.
        version: Of this form.
        plan_only: Whether it ends with the plan.
        at_any_time: Whether it is carried out outside the registry's window, too.
        phase: ``plan``, ``apply``, ``gc`` and then ``ended``.
        slices: How many slices have come to their end.
        attempt: How many attempts in a row have settled nothing.
        not_before: When the next step may begin, in seconds since 1970.
        ended_at: When it ended; 0 before that.
        items: How many DELETEs the plan has.
        requests: How many requests it takes.
        frees: What it frees, in words.
        counts: How many items came to each status.
        newest_collection: The uuid of the newest garbage collection before this run's; empty for
            none; None as long as nobody has asked.
        freed_bytes: What the garbage collection freed; None where it did not say, or there was
            none.
        result: ``planned``, ``done``; ``unfinished``, items are left that could not be deleted;
            ``damaged``, images that were pushed meanwhile lack a part, and nothing is collected;
            ``refused``, by a limit or a mistake in a file; ``failed``, by an error; ``cancelled``,
            by somebody; empty before the end.
        error: The last error.
    """

    registry: str
    id: str
    begun_at: float
    version: int = VERSION
    plan_only: bool = False
    at_any_time: bool = False
    phase: Phase = "plan"
    slices: int = 0
    attempt: int = 0
    not_before: float = 0.0
    ended_at: float = 0.0
    items: int = 0
    requests: int = 0
    frees: str = ""
    counts: dict[str, int] = {}
    newest_collection: str | None = None
    freed_bytes: int | None = None
    result: Result = ""
    error: str = ""

    def to_json(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(self)

    @property
    def settled(self) -> int:
        """How many items are deleted, no longer existed, or are kept as changed."""
        return sum(self.counts.get(status, 0) for status in ("deleted", "absent", "drift"))


@frozen
class Step:
    """What comes next in a run.

    Attributes:
        task: ``plan``, ``apply`` or ``gc``.
        key: The same for the same step of the same run, whoever asks.
        part: Which attempt it is; a step with another part is out of date.
        when: When it may begin.
    """

    task: str
    key: str
    part: str
    when: datetime


class _Version(msgspec.Struct):
    version: int


def read_run(text: bytes) -> Run:
    """Return the run that `Run.to_json` wrote.

    Raises:
        StateError: It is of another version, or none.
    """
    try:
        version = msgspec.json.decode(text, type=_Version).version
        if version != VERSION:
            raise StateError(
                f"the state of a run is of version {version}, and this worker reads {VERSION}:"
                " it is left to others"
            )
        return msgspec.json.decode(text, type=Run)
    except msgspec.DecodeError as error:
        raise StateError(f"not the state of a run: {error}") from None


def next_step(run: Run, window: Window | None = None, now: datetime | None = None) -> Step | None:
    """Return what comes next in a run; None when it has ended.

    Args:
        run: The run.
        window: When work may be done, unless the run is for any time; None for always.
        now: What time it is: nothing begins before that. None, the default, for when the run was
            begun.
    """
    if run.phase == "ended":
        return None
    when = datetime.fromtimestamp(run.not_before, UTC)
    if window is not None and not run.at_any_time:
        when = window.opens(max(when, now or datetime.fromtimestamp(run.begun_at, UTC)))
    part = f"{run.slices}.{run.attempt}"
    return Step(run.phase, f"{run.registry}:{run.id}:{run.phase}:{part}", part, when)


def id_after(newest: Run | StateError | None, now: float) -> str:
    """Return a `Run.id` for a run that is begun now, newer than the registry's newest."""
    made = f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S.%fZ}"
    # That may be of a worker whose clock is ahead.
    return f"{newest.id}+" if isinstance(newest, Run) and newest.id >= made else made


def may_begin(newest: Run | StateError | None, identifier: str) -> bool:
    """Return whether a run of this `Run.id` may follow the newest run of its registry."""
    if isinstance(newest, StateError):
        return False
    return newest is None or (newest.phase == "ended" and newest.id < identifier)


def has_work_left(run: Run, now: float, *, plan_only: bool = False) -> bool:
    """Return whether one who waits for the end of a run goes on waiting.

    Not for a garbage collection that is due after an undo window, which others see to.

    Args:
        run: The run.
        now: Seconds since 1970.
        plan_only: Whether plans alone are waited for.
    """
    collects_later = run.phase == "gc" and not run.attempt and run.not_before > now + _MAX_SKEW
    return run.phase != "ended" and not collects_later and (run.plan_only or not plan_only)


def after_plan(run: Run, plan: Plan, now: float) -> Run:
    """Return a run whose plan is made."""
    items = sum(1 for _ in plan.condemned)
    known = msgspec.structs.replace(
        run, items=items, requests=plan.requests, frees=str(plan.frees), attempt=0, error=""
    )
    if run.plan_only:
        return _ended(known, "planned", now)
    return _next(known, "apply") if items else _ended(known, "done", now)


def after_slice(run: Run, report: CleanupReport, now: float, collect_at: float | None) -> Run:
    """Return a run after a slice of it.

    Args:
        run: The run before.
        report: What became of the plan's items until now.
        now: Seconds since 1970.
        collect_at: When garbage is collected, if all is done then; None for never.
    """
    counts = {
        status: len(some)
        for status in ("deleted", "absent", "drift", "failed", "unknown", "not_attempted")
        if (some := getattr(report, status))
    }
    after = msgspec.structs.replace(run, counts=counts, slices=run.slices + 1, error="")
    if report.incomplete:
        why = "; ".join(map(str, report.incomplete))[:_MAX_ERROR_CHARACTERS]
        return _ended(msgspec.structs.replace(after, error=why), "damaged", now)
    if not report.done:
        if after.settled > run.settled:
            # At once by any clock, also by one that steps back meanwhile.
            return msgspec.structs.replace(after, attempt=0, not_before=0.0)
        after = _later(after, _complaint(report), now)
        if after.attempt < MAX_ATTEMPTS:
            return after
        # What could be deleted was: its blobs may go.
        after = msgspec.structs.replace(after, result="unfinished")
    if collect_at is None or not counts.get("deleted"):
        return _ended(after, after.result or "done", now)
    return msgspec.structs.replace(_next(after, "gc"), not_before=collect_at)


def after_collection(run: Run, freed_bytes: int | None, now: float) -> Run:
    """Return a run whose garbage collection has ended."""
    known = msgspec.structs.replace(run, freed_bytes=freed_bytes, error="")
    return _ended(known, run.result or "done", now)


def after_approval(run: Run, *, at_any_time: bool = False) -> Run | None:
    """Return a run whose plan is to be carried out; None for one that does not wait for that.

    Args:
        run: The run.
        at_any_time: Whether it is carried out outside the registry's window, too, whenever the plan
            was made. False by default.
    """
    if run.result != "planned":
        return None
    kept = msgspec.structs.replace(
        run, plan_only=False, at_any_time=at_any_time, result="", ended_at=0.0
    )
    return _next(kept, "apply")


def after_cancellation(run: Run, now: float) -> Run:
    """Return a run that somebody has ended."""
    return run if run.phase == "ended" else _ended(run, "cancelled", now)


def after_error(run: Run, error: str, now: float, *, is_final: bool = False) -> Run:
    """Return a run of which a step failed: it is tried again some time later.

    Args:
        run: The run before.
        error: Why.
        now: Seconds since 1970.
        is_final: Whether it is of no use to try again.
    """
    after = _later(run, error[:_MAX_ERROR_CHARACTERS], now)
    if is_final:
        return _ended(after, "refused", now)
    return after if after.attempt < MAX_ATTEMPTS else _ended(after, "failed", now)


def _later(run: Run, error: str, now: float) -> Run:
    delay = min(_MAX_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2**run.attempt)
    return msgspec.structs.replace(
        run, attempt=run.attempt + 1, error=error, not_before=now + delay
    )


def _complaint(report: CleanupReport) -> str:
    left = (*report.failed, *report.unknown, *report.not_attempted)
    if not left:
        return f"not looked at after the last DELETE: {', '.join(report.unchecked)}"
    one = left[0]
    return (
        f"{len(left):,} items are left; {one.repository}: {one.item.name}:"
        f" {one.reason[:_MAX_ERROR_CHARACTERS]}"
    )


def _next(run: Run, phase: Phase) -> Run:
    return msgspec.structs.replace(run, phase=phase, slices=0, attempt=0, not_before=0.0)


def _ended(run: Run, result: Result, now: float) -> Run:
    return msgspec.structs.replace(run, phase="ended", result=result, ended_at=now)
