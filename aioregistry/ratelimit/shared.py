"""One quota for many processes and machines: a limiter whose windows are in Redis.

It needs the extra ``redis``.
"""

import asyncio
import hashlib
import math
import secrets
from collections import deque
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import redis.asyncio
import redis.exceptions
from attrs import frozen

from aioregistry.errors import ClientClosedError, RateLimitedError
from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import Priority, RateLimit, RateLimitStatus, WindowStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RedisLimiter", "WhenAway"]

WhenAway = Literal["fail_closed", "fail_open"]

_SCRIPT = (files("aioregistry.ratelimit") / "shared.lua").read_text(encoding="utf-8")
_KEYS = ("flight", "past", "state", "served", "waiting", "urgent", "workers")
# In shortest periods: how late someone who waits may be, how long others may leave their part
# lying, and how often is looked for what only answers can tell.
_STALE_PERIODS = 0.05
_PATIENCE_PERIODS = 0.02
_POLL_PERIODS = 0.001
_MAX_NAP_SECONDS = 1.0
_TIMEOUT_SECONDS = 1.0
_MAX_BACKOFF_SECONDS = 1.0
_FIRST_BACKOFF_SECONDS = 0.02
_AWAY = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError)


@frozen
class _Reply:
    epoch: str
    first: int
    granted: int
    wait: float
    windows: list[tuple[int, int, int]]


