"""A fleet's engine on a virtual clock: its server and pydocket's worker are moved by it, too."""

import asyncio
import queue
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from unittest import mock

from burner_redis import BurnerRedis, PubSub

_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_BETWEEN_MESSAGES = 1.0


class _Datetime(datetime):
    """Now is when `time.time` says, which a virtual clock patches."""

    @classmethod
    def now(cls, _: object = None) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)


async def _xreadgroup(self: BurnerRedis, *, block: int = 0, **options):
    """Wait by the loop's clock, not in a thread by the machine's."""
    loop = asyncio.get_running_loop()
    end = loop.time() + block / 1000
    while True:
        found = await _usual_xreadgroup(self, **options)
        left = end - loop.time()
        if found or left <= 0:
            return found
        await asyncio.sleep(min(left, _SECONDS_BETWEEN_LOOKS))


async def _queue_get(self: PubSub, timeout: float | None) -> object:
    """Wait for a message by the loop's clock, not in a thread by the machine's."""
    loop = asyncio.get_running_loop()
    end = None if timeout is None else loop.time() + timeout
    while True:
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            if end is not None and loop.time() >= end:
                return None
        await asyncio.sleep(_SECONDS_BETWEEN_MESSAGES)


async def _set(self: BurnerRedis, name, value, *, px: int | None = None, **options):
    """Forget a key by the loop's clock, if it is one that nobody renews."""
    if px is None or ":tick:" not in name:
        return await _usual_set(self, name, value, px=px, **options)
    if done := await _usual_set(self, name, value, **options):
        asyncio.get_running_loop().call_later(px / 1000, lambda: self.delete(name))
    return done


_usual_xreadgroup = BurnerRedis.xreadgroup
_usual_set = BurnerRedis.set


@contextmanager
def virtual_engine() -> Iterator[None]:
    """Have ``memory://`` and pydocket live by the virtual clock of the loop and of `time.time`."""
    with ExitStack() as stack:
        for module in ("execution", "worker", "docket"):
            stack.enter_context(mock.patch(f"docket.{module}.datetime", _Datetime))
        stack.enter_context(mock.patch.object(BurnerRedis, "xreadgroup", _xreadgroup))
        stack.enter_context(mock.patch.object(BurnerRedis, "set", _set))
        stack.enter_context(mock.patch.object(PubSub, "_queue_get", _queue_get))
        yield
