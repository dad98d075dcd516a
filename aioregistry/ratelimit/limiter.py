"""The limiter: who may send, when. The one place that knows aiolimiter."""

import asyncio
import math
from collections import OrderedDict

from aiolimiter import AsyncLimiter

from aioregistry.errors import ClientClosedError, RateLimitedError
from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.ratelimit.limits import Priority, RateLimit, RateLimitStatus, WindowStatus
from aioregistry.ratelimit.reserve import Reserve
from aioregistry.ratelimit.windows import RollingWindow, seconds_for

__all__ = ["WindowLimiter"]

_DEFAULT_CLOSURE_SECONDS = 1.0
# In shortest periods. A job at the limit hears of others about once in a period: not hearing of
# them for so long, and then some, means that they are gone.
_OTHERS_TIMEOUT_PERIODS = 1.25


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
        others_timeout = _OTHERS_TIMEOUT_PERIODS * self._rate_limit.windows[0][1]
        self._windows = [
            RollingWindow(limit, period, self._rate_limit.share_of(limit), others_timeout)
            for limit, period in self._rate_limit.windows
        ]
        self._reserve = Reserve(self._rate_limit)
        self._bulk_granted_at = -math.inf
        self._bucket = AsyncLimiter(self._rate_limit.burst, 1.0)
        # In order, and quick to leave from the middle.
        self._waiting: dict[Priority, OrderedDict[asyncio.Future[None], None]] = {
            "interactive": OrderedDict(),
            "bulk": OrderedDict(),
        }
        self._closed = False
        self._closed_until = 0.0
        self._others_at_least: int | None = None
        self._others_known = False
        self._reported: RateLimitHeaders | None = None
        self._dispatcher: asyncio.Task[None] | None = None
        self._alarm: asyncio.Future[None] | None = None

    def acquire_at_once(self, priority: Priority = "interactive") -> bool:
        """Take a permit if there is one now that nobody waits for, and return whether it was.

        Args:
            priority: Of the request; by default ``"interactive"``.
        """
        dispatcher = self._dispatcher
        if dispatcher is not None and not dispatcher.done():
            return False
        now = asyncio.get_running_loop().time()
        if self._closed or not self._is_open(now):
            return False
        if self._reserve.active and priority == "bulk" and not self._is_open_for_bulk(now):
            return False
        # To ask whether the bucket has capacity would cost as much again.
        pouring = self._bucket.acquire()
        try:
            waiter = pouring.send(None)
        except StopIteration:
            # With capacity it has nothing to wait for, and is over with its first step.
            self._take(priority, now)
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
        now = asyncio.get_running_loop().time()
        rejected = reported is not None and reported.status == 429
        for window in self._windows:
            # Should the server count what it rejects, it shows as a request of others.
            window.give_back(now, sent=sent and not rejected)
        if reported is not None:
            self._reported = reported
            if rejected:
                self._close(reported, now)
            else:
                if now >= self._closed_until:
                    for window in self._windows:
                        window.probing = False
                self._count_others(reported, now)
        if self._windows[-1].in_flight == 0:
            self._settle_others()
        if self._alarm is not None:
            self._wake()

    @property
    def status(self) -> RateLimitStatus:
        """The quota now."""
        now = asyncio.get_running_loop().time()
        waiting = sum(len(waiters) for waiters in self._waiting.values())
        return RateLimitStatus(
            tuple(
                WindowStatus(
                    window.limit,
                    window.period,
                    window.used(now),
                    window.used_by_others(now),
                    max(0, window.free(now)),
                    held,
                )
                for window, held in zip(self._windows, self._reserve.held(now), strict=True)
            ),
            waiting,
            max(0.0, self._foreseen_at(now, waiting) - now),
            self._reported,
        )

    def seconds_for(self, requests: int) -> float:
        """Return how many seconds some requests of bulk work take at least, by the quota.

        Those in flight are the first of them. What others will send cannot be known: they are
        thought to keep what they have.

        Args:
            requests: How many.
        """
        now = asyncio.get_running_loop().time()
        further = requests - self._windows[-1].in_flight
        if further <= 0:
            return 0.0
        held = self._reserve.held(now)
        at_least = seconds_for(further, self._windows, self._rate_limit.burst, now, held)
        return max(at_least, self._closed_until - now)

    def close(self) -> None:
        """Turn away everyone who waits, with `ClientClosedError`."""
        self._closed = True
        if self._dispatcher is not None:
            self._dispatcher.cancel()
        self._turn_away(ClientClosedError("closed while waiting for quota"))

    # What follows decides.

    @property
    def _idle(self) -> bool:
        return self._dispatcher is None or self._dispatcher.done()

    def _is_open(self, now: float) -> bool:
        if self._closed_until > now:
            return False
        for window in self._windows:  # noqa: SIM110, a generator costs half of all this
            if not window.roomy and window.free(now) <= 0:
                return False
        return True

    def _is_open_for_bulk(self, now: float) -> bool:
        held = self._reserve.held(now)
        return all(
            window.free(now) > left for window, left in zip(self._windows, held, strict=True)
        )

    def _held_from(self, priority: Priority, now: float) -> list[int]:
        if priority == "bulk" and self._reserve.active:
            return self._reserve.held(now)
        return [0] * len(self._windows)

    def _opens_at(self, priority: Priority, now: float) -> float:
        """Return when the next request of a priority may be sent, should no answer come any more.

        An answer wakes the dispatcher: this is the timer for when none does.
        """
        held = self._held_from(priority, now)
        at = max(
            window.opens_at(now, left) for window, left in zip(self._windows, held, strict=True)
        )
        if at > now and any(held):
            # What is held may become less before anything comes back.
            at = min(at, now + self._rate_limit.windows[0][1])
        return max(at, self._closed_until)

    def _foreseen_at(self, now: float, ahead: int, priority: Priority = "interactive") -> float:
        """Return when a request may be sent at the earliest, should all answers come soon."""
        held = self._held_from(priority, now)
        at = max(
            window.free_at(now, ahead + left)
            for window, left in zip(self._windows, held, strict=True)
        )
        return max(at, self._closed_until)

    def _take(self, priority: Priority, now: float) -> None:
        for window in self._windows:
            window.take(now)
        if priority == "bulk":
            self._bulk_granted_at = now
        else:
            lately = now < self._bulk_granted_at + self._rate_limit.windows[0][1]
            self._reserve.count(now, beside_bulk=lately or bool(self._waiting["bulk"]))

    def _close(self, reported: RateLimitHeaders, now: float) -> None:
        """Close the gate for all at once after a 429, and count those who used what we did not.

        With `retry-after` the shortest window is meant that it fits in, else the longest.
        """
        asked = reported.retry_after
        fitting = [each for each in self._windows if asked is not None and asked <= each.period]
        window = fitting[0] if fitting else self._windows[-1]
        delay = reported.reset_after if asked is None else asked
        # No quota is ever further away than its period: a wilder report is not believed.
        delay = min(_DEFAULT_CLOSURE_SECONDS if delay is None else delay, window.period)
        known = window.used_by_others(now)
        unknown = window.limit - window.used(now) - known
        if known and now >= self._closed_until:
            # Others were allowed for, and went on.
            window.observe_others(unknown, now)
        else:
            window.add_others(unknown, now + delay, now + window.period)
        window.probing = True
        self._closed_until = max(self._closed_until, now + delay)

    def _count_others(self, reported: RateLimitHeaders, now: float) -> None:
        """Take from `remaining` how much of the longest window others have used.

        The server may have counted all that was in flight, or none of it. If all, then others
        have used what is left over: so they have used that much at least.
        """
        window = self._windows[-1]
        if reported.remaining is None or (
            reported.limit is not None and reported.limit != window.limit
        ):
            return
        surely = window.limit - reported.remaining - window.used_since(now - reported.took, now)
        self._others_at_least = max(self._others_at_least or 0, surely)
        new = surely - window.used_by_others(now) if surely > 0 else 0
        if new > 0 and self._others_known:
            for each in self._windows:
                each.observe_others(new, now)
        elif new > 0:
            # They were there before us, and leave between when the first expires and then.
            reset = min(reported.reset_after or 0.0, window.period)
            window.add_others(new, now + reset, now + window.period)

    def _settle_others(self) -> None:
        """Take the highest count since the last time for the true one: nothing is in flight."""
        if self._others_at_least is not None:
            self._windows[-1].cap_others(self._others_at_least)
            self._others_at_least = None
            self._others_known = True

    def _refuse_if_later(self, now: float, latest: float, priority: Priority) -> None:
        ahead = len(self._waiting["interactive"])
        if priority == "bulk":
            ahead += len(self._waiting["bulk"])
        at = self._foreseen_at(now, ahead, priority)
        if latest < at < math.inf:
            error = RateLimitedError(
                f"no quota for another {at - now:.1f} s, and max_wait is {latest - now:g} s"
            )
            error.retry_after = at - now
            raise error

    # What follows waits.

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
            opens_at = self._opens_at(priority, now)
            if opens_at > now:
                await self._sleep_until(opens_at)
            elif not through_bucket:
                await self._bucket.acquire()
                through_bucket = True
            else:
                self._take(priority, now)
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
