"""Where a work is ended at one of its suspensions, and what must hold from then on."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field

from aioregistry import RegistryClient, RetryPolicy
from aioregistry.cleanup import Distribution, DistributionWriter
from aioregistry.client.registry import RegistryHandle
from aioregistry.client.repository import RepositoryHandle
from aioregistry.sandbox import Phases, Sandbox
from tests.faults.suspension import AtSuspension

QUICK = RetryPolicy(attempts=2, backoff=0.001, cap=0.01)
NAMES = tuple(f"pr-{number}" for number in range(3))
# What each way to end a work raises from it.
WAYS: dict[str, type[BaseException]] = {
    "cancelled": asyncio.CancelledError,
    "timed out": TimeoutError,
    "interrupted": KeyboardInterrupt,
    "cancelled again while it ends": asyncio.CancelledError,
    "cancelled with all tasks": asyncio.CancelledError,
}

Reader = TypeVar("Reader", bound=Distribution)


@define(eq=False)
class Stage:
    """A sandbox with four tags, a client and a reader of manifests, on one event loop.

    Attributes:
        folder: Where files may be written; its name is used once.
        redis_port: Where a Redis is.
        all_tasks: Whether all tasks are cancelled with the work.
        clients: All clients that a work has made.
        sent: How many requests were begun.
        held: Connections that were in use when the work had ended.
    """

    folder: Path
    redis_port: int
    all_tasks: bool
    sandbox: Sandbox = field(init=False)
    client: RegistryClient = field(init=False)
    distribution: Distribution = field(init=False)
    clients: list[RegistryClient] = field(factory=list)
    sent: int = 0
    held: list[Any] = field(factory=list)
    _distributions: list[Distribution] = field(factory=list)
    _tasks: set[asyncio.Task[Any]] = field(factory=set)

    async def set_up(self) -> None:
        """Start everything."""
        self.sandbox = Sandbox()
        self.sandbox.state.phases = Phases(*[0.0] * 6)
        for name in [*NAMES, "main"]:
            self.sandbox.state.push("example", "web", [name])
        await self.sandbox.start()
        self.client = await self.another_client().open()
        self.distribution = await self.another_distribution().open()
        self._tasks = asyncio.all_tasks()

    def another_client(self, **options: Any) -> RegistryClient:
        """Return a client of the sandbox, not open yet."""
        given: dict[str, Any] = {"token": self.sandbox.token, "per_page": 2, "retry": QUICK}
        client = RegistryClient(base_url=self.sandbox.url, **(given | options))
        client._session._transport.attempt = self._counting(client._session._transport.attempt)
        self.clients.append(client)
        return client

    def another_distribution(self) -> Distribution:
        """Return a reader of the sandbox's manifests, not open yet."""
        return self._on_the_registry(Distribution)

    def another_writer(self) -> DistributionWriter:
        """Return a writer of the sandbox's manifests, not open yet."""
        return self._on_the_registry(DistributionWriter)

    def _on_the_registry(self, kind: type[Reader]) -> Reader:
        distribution = kind(self.registry, base_url=self.sandbox.url, retry=QUICK)
        transport = distribution._transport
        transport.attempt = self._counting(transport.attempt)
        self._distributions.append(distribution)
        return distribution

    @property
    def registry(self) -> RegistryHandle:
        """The registry."""
        return self.client.registry("example")

    @property
    def web(self) -> RepositoryHandle:
        """The repository with the tags."""
        return self.registry.repository("web")

    @property
    def tags(self) -> set[str]:
        """The tags that are there."""
        if "web" not in self.sandbox.state.registries["example"].repositories:
            return set()
        return set(self.sandbox.state.tag_names("example", "web"))

    def left(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that were not there before, the sandbox's aside."""
        return [
            task
            for task in asyncio.all_tasks() - self._tasks - {asyncio.current_task()}
            if not is_of_server(task)
        ]

    async def check(self) -> None:
        """Check that nothing is held or goes on after an end."""
        sent = self.sent
        # Connections that are cut need a turn or two of the loop to notice.
        for _ in range(10):
            await asyncio.sleep(0)
        # What ends by itself, as with the answer of Redis, may take as long as a busy machine does.
        if left := self.left():
            await asyncio.wait(left, timeout=60.0)
        assert not self.left(), f"tasks are left: {self.left()}"
        for client in self.clients:
            if client._own_limiter is not None:
                held = {window.in_flight for window in client._own_limiter._quota.windows}
                assert held == {0}, "a permit is held"
                assert client._own_limiter.status.waiting == 0, "somebody waits for quota"
        assert not self.held, "a connection is held"
        assert self.sent == sent, "a request was sent after the end"

    def note(self, loop: asyncio.AbstractEventLoop) -> None:
        """Note what is held by no task; while an exception still has all that it came through."""
        if any(not is_of_server(task) for task in asyncio.all_tasks(loop) - self._tasks):
            # A walk that may go on has pages under way.
            return
        sessions = [
            *(client._session._transport._http for client in self.clients),
            *(distribution._transport._http for distribution in self._distributions),
        ]
        for http in sessions:
            if http is not None and not http.closed:
                self.held += [*http.connector._acquired]

    async def tear_down(self) -> None:
        """Close everything, and check that it is."""
        for each in (*self.clients, *self._distributions):
            await each.close()
        end = asyncio.get_running_loop().time() + 60.0
        while self.sandbox._runner.server.connections and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.005)
        assert not self.sandbox._runner.server.connections, "a connection is open"
        await self.sandbox.stop()
        assert not self.left(), "tasks are left"

    def _counting(self, send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(*arguments: Any, **options: Any) -> Any:
            self.sent += 1
            return await send(*arguments, **options)

        return counted


# Sets something up, yields what is to be ended, and checks what came of it.
Work = Callable[[Stage], AsyncGenerator[Awaitable[Any]]]


def end(work: Work, nth: int, way: str, folder: Path, redis_port: int) -> bool:
    """End a work at its n-th suspension, check what is left, and return whether it came so far."""
    stage = Stage(folder, redis_port, way == "cancelled with all tasks")
    with same_files(), asyncio.Runner() as runner:
        complaints: list[dict[str, Any]] = []
        runner.get_loop().set_exception_handler(lambda _, said: complaints.append(said))
        runner.run(stage.set_up())
        scene = work(stage)
        at, came = _run(runner, runner.run(_next(scene)), nth, way, stage)
        # What ends in the same turn of the loop in which its time is up, has ended in time.
        expected = {WAYS[way], *([None] if way == "timed out" else [])} if at.reached else {None}
        assert came in expected
        runner.run(stage.check())
        runner.run(_finish(scene))
        runner.run(stage.tear_down())
        assert not complaints
    return at.reached


def _run(
    runner: asyncio.Runner,
    work: Awaitable[Any],
    nth: int,
    way: str,
    stage: Stage,
) -> tuple[AtSuspension, type[BaseException] | None]:
    at: AtSuspension

    async def main() -> None:
        nonlocal at
        async with asyncio.timeout(None) as deadline:
            again = way == "cancelled again while it ends"
            at = AtSuspension(work, nth, _act(way, deadline), again=again)
            await at

    try:
        runner.run(main())
    except (asyncio.CancelledError, TimeoutError, KeyboardInterrupt) as error:
        stage.note(runner.get_loop())
        # Not itself: it would hold on to all that the work had at hand.
        return at, type(error)
    return at, None


def _act(way: str, deadline: asyncio.Timeout) -> Callable[[], object]:
    match way:
        case "timed out":
            loop = asyncio.get_running_loop()
            return lambda: deadline.reschedule(loop.time())
        case "interrupted":
            return lambda: signal.raise_signal(signal.SIGINT)
        case "cancelled with all tasks":
            return _cancel_all
    task = asyncio.current_task()
    assert task is not None
    return task.cancel


def _cancel_all() -> None:
    """Cancel all tasks, as `asyncio.run` does at its end, but the sandbox's."""
    for task in asyncio.all_tasks():
        if not is_of_server(task):
            task.cancel()


def is_of_server(task: asyncio.Task[Any]) -> bool:
    """Return whether a task is one of aiohttp's servers."""
    return getattr(task.get_coro(), "__qualname__", "").startswith("RequestHandler.")


async def _next(scene: AsyncGenerator[Awaitable[Any]]) -> Awaitable[Any]:
    return await anext(scene)


async def _finish(scene: AsyncGenerator[Awaitable[Any]]) -> None:
    assert await anext(scene, None) is None


@contextmanager
def same_files() -> Iterator[None]:
    """Check that as many files and sockets are open after the block as before it."""
    before = _open_files()
    yield
    assert _open_files() == before, "a file or socket is open"


def _open_files() -> list[str]:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return []
    found = []
    for one in folder.iterdir():
        try:
            found.append(f"{one.name} {os.readlink(one)}")  # noqa: PTH115, it is no path
        except FileNotFoundError:  # the folder itself
            continue
    return sorted(found)
