"""A request from its permit to its result: limit, send, decide, wait, and again."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from attrs import define, frozen

from aioregistry.codec import DecodeError, decode_error
from aioregistry.endpoints import Request
from aioregistry.errors import (
    ClientClosedError,
    InvalidResponseError,
    RateLimitedError,
    RegistryError,
    error_for_status,
)
from aioregistry.quota import ServerWord
from aioregistry.ratelimit import Limiter, Priority
from aioregistry.retry import Failure, RetryPolicy
from aioregistry.transport import Answer, NoAnswer, Transport

__all__ = ["Exchange", "FinishedRequest", "Session", "refusing"]

T = TypeVar("T")

logger = logging.getLogger("aioregistry")

_REFUSED_BECAUSE: ContextVar[RegistryError | None] = ContextVar("_REFUSED_BECAUSE", default=None)


@contextmanager
def refusing(error: RegistryError) -> Generator[None]:
    """Raise `error` for any request that is made inside, instead of sending it."""
    reset = _REFUSED_BECAUSE.set(error)
    try:
        yield
    finally:
        _REFUSED_BECAUSE.reset(reset)


@frozen
class FinishedRequest:
    """What the `on_request` callback is told of each request, however it ended.

    Attributes:
        method: The HTTP method.
        route: The path's template, without names.
        status: The last answer's HTTP status; None when there was none.
        attempts: How often it was sent.
        quota_seconds: Seconds that it waited for quota.
        seconds: Seconds that it took in all.
        error: The name of the error's class; None when it succeeded.
    """

    method: str
    route: str
    status: int | None
    attempts: int
    quota_seconds: float
    seconds: float
    error: str | None


@define
class Exchange:
    """The course of a request, readable while it runs and after it was cancelled.

    Attributes:
        attempts: How often it was sent.
        rate_limited: How many of the attempts got a 429.
        status: The last answer's status.
        quota_seconds: Seconds that it waited for quota.
        unanswered: Whether an attempt was sent and got no answer, and no later answer settled
            what became of it.
        maybe_done: Whether an attempt may have had its effect without saying so: it got no
            answer, or an error from which that cannot be told.
        halted_by: Set from outside: raised instead of sending another attempt.
    """

    attempts: int = 0
    rate_limited: int = 0
    status: int | None = None
    quota_seconds: float = 0.0
    unanswered: bool = False
    maybe_done: bool = False
    halted_by: RegistryError | None = None


class Session:
    """Sends requests within the quota, again where that is safe, and tells of each.

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
        on_request: Callable[[FinishedRequest], None] | None = None,
    ) -> None:
        self._transport = transport
        self._limiter = limiter
        self._retry = retry
        self._on_request = on_request
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """Open the session in the running event loop.

        Raises:
            ClientClosedError: It is open already, or was closed: closed is closed.
        """
        if self._closed:
            raise ClientClosedError("the client was closed, and closed is closed: make a new one")
        if self._loop is not None:
            raise ClientClosedError("the client is open already")
        self._loop = asyncio.get_running_loop()
        self._transport.open()

    async def close(self) -> None:
        """End the tasks that still run, and close the transport. Closing twice is fine."""
        self._closed = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._transport.close()

    def check_open(self) -> None:
        """Raise `ClientClosedError` unless a request could be sent from here."""
        if self._closed:
            raise ClientClosedError("the client is closed")
        if self._loop is None:
            raise ClientClosedError("the client is not open: use 'async with RegistryClient()'")
        if asyncio.get_running_loop() is not self._loop:
            raise ClientClosedError("the client belongs to another event loop")

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

    async def send(
        self,
        request: Request,
        *,
        priority: Priority = "interactive",
        exchange: Exchange | None = None,
    ) -> bytes:
        """Send `request`, again where that is safe, and return the body of a 2xx answer.

        A 404 for a DELETE that was sent before, and may have been done then, is its success.

        Args:
            request: What to send.
            priority: Whom the limiter serves first.
            exchange: Filled in as the request goes on.

        Raises:
            RegistryError: Any of its kinds.
        """
        self.check_open()
        refused = _REFUSED_BECAUSE.get()
        if refused is not None:
            raise refused
        course = Exchange() if exchange is None else exchange
        begun = time.perf_counter()
        failed: str | None = None
        try:
            return await self._send_until_settled(request, priority, course)
        except BaseException as error:
            failed = type(error).__name__
            raise
        finally:
            self._report(request, course, time.perf_counter() - begun, failed)

    async def fetch(
        self,
        request: Request,
        decode: Callable[[bytes], T],
        *,
        priority: Priority = "interactive",
        exchange: Exchange | None = None,
    ) -> T:
        """Send `request` as `send` does, and return what `decode` makes of the body.

        Raises:
            InvalidResponseError: The body is not what the API promises.
            RegistryError: Any other of its kinds.
        """
        course = Exchange() if exchange is None else exchange
        body = await self.send(request, priority=priority, exchange=course)
        try:
            return decode(body)
        except DecodeError as error:
            problem = str(error)
        # Raised out here, so that nothing of the decoder hangs on to the error.
        raise self._located(InvalidResponseError(problem), request, course)

    async def _send_until_settled(
        self, request: Request, priority: Priority, course: Exchange
    ) -> bytes:
        while True:
            unsettled = course.unanswered
            answer = await self._attempt(request, priority, course)
            if isinstance(answer, NoAnswer):
                error = answer.error
                failure = Failure(None, sent=answer.sent)
                course.unanswered = unsettled or answer.sent
            else:
                course.status = answer.status
                missing = answer.status == 404 and request.method == "DELETE" and course.maybe_done
                if (200 <= answer.status < 300 and not answer.too_large) or missing:
                    course.unanswered = False
                    return answer.body
                course.unanswered = unsettled
                error, failure = self._judge(answer)
            course.maybe_done |= failure.sent and failure.status != 429
            if failure.status == 429:
                course.rate_limited += 1
                number = course.rate_limited
            else:
                number = course.attempts - course.rate_limited
            wait = self._retry.decide(failure, number, repeatable=request.repeatable)
            self._located(error, request, course)
            if wait is None:
                raise error
            if failure.status == 429 and self._limiter is not None:
                # The waiting is done at the limiter's gate, once for everyone.
                wait = 0.0
            logger.info(
                "%s %s: %s; again in %.1f s",
                request.method,
                request.route,
                error.status or type(error).__name__,
                wait,
                extra={
                    "method": request.method,
                    "route": request.route,
                    "status": error.status,
                    "attempts": course.attempts,
                    "wait": wait,
                },
            )
            await asyncio.sleep(wait)

    async def _attempt(
        self, request: Request, priority: Priority, course: Exchange
    ) -> Answer | NoAnswer:
        authorization = await self._transport.authorization()
        await self._acquire(request, priority, course)
        word: ServerWord | None = None
        sent = False
        try:
            # The client may have been closed while this waited.
            self.check_open()
            if course.halted_by is not None:
                raise course.halted_by
            course.attempts += 1
            course.unanswered = sent = True
            answer = await self._transport.attempt(request, authorization)
            if isinstance(answer, NoAnswer):
                sent = answer.sent
            else:
                word = ServerWord.parse(answer.status, answer.headers, time.time())
        finally:
            if self._limiter is not None:
                self._limiter.release(word, sent=sent)
        return answer

    async def _acquire(self, request: Request, priority: Priority, course: Exchange) -> None:
        if self._limiter is None:
            return
        begun = time.perf_counter()
        try:
            await self._limiter.acquire(priority)
        except RateLimitedError as error:
            self._located(error, request, course)
            raise
        finally:
            course.quota_seconds += time.perf_counter() - begun

    def _judge(self, answer: Answer) -> tuple[RegistryError, Failure]:
        status = answer.status
        if status < 400:
            what = "too large a body" if answer.too_large else "a redirect, which is not followed"
            error: RegistryError = InvalidResponseError(f"the server answered with {what}")
            error.status = status
            # Nothing that is tried again would turn out otherwise.
            return error, Failure(status)
        error_id, message, request_id = decode_error(answer.body)
        error = error_for_status(status)(
            message or f"the server answered with status {status}",
            status=status,
            error_id=error_id,
            request_id=request_id or answer.headers.get("x-request-id"),
        )
        word = ServerWord.parse(status, answer.headers, time.time())
        retry_after = word.retry_after
        if isinstance(error, RateLimitedError):
            if retry_after is None:
                retry_after = word.seconds_to_reset(time.time())
            error.retry_after = retry_after
        return error, Failure(status, retry_after=retry_after)

    def _located(self, error: RegistryError, request: Request, course: Exchange) -> RegistryError:
        error.method = request.method
        error.url = self._transport.base_url + request.target
        error.attempts = course.attempts
        if error.status is None and isinstance(error, InvalidResponseError):
            error.status = course.status
        return error

    def _report(
        self, request: Request, course: Exchange, seconds: float, error: str | None
    ) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(
                "%s %s: %s in %.3f s",
                request.method,
                request.route,
                course.status or error,
                seconds,
                extra={
                    "method": request.method,
                    "route": request.route,
                    "status": course.status,
                    "attempts": course.attempts,
                    "quota_seconds": course.quota_seconds,
                    "seconds": seconds,
                    "error": error,
                },
            )
        if self._on_request is not None:
            finished = FinishedRequest(
                request.method,
                request.route,
                course.status,
                course.attempts,
                course.quota_seconds,
                seconds,
                error,
            )
            try:
                self._on_request(finished)
            except Exception:
                # A measurement that fails is no reason for a request to fail.
                logger.exception("on_request raised")
