"""The limiter: who may send, when. The one place that knows aiolimiter."""

import asyncio
import math
from collections import OrderedDict
from typing import Any

from aiolimiter import AsyncLimiter

from aioregistry.errors import ClientClosedError, RateLimitedError
from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.ratelimit.limits import Priority, RateLimit, RateLimitStatus
from aioregistry.ratelimit.quota import Quota

__all__ = ["WindowLimiter"]


class WindowLimiter:
    """Keeps one process within the quota, and uses all of it.

    It mirrors the server's windows, believes its rate-limit headers, and shapes bursts. Waiters are
    served in order, all interactive ones before any bulk one. Bulk work leaves a reserve of each
    window to interactive requests (`RateLimit.reserve`). One task does the waiting for all of them,
    and only while there are any. A limiter belongs to one event loop.

    Example:
        ```python
        from aioregistry import RateLimit, RegistryClient, WindowLimiter

        # Two clients with the same token keep to one quota.
        limiter = WindowLimiter(RateLimit(headroom=0.1))
        one = RegistryClient(rate_limit=limiter)
        other = RegistryClient(rate_limit=limiter)
        ```

    Args:
        rate_limit: The quota; by default `RateLimit()`, the API's limits.
    """

    def __init__(self, rate_limit: RateLimit | None = None) -> None:
        self._rate_limit = rate_limit or RateLimit()
        self._quota = Quota(self._rate_limit)
        self._bucket = AsyncLimiter(self._rate_limit.burst, 1.0)
        # In order, and quick to leave from the middle.
        self._waiting: dict[Priority, OrderedDict[asyncio.Future[None], None]] = {
            "interactive": OrderedDict(),
            "bulk": OrderedDict(),
        }
        self._closed = False
        self._dispatcher: asyncio.Task[None] | None = None
        self._alarm: asyncio.Future[None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # A bucket counts by what Python pickles no more from 3.14 on.
        return {name: value for name, value in vars(self).items() if name != "_bucket"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._bucket = AsyncLimiter(self._rate_limit.burst, 1.0)

    def acquire_at_once(self, priority: Priority = "interactive") -> bool:
        """Take a permit if there is one now that nobody waits for, and return whether it was.

        Args:
            priority: Of the request; by default ``"interactive"``.
        """
        dispatcher = self._dispatcher
        if dispatcher is not None and not dispatcher.done():
            return False
        now = asyncio.get_running_loop().time()
        quota = self._quota
        if self._closed or not quota.is_open(now):
            return False
        if quota.reserve.active and priority == "bulk" and not quota.is_open_for_bulk(now):
            return False
        # To ask whether the bucket has capacity would cost as much again.
        pouring = self._bucket.acquire()
        try:
            waiter = pouring.send(None)
        except StopIteration:
            # With capacity it has nothing to wait for, and is over with its first step.
            quota.take(priority, now, bulk_waits=bool(self._waiting["bulk"]))
            return True
        pouring.close()
        waiter.cancel()
        return False

    async def acquire(self, priority: Priority = "interactive") -> None:
        """Wait until a request may be sent.

        Args:
            priority: ``"interactive"`` (the default) for requests that somebody waits for,
                ``"bulk"`` for jobs, which are served after them.

        Raises:
            RateLimitedError: The wait would be, or was, longer than `RateLimit.max_wait`.
            ClientClosedError: The limiter is closed.
        """
        if self.acquire_at_once(priority):
            return
        if self._closed:
            raise ClientClosedError("the client is closed")
        loop = asyncio.get_running_loop()
        now = loop.time()
        max_wait = self._rate_limit.max_wait_of(priority)
        if max_wait is not None:
            self._refuse_if_later(now, now + max_wait, priority)
        waiter = loop.create_future()
        self._waiting[priority][waiter] = None
        if self._idle:
            self._start_dispatcher()
        elif priority == "interactive":
            # The dispatcher may be waiting for what bulk work may have.
            self._wake()
        alarm = (
            None
            if max_wait is None
            else loop.call_later(max_wait, _fail, waiter, _waited_too_long(max_wait))
        )
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(sent=False)
            raise
        finally:
            self._waiting[priority].pop(waiter, None)
            if alarm is not None:
                alarm.cancel()
            # Whoever gave up may have been the last that the dispatcher waits for.
            self._wake()

    def release(self, reported: RateLimitHeaders | None = None, *, sent: bool = True) -> None:
        """Give a permit back, when its request is over.

        Args:
            reported: The rate-limit headers of the answer; None, the default, without an answer.
            sent: Whether the request was sent; by default True.
        """
        self._quota.give_back(reported, asyncio.get_running_loop().time(), sent=sent)
        if self._alarm is not None:
            self._wake()

    @property
    def status(self) -> RateLimitStatus:
        """The quota now."""
        now = asyncio.get_running_loop().time()
        waiting = sum(len(waiters) for waiters in self._waiting.values())
        return RateLimitStatus(
            self._quota.window_statuses(now),
            waiting,
            max(0.0, self._quota.foreseen_at(now, waiting) - now),
            self._quota.reported,
        )

    def seconds_for(self, requests: int) -> float:
        """Return how many seconds some requests of bulk work take at least, by the quota.

        Those in flight are the first of them. What others will send cannot be known: they are
        thought to keep what they have.

        Args:
            requests: How many.
        """
        return self._quota.seconds_for(requests, asyncio.get_running_loop().time())

    def close(self) -> None:
        """Turn away everyone who waits, with `ClientClosedError`."""
        self._closed = True
        if self._dispatcher is not None:
            self._dispatcher.cancel()
        self._turn_away(ClientClosedError("closed while waiting for quota"))

    @property
    def _idle(self) -> bool:
        return self._dispatcher is None or self._dispatcher.done()

    def _refuse_if_later(self, now: float, latest: float, priority: Priority) -> None:
        ahead = len(self._waiting["interactive"])
        if priority == "bulk":
            ahead += len(self._waiting["bulk"])
        at = self._quota.foreseen_at(now, ahead, priority)
        if latest < at < math.inf:
            error = RateLimitedError(
                f"no quota for another {at - now:.1f} s, and max_wait is {latest - now:g} s"
            )
            error.retry_after = at - now
            raise error

    def _next_priority(self) -> Priority | None:
        for priority, waiters in self._waiting.items():
            while waiters:
                waiter = next(iter(waiters))
                if not waiter.done():
                    return priority
                del waiters[waiter]
        return None

    async def _dispatch(self) -> None:
        loop = asyncio.get_running_loop()
        through_bucket = False
        while (priority := self._next_priority()) is not None:
            now = loop.time()
            opens_at = self._quota.opens_at(priority, now)
            if opens_at > now:
                await self._sleep_until(opens_at)
            elif not through_bucket:
                await self._bucket.acquire()
                through_bucket = True
            else:
                self._quota.take(priority, now, bulk_waits=bool(self._waiting["bulk"]))
                next(iter(self._waiting[priority])).set_result(None)
                through_bucket = False

    def _start_dispatcher(self) -> None:
        loop = asyncio.get_running_loop()
        self._dispatcher = loop.create_task(self._dispatch(), name="aioregistry-limiter")
        self._dispatcher.add_done_callback(self._dispatched)

    def _dispatched(self, dispatcher: asyncio.Task[None]) -> None:
        # Should it ever fail, nobody is to wait for it for ever.
        if not dispatcher.cancelled():
            if error := dispatcher.exception():
                self._turn_away(error)
        elif self._idle and not self._closed and self._next_priority() is not None:
            # All tasks were cancelled, and one of them sends something while it ends. It may have
            # started the next one by now: two would wait on one alarm.
            self._start_dispatcher()

    def _turn_away(self, error: BaseException) -> None:
        for waiters in self._waiting.values():
            while waiters:
                waiter, _ = waiters.popitem(last=False)
                _fail(waiter, error)

    async def _sleep_until(self, at: float) -> None:
        loop = asyncio.get_running_loop()
        self._alarm = loop.create_future()
        timer = None if at == math.inf else loop.call_at(at, self._wake)
        try:
            await self._alarm
        finally:
            self._alarm = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._alarm is not None and not self._alarm.done():
            self._alarm.set_result(None)


def _fail(waiter: asyncio.Future[None], error: BaseException) -> None:
    if not waiter.done():
        waiter.set_exception(error)


def _waited_too_long(max_wait: float) -> RateLimitedError:
    return RateLimitedError(f"no quota within the {max_wait:g} s of max_wait")
