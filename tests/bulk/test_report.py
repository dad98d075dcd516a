"""The report of a bulk delete, and its error."""

import pickle

import pytest

from aioregistry.bulk.report import BulkDeleteError, DeletionReport, Outcome
from aioregistry.errors import (
    PermissionDeniedError,
    RegistryError,
    RegistryTimeoutError,
)
from tests.bulk.registry import of


def outcome(index: int, status: str, error: RegistryError | None = None) -> Outcome:
    return Outcome(index, f"v{index}", status, error)


FORBIDDEN = PermissionDeniedError("lacks a scope", status=403)
LOST = RegistryTimeoutError("no answer in time")
REPORT = DeletionReport.of(
    [
        outcome(5, "not_attempted", FORBIDDEN),
        outcome(4, "unknown", LOST),
        outcome(3, "failed", FORBIDDEN),
        outcome(2, "failed", FORBIDDEN),
        outcome(1, "absent"),
        outcome(0, "deleted"),
    ]
)


def raised() -> BulkDeleteError:
    with pytest.raises(BulkDeleteError) as caught:
        REPORT.raise_for_failures()
    return caught.value


def test_a_report_without_failures_raises_nothing():
    DeletionReport.of([outcome(0, "deleted"), outcome(1, "absent")]).raise_for_failures()
    DeletionReport().raise_for_failures()


@pytest.mark.parametrize("status", ["failed", "unknown", "not_attempted"])
def test_each_of_the_last_three_lists_is_a_failure(status):
    report = DeletionReport.of([outcome(0, status, LOST)])
    with pytest.raises(BulkDeleteError):
        report.raise_for_failures()


def test_the_error_carries_the_report_and_each_error_once():
    error = raised()
    assert error.report is REPORT
    assert error.exceptions == (FORBIDDEN, LOST)


def test_the_error_counts_and_names_the_first():
    assert "2 failed, 1 unknown, 1 not attempted; the first is 'v2'" in str(raised())


def test_the_error_is_an_error_of_this_package_and_a_group():
    assert isinstance(raised(), RegistryError)
    assert isinstance(raised(), ExceptionGroup)


def test_except_star_picks_its_parts():
    picked = []
    try:
        REPORT.raise_for_failures()
    except* PermissionDeniedError as group:
        picked.append(group)
    except* RegistryTimeoutError as group:
        picked.append(group)
    assert [group.exceptions for group in picked] == [(FORBIDDEN,), (LOST,)]
    assert all(isinstance(group, BulkDeleteError) for group in picked)


def test_a_part_that_was_split_off_has_no_report():
    forbidden, rest = raised().split(PermissionDeniedError)
    assert (forbidden.report, rest.report) == (None, None)
    assert (forbidden.exceptions, rest.exceptions) == ((FORBIDDEN,), (LOST,))


def test_the_error_pickles_with_its_report():
    error = raised()
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert [type(each) for each in copy.exceptions] == [PermissionDeniedError, RegistryTimeoutError]
    assert of(copy.report.failed) == ["v2", "v3"]
    assert copy.message == error.message
