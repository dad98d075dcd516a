"""The candidates that are bare aiohttp: with our decoder, with our promises, or with neither."""

# ruff: noqa: PLC0415  (a process imports the client that it measures, and no other)

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from itertools import islice
from typing import Any

from benchmarks.job import TOKEN, UNLIMITED, Job, Read, do, page_url, pages_of, read_page, tag_url

__all__ = ["aiohttp_decoder", "aiohttp_orjson", "aiohttp_promises"]

_HEADERS = {"Authorization": f"Bearer {TOKEN}"}


async def aiohttp_decoder(job: Job) -> int:
    """Bare aiohttp, and our decoder into our models."""
    from aioregistry.api.endpoints import TAGS

    def decode(body: bytes) -> Read:
        listing = TAGS.decode(body)
        return listing.items, listing.total or 0, listing.next_link is not None

    return await _aiohttp(job, decode)


async def aiohttp_promises(job: Job) -> int:
    """Bare aiohttp that does what our client promises, each in as few steps as there can be.

    Permits, what the server says of the quota, no resend unseen, one deadline for each attempt, an
    outcome for each delete; of a walk, each item once, in the order of the list, and handed over
    by ``async for``. It is what the client cannot do without: what it takes beyond is its own.
    """
    import aiohttp
    from yarl import URL

    from aioregistry import Outcome, RateLimit, RateLimitHeaders, WindowLimiter
    from aioregistry.api import names
    from aioregistry.api.endpoints import TAGS
    from aioregistry.paging.fingerprints import Fingerprints
    from aioregistry.session.connections import own_session
    from aioregistry.session.deadlines import Deadlines

    loop = asyncio.get_running_loop()
    limiter = WindowLimiter(RateLimit(**UNLIMITED))
    deadlines = Deadlines(30.0)
    fingerprints = Fingerprints(job.count)
    outcomes: list[Outcome] = []
    timeout = aiohttp.ClientTimeout(total=None, connect=25.0)
    async with own_session(headers=_HEADERS, timeout=timeout) as session:

        async def send(method: str, url: str) -> bytes:
            if not limiter.acquire_at_once():
                await limiter.acquire("bulk")
            word = None
            try:
                begun = loop.time()
                with deadlines.begin():
                    response = await session.request(
                        method, URL(url, encoded=True), allow_redirects=False
                    )
                    body = b"" if method == "DELETE" else await response.read()
                    response.raise_for_status()
                    response.release()
                took = loop.time() - begun
                word = RateLimitHeaders.parse(response.status, response.headers, time.time(), took)
            finally:
                limiter.release(word)
            return body

        async def read(page: int) -> Read:
            listing = TAGS.decode(await send("GET", page_url(job, page)))
            new = fingerprints.add_new(listing.items, [tag.tag for tag in listing.items])
            return new, listing.total or 0, listing.next_link is not None

        async def delete(name: str) -> None:
            names.check_tag(name)
            await send("DELETE", tag_url(job, name))
            outcomes.append(Outcome(len(outcomes), name, "deleted", None, 1))

        async def items() -> AsyncIterator[Any]:
            page, total, more = await read(1)
            numbers = iter(range(2, pages_of(total) + 1)) if more else iter(())
            ahead = job.concurrency if job.concurrency > 1 else 0
            reading = deque(asyncio.ensure_future(read(n)) for n in islice(numbers, ahead))
            while True:
                for item in page:
                    yield item
                if reading:
                    page, _, _ = await reading.popleft()
                    for number in islice(numbers, 1):
                        reading.append(asyncio.ensure_future(read(number)))
                elif number := next(numbers, 0):
                    page, _, _ = await read(number)
                else:
                    return

        if job.kind != "walk":
            return await do(job, read, delete)
        seen = 0
        async for _ in items():
            seen += 1
        return seen


async def aiohttp_orjson(job: Job) -> int:
    """Bare aiohttp and orjson: dicts, no models."""
    import orjson

    return await _aiohttp(job, lambda body: read_page(orjson.loads(body)))


async def _aiohttp(job: Job, decode: Callable[[bytes], Read]) -> int:
    import aiohttp

    async with aiohttp.ClientSession(headers=_HEADERS) as session:

        async def read(page: int) -> Read:
            async with session.get(page_url(job, page)) as response:
                response.raise_for_status()
                return decode(await response.read())

        async def delete(name: str) -> None:
            async with session.delete(tag_url(job, name)) as response:
                response.raise_for_status()

        return await do(job, read, delete)
