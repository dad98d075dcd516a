"""The work of a soak: reading, deleting and cleaning up, each compared with what the server did."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from attrs import define, field, frozen

from aioregistry import Outcome, RegistryClient, RegistryError
from aioregistry.cleanup import (
    CleanupReport,
    ContentReader,
    Delete,
    Distribution,
    Policy,
    apply_plan,
    collect_garbage,
    make_plan,
)
from aioregistry.sandbox import Fault, Faults, RecordedRequest, Sandbox

__all__ = ["PHASE", "WORKS", "Site", "Soak", "faulty", "grown", "take_record"]

_IMAGES = 40
# A phase of a garbage collection, in seconds.
PHASE = 0.01

# A tag that was never pushed.
_NEVER = "none"


@define
class Soak:
    """What a soak has done and found.

    Attributes:
        rounds: How many rounds of work.
        works: How often each kind of work was done.
        requests: Requests that the server got.
        deleted: Items that a report told to be deleted.
        lost: Items that were told to be gone and are there, or were told to be there and are not,
            or of which nothing was told.
        doubled: Items that the server deleted twice.
        miscounted: Items of which a report told another number of attempts than the server got.
        limited: 429s.
        errors: Errors by class: faults and stopping in the middle are meant to cause them.
        resident: Resident memory after each round, in MiB.
        files: Open files after each round.
        tasks: Tasks of the loop after each round.
    """

    rounds: int = 0
    works: Counter[str] = field(factory=Counter)
    requests: int = 0
    deleted: int = 0
    lost: int = 0
    doubled: int = 0
    miscounted: int = 0
    limited: int = 0
    errors: Counter[str] = field(factory=Counter)
    resident: list[float] = field(factory=list)
    files: list[int] = field(factory=list)
    tasks: list[int] = field(factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, doubled, miscounted or rate-limited."""
        return not (self.lost or self.doubled or self.miscounted or self.limited)

    def rows(self) -> list[tuple[str, str]]:
        """Return what there is to tell, in words and figures."""
        return [
            ("rounds of work", f"{self.rounds:,}"),
            *((f"… {work}", f"{self.works[work]:,}") for work in sorted(WORKS)),
            ("requests", f"{self.requests:,}"),
            ("429s", f"{self.limited:,}"),
            ("items deleted", f"{self.deleted:,}"),
            ("lost", f"{self.lost:,}"),
            ("doubled", f"{self.doubled:,}"),
            ("attempts miscounted", f"{self.miscounted:,}"),
            ("errors told of", f"{self.errors.total():,}"),
            ("memory", f"{max(self.resident, default=0):.0f} MiB, {grown(self.resident):+.1f}"),
            ("open files", f"{max(self.files, default=0)}, {grown(self.files):+}"),
            ("tasks", f"{max(self.tasks, default=0)}, {grown(self.tasks):+}"),
        ]

    def __str__(self) -> str:
        return ", ".join(f"{what}: {figure}" for what, figure in self.rows())


def grown(counts: list[Any]) -> Any:
    """Return by how much the most in the last quarter is more than the most in the second one.

    In the first, connections are made and caches are filled.
    """
    quarter = len(counts) // 4
    return max(counts[-quarter:]) - max(counts[quarter : 2 * quarter]) if quarter else 0


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


@frozen
class Site:
    """Where a round of work is done."""

    sandbox: Sandbox
    client: RegistryClient
    distribution: Distribution
    soak: Soak
    number: int

    def push(self, work: str) -> dict[str, str]:
        """Push images, and return the digest of each tag."""
        names = [f"r{self.number}-{work}-{nth}" for nth in range(_IMAGES)]
        push = self.sandbox.state.push
        return {name: push("example", "web", [name]) for name in names}

    @property
    def tags(self) -> set[str]:
        return set(self.sandbox.state.tag_names("example", "web"))

    def clear(self) -> None:
        """Take away what a round has left, so that the content does not grow."""
        # Not as a client: a garbage collection may have made the registry read-only.
        repository = self.sandbox.state.registry("example").repository("web")
        for tag in self.tags - {"main"}:
            repository.delete_tag(tag)


async def _read(site: Site) -> None:
    registry = site.client.registry("example")
    tags = registry.repository("web").tags()

    async def leave_early() -> None:
        async with aiter(registry.tags()) as walk:
            async for _ in walk:
                return

    for call in (
        tags.collect,
        leave_early,
        registry.repositories().collect,
        registry.repository("web").manifests().first,
        registry.docker_credentials,
        site.client.get_registry,
    ):
        await _errors_counted(site, call)


async def _errors_counted(site: Site, call: Callable[[], Awaitable[object]]) -> None:
    try:
        await call()
    except RegistryError as error:
        site.soak.errors[type(error).__name__] += 1


