"""One quota for many processes and machines: a limiter whose windows are in Redis.

It needs the extra ``redis``.
"""

import asyncio
import logging
import math
import secrets
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Self

from attrs import evolve

from aioregistry.errors import ClientClosedError, RateLimitedError
from aioregistry.ratelimit.away import describe, reason, refusal
from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import (
    Priority,
    RateLimit,
    RateLimitStatus,
    WindowStatus,
    part_of,
)
from aioregistry.ratelimit.store import MAX_NAP_SECONDS, QuotaStore, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis.asyncio

__all__ = ["RedisLimiter", "WhenAway"]

WhenAway = Literal["fail_closed", "fail_open"]

logger: logging.Logger = logging.getLogger("aioregistry")

_MAX_BACKOFF_SECONDS = 1.0
_FIRST_BACKOFF_SECONDS = 0.02
# For an answer: while Redis is there, and at first while it is not, where errors come soon.
_MAX_TIMEOUT_SECONDS = 2.0
_FIRST_TIMEOUT_SECONDS = 0.25


class RedisLimiter:
    """Keeps all that share a token and a Redis within the token's quota.

    The windows and the turns of the workers are in Redis, changed by one script in one step, on
    its clock. A permit counts from when it is given until one full window after its request was
    answered; when a worker dies, until one full window after its lease has ended. Workers that wait
    get equal parts, interactive requests of any of them before bulk work of all. Keys contain a
    hash of the token, never the token. A limiter belongs to one event loop.

    While Redis is away (it cannot be reached, or answers with an error that passes by itself),
    ``"fail_closed"`` waits until it is back; ``"fail_open"`` continues after one shortest window
    with `share` of the quota, which is right when no more than ``1 / share`` workers do so. When
    keys are lost, all or one of them, no request is sent for one shortest window, and then a single
    one, whose answer reports the rest of the longer window.

    Example:
        ```python
        import os

        import redis.asyncio

        from aioregistry import RegistryClient
        from aioregistry.redis import RedisLimiter

        token = os.environ["DIGITALOCEAN_TOKEN"]
        async with (
            redis.asyncio.Redis(host="localhost") as server,
            RedisLimiter(server, token) as limiter,
            RegistryClient(token, rate_limit=limiter) as client,
        ):
            ...
        ```

    Args:
        client: A client of Redis, of a cluster, or of a master that Sentinel names; it stays open.
        token: The API token whose quota is shared.
        rate_limit: The quota, the same for all who share it; by default `RateLimit()`. `headroom`
            is left to clients that do not use this Redis.
        when_away: ``"fail_closed"``, the default, or ``"fail_open"``.
        share: The share of the quota that one worker uses while Redis is away, over 0 and at most
            1; by default 0.1.
        lease: Seconds after which a permit that was not given back counts as its worker's last;
            longer than any attempt of a request takes. By default 60.
        prefix: Of the names of the keys; by default ``"aioregistry"``.

    Raises:
        ValueError: An option is outside its range.
    """

    def __init__(
        self,
        client: "redis.asyncio.Redis | redis.asyncio.RedisCluster",
        token: str,
        rate_limit: RateLimit | None = None,
        *,
        when_away: WhenAway = "fail_closed",
        share: float = 0.1,
        lease: float = 60.0,
        prefix: str = "aioregistry",
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"share must be over 0, and at most 1: {share}")
        if lease <= 0:
            raise ValueError(f"lease must be positive: {lease}")
        if when_away not in {"fail_closed", "fail_open"}:
            raise ValueError(f'when_away must be "fail_closed" or "fail_open": {when_away!r}')
        self._rate_limit = rate_limit or RateLimit()
        self._shortest = self._rate_limit.windows[0][1]
        self._store = QuotaStore(client, token, self._rate_limit, lease, prefix)
        self._epoch = ""
        # In order, and quick to leave from the middle.
        self._waiting: dict[Priority, dict[asyncio.Future[None], None]] = {
            "interactive": {},
            "bulk": {},
        }
        # Permits in use, and what became of those that Redis does not know of yet.
        self._permits: deque[str | None] = deque()
        self._over: list[dict[str, object]] = []
        self._worker_task: asyncio.Task[None] | None = None
        self._alarm: asyncio.Event | None = None
        self._closed = False
        self._reported: RateLimitHeaders | None = None
        self._reply: Reply | None = None
        self._opens = when_away == "fail_open"
        self._share = share
        self._alone: WindowLimiter | None = None
        self._alone_at = math.inf
        self._was_alone = False
        self._reached = False
        self._away: Exception | None = None
        self._away_told = False
        self._ask_again_at = -math.inf
        self._backoff = _FIRST_BACKOFF_SECONDS
        self._timeout = _FIRST_TIMEOUT_SECONDS

    async def __aenter__(self) -> Self:
        """Use the limiter as a context, which ends with `close`; nothing is sent."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the limiter; see `close`."""
        await self.close()

    async def acquire(self, priority: Priority = "interactive") -> None:
        """Wait until a request may be sent.

        Args:
            priority: ``"interactive"`` (the default) for requests that somebody waits for,
                ``"bulk"`` for jobs, which are served after them.

        Raises:
            RateLimitedError: The wait was longer than `RateLimit.max_wait`.
            SharedQuotaError: Redis refuses to keep the quota, and waiting cannot help.
            ClientClosedError: The limiter is closed.
        """
        if self._closed:
            raise ClientClosedError("the limiter is closed")
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[priority][waiter] = None
        self._work()
        max_wait = self._rate_limit.max_wait_of(priority)
        try:
            async with asyncio.timeout(max_wait):
                await waiter
        except TimeoutError:
            self._return_if_given(waiter)
            why = f": Redis is away ({describe(self._away)})" if self._away else ""
            raise RateLimitedError(
                f"no quota within the {max_wait:g} s of max_wait{why}"
            ) from self._away
        except asyncio.CancelledError:
            self._return_if_given(waiter)
            raise
        finally:
            self._waiting[priority].pop(waiter, None)

    def release(self, reported: RateLimitHeaders | None = None, *, sent: bool = True) -> None:
        """Give a permit back, when its request is over.

        Args:
            reported: The rate-limit headers of the answer; None, the default, without an answer.
            sent: Whether the request was sent; by default True.
        """
        permit = self._permits.popleft()
        if reported is not None:
            self._reported = reported
        if permit is None and self._alone is not None:
            self._alone.release(reported, sent=sent)
        self._over.append(
            {
                # What went while Redis was away counts there from now on.
                "permit": permit or f"alone:{self._store.worker}:{secrets.token_hex(8)}",
                "sent": sent,
                **({} if reported is None else _fields(reported)),
            }
        )
        self._work()

    @property
    def status(self) -> RateLimitStatus:
        """The quota as Redis had it last; `used` counts all who share it, `away` says why not."""
        seen = [(0, 0, limit, 0) for limit, _ in self._rate_limit.windows]
        next_free = 0.0
        if self._reply is not None:
            seen, next_free = self._reply.windows, self._reply.next_free
        windows = tuple(
            WindowStatus(limit, period, *each)
            for (limit, period), each in zip(self._rate_limit.windows, seen, strict=True)
        )
        waiting = sum(map(len, self._waiting.values()))
        away = None if self._away is None else describe(self._away)
        return RateLimitStatus(windows, waiting, next_free, self._reported, away)

    def seconds_for(self, requests: int) -> float:
        """Return how many seconds some bulk requests take at least, if nobody else sends any.

        Args:
            requests: How many.
        """
        return max(
            math.ceil(max(0, requests - max(0, window.free - window.reserved)) / window.limit)
            * window.period
            for window in self.status.windows
        )

    async def close(self) -> None:
        """Give back what is over, and turn away everyone who waits; takes two seconds at most."""
        self._closed = True
        self._turn_away(ClientClosedError("closed while waiting for quota"))
        if self._worker_task is not None:
            # What was asked for may be given: that must be given back, too.
            self._work()
            await asyncio.wait([self._worker_task])

    def _return_if_given(self, waiter: "asyncio.Future[None]") -> None:
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            self.release(sent=False)

    def _work(self) -> None:
        if self._worker_task is None or self._worker_task.done():
            loop = asyncio.get_running_loop()
            self._worker_task = loop.create_task(self._run(), name="aioregistry-redis-limiter")
            self._worker_task.add_done_callback(self._worker_ended)
        if self._alarm is not None:
            self._alarm.set()

    def _worker_ended(self, worker: asyncio.Task[None]) -> None:
        if worker.cancelled() and not self._closed and self._count():
            # All tasks were cancelled, and one of them sends something while it ends.
            self._work()

    def _waiters(self) -> "Iterator[asyncio.Future[None]]":
        """Yield those who wait, in the order of their turns; each that is yielded is taken."""
        for waiters in self._waiting.values():
            while waiters:
                waiter = next(iter(waiters))
                del waiters[waiter]
                if not waiter.done():
                    yield waiter

    def _count(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._count() or self._over:
            self._alarm = asyncio.Event()
            if loop.time() < self._ask_again_at and not self._closed:
                self._serve_alone()
                await self._nap(self._ask_again_at - loop.time())
                continue
            try:
                reply = await self._ask(self._count())
            except Exception as error:  # noqa: BLE001, no error of Redis reaches a caller
                refused = self._store.refused(error, reached=self._reached)
                if refused is not None:
                    self._turn_away(refusal(refused))
                    return
                if self._closed:
                    # The leases of what it does not know of will end by themselves.
                    return
                self._go_away(error)
                continue
            self._come_back()
            self._grant(reply)
            if self._count() and reply.wait > 0:
                await self._nap(min(reply.wait, MAX_NAP_SECONDS))

    async def _ask(self, want: int) -> Reply:
        over, self._over = self._over, []
        try:
            return await self._store.ask(
                self._timeout,
                epoch=self._epoch,
                want=want,
                urgent=len(self._waiting["interactive"]) if want else 0,
                was_alone=self._was_alone,
                over=over,
            )
        except BaseException:
            # Reported again: if Redis has heard it already, it hears it as a later answer.
            self._over = over + self._over
            raise

    def _grant(self, reply: Reply) -> None:
        self._epoch, self._reply = reply.epoch, reply
        self._was_alone = False
        waiters = self._waiters()
        for number in range(reply.first, reply.first + reply.granted):
            self._permits.append(f"permit:{number}")
            waiter = next(waiters, None)
            if waiter is None:
                self.release(sent=False)
            else:
                waiter.set_result(None)

    async def _nap(self, seconds: float) -> None:
        alarm = self._alarm
        if alarm is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await alarm.wait()

    def _turn_away(self, error: Exception) -> None:
        for waiter in self._waiters():
            waiter.set_exception(error)

    # What follows is for the time when Redis is away.

    def _go_away(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        only_slow = reason(error) is error and isinstance(error, TimeoutError)
        error = reason(error)
        if self._away is None:
            # All may have sent all that a window allows: let that pass first.
            self._alone_at = now + self._shortest
        # One that was asked for a moment only may be slow, and so may this process.
        if not self._away_told and (not only_slow or self._timeout == _MAX_TIMEOUT_SECONDS):
            self._away_told = True
            then = "requests wait for it"
            if self._opens:
                then = (
                    f"after {self._shortest:g} s, {self._share:.0%} of the quota is used without it"
                )
            logger.warning("Redis, with the shared quota, is away: %s; %s", describe(error), then)
        self._away = error
        slower = min(2 * self._timeout, _MAX_TIMEOUT_SECONDS)
        self._timeout = slower if only_slow else _FIRST_TIMEOUT_SECONDS
        self._ask_again_at = now + self._backoff
        self._backoff = min(2 * self._backoff, _MAX_BACKOFF_SECONDS)

    def _come_back(self) -> None:
        if self._away_told:
            self._away_told = False
            logger.warning("Redis, with the shared quota, is back")
        self._reached, self._away, self._alone = True, None, None
        self._ask_again_at, self._backoff = -math.inf, _FIRST_BACKOFF_SECONDS
        self._timeout = _MAX_TIMEOUT_SECONDS

    def _serve_alone(self) -> None:
        if not self._opens or asyncio.get_running_loop().time() < self._alone_at:
            return
        if self._alone is None:
            limit = self._rate_limit
            windows = tuple(
                (max(1, part_of(most, self._share)), period) for most, period in limit.windows
            )
            burst = max(1.0, limit.burst * self._share)
            self._alone = WindowLimiter(evolve(limit, windows=windows, burst=burst))
        self._was_alone = True
        for priority, waiters in self._waiting.items():
            while waiters and self._alone.acquire_at_once(priority):
                waiter = next(self._waiters(), None)
                if waiter is None:
                    self._alone.release(sent=False)
                else:
                    self._permits.append(None)
                    waiter.set_result(None)


def _fields(reported: RateLimitHeaders) -> dict[str, object]:
    fields = {
        "status": reported.status,
        "limit": reported.limit,
        "remaining": reported.remaining,
        "retry_after": reported.retry_after,
        "reset_after": reported.reset_after,
        "took": reported.took,
    }
    return {key: value for key, value in fields.items() if value is not None}
