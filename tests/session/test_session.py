"""One request from its permit to its result, over transports that answer as told."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
from aiohttp import web
from multidict import CIMultiDict

from aioregistry import RegistryClient
from aioregistry.api.decoding import DecodeError
from aioregistry.api.endpoints import Endpoints, Request, repository_path
from aioregistry.errors import (
    AuthenticationError,
    ClientClosedError,
    ConflictError,
    InvalidRequestError,
    InvalidResponseError,
    InvalidTokenError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
    RateLimitedError,
    RegistryConnectionError,
    RegistryError,
    RegistryTimeoutError,
    ResponseError,
    ServerError,
)
from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import RateLimit
from aioregistry.session.abort import AbortScope
from aioregistry.session.answers import Answer, NoAnswer
from aioregistry.session.connections import Connections
from aioregistry.session.exchange import FinishedRequest, RequestLog
from aioregistry.session.retry import RetryPolicy
from aioregistry.session.session import Session
from tests.ratelimit.strict_server import DELETE, virtual

ENDPOINTS = Endpoints("registry")
GET = ENDPOINTS.list_tags(repository_path("example", "app"))
START_COLLECTION = ENDPOINTS.start_garbage_collection("example", None)
VALIDATE_NAME = ENDPOINTS.validate_name("example")

TIMED_OUT = NoAnswer(RegistryTimeoutError("no answer in time"), sent=True)
LOST = NoAnswer(RegistryConnectionError("connection lost"), sent=True)
REFUSED = NoAnswer(RegistryConnectionError("connection refused"), sent=False)

Step = int | Answer | NoAnswer | BaseException


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, CIMultiDict(named), body)


def now() -> float:
    return asyncio.get_running_loop().time()


class Script:
    """A transport that answers as told, each answer `latency` seconds late; the last one for ever.

    Attributes:
        sent: Each attempt: when, what, and with which authorization.
    """

    base_url = "https://api.test"
    connections = Connections(None)
    token_seconds = 30.0

    def __init__(self, *steps: Step, latency: float = 0.1) -> None:
        self._steps = list(steps)
        self._latency = latency
        self.sent: list[tuple[float, Request, str]] = []
        self.closed = False
        self.tokens: Callable[[], str] = lambda: "Bearer token"

    def open(self) -> None:
        self.opened = True

    def check_open(self) -> None:
        """Always open."""

    async def close(self) -> None:
        self.closed = True

    fixed_authorization = None

    async def authorization(self) -> str:
        return self.tokens()

    def secrets(self) -> tuple[str, ...]:
        return ()

    async def attempt(self, request: Request, authorization: str) -> Answer | NoAnswer:
        self.sent.append((now(), request, authorization))
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        await asyncio.sleep(self._latency)
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, NoAnswer):
            # A new error for each attempt, as outside.
            return attrs.evolve(step, error=type(step.error)(step.error.message))
        return answer(step) if isinstance(step, int) else step


class Permits:
    """A limiter that grants everything and keeps what it was told."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: list[tuple[RateLimitHeaders | None, bool]] = []

    async def acquire(self, priority: str = "interactive") -> None:
        self.asked.append(priority)

    def release(self, reported: RateLimitHeaders | None = None, *, sent: bool = True) -> None:
        self.told.append((reported, sent))


def opened(transport: Script, limiter=None, retry=None, on_request=None) -> Session:
    session = Session(transport, limiter, retry or RetryPolicy(), on_request)
    session.open()
    return session


@pytest.fixture
def told() -> list[FinishedRequest]:
    return []


# Attempts.


@virtual
async def test_the_body_of_a_success_is_returned():
    assert await opened(Script(answer(200, b"body"))).send(GET) == b"body"


