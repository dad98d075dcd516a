"""A clean-up in a process of its own: prints seconds, MiB and counts as JSON.

``python -m benchmarks.cleaning URL CONTENTS plan|apply``
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from aioregistry import RegistryClient
from aioregistry.cleanup import (
    ContentCache,
    ContentReader,
    Delete,
    DeleteUntagged,
    Distribution,
    Policy,
    apply_plan,
    make_plan,
)
from aioregistry.cli.display.counting import peak_memory
from aioregistry.cli.running import relax_garbage_collector
from benchmarks.job import PER_PAGE, TOKEN

# Most tags that are a commit's, and all manifests that have lost theirs.
POLICY = Policy([Delete(tags="[0-9a-c]" + "[0-9a-f]" * 11), DeleteUntagged()])
NOW = datetime(2026, 6, 1, tzinfo=UTC)


async def main(url: str, contents: Path, job: str) -> None:
    """Plan, and apply if asked to."""
    sent = 0

    def count(_: object) -> None:
        nonlocal sent
        sent += 1

    async with (
        RegistryClient(
            TOKEN, base_url=url, rate_limit=None, concurrency=32, on_request=count
        ) as client,
        Distribution(client.registry("example"), base_url=url, concurrency=32) as distribution,
    ):
        registry = client.registry("example")
        with ContentCache(contents) as cache:
            reader = ContentReader(distribution, cache)
            begun = time.perf_counter()
            plan = await make_plan(registry, POLICY, reader, now=NOW)
            seconds = time.perf_counter() - begun
            memory = peak_memory() or 0
            planning, sent = sent, 0
            assert not plan.left_alone
            if job != "plan":
                report = await apply_plan(registry, plan, reader, force=True)
                assert report.done
                assert not report.drift
    condemned = [item for _, item in plan.condemned]
    tags = sum(repository.tags for repository in plan.repositories)
    manifests = sum(repository.manifests for repository in plan.repositories)
    pages = sum(
        -(-count // PER_PAGE)
        for repository in plan.repositories
        for count in (repository.tags, repository.manifests)
    )
    # What it takes to delete tag by tag, and then what that leaves without a tag.
    one_by_one = pages + sum(len(item.tags) for item in condemned)
    one_by_one += sum(item.delete == "manifest" for item in condemned)
    gone = sum(item.delete == "manifest" for item in condemned)
    figures = [seconds, memory / 2**20, tags, manifests, gone, len(condemned), planning, sent]
    print(json.dumps([*figures, one_by_one]))


if __name__ == "__main__":
    relax_garbage_collector()
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
