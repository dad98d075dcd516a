"""The rate limits: two sliding windows for each token, on a clock that is handed in."""

import math
from collections import deque

import attrs

MINUTE = 60.0
HOUR = 3600.0


@attrs.frozen
class Limits:
    """How many requests each token may send.

    Attributes:
        per_minute: Requests in any 60 seconds, 250 by default.
        per_hour: Requests in any 3,600 seconds, 5,000 by default.
        scale: How many times faster time passes: both periods are divided by it, 1 by default.
            With any other the times in headers carry fractions.
        count_rejected: Whether a request that is answered with 429 uses up quota; no by default.
    """

    per_minute: int = attrs.field(default=250, validator=attrs.validators.ge(1))
    per_hour: int = attrs.field(default=5000, validator=attrs.validators.ge(1))
    scale: float = attrs.field(default=1.0, validator=attrs.validators.gt(0))
    count_rejected: bool = False


@attrs.frozen
class Verdict:
    """Whether one request passes the limits.

    Attributes:
        allowed: Whether it may pass.
        limit: Requests allowed in an hour.
        remaining: Requests left in the hour; 0 when the minute is spent.
        reset: The time, on the limiter's clock, at which the oldest request counted expires.
        retry_after: Seconds until the minute has room, only when the minute is what is spent.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: float
    retry_after: float | None = None


class _Window:
    """The last ``limit`` requests of one token.

    Whether a window is full depends on nothing older than the request that came ``limit``
    requests ago, so that is all there is to keep.
    """

    __slots__ = ("limit", "period", "times")

    def __init__(self, limit: int, period: float) -> None:
        self.limit = limit
        self.period = period
        self.times: deque[float] = deque(maxlen=limit)

    def expire(self, now: float) -> None:
        times = self.times
        while times and times[0] + self.period <= now:
            times.popleft()

    def is_full(self) -> bool:
        return len(self.times) == self.limit

    def frees_at(self) -> float:
        return self.times[0] + self.period


class Limiter:
    """Counts requests for each token as the API does: each counts for one whole window."""

    def __init__(self, limits: Limits | None) -> None:
        """Start with full quotas.

        Args:
            limits: The limits to enforce; None counts by those of the API and enforces none.
        """
        self._enforced = limits is not None
        self._limits = limits or Limits()
        self._windows: dict[str, tuple[_Window, _Window]] = {}

    @property
    def scaled(self) -> bool:
        """Whether time runs at another pace than real time."""
        return self._limits.scale != 1.0

    def take(self, token: str, now: float) -> Verdict:
        """Count one request, and return whether it may pass.

        Args:
            token: Whose quota.
            now: The time in seconds; it never runs backwards.
        """
        minute, hour = self._of(token)
        minute.expire(now)
        hour.expire(now)
        spent: _Window | None = None
        if self._enforced:
            # When both are full, the one to wait for is the one that has room last.
            full = [window for window in (minute, hour) if window.is_full()]
            spent = max(full, key=_Window.frees_at, default=None)
        retry_after = minute.frees_at() - now if spent is minute else None
        if spent is None or self._limits.count_rejected:
            minute.times.append(now)
            hour.times.append(now)
        return Verdict(
            spent is None,
            hour.limit,
            0 if spent else hour.limit - len(hour.times),
            hour.frees_at(),
            retry_after,
        )

    def spend(self, token: str, requests: int, now: float) -> None:
        """Count requests that other clients of the same token made just now."""
        for window in self._of(token):
            window.expire(now)
            window.times.extend([now] * min(requests, window.limit))

    def _of(self, token: str) -> tuple[_Window, _Window]:
        windows = self._windows.get(token)
        if windows is None:
            limits = self._limits
            windows = self._windows[token] = (
                _Window(limits.per_minute, MINUTE / limits.scale),
                _Window(limits.per_hour, HOUR / limits.scale),
            )
        return windows


def headers_of(verdict: Verdict, epoch: float, *, fractions: bool) -> dict[str, str]:
    """The headers that report a verdict.

    Args:
        verdict: The verdict.
        epoch: The Unix time at which the limiter's clock showed 0.
        fractions: Whether times carry milliseconds; else whole seconds, rounded up.
    """
    headers = {
        "ratelimit-limit": str(verdict.limit),
        "ratelimit-remaining": str(verdict.remaining),
        "ratelimit-reset": _seconds(verdict.reset + epoch, fractions=fractions),
    }
    if verdict.retry_after is not None:
        headers["retry-after"] = _seconds(verdict.retry_after, fractions=fractions)
    return headers


def _seconds(seconds: float, *, fractions: bool) -> str:
    # Rounded up: whoever waits this long must find room.
    return f"{math.ceil(seconds * 1000) / 1000:.3f}" if fractions else str(math.ceil(seconds))
