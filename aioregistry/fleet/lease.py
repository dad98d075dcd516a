"""A lock that a dead process loses by itself, and writes that only its holder can make."""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self, TypeVar

from attrs import frozen
from redis.exceptions import NoScriptError

from aioregistry.cleanup.records.append import to_its_end
from aioregistry.errors import RegistryError
from aioregistry.fleet.server import (
    Connect,
    FleetServer,
    FleetServerError,
    FleetServerRefusedError,
)

__all__ = [
    "Lease",
    "LeaseLostError",
    "LeaseTakenError",
    "Write",
    "end_task",
    "run_script",
]

logger: logging.Logger = logging.getLogger("aioregistry.fleet")

T = TypeVar("T")

_SECONDS_BETWEEN_ATTEMPTS = 0.2
_RENEWALS_IN_A_LEASE = 4
_SECONDS_TO_RELEASE = 5.0
_LOST, _CHANGED = 0, 2
# Writes to all keys but the first two, or to none: only while the first has the holder's token, and
# the second, if it is watched, what the holder knows. A write whose answer was lost is sent again.
_SCRIPT = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('pexpire', KEYS[1], ARGV[2])
if ARGV[3] == 'watched' then
  local found = redis.call('get', KEYS[2])
  if found ~= ARGV[4] then
    return found == ARGV[5] and 1 or 2
  end
end
for nth = 3, #KEYS do
  local at = 3 * nth - 3
  if ARGV[at] == 'append' then
    redis.call('rpush', KEYS[nth], ARGV[at + 1])
  else
    redis.call('set', KEYS[nth], ARGV[at + 1])
  end
  if tonumber(ARGV[at + 2]) > 0 then
    redis.call('expire', KEYS[nth], ARGV[at + 2])
  end
end
return 1
"""
_RELEASE = """
if redis.call('get', KEYS[1]) == ARGV[1] then
  redis.call('del', KEYS[1])