@pytest.mark.parametrize("passing", [500, 502, 503, 504, 408, TIMED_OUT, LOST, REFUSED])
@virtual
async def test_what_passes_is_tried_again(passing):
    script = Script(passing, passing, 204)
    await opened(script).send(DELETE)
    assert len(script.sent) == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, ConflictError),
        (412, PreconditionFailedError),
        (418, ResponseError),
        (422, InvalidRequestError),
        (501, ServerError),
    ],
)
@virtual
async def test_an_error_that_lasts_is_raised_at_once(status, kind):
    script = Script(answer(status, b'{"id":"some_id","message":"why","request_id":"r-1"}'))
    with pytest.raises(kind) as caught:
        await opened(script).send(GET)
    error = caught.value
    assert len(script.sent) == 1
    assert (error.status, error.error_id, error.message) == (status, "some_id", "why")
    assert (error.request_id, error.attempts, error.method) == ("r-1", 1, "GET")
    assert error.url == "https://api.test" + GET.target


@pytest.mark.parametrize(
    ("lasting", "kind"),
    [(503, ServerError), (TIMED_OUT, RegistryTimeoutError), (REFUSED, RegistryConnectionError)],
)
@virtual
async def test_the_last_failure_is_raised_after_all_attempts(lasting, kind):
    script = Script(lasting)
    with pytest.raises(kind) as caught:
        await opened(script, retry=RetryPolicy(attempts=3)).send(GET)
    assert len(script.sent) == caught.value.attempts == 3


@virtual
async def test_the_waits_in_between_are_those_of_the_policy():
    class Fixed(RetryPolicy):
        def decide(self, failure, attempt, *, repeatable, **_):
            return 10.0 * attempt if attempt < 3 else None

    script = Script(503, latency=0.0)
    with pytest.raises(ServerError):
        await opened(script, retry=Fixed()).send(GET)
    assert [round(at, 3) for at, _, _ in script.sent] == [0.0, 10.0, 30.0]


@virtual
async def test_a_server_is_given_the_time_it_asks_for():
    script = Script(answer(503, retry_after="42"), 200, latency=0.0)
    await opened(script).send(GET)
    assert script.sent[1][0] >= 42.0


@pytest.mark.parametrize("unclear", [TIMED_OUT, LOST, 500, 503])
@virtual
async def test_what_may_not_be_repeated_is_not_sent_again_when_it_may_have_worked(unclear):
    script = Script(unclear, 201)
    with pytest.raises(RegistryError):
        await opened(script).send(START_COLLECTION)
    assert len(script.sent) == 1


@pytest.mark.parametrize("turned_away", [REFUSED, 429])
@virtual
async def test_what_may_not_be_repeated_is_sent_again_when_it_was_turned_away(turned_away):
    script = Script(turned_away, 201)
    await opened(script).send(START_COLLECTION)
    assert len(script.sent) == 2


@virtual
async def test_a_post_that_changes_nothing_is_repeated():
    script = Script(TIMED_OUT, 204)
    await opened(script).send(VALIDATE_NAME)
    assert len(script.sent) == 2


@pytest.mark.parametrize("unclear", [TIMED_OUT, LOST, 500, 502, 504])
@virtual
async def test_not_found_after_a_delete_that_may_have_worked_is_success(unclear):
    log = RequestLog()
    await opened(Script(unclear, 404)).send(DELETE, log=log)
    assert (log.status, log.attempts, log.outcome_unknown) == (404, 2, False)


@pytest.mark.parametrize(
    ("status", "unknown"),
    [(500, True), (502, True), (504, True), (520, True), (524, True), (503, False), (409, False)],
)
@virtual
async def test_an_error_on_the_way_back_leaves_open_whether_a_delete_was_done(status, unknown):
    log = RequestLog()
    with pytest.raises(RegistryError):
        await opened(Script(status)).send(DELETE, log=log)
    assert log.outcome_unknown is unknown


@pytest.mark.parametrize("without_effect", [REFUSED, 429])
@virtual
async def test_not_found_after_a_delete_that_cannot_have_worked_is_an_error(without_effect):
    with pytest.raises(NotFoundError):
        await opened(Script(without_effect, 404)).send(DELETE)


@virtual
async def test_not_found_after_a_get_is_an_error_whatever_was_before():
    with pytest.raises(NotFoundError):
        await opened(Script(TIMED_OUT, 404)).send(GET)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@virtual
