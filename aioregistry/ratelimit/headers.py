"""What the rate-limit headers of an answer report, and the reading of them, pure."""

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from attrs import define

__all__ = ["RateLimitHeaders", "seconds_ahead"]

# Closer than this, a difference between the clocks is the granularity of the Date header.
_CLOCK_TOLERANCE = 2.0
_MAX_DIGITS = 15


@define(unsafe_hash=True)
class RateLimitHeaders:
    """The rate-limit headers of one answer; None for one that is missing or makes no sense.

    Nobody changes one; to freeze it would cost each request a third of the reading of its headers.

    Attributes:
        status: The answer's HTTP status.
        limit: Requests in the server's longest window.
        remaining: Requests left in it; 0 also when a 429 refers to a shorter window.
        reset_at: When the oldest request in it expires: seconds since the epoch, server's clock.
        reset_after: The same in seconds from the answer on, by the server's clock if it sent one.
        retry_after: Seconds after which to send the request again.
        took: Seconds from the request's departure to its answer.
    """

    status: int
    limit: int | None = None
    remaining: int | None = None
    reset_at: float | None = None
    retry_after: float | None = None
    reset_after: float | None = None
    took: float = 0.0

    @classmethod
    def parse(
        cls, status: int, headers: Mapping[str, str], now: float, took: float = 0.0
    ) -> "RateLimitHeaders":
        """Read the rate-limit headers of an answer.

        Args:
            status: The answer's HTTP status.
            headers: The answer's headers, a mapping that ignores case.
            now: Our clock, in seconds since the epoch.
            took: Seconds from the request's departure to its answer; by default 0.
        """
        limit = _number(headers.get("ratelimit-limit"))
        remaining = _number(headers.get("ratelimit-remaining"))
        reset_at = _number(headers.get("ratelimit-reset"))
        retry_after = headers.get("retry-after")
        # Reading a date costs more than all the rest, and only a closed gate asks for it.
        date = _epoch(headers.get("date")) if retry_after or not remaining else None
        if date is not None and abs(date - now) >= _CLOCK_TOLERANCE:
            now = date
        return cls(
            status,
            None if limit is None else int(limit),
            None if remaining is None else int(remaining),
            reset_at,
            None if retry_after is None else _delay(retry_after, now),
            None if reset_at is None else reset_at - now if reset_at > now else 0.0,
            took,
        )


def _number(value: str | None) -> float | None:
    if value is None:
        return None
    # What servers write; the rest is what they might. More digits than a float has are no quota.
    if len(value) <= _MAX_DIGITS and value.isdigit() and value.isascii():
        return int(value)
    try:
        number = float(value)
    except ValueError:
        return None
    # Python reads digits of all scripts, and underscores; HTTP writes neither.
    return number if 0 <= number < math.inf and value.isascii() and "_" not in value else None


def seconds_ahead(date: str | None, now: float) -> float | None:
    """Return by how many seconds a clock is ahead of that of an answer; None where it has no date.

    Args:
        date: The answer's header ``Date``.
        now: What the clock said when the answer came, in seconds since the epoch.
    """
    sent_at = _epoch(date)
    return None if sent_at is None else now - sent_at


def _epoch(value: str | None) -> float | None:
    try:
        date = parsedate_to_datetime(value) if value else None
        return None if date is None else date.replace(tzinfo=date.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _delay(value: str, now: float) -> float | None:
    seconds = _number(value)
    if seconds is not None:
        return seconds
    date = _epoch(value)
    return None if date is None else max(0.0, date - now)
