"""Services of the README as processes of their own."""

import asyncio
import contextlib
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from attrs import frozen

README = (Path(__file__).parents[2] / "README.md").read_text()


def block(name: str) -> str:
    """Return the README's block that begins with the name of a file."""
    found = re.search(
        rf"^```python\n(# {re.escape(name)}\n.*?)^```$", README, re.MULTILINE | re.DOTALL
    )
    assert found is not None, name
    return found[1]


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


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def running(
    folder: Path, name: str, *command: str, **environment: str
) -> AsyncIterator[Service]:
    """Write a block of the README to a file, and run it; warnings are errors."""
    (folder / name).write_text(block(name))
    port = free_port()
    words = [sys.executable, "-W", "error", "-X", "dev", *command]
    process = await asyncio.create_subprocess_exec(
        *(word.replace("PORT", str(port)) for word in words),
        cwd=folder,
        env={**os.environ, "PORT": str(port), "PYTHONPATH": str(folder), **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            for _ in range(600):
                assert process.returncode is None, (await process.communicate())[1].decode()
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    async with http.get("/health"):
                        break
                await asyncio.sleep(0.02)
            yield Service(process, http)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """Yield the kind of each server-sent event."""
    async for line in answer.content:
        if line.startswith(b"event: "):
            yield line.decode().removeprefix("event: ").strip()