async def test_a_redirect_is_not_followed(status):
    script = Script(answer(status, location="https://elsewhere.test/"))
    with pytest.raises(InvalidResponseError, match="redirect") as caught:
        await opened(script).send(GET)
    assert (len(script.sent), caught.value.status) == (1, status)


@virtual
async def test_a_body_that_is_too_large_is_an_error():
    script = Script(Answer(200, CIMultiDict(), b"", too_large=True))
    with pytest.raises(InvalidResponseError, match="too large"):
        await opened(script).send(GET)
    assert len(script.sent) == 1


@virtual
async def test_an_error_without_json_still_says_its_status():
    with pytest.raises(ServerError, match="501"):
        await opened(Script(answer(501, b"<html>"))).send(GET)


@virtual
async def test_a_body_that_cannot_be_decoded_is_an_invalid_response_without_its_decoder():
    def decode(_: bytes) -> None:
        raise DecodeError("tags: expected a list")

    with pytest.raises(InvalidResponseError, match="expected a list") as caught:
        await opened(Script(200)).fetch(GET, decode)
    error = caught.value
    assert (error.status, error.attempts, error.method) == (200, 1, "GET")
    assert error.__cause__ is None
    assert error.__context__ is None


# Quota.


@virtual
async def test_all_tasks_wait_once_for_the_gate_that_one_429_closed():
    script = Script(answer(429, retry_after="30"), 200)
    session = opened(script, WindowLimiter())
    first = asyncio.ensure_future(session.send(GET))
    await asyncio.sleep(1.0)
    await asyncio.gather(first, *(session.send(GET) for _ in range(20)))
    assert len(script.sent) == 22
    assert all(30.0 <= at < 60.0 for at, _, _ in script.sent[1:])


@virtual
async def test_tasks_in_flight_at_a_429_come_back_when_the_gate_opens_and_not_later():
    script = Script(*[answer(429, retry_after="30")] * 10, 200, latency=0.1)
    session = opened(script, WindowLimiter())
    await asyncio.gather(*(session.send(GET) for _ in range(10)))
    assert len(script.sent) == 20
    assert all(30.0 <= at < 65.0 for at, _, _ in script.sent[10:])


@virtual
async def test_the_wait_after_a_429_is_one_for_quota(told):
    script = Script(answer(429, retry_after="30"), 200, latency=0.0)
    await opened(script, WindowLimiter(), on_request=told.append).send(GET)
    assert told[0].quota_seconds == pytest.approx(30.0, abs=0.01)


@virtual
async def test_a_429_without_a_limiter_is_waited_for_here():
    script = Script(answer(429, retry_after="30"), 200, latency=0.0)
    await opened(script).send(GET)
    assert script.sent[1][0] == pytest.approx(30.0, abs=0.01)


@virtual
async def test_a_429_that_lasts_is_raised_with_when_to_come_again():
    script = Script(answer(429, retry_after="30", ratelimit_remaining="0"))
    with pytest.raises(RateLimitedError) as caught:
        await opened(script, retry=RetryPolicy(attempts=2)).send(GET)
    assert (caught.value.retry_after, caught.value.attempts) == (30.0, 2)


@virtual
async def test_a_429_takes_no_attempt_away_from_other_failures():
    script = Script(429, 503, 429, 503, 200)
    await opened(script, WindowLimiter(), RetryPolicy(attempts=3)).send(GET)
    assert len(script.sent) == 5


@virtual
async def test_a_request_that_may_not_wait_is_refused_unsent():
    script = Script(200)
    limiter = WindowLimiter(RateLimit(windows=((1, 60.0),), max_wait=5.0))
    session = opened(script, limiter)
    await session.send(GET)
    with pytest.raises(RateLimitedError, match="max_wait") as caught:
        await session.send(GET)
    assert len(script.sent) == 1
    assert (caught.value.attempts, caught.value.status, caught.value.method) == (0, None, "GET")


