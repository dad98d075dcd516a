"""The command `usage` of a large registry: prints its figures as JSON.

``python -m benchmarks.counting TAGS REPOSITORIES [OPTION…]``
"""

import asyncio
import json
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from aioregistry.sandbox import Sandbox
from aioregistry.sandbox.seed import generated_state
from benchmarks.job import PER_PAGE, TOKEN

__all__: list[str] = []


async def _count(tags: int, repositories: int, options: list[str]) -> list[float]:
    """Return tags, manifests, MiB at most, seconds, lists that were read, and pages of one pass."""
    state = generated_state(tags, repositories)
    found = state.registry("example").repositories.values()
    pages = -(-len(found) // PER_PAGE)
    pages += sum(-(-len(each.manifests) // PER_PAGE) for each in found)
    with TemporaryDirectory() as folder:
        async with Sandbox(state, token=TOKEN, record=1_000_000) as sandbox:
            environment = {
                **os.environ,
                "DIGITALOCEAN_TOKEN": TOKEN,
                "AIOREGISTRY_API_URL": sandbox.url,
                "AIOREGISTRY_REGISTRY_URL": sandbox.url,
                "XDG_CACHE_HOME": folder,
                "XDG_STATE_HOME": folder,
                "XDG_CONFIG_HOME": folder,
            }
            command = ("-m", "aioregistry", "usage", "example", "--rate-limit", "off")
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *(*command, "--by", "registry", "-o", "json", "--columns", "all", *options),
                env=environment,
                stdout=asyncio.subprocess.PIPE,
            )
            peak = asyncio.create_task(_peak(process.pid))
            said, _ = await process.communicate()
            lists = [one for one in sandbox.requests if "/repositories" in one.raw_path]
    if process.returncode:
        raise SystemExit(f"the command ended with {process.returncode}")
    (row,) = json.loads(said)
    # There is one child. Its largest memory here would be that of this process, before its exec.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime
    return [row["tags"], row["manifests"], await peak, seconds, len(lists), pages]


def _kilobytes(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


async def _peak(process: int) -> float:
    """Return the largest resident memory of a process until it ends, in MiB."""
    most = 0
    with suppress(FileNotFoundError, ProcessLookupError, StopIteration):
        while True:
            most = _kilobytes(process)
            await asyncio.sleep(0.05)
    return most / 1024


if __name__ == "__main__":
    counted = _count(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    print(json.dumps(asyncio.run(counted)))
