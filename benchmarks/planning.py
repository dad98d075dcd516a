"""A plan of this build or of an older one, in a process of its own: prints seconds and MiB as JSON.

``python benchmarks/planning.py plan URL TOKEN CACHE PLAN`` lists, decides and writes the plan.
Before it, ``… fill URL TOKEN CACHE DOCUMENTS`` puts the documents of this build's cache into the
build's own. After it, ``… apply URL TOKEN CACHE PLAN`` reads the plan and carries it out up to the
first request, which this process answers itself. ``PYTHONPATH`` chooses the build: only names that
both have are used.
"""

import asyncio
import gc
import json
import os
import sqlite3
import sys
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from aioregistry import RegistryClient
from aioregistry.cleanup import (
    Caps,
    ContentCache,
    ContentReader,
    Delete,
    DeleteUntagged,
    Distribution,
    Plan,
    Policy,
    apply_plan,
    make_plan,
)

try:
    from aioregistry.cleanup.manifests.content import parse_content
except ModuleNotFoundError:
    from aioregistry.cleanup.content import parse_content

# Most tags that are a commit's, and all manifests that have lost theirs.
_POLICY = Policy([Delete(tags="[0-9a-c]" + "[0-9a-f]" * 11), DeleteUntagged()])
_NOW = datetime(2026, 6, 1, tzinfo=UTC)


def _peak() -> float:
    """Return the largest resident memory of this process so far, in MiB."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def _fill(_url: str, _token: str, cache: Path, documents: Path) -> None:
    database = sqlite3.connect(documents)
    rows = database.execute("SELECT digest, type, body FROM documents")
    found = (
        (f"sha256:{key.hex()}", parse_content(body, media_type)) for key, media_type, body in rows
    )
    with ContentCache(cache) as contents:
        while some := dict(islice(found, 10_000)):
            contents.put(some)


async def _plan(url: str, token: str, cache: Path, path: Path) -> None:
    async with (
        RegistryClient(token, base_url=url, rate_limit=None, concurrency=32) as client,
        Distribution(client.registry("example"), base_url=url, concurrency=32) as distribution,
    ):
        with ContentCache(cache) as contents:
            reader = ContentReader(distribution, contents)
            plan = await make_plan(client.registry("example"), _POLICY, reader, now=_NOW)
    assert not plan.left_alone
    plan.save(path)
    tags = sum(repository.tags for repository in plan.repositories)
    manifests = sum(repository.manifests for repository in plan.repositories)
    going = sum(len(repository.condemned) for repository in plan.repositories)
    print(json.dumps([time.process_time(), _peak(), tags, manifests, going]))


async def _apply(url: str, token: str, cache: Path, path: Path) -> None:
    def first_request(*_: object) -> None:
        print(json.dumps([time.process_time(), _peak()]), flush=True)
        os._exit(0)

    server = await asyncio.start_server(first_request, "127.0.0.1", urlsplit(url).port)
    plan = Plan.load(path)
    Caps().check(plan, force=True)
    async with (
        server,
        RegistryClient(token, base_url=url, rate_limit=None, concurrency=32) as client,
        Distribution(client.registry("example"), base_url=url, concurrency=32) as distribution,
    ):
        with ContentCache(cache) as contents:
            reader = ContentReader(distribution, contents)
            journal = path.with_suffix(f".{os.getpid()}.journal")
            registry = client.registry("example")
            await apply_plan(registry, plan, reader, journal=journal, force=True)
    raise SystemExit("no request was sent")


if __name__ == "__main__":
    # As the command does.
    gc.set_threshold(50_000, 20, 100)
    work = {"fill": _fill, "plan": _plan, "apply": _apply}[sys.argv[1]]
    asyncio.run(work(sys.argv[2], sys.argv[3], Path(sys.argv[4]), Path(sys.argv[5])))