end
return 0
"""


class LeaseTakenError(RegistryError):
    """Another process has the lease."""


class LeaseLostError(RegistryError):
    """The lease is no longer this process's: it was silent for too long, and another may have it.

    Nothing was written.
    """


@frozen
class Write:
    """One write under a lease.

    Attributes:
        key: What is written to.
        value: The new value, or what is appended to a list.
        append: Whether it is appended. False by default.
        seconds: After how many seconds without a further write the key is forgotten; 0, the
            default, for never.
    """

    key: str
    value: bytes
    append: bool = False
    seconds: int = 0


class Lease:
    """A lock on a server, for one holder at a time.

    It is renewed while its holder lives. A holder that is killed loses it after `seconds`. So does
    one that stands still for longer; when it goes on, its writes are refused (`LeaseLostError`):
    what another has done meanwhile is never written over.

    ``async with Lease(connect, key) as lease`` takes it and gives it back.

    Args:
        connect: Opens a client of Redis or Valkey.
        key: The lock's key.
        seconds: For how long it lasts without being renewed; 20 by default.

    Raises:
        LeaseTakenError: Another process has it.
        FleetServerError: The server is away, or refuses.
    """

    def __init__(self, connect: Connect, key: str, seconds: float = 20.0) -> None:
        self._server = FleetServer(connect, was_reached=True)
        self.key = key
        self.seconds = seconds
        self._milliseconds = str(round(1000 * seconds))
        self._token = f"{secrets.token_hex(16)}:{self._milliseconds}"
        self._renewing: asyncio.Task[None] | None = None
        self._watched: tuple[str, bytes] | None = None

    async def __aenter__(self) -> Self:
        async with self._server.asked() as server:
            taken = await server.set(self.key, self._token, nx=True, px=int(self._milliseconds))
            if not taken:
                await self._limit_others(server)
        if not taken:
            raise LeaseTakenError(f"{self.key}: another process has this lease")
        self._renewing = asyncio.create_task(self._renew(), name=f"lease {self.key}")
        return self

    async def _limit_others(self, server: Any) -> None:
        """See to it that a lease of another lasts for no longer than its holder meant.

        It does when the server's clock has stepped back since, as after a failover.
        """
        holder, left = await server.get(self.key) or b"", await server.ttl(self.key)
        # Others may have been given another length, and those of older versions do not say theirs.
        _, _, meant = holder.partition(b":")
        if meant.isdigit() and 1000 * (left - 1) > int(meant):
            await run_script(server, _SCRIPT, [self.key, self.key], [holder, meant, "", b"", b""])

    async def __aexit__(self, *_: object) -> None:
        # Who is cancelled here would keep others waiting until it ends by itself.
        await to_its_end(asyncio.create_task(self._release(), name=f"release {self.key}"))

    async def _release(self) -> None:
        if self._renewing is not None:
            await end_task(self._renewing)
        # Without a server it ends by itself.
        with suppress(FleetServerError):
            seconds = min(self.seconds, _SECONDS_TO_RELEASE)
            async with self._server.asked(seconds) as server:
                await run_script(server, _RELEASE, [self.key], [self._token])

    async def read(self, key: str, first: int = 0, last: int = -1) -> list[bytes]:
        """Return the parts of a list: all of them by default."""

        async def ask(server: Any) -> list[bytes]:
            found: list[bytes] = await server.lrange(key, first, last)
            return found

        return await self._insist(ask)

    async def get(self, key: str) -> bytes | None:
        """Return a value; None where there is none."""

        async def ask(server: Any) -> bytes | None:
            found: bytes | None = await server.get(key)
            return found

        return await self._insist(ask)

    async def watch(self, key: str) -> bytes | None:
        """Return a value, and from now on write only while nobody else has changed it.

        It may be written by this lease, and by others without it; one value is watched at a time,
        and none where there is none.
        """
        found = await self.get(key)
        self._watched = None if found is None else (key, found)
        return found

    async def write(self, *writes: Write) -> None:
        """Write all of it or nothing, and renew the lease.

        While the server is away it is tried again for as long as the lease lasts.

        Raises:
            LeaseLostError: The lease is no longer this process's; or the answer came so late that
                it may be another's by now; or what is watched was changed.
            FleetServerError: The server was away for longer than the lease lasts, or refuses.
        """
        await self._send(writes, self._watched)

    async def _send(self, writes: tuple[Write, ...], watched: tuple[str, bytes] | None) -> None:
        key, known = watched or (self.key, b"")
        new = next((each.value for each in writes if each.key == key), known)
        arguments: list[bytes | str] = [self._token, self._milliseconds]
        arguments += ["" if watched is None else "watched", known, new]
        for each in writes:
            arguments += ["append" if each.append else "set", each.value, str(each.seconds)]
        keys = [self.key, key, *(each.key for each in writes)]
        clock = asyncio.get_running_loop().time

        async def send(server: Any) -> tuple[float, int]:
            begun = clock()
            return begun, await run_script(server, _SCRIPT, keys, arguments)

        begun, answer = await self._insist(send)
        if answer == _LOST:
            raise LeaseLostError(f"{self.key}: the lease was lost to another process, or ran out")
        if answer == _CHANGED:
            raise LeaseLostError(f"{key}: somebody has changed it meanwhile")
        if watched is not None:
            self._watched = (key, new)
        # A process that stood still between question and answer no longer knows that it is its own.
        if clock() - begun > self.seconds / 2:
            raise LeaseLostError(f"{self.key}: the answer came too late, the lease may be over")

    async def _insist(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        """Ask the server, again and again while it is away, for as long as the lease lasts."""
        clock = asyncio.get_running_loop().time
        end = clock() + self.seconds
        while True:
            try:
                async with self._server.asked(self.seconds) as server:
                    return await ask(server)
            except FleetServerRefusedError:
                raise
            except FleetServerError as error:
                if clock() >= end:
                    raise
                logger.debug("%s: the server is away: %s", self.key, error)
                await asyncio.sleep(_SECONDS_BETWEEN_ATTEMPTS)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self.seconds / _RENEWALS_IN_A_LEASE)
            # Whoever writes next is told.
            with suppress(RegistryError):
                await self._send((), None)


async def end_task(task: asyncio.Task[Any], seconds: float = 1.0) -> None:
    """Cancel a task, and wait until it has ended.

    A cancellation that comes in the same step as an answer of the server may be lost in its client:
    it is repeated.

    Args:
        task: The task.
        seconds: After how many seconds it is cancelled again; 1 by default.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=seconds)


async def run_script(
    server: Any, script: str, keys: list[str], arguments: list[bytes | str]
) -> int:
    """Run a script on a server, which need not know it yet, and return its number."""
    name = hashlib.sha1(script.encode()).hexdigest()  # noqa: S324, Redis names scripts so
    try:
        found = await server.evalsha(name, len(keys), *keys, *arguments)
    except NoScriptError:
        found = await server.eval(script, len(keys), *keys, *arguments)
    return int(found)
