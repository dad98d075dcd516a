"""A request from its permit to its result: limit, send, decide, wait, and again."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aioregistry.api.decoding import DecodeError
from aioregistry.api.endpoints import Request
from aioregistry.arguments import Ignored
from aioregistry.errors import (
    ClientClosedError,
    InvalidResponseError,
    InvalidTokenError,
    RateLimitedError,
    RegistryError,
)
from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import Limiter, Priority
from aioregistry.ratelimit.priority import within
from aioregistry.session.abort import interruptible, raise_if_aborted
from aioregistry.session.answers import Answer, NoAnswer, is_ambiguous, is_success
from aioregistry.session.exchange import (
    FinishedRequest,
    RecentRequests,
    RequestLog,
    report,
)
from aioregistry.session.permits import Check, Preparation, give_back_before
from aioregistry.session.retry import NextAttempt, RetryPolicy, located
from aioregistry.session.secret import Secret, redact
from aioregistry.session.threads import call_in_loop
from aioregistry.session.transport import Transport

__all__ = ["Session"]

T = TypeVar("T")
logger: logging.Logger = logging.getLogger("aioregistry")


class Session:
    """Sends requests within the quota, again where that is safe, and reports each.

    Its states are new, open and closed, in this order and in no other.

    Args:
        transport: Does the sending.
        limiter: Gives permits; None for no limit.
        retry: Decides on repetition.
        on_request: Called with a `FinishedRequest` after each request.
    """

    def __init__(
        self,
        transport: Transport,
        limiter: Limiter | None,
        retry: RetryPolicy,
        on_request: Callable[[FinishedRequest], Ignored] | None = None,
    ) -> None:
        self._transport = transport
        self._limiter = limiter
        self._next_attempt = NextAttempt(
            retry,
            transport.base_url,
            transport.token_seconds,
            is_limited=limiter is not None,
        )
        self._on_request = on_request
        self.recent: RecentRequests = RecentRequests()
        self._loop: asyncio.AbstractEventLoop | None = None
        # The loop's clock, which is the limiter's: what waits and what is measured agree.
        self._now: Callable[[], float] = float
        self._closed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing: asyncio.Future[None] | None = None
        # Who has a limiter of their own has their own `acquire` asked, each time.
        self._acquire_at_once = (
            limiter.acquire_at_once if type(limiter) is WindowLimiter else lambda _: False
        )

    def open(self) -> None:
        """Open the session in the running event loop.

        Raises:
            ClientClosedError: It is open already, or was closed: closed is closed. Or the session
                that it borrows is another event loop's.
        """
        if self._closed:
            raise ClientClosedError("the client was closed, and closed is closed: make a new one")
        if self._loop is not None:
            raise ClientClosedError("the client is open already")
        # First, as it may raise: then it is not open.
        self._transport.open()
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._closing = self._loop.create_future()

    def __getstate__(self) -> object:
        # Of the event loop and its sockets, Python would say which part of theirs it cannot copy.
        if self._loop is not None:
            raise TypeError(
                "a client that was opened cannot be pickled or copied, nor can its handles and"
                " lists: open a client of its own in each process, and pass names"
            )
        return super().__getstate__()

    async def close(self) -> None:
        """End the tasks that still run, and close the transport. Closing twice is fine."""
        self._closed = True
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)
        # Whoever closes from within one of our own tasks cannot wait for its end.
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await self._transport.close()

    @property
    def base_url(self) -> str:
        """The origin that requests go to."""
        return self._transport.base_url

    @property
    def state(self) -> str:
        """``new``, ``open`` or ``closed``; a borrowed session that was closed closes it, too."""
        if self._closed or self._transport.closed:
            return "closed"
        return "new" if self._loop is None else "open"

    def check_open(self) -> None:
        """Raise `ClientClosedError` unless a request could be sent from here."""
        if self._loop is None and not self._closed:
            raise ClientClosedError("the client is not open: use 'async with RegistryClient()'")
        if asyncio.get_running_loop() is not self._loop:
            raise ClientClosedError("the client belongs to another event loop")
        self._check_not_closed()

    def _check_not_closed(self) -> None:
        if self._closed:
            raise ClientClosedError("the client is closed")
        self._transport.check_open()

    async def _sleep(self, seconds: float) -> None:
        if self._closing is not None:
            await asyncio.wait({self._closing}, timeout=seconds)
        self._check_not_closed()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` in a task that ends with the session at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Retrieved here: whoever broke off will not ask for what went wrong.
            task.exception()

    def seconds_for(self, requests: int) -> float:
        """Return how long the quota makes some requests take at least; 0 where unknown."""
        seconds_for = getattr(self._limiter, "seconds_for", None)
        return 0.0 if seconds_for is None else float(self.in_loop(lambda: seconds_for(requests)))

    def in_loop(self, function: Callable[[], T]) -> T:
        """Call a function in the event loop of this session; see `call_in_loop`."""
        return call_in_loop(self._loop, function)

    async def send(
        self,
        request: Request,
        *,
        priority: Priority = "interactive",
        log: RequestLog | None = None,
        check: Check | None = None,
    ) -> bytes:
        """Send `request`, again where that is safe, and return the body of a 2xx answer.

        A 404 for a DELETE that was sent before, and may have been done then, is its success.

        Args:
            request: What to send.
            priority: Whom the limiter serves first; within `bulk_work` all is bulk.
            log: Filled in as the request goes on.
            check: Awaited right before each attempt, when all waiting for quota is over. When it
                returns a `Verdict`, that is in `log.verdict`, the body is empty, and nothing is
                sent; what it raises is raised, and nothing is sent either. A check that needs
                quota for requests of its own runs before the wait for quota.

        Raises:
            RegistryError: Any of its kinds.
        """
        self.check_open()
        raise_if_aborted(self)
        priority = within(priority)
        log = RequestLog() if log is None else log
        log.request = request
        begun = self._now()
        failed: str | None = None
        try:
            while True:
                if check is None:
                    answer, authorization = await self._attempt(request, priority, log, begun)
                else:
                    answer, authorization = await self._check_and_attempt(
                        request, priority, log, check
                    )
                    if log.verdict is not None:
                        return b""
                if not isinstance(answer, NoAnswer) and is_success(
                    answer,
                    is_delete=request.method == "DELETE",
                    may_have_taken_effect=log.may_have_taken_effect,
                ):
                    log.outcome_unknown = False
                    return answer.body
                if isinstance(answer, NoAnswer):
                    # It may have been the closing that cut the connection.
                    self._check_not_closed()
                wait = self._next_attempt.wait_after(
                    request,
                    answer,
                    authorization,
                    log,
                    now=self._now(),
                    wall_clock=time.time(),
                )
                with interruptible(self):
                    await self._sleep(wait)
        except BaseException as error:
            failed = type(error).__name__
            raise
        finally:
            ended = log.answered_at if failed is None else None
            self.recent.record(failed, log.status, self._now() if ended is None else ended)
            if self._on_request is not None or logger.isEnabledFor(logging.DEBUG):
                report(log.finished(request, self._now() - begun, failed), self._on_request)

    async def fetch(self, request: Request, decode: Callable[[bytes], T]) -> T:
        """Send `request` as `send` does, and return what `decode` makes of the body.

        Raises:
            InvalidResponseError: The body is not what the API promises.
            RegistryError: Any other of its kinds.
        """
        log = RequestLog()
        return self.decode(await self.send(request, log=log), decode, log)

    def decode(self, body: bytes, decode: Callable[[bytes], T], log: RequestLog) -> T:
        """Return what `decode` makes of the body of a request's answer.

        Raises:
            InvalidResponseError: The body is not what the API promises.
        """
        try:
            return decode(body)
        except DecodeError as error:
            problem = redact(str(error), *self._transport.secrets())
        # Raised out here and without the body, which may contain secrets, so that nothing of either
        # hangs on to the error.
        del body
        raise located(InvalidResponseError(problem), log, self.base_url)

    async def _attempt(
        self, request: Request, priority: Priority, log: RequestLog, begun: float
    ) -> tuple[Answer | NoAnswer, Secret]:
        """Take a permit, a turn and the authorization, and make an attempt."""
        # Where nothing was waited for, nothing else can have happened meanwhile.
        has_waited = log.attempts > 0
        if self._limiter is not None and not self._acquire_at_once(priority):
            await self._acquire(self._limiter, priority, log)
            has_waited = True
        connections = self._transport.connections
        connected = False
        try:
            if not connections.acquire_at_once():
                await self._take_turn()
                has_waited = True
            connected = True
            # Asked for only now: a token may have changed while this waited for quota.
            authorization = self._transport.fixed_authorization
            if authorization is None:
                authorization = await self._transport.authorization()
                has_waited = True
        except BaseException as error:
            if connected:
                connections.release()
            self._give_permit_back()
            if isinstance(error, InvalidTokenError):
                return NoAnswer(error, sent=False), Secret()
            raise
        answer = await self._exchange(request, log, authorization, None if has_waited else begun)
        return answer, authorization

    async def _check_and_attempt(
        self, request: Request, priority: Priority, log: RequestLog, check: Check
    ) -> tuple[Answer | NoAnswer, Secret]:
        """Take all of it, await a check, and make an attempt unless there is a verdict."""

        async def take_permit() -> None:
            if self._limiter is not None and not self._acquire_at_once(priority):
                await self._acquire(self._limiter, priority, log)

        preparation = Preparation(
            take_permit=take_permit,
            give_permit_back=self._give_permit_back,
            take_turn=self._take_turn,
            give_turn_back=self._transport.connections.release,
            authorize=self._transport.authorization,
            now=self._now,
        )
        log.verdict = await preparation.check(check)
        error, authorization = preparation.error, preparation.authorization
        answer: Answer | NoAnswer
        if log.verdict is not None or error is not None:
            answer = NoAnswer(error or RegistryError("not sent"), sent=False)
        else:
            answer = await self._exchange(request, log, authorization, None)
        return answer, authorization

    async def _exchange(
        self, request: Request, log: RequestLog, authorization: Secret, departed: float | None
    ) -> Answer | NoAnswer:
        """Make an attempt with the permit and the turn that are held, and give both back."""
        reported: RateLimitHeaders | None = None
        sent = False
        try:
            if departed is None:
                self._check_not_closed()
                raise_if_aborted(self)
                departed = self._now()
            log.attempts += 1
            outcome_unknown = log.outcome_unknown
            log.outcome_unknown = sent = True
            answer = await self._transport.attempt(request, authorization)
            if isinstance(answer, NoAnswer):
                sent = answer.sent
                log.outcome_unknown = outcome_unknown or sent
            else:
                log.status = answer.status
                log.outcome_unknown = outcome_unknown or is_ambiguous(answer)
                log.answered_at = self._now()
                self.recent.dated = dated = answer.headers.get("date"), time.time()
                if self._limiter is not None:
                    reported = RateLimitHeaders.parse(
                        answer.status, answer.headers, dated[1], log.answered_at - departed
                    )
        finally:
            self._transport.connections.release()
            if self._limiter is not None:
                self._limiter.release(reported, sent=sent)
        return answer

    def _give_permit_back(self) -> None:
        if self._limiter is not None:
            self._limiter.release(sent=False)

    async def _take_turn(self) -> None:
        """Wait for a turn to use a connection, and take it."""
        connections = self._transport.connections
        if not connections.acquire_at_once():
            # A check that waits for a turn may hold the one that it waits for.
            give_back_before()
            with interruptible(self):
                await connections.acquire()

    async def _acquire(self, limiter: Limiter, priority: Priority, log: RequestLog) -> None:
        give_back_before()
        begun = self._now()
        try:
            with interruptible(self):
                await limiter.acquire(priority)
        except RateLimitedError as error:
            located(error, log, self.base_url)
            raise
        finally:
            log.quota_seconds += self._now() - begun
