"""Services of the README as processes of their own."""

from collections.abc import AsyncIterator

import aiohttp

from benchmarks.service import Service, running

__all__ = ["Service", "events", "running"]


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """Yield the kind of each server-sent event."""
    async for line in answer.content:
        if line.startswith(b"event: "):
            yield line.decode().removeprefix("event: ").strip()
