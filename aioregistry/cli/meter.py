"""What a run costs: requests, waits for quota, memory."""

import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from aioregistry.quota import ServerWord
from aioregistry.ratelimit import Priority, RateLimit, RateLimitStatus, WindowLimiter

__all__ = ["Meter", "peak_memory", "quota_seconds"]

_PROC_STATUS = Path("/proc/self/status")


class Meter:
    """The client's own limiter, with a count of all that passes.

    Attributes:
        sent: Requests sent, each attempt counted.
        rate_limited: How many of them were answered 429.
    """

    def __init__(self, rate_limit: RateLimit) -> None:
        self._limiter = WindowLimiter(rate_limit)
        self._windows = rate_limit.windows
        # When the requests that may still count were answered.
        self._answered: deque[float] = deque(maxlen=max(limit for limit, _ in rate_limit.windows))
        self.sent = 0
        self.rate_limited = 0
        self._waited = 0.0
        self._waiting = 0
        self._waiting_since = 0.0

    @property
    def status(self) -> RateLimitStatus:
        """The quota now."""
        return self._limiter.status

    @property
    def waited(self) -> float:
        """Seconds until now during which any request waited for quota."""
        waiting = time.perf_counter() - self._waiting_since if self._waiting else 0.0
        return self._waited + waiting

    def seconds_for(self, requests: int) -> float:
        """Return how long some further requests take at least, by the quota."""
        now = time.perf_counter()
        ages = [now - at for at in self._answered]
        return quota_seconds(
            requests,
            [
                (limit, period, [age for age in ages if age < period])
                for limit, period in reversed(self._windows)
            ],
        )

    async def acquire(self, priority: Priority = "interactive") -> None:
        """Wait until a request may go."""
        if self._waiting == 0:
            self._waiting_since = time.perf_counter()
        self._waiting += 1
        try:
            await self._limiter.acquire(priority)
        finally:
            if self._waiting == 1:
                self._waited = self.waited
            self._waiting -= 1

    def release(self, word: ServerWord | None = None, *, sent: bool = True) -> None:
        """Tell that a request is over."""
        if sent:
            self.sent += 1
            self._answered.append(time.perf_counter())
        self.rate_limited += word is not None and word.status == 429
        self._limiter.release(word, sent=sent)


def quota_seconds(requests: int, windows: Sequence[tuple[int, float, Sequence[float]]]) -> float:
    """Return how long rolling windows make some requests take at least.

    Args:
        requests: How many.
        windows: The longest first, each its limit, its period, and how long ago each request that
            is in it was answered, the oldest first; all times in seconds.
    """
    if requests <= 0 or not windows:
        return 0.0
    (limit, period, ages), *shorter = windows
    rounds, last = divmod(requests - 1, limit)
    # The last request goes at once, or when the permit of one that was answered comes back.
    waits_for = last - (limit - len(ages))
    wait = period - ages[waits_for] if waits_for >= 0 else 0.0
    return rounds * period + max(wait, quota_seconds(last + 1, shorter))


def peak_memory() -> int | None:
    """Return the most memory that this process has had resident, in bytes; None if unknown."""
    if _PROC_STATUS.exists():
        # getrusage would begin with what the process had that started this one.
        for line in _PROC_STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource  # noqa: PLC0415  (not on Windows)
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
