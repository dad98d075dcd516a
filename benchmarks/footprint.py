"""What the client takes by itself: waiting, memory, permits, its import."""

from collections.abc import Iterator

from benchmarks.candidates import OURS
from benchmarks.effort import DECODER, Effort
from benchmarks.job import Job
from benchmarks.measure import interleave, ratios, run_module
from benchmarks.probes import HAS_RESIDENT
from benchmarks.results import Row, Section, Target
from benchmarks.server import serving

__all__ = ["footprint"]

_LATENCY = 0.05
# What the client is built on, but for what it loads on need.
_LIBRARIES = ("aiohttp", "aiolimiter", "attrs", "msgspec")


def footprint(effort: Effort) -> Section:
    """Measure each, in a process of its own."""
    rows = (*_latency(effort), *_memory(effort), *_permits(effort), *_imports(effort))
    return Section("Latency, memory, permits, import", "", rows)


def _latency(effort: Effort) -> Iterator[Row]:
    with serving("minimal", tags=effort.tags, latency=_LATENCY) as url:
        job = Job("walk", url, effort.tags, 16, warm_up=False)
        seconds = interleave((OURS, DECODER), lambda *_: job, effort.rounds).wall
    what = f"{effort.tags // 200} pages, 50 ms away, 16 at once"
    # By the wall alone a machine with too much to do would miss it, and a short run must not.
    target = Target(0.7) if effort.clock == "wall" else None
    yield Row(what, seconds[OURS], target, "s")
    yield Row(f"{what}: bare aiohttp + our decoder", seconds[DECODER], unit="s")


def _memory(effort: Effort) -> Iterator[Row]:
    if not effort.streamed or not HAS_RESIDENT:
        return
    tags = str(effort.streamed)
    with serving("minimal", tags=effort.streamed) as url:
        growth = [run_module("probes", "memory_growth", url, tags)[0] for _ in range(3)]
    what = f"{effort.streamed:,} tags streamed: growth of resident memory"
    yield Row(what, tuple(growth), Target(40), "MiB")


def _permits(effort: Effort) -> Iterator[Row]:
    seconds = [run_module("probes", "permit", "20000")[0] for _ in range(effort.rounds)]
    what = "an uncontended permit, got and given back"
    yield Row(what, tuple(1e6 * each for each in seconds), Target(10), "µs")
    growths = [run_module("probes", "waiters", "1000", "10000") for _ in range(effort.rounds)]
    what = "a waiter's cost among 10,000 over among 1,000"
    # Linear is 1; nearer to it cannot be measured, as the semaphore shows.
    yield Row(what, tuple(ours for ours, _ in growths), Target(1.1))
    yield Row(f"{what}: asyncio.Semaphore", tuple(bare for _, bare in growths))


def _imports(effort: Effort) -> Iterator[Row]:
    given = (("aioregistry.client.client",), _LIBRARIES, ("aiohttp",))
    for modules in given:
        # The first import reads its files from the disk.
        run_module("imports", *modules)
    figures = [
        [run_module("imports", *modules)[0] for modules in given] for _ in range(3 * effort.rounds)
    ]
    ours, libraries, theirs = zip(*figures, strict=True)
    values = ratios(ours, theirs, effort.clock)
    yield Row("`import aioregistry.client.client` over `import aiohttp`", values, Target(1.35))
    values = ratios(libraries, theirs, effort.clock)
    yield Row(f"the libraries alone ({', '.join(_LIBRARIES)}) over `import aiohttp`", values)
