"""The candidates: each walks and deletes as its users would, in a process of its own."""

# ruff: noqa: PLC0415  (a process imports the client that it measures, and no other)

import asyncio
import importlib.util
import itertools
import json
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Literal

from attrs import asdict, evolve, frozen

from benchmarks.server import PER_PAGE, TAGS_PATH, TOKEN

__all__ = ["CANDIDATES", "OURS", "Job", "installed", "label"]

OURS = "aioregistry"
_UNLIMITED: dict[str, Any] = {
    "windows": ((10**9, 60.0), (10**9, 3600.0)),
    "burst": 10**9,
}
_HEADERS = {"Authorization": f"Bearer {TOKEN}"}

# The items of a page, how many the list has, and whether a further page follows.
Read = tuple[Sequence[Any], int, bool]


@frozen
class Job:
    """What a candidate is to do.

    Attributes:
        kind: ``walk`` looks at every tag, ``collect`` makes a list of them, ``delete`` deletes.
        url: The server's base URL.
        count: How many tags there are to walk, or to delete.
        concurrency: How many requests may be under way at once.
        first: The number of the first tag to delete.
        repeat: How often it is done in one process; the time is that of one.
        warm_up: Whether it is done once before, unmeasured; of deletes, a hundred.
    """

    kind: Literal["walk", "collect", "delete"]
    url: str
    count: int
    concurrency: int = 1
    first: int = 0
    repeat: int = 1
    warm_up: bool = True

    @property
    def names(self) -> list[str]:
        """The tags to delete."""
        return [f"v{number}" for number in range(self.first, self.first + self.count)]

    def to_json(self) -> str:
        """Return it as text, for a command line."""
        return json.dumps(asdict(self))


async def aioregistry(job: Job) -> int:
    """Our client, with its limiter in place but never waiting."""
    from aioregistry import RateLimit, RegistryClient

    async with RegistryClient(
        TOKEN,
        base_url=job.url,
        rate_limit=RateLimit(**_UNLIMITED),
        concurrency=job.concurrency,
    ) as client:
        repository = client.registry("example").repository("app")
        if job.kind == "collect":
            return len(await repository.tags().collect())
        if job.kind == "walk":
            seen = 0
            async for _ in repository.tags():
                seen += 1
            return seen
        if job.concurrency > 1:
            return len((await repository.delete_tags(job.names)).deleted)
        for name in job.names:
            await repository.delete_tag(name)
        return job.count


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
    from aioregistry.session.deadlines import Deadlines
    from aioregistry.session.transport import own_session

    loop = asyncio.get_running_loop()
    limiter = WindowLimiter(RateLimit(**_UNLIMITED))
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
            listing = TAGS.decode(await send("GET", _page_url(job, page)))
            new = fingerprints.add_new(listing.items, lambda tag: tag.tag)
            return new, listing.total or 0, listing.next_link is not None

        async def delete(name: str) -> None:
            names.check_tag(name)
            await send("DELETE", _tag_url(job, name))
            outcomes.append(Outcome(len(outcomes), name, "deleted", None, 1))

        async def items() -> AsyncIterator[Any]:
            page, total, more = await read(1)
            numbers = iter(range(2, _pages(total) + 1)) if more else iter(())
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
            return await _do(job, read, delete)
        seen = 0
        async for _ in items():
            seen += 1
        return seen


async def aiohttp_orjson(job: Job) -> int:
    """Bare aiohttp and orjson: dicts, no models."""
    import orjson

    return await _aiohttp(job, lambda body: _read(orjson.loads(body)))


async def _aiohttp(job: Job, decode: Callable[[bytes], Read]) -> int:
    import aiohttp

    async with aiohttp.ClientSession(headers=_HEADERS) as session:

        async def read(page: int) -> Read:
            async with session.get(_page_url(job, page)) as response:
                response.raise_for_status()
                return decode(await response.read())

        async def delete(name: str) -> None:
            async with session.delete(_tag_url(job, name)) as response:
                response.raise_for_status()

        return await _do(job, read, delete)


async def httpx(job: Job) -> int:
    """HTTPX's async client and orjson: dicts, no models."""
    import httpx as peer
    import orjson

    limits = peer.Limits(max_connections=job.concurrency, max_keepalive_connections=job.concurrency)
    async with peer.AsyncClient(headers=_HEADERS, limits=limits) as client:

        async def read(page: int) -> Read:
            response = await client.get(_page_url(job, page))
            return _read(orjson.loads(response.raise_for_status().content))

        async def delete(name: str) -> None:
            (await client.delete(_tag_url(job, name))).raise_for_status()

        return await _do(job, read, delete)


async def pydo_aio(job: Job) -> int:
    """The vendor's client, its async side: dicts."""
    from pydo.aio import Client

    async with Client(token=TOKEN, endpoint=job.url) as client:

        async def read(page: int) -> Read:
            return _read(await client.registry.list_repository_tags(**_pydo_page(page)))

        async def delete(name: str) -> None:
            await client.registry.delete_repository_tag(**_pydo_tag(name))

        return await _do(job, read, delete)


