"""What comes next in a run, by its state alone."""

from datetime import UTC, datetime

import msgspec
import pytest

from aioregistry.cleanup import CleanupReport, Condemned, ItemOutcome, Plan, RepositoryPlan
from aioregistry.cleanup.records.report import Incomplete
from aioregistry.fleet import Run, StateError, Window
from aioregistry.fleet.state import (
    MAX_ATTEMPTS,
    after_approval,
    after_collection,
    after_error,
    after_plan,
    after_slice,
    may_begin,
    next_step,
    read_run,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
RUN = Run(registry="acme", id="20260601T120000Z", begun_at=NOON)
APPLY = msgspec.structs.replace(RUN, phase="apply", items=3)
ITEMS = [Condemned(delete="tag", digest="sha256:" + "a" * 64, tags=(f"v{n}",)) for n in range(3)]


def plan(*items: Condemned) -> Plan:
    web = RepositoryPlan(name="web", tags=9, manifests=9, condemned=items)
    return Plan(registry="acme", made_at=datetime.now(UTC), repositories=(web,))


def report(*statuses: str, **more) -> CleanupReport:
    found = CleanupReport(**more)
    for item, status in zip(ITEMS, statuses, strict=False):
        found += CleanupReport(**{status: (ItemOutcome("web", item, status, "why"),)})
    return found


def test_a_run_is_read_as_it_was_written():
    assert read_run(APPLY.to_json()) == APPLY


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"version": 2}', b'{"version": 1}'])
def test_what_another_version_wrote_is_left_to_it(text):
    with pytest.raises(StateError):
        read_run(text)


def test_a_step_has_the_same_key_whoever_asks_and_another_after_each_attempt():
    first = next_step(RUN)
    assert (first.task, first.part, first.key) == ("plan", "0.0", f"acme:{RUN.id}:plan:0.0")
    assert next_step(RUN) == first
    again = next_step(after_error(RUN, "away", NOON))
    assert again.key != first.key
    assert (again.when - first.when).total_seconds() > 0


def test_a_run_is_planned_applied_and_collected():
    run = after_plan(RUN, plan(*ITEMS), NOON)
    assert (run.phase, run.items) == ("apply", 3)
    run = after_slice(run, report("deleted", "absent", "drift"), NOON, NOON + 60)
    assert (run.phase, run.not_before) == ("gc", NOON + 60)
    run = after_collection(run, 17, NOON)
    assert (run.phase, run.result, run.freed_bytes) == ("ended", "done", 17)
    assert next_step(run) is None


def test_nothing_to_delete_ends_a_run_and_so_does_a_plan_alone():
    assert after_plan(RUN, plan(), NOON).result == "done"
    only = msgspec.structs.replace(RUN, plan_only=True)
    assert after_plan(only, plan(*ITEMS), NOON).result == "planned"


def test_a_slice_that_settled_something_is_followed_at_once_by_the_next():
    run = after_slice(APPLY, report("deleted", "not_attempted", "not_attempted"), NOON, NOON)
    assert (run.phase, run.slices, run.attempt, run.not_before) == ("apply", 1, 0, 0.0)
    assert run.counts == {"deleted": 1, "not_attempted": 2}


def test_slices_that_settle_nothing_wait_longer_and_longer_and_end():
    run, waits = APPLY, []
    while run.phase == "apply":
        run = after_slice(run, report("failed"), NOON, NOON)
        waits.append(run.not_before - NOON)
    assert len(waits) == MAX_ATTEMPTS
    assert waits[:-1] == sorted(waits[:-1])
    assert (run.result, run.phase) == ("unfinished", "ended")
    assert "web: v0: why" in run.error


def test_slices_after_which_as_much_is_settled_as_before_end_all_the_same():
    run, slices = msgspec.structs.replace(APPLY, counts={"deleted": 1, "failed": 1}), 0
    while run.phase == "apply":
        run = after_slice(run, report("deleted", "failed"), NOON, None)
        slices += 1
        assert slices <= MAX_ATTEMPTS
    assert run.result == "unfinished"


@pytest.mark.parametrize(
    ("phase", "identifier", "expected"),
    [
        ("ended", RUN.id, False),
        ("ended", "20260601T120001Z", True),
        ("ended", "20260601T110000Z", False),
        ("apply", "20260601T120001Z", False),
    ],
)
def test_a_run_follows_an_older_one_that_has_ended(phase, identifier, expected):
    assert may_begin(msgspec.structs.replace(RUN, phase=phase), identifier) is expected
    assert may_begin(None, identifier)
    assert not may_begin(StateError("of a newer version"), identifier)


@pytest.mark.parametrize("result", ["done", "cancelled", "refused", "failed"])
def test_only_a_run_that_waits_for_it_is_approved(result):
    ended = msgspec.structs.replace(RUN, phase="ended", plan_only=True)
    planned = after_approval(msgspec.structs.replace(ended, result="planned"))
    assert (planned.phase, planned.plan_only, planned.result) == ("apply", False, "")
    assert after_approval(msgspec.structs.replace(ended, result=result)) is None


def test_blobs_of_what_could_be_deleted_are_collected_all_the_same():
    run = msgspec.structs.replace(APPLY, attempt=MAX_ATTEMPTS - 1, counts={"deleted": 1})
    run = after_slice(run, report("deleted", "failed"), NOON, NOON)
    assert run.phase == "gc"
    assert after_collection(run, None, NOON).result == "unfinished"


def test_nothing_is_collected_after_an_image_was_damaged_or_nothing_was_deleted():
    damaged = report("deleted", incomplete=(Incomplete("web", "keep", ("sha256:x",)),))
    run = after_slice(APPLY, damaged, NOON, NOON)
    assert (run.phase, run.result) == ("ended", "damaged")
    assert "web:keep: lacks sha256:x" in run.error
    assert after_slice(APPLY, report("absent"), NOON, NOON).result == "done"
    assert after_slice(APPLY, report("deleted"), NOON, None).result == "done"


def test_what_nobody_could_look_at_is_looked_at_by_the_next_slice():
    run = after_slice(APPLY, report("deleted", unchecked=("web",)), NOON, NOON)
    assert run.phase == "apply"


def test_a_final_error_ends_a_run_at_once():
    run = after_error(APPLY, "over the limit", NOON, is_final=True)
    assert (run.result, run.error) == ("refused", "over the limit")
    run = RUN
    for _ in range(MAX_ATTEMPTS):
        run = after_error(run, "away", NOON)
    assert run.result == "failed"


def test_a_step_waits_for_its_window_unless_it_is_for_any_time():
    window = Window.parse("01:00-05:00")
    assert next_step(RUN, window).when == datetime(2026, 6, 2, 1, tzinfo=UTC)
    any_time = msgspec.structs.replace(RUN, at_any_time=True)
    assert next_step(any_time, window).when < datetime(2026, 6, 2, tzinfo=UTC)


def test_a_step_whose_window_has_closed_waits_for_the_next_one():
    window = Window.parse("01:00-05:00")
    begun = msgspec.structs.replace(RUN, begun_at=datetime(2026, 6, 1, 2, tzinfo=UTC).timestamp())
    late = datetime(2026, 6, 1, 14, tzinfo=UTC)
    assert next_step(begun, window, late).when == datetime(2026, 6, 2, 1, tzinfo=UTC)
