"""What a page of usage says beside its map: figures, growth, ages, layers: pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import accumulate

from attrs import frozen

from aioregistry.cleanup.plan.items import FreedBytes
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.errors import printable
from aioregistry.report.charts import Chart, chart
from aioregistry.report.parts import Bar, Figure, bars
from aioregistry.sizes import counted, size_in_words
from aioregistry.usage.difference import difference
from aioregistry.usage.groups import AGES
from aioregistry.usage.metrics import RegistryFigures
from aioregistry.usage.model import By, RegistryUsage

__all__ = [
    "Layer",
    "OverTime",
    "ages",
    "differences",
    "figures_of",
    "growth",
    "layers",
    "meanings",
    "notes_of",
    "reasons_of",
    "recorded",
]

_MAX_LAYERS = 12
_MAX_REASONS = 12
_MAX_CHARTS = 6
_MAX_MONTHS = 36
_LEAST_RECORDS = 2
_WIDE, _NARROW = (1120, 260), (350, 220)
_DIGEST_CHARACTERS = 12


@frozen(kw_only=True)
class OverTime:
    """Bytes over time: as a chart for wide and for narrow windows, in words, and as rows.

    Attributes:
        title: What it is of.
        sentence: The chart in words.
        charts: The chart, by the class of its element.
        heads: The headings of the rows.
        rows: The rows.
    """

    title: str
    sentence: str
    charts: Mapping[str, Chart]
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@frozen
class Layer:
    """A layer that several manifests have."""

    digest: str
    registry: str
    bytes: int
    manifests: int


def figures_of(figures: Sequence[RegistryFigures], plans: Mapping[str, Plan]) -> list[Figure]:
    """Return the figures on top."""
    totals = [each.usage.total for each in figures]
    manifests, untagged = sum(one.manifests for one in totals), sum(one.untagged for one in totals)
    pushes = [each.usage.total.pushes_a_day(each.usage.at) or 0.0 for each in figures]
    found = [
        Figure(
            "Stored",
            _least(any(one.at_least for one in totals), sum(one.bytes for one in totals)),
            "each blob counted once",
        )
    ]
    reported = _reported(figures)
    if reported is not None:
        times = [each.reported.storage_usage_bytes_updated_at for each in figures if each.reported]
        at = max((time for time in times if time is not None), default=None)
        note = "" if at is None else f"measured on {at:%Y-%m-%d}"
        found.append(Figure("Reported by the API", size_in_words(reported), note))
    found += [
        Figure("Tags", f"{sum(one.tags for one in totals):,}", _pushes(sum(pushes))),
        Figure("Manifests", f"{manifests:,}", f"{untagged:,} untagged"),
    ]
    if plans:
        deletes = sum(len(one.condemned) for plan in plans.values() for one in plan.repositories)
        found.append(Figure("Freed by the policy", str(_freed(plans)), counted(deletes, "DELETE")))
    return found


def _pushes(a_day: float) -> str:
    return f"{a_day:.1f} pushes a day" if a_day else "nothing pushed for 30 days"


def _least(at_least: bool, size: int) -> str:
    return f"{'≥ ' if at_least else ''}{size_in_words(size)}"


def _freed(plans: Mapping[str, Plan]) -> FreedBytes:
    """Return what all plans free; registries share no blobs."""
    each = [plan.frees for plan in plans.values()]
    return FreedBytes(
        bytes=sum(one.bytes for one in each),
        at_least=any(one.at_least for one in each),
        at_most=any(one.at_most for one in each),
    )


def _reported(figures: Sequence[RegistryFigures]) -> int | None:
    known = [each.reported and each.reported.storage_usage_bytes for each in figures]
    return None if None in known else sum(size or 0 for size in known)


def meanings(figures: Sequence[RegistryFigures], plans: Mapping[str, Plan]) -> list[Bar]:
    """Return the sizes that are easily taken for each other, to one scale."""
    totals = [each.usage.total for each in figures]
    rows = [
        ("All image sizes added up", "rest", sum(each.usage.image_bytes for each in figures)),
        ("Stored, each blob once", "tag", sum(one.bytes for one in totals)),
    ]
    reported = _reported(figures)
    if reported is not None:
        rows.append(("Reported by the API", "tag", reported))
    referrers = sum(one.referrer_bytes or 0 for one in totals)
    if referrers:
        rows.append(("Only signatures, attestations, SBOMs", "shared", referrers))
    rows.append(
        ("Only untagged manifests", "untagged", sum(one.untagged_bytes or 0 for one in totals))
    )
    if plans:
        rows.append(("Freed by the policy", "going", _freed(plans).bytes))
    return bars([(text, [(kind, size)], [size_in_words(size)]) for text, kind, size in rows])


def differences(figures: Sequence[RegistryFigures]) -> list[str]:
    """Return what it means that the API reports more, or less, a sentence for each registry."""
    found = []
    for each in figures[:_MAX_CHARTS]:
        if each.reported is not None and each.reported.storage_usage_bytes is not None:
            total, stored = each.usage.total, each.reported.storage_usage_bytes
            before = f"{each.usage.registry}: " if len(figures) > 1 else ""
            text = difference(total, stored, each.reported)
            found.append(f"{before}{text[0].upper() if not before else text[0]}{text[1:]}.")
    return found


def notes_of(usage: RegistryUsage) -> list[str]:
    """Return what limits the figures of a registry."""
    found = []
    if usage.total.at_least:
        found.append(f"{usage.registry}: the API left out some sizes; they count as 0.")
    if usage.unread:
        found.append(
            f"{usage.registry}: {counted(usage.unread, 'manifest')} could not be read: what only"
            " they need counts as untagged."
        )
    if not usage.complete:
        found.append(
            f"{usage.registry}: the lists changed while they were read: figures are near, not"
            " exact."
        )
    return found


def growth(usages: Sequence[RegistryUsage]) -> OverTime | None:
    """Return the growth by push dates; None if no push date is known."""
    days: Counter[date] = Counter()
    unknown = 0
    for usage in usages:
        for day, size in usage.pushed:
            if day is None:
                unknown += size
            else:
                days[day] += size
    if not days:
        return None
    ordered = sorted(days)
    sums = list(accumulate(days[day] for day in ordered))
    values = _stepped(list(zip(ordered, sums, strict=True)))
    rows = _by_month(days)
    if unknown:
        rows.append(("unknown", size_in_words(unknown), ""))
    return OverTime(
        title="By push date",
        sentence=(
            f"From {ordered[0]} to {ordered[-1]}, what is still stored grew to"
            f" {size_in_words(sums[-1])}."
        ),
        charts=_charts(values),
        heads=("Period", "Pushed", "In all"),
        rows=rows,
    )


def _stepped(values: Sequence[tuple[date, int]]) -> list[tuple[date, int]]:
    """Return sums so that a line stays where it is until the day before it rises."""
    found = list(values[:1])
    for day, size in values[1:]:
        before = day - timedelta(days=1)
        if found[-1][0] < before:
            found.append((before, found[-1][1]))
        found.append((day, size))
    return found


def _by_month(days: Mapping[date, int]) -> list[tuple[str, str, str]]:
    months: Counter[str] = Counter()
    for day, size in days.items():
        months[f"{day:%Y-%m}"] += size
    if len(months) > _MAX_MONTHS:
        years: Counter[str] = Counter()
        for month, size in months.items():
            years[month[:4]] += size
        months = years
    periods = sorted(months)
    sums = accumulate(months[period] for period in periods)
    return [
        (period, size_in_words(months[period]), size_in_words(so_far))
        for period, so_far in zip(periods, sums, strict=True)
    ]


def _charts(values: Sequence[tuple[date, int]]) -> dict[str, Chart]:
    return {"wide": chart(values, *_WIDE), "narrow": chart(values, *_NARROW)}


def recorded(figures: Sequence[RegistryFigures]) -> list[OverTime]:
    """Return the recorded figures of each registry that has some."""
    found = []
    for each in figures[:_MAX_CHARTS]:
        known = [
            (record, size)
            for record in each.records
            if (size := record.bytes if record.stored_bytes is None else record.stored_bytes)
            is not None
        ]
        if len(known) < _LEAST_RECORDS:
            continue
        (first, begun), (last, ended) = known[0], known[-1]
        found.append(
            OverTime(
                title=printable(each.usage.registry),
                sentence=(
                    f"{counted(len(known), 'record')}: {size_in_words(begun)} on"
                    f" {first.at:%Y-%m-%d}, {size_in_words(ended)} on {last.at:%Y-%m-%d}."
                ),
                charts=_charts([(record.at.date(), size) for record, size in known]),
                heads=("Recorded", "Stored", "Deleted"),
                rows=[
                    (
                        f"{record.at:%Y-%m-%d %H:%M}",
                        "" if size is None else size_in_words(size),
                        "" if record.deleted is None else f"{record.deleted:,}",
                    )
                    for record in each.records[-_MAX_MONTHS:]
                    for size in [
                        record.bytes if record.stored_bytes is None else record.stored_bytes
                    ]
                ],
            )
        )
    return found


def ages(usages: Sequence[RegistryUsage]) -> list[Bar]:
    """Return the bytes that would be freed with all manifests of an age."""
    sizes: Counter[str] = Counter()
    manifests: Counter[str] = Counter()
    for usage in usages:
        for row in usage.groups[By.AGE].rows:
            sizes[row.name] += row.exclusive_bytes
            manifests[row.name] += row.manifests
    return bars(
        [
            (age, [("tag", sizes[age])], [size_in_words(sizes[age]), f"{manifests[age]:,}"])
            for age in AGES
            if manifests[age]
        ]
    )


def layers(usages: Sequence[RegistryUsage]) -> list[Layer]:
    """Return the largest layers that several manifests have."""
    shared = [
        Layer(
            printable(row.name.rpartition(":")[2])[:_DIGEST_CHARACTERS],
            printable(usage.registry),
            row.bytes,
            row.manifests,
        )
        for usage in usages
        for row in usage.groups[By.LAYER].rows
        if row.manifests > 1
    ]
    return sorted(shared, key=lambda one: (-one.bytes, one.digest))[:_MAX_LAYERS]


def reasons_of(plans: Mapping[str, Plan]) -> list[Bar]:
    """Return how many DELETEs a policy has for each reason."""
    return reasons(item.reason for plan in plans.values() for _, item in plan.condemned)


def reasons(found: Iterable[str]) -> list[Bar]:
    """Return the most frequent reasons, and one row for all others."""
    counts = Counter(found)
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    shown, others = ordered[:_MAX_REASONS], ordered[_MAX_REASONS:]
    if others:
        shown.append((f"{len(others):,} further reasons", sum(count for _, count in others)))
    return bars([(reason, [("going", count)], [f"{count:,}"]) for reason, count in shown])
