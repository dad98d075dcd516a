"""Jobs for candidates, and what doing one comes to with two calls of a client."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Literal

from attrs import asdict, frozen

__all__ = [
    "PER_PAGE",
    "TAGS_PATH",
    "TOKEN",
    "UNLIMITED",
    "Job",
    "Read",
    "do",
    "look_at",
    "page_url",
    "pages_of",
    "read_page",
    "tag_url",
]

TOKEN = "sandbox-token"
PER_PAGE = 200
TAGS_PATH = "/v2/registry/example/repositories/app/tags"
UNLIMITED: dict[str, Any] = {
    "windows": ((10**9, 60.0), (10**9, 3600.0)),
    "burst": 10**9,
}

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


def page_url(job: Job, page: int) -> str:
    """Return the URL of a page of tags."""
    return f"{job.url}{TAGS_PATH}?per_page={PER_PAGE}&page={page}"


def tag_url(job: Job, name: str) -> str:
    """Return the URL of a tag."""
    return f"{job.url}{TAGS_PATH}/{name}"


def read_page(answer: Any) -> Read:
    """Return what a page of tags says."""
    return answer["tags"], answer["meta"]["total"], "next" in answer["links"]["pages"]


def pages_of(total: int) -> int:
    """Return how many pages so many tags have."""
    return -(-total // PER_PAGE)


def look_at(items: Sequence[Any]) -> int:
    """Look at each item, and return how many there are."""
    seen = 0
    for _ in items:
        seen += 1
    return seen


async def do(
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
            seen += look_at(page[0])
        return page

    _, total, more = await take(1)
    if job.concurrency == 1:
        numbers = itertools.count(2)
        while more:
            _, _, more = await take(next(numbers))
    else:
        left = iter(range(2, pages_of(total) + 1))

        async def take_some() -> None:
            for number in left:
                await take(number)

        await _together(take_some, job.concurrency)
    return seen or len([item for number in sorted(pages) for item in pages[number]])


async def _together(work: Callable[[], Coroutine[Any, Any, None]], concurrency: int) -> None:
    await asyncio.gather(*(work() for _ in range(concurrency)))