@virtual
async def test_the_limiter_is_told_what_each_answer_said():
    permits = Permits()
    script = Script(answer(200, ratelimit_limit="5000", ratelimit_remaining="17"), latency=0.5)
    await opened(script, permits).send(GET, priority="bulk")
    word, sent = permits.told[0]
    assert permits.asked == ["bulk"]
    assert (word.status, word.limit, word.remaining, sent) == (200, 5000, 17, True)
    assert word.took == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize(("failure", "sent"), [(TIMED_OUT, True), (REFUSED, False)])
@virtual
async def test_the_limiter_is_told_when_no_answer_came(failure, sent):
    permits = Permits()
    with pytest.raises(RegistryError):
        await opened(Script(failure), permits, RetryPolicy(attempts=1)).send(GET)
    assert permits.told == [(None, sent)]


@virtual
async def test_each_attempt_has_a_permit_of_its_own():
    permits = Permits()
    await opened(Script(503, TIMED_OUT, 200), permits).send(GET)
    assert (len(permits.asked), len(permits.told)) == (3, 3)


@virtual
async def test_a_request_that_is_cancelled_on_its_way_gives_its_permit_back_as_used():
    permits = Permits()
    task = asyncio.ensure_future(opened(Script(200, latency=60.0), permits).send(GET))
    await asyncio.sleep(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert permits.told == [(None, True)]


@virtual
async def test_a_transport_that_fails_gives_the_permit_back():
    permits = Permits()
    with pytest.raises(LookupError):
        await opened(Script(LookupError()), permits).send(GET)
    assert len(permits.told) == 1


# States.


@virtual
async def test_before_it_is_open_nothing_is_sent():
    script = Script(200)
    with pytest.raises(ClientClosedError, match="async with"):
        await Session(script, None, RetryPolicy()).send(GET)
    assert script.sent == []


@virtual
async def test_after_it_is_closed_nothing_is_sent():
    script = Script(200)
    session = opened(script)
    await session.close()
    with pytest.raises(ClientClosedError, match="closed"):
        await session.send(GET)
    assert script.sent == []


@virtual
async def test_it_opens_once():
    session = opened(Script(200))
    with pytest.raises(ClientClosedError, match="already"):
        session.open()


@virtual
async def test_closed_is_closed():
    session = opened(Script(200))
    await session.close()
    await session.close()
    with pytest.raises(ClientClosedError, match="make a new one"):
        session.open()


def test_it_belongs_to_the_loop_that_it_was_opened_in():
    session = Session(Script(200), None, RetryPolicy())

    async def open_it() -> None:
        session.open()

    asyncio.run(open_it())
    with pytest.raises(ClientClosedError, match="another event loop"):
        asyncio.run(session.send(GET))


@virtual
async def test_closing_while_a_request_waits_for_quota_turns_it_away_unsent():
    limiter = WindowLimiter(RateLimit(windows=((1, 60.0),)))
    script = Script(200)
    session = opened(script, limiter)
    await session.send(GET)
    waiting = asyncio.ensure_future(session.send(GET))
    await asyncio.sleep(1.0)
    limiter.close()
    await session.close()
    with pytest.raises(ClientClosedError):
        await waiting
    assert len(script.sent) == 1


@virtual
async def test_quota_that_comes_after_the_end_is_not_used():
    limiter = WindowLimiter(RateLimit(windows=((1, 60.0),)))
    script = Script(200)
    session = opened(script, limiter)
    await session.send(GET)
    waiting = asyncio.ensure_future(session.send(GET))
    await asyncio.sleep(1.0)
    await session.close()
    with pytest.raises(ClientClosedError):
        await waiting
    assert len(script.sent) == 1
    assert limiter.status.windows[0].used == 0


@virtual
async def test_closing_during_a_backoff_sends_nothing_more():
    script = Script(answer(503, retry_after="10"))
    session = opened(script)
    waiting = asyncio.ensure_future(session.send(GET))
    await asyncio.sleep(1.0)
    await session.close()
    with pytest.raises(ClientClosedError):
        await waiting
    assert len(script.sent) == 1


@virtual
async def test_closing_ends_the_tasks_that_were_started():
    session = opened(Script(200))
    task = session.start(asyncio.sleep(3600.0))
    await asyncio.sleep(0)
    await session.close()
    assert task.cancelled()
    assert now() < 1.0


@virtual
async def test_what_goes_wrong_in_a_started_task_is_the_callers_to_ask_for(caplog):
    async def fail() -> None:
        raise LookupError

    session = opened(Script(200))
    task = session.start(fail())
    await asyncio.sleep(0.1)
    assert isinstance(task.exception(), LookupError)
    await session.close()
    assert not caplog.records


GONE = AuthenticationError("the token is gone")


@virtual
async def test_within_an_aborted_scope_nothing_is_sent_after_the_stop():
    script = Script(200)
    session = opened(script)
    scope = AbortScope(session)
    with scope.within():
        await session.send(GET)
        scope.abort(GONE)
        scope.abort(NotFoundError("too late to count"))
        with pytest.raises(AuthenticationError) as caught:
            await session.send(GET)
    assert caught.value is GONE
    assert len(script.sent) == 1


@virtual
async def test_outside_of_an_aborted_scope_requests_go_on():
    script = Script(200)
    session = opened(script)
    scope = AbortScope(session)
    scope.abort(GONE)
    with scope.within():
        pass
    await session.send(GET)
    assert len(script.sent) == 1


async def stopped_after(
    seconds: float, session: Session, *, cancel: bool = False
) -> asyncio.Future[bytes]:
    """Send within a scope from a task that was started there, and stop it later."""
    scope = AbortScope(session)
    with scope.within():
        task = asyncio.ensure_future(session.send(DELETE))
    await asyncio.sleep(seconds)
    scope.abort(GONE)
    if cancel:
        task.cancel()
    await asyncio.wait([task])
    return task


@virtual
async def test_a_stop_ends_a_backoff_at_once():
    script = Script(answer(503, retry_after="60"))
    task = await stopped_after(1.0, opened(script))
    assert task.exception() is GONE
    assert (len(script.sent), now()) == (1, pytest.approx(1.0, abs=0.001))


@virtual
async def test_a_stop_ends_a_wait_for_quota_at_once():
    limiter = WindowLimiter(RateLimit(windows=((1, 60.0),)))
    script = Script(200)
    session = opened(script, limiter)
    await session.send(GET)
    task = await stopped_after(1.0, session)
    assert task.exception() is GONE
    assert (len(script.sent), now()) == (1, pytest.approx(1.1, abs=0.001))
    assert (limiter.status.waiting, limiter.status.windows[0].used) == (0, 1)


@virtual
async def test_what_is_under_way_at_a_stop_is_answered():
    script = Script(204, latency=10.0)
    task = await stopped_after(1.0, opened(script))
    assert task.exception() is None


@virtual
async def test_what_is_under_way_at_a_stop_is_not_sent_again():
    script = Script(503, latency=10.0)
    task = await stopped_after(1.0, opened(script))
    assert task.exception() is GONE
    assert len(script.sent) == 1


@virtual
async def test_a_token_that_comes_after_a_stop_is_not_used():
    class Slow(Script):
        async def authorization(self) -> str:
            await asyncio.sleep(5.0)
            return "Bearer token"

    script = Slow(200)
    task = await stopped_after(1.0, opened(script))
    assert task.exception() is GONE
    assert script.sent == []


@virtual
async def test_who_is_cancelled_and_stopped_at_once_is_cancelled():
    task = await stopped_after(1.0, opened(Script(answer(503, retry_after="60"))), cancel=True)
    assert task.cancelled()


# Tokens.


@virtual
async def test_each_attempt_asks_for_a_token():
    script = Script(503, 503, 200)
    tokens = iter(["Bearer one", "Bearer two", "Bearer three"])
    script.tokens = lambda: next(tokens)
    await opened(script).send(GET)
    assert [token for _, _, token in script.sent] == ["Bearer one", "Bearer two", "Bearer three"]


@virtual
async def test_a_token_that_cannot_be_had_is_an_error_and_gives_its_permit_back():
    permits = Permits()
    script = Script(200)

    def fail() -> str:
        raise InvalidTokenError("no token")

    script.tokens = fail
    with pytest.raises(InvalidTokenError):
        await opened(script, permits).send(GET)
    assert script.sent == []
    assert permits.told == [(None, False)]


@virtual
async def test_the_token_is_asked_for_after_the_wait_for_quota():
    limiter = WindowLimiter(RateLimit(windows=((1, 60.0),)))
    script = Script(200)
    script.tokens = lambda: f"Bearer {asyncio.get_running_loop().time():.0f}"
    session = opened(script, limiter)
    await session.send(GET)
    await session.send(GET)
    first, second = (int(token.removeprefix("Bearer ")) for _, _, token in script.sent)
    assert second - first >= 60


@virtual
async def test_closing_ends_a_backoff_at_once():
    session = opened(Script(503), retry=RetryPolicy(backoff=100.0, cap=100.0))
    begun = asyncio.get_running_loop().time()
    waiting = asyncio.ensure_future(session.send(GET))
    await asyncio.sleep(0.01)
    await session.close()
    with pytest.raises(ClientClosedError):
        await waiting
    assert asyncio.get_running_loop().time() - begun < 1.0


# What is told of each request.


@virtual
async def test_a_finished_request_is_told_of(told):
    script = Script(503, 200, latency=0.5)

    class AfterTwoSeconds(RetryPolicy):
        def decide(self, failure, attempt, *, repeatable, **_):
            return 2.0

    limiter = WindowLimiter(RateLimit(windows=((1, 10.0),)))
    await opened(script, limiter, AfterTwoSeconds(), told.append).send(GET)
    [finished] = told
    assert finished.method == "GET"
    assert finished.route == "/v2/registry/{registry}/repositories/{repository}/tags"
    assert (finished.status, finished.attempts, finished.error) == (200, 2, None)
    assert finished.quota_seconds == pytest.approx(8.0, abs=0.01)
    assert finished.seconds == pytest.approx(11.0, abs=0.01)


@pytest.mark.parametrize(
    ("step", "status", "error"),
    [
        (answer(403), 403, "PermissionDeniedError"),
        (TIMED_OUT, None, "RegistryTimeoutError"),
        (answer(404), 404, "NotFoundError"),
        (LookupError(), None, "LookupError"),
    ],
)
@virtual
async def test_a_request_that_failed_is_told_of(told, step, status, error):
    session = opened(Script(step), retry=RetryPolicy(attempts=1), on_request=told.append)
    with pytest.raises((RegistryError, LookupError)):
        await session.send(GET)
    assert [(each.status, each.attempts, each.error) for each in told] == [(status, 1, error)]


@virtual
async def test_a_request_that_was_cancelled_is_told_of(told):
    session = opened(Script(200, latency=60.0), on_request=told.append)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5.0):
            await session.send(GET)
    assert [(each.error, round(each.seconds)) for each in told] == [("CancelledError", 5)]


