"""A limiter that fails whoever waits for a permit while it has one: with one left, both wait."""

from contextvars import ContextVar

from aioregistry import RateLimit, RateLimitHeaders, WindowLimiter
from aioregistry.ratelimit.limits import Priority

__all__ = ["OnePermitLimiter"]


class OnePermitLimiter:
    """Passes all on to a limiter, and fails an `acquire` within the use of another permit.

    Within means: in the task that has the permit, or in one that it started meanwhile.

    Args:
        rate_limit: The quota.

    Attributes:
        most: How many permits were out at once.
    """

    def __init__(self, rate_limit: RateLimit | None = None) -> None:
        self._limiter = WindowLimiter(rate_limit)
        # Tasks start with a copy of their starter's context, and so with its permit.
        self._held: ContextVar[list[bool] | None] = ContextVar("held", default=None)
        self._out = 0
        self.most = 0

    @property
    def status(self):
        return self._limiter.status

    async def acquire(self, priority: Priority = "interactive") -> None:
        permit = self._held.get()
        assert not (permit and permit[0]), "waits for a permit while it has one"
        await self._limiter.acquire(priority)
        self._held.set([True])
        self._out += 1
        self.most = max(self.most, self._out)

    def release(self, reported: RateLimitHeaders | None = None, *, sent: bool = True) -> None:
        self._out -= 1
        permit = self._held.get()
        if permit is not None:
            # All who have a copy of the context know that it is given back.
            permit[0] = False
        self._limiter.release(reported, sent=sent)

    def close(self) -> None:
        self._limiter.close()
