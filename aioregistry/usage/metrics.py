"""Figures as OpenMetrics, for Prometheus: pure. Needs the extra ``metrics``."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from aioregistry.api.models import Registry
from aioregistry.usage.cost import Cost
from aioregistry.usage.history import UsageRecord
from aioregistry.usage.model import RegistryUsage

__all__ = ["RegistryFigures", "openmetrics"]

_PREFIX = "aioregistry"


@frozen(kw_only=True)
class RegistryFigures:
    """What is exported of a registry.

    Attributes:
        usage: Where its bytes are.
        reported: What the API says of it; None where it says nothing.
        records: Its figures over time, the oldest first.
        by_repository: Whether each row of the usage is exported, too, with a label of its name: as
            many series as there are rows.
    """

    usage: RegistryUsage
    reported: Registry | None = None
    records: Sequence[UsageRecord] = ()
    by_repository: bool = False


def openmetrics(
    figures: Iterable[RegistryFigures],
    *,
    cost: Cost | None = None,
    seconds: float | None = None,
    remaining: int | None = None,
) -> bytes:
    """Return figures in the text format of OpenMetrics, for a textfile collector.

    The labels are ``registry``, ``kind``, and ``repository`` where it is asked for.

    Args:
        figures: The registries.
        cost: The plan of the account; None, the default, leaves it out.
        seconds: How long counting took; None, the default, leaves it out.
        remaining: The requests that are left of the API's quota; None leaves them out.

    Raises:
        ModuleNotFoundError: The extra ``metrics`` is not installed.
    """
    from prometheus_client import CollectorRegistry  # noqa: PLC0415  (an extra)
    from prometheus_client.openmetrics.exposition import generate_latest  # noqa: PLC0415

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(list(figures), cost, seconds, remaining))
    text: bytes = generate_latest(registry)
    return text


class _Figures:
    def __init__(
        self,
        figures: Sequence[RegistryFigures],
        cost: Cost | None,
        seconds: float | None,
        remaining: int | None,
    ) -> None:
        self._figures = figures
        self._cost = cost
        self._seconds = seconds
        self._remaining = remaining

    def collect(self) -> Iterator[Any]:
        yield from self._of_registries()
        yield from self._of_repositories()
        if self._cost is not None:
            yield _gauge(
                "account_stored_bytes", "Stored in all registries", self._cost.stored_bytes
            )
            included = self._cost.tier.included_storage_bytes
            yield _gauge("account_included_bytes", "Included in the account's plan", included)
            overage = self._cost.overage_cents
            dollars = None if overage is None else overage / 100
            yield _gauge("account_overage_dollars", "Overage a month, in US dollars", dollars)
        yield _gauge("quota_remaining_requests", "Left of the API's quota", self._remaining)
        yield _gauge("usage_duration_seconds", "How long counting took", self._seconds)

    def _of_registries(self) -> Iterator[Any]:
        sizes = _labelled("bytes", "Bytes of blobs, each counted once", "registry", "kind")
        manifests = _labelled("manifests", "Manifests", "registry", "kind")
        tags = _labelled("tags", "Tags", "registry")
        reported = _labelled("reported_bytes", "Stored, as the API reports it", "registry")
        measured = _labelled(
            "reported_timestamp_seconds", "When the API measured what is stored", "registry"
        )
        counted = _labelled("usage_timestamp_seconds", "When this was counted", "registry")
        deleted = _labelled("last_cleanup_deletes", "DELETEs of the last clean-up", "registry")
        cleaned = _labelled(
            "last_cleanup_timestamp_seconds", "When the last clean-up ended", "registry"
        )
        for each in self._figures:
            usage, total, name = each.usage, each.usage.total, each.usage.registry
            sizes.add_metric([name, "all"], total.bytes)
            sizes.add_metric([name, "untagged"], total.untagged_bytes or 0)
            sizes.add_metric([name, "referrer"], total.referrer_bytes or 0)
            manifests.add_metric([name, "all"], total.manifests)
            manifests.add_metric([name, "untagged"], total.untagged)
            tags.add_metric([name], total.tags)
            counted.add_metric([name], usage.at.timestamp())
            if each.reported is not None:
                _add(reported, name, each.reported.storage_usage_bytes)
                _add(measured, name, _seconds(each.reported.storage_usage_bytes_updated_at))
            cleanups = [record for record in each.records if record.cause == "cleanup"]
            if cleanups:
                _add(deleted, name, cleanups[-1].deleted)
                _add(cleaned, name, cleanups[-1].at.timestamp())
        yield from (sizes, manifests, tags, reported, measured, counted, deleted, cleaned)

    def _of_repositories(self) -> Iterator[Any]:
        labels = ("registry", "repository")
        sizes = _labelled("repository_bytes", "Bytes of blobs, each counted once", *labels)
        exclusive = _labelled(
            "repository_exclusive_bytes", "Freed if the repository was deleted", *labels
        )
        for each in self._figures:
            for row in each.usage.rows if each.by_repository else ():
                sizes.add_metric([each.usage.registry, row.name], row.bytes)
                exclusive.add_metric([each.usage.registry, row.name], row.exclusive_bytes)
        yield from (sizes, exclusive)


def _labelled(name: str, text: str, *labels: str) -> Any:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  (an extra)

    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=labels)


def _gauge(name: str, text: str, value: float | None) -> Any:
    gauge = _labelled(name, text)
    if value is not None:
        gauge.add_metric([], value)
    return gauge


def _add(gauge: Any, registry: str, value: float | None) -> None:
    if value is not None:
        gauge.add_metric([registry], value)


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