async def _delete_tags(site: Site) -> None:
    pushed = site.push("tags")
    report = await site.client.registry("example").repository("web").delete_tags([*pushed, _NEVER])
    _compare(site, _all_of(report), {*pushed, _NEVER}, site.tags)


async def _delete_manifests(site: Site) -> None:
    pushed = site.push("manifests")
    repository = site.client.registry("example").repository("web")
    report = await repository.delete_manifests(pushed.values())
    there = {digest for tag, digest in pushed.items() if tag in site.tags}
    _compare(site, _all_of(report), set(pushed.values()), there)


async def _stop_in_the_middle(site: Site) -> None:
    pushed = site.push("stopped")
    told: list[Outcome] = []
    repository = site.client.registry("example").repository("web")
    try:
        async with asyncio.timeout(0.05 * (site.number % 7)):
            await repository.delete_tags(pushed, on_outcome=told.append)
    except TimeoutError:
        pass
    # Of what was not begun nothing is told, and it is there.
    _compare(site, told, {one.name for one in told}, site.tags)
    site.soak.lost += len({*pushed} - {one.name for one in told} - site.tags)


async def _clean_up(site: Site) -> None:
    pushed = site.push("clean")
    registry = site.client.registry("example")
    contents = ContentReader(site.distribution)
    policy = Policy([Delete(tags=f"r{site.number}-clean-*")], floor=0)
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal"
        try:
            plan = await make_plan(registry, policy, contents)
            report = await apply_plan(registry, plan, contents, journal=journal, force=True)
            if not report.done:
                report = await apply_plan(
                    registry, plan, contents, journal=journal, force=True, resume=True
                )
        except RegistryError as error:
            site.soak.errors[type(error).__name__] += 1
            return
    condemned = {tag for one in plan.condemned for tag in one[1].tags}
    _compare_clean_up(site, report, condemned & {*pushed})


async def _collect(site: Site) -> None:
    registry = site.client.registry("example")
    kind = "untagged manifests and unreferenced blobs"
    await _errors_counted(site, lambda: collect_garbage(registry, type=kind, interval=0.1))
    # What could not be watched to its end ends all the same.
    await asyncio.sleep(10 * PHASE)


WORKS = {
    "lists read": _read,
    "tags deleted": _delete_tags,
    "manifests deleted": _delete_manifests,
    "deletes stopped in the middle": _stop_in_the_middle,
    "clean-ups": _clean_up,
    "garbage collections": _collect,
}


def _all_of(report: object) -> list[Outcome]:
    lists = ("deleted", "absent", "failed", "unknown", "not_attempted")
    return [one for name in lists for one in getattr(report, name)]


def _compare(site: Site, outcomes: Iterable[Outcome], given: set[str], there: set[str]) -> None:
    """Compare what was told of each item with what is there and with what the server recorded."""
    soak = site.soak
    told = {one.name: one for one in outcomes}
    soak.lost += len(given ^ set(told))
    sent = _deletes(_new_requests(site))
    for name, one in told.items():
        soak.deleted += one.status == "deleted"
        gone = name not in there
        soak.lost += gone and name != _NEVER and one.status in {"failed", "not_attempted"}
        soak.lost += not gone and one.status in {"deleted", "absent"}
        soak.miscounted += sent[name] > one.attempts
        if one.error is not None:
            soak.errors[type(one.error).__name__] += 1


def _compare_clean_up(site: Site, report: CleanupReport, condemned: set[str]) -> None:
    soak, there = site.soak, site.tags
    told: dict[str, str] = {}
    for status in ("deleted", "absent", "drift", "failed", "unknown", "not_attempted"):
        for settled in getattr(report, status):
            soak.deleted += status == "deleted"
            soak.errors["clean-up"] += status in {"failed", "unknown", "not_attempted"}
            told |= dict.fromkeys(settled.item.tags, status)
    soak.lost += len(condemned ^ set(told))
    soak.lost += sum(
        (tag in there) == (status in {"deleted", "absent"})
        for tag, status in told.items()
        if status != "unknown"
    )


def _new_requests(site: Site) -> list[RecordedRequest]:
    new = site.sandbox.request_count - site.soak.requests
    return site.sandbox.requests[-new:] if new else []


def _deletes(requests: Iterable[RecordedRequest]) -> Counter[str]:
    return Counter(
        unquote(one.raw_path.rpartition("/")[2]) for one in requests if one.method == "DELETE"
    )


def take_record(site: Site) -> None:
    """Count what the server got in a round."""
    soak = site.soak
    requests = _new_requests(site)
    done = [one for one in requests if one.status is not None and one.status < 300]
    soak.doubled += sum(count - 1 for count in _deletes(done).values())
    soak.limited += sum(one.status == 429 for one in requests)
    soak.requests += len(requests)
