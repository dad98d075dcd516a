"""A sandbox in a thread, for code without an event loop."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import Any

from aioregistry.sandbox import Sandbox

__all__ = ["running_sandbox"]


@contextmanager
def running_sandbox(sandbox: Sandbox | None = None) -> Iterator[Sandbox]:
    """Run a sandbox in a thread of its own: for blocking clients, processes, any test framework.

    Change its state only while no request is in progress: the server's thread uses it.

    Args:
        sandbox: One that does not run yet; None makes one with an empty registry ``example``.

    Yields:
        The sandbox; ``url`` and ``token`` are what a client needs.

    Raises:
        OSError: The port is taken.
    """
    running = Sandbox() if sandbox is None else sandbox
    started: Future[Callable[[], object]] = Future()
    with ThreadPoolExecutor(1, thread_name_prefix="sandbox") as thread:
        ended = thread.submit(asyncio.run, _serve(running, started))
        either: tuple[Future[Any], ...] = (started, ended)
        wait(either, return_when=FIRST_COMPLETED)
        if not started.done():
            ended.result()
        try:
            yield running
        finally:
            started.result()()
            ended.result()


async def _serve(sandbox: Sandbox, started: Future[Callable[[], object]]) -> None:
    """Run a sandbox until the function that `started` returns is called."""
    end = asyncio.Event()
    async with sandbox:
        started.set_result(partial(asyncio.get_running_loop().call_soon_threadsafe, end.set))
        await end.wait()
