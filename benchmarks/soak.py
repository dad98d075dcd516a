"""Hours of mixed work, with faults: what is lost, what is doubled, what grows.

``python -m benchmarks.soak`` runs two hours of virtual time at the real limits, and ten minutes of
real time with faults on; it takes about twelve minutes.
"""

import argparse
import asyncio
import gc
import itertools
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import define, field

from aioregistry import RateLimit, RegistryClient, RegistryError, RetryPolicy
from aioregistry.bulk import DeletionReport
from aioregistry.sandbox import Fault, Faults, Limits, Sandbox
from aioregistry.virtual_time import run_virtual

__all__ = ["Soak", "faulty", "hours", "minutes"]

_TAGS = 120
_FILES = Path("/proc/self/fd")
_STATUS = Path("/proc/self/status")


@define
class Soak:
    """What a soak has done and found.

    Attributes:
        rounds: How many rounds of work.
        requests: Requests that the server got.
        deleted: Tags that a report told to be deleted.
        lost: Tags that were told to be gone and are there, or were told to have failed and are not.
        doubled: Tags that the server deleted twice.
        limited: 429s.
        errors: Errors of other calls, by class: faults are meant to cause them.
        resident: Resident memory after each round, in MiB.
        files: Open files after each round.
        tasks: Tasks of the loop after each round.
    """

    rounds: int = 0
    requests: int = 0
    deleted: int = 0
    lost: int = 0
    doubled: int = 0
    limited: int = 0
    errors: Counter[str] = field(factory=Counter)
    resident: list[float] = field(factory=list)
    files: list[int] = field(factory=list)
    tasks: list[int] = field(factory=list)

    @property
    def grown(self) -> float:
        """MiB that resident memory grew by between the first quarter and the last one."""
        quarter = max(1, len(self.resident) // 4)
        first, last = self.resident[:quarter], self.resident[-quarter:]
        return max(last) - max(first) if first else 0.0

    def __str__(self) -> str:
        return (
            f"{self.rounds:,} rounds, {self.requests:,} requests, {self.limited:,} 429s,"
            f" {self.deleted:,} tags deleted, {self.lost} lost, {self.doubled} doubled;"
            f" errors that faults caused: {self.errors.total():,};"
            f" memory grew by {self.grown:.1f} MiB, files {_span(self.files)},"
            f" tasks {_span(self.tasks)}"
        )


def _span(counts: list[int]) -> str:
    return f"{min(counts, default=0)} to {max(counts, default=0)}"


def faulty(seed: int = 0) -> Faults:
    """Return what goes wrong in one of ten requests."""
    return Faults(
        Fault(kind="status", status=503, chance=0.02),
        Fault(kind="html", status=502, chance=0.02),
        Fault(kind="reset-before", chance=0.01),
        Fault(kind="reset-within", chance=0.01),
        Fault(kind="lost", chance=0.01),
        Fault(kind="truncate", chance=0.01, method="GET"),
        Fault(kind="delay", seconds=0.02, chance=0.05, spread="exponential"),
        seed=seed,
    )


@asynccontextmanager
async def _client(sandbox: Sandbox, scale: float) -> AsyncIterator[RegistryClient]:
    async with RegistryClient(
        sandbox.token,
        base_url=sandbox.url,
        rate_limit=RateLimit().scaled(scale),
        retry=RetryPolicy(attempts=2, backoff=0.01, cap=0.1),
        timeout=5.0,
    ) as client:
        yield client


async def _work(sandbox: Sandbox, client: RegistryClient, soak: Soak, number: int) -> None:
    """Push, walk, delete, and compare what was told with what is there."""
    registry = client.registry("example")
    repository = registry.repository("web")
    names = [f"r{number}-{nth}" for nth in range(_TAGS)]
    sandbox.state.push("example", "web", names)
    for call in (
        repository.tags().collect,
        repository.manifests().first,
        registry.docker_credentials,
        client.get_registry,
    ):
        try:
            await call()
        except RegistryError as error:
            soak.errors[type(error).__name__] += 1
    report = await repository.delete_tags(names)
    soak.rounds += 1
    soak.deleted += len(report.deleted)
    _compare(sandbox, report, soak)


def _compare(sandbox: Sandbox, report: DeletionReport, soak: Soak) -> None:
    there = set(sandbox.state.tag_names("example", "web"))
    gone = {one.name for one in (*report.deleted, *report.absent)}
    left = {one.name for one in (*report.failed, *report.not_attempted)}
    soak.lost += len(gone & there) + len(left - there)
    for one in (*report.failed, *report.unknown):
        soak.errors[type(one.error).__name__] += 1
    new = sandbox.request_count - soak.requests
    requests = sandbox.requests[-new:]
    done = Counter(
        one.raw_path
        for one in requests
        if one.method == "DELETE" and one.status is not None and one.status < 300
    )
    soak.doubled += sum(count - 1 for count in done.values())
    soak.requests += new
    soak.limited += sum(one.status == 429 for one in requests)


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


async def _soak(seconds: float, scale: float, faults: Faults | None) -> Soak:
    soak = Soak()
    loop = asyncio.get_running_loop()
    async with Sandbox(
        limits=Limits(scale=scale), clock=loop.time, faults=faults, record=10 * _TAGS
    ) as sandbox:
        sandbox.state.push("example", "web", ["main"])
        async with _client(sandbox, scale) as client:
            end = loop.time() + seconds
            for number in itertools.count():
                await _work(sandbox, client, soak, number)
                await _measure(soak)
                if loop.time() >= end:
                    return soak
    return soak


def hours(count: float) -> Soak:
    """Soak for hours of virtual time, at the real limits and without faults."""
    return run_virtual(_soak(count * 3600, 1.0, None))


def minutes(count: float, seed: int = 0) -> Soak:
    """Soak for minutes of real time, with faults, at limits 60 times faster."""
    return asyncio.run(_soak(count * 60, 60.0, faulty(seed)))


def main() -> int:
    """Run both, and return 1 when anything is lost, doubled or left."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0, help="of virtual time")
    parser.add_argument("--minutes", type=float, default=10.0, help="of real time, with faults")
    given = parser.parse_args()
    soaks = [hours(given.hours), minutes(given.minutes)]
    for what, soak in zip(("virtual", "real"), soaks, strict=True):
        sys.stdout.write(f"{what}: {soak}\n")
    return int(any(soak.lost or soak.doubled for soak in soaks))


if __name__ == "__main__":
    sys.exit(main())
