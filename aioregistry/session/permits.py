"""The rule that nothing that holds a permit waits for another, and its guard.

A check runs while its request holds a permit, so that no time passes between the check and the
request. Should it need a permit as well, for docker credentials say, all permits could be held by
requests that wait for one: none would ever end. So whatever may have to wait for a permit asks
here first, and the request gives its own back before anybody waits.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

from aioregistry.errors import InvalidTokenError, RegistryError
from aioregistry.session.exchange import Verdict
from aioregistry.session.secret import Secret

__all__ = [
    "Check",
    "PermitHeldError",
    "Preparation",
    "acquire_and_check",
    "give_back_before",
    "verdict_of",
]

# Awaited before an attempt; it returns a `Verdict`, or raises, to have nothing sent.
Check = Callable[[], Awaitable[object]]
Prepare = Callable[[], Awaitable[object]]

# How often a request gives its permit back for its check before the check runs without one.
_PREPARATIONS = 3
# How long, in seconds, a check may hold a permit: what it waits for may wait for one, unseen here.
_MAX_CHECK_SECONDS = 60.0
# How old, in seconds, such a check may be when the request is sent.
_MAX_CHECK_AGE = 30.0

_HELD: ContextVar["_HeldPermit | None"] = ContextVar("_HELD", default=None)


class PermitHeldError(Exception):
    """A check that holds a permit was about to wait for another; its request begins anew."""


class _HeldPermit:
    """The permit of a request whose check runs inside this context.

    Attributes:
        is_needed_back: Whether the check was about to wait for another permit.
        prepare: What to wait for without a permit, so that the check need not wait for it; None
            where only the check itself knows.
    """

    __slots__ = ("_held", "_reset", "is_needed_back", "prepare")

    def __init__(self) -> None:
        self._held = False
        self.is_needed_back: bool = False
        self.prepare: Prepare | None = None
        self._reset: Token[_HeldPermit | None] | None = None

    def __enter__(self) -> Self:
        self._held = True
        self._reset = _HELD.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Tasks that were started inside go on, with a copy of the context, and hold nothing.
        self._held = False
        if self._reset is not None:
            _HELD.reset(self._reset)

    def need_back(self, prepare: Prepare | None) -> None:
        """Have the permit given back, by an error, unless that has happened."""
        if self._held:
            self.is_needed_back = True
            self.prepare = self.prepare or prepare
            raise PermitHeldError("a check that holds a permit would wait for another")


def give_back_before(prepare: Prepare | None = None) -> None:
    """Call this before a wait that may be for a permit, a lock of whoever waits for one included.

    Outside of checks it does nothing.

    Args:
        prepare: Does the waiting when no permit is held; None runs the whole check so.

    Raises:
        PermitHeldError: A permit is held. It is given back, `prepare` is awaited, and the request
            begins anew; nobody is to catch this.
    """
    permit = _HELD.get()
    if permit is not None:
        permit.need_back(prepare)


async def acquire_and_check(
    acquire: Callable[[], Awaitable[object]],
    give_back: Callable[[], object],
    check: Check,
    *,
    now: Callable[[], float],
) -> Verdict | None:
    """Take a permit, await a check, and return its verdict; None means that the permit is held.

    Args:
        acquire: Waits for a permit and takes it.
        give_back: Gives a permit back that was not used.
        check: The check.
        now: Returns the time, in seconds.

    A check that needs a permit for requests of its own, or takes longer than a minute, is awaited
    without one, before the wait for quota.

    Raises:
        RegistryError: The check needs quota itself, and the request's own quota came too long
            after it, three times in a row.
        Exception: Whatever the check or `acquire` raises.
    """
    for _ in range(_PREPARATIONS):
        await acquire()
        permit = _HeldPermit()
        verdict: Verdict | None = None
        checked = False
        deadline = asyncio.timeout(_MAX_CHECK_SECONDS)
        try:
            with permit:
                async with deadline:
                    verdict = verdict_of(await check())
            checked = not permit.is_needed_back
        except Exception:
            # Whatever a check makes of being stopped, it was stopped.
            if not permit.is_needed_back and not deadline.expired():
                raise
        finally:
            if verdict is not None or not checked:
                give_back()
        if checked:
            return verdict
        if not await _is_prepared(permit.prepare):
            break
    return await _check_and_acquire(acquire, give_back, check, now)


async def _is_prepared(prepare: Prepare | None) -> bool:
    if prepare is None:
        return False
    try:
        await prepare()
    except Exception:  # noqa: BLE001, the check meets it again, and knows what it means
        return False
    return True


async def _check_and_acquire(
    acquire: Callable[[], Awaitable[object]],
    give_back: Callable[[], object],
    check: Check,
    now: Callable[[], float],
) -> Verdict | None:
    """Do the same for a check that needs a permit each time: it comes before the wait for one."""
    for _ in range(_PREPARATIONS):
        verdict = verdict_of(await check())
        if verdict is not None:
            return verdict
        begun, time_of_day = now(), time.time()
        await acquire()
        # A machine that sleeps has only the time of day to show it.
        if max(now() - begun, time.time() - time_of_day) <= _MAX_CHECK_AGE:
            return None
        give_back()
    raise RegistryError(
        "the quota came too long after the check, which needs quota itself; nothing was sent"
    )


def verdict_of(checked: object) -> Verdict | None:
    """Return the verdict that a check returned, None for anything else: to go ahead."""
    return checked if isinstance(checked, Verdict) else None


class Preparation:
    """A permit, a turn to use a connection, and the authorization of one attempt.

    Args:
        take_permit: Waits for a permit, and takes it.
        give_permit_back: Gives back a permit that was not used.
        take_turn: Waits for a turn, and takes it.
        give_turn_back: Gives a turn back.
        authorize: Returns the authorization.
        now: Returns the time, in seconds.
    """

    def __init__(
        self,
        *,
        take_permit: Callable[[], Awaitable[object]],
        give_permit_back: Callable[[], object],
        take_turn: Callable[[], Awaitable[object]],
        give_turn_back: Callable[[], object],
        authorize: Callable[[], Awaitable[Secret]],
        now: Callable[[], float],
    ) -> None:
        self.authorization: Secret = Secret()
        # Why there is no authorization; then nothing is held.
        self.error: InvalidTokenError | None = None
        self._take_permit = take_permit
        self._give_permit_back = give_permit_back
        self._take_turn = take_turn
        self._give_turn_back = give_turn_back
        self._authorize = authorize
        self._now = now

    async def check(self, check: Check) -> Verdict | None:
        """Take all of it, await a check, and return its verdict; None means that all is held.

        Nothing is held with a verdict, with `error`, and after an exception.

        Raises:
            Exception: Whatever the check or a wait raises.
        """
        try:
            return await acquire_and_check(self._acquire, self._give_back, check, now=self._now)
        except InvalidTokenError as error:
            # One of the check's own requests is the check's.
            if error is not self.error:
                raise
            return None

    async def _acquire(self) -> None:
        await self._take_permit()
        try:
            await self._take_turn()
        except BaseException:
            self._give_permit_back()
            raise
        try:
            self.authorization = await self._authorize()
        except BaseException as error:
            self._give_back()
            if isinstance(error, InvalidTokenError):
                self.error = error
            raise

    def _give_back(self) -> None:
        self._give_turn_back()
        self._give_permit_back()
