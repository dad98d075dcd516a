"""Questions to an event loop's objects from other threads."""

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import TypeVar

from aioregistry.errors import ClientClosedError

__all__ = ["call_in_loop"]

T = TypeVar("T")
_MAX_SECONDS = 10.0


def call_in_loop(loop: asyncio.AbstractEventLoop | None, function: Callable[[], T]) -> T:
    """Call a function in an event loop, and return what it returns.

    In the loop's own thread it is called at once; any other thread waits.

    Args:
        loop: The loop; None where there is none yet.
        function: The function; it must not wait for anything.

    Raises:
        ClientClosedError: The loop does not run, or does nothing else than run code that blocks:
            the function was not called, and will not be.
        Exception: Whatever the function raises.
    """
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if running is not None and (loop is None or running is loop):
        return function()
    if loop is None or not loop.is_running():
        raise ClientClosedError(
            "the client's event loop does not run: ask from inside 'async with RegistryClient()'"
        )
    asked: concurrent.futures.Future[T] = concurrent.futures.Future()
    try:
        loop.call_soon_threadsafe(_answer, asked, function)
        return asked.result(_MAX_SECONDS)
    except TimeoutError:
        if not asked.cancel():
            # It is being called just now, or raised this itself.
            return asked.result()
        why = f"the client's event loop has not answered within {_MAX_SECONDS:g} s"
    except RuntimeError as error:
        if not loop.is_closed():
            raise
        why = str(error)
    raise ClientClosedError(why)


def _answer(asked: concurrent.futures.Future[T], function: Callable[[], T]) -> None:
    # Whoever asked may have given up.
    if asked.set_running_or_notify_cancel():
        try:
            asked.set_result(function())
        except BaseException as error:  # noqa: BLE001, raised in the thread that asks
            asked.set_exception(error)
