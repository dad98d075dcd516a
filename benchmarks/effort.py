"""How much is measured: all for people, what matters most for CI."""

from attrs import frozen

from benchmarks.candidates import OURS, installed
from benchmarks.measure import Clock

__all__ = ["DECODER", "FLOOR", "FULL", "HTTPX", "ORJSON", "PYDO", "SHORT", "Effort"]

DECODER, ORJSON, PYDO, HTTPX = "aiohttp-decoder", "aiohttp-orjson", "pydo-aio", "httpx"
# What no client that promises what ours does can undercut.
FLOOR = "aiohttp-promises"


@frozen(kw_only=True)
class Effort:
    """How much is measured.

    Attributes:
        clock: What ratios are taken on: the wall's, or the CPU time of the client's process.
        rounds: How often each candidate runs.
        candidates: Who takes part, of those that are installed.
        tags: How many tags are walked.
        deletes: How many tags are deleted at once; one after the other, a fifth of it.
        jobs: How many deletes each job at the virtual limit has.
        seeds: How often a job in which chance plays a part is simulated.
        shared: How many deletes the jobs beside another client have.
        scale: How many times faster time runs at the limit in real time; 0 leaves it out.
        streamed: How many tags are streamed for the memory row; 0 leaves it out.
        sandbox: How many tags the sandbox holds; 0 leaves it out.
        cleaned: How many tags the registry has that is cleaned up; 0 leaves it out.
        planned: How many tags the registry has that is only planned; 0 leaves it out.
        compared: How many manifests are read by this build and an older one; 0 leaves the older one
            out.
        nights: How many repositories the registry has that is planned night after night; 0 leaves
            it out.
        sharing: How many tags processes delete that share a quota; 0 leaves services out.
        sharing_job: How many tags the job in a service deletes.
        counted: How many tags the registry has whose bytes are counted; 0 leaves it out.
        paged: How many tags the pages have that are opened in Chromium; 0 leaves them out.
    """

    clock: Clock = "wall"
    rounds: int = 5
    candidates: tuple[str, ...] = ()
    tags: int = 20_000
    deletes: int = 5_000
    jobs: tuple[int, ...] = (250, 1_000, 5_000, 20_000, 100_000)
    seeds: int = 2
    shared: int = 5_000
    scale: float = 120.0
    streamed: int = 1_000_000
    sandbox: int = 20_000
    cleaned: int = 24_000
    planned: int = 1_025_000
    compared: int = 10_000
    nights: int = 20_000
    sharing: int = 2_000
    sharing_job: int = 5_000
    counted: int = 1_000_000
    paged: int = 100_000


FULL = Effort(candidates=tuple(installed()))
SHORT = Effort(
    clock="cpu",
    rounds=3,
    candidates=(OURS, DECODER, ORJSON, PYDO),
    deletes=2_000,
    jobs=(250, 1_000, 5_000),
    seeds=1,
    scale=0,
    streamed=0,
    sandbox=0,
    cleaned=0,
    planned=0,
    compared=0,
    nights=0,
    sharing=0,
    counted=0,
    paged=0,
)
