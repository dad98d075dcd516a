"""Figures as OpenMetrics, for Prometheus: pure. Needs the extra ``metrics``.

`dashboard.json` beside it is a dashboard for Grafana of these metrics.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import field, frozen

from aioregistry.api.models import Registry
from aioregistry.ratelimit.limits import RateLimitStatus
from aioregistry.usage.cost import Cost
from aioregistry.usage.history import RESULTS, UsageRecord
from aioregistry.usage.model import RegistryUsage

__all__ = ["CleanupFigures", "RegistryFigures", "openmetrics", "openmetrics_for"]

_PREFIX = "aioregistry"


@frozen(kw_only=True)
class CleanupFigures:
    """What the clean-ups of a registry did, summed up.

    Attributes:
        results: How many items ended how: the keys are `history.RESULTS`.
        succeeded_at: When the last one ended that left nothing to do.
        seconds: How long the last one took.
        plan: What sets the plan of the last one apart; None where that is not known.
        of_plan: What of the results is of this plan: one that is resumed counts each item once.
    """

    results: Mapping[str, int] = field(factory=dict)
    succeeded_at: datetime | None = None
    seconds: float | None = None
    plan: str | None = None
    of_plan: Mapping[str, int] = field(factory=dict)

    @classmethod
    def of(cls, records: Iterable[UsageRecord]) -> "CleanupFigures":
        """Sum up the records of a registry, the oldest first."""
        figures = cls()
        for record in records:
            if record.cause == "cleanup":
                figures = figures.with_record(record)
        return figures

    def with_record(self, record: UsageRecord) -> "CleanupFigures":
        """Return it with a further clean-up."""
        is_resumed = record.plan is not None and record.plan == self.plan
        known = Counter(self.of_plan if is_resumed else ())
        of_plan = known | Counter(record.results())
        return CleanupFigures(
            results=Counter(self.results) + (of_plan - known),
            succeeded_at=record.at if record.succeeded else self.succeeded_at,
            seconds=record.seconds,
            plan=record.plan,
            of_plan=of_plan,
        )


@frozen(kw_only=True)
class RegistryFigures:
    """What is known of a registry.

    Attributes:
        usage: Where its bytes are.
        reported: What the API says of it; None where it says nothing.
        records: Its figures over time, the oldest first.
        seconds: How long counting took; None leaves it out.
        by_repository: Whether metrics also have each row of the usage, with a label of its name: as
            many series as there are rows.
    """

    usage: RegistryUsage
    reported: Registry | None = None
    records: Sequence[UsageRecord] = ()
    seconds: float | None = None
    by_repository: bool = False


def openmetrics(
    figures: Iterable[RegistryFigures],
    *,
    cleanups: Mapping[str, CleanupFigures] | None = None,
    cost: Cost | None = None,
    quota: RateLimitStatus | None = None,
) -> bytes:
    """Return figures in the text format of OpenMetrics, for a textfile collector.

    The labels are ``registry``, ``kind``, ``result``, ``work`` and ``window``, and ``repository``
    where it is asked for.

    Args:
        figures: The registries that were counted.
        cleanups: What clean-ups did, by registry; None, the default, sums up the records of the
            figures.
        cost: The storage of the account; None, the default, leaves it out.
        quota: The API's quota; None, the default, leaves it out.

    Raises:
        ModuleNotFoundError: The extra ``metrics`` is not installed.
    """
    return openmetrics_for(
        "application/openmetrics-text", figures, cleanups=cleanups, cost=cost, quota=quota
    )[0]


def openmetrics_for(
    accept: str,
    figures: Iterable[RegistryFigures],
    *,
    cleanups: Mapping[str, CleanupFigures] | None = None,
    cost: Cost | None = None,
    quota: RateLimitStatus | None = None,
) -> tuple[bytes, str]:
    """Return figures in a format that a scraper accepts, and the type of that format.

    Args:
        accept: The header ``Accept`` of its request.
        figures: The registries that were counted.
        cleanups: What clean-ups did, by registry; None sums up the records of the figures.
        cost: The storage of the account; None leaves it out.
        quota: The API's quota; None leaves it out.

    Raises:
        ModuleNotFoundError: The extra ``metrics`` is not installed.
    """
    from prometheus_client import CollectorRegistry  # noqa: PLC0415  (an extra)
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415  (an extra)

    known = list(figures)
    if cleanups is None:
        cleanups = {each.usage.registry: CleanupFigures.of(each.records) for each in known}
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(known, cleanups, cost, quota))
    encode, content_type = choose_encoder(accept)
    text: bytes = encode(registry)
    return text, content_type


@frozen(eq=False)
class _Figures:
    """What prometheus-client collects."""

    figures: Sequence[RegistryFigures]
    cleanups: Mapping[str, CleanupFigures]
    cost: Cost | None
    quota: RateLimitStatus | None

    def collect(self) -> Iterator[Any]:
        yield from self._of_registries()
        yield from self._of_work()
        yield from self._of_repositories()
        yield from self._of_account()
        free = _labelled("quota_remaining_requests", "Left of the API's quota", "window")
        for window in () if self.quota is None else self.quota.windows:
            free.add_metric([f"{window.period:g}"], window.free)
        yield free

    def _of_account(self) -> Iterator[Any]:
        if self.cost is None:
            return
        yield _gauge("account_stored_bytes", "Stored in all registries", self.cost.stored_bytes)
        included = self.cost.tier.included_storage_bytes
        yield _gauge("account_included_bytes", "Included in the account's tier", included)
        overage = self.cost.overage_cents
        dollars = None if overage is None else overage / 100
        yield _gauge("account_overage_dollars", "Overage a month, in US dollars", dollars)

    def _of_registries(self) -> Iterator[Any]:
        sizes = _labelled("bytes", "Bytes of blobs, each counted once", "registry", "kind")
        manifests = _labelled("manifests", "Manifests", "registry", "kind")
        tags = _labelled("tags", "Tags", "registry")
        reported = _labelled("reported_bytes", "Stored, as the API reports it", "registry")
        measured = _labelled(
            "reported_timestamp_seconds", "When the API measured what is stored", "registry"
        )
        for each in self.figures:
            total, name = each.usage.total, each.usage.registry
            sizes.add_metric([name, "all"], total.bytes)
            sizes.add_metric([name, "untagged"], total.untagged_bytes or 0)
            sizes.add_metric([name, "referrer"], total.referrer_bytes or 0)
            manifests.add_metric([name, "all"], total.manifests)
            manifests.add_metric([name, "untagged"], total.untagged)
            tags.add_metric([name], total.tags)
            if each.reported is not None:
                _add(reported, [name], each.reported.storage_usage_bytes)
                _add(measured, [name], _seconds(each.reported.storage_usage_bytes_updated_at))
        yield from (sizes, manifests, tags, reported, measured)

    def _of_work(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415  (an extra)

        labels = ("registry", "work")
        deletes = CounterMetricFamily(
            f"{_PREFIX}_deletes",
            "Items of plans, by what became of them",
            labels=("registry", "result"),
        )
        succeeded = _labelled("last_success_timestamp_seconds", "When it last succeeded", *labels)
        durations = _labelled("duration_seconds", "How long it took the last time", *labels)
        for each in self.figures:
            succeeded.add_metric([each.usage.registry, "usage"], each.usage.at.timestamp())
            _add(durations, [each.usage.registry, "usage"], each.seconds)
        # A counter begins with 0: what it begins with is in no rate and no increase.
        known = {each.usage.registry: CleanupFigures() for each in self.figures}
        for name, cleanups in (known | dict(self.cleanups)).items():
            _add(succeeded, [name, "cleanup"], _seconds(cleanups.succeeded_at))
            _add(durations, [name, "cleanup"], cleanups.seconds)
            for result in RESULTS:
                deletes.add_metric([name, result], cleanups.results.get(result, 0))
        yield from (deletes, succeeded, durations)

    def _of_repositories(self) -> Iterator[Any]:
        labels = ("registry", "repository")
        sizes = _labelled("repository_bytes", "Bytes of blobs, each counted once", *labels)
        exclusive = _labelled(
            "repository_exclusive_bytes", "Freed if the repository was deleted", *labels
        )
        for each in self.figures:
            for row in each.usage.rows if each.by_repository else ():
                sizes.add_metric([each.usage.registry, row.name], row.bytes)
                exclusive.add_metric([each.usage.registry, row.name], row.exclusive_bytes)
        yield from (sizes, exclusive)


def _labelled(name: str, text: str, *labels: str) -> Any:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  (an extra)

    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=labels)


def _gauge(name: str, text: str, value: float | None) -> Any:
    gauge = _labelled(name, text)
    _add(gauge, [], value)
    return gauge


def _add(gauge: Any, labels: Sequence[str], value: float | None) -> None:
    if value is not None:
        gauge.add_metric(labels, value)


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
