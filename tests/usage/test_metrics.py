"""Figures for Prometheus, read by its own parser."""

from datetime import timedelta

import pytest

from aioregistry.api.models import Registry, SubscriptionTier
from aioregistry.ratelimit.limits import RateLimitStatus, WindowStatus
from aioregistry.usage.cost import Cost
from aioregistry.usage.history import UsageRecord
from aioregistry.usage.metrics import CleanupFigures, RegistryFigures, openmetrics
from aioregistry.usage.model import By, RegistryUsage, UsageRow
from tests.cleanup.registries import NOW

parser = pytest.importorskip("prometheus_client.openmetrics.parser")

GIB = 2**30
USAGE = RegistryUsage(
    registry="example",
    by=By.REPOSITORY,
    at=NOW,
    total=UsageRow(
        name="example", tags=5, manifests=7, untagged=2, bytes=900, untagged_bytes=100,
        referrer_bytes=10,
    ),
    rows=(UsageRow(name='a"\\b\n', bytes=600, exclusive_bytes=400), UsageRow(name="web")),
)  # fmt: skip


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix("aioregistry_"), *sorted(sample.labels.values())): sample.value
        for family in parser.text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_registry_has_its_figures_and_no_label_of_a_repository():
    reported = Registry(name="example", storage_usage_bytes=950, storage_usage_bytes_updated_at=NOW)
    hour = timedelta(hours=1)
    records = [
        UsageRecord(at=NOW, cause="cleanup", deleted=3, drift=2, seconds=30),
        UsageRecord(at=NOW + hour, cause="cleanup", deleted=4, failed=1, seconds=40),
        UsageRecord(at=NOW + 2 * hour, cause="usage", bytes=5),
    ]
    figures = RegistryFigures(usage=USAGE, reported=reported, records=records, seconds=1.5)
    windows = (WindowStatus(250, 60.0, 10, 0, 240), WindowStatus(5_000, 3_600.0, 10, 0, 4_000))
    quota = RateLimitStatus(windows, 0, 0.0, None)
    assert samples(openmetrics([figures], quota=quota)) == {
        ("bytes", "all", "example"): 900,
        ("bytes", "example", "untagged"): 100,
        ("bytes", "example", "referrer"): 10,
        ("manifests", "all", "example"): 7,
        ("manifests", "example", "untagged"): 2,
        ("tags", "example"): 5,
        ("reported_bytes", "example"): 950,
        ("reported_timestamp_seconds", "example"): NOW.timestamp(),
        ("deletes_total", "deleted", "example"): 7,
        ("deletes_total", "absent", "example"): 0,
        ("deletes_total", "drift", "example"): 2,
        ("deletes_total", "example", "failed"): 1,
        ("deletes_total", "example", "unknown"): 0,
        ("deletes_total", "example", "not_attempted"): 0,
        ("last_success_timestamp_seconds", "example", "usage"): NOW.timestamp(),
        ("last_success_timestamp_seconds", "cleanup", "example"): NOW.timestamp(),
        ("duration_seconds", "example", "usage"): 1.5,
        ("duration_seconds", "cleanup", "example"): 40,
        ("quota_remaining_requests", "60"): 240,
        ("quota_remaining_requests", "3600"): 4_000,
    }


def test_repositories_have_series_only_where_they_are_asked_for():
    found = samples(openmetrics([RegistryFigures(usage=USAGE, by_repository=True)]))
    assert found["repository_bytes", 'a"\\b\n', "example"] == 600
    assert found["repository_exclusive_bytes", 'a"\\b\n', "example"] == 400


def test_the_plan_of_the_account_is_exported():
    tier = SubscriptionTier(included_storage_bytes=5 * GIB, storage_overage_price_in_cents=2)
    found = samples(openmetrics([], cost=Cost(10 * GIB, tier)))
    assert found == {
        ("account_stored_bytes",): 10 * GIB,
        ("account_included_bytes",): 5 * GIB,
        ("account_overage_dollars",): 0.1,
    }


def test_what_nobody_knows_is_left_out():
    assert samples(openmetrics([], cost=Cost(GIB, SubscriptionTier()))) == {
        ("account_stored_bytes",): GIB
    }


def test_each_item_of_a_plan_that_was_resumed_counts_once():
    def record(plan: str | None, **results: int) -> UsageRecord:
        return UsageRecord(at=NOW, cause="cleanup", plan=plan, **results)

    figures = CleanupFigures.of(
        [
            record("one", deleted=3, failed=2, not_attempted=4),
            record("one", deleted=5, failed=1, drift=3),
            record("one", deleted=6, drift=3),
            record("two", deleted=1),
            record(None, deleted=10),
            record(None, deleted=10),
        ]
    )
    assert figures.results == {"deleted": 27, "drift": 3, "failed": 2, "not_attempted": 4}
