"""Hours of mixed work, with faults: what is lost, what is doubled, what grows.

``python -m benchmarks.soak`` runs two hours of virtual time at the real limits, and ten minutes of
real time with faults on; it takes about twelve minutes, and writes ``benchmarks/SOAK.md``.
"""

import argparse
import asyncio
import gc
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aioregistry import RateLimit, RegistryClient, RetryPolicy
from aioregistry.cleanup import (
    Distribution,
)
from aioregistry.sandbox import Faults, Limits, Phases, Sandbox
from aioregistry.testing.virtual_time import run_virtual
from benchmarks.soak_work import PHASE, WORKS, Site, Soak, faulty, take_record

__all__ = ["hours", "minutes"]

_RECORD = 5_000
_PHASES = Phases(*[PHASE] * 6)
_RETRY = RetryPolicy(attempts=2, backoff=0.01, cap=0.1)
_FILES = Path("/proc/self/fd")
_STATUS = Path("/proc/self/status")
_RESULTS = Path(__file__).with_name("SOAK.md")


async def _measure(soak: Soak) -> None:
    # Connections that were cut end with the next turns of the loop.
    await asyncio.sleep(0.05)
    _note_resources(soak)
    soak.tasks.append(len(asyncio.all_tasks()))


def _note_resources(soak: Soak) -> None:
    gc.collect()
    for line in _STATUS.read_text().splitlines() if _STATUS.exists() else ():
        if line.startswith("VmRSS:"):
            soak.resident.append(int(line.split()[1]) / 1024)
    if _FILES.exists():
        soak.files.append(sum(1 for _ in _FILES.iterdir()))


@asynccontextmanager
async def _site(scale: float, faults: Faults | None) -> AsyncIterator[Callable[[Soak, int], Site]]:
    loop = asyncio.get_running_loop()
    async with Sandbox(
        limits=Limits(scale=scale), clock=loop.time, faults=faults, record=_RECORD
    ) as sandbox:
        sandbox.state.phases = _PHASES
        sandbox.state.push("example", "web", ["main"])
        async with RegistryClient(
            sandbox.token,
            base_url=sandbox.url,
            rate_limit=RateLimit().scaled(scale),
            retry=_RETRY,
            timeout=5.0,
        ) as client:
            registry = client.registry("example")
            async with Distribution(
                registry, base_url=sandbox.url, retry=_RETRY, timeout=5.0
            ) as distribution:
                yield lambda soak, number: Site(sandbox, client, distribution, soak, number)


async def _soak(seconds: float, scale: float, faults: Faults | None) -> Soak:
    soak = Soak()
    loop = asyncio.get_running_loop()
    async with _site(scale, faults) as site_of:
        end = loop.time() + seconds
        for number, name in enumerate(itertools.cycle(WORKS)):
            site = site_of(soak, number)
            await WORKS[name](site)
            soak.rounds += 1
            soak.works[name] += 1
            take_record(site)
            site.clear()
            await _measure(soak)
            if loop.time() >= end:
                break
    return soak


def hours(count: float, faults: Faults | None = None) -> Soak:
    """Soak for hours of virtual time, at the real limits."""
    return run_virtual(_soak(count * 3600, 1.0, faults))


def minutes(count: float, seed: int = 0) -> Soak:
    """Soak for minutes of real time, with faults, at limits 60 times faster."""
    return asyncio.run(_soak(count * 60, 60.0, faulty(seed)))


def _table(soaks: dict[str, Soak]) -> str:
    told = zip(*(soak.rows() for soak in soaks.values()), strict=True)
    lines = [
        f"| | {' | '.join(soaks)} |",
        f"|---|{'---:|' * len(soaks)}",
        *(f"| {rows[0][0]} | {' | '.join(figure for _, figure in rows)} |" for rows in told),
    ]
    return "".join(f"{line}\n" for line in lines)


_HEAD = """\
# Soak

Mixed work without an end, on one client. After each round the sandbox's content and its record of
requests are compared with the reports, item by item: told to be gone and there, or told to be there
and gone, is lost; deleted twice by the server is doubled. Memory, files and tasks, the sandbox's
included, are the most after a round, and how much more in the last quarter than in the second.
`python -m benchmarks.soak` writes this file.

"""


def main() -> int:
    """Run both, write the figures, and return 1 when anything is lost, doubled or miscounted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0, help="of virtual time")
    parser.add_argument("--minutes", type=float, default=10.0, help="of real time, with faults")
    given = parser.parse_args()
    soaks = {
        f"{given.hours:g} hours, virtual": hours(given.hours),
        f"{given.minutes:g} minutes, faults on": minutes(given.minutes),
    }
    table = _table(soaks)
    _RESULTS.write_text(f"{_HEAD}{table}")
    sys.stdout.write(table)
    return int(not all(soak.sound for soak in soaks.values()))


if __name__ == "__main__":
    sys.exit(main())