@virtual
async def test_a_callback_that_raises_breaks_nothing(caplog):
    def fail(_: FinishedRequest) -> None:
        raise LookupError("in the callback")

    assert await opened(Script(answer(200, b"body")), on_request=fail).send(GET) == b"body"
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info[0] is LookupError


@virtual
async def test_a_callback_that_raises_hides_no_error():
    def fail(_: FinishedRequest) -> None:
        raise LookupError("in the callback")

    with pytest.raises(NotFoundError):
        await opened(Script(404), on_request=fail).send(GET)


@virtual
async def test_each_request_is_logged_with_structured_fields(caplog):
    caplog.set_level(logging.DEBUG, "aioregistry")
    await opened(Script(200, latency=0.5)).send(GET)
    [record] = caplog.records
    assert (record.method, record.route) == ("GET", GET.route)
    assert (record.status, record.attempts, record.error) == (200, 1, None)
    assert record.quota_seconds == 0.0
    assert record.seconds == pytest.approx(0.5, abs=0.001)


@virtual
async def test_each_repetition_is_logged_with_its_wait(caplog):
    caplog.set_level(logging.INFO, "aioregistry")
    await opened(Script(answer(503, retry_after="7"), 200)).send(GET)
    [record] = caplog.records
    assert (record.method, record.route) == ("GET", GET.route)
    assert (record.status, record.attempts, record.wait) == (503, 1, 7.0)
    assert "7.0 s" in record.getMessage()


