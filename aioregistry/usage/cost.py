"""What the storage of an account costs, and when what its tier includes will be full: pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import sqrt

from attrs import frozen

from aioregistry.api.documents import Document
from aioregistry.api.models import SubscriptionTier

__all__ = ["Cost", "Growth", "growth_by_push", "growth_of_records"]

_GIB = 2**30
_DAY = 86_400
_WEEK = 7
_WEEKS = 4
_LEAST_RECORDS = 3
_LEAST_DAYS = 3.0


@frozen
class Growth(Document):
    """How fast the stored bytes grow.

    Attributes:
        bytes_a_day: The likely growth in bytes a day; negative where it shrinks.
        low: The least that it may be.
        high: The most that it may be.
        recorded: Whether it is of recorded figures; else of the push dates of what is left, which
            leave out what was deleted again.
    """

    bytes_a_day: float
    low: float
    high: float
    recorded: bool = False

    def __add__(self, other: "Growth") -> "Growth":
        return Growth(
            self.bytes_a_day + other.bytes_a_day,
            self.low + other.low,
            self.high + other.high,
            self.recorded and other.recorded,
        )

    def days_until(self, room: int) -> tuple[float | None, float | None, float | None]:
        """Return in how many days some further bytes are stored.

        Args:
            room: The further bytes.

        Returns:
            The likely days, the fewest and the most; None where it does not grow.
        """
        rates = self.bytes_a_day, self.high, self.low
        likely, fewest, most = [room / rate if rate > 0 else None for rate in rates]
        return likely, fewest, most


def growth_by_push(grown: Sequence[int]) -> Growth:
    """Return the growth of the last four weeks; its range is that of the single weeks.

    Args:
        grown: The bytes of each day, the oldest first: `RegistryUsage.grown`.
    """
    last = grown[-_WEEK * _WEEKS :]
    weeks = [sum(last[begin : begin + _WEEK]) / _WEEK for begin in range(0, len(last), _WEEK)]
    if not weeks:
        return Growth(0, 0, 0)
    return Growth(sum(weeks) / len(weeks), min(weeks), max(weeks))


def growth_of_records(records: Iterable[tuple[datetime, int]]) -> Growth | None:
    """Return the growth of recorded figures: a line of least squares, two standard errors wide.

    Args:
        records: Times, and the bytes stored then.

    Returns:
        The growth; None for fewer than three records, or fewer than three days of them.
    """
    known = sorted(records)
    if len(known) < _LEAST_RECORDS:
        return None
    begin = known[0][0]
    days = [(at - begin).total_seconds() / _DAY for at, _ in known]
    if days[-1] < _LEAST_DAYS:
        return None
    count = len(known)
    middle, mean = sum(days) / count, sum(stored for _, stored in known) / count
    spread = sum((day - middle) ** 2 for day in days)
    slope = (
        sum((day - middle) * (stored - mean) for day, (_, stored) in zip(days, known, strict=True))
        / spread
    )
    left = sum(
        (stored - mean - slope * (day - middle)) ** 2
        for day, (_, stored) in zip(days, known, strict=True)
    )
    error = 2 * sqrt(left / (count - 2) / spread)
    return Growth(slope, slope - error, slope + error, recorded=True)


@frozen
class Cost(Document):
    """The storage of an account against its tier, which all of its registries share.

    Attributes:
        stored_bytes: What is stored, in all registries.
        tier: The plan.
    """

    stored_bytes: int
    tier: SubscriptionTier

    @property
    def room(self) -> int | None:
        """The bytes that the tier includes and that are not used; negative if more is stored."""
        included = self.tier.included_storage_bytes
        return None if included is None else included - self.stored_bytes

    @property
    def overage_bytes(self) -> int | None:
        """The bytes that are stored beyond those that the tier includes."""
        return None if self.room is None else max(0, -self.room)

    @property
    def overage_cents(self) -> float | None:
        """What these cost a month, in US cents; None where the API does not say."""
        price = self.tier.storage_overage_price_in_cents
        if self.overage_bytes is None or (price is None and self.overage_bytes):
            return None
        return self.overage_bytes / _GIB * (price or 0)

    def without(self, freed: int) -> "Cost":
        """Return the cost once some bytes are freed."""
        return Cost(max(0, self.stored_bytes - freed), self.tier)
