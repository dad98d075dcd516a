"""The candidates: each walks and deletes as its users would, in a process of its own."""

# ruff: noqa: PLC0415  (a process imports the client that it measures, and no other)

import asyncio
import importlib.util
import itertools
import json
import sys
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from attrs import evolve, frozen

from benchmarks.bare import aiohttp_decoder, aiohttp_orjson, aiohttp_promises
from benchmarks.job import (
    PER_PAGE,
    TOKEN,
    UNLIMITED,
    Job,
    Read,
    do,
    look_at,
    page_url,
    pages_of,
    read_page,
    tag_url,
)

__all__ = ["CANDIDATES", "OURS", "installed", "label"]

OURS = "aioregistry"
_HEADERS = {"Authorization": f"Bearer {TOKEN}"}


async def aioregistry(job: Job) -> int:
    """Our client, with its limiter in place but never waiting."""
    from aioregistry import RateLimit, RegistryClient

    async with RegistryClient(
        TOKEN,
        base_url=job.url,
        rate_limit=RateLimit(**UNLIMITED),
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


async def httpx(job: Job) -> int:
    """HTTPX's async client and orjson: dicts, no models."""
    import httpx as peer
    import orjson

    limits = peer.Limits(max_connections=job.concurrency, max_keepalive_connections=job.concurrency)
    async with peer.AsyncClient(headers=_HEADERS, limits=limits) as client:

        async def read(page: int) -> Read:
            response = await client.get(page_url(job, page))
            return read_page(orjson.loads(response.raise_for_status().content))

        async def delete(name: str) -> None:
            (await client.delete(tag_url(job, name))).raise_for_status()

        return await do(job, read, delete)


async def pydo_aio(job: Job) -> int:
    """The vendor's client, its async side: dicts."""
    from pydo.aio import Client

    async with Client(token=TOKEN, endpoint=job.url) as client:

        async def read(page: int) -> Read:
            return read_page(await client.registry.list_repository_tags(**_pydo_page(page)))

        async def delete(name: str) -> None:
            await client.registry.delete_repository_tag(**_pydo_tag(name))

        return await do(job, read, delete)


def pydo(job: Job) -> int:
    """The vendor's client; fanned out by threads."""
    from pydo import Client

    with (
        Client(token=TOKEN, endpoint=job.url) as client,
        ThreadPoolExecutor(job.concurrency) as threads,
    ):
        each = map if job.concurrency == 1 else threads.map

        def read(page: int) -> Read:
            return read_page(client.registry.list_repository_tags(**_pydo_page(page)))

        def delete(name: str) -> None:
            client.registry.delete_repository_tag(**_pydo_tag(name))

        if job.kind == "delete":
            return sum(1 for _ in each(delete, job.names))
        first, total, _ = read(1)
        rest = each(read, range(2, pages_of(total) + 1))
        pages = itertools.chain([first], (items for items, _, _ in rest))
        if job.kind == "collect":
            return len([item for items in pages for item in items])
        return sum(map(look_at, pages))


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
    "aiohttp-promises": _Candidate(_asyncio(aiohttp_promises), "bare aiohttp + our promises"),
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
