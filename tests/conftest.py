"""A sandbox on a socket, and a client on it."""

import asyncio
import gc
import itertools
import os
import re
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Generator

import pytest

from aioregistry import RegistryClient, RetryPolicy
from aioregistry.sandbox import Sandbox, State
from tests import drawing

# A shell that runs the tests in the background has Ctrl-C ignored, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# By nohup a closed terminal is ignored: by the tests still, and not by what they start.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

# Images set it to stay small. Each worker would compile all tests anew, and each program that a
# test starts all that it imports: a third of the time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# By these CI and terminals have Rich print colours, or narrower.
for _name in ("GITHUB_ACTIONS", "FORCE_COLOR", "PY_COLORS", "COLUMNS", "LINES"):
    os.environ.pop(_name, None)

# AIOREGISTRY_LOOP=uvloop runs the tests on uvloop; what is on a virtual clock brings its own loop.
if os.environ.get("AIOREGISTRY_LOOP") == "uvloop":
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Use all cores for the whole suite. What names files, `-k` or `--pdb` starts no workers."""
    option = config.option
    if (
        config.args == config.getini("testpaths")
        and not hasattr(config, "workerinput")  # a worker would start workers, and so on
        and getattr(option, "numprocesses", 0) is None
        and not (option.tx or option.keyword or option.usepdb or option.collectonly)
        # pytest-cov has looked for workers by now, and cannot follow these.
        and not getattr(option, "cov_source", None)
    ):
        option.numprocesses, option.dist = "auto", "worksteal"


def pytest_xdist_auto_num_workers() -> int | None:
    """Start two workers for a core: tests that wait leave it idle."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None]:
    """Look for garbage only among what the tests make: all that is collected stays to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let half of the workers begin with the slow tests, the longest of all at the head.

    No worker is left with one at the end, and what waits runs beside what computes.
    """
    workers = int(getattr(config, "workerinput", {}).get("workercount", 0))
    if not workers:
        return
    seconds = {
        item: marker.args[0] for item in items if (marker := item.get_closest_marker("slow"))
    }
    # Not those of a matrix, each of which is over soon.
    longest_first = sorted(
        (item for item in items if seconds.get(item, 0) >= 1), key=lambda item: -seconds[item]
    )
    slow = set(longest_first)
    quick = iter([item for item in items if item not in slow])
    beginning = (workers + 1) // 2
    dealt: list[pytest.Item] = []
    # Each worker starts with an equal part of the list, from its front.
    for worker in range(workers):
        part = (len(items) - len(dealt)) // (workers - worker)
        mine = longest_first[worker::beginning] if worker < beginning else []
        dealt += mine + list(itertools.islice(quick, max(0, part - len(mine))))
    items[:] = [*dealt, *quick]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once, in one line, what to install for the tests that were skipped without it."""
    needing, packages = [], defaultdict(set)
    for report in terminalreporter.getreports("skipped"):
        if found := _NEEDS.search(str(report.longrepr)):
            needing.append(report)
            packages[found["how"]].update(found["packages"].split())
    how = "; ".join(f"{how} {' '.join(sorted(which))}" for how, which in sorted(packages.items()))
    for report in needing:
        report.longrepr = ("tests", None, f"needs what is not installed: {how}")


def pytest_configure(config: pytest.Config) -> None:
    """Leave out the cells of large matrices, unless `-m` names them; tell of the debug mode."""
    chosen = config.option.markexpr
    if "exhaustive" not in chosen:
        config.option.markexpr = f"({chosen}) and not exhaustive" if chosen else "not exhaustive"
    # pytest-asyncio knows its own option alone.
    if sys.flags.dev_mode or os.environ.get("PYTHONASYNCIODEBUG"):
        config.option.asyncio_debug = True


drawing.use()

# "needs redis-server: apt-get install redis-server", the reason of whoever skips.
_NEEDS = re.compile(
    r"needs [^:]+: (?P<how>(?:apt-get|pip|snap) install|\.ci/tools FOLDER) (?P<packages>[\w. -]+)"
)

QUICK = RetryPolicy(backoff=0.001, cap=0.01)


def push_tags(state: State, count: int, repository: str = "repo", prefix: str = "v") -> None:
    """Push images, each with one tag."""
    for number in range(count):
        state.push("example", repository, [f"{prefix}{number}"])


@pytest.fixture(autouse=True)
def nothing_from_the_environment(monkeypatch):
    for name in (
        "DIGITALOCEAN_TOKEN",
        "DIGITALOCEAN_ACCESS_TOKEN",
        "AIOREGISTRY_API_URL",
        "AIOREGISTRY_REGISTRY_URL",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[RegistryClient]:
    async with RegistryClient(
        sandbox.token, base_url=sandbox.url, rate_limit=None, retry=QUICK, per_page=10
    ) as client:
        yield client
