"""Inside services: one quota for several processes, and people beside a job on one token."""

import asyncio
import contextlib
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from attrs import frozen

from aioregistry.sandbox import Limits, Sandbox
from benchmarks.effort import Effort
from benchmarks.ports import free_port
from benchmarks.results import Row, Section, Target
from benchmarks.sharing import RedisServer, Worker, redis_is_there
from benchmarks.simulate import best_possible

__all__ = ["Service", "inside_services", "running"]

_ROOT = Path(__file__).parent.parent
_EXAMPLES = _ROOT / "examples"
_PATH = os.pathsep.join([str(_EXAMPLES), str(_ROOT)])

_WORKERS = 8
_SHARED_SCALE = 20.0
_JOB_SCALE = 60.0
_PEOPLE = 500
_START_SECONDS = 120.0
_NOTE = (
    f"{_WORKERS} processes delete as many tags each on one token, whose quota they share through "
    f"Redis; the sandbox is strict, with time {_SHARED_SCALE:g} times faster. Shares are counted "
    "while there is not enough for all. In a run of its own two processes are killed and "
    "Redis is restarted empty. Then the service of examples/, with time "
    f"{_JOB_SCALE:g} times faster: {_PEOPLE} requests at once, each of which asks the API, alone "
    "and while a job deletes on the same token."
)


@frozen
class Service:
    """A process that serves."""

    process: asyncio.subprocess.Process
    http: aiohttp.ClientSession

    async def stop(self) -> tuple[int, str]:
        """Send SIGTERM, and return the exit code and what it wrote to stderr."""
        self.process.terminate()
        _, errors = await self.process.communicate()
        return self.process.returncode or 0, errors.decode()


