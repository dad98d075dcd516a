"""Workers of two versions, and of two files, on one queue."""

import asyncio
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from aioregistry import RateLimit
from aioregistry.fleet import Run, StateError
from aioregistry.fleet.state import VERSION
from aioregistry.sandbox import Limits
from tests.fleet.fleets import (
    addresses_of,
    collections,
    engine_of,
    fleet_of,
    sandbox_of,
    wrong_repositories,
)

SCALE = 60.0


def deletes(sandbox) -> list[str]:
    return [one.raw_path for one in sandbox.requests if one.method == "DELETE"]


async def until(condition, seconds: float = 400.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def newer_worker(url: str, sandbox, folder: Path, registries: int):
    """A process of the next version that begins when it is told to, and is killed at the end."""
    words = (url, sandbox.url, str(folder), str(registries), str(SCALE))
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fleet.newer", *words),
        cwd=Path(__file__).parents[2],
        **pipes,
    )
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.slow(15)
async def test_a_fleet_whose_workers_are_replaced_one_after_the_other_loses_nothing(
    tmp_path, url, server
):
    count = 3
    async with AsyncExitStack() as at:
        sandbox = await at.enter_async_context(
            sandbox_of(count, 2, 100, limits=Limits(scale=SCALE))
        )
        first, second = [
            await at.enter_async_context(newer_worker(url, sandbox, tmp_path, count))
            for _ in range(2)
        ]
        fleet = fleet_of(tmp_path, count)
        limit = RateLimit().scaled(SCALE)
        old = await at.enter_async_context(
            engine_of(
                fleet,
                sandbox,
                url,
                addresses=addresses_of(sandbox, limit),
                slice_seconds=0.5,
                lease_seconds=2.0,
            )
        )
        keys = [old.store.keys(name).state for name in fleet.registries]

        async def states() -> list[dict]:
            return [msgspec.json.decode(text) for text in await server.mget(keys)]

        async def has_begun() -> bool:
            return len(deletes(sandbox)) > 20

        async def newer_ones() -> list[dict]:
            return [one for one in await states() if one["version"] > VERSION]

        async def have_ended() -> bool:
            return {one["phase"] for one in await states()} == {"ended"}

        await old.begin(fleet.registries)
        working = asyncio.create_task(old.work())
        await until(has_begun)
        first.stdin.write(b"\n")
        await until(newer_ones)
        first.kill()
        await first.wait()
        # What it wrote is not for the old one, which neither goes on with it nor begins anew.
        before = await newer_ones()
        await asyncio.sleep(1.0)
        assert await newer_ones() == before
        left = [one["registry"] for one in before]
        runs = await old.runs()
        assert {type(runs[name]) for name in left} == {StateError}
        assert await old.begin(left) == []
        second.stdin.write(b"\n")
        await until(have_ended)
        old.stop()
        await working
        found = await states()
        assert [(one["result"], sum(one["counts"].values())) for one in found] == [
            ("done", 200)
        ] * count
        assert wrong_repositories(sandbox) == []
        assert collections(sandbox) == {f"reg{nth}": 1 for nth in range(count)}
        assert len(deletes(sandbox)) == len({*deletes(sandbox)}) == 200 * count
        assert sandbox.rejected_count == 0


async def test_registries_that_only_another_workers_file_has_are_left_to_it(tmp_path, url):
    async with (
        sandbox_of(2, 1) as sandbox,
        engine_of(fleet_of(tmp_path, 1), sandbox, url) as old,
        engine_of(fleet_of(tmp_path, 2), sandbox, url) as new,
    ):
        await new.begin(["reg0", "reg1"])
        working = [asyncio.create_task(each.work()) for each in (old, new)]
        async with asyncio.timeout(200):
            while {run.phase for run in (await new.runs()).values()} != {"ended"}:
                await asyncio.sleep(0.05)
        for each in (old, new):
            each.stop()
        await asyncio.gather(*working)
        assert [run.result for run in (await new.runs()).values()] == ["done", "done"]


async def test_a_worker_with_another_file_takes_nobodys_turn(tmp_path, url, server):
    async with (
        sandbox_of(2, 1) as sandbox,
        engine_of(fleet_of(tmp_path, 1), sandbox, url, tick_seconds=5.0) as old,
        engine_of(fleet_of(tmp_path, 2), sandbox, url, tick_seconds=5.0) as new,
        engine_of(fleet_of(tmp_path, 2), sandbox, url, tick_seconds=5.0) as same,
    ):
        await new.begin(["reg1"])
        await old._tick()
        assert await server.xlen("fleet:stream") == 0
        await new._tick()
        assert await server.xlen("fleet:stream") == 1
        # Of two that see the same, one looks.
        await server.delete("fleet:stream", *await server.keys("fleet:runs:*"))
        await same._tick()
        assert await server.xlen("fleet:stream") == 0


def test_a_run_is_of_the_version_that_its_worker_reads():
    assert Run(registry="acme", id="now", begun_at=0.0).version == VERSION
