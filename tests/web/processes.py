"""The services of examples/ as processes of their own, and what is asked of them."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp

from aioregistry.sandbox import Sandbox
from benchmarks.service import Service, running

__all__ = ["COMMANDS", "Service", "end_of", "events", "get", "run", "running", "start"]

COMMANDS = {
    "aiohttp": ("-m", "service"),
    "fastapi": ("-m", "uvicorn", "api:api", "--port", "PORT"),
}


def run(
    framework: str, sandbox: Sandbox, folder: Path, port: int | None = None, **more: str
) -> AbstractAsyncContextManager[Service]:
    """Run one of the services on a sandbox."""
    return running(
        folder,
        *COMMANDS[framework],
        port=port,
        AIOREGISTRY_API_URL=sandbox.url,
        AIOREGISTRY_REGISTRY_URL=sandbox.url,
        DIGITALOCEAN_TOKEN=sandbox.token,
        **more,
    )


async def get(service: Service, path: str) -> Any:
    """Return what a path answers with, as JSON."""
    async with service.http.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json(content_type=None)


async def start(service: Service, path: str) -> dict[str, Any]:
    """Start a job."""
    async with service.http.post(path) as answer:
        assert answer.status == 202, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def end_of(service: Service, job: dict[str, Any]) -> dict[str, Any]:
    """Follow a job to its end, and return its last state."""
    async with service.http.get(f"/jobs/{job['id']}/events") as answer:
        assert answer.content_type == "text/event-stream"
        told = (await answer.text()).strip().split("\n\n")
    last: dict[str, Any] = json.loads(told[-1].partition("data: ")[2])
    return last


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """Yield the kind of each server-sent event."""
    async for line in answer.content:
        if line.startswith(b"event: "):
            yield line.decode().removeprefix("event: ").strip()