class RedisLimiter:
    """A `Limiter` that shares a token's quota with all that use the same Redis.

    The windows and the turns of the workers are in Redis, changed by one script in one step, on
    its clock. A permit counts from when it is given until one window after
    its request was answered; when a worker dies, until one window after its lease has ended.
    Workers that wait get equal parts, `interactive` requests of any before `bulk` work of all. Keys
    hold a hash of the token, never the token. A limiter belongs to one event loop.

    Redis may be away: ``"fail_closed"`` waits until it is back; ``"fail_open"`` goes on after one
    shortest window with `share` of the quota, which is right when no more than ``1 / share``
    workers do so. When its data are lost, nothing goes for one shortest window, and then one
    request alone, whose answer tells what is left of the longer one.

    Args:
        client: A client of Redis; it stays open.
        token: The API token whose quota this is.
        rate_limit: The quota; the same for all who share it. `headroom` is left to other clients.
        when_away: What to do while Redis is away.
        share: The part of the quota that one worker takes while Redis is away.
        lease: Seconds after which a permit that was not given back counts as its worker's last;
            longer than any attempt of a request takes.
        prefix: What the keys begin with.
    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
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
        limits = self._rate_limit
        self._windows = [
            {
                "limit": limit,
                "period": period,
                "share": max(1, math.floor(limit * (1 - limits.headroom))),
            }
            for limit, period in limits.windows
        ]
        self._shortest = limits.windows[0][1]
        digest = hashlib.sha256(token.encode()).hexdigest()[:32]
        # In braces: a cluster keeps them together.
        base = f"{{{prefix}:{digest}}}"
        names = [*_KEYS, *(f"others{nth}" for nth in range(len(self._windows)))]
        self._keys = [f"{base}:{name}" for name in names]
        self._script = client.register_script(_SCRIPT)
        self._lease = lease
        self._worker = secrets.token_hex(8)
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
        self._reply: _Reply | None = None
        self._opens = when_away == "fail_open"
        self._share = share
        self._alone: WindowLimiter | None = None
        self._alone_at = math.inf
        self._was_alone = False

    async def acquire(self, priority: Priority = "interactive") -> None:
        """Wait until a request may go; see `Limiter.acquire`.

        Raises:
            RateLimitedError: It would have to wait longer than `RateLimit.max_wait`.
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
            raise RateLimitedError(f"no quota within the {max_wait:g} s of max_wait") from None
        except asyncio.CancelledError:
            self._return_if_given(waiter)
            raise
        finally:
            self._waiting[priority].pop(waiter, None)

    def release(self, reported: RateLimitHeaders | None = None, *, sent: bool = True) -> None:
        """Tell that a request is over; see `Limiter.release`."""
        permit = self._permits.popleft()
        if reported is not None:
            self._reported = reported
        if permit is None and self._alone is not None:
            self._alone.release(reported, sent=sent)
        self._over.append(
            {
                # What went while Redis was away counts there from now on.
                "permit": permit or f"alone:{self._worker}:{secrets.token_hex(8)}",
                "sent": sent,
                **({} if reported is None else _told(reported)),
            }
        )
        self._work()

    @property
    def status(self) -> RateLimitStatus:
        """The quota as Redis told it last; `used` counts all who share it."""
        told = [(0, 0, limit) for limit, _ in self._rate_limit.windows]
        next_free = 0.0
        if self._reply is not None:
            told, next_free = self._reply.windows, self._reply.wait
        windows = tuple(
            WindowStatus(limit, period, used, others, free)
            for (limit, period), (used, others, free) in zip(
                self._rate_limit.windows, told, strict=True
            )
        )
        waiting = sum(map(len, self._waiting.values()))
        return RateLimitStatus(windows, waiting, next_free, self._reported)

    def seconds_for(self, requests: int) -> float:
        """Return how many seconds some requests take at least, if nobody else sends any."""
        return max(
            math.ceil(max(0, requests - window.free) / window.limit) * window.period
            for window in self.status.windows
        )

    async def close(self) -> None:
        """Tell Redis what is over, and turn away everyone who waits."""
        self._closed = True
        self._turn_away(ClientClosedError("closed while waiting for quota"))
        if self._worker_task is not None:
            # What was asked for may be given: that must be told, too.
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
        backoff = _FIRST_BACKOFF_SECONDS
        while (want := self._count()) or self._over:
            self._alarm = asyncio.Event()
            try:
                reply = await self._ask(want)
            except _AWAY:
                if self._closed:
                    # The leases of what it does not know of will end by themselves.
                    return
                self._go_on_alone()
                await self._nap(backoff)
                backoff = min(2 * backoff, _MAX_BACKOFF_SECONDS)
                continue
            except Exception as error:  # noqa: BLE001, whoever waits must hear of it
                self._turn_away(error)
                return
            backoff = _FIRST_BACKOFF_SECONDS
            self._come_back()
            self._grant(reply)
            if self._count() and reply.wait > 0:
                await self._nap(min(reply.wait, _MAX_NAP_SECONDS))

    async def _ask(self, want: int) -> _Reply:
        over, self._over = self._over, []
        asked = {
            "worker": self._worker,
            "epoch": self._epoch,
            "lease": self._lease,
            "burst": self._rate_limit.burst,
            "want": want,
            "urgent": len(self._waiting["interactive"]) if want else 0,
            "was_alone": self._was_alone,
            "windows": self._windows,
            "over": over,
            "stale": _STALE_PERIODS * self._shortest,
            "nap": _MAX_NAP_SECONDS,
            "patience": _PATIENCE_PERIODS * self._shortest,
            "poll": _POLL_PERIODS * self._shortest,
        }
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                # Longer than this a client tries by itself to reach a server that is away.
                raw: Any = await self._script(keys=self._keys, args=[msgspec.json.encode(asked)])
        except BaseException:
            # Told again: what Redis has heard already, it hears as a later answer.
            self._over = over + self._over
            raise
        return msgspec.json.decode(raw, type=_Reply)

    def _grant(self, reply: _Reply) -> None:
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

    def _go_on_alone(self) -> None:
        if not self._opens:
            return
        now = asyncio.get_running_loop().time()
        if self._alone is None:
            # All may have sent all that a window holds: let that pass first.
            self._alone_at = now + self._shortest
            windows = tuple(
                (max(1, math.floor(limit * self._share)), period)
                for limit, period in self._rate_limit.windows
            )
            burst = max(1.0, self._rate_limit.burst * self._share)
            self._alone = WindowLimiter(RateLimit(windows=windows, burst=burst))
        if now < self._alone_at:
            return
        self._was_alone = True
        while self._count() and self._alone.acquire_at_once():
            self._permits.append(None)
            next(self._waiters()).set_result(None)

    def _come_back(self) -> None:
        self._alone = None


def _told(reported: RateLimitHeaders) -> dict[str, object]:
    said = {
        "status": reported.status,
        "limit": reported.limit,
        "remaining": reported.remaining,
        "retry_after": reported.retry_after,
        "reset_after": reported.reset_after,
        "took": reported.took,
    }
    return {key: value for key, value in said.items() if value is not None}
