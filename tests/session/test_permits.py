"""Nothing that holds a permit waits for another: checks give their request's back before."""

import asyncio
import time

import pytest

from aioregistry.errors import NotFoundError, RegistryError
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import RateLimit
from aioregistry.session.exchange import RequestLog, Verdict
from aioregistry.session.permits import (
    PermitHeldError,
    Preparation,
    acquire_and_check,
    give_back_before,
)
from aioregistry.session.retry import RetryPolicy
from aioregistry.session.secret import Secret
from aioregistry.session.session import Session
from tests.ratelimit.strict_server import DELETE, virtual
from tests.session.test_session import GET, Script, now, opened

ONE_A_MINUTE = RateLimit(windows=((1, 60.0),))
TWO_A_MINUTE = RateLimit(windows=((2, 60.0),))


def limited(script: Script, rate_limit: RateLimit) -> Session:
    return opened(script, WindowLimiter(rate_limit))


def free(session: Session) -> int:
    limiter = session._limiter
    assert isinstance(limiter, WindowLimiter)
    return limiter.status.windows[0].free


@virtual
async def test_a_verdict_ends_a_request_unsent():
    script = Script(204)
    session = limited(script, ONE_A_MINUTE)
    log = RequestLog()
    drifted = Verdict("drifted", "the tag v1 moved")

    async def check() -> Verdict:
        return drifted

    assert await session.send(DELETE, log=log, check=check) == b""
    assert (log.verdict, log.attempts, log.outcome_unknown) == (drifted, 0, False)
    assert script.sent == []
    assert free(session) == 1


@pytest.mark.parametrize("value", [None, True, "sha256:…"])
@virtual
async def test_what_is_no_verdict_means_go(value):
    script = Script(204)

    async def check() -> object:
        return value

    await limited(script, ONE_A_MINUTE).send(DELETE, check=check)
    assert len(script.sent) == 1


@virtual
async def test_a_verdict_after_an_attempt_leaves_known_that_there_was_one():
    verdicts = [None, Verdict("gone")]

    async def check() -> object:
        return verdicts.pop(0)

    log = RequestLog()
    await opened(Script(500)).send(DELETE, log=log, check=check)
    assert (log.verdict, log.attempts, log.outcome_unknown) == (Verdict("gone"), 1, True)


@virtual
async def test_what_a_check_raises_gives_the_permit_back():
    script = Script(204)
    session = limited(script, ONE_A_MINUTE)

    async def check() -> None:
        raise NotFoundError("gone")

    with pytest.raises(NotFoundError):
        await session.send(DELETE, check=check)
    assert script.sent == []
    assert free(session) == 1


@virtual
async def test_a_check_that_is_cancelled_gives_the_permit_back():
    session = limited(Script(204), ONE_A_MINUTE)
    sending = asyncio.ensure_future(session.send(DELETE, check=asyncio.Event().wait))
    await asyncio.sleep(1)
    assert free(session) == 0
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert free(session) == 1