@virtual
async def test_what_is_logged_holds_neither_names_nor_tokens(caplog):
    caplog.set_level(logging.DEBUG, "aioregistry")
    script = Script(503, 200)
    script.tokens = lambda: "Bearer hush-hush"
    await opened(script).send(GET)
    for record in caplog.records:
        assert "hush-hush" not in repr(vars(record))
        assert "example" not in record.getMessage()


# The same over sockets.


@attrs.define
class Server:
    """Answers as told, and counts."""

    url: str
    answers: list[int | str | web.Response]
    seen: list[web.BaseRequest]


@asynccontextmanager
async def answering() -> AsyncIterator[Server]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        state.seen.append(request)
        told = state.answers.pop(0) if state.answers else 204
        if told == "break off":
            request.transport.abort()
        elif told == "hang":
            await asyncio.sleep(60.0)
        elif not isinstance(told, int):
            return told
        return web.Response(status=told if isinstance(told, int) else 500)

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    state = Server(f"http://127.0.0.1:{runner.addresses[0][1]}", [], [])
    try:
        yield state
    finally:
        await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with answering() as server:
        yield server


def client_of(url: str, **options) -> RegistryClient:
    retry = RetryPolicy(backoff=0.001)
    return RegistryClient(base_url=url, **{"token": "secret", "retry": retry} | options)


