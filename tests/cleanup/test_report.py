"""Reports as JSON, and as sums."""

import json
from datetime import UTC, datetime

import pytest

from aioregistry.cleanup import CleanupReport, ItemOutcome, ReportError
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.records.report import Incomplete

A = Condemned(delete="manifest", digest="sha256:" + "a" * 64, tags=("v1",), reason="old")
B = Condemned(delete="tag", digest="sha256:" + "b" * 64, tags=("v2",), size_bytes=7)
AT = datetime(2026, 6, 1, tzinfo=UTC)


def outcome(status: str, item: Condemned = A, repository: str = "web") -> ItemOutcome:
    return ItemOutcome(repository, item, status, f"the reason of {status}")


def report(*outcomes: ItemOutcome, **more: object) -> CleanupReport:
    lists: dict[str, tuple[ItemOutcome, ...]] = {}
    for one in outcomes:
        lists[one.status] = (*lists.get(one.status, ()), one)
    return CleanupReport(**lists, **more)


FULL = report(
    outcome("deleted"),
    outcome("drift", B),
    outcome("unknown", A, "team/api"),
    incomplete=(Incomplete("web", "keep", (A.digest,)),),
    unchecked=("team/api",),
)


def test_a_report_is_read_as_it_was_written():
    assert CleanupReport.from_json(FULL.to_json()) == FULL
    assert CleanupReport.from_json(FULL.to_json().decode()) == FULL
    assert CleanupReport.from_json(CleanupReport().to_json()) == CleanupReport()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "another"},
        {"version": 2},
        {"outcomes": {"deleted": [{"status": "deleted"}]}},
        {"outcomes": {"lost": []}},
        {"outcomes": {"absent": json.loads(FULL.to_json())["outcomes"]["deleted"]}},
        {"unchecked": "web"},
    ],
)
def test_what_is_no_report_is_refused(change):
    document = json.loads(FULL.to_json()) | change
    with pytest.raises(ReportError, match="not a report"):
        CleanupReport.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["", "[]", b"\xff", "[" * 100_000])
def test_no_text_whatever_breaks_the_reader(text):
    with pytest.raises(ReportError):
        CleanupReport.from_json(text)


def test_a_sum_has_what_both_parts_have():
    parts = report(outcome("deleted")), report(outcome("failed", B), unchecked=("web",))
    whole = parts[0] + parts[1]
    assert (whole.total, len(whole.deleted), len(whole.failed)) == (2, 1, 1)
    assert whole.unchecked == ("web",)
    assert not whole.done
    assert CleanupReport() + FULL == FULL


BEST_FIRST = ("deleted", "absent", "drift", "unknown", "failed", "not_attempted")


@pytest.mark.parametrize("nth", range(1, len(BEST_FIRST)))
def test_of_one_item_the_better_outcome_stays_whichever_report_came_first(nth):
    better, worse = report(outcome(BEST_FIRST[nth - 1])), report(outcome(BEST_FIRST[nth]))
    assert better + worse == worse + better == better


def test_the_same_name_in_two_repositories_is_two_items():
    whole = report(outcome("deleted")) + report(outcome("absent", A, "team/api"))
    assert (len(whole.deleted), len(whole.absent)) == (1, 1)


def test_what_is_incomplete_is_told_once():
    assert (FULL + FULL).incomplete == FULL.incomplete