@asynccontextmanager
async def running(
    folder: Path, *command: str, port: int | None = None, **environment: str
) -> AsyncIterator[Service]:
    """Run one of the services in ``examples/``; warnings are errors.

    Args:
        folder: Where it works.
        port: Its port; None (the default) for a free one.
        command: What Python is to run, in which ``PORT`` stands for a free port.
        environment: What is added to the environment.
    """
    port = free_port() if port is None else port
    words = [sys.executable, "-W", "error", *command]
    process = await asyncio.create_subprocess_exec(
        *(str(port) if word == "PORT" else word for word in words),
        cwd=folder,
        env={**os.environ, "PORT": str(port), "PYTHONPATH": _PATH, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        # uvicorn closes a connection after 5 s without a request: not one that is just used again.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2.0)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as http:
            await _answers(process, http)
            yield Service(process, http)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _answers(process: asyncio.subprocess.Process, http: aiohttp.ClientSession) -> None:
    """Return once a service answers, however busy the machine is with other things."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        assert process.returncode is None, (await process.communicate())[1].decode()
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with http.get("/alive"):
                return
        await asyncio.sleep(0.02)
    raise TimeoutError("the service does not answer")


def inside_services(effort: Effort) -> Section:
    """Measure all of it; without redis-server what needs it is left out."""
    shared = _shared(effort) if redis_is_there() else ()
    return Section("Inside services", _NOTE, (*shared, *_people(effort)))


def _shared(effort: Effort) -> Iterator[Row]:
    runs = [asyncio.run(_share(effort.sharing)) for _ in range(3)]
    windows = [(250, 60 / _SHARED_SCALE), (5000, 3600 / _SHARED_SCALE)]
    best = best_possible(effort.sharing, *windows)
    what = f"{_WORKERS} processes, {effort.sharing:,} deletes"
    yield Row(f"{what}: 429s", tuple(run["limited"] for run in runs), Target(0), worst=True)
    ratios = tuple(run["seconds"] / best for run in runs)
    yield Row(f"{what}: over the best possible", ratios, Target(1.05))
    shares = tuple(run["shares"] for run in runs)
    yield Row(f"{what}: the largest share over the smallest", shares, Target(1.2))
    run = asyncio.run(_share(effort.sharing, disturbed=True))
    what = f"{what}, two killed, Redis restarted empty"
    yield Row(f"{what}: 429s", (run["limited"],), Target(0), worst=True)
    lost = abs(run["accounted"] - effort.sharing)
    yield Row(f"{what}: not accounted for", (lost,), Target(0), worst=True)


async def _share(count: int, *, disturbed: bool = False) -> dict[str, float]:
    async with (
        Sandbox(limits=Limits(scale=_SHARED_SCALE)) as sandbox,
        RedisServer().running() as server,
    ):
        sandbox.state.push("example", "web", [f"t{number}" for number in range(count)])
        names = sorted(sandbox.state.tag_names("example", "web"))

        async def start(given: list[str]) -> Worker:
            to = (sandbox.url, sandbox.token, server.port, _SHARED_SCALE)
            return await Worker.start(*to, given)

        workers = [await start(names[nth::_WORKERS]) for nth in range(_WORKERS)]
        going = [asyncio.create_task(worker.go()) for worker in workers]
        if disturbed:
            while sum(len(worker.done) for worker in workers) < count // 4:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            for worker in workers[:2]:
                worker.kill()
            await server.stop()
            await asyncio.sleep(0.3)
            await server.start()
        await asyncio.gather(*going)
        if disturbed:
            workers.append(await start([*workers[0].left, *workers[1].left]))
            await workers[-1].go()
        told = Counter(done.status for worker in workers for done in worker.done)
        times = [done.at for worker in workers for done in worker.done]
        # Of the last window there is enough for all that is left.
        end = sorted(times)[count - 250]
        shares = [sum(done.at <= end for done in worker.done) for worker in workers]
        return {
            "limited": sum(one.status == 429 for one in sandbox.requests),
            "seconds": max(times) - min(times),
            "shares": max(shares) / max(1, min(shares)),
            "accounted": told["deleted"] + told["absent"],
        }


def _people(effort: Effort) -> Iterator[Row]:
    alone, beside, stops = [], [], []
    for _ in range(3):
        for times, with_job in ((alone, False), (beside, True)):
            late, stop = asyncio.run(_ask(effort.sharing_job if with_job else 0))
            times.append(late)
            if with_job:
                stops.append(stop)
    what = f"{_PEOPLE} requests at once, the 95th percentile"
    yield Row(f"{what}: alone", tuple(alone), unit="s")
    yield Row(f"{what}: beside a job of {effort.sharing_job:,} deletes", tuple(beside), unit="s")
    pairs = zip(beside, alone, strict=True)
    yield Row(f"{what}: with the job over without", tuple(one / other for one, other in pairs))
    what = "from SIGTERM to the end, a job under way"
    yield Row(what, tuple(stops), Target(2), unit="s")


async def _ask(deletes: int) -> tuple[float, float]:
    """Return the 95th percentile of many requests, and how long the service took to stop."""
    async with Sandbox(limits=Limits(scale=_JOB_SCALE)) as sandbox:
        sandbox.state.push("example", "web", ["main"])
        for number in range(deletes):
            sandbox.state.push("example", "web", [f"pr-{number}"])
        with TemporaryDirectory() as folder:
            async with running(
                Path(folder),
                *("-c", _FASTER),
                AIOREGISTRY_API_URL=sandbox.url,
                AIOREGISTRY_REGISTRY_URL=sandbox.url,
                MAX_FRACTION="1",
                DIGITALOCEAN_TOKEN=sandbox.token,
            ) as service:
                if deletes:
                    await _begin_job(service)
                times = await asyncio.gather(*(_time(service) for _ in range(_PEOPLE)))
                begun = time.perf_counter()
                await service.stop()
                return statistics.quantiles(times, n=20)[-1], time.perf_counter() - begun


# The service of examples/ keeps to the real quota; this one to that of a faster time.
_FASTER = f"""
import os, service
from aiohttp import web
from aioregistry import RateLimit, RegistryClient
quota = RateLimit(max_wait=30.0, bulk_may_wait=True).scaled({_JOB_SCALE})
service.make_client = lambda: RegistryClient(rate_limit=quota)
web.run_app(service.make_app(), host="127.0.0.1", port=int(os.environ["PORT"]))
"""


async def _begin_job(service: Service) -> None:
    planned = await _post(service, "/registries/example/plans")
    async with service.http.get(f"/jobs/{planned['id']}/events") as answer:
        await answer.read()
    await _post(service, f"/plans/{planned['id']}/approval")
    # Until the job is at the limit.
    await asyncio.sleep(1.5)


async def _post(service: Service, path: str) -> dict[str, Any]:
    async with service.http.post(path) as answer:
        assert answer.status == 202, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def _time(service: Service) -> float:
    begun = time.perf_counter()
    async with service.http.get("/registries/example") as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
    return time.perf_counter() - begun
