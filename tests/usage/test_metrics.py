"""Figures for Prometheus, read by its own parser."""

from datetime import timedelta

import pytest

from aioregistry.api.models import Registry, SubscriptionTier
from aioregistry.usage.cost import Cost
from aioregistry.usage.history import UsageRecord
from aioregistry.usage.metrics import RegistryFigures, openmetrics
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
    records = [
        UsageRecord(at=NOW, cause="cleanup", deleted=3),
        UsageRecord(at=NOW + timedelta(hours=1), cause="cleanup", deleted=4),
        UsageRecord(at=NOW + timedelta(hours=2), cause="usage", bytes=5),
    ]
    figures = RegistryFigures(usage=USAGE, reported=reported, records=records)
    assert samples(openmetrics([figures], seconds=1.5, remaining=4_000)) == {
        ("bytes", "all", "example"): 900,
        ("bytes", "example", "untagged"): 100,
        ("bytes", "example", "referrer"): 10,
        ("manifests", "all", "example"): 7,
        ("manifests", "example", "untagged"): 2,
        ("tags", "example"): 5,
        ("reported_bytes", "example"): 950,
        ("reported_timestamp_seconds", "example"): NOW.timestamp(),
        ("usage_timestamp_seconds", "example"): NOW.timestamp(),
        ("last_cleanup_deletes", "example"): 4,
        ("last_cleanup_timestamp_seconds", "example"): NOW.timestamp() + 3_600,
        ("usage_duration_seconds",): 1.5,
        ("quota_remaining_requests",): 4_000,
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
