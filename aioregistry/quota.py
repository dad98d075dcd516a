"""The arithmetic of the quota, pure: rolling windows, and what answers say of them."""

import math
from collections import deque
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from heapq import heappop, heappush

from attrs import frozen

__all__ = ["RollingWindow", "ServerWord"]

# Closer than this, a difference between the clocks is the granularity of the Date header.
_CLOCK_TOLERANCE = 2.0


@frozen
class ServerWord:
    """What one answer said of the quota. Fields are None where it said nothing.

    Attributes:
        status: The answer's HTTP status.
        limit: Requests in the server's longest window.
        remaining: Requests left in it; 0 when a 429 speaks of a shorter window.
        reset_at: When the oldest request in it expires: seconds since the epoch, server's clock.
        retry_after: Seconds after which to come again.
        clock_ahead: Seconds that the server's clock is ahead of ours.
    """

    status: int
    limit: int | None = None
    remaining: int | None = None
    reset_at: float | None = None
    retry_after: float | None = None
    clock_ahead: float = 0.0

    @classmethod
    def parse(cls, status: int, headers: Mapping[str, str], now: float) -> "ServerWord":
        """Return what `headers` (which ignore case) say.

        Args:
            status: The answer's HTTP status.
            headers: The answer's headers.
            now: Our clock, in seconds since the epoch.
        """
        limit = _number(headers.get("ratelimit-limit"))
        remaining = _number(headers.get("ratelimit-remaining"))
        retry_after = headers.get("retry-after")
        # Reading a date costs more than all the rest, and only a closed gate asks for it.
        date = _epoch(headers.get("date")) if retry_after or not remaining else None
        ahead = 0.0 if date is None or abs(date - now) < _CLOCK_TOLERANCE else date - now
        return cls(
            status,
            None if limit is None else int(limit),
            None if remaining is None else int(remaining),
            _number(headers.get("ratelimit-reset")),
            _delay(retry_after, now + ahead),
            ahead,
        )

    def seconds_to_reset(self, now: float) -> float | None:
        """Return the seconds until the oldest request expires, by the server's clock."""
        return None if self.reset_at is None else max(0.0, self.reset_at - self.clock_ahead - now)


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _epoch(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, OverflowError):
        return None


def _delay(value: str | None, now: float) -> float | None:
    seconds = _number(value)
    if seconds is not None:
        return seconds
    date = _epoch(value)
    return None if date is None else max(0.0, date - now)


class RollingWindow:
    """At most `limit` requests in any `period` seconds, as the server counts them.

    The server counts a request from when it arrives there. We count it from when it may go until
    one period after its answer arrived, so that no delay on the way can make the server's window
    fuller than ours.

    Args:
        limit: The requests that the server grants in a period.
        period: Seconds.
        ours: How many of them we may take; the rest is left to others.
    """

    __slots__ = ("_others", "_returns", "in_flight", "limit", "ours", "period")

    def __init__(self, limit: int, period: float, ours: int | None = None) -> None:
        self.limit = limit
        self.period = period
        self.ours = limit if ours is None else ours
        self.in_flight = 0
        self._returns: deque[float] = deque()
        # When requests of other clients, inferred from the server's word, leave the window.
        self._others: list[float] = []

    def _expire(self, now: float) -> None:
        returns, others = self._returns, self._others
        while returns and returns[0] <= now:
            returns.popleft()
        while others and others[0] <= now:
            heappop(others)

    def used(self, now: float) -> int:
        """Return how many permits of ours are out, in flight or not yet come back."""
        self._expire(now)
        return self.in_flight + len(self._returns)

    def used_by_others(self, now: float) -> int:
        """Return how many requests of other clients are thought to be in the window."""
        self._expire(now)
        return len(self._others)

    def free(self, now: float) -> int:
        """Return how many requests may go at once; not positive when none may."""
        used = self.used(now)
        return min(self.ours - used, self.limit - used - len(self._others))

    def free_at(self, now: float, ahead: int = 0) -> float:
        """Return when a request may go that has `ahead` others before it.

        That is `now` or earlier when it may go at once, and infinity while it depends on answers
        that are still to come.
        """
        needed = ahead + 1 - self.free(now)
        if needed <= 0:
            return now
        if not self._others:
            return self._returns[needed - 1] if needed <= len(self._returns) else math.inf
        coming = sorted([*self._returns, *self._others])
        return coming[needed - 1] if needed <= len(coming) else math.inf

    def take(self) -> None:
        """Count a request that is about to be sent."""
        self.in_flight += 1

    def give_back(self, now: float, *, sent: bool) -> None:
        """Count its answer, or that we gave it up; at once when it was never sent."""
        self.in_flight -= 1
        if sent:
            self._returns.append(now + self.period)

    def add_others(self, count: int, first: float, last: float) -> None:
        """Count requests of other clients that leave evenly between two times."""
        count = min(count, self.limit)
        step = (last - first) / count if count else 0.0
        for nth in range(count):
            heappush(self._others, last - nth * step)

    def keep_others(self, count: int) -> None:
        """Forget all but `count` requests of others, the oldest first."""
        while len(self._others) > max(0, count):
            heappop(self._others)