class Credentials:
    """What a check needs, and a request of the same session brings, one at a time for all."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.lock = asyncio.Lock()
        self.held = False
        self.looks: list[float] = []

    async def fetch(self) -> None:
        async with self.lock:
            if not self.held:
                await self.session.send(GET)
                self.held = True

    async def check(self) -> None:
        if not self.held:
            give_back_before(self.fetch)
            await self.fetch()
        self.looks.append(now())


@virtual
async def test_checks_that_need_a_request_do_not_hold_what_it_waits_for():
    script = Script(200)
    session = limited(script, TWO_A_MINUTE)
    credentials = Credentials(session)
    async with asyncio.timeout(600):
        await asyncio.gather(
            *(session.send(DELETE, priority="bulk", check=credentials.check) for _ in range(3))
        )
    assert [request.method for _, request, _ in script.sent] == ["GET", *["DELETE"] * 3]
    # Each right before its DELETE.
    assert credentials.looks == [at for at, request, _ in script.sent if request is DELETE]


@virtual
async def test_a_check_that_hides_that_it_was_stopped_was_stopped():
    script = Script(200)
    session = limited(script, ONE_A_MINUTE)
    credentials = Credentials(session)

    async def check() -> None:
        try:
            await credentials.check()
        except PermitHeldError:
            raise NotFoundError("what else could it be?") from None

    async with asyncio.timeout(600):
        await session.send(DELETE, check=check)
    assert [request.method for _, request, _ in script.sent] == ["GET", "DELETE"]


@virtual
async def test_a_check_that_sends_requests_runs_before_the_wait_for_quota():
    script = Script(200)
    session = limited(script, RateLimit(windows=((2, 20.0),)))

    async def check() -> None:
        await session.send(GET)

    async with asyncio.timeout(600):
        await asyncio.gather(*(session.send(DELETE, check=check) for _ in range(4)))
    sent = [request.method for _, request, _ in script.sent]
    assert sent.count("DELETE") == 4


@virtual
async def test_what_a_check_found_long_ago_is_not_acted_on():
    script = Script(200)
    session = limited(script, ONE_A_MINUTE)

    async def check() -> None:
        await session.send(GET)

    with pytest.raises(RegistryError, match="nothing was sent"):
        await session.send(DELETE, check=check)
    assert [request.method for _, request, _ in script.sent] == ["GET"] * 3
    await asyncio.sleep(60)
    assert free(session) == 1


async def test_what_a_check_found_before_the_machine_slept_is_not_acted_on(monkeypatch):
    """By the clock of the event loop no time passes while it sleeps."""
    day = 0.0
    monkeypatch.setattr(time, "time", lambda: day)
    looks, given_back = [], []

    async def acquire() -> None:
        nonlocal day
        if len(looks) == 1:
            day += 3600

    async def check() -> None:
        give_back_before()
        looks.append(day)

    await acquire_and_check(acquire, lambda: given_back.append(day), check, now=lambda: 0.0)
    assert looks == [0, 3600]
    assert len(given_back) == 2


@virtual
async def test_a_check_that_always_needs_something_ends():
    script = Script(200)
    session = limited(script, ONE_A_MINUTE)
    prepared = []

    async def prepare() -> None:
        prepared.append(now())

    async def check() -> None:
        give_back_before(prepare)

    await session.send(DELETE, check=check)
    assert len(prepared) == 3
    assert len(script.sent) == 1


@virtual
async def test_a_check_that_waits_for_what_nobody_sees_holds_its_permit_for_a_minute_at_most():
    script = Script(200)
    session = limited(script, ONE_A_MINUTE)
    lock = asyncio.Lock()

    async def other() -> None:
        async with lock:
            await session.send(GET)

    async def check() -> None:
        async with lock:
            pass

    await session.send(GET)
    deleting = asyncio.ensure_future(session.send(DELETE, check=check))
    await asyncio.sleep(59)
    # Who holds the lock waits behind the DELETE, which gets the only permit and then the lock.
    await asyncio.gather(other(), deleting)
    assert [request.method for _, request, _ in script.sent] == ["GET", "GET", "DELETE"]


@virtual
async def test_a_timeout_that_a_check_raises_is_its_own():
    async def check() -> None:
        raise TimeoutError("of the check")

    with pytest.raises(TimeoutError, match="of the check"):
        await limited(Script(200), ONE_A_MINUTE).send(DELETE, check=check)


@virtual
async def test_a_task_that_outlives_its_check_holds_nothing():
    session = limited(Script(200), ONE_A_MINUTE)
    begun = []

    async def later() -> None:
        await asyncio.sleep(1)
        give_back_before()
        await session.send(GET)

    async def check() -> None:
        begun.append(asyncio.ensure_future(later()))

    await session.send(DELETE, check=check)
    await begun[0]


@virtual
async def test_a_wait_for_quota_while_a_permit_is_held_is_an_error():
    session = limited(Script(200), ONE_A_MINUTE)
    ended = []

    async def check() -> None:
        try:
            await session.send(GET)
        except PermitHeldError as error:
            ended.append(type(error))
            raise
        ended.append(None)

    with pytest.raises(RegistryError):
        await session.send(DELETE, check=check)
    assert ended == [PermitHeldError, None, None, None]


@virtual
async def test_without_a_limiter_nobody_holds_a_permit():
    script = Script(200)
    session = opened(script, None, RetryPolicy())

    async def check() -> None:
        give_back_before()
        await session.send(GET)

    await session.send(DELETE, check=check)
    assert [request.method for _, request, _ in script.sent] == ["GET", "DELETE"]


@pytest.mark.parametrize("ends_at", ["turn", "authorization", "check"])
async def test_a_preparation_that_ends_half_way_holds_nothing(ends_at):
    held: list[str] = []

    def step(name: str):
        async def take() -> Secret:
            if name == ends_at:
                raise RegistryError("a wait that ends without what it was for")
            held.append(name)
            return Secret()

        return take

    preparation = Preparation(
        take_permit=step("permit"),
        give_permit_back=lambda: held.remove("permit"),
        take_turn=step("turn"),
        give_turn_back=lambda: held.remove("turn"),
        authorize=step("authorization"),
        now=lambda: 0.0,
    )
    with pytest.raises(RegistryError, match="without what"):
        await preparation.check(step("check"))
    assert {"permit", "turn"}.isdisjoint(held)