async def test_a_post_is_not_repeated_after_a_lost_connection(server):
    server.answers = ["break off"]
    async with client_of(server.url) as client:
        with pytest.raises(RegistryConnectionError):
            await client.registry("example").start_garbage_collection()
    assert len(server.seen) == 1


@virtual
async def test_a_post_is_not_repeated_after_a_timeout():
    async with answering() as server, client_of(server.url, timeout=5.0) as client:
        server.answers = ["hang"]
        with pytest.raises(RegistryTimeoutError):
            await client.registry("example").start_garbage_collection()
        assert now() == pytest.approx(5.0, abs=0.1)
    assert len(server.seen) == 1


async def test_a_post_is_repeated_after_a_refused_connection():
    told: list[FinishedRequest] = []
    with socket.socket() as silent:
        # It has the port, and does not listen.
        silent.bind(("127.0.0.1", 0))
        async with client_of(
            f"http://127.0.0.1:{silent.getsockname()[1]}",
            retry=RetryPolicy(attempts=3, backoff=0.001),
            on_request=told.append,
        ) as client:
            with pytest.raises(RegistryConnectionError):
                await client.registry("example").start_garbage_collection()
            assert [finished.attempts for finished in told] == [3]
            # Nothing arrived anywhere: no quota was used.
            assert client.rate_limit_status.windows[0].used == 0


async def test_a_delete_that_broke_off_and_is_gone_then_was_done(server):
    server.answers = ["break off", 404]
    async with client_of(server.url) as client:
        await client.registry("example").repository("app").delete_tag("v1")
    assert len(server.seen) == 2


async def test_a_token_callable_is_asked_for_each_attempt(server):
    tokens = iter(["one", "two"])

    async def token() -> str:
        return next(tokens)

    server.answers = [503]
    async with client_of(server.url, token=token) as client:
        await client.registry("example").repository("app").delete_tag("v1")
    assert [request.headers["Authorization"] for request in server.seen] == [
        "Bearer one",
        "Bearer two",
    ]


