"""The services of examples/ as processes of their own, and what is asked of them."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp

from aioregistry.sandbox import Sandbox
from benchmarks.service import Service, running

__all__ = [
    "COMMANDS",
    "Service",
    "check_strangers",
    "end_of",
    "events",
    "get",
    "run",
    "running",
    "start",
]

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


async def check_strangers(service: Service, change: str, look: str, accepted: int = 202) -> None:
    """Check that what other sites' pages send is refused; `HOSTS` has ``cleanups.test``.

    Args:
        change: A path for POST, which answers with `accepted`.
        look: A path for GET.
    """
    own = f"127.0.0.1:{service.http._base_url.port}"
    expected = (
        ("POST", {}, accepted),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, accepted),
        ("POST", {"Sec-Fetch-Site": "same-site"}, 403),
        ("POST", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, 200),
        # Browsers of earlier years.
        ("POST", {"Origin": f"http://{own}"}, accepted),
        ("POST", {"Origin": "http://127.0.0.1:1"}, 403),
        ("POST", {"Origin": "null"}, 403),
        # A name of another site that leads to this address: of one origin, to a browser.
        ("POST", {"Sec-Fetch-Site": "same-origin", "Host": f"evil.test:{own[10:]}"}, 403),
        ("GET", {"Sec-Fetch-Site": "same-origin", "Host": "evil.test"}, 403),
        ("GET", {"Host": "127.0.0.1.evil.test"}, 403),
        ("GET", {"Host": "evil.test/alive?"}, 403),
        ("GET", {"Host": "LOCALHOST:1"}, 200),
        ("GET", {"Host": "[::1]"}, 200),
        ("GET", {"Host": "cleanups.test:80"}, 200),
    )
    for method, headers, status in expected:
        path = change if method == "POST" else look
        async with service.http.request(method, path, headers=headers) as answer:
            assert answer.status == status, headers
    async with service.http.get("/alive", headers={"Host": "10.0.0.1:8080"}) as answer:
        assert answer.status == 200
