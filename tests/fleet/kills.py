"""A fleet whose workers and whose server are killed while it works."""

import asyncio
import os
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from random import Random

from attrs import define, field, frozen

from aioregistry.fleet import FleetEngine, FleetServerError, Run
from aioregistry.fleet.server import valkey_program
from aioregistry.sandbox import Limits
from tests.fleet.fleets import (
    addresses_of,
    collections,
    fleet_of,
    sandbox_of,
    wrong_repositories,
)

SCALE = 60.0


@frozen
class Casualties:
    """What happens to a fleet while it works."""

    kills: int = 3
    server: bool = True
    pauses: bool = False


@define
class Told:
    """What came of it."""

    registries: int
    seconds: float = 0.0
    wrong: list[str] = field(factory=list)
    rejected: int = 0
    requests: int = 0
    collections: dict[str, int] = field(factory=dict)
    incomplete: list[str] = field(factory=list)
    happened: list[str] = field(factory=list)

    @property
    def is_right(self) -> bool:
        once = {f"reg{nth}": 1 for nth in range(self.registries)}
        return not (self.wrong or self.rejected or self.incomplete) and self.collections == once

    def __str__(self) -> str:
        twice = {name: count for name, count in self.collections.items() if count != 1}
        return (
            f"{'right' if self.is_right else 'WRONG'} after {self.seconds:.1f} s:"
            f" {len(self.collections)} of {self.registries} collected, {len(self.wrong)} wrong"
            f" repositories {self.wrong[:3]}, {self.rejected} of 429s among {self.requests:,}"
            f" requests, not once {twice}, incomplete {self.incomplete}; {', '.join(self.happened)}"
        )


class Valkey:
    """A server that keeps what it knows, on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://{folder}/valkey.sock"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        options = ("--port", "0", "--unixsocket", f"{self._folder}/valkey.sock")
        kept = ("--appendonly", "yes", "--save", "", "--dir", str(self._folder))
        self._process = await asyncio.create_subprocess_exec(
            str(valkey_program()), *options, *kept, stdout=asyncio.subprocess.DEVNULL
        )
        while True:
            try:
                _, writer = await asyncio.open_unix_connection(f"{self._folder}/valkey.sock")
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()


class Workers:
    """Processes that work."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.running: list[asyncio.subprocess.Process] = []

    async def start(self, count: int) -> None:
        for _ in range(count):
            self.running.append(
                await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "tests.fleet.worker", *self._arguments),
                    cwd=Path(__file__).parents[2],
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=None if os.environ.get("FLEET_DEBUG") else asyncio.subprocess.DEVNULL,
                )
            )

    async def end(self) -> None:
        for one in self.running:
            if one.returncode is None:
                one.kill()
        await asyncio.gather(*(one.wait() for one in self.running))


async def clean_among_kills(
    seed: int,
    registries: int = 20,
    workers: int = 4,
    images: int = 12,
    *,
    casualties: Casualties,
    seconds: float = 600.0,
) -> Told:
    """Clean registries while workers and the server are killed at random moments."""
    random, told, begun = Random(seed), Told(registries), time.monotonic()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
        sandbox = await stack.enter_async_context(
            sandbox_of(registries, 4, images, limits=Limits(scale=SCALE))
        )
        server = Valkey(folder)
        await server.start()
        stack.push_async_callback(server.kill)
        fleet = fleet_of(folder, registries)
        engine = await stack.enter_async_context(
            FleetEngine(fleet, server.url, addresses=addresses_of(sandbox))
        )
        await engine.begin(fleet.registries)
        crew = Workers(server.url, sandbox.url, str(folder), str(registries), str(SCALE))
        stack.push_async_callback(crew.end)
        await crew.start(workers)
        harm = asyncio.create_task(_harm(random, sandbox, crew, server, casualties, told))
        try:
            async with asyncio.timeout(seconds):
                while not harm.done() or not await _have_ended(engine):
                    await asyncio.sleep(0.3)
        except TimeoutError:
            harm.cancel()
            told.happened.append(f"not at its end after {seconds:g} s")
        with suppress(asyncio.CancelledError):
            await harm
        runs = await engine.runs()
        for name, run in runs.items():
            assert isinstance(run, Run)
            report = await engine.store.report(run)
            plan = await engine.store.plan(run)
            done = 0 if report is None else len(report.deleted) + len(report.absent)
            planned = -1 if plan is None else sum(1 for _ in plan.condemned)
            if run.result != "done" or report is None or not report.done or done != planned:
                told.incomplete.append(
                    f"{name}: {run.phase} {run.slices}.{run.attempt} {run.result} {run.error}"
                    f" {done} of {planned}"
                )
        told.wrong = wrong_repositories(sandbox)
        told.rejected, told.requests = sandbox.rejected_count, sandbox.request_count
        told.collections = dict(collections(sandbox))
    told.seconds = time.monotonic() - begun
    return told


async def _harm(random, sandbox, crew, server, casualties, told) -> None:
    """Kill or pause workers, one after the other, and the server in between."""
    total = sum(
        len(repository.tags)
        for registry in sandbox.state.registries.values()
        for repository in registry.repositories.values()
    )

    def deleted() -> int:
        return sum(
            one.method == "DELETE" and one.status == 204 and "/digests/" in one.raw_path
            for one in sandbox.requests
        )

    moments = sorted(random.uniform(0.02, 0.7) for _ in range(casualties.kills + 1))
    order = ["worker"] * min(casualties.kills, len(crew.running) - 1) + [
        "server"
    ] * casualties.server
    random.shuffle(order)
    victims = random.sample(range(len(crew.running)), len(crew.running) - 1)
    for moment, what in zip(moments, order, strict=False):
        while deleted() < moment * total:
            await asyncio.sleep(0.05)
        at = f"at {deleted()} deletes"
        if what == "server":
            await server.kill()
            await asyncio.sleep(random.uniform(0.1, 1.5))
            await server.start()
        elif casualties.pauses:
            victim = crew.running[victims.pop()]
            victim.send_signal(signal.SIGSTOP)
            # For longer than its leases last.
            await asyncio.sleep(random.uniform(3.5, 6))
            victim.send_signal(signal.SIGCONT)
        else:
            crew.running[victims.pop()].kill()
        told.happened.append(f"{what} {at}")


async def _have_ended(engine: FleetEngine) -> bool:
    try:
        runs = (await engine.runs()).values()
    except FleetServerError:
        return False
    return all(isinstance(run, Run) and run.phase == "ended" for run in runs)
