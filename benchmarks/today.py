"""A clean-up as people do it today, beside ours: prints counts of requests as JSON.

``python -m benchmarks.today TAGS REPOSITORIES``

One loop over the vendor's client in Python deletes the tags that a pattern matches, each by a
DELETE, lists the manifests afterwards, and deletes those without a tag. Ours gets the same policy
and the same registry.
"""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydo.aio import Client

from aioregistry import RegistryClient
from aioregistry.cleanup import ContentCache, ContentReader, Distribution, apply_plan, make_plan
from aioregistry.sandbox import Sandbox, State
from aioregistry.sandbox.seed import generated_state
from benchmarks.cleaning import NOW, POLICY
from benchmarks.job import PER_PAGE, TOKEN

_PATTERN = re.compile(r"[0-9a-c][0-9a-f]{11}")
_AT_ONCE = 32


async def _pages(
    call: Callable[..., Coroutine[Any, Any, Any]], key: str, *names: str
) -> AsyncIterator[dict[str, Any]]:
    """Yield the items of a list by page numbers, as the vendor's client leaves it to its users."""
    page = 1
    while True:
        answer = await call(*names, page=page, per_page=PER_PAGE, enforce_https=False)
        for item in answer.get(key) or ():
            yield item
        if "next" not in answer.get("links", {}).get("pages", {}):
            return
        page += 1


async def _with_the_vendors_client(sandbox: Sandbox) -> int:
    """Delete tag by tag; return how many calls delete."""
    permits = asyncio.Semaphore(_AT_ONCE)
    deletes = 0
    async with Client(token=TOKEN, endpoint=sandbox.url) as client:
        calls = client.registry

        async def delete(call: Callable[..., Coroutine[Any, Any, Any]], *names: str) -> None:
            nonlocal deletes
            async with permits:
                deletes += 1
                await call("example", *names, enforce_https=False)

        listed = _pages(calls.list_repositories_v2, "repositories", "example")
        for name in [item["name"] async for item in listed]:
            listed = _pages(calls.list_repository_tags, "tags", "example", name)
            going = [item["tag"] async for item in listed if _PATTERN.fullmatch(item["tag"])]
            await asyncio.gather(*(delete(calls.delete_repository_tag, name, tag) for tag in going))
            listed = _pages(calls.list_repository_manifests, "manifests", "example", name)
            bare = [item["digest"] async for item in listed if not item["tags"]]
            await asyncio.gather(
                *(delete(calls.delete_repository_manifest, name, digest) for digest in bare)
            )
    return deletes


async def _with_ours(sandbox: Sandbox) -> int:
    """Plan and apply; return how many calls delete."""
    async with (
        RegistryClient(
            TOKEN, base_url=sandbox.url, rate_limit=None, concurrency=_AT_ONCE
        ) as client,
        Distribution(client.registry("example"), base_url=sandbox.url) as distribution,
    ):
        registry = client.registry("example")
        with TemporaryDirectory() as folder, ContentCache(Path(folder, "contents")) as cache:
            reader = ContentReader(distribution, cache)
            plan = await make_plan(registry, POLICY, reader, now=NOW)
            report = await apply_plan(registry, plan, reader, force=True)
    assert report.done
    return len(report.deleted)


def _broken(state: State) -> int:
    """Return how many tags are left that name an image of which a part is gone."""
    broken = 0
    for repository in state.registry("example").repositories.values():
        for tag in repository.tags.values():
            wanted = list(tag.manifest.form.children)
            while wanted:
                child = repository.manifests.get(wanted.pop())
                if child is None:
                    broken += 1
                    break
                wanted += child.form.children
    return broken


async def _count(
    tags: int, repositories: int, work: Callable[[Sandbox], Coroutine[Any, Any, int]]
) -> tuple[int, int, int]:
    """Return requests to the API, of which so many delete, and the images that were broken."""
    state = generated_state(tags, repositories)
    async with Sandbox(state, limits=None, token=TOKEN, record=1_000_000) as sandbox:
        deletes = await work(sandbox)
        asked = sum(one.raw_path.startswith("/v2/regist") for one in sandbox.requests)
    return asked, deletes, _broken(state)


async def main(tags: int, repositories: int) -> None:
    """Clean up twice."""
    theirs = await _count(tags, repositories, _with_the_vendors_client)
    ours = await _count(tags, repositories, _with_ours)
    print(json.dumps([*theirs, *ours]))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
