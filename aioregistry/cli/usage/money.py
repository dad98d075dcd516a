"""What is said of the cost of storage, and the records of it over time: pure."""

from collections.abc import Iterator, Sequence

from aioregistry.cleanup.plan.items import FreedBytes
from aioregistry.cli.display.text import counted, size_in_words
from aioregistry.usage.cost import Cost, Growth
from aioregistry.usage.history import UsageRecord
from aioregistry.usage.metrics import CleanupFigures

__all__ = ["cost_sentences", "forecast", "saving", "trend_lines"]

_BARS = "▁▂▃▄▅▆▇█"
_FAR = 3_650


def cost_sentences(cost: Cost) -> Iterator[str]:
    """Yield what is said of the account's tier and of what is stored."""
    tier, included = cost.tier, cost.tier.included_storage_bytes
    price = tier.monthly_price_in_cents
    paid = f"tier {tier.slug or tier.name or 'of no name'}" + (
        "" if price is None else f" at {_dollars(price)} a month"
    )
    if included is None:
        yield f"{size_in_words(cost.stored_bytes)} stored; {paid}"
        return
    share = f", {cost.stored_bytes / included:.0%}" if included else ""
    yield (f"{size_in_words(cost.stored_bytes)} of {size_in_words(included)} stored{share}; {paid}")
    if cost.overage_bytes:
        more = f"{size_in_words(cost.overage_bytes)} more than the tier includes"
        if tier.allow_storage_overage is False:
            yield f"{more}, which it does not allow"
        elif cost.overage_cents is None:
            yield f"{more}; the API does not report their price"
        else:
            each = _dollars(tier.storage_overage_price_in_cents or 0)
            yield f"{more}: {_dollars(cost.overage_cents)} a month, at {each} a GiB"


def forecast(cost: Cost, growth: Growth, *, counted_registries: int, registries: int) -> str:
    """Return when the storage that the tier includes will be full."""
    of = "recorded figures" if growth.recorded else "the push dates of what is left"
    rate = f"at {_rate(growth.bytes_a_day)} ({_rate(growth.low)} to {_rate(growth.high)}) by {of}"
    if counted_registries < registries:
        rate += f" in {counted_registries} of {registries} registries"
    if cost.room is None:
        return f"grows {rate}"
    if cost.room <= 0:
        return f"the included storage is full; what is stored grows {rate}"
    likely, least, most = growth.days_until(cost.room)
    if least is None or least > _FAR:
        return f"the included storage will not be full within ten years {rate}"
    when = f"{_days(likely)} ({_days(least)} to {_days(most)})"
    return f"the included storage will be full in {when}, {rate}"


def saving(name: str, frees: FreedBytes, cost: Cost | None) -> str:
    """Return what a policy would save."""
    text = f"{name}: the policy would free {frees}"
    if cost is None or cost.overage_cents is None:
        return text
    saved = cost.overage_cents - (cost.without(frees.bytes).overage_cents or 0)
    if not cost.overage_bytes:
        return f"{text}; the tier includes all that is stored"
    return f"{text}, and save {_dollars(saved)} of overage a month"


def trend_lines(name: str, records: Sequence[UsageRecord], width: int) -> Iterator[str]:
    """Yield a picture of records over time, and their first and last figures.

    Args:
        name: The registry's name.
        records: Its records, the oldest first.
        width: How many characters a line may have.
    """
    known = [
        (record, size)
        for record in records
        if (size := record.bytes if record.stored_bytes is None else record.stored_bytes)
        is not None
    ]
    if not known:
        yield f"{name}: no sizes recorded yet; 'aioregistry usage {name} --record' adds them"
        return
    shown = known[-max(1, width - 2) :]
    most = max(size for _, size in shown)
    line = "".join(_BARS[size * (len(_BARS) - 1) // most if most else 0] for _, size in shown)
    first, last = known[0], known[-1]
    yield (
        f"{name}: {counted(len(known), 'record')}, {size_in_words(first[1])} on"
        f" {first[0].at:%Y-%m-%d} to {size_in_words(last[1])} on {last[0].at:%Y-%m-%d}, at most"
        f" {size_in_words(most)}"
    )
    yield f"  {line}"
    cleanups = [record for record in records if record.cause == "cleanup"]
    if cleanups:
        deleted = CleanupFigures.of(cleanups).results.get("deleted", 0)
        yield f"  {counted(len(cleanups), 'clean-up')} with {deleted:,} DELETEs"


def _dollars(cents: float) -> str:
    return f"${cents / 100:,.2f}"


def _rate(bytes_a_day: float) -> str:
    sign = "-" if bytes_a_day < 0 else ""
    return f"{sign}{size_in_words(round(abs(bytes_a_day)))} a day"


def _days(days: float | None) -> str:
    if days is None:
        return "never"
    return "over ten years" if days > _FAR else counted(max(1, round(days)), "day")