@pytest.mark.parametrize("wrong", ["", "with space", "line\nbreak", "ünïcode", None])
async def test_a_token_callable_that_returns_nonsense_is_an_error_unsent(server, wrong):
    async def token() -> str:
        return wrong

    async with client_of(server.url, token=token) as client:
        with pytest.raises(InvalidTokenError):
            await client.registry("example").repository("app").delete_tag("v1")
    assert server.seen == []


async def test_what_a_token_callable_raises_is_told_as_a_missing_token(server):
    async def token() -> str:
        raise LookupError("no secret store")

    async with client_of(server.url, token=token) as client:
        with pytest.raises(InvalidTokenError, match=r"raised LookupError$"):
            await client.registry("example").repository("app").delete_tag("v1")
    assert server.seen == []


@virtual
async def test_a_token_callable_that_fails_for_a_while_is_asked_again_without_a_permit():
    script = Script(200)
    limiter = Permits()
    session = opened(script, limiter)
    failures = [OSError("the vault is away")] * 3

    def token() -> str:
        if failures:
            raise InvalidTokenError("raised OSError") from failures.pop()
        return "Bearer token"

    script.tokens = token
    log = RequestLog()
    await session.send(DELETE, log=log)
    assert (log.attempts, log.outcome_unknown, log.token_failures) == (1, False, 3)
    # Each permit was given back before the wait.
    assert [sent for _, sent in limiter.told] == [False, False, False, True]
    assert 0.3 <= now() <= 3.6


@virtual
async def test_a_token_callable_that_fails_for_good_is_asked_no_longer_than_the_timeout():
    script = Script(200)
    session = opened(script)

    def token() -> str:
        raise InvalidTokenError("raised OSError") from OSError("the vault is away")

    script.tokens = token
    with pytest.raises(InvalidTokenError):
        await session.send(DELETE)
    assert now() == pytest.approx(30, abs=0.2)
    assert script.sent == []


@pytest.mark.parametrize("cause", [None, KeyError("VAULT"), TypeError("no"), NameError("no")])
@virtual
async def test_a_mistake_in_a_token_callable_is_no_passing_fault(cause):
    script = Script(200)
    session = opened(script)

    def token() -> str:
        raise InvalidTokenError("no token") from cause

    script.tokens = token
    with pytest.raises(InvalidTokenError):
        await session.send(DELETE)
    assert now() < 0.01


async def test_a_policy_that_never_repeats_asks_a_token_callable_once(server):
    asked = []

    async def token() -> str:
        asked.append(1)
        raise OSError("the vault is away")

    retry = RetryPolicy(attempts=1)
    async with client_of(server.url, token=token, retry=retry) as client:
        with pytest.raises(InvalidTokenError, match=r"raised OSError$") as caught:
            await client.get_registry()
    assert asked == [1]
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_token_callable_that_does_not_return_is_given_up(server):
    retry = RetryPolicy(attempts=1)
    token = asyncio.Event().wait
    async with client_of(server.url, token=token, retry=retry, timeout=0.05) as client:
        with pytest.raises(InvalidTokenError, match=r"did not return within 0\.05 s"):
            await client.get_registry()
    assert server.seen == []


async def test_closing_the_client_turns_away_who_waits_for_quota(server):
    client = client_of(server.url, rate_limit=RateLimit(windows=((1, 60.0),)))
    await client.open()
    repository = client.registry("example").repository("app")
    await repository.delete_tag("v1")
    waiting = asyncio.ensure_future(repository.delete_tag("v2"))
    await asyncio.sleep(0)
    assert client.rate_limit_status.waiting == 1
    await client.close()
    with pytest.raises(ClientClosedError):
        await waiting
    assert len(server.seen) == 1


async def test_quota_over_sockets_is_seen_in_the_status(server):
    server.answers = [
        web.Response(
            status=204,
            headers={
                "RateLimit-Limit": "5000",
                "RateLimit-Remaining": "4000",
                "RateLimit-Reset": str(time.time() + 60),
            },
        )
    ]
    async with client_of(server.url) as client:
        await client.registry("example").repository("app").delete_tag("v1")
        assert client.rate_limit_status.server.remaining == 4000
        assert client.rate_limit_status.windows[-1].free == 4000
