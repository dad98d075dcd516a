"""Replicas of both frameworks on one server, restarted one after the other in mid-apply."""

import asyncio
import json
import random
import signal
from collections import Counter
from contextlib import AsyncExitStack

import aiohttp
import pytest

from aioregistry.sandbox import Sandbox
from benchmarks.ports import free_port
from benchmarks.sharing import NEEDS_REDIS, RedisServer, redis_is_there
from tests.web.processes import end_of, get, run, start

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("redis")

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(not redis_is_there(), reason=NEEDS_REDIS),
]

TAGS = 120
FOLLOWERS = 200
ENDS = {"done", "failed", "cancelled"}


class Replicas:
    """Two processes of aiohttp, and one of uvicorn with two workers."""

    def __init__(self, sandbox, folder, server) -> None:
        self._run = (sandbox, folder)
        self._url = f"redis://127.0.0.1:{server.port}"
        self.ports = {"one": free_port(), "two": free_port(), "workers": free_port()}
        self._stacks: dict[str, AsyncExitStack] = {}
        self.services = {}

    async def begin(self, name: str) -> None:
        framework = "fastapi" if name == "workers" else "aiohttp"
        more = {"JOBS_URL": self._url, "MAX_FRACTION": "1", "WEB_CONCURRENCY": "2"}
        self._stacks[name] = stack = AsyncExitStack()
        served = run(framework, *self._run, self.ports[name], **more)
        self.services[name] = await stack.enter_async_context(served)

    async def restart(self, name: str) -> None:
        if name == "workers":
            # uvicorn starts its workers anew, one after the other.
            self.services[name].process.send_signal(signal.SIGHUP)
            await asyncio.sleep(2)
            return
        code, errors = await self.services[name].stop()
        assert code in {0, -15}
        assert "Traceback" not in errors, errors
        await self._stacks[name].aclose()
        await self.begin(name)

    async def end(self) -> None:
        for service in self.services.values():
            # Killed, uvicorn would leave its workers behind.
            if service.process.returncode is None:
                await service.stop()
        for stack in self._stacks.values():
            await stack.aclose()


async def follow(ports: list[int], job: str, dice: random.Random) -> list[str]:
    """Follow a job as an EventSource does that comes to any replica, and return what was told."""
    told, last = [], None
    async with aiohttp.ClientSession() as http:
        while not told or told[-1] not in ENDS:
            headers = {} if last is None else {"Last-Event-ID": last}
            url = f"http://127.0.0.1:{dice.choice(ports)}/jobs/{job}/events"
            try:
                async with http.get(url, headers=headers) as answer:
                    async for line in answer.content:
                        if line.startswith(b"id: "):
                            last = line[4:].decode().strip()
                        elif line.startswith(b"data: "):
                            told.append(json.loads(line[6:])["status"])
                    if answer.status == 204:
                        break
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    return told


async def test_a_rolling_restart_in_mid_apply_loses_nothing_and_doubles_nothing(tmp_path):
    dice = random.Random(0)
    async with Sandbox() as sandbox, RedisServer().running() as server:
        for number in range(TAGS + 20):
            sandbox.state.push("example", "web", [f"pr-{number}"])
        replicas = Replicas(sandbox, tmp_path, server)
        try:
            await asyncio.gather(*map(replicas.begin, replicas.ports))
            one, two, workers = (replicas.services[name] for name in ("one", "two", "workers"))
            plan = (await start(one, "/registries/example/plans"))["id"]
            await end_of(one, {"id": plan})
            assert (await get(workers, f"/jobs/{plan}"))["status"] == "done"
            sandbox.latency = 0.7
            approval = f"/plans/{plan}/approval"
            jobs = [(await start(each, approval))["id"] for each in (one, two, workers)]
            ports = list(replicas.ports.values())
            following = [
                asyncio.create_task(follow(ports, jobs[number % 3], random.Random(number)))
                for number in range(FOLLOWERS)
            ]
            async with asyncio.timeout(60):
                while len(sandbox.state.tag_names("example", "web")) == TAGS + 20:
                    await asyncio.sleep(0.05)
            for name in ("one", "two", "workers"):
                await replicas.restart(name)
            async with asyncio.timeout(60):
                told = await asyncio.gather(*following)
            sandbox.latency = 0.0
            # Whoever asks now gets the job that works, or one that finds nothing left.
            service = replicas.services[dice.choice(["one", "two"])]
            last = await end_of(service, await start(service, approval))
            assert last["status"] == "done", last
        finally:
            await replicas.end()
        assert all(each[-1] in ENDS for each in told)
        ends = Counter(each[-1] for each in told)
        sent = [one for one in sandbox.requests if one.method == "DELETE" and one.status == 204]
        assert len(sandbox.state.tag_names("example", "web")) == 20, ends
        assert len({one.raw_path for one in sent}) == len(sent) == TAGS, ends
