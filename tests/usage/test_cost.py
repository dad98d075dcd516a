"""What storage costs, when what a tier includes is full, and the figures over time."""

import os
from datetime import timedelta

import pytest

from aioregistry.api.models import SubscriptionTier
from aioregistry.cleanup.plan.items import FreedBytes
from aioregistry.cleanup.state_folder import StateFolder
from aioregistry.cli.usage.money import cost_sentences, forecast, saving, trend_lines
from aioregistry.usage.cost import Cost, Growth, growth_by_push, growth_of_records
from aioregistry.usage.history import UsageRecord, read_records, record_usage
from tests.cleanup.registries import NOW, ago

GIB = 2**30
BASIC = SubscriptionTier(
    slug="basic",
    included_storage_bytes=5 * GIB,
    allow_storage_overage=True,
    monthly_price_in_cents=500,
    storage_overage_price_in_cents=2,
)


def test_what_is_stored_beyond_the_plan_is_paid_by_the_gib():
    cost = Cost(8 * GIB, BASIC)
    assert cost.overage_bytes == 3 * GIB
    assert cost.overage_cents == pytest.approx(6)
    assert cost.without(2 * GIB).overage_cents == pytest.approx(2)
    assert cost.without(9 * GIB).overage_cents == 0


def test_a_price_that_the_api_does_not_report_is_not_made_up():
    tier = SubscriptionTier(slug="basic", included_storage_bytes=5 * GIB)
    assert Cost(8 * GIB, tier).overage_cents is None
    assert "does not report their price" in list(cost_sentences(Cost(8 * GIB, tier)))[1]
    assert Cost(4 * GIB, tier).overage_cents == 0


def test_the_cost_is_said_with_its_price():
    first, second = cost_sentences(Cost(8 * GIB, BASIC))
    assert first == "8.6 GB of 5.4 GB stored, 160%; tier basic at $5.00 a month"
    assert second == "3.2 GB more than the tier includes: $0.06 a month, at $0.02 a GiB"


def test_a_saving_is_no_more_than_what_is_paid():
    text = saving("example", FreedBytes(bytes=10 * GIB, at_least=True), Cost(55 * GIB, BASIC))
    assert text == (
        "example: the policy would free at least 10.7 GB, and save $0.20 of overage a month"
    )
    text = saving("example", FreedBytes(bytes=GIB), Cost(GIB, BASIC))
    assert text.endswith("the policy would free 1.1 GB; the tier includes all that is stored")


def test_growth_is_that_of_four_weeks_within_the_range_of_its_weeks():
    found = growth_by_push([999] * 28 + [70] * 7 + [0] * 7 + [140] * 7 + [70] * 7)
    assert (found.bytes_a_day, found.low, found.high) == (70, 0, 140)
    assert found.days_until(1_400) == (20, 10, None)


def test_growth_of_records_is_a_line_with_its_uncertainty():
    steady = [(ago(10 - day), 1_000 + 50 * day) for day in range(10)]
    found = growth_of_records(steady)
    assert found.bytes_a_day == pytest.approx(50)
    assert found.low == pytest.approx(found.high)
    noisy = growth_of_records(
        [(at, size + (30 if n % 2 else -30)) for n, (at, size) in enumerate(steady)]
    )
    assert noisy.low < 50 < noisy.high
    assert noisy.recorded


@pytest.mark.parametrize("days", [[0, 1], [0, 1, 2]])
def test_few_records_show_no_growth(days):
    assert growth_of_records([(ago(-day), day) for day in days]) is None


def test_a_forecast_names_its_range_and_what_it_is_of():
    growth = Growth(GIB / 10, 0, GIB / 5)
    text = forecast(Cost(4 * GIB, BASIC), growth, counted_registries=1, registries=2)
    assert text.startswith(
        "the included storage will be full in 10 days (5 days to never), at 107.4"
    )
    assert text.endswith("by the push dates of what is left in 1 of 2 registries")


def test_storage_that_is_full_or_never_will_be_has_no_date():
    shrinking, growing = Growth(-9, -10, -8), Growth(9, 8, 10)
    full = forecast(Cost(6 * GIB, BASIC), growing, counted_registries=1, registries=1)
    assert "the included storage is full" in full
    never = forecast(Cost(GIB, BASIC), shrinking, counted_registries=1, registries=1)
    assert "not be full within ten years at -9 B a day" in never


@pytest.fixture
def folder(tmp_path):
    return StateFolder.of("example", root=tmp_path)


def test_records_are_read_as_they_were_written(folder):
    records = [
        UsageRecord(at=NOW, cause="usage", stored_bytes=5, bytes=4, tags=3),
        UsageRecord(at=NOW + timedelta(days=1), cause="cleanup", deleted=2, freed_bytes=1),
        UsageRecord(at=NOW + timedelta(days=2), cause="cleanup", deleted=3, plan="0123"),
    ]
    for record in records:
        record_usage(folder, record)
    assert read_records(folder) == records
    assert folder.usage.stat().st_mode & 0o077 == 0


def test_records_need_nothing_that_windows_lacks(folder, monkeypatch):
    monkeypatch.delattr(os, "pread")
    records = [UsageRecord(at=NOW, cause="usage", bytes=size) for size in (1, 2)]
    for record in records:
        record_usage(folder, record)
    assert read_records(folder) == records


def test_a_line_that_was_cut_off_costs_no_other(folder):
    first, second = (UsageRecord(at=NOW, cause="usage", bytes=size) for size in (1, 2))
    record_usage(folder, first)
    with folder.usage.open("a") as file:
        file.write('{"at": "2026-')
    record_usage(folder, second)
    assert read_records(folder) == [first, second]


@pytest.mark.parametrize(
    "line", ["[]", "null", "{}", '{"at": 5}', '{"at": "2026-01-01T00:00:00", "cause": "usage"}',
             '{"at": "2026-01-01T00:00:00Z", "cause": "usage", "other": 5}', "\x00"]
)  # fmt: skip
def test_what_is_no_record_is_left_out(folder, line):
    folder.make()
    folder.usage.write_text(f"{line}\n")
    assert read_records(folder) == []


def test_without_a_file_there_are_no_records(folder):
    assert read_records(folder) == []
    (line,) = trend_lines("example", [], 80)
    assert "--record" in line


def test_a_trend_is_drawn_within_the_width_of_the_terminal():
    records = [
        UsageRecord(at=ago(100 - day), cause="usage", stored_bytes=day * 1_000)
        for day in range(100)
    ]
    records.append(UsageRecord(at=NOW, cause="cleanup", deleted=1_234))
    head, bars, cleanups = trend_lines("example", records, 40)
    assert head == (
        "example: 100 records, 0 B on 2026-02-21 to 99.0 kB on 2026-05-31, at most 99.0 kB"
    )
    assert len(bars) == 40
    assert bars.endswith("█")
    assert cleanups == "  1 clean-up with 1,234 DELETEs"
    records += [UsageRecord(at=NOW, cause="cleanup", deleted=some, plan="1") for some in (5, 8)]
    assert [*trend_lines("example", records, 40)][-1] == "  3 clean-ups with 1,242 DELETEs"
