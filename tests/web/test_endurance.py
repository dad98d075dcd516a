"""What many jobs, and jobs that say much, cost a service: memory, and the event loop's time."""

import asyncio
import ctypes
import gc
import socket
import sys
import time
from pathlib import Path

import pytest

from aioregistry.web import Jobs
from tests.web.processes import events, running, start

pytestmark = pytest.mark.exhaustive

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def resident() -> int:
    """Return the bytes of memory that this process has."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def saying(notes: int):
    async def work(job):
        for number in range(notes):
            job.note(tag=f"build-{number}", status="deleted")
            if number % 100 == 0:
                job.tell(done=number, total=notes)
                await asyncio.sleep(0)

    return work


async def settled(jobs: Jobs) -> None:
    while jobs._store._lines:
        await asyncio.sleep(0.001)


@needs_proc
async def test_memory_is_flat_once_jobs_are_forgotten(tmp_path):
    jobs = Jobs(tmp_path, max_ended=100)
    # Of what is free again, the system gets all back, or nobody knows how much.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", int)
    taken = []
    for number in range(1_000):
        await jobs.start("talk", saying(1_000)).wait()
        # What waits for a slow disk is no job that is kept.
        await settled(jobs)
        if number % 200 == 199:
            gc.collect()
            trim(0)
            taken.append(resident())
    # Until then the heap takes what it needs for a hundred jobs and what is written of others.
    assert max(taken[1:]) - taken[1] < 8_000_000, taken
    assert len(list(jobs)) == 100
    await jobs.close()
    assert sum(1 for _ in tmp_path.iterdir()) == 1_000


async def test_no_report_holds_the_event_loop(tmp_path):
    """What the loop's own thread computes between two of its rounds, not what others do."""
    jobs, rounds = Jobs(tmp_path), []

    async def look():
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0)
            rounds.append(time.thread_time() - begun)

    looking = asyncio.create_task(look())
    job = jobs.start("talk", saying(300_000))
    await job.wait()
    await settled(jobs)
    again = await Jobs(tmp_path).recall(job.id)
    looking.cancel()
    assert len(again.noted) == 1_000
    assert max(rounds) < 0.02
    await jobs.close()


TALK = {
    "aiohttp": """
from aiohttp import web
from aioregistry import RegistryClient
from aioregistry.web.aiohttp import JOBS, alive, job_routes, setup
import asyncio, os

async def talk(job):
    while True:
        job.tell(pad="x" * 100_000)
        await asyncio.sleep(0.01)

async def start(request):
    return web.json_response(request.config_dict[JOBS].start("talk", talk).document(), status=202)

app = web.Application()
setup(app, lambda: RegistryClient("a-token"))
app.add_routes([web.get("/alive", alive), web.post("/talk", start), *job_routes()])
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]))
""",
    "fastapi": """
from fastapi import FastAPI
from aioregistry import RegistryClient
from aioregistry.web.fastapi import JobsOf, alive, job_router, lifespan
import asyncio

async def talk(job):
    while True:
        job.tell(pad="x" * 100_000)
        await asyncio.sleep(0.01)

app = FastAPI(lifespan=lifespan(lambda: RegistryClient("a-token")))
app.get("/alive")(alive)
app.include_router(job_router())

@app.post("/talk", status_code=202)
def start(jobs: JobsOf) -> dict:
    return jobs.start("talk", talk).document()
""",
}
UVICORN = ("-m", "uvicorn", "talk:app", "--port", "PORT", "--log-level", "warning", "--loop")
RUN = {
    "aiohttp": ("-m", "talk"),
    "fastapi": (*UVICORN, "asyncio"),
    "fastapi on uvloop": (*UVICORN, "uvloop"),
}


@pytest.mark.parametrize("framework", RUN)
async def test_a_hundred_readers_that_do_not_read_do_not_hold_the_end(framework, tmp_path):
    if "uvloop" in framework:
        pytest.importorskip("uvloop")
    (tmp_path / "talk.py").write_text(TALK[framework.partition(" ")[0]])
    async with running(tmp_path, *RUN[framework]) as service:
        job = await start(service, "/talk")
        url = service.http._base_url
        readers = []
        for _ in range(100):
            reader = socket.socket()
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect((url.host, url.port))
            reader.sendall(b"GET /jobs/%s/events HTTP/1.1\r\nHost: x\r\n\r\n" % job["id"].encode())
            readers.append(reader)
        async with service.http.get(f"/jobs/{job['id']}/events") as answer:
            kinds = events(answer)
            assert await anext(kinds) == "running"
            # All of them have been sent more than their buffers take.
            await asyncio.sleep(3)
            following = asyncio.create_task(rest_of(kinds))
            # It takes some two seconds; one reader held it for ever.
            async with asyncio.timeout(30):
                code, errors = await service.stop()
            assert (await following)[-1] == "cancelled"
        for reader in readers:
            reader.close()
    assert code in {0, -15}
    assert "Traceback" not in errors, errors


async def rest_of(kinds) -> list[str]:
    return [kind async for kind in kinds]