def pydo(job: Job) -> int:
    """The vendor's client; fanned out by threads."""
    from pydo import Client

    with (
        Client(token=TOKEN, endpoint=job.url) as client,
        ThreadPoolExecutor(job.concurrency) as threads,
    ):
        each = map if job.concurrency == 1 else threads.map

        def read(page: int) -> Read:
            return _read(client.registry.list_repository_tags(**_pydo_page(page)))

        def delete(name: str) -> None:
            client.registry.delete_repository_tag(**_pydo_tag(name))

        if job.kind == "delete":
            return sum(1 for _ in each(delete, job.names))
        first, total, _ = read(1)
        rest = each(read, range(2, _pages(total) + 1))
        pages = itertools.chain([first], (items for items, _, _ in rest))
        if job.kind == "collect":
            return len([item for items in pages for item in items])
        return sum(map(_look_at, pages))


# https is refused for a server on this machine unless each call says so.
_PYDO: dict[str, Any] = {
    "registry_name": "example",
    "repository_name": "app",
    "enforce_https": False,
}


def _pydo_page(page: int) -> dict[str, Any]:
    return {**_PYDO, "per_page": PER_PAGE, "page": page}


def _pydo_tag(name: str) -> dict[str, Any]:
    return {**_PYDO, "repository_tag": name}


def _page_url(job: Job, page: int) -> str:
    return f"{job.url}{TAGS_PATH}?per_page={PER_PAGE}&page={page}"


def _tag_url(job: Job, name: str) -> str:
    return f"{job.url}{TAGS_PATH}/{name}"


def _read(answer: Any) -> Read:
    return answer["tags"], answer["meta"]["total"], "next" in answer["links"]["pages"]


def _pages(total: int) -> int:
    return -(-total // PER_PAGE)


def _look_at(items: Sequence[Any]) -> int:
    seen = 0
    for _ in items:
        seen += 1
    return seen


async def _do(
    job: Job,
    read: Callable[[int], Awaitable[Read]],
    delete: Callable[[str], Awaitable[None]],
) -> int:
    """Do with two calls of a client that does one request each what its user would write."""
    if job.kind == "delete":
        names = iter(job.names)

        async def delete_some() -> None:
            for name in names:
                await delete(name)

        await _together(delete_some, job.concurrency)
        return job.count
    pages: dict[int, Sequence[Any]] = {}
    seen = 0

    async def take(number: int) -> Read:
        nonlocal seen
        page = await read(number)
        if job.kind == "collect":
            pages[number] = page[0]
        else:
            # Looked at as they come: who only looks need not keep them.
            seen += _look_at(page[0])
        return page

    _, total, more = await take(1)
    if job.concurrency == 1:
        numbers = itertools.count(2)
        while more:
            _, _, more = await take(next(numbers))
    else:
        left = iter(range(2, _pages(total) + 1))

        async def take_some() -> None:
            for number in left:
                await take(number)

        await _together(take_some, job.concurrency)
    return seen or len([item for number in sorted(pages) for item in pages[number]])


async def _together(work: Callable[[], Coroutine[Any, Any, None]], concurrency: int) -> None:
    await asyncio.gather(*(work() for _ in range(concurrency)))


def _asyncio(candidate: Callable[[Job], Coroutine[Any, Any, int]]) -> Callable[[Job], int]:
    return lambda job: asyncio.run(candidate(job))


def _uvloop(job: Job) -> int:
    import uvloop

    return int(uvloop.run(aioregistry(job)))


@frozen
class _Candidate:
    run: Callable[[Job], int]
    label: str
    needs: tuple[str, ...] = ()


CANDIDATES = {
    OURS: _Candidate(_asyncio(aioregistry), "aioregistry"),
    "aioregistry-uvloop": _Candidate(_uvloop, "aioregistry on uvloop", ("uvloop",)),
    "aiohttp-decoder": _Candidate(_asyncio(aiohttp_decoder), "bare aiohttp + our decoder"),
    "aiohttp-promises": _Candidate(
        _asyncio(aiohttp_promises), "bare aiohttp + our promises, the least there can be"
    ),
    "aiohttp-orjson": _Candidate(
        _asyncio(aiohttp_orjson), "bare aiohttp + orjson, no models", ("orjson",)
    ),
    "httpx": _Candidate(_asyncio(httpx), "httpx + orjson, no models", ("httpx", "orjson")),
    "pydo": _Candidate(pydo, "pydo", ("pydo",)),
    "pydo-aio": _Candidate(_asyncio(pydo_aio), "pydo.aio", ("pydo",)),
}


def installed() -> list[str]:
    """Return the names of the candidates that can run here."""
    return [
        name
        for name, candidate in CANDIDATES.items()
        if all(importlib.util.find_spec(module) for module in candidate.needs)
    ]


def label(name: str, kind: str = "walk") -> str:
    """Return what a candidate is called in tables; of deletes there is nothing to decode."""
    called = CANDIDATES[name].label
    return called.partition(" + ")[0] if kind == "delete" else called


def main() -> None:
    """Do the job of the command line, and print the seconds that one took: wall time, CPU time."""
    run = CANDIDATES[sys.argv[1]].run
    job = Job(**json.loads(sys.argv[2]))
    if job.warm_up:
        run(evolve(job, count=min(job.count, 100)) if job.kind == "delete" else job)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(job.repeat):
        done = run(job)
        if done != job.count:
            raise SystemExit(f"{sys.argv[1]} did {done} of {job.count}")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps([wall / job.repeat, cpu / job.repeat]))


if __name__ == "__main__":
    main()
