"""The cost of a run: requests, waits for quota, memory."""

import sys
import time
from pathlib import Path
from typing import Protocol

from aioregistry.errors import RateLimitedError
from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import Limiter, Priority, RateLimit, RateLimitStatus

__all__ = ["CountingLimiter", "peak_memory"]

_NO_LIMIT = RateLimit(windows=((10**9, 1.0),), burst=10**9)
_PROC_STATUS = Path("/proc/self/status")


class _MeasurableLimiter(Limiter, Protocol):
    @property
    def status(self) -> RateLimitStatus: ...

    def seconds_for(self, requests: int) -> float: ...


class CountingLimiter:
    """A limiter that counts the requests that pass through another one.

    Args:
        limit: The quota, for a limiter of this client's own; None means no limit.
        shared: A limiter to use instead, which others share.

    Attributes:
        is_limited: Whether there is a limit.
        sent: Requests sent, each attempt counted.
        rate_limited: How many of them were answered 429.
        waits_when_refused: Whether requests wait for quota, by default, once one was answered 429.
    """

    def __init__(self, limit: RateLimit | None, shared: "_MeasurableLimiter | None" = None) -> None:
        self.is_limited: bool = limit is not None
        self._limiter: _MeasurableLimiter = shared or WindowLimiter(limit or _NO_LIMIT)
        self.sent: int = 0
        self.rate_limited: int = 0
        self.waits_when_refused: bool = True
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
        """Return how long some requests, those in flight first, take at least."""
        return self._limiter.seconds_for(requests)

    async def acquire(self, priority: Priority = "interactive") -> None:
        """Wait until a request may be sent.

        Raises:
            RateLimitedError: One was answered 429, and none is to wait after that; or what the
                other limiter raises.
        """
        if self.rate_limited and not self.waits_when_refused:
            raise RateLimitedError("the API's quota is spent for now")
        if self._waiting == 0:
            self._waiting_since = time.perf_counter()
        self._waiting += 1
        try:
            await self._limiter.acquire(priority)
        finally:
            if self._waiting == 1:
                self._waited = self.waited
            self._waiting -= 1

    def release(self, reported: RateLimitHeaders | None = None, *, sent: bool = True) -> None:
        """Record that a request is over."""
        if sent:
            self.sent += 1
        self.rate_limited += reported is not None and reported.status == 429
        self._limiter.release(reported, sent=sent)


def peak_memory() -> int | None:
    """Return the peak of this process's resident memory in bytes; None if unknown."""
    if _PROC_STATUS.exists():
        # getrusage would begin with what the process had that started this one.
        for line in _PROC_STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
