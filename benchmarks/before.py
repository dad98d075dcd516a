"""This build beside an older one, whose sources come from the history: plans, reads, requests."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from operator import truediv
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.candidates import OURS
from benchmarks.effort import Effort
from benchmarks.job import TOKEN, Job
from benchmarks.results import Row, Section, Target
from benchmarks.server import serving

__all__ = ["beside_the_older_build", "plan_of_this_build"]

OLDER = "57e9c92"
# Each is a tenth of a second, or more.
_PARTS = 10
# Two plans by one build differ by some percent.
_PAIRS = 3
_HERE = Path(__file__).parent
_NOTE = (
    f"The older build is that of {OLDER}, its sources taken from the history and run with the same "
    "libraries, in turn with this one. A plan is made with the contents of manifests cached and no "
    f"list remembered, and written, {_PAIRS} times by each build; the last is read and carried out "
    "up to the first request. Times are CPU time, of a plan that of the whole process; a peak is "
    "the largest resident memory of a process from its beginning, of all plans. Manifests are read "
    "by one process of each build, and one of bare aiohttp, a tenth by each in turn; what was read "
    "stays in memory."
)


def beside_the_older_build(effort: Effort) -> Section:
    """Plan large registries with both builds, and read manifests with both and with aiohttp."""
    with TemporaryDirectory() as folder:
        older = Path(folder, "older")
        rows = (*_rows(effort, Path(folder), older),) if _take_out(older) else ()
    return Section("Beside an older build", _NOTE, rows)


def plan_of_this_build(tags: int, repositories: int, folder: Path) -> list[float]:
    """Plan a registry whose contents are cached, and write the plan.

    Args:
        tags: How many it has.
        repositories: How many share them.
        folder: Where the cache and the plan are written.

    Returns:
        Seconds of CPU time, MiB at most, and how many tags and manifests there are, and how many
        items are deleted.
    """
    contents = folder / "contents"
    with serving("registry", tags=tags, contents=contents, repositories=repositories) as url:
        return _run(_HERE.parent, "planning", "plan", url, str(contents), str(folder / "plan.json"))


def _rows(effort: Effort, folder: Path, older: Path) -> Iterator[Row]:
    builds = {"this": _HERE.parent, "older": older}
    yield from _plans(effort, effort.planned, 50, folder, builds, (400, 0.6, 250))
    yield from _plans(effort, effort.planned // 10, 1, folder, builds, (150, None, None))
    yield from _reads(effort, builds)
    yield from _requests(effort, builds)
    yield from _lists(effort, builds)


def _take_out(folder: Path) -> bool:
    """Write the older build's sources; return whether the history has them."""
    command = ["git", "-C", str(_HERE.parent), "archive", OLDER, "aioregistry"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        return False
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return True


def _plans(
    effort: Effort,
    tags: int,
    repositories: int,
    folder: Path,
    builds: dict[str, Path],
    targets: tuple[float, float | None, float | None],
) -> Iterator[Row]:
    contents = folder / f"contents-{repositories}"
    # The caches of the builds differ, and this one's has its memory beside it.
    homes = {name: folder / f"{name}-{repositories}" for name in builds}
    made: dict[str, list[list[float]]] = {name: [] for name in builds}
    with serving("registry", tags=tags, contents=contents, repositories=repositories) as url:
        for name, sources in builds.items():
            homes[name].mkdir()
            _run(sources, "planning", "fill", url, str(homes[name] / "contents"), str(contents))
        for nth in range(min(effort.rounds, _PAIRS)):
            for name in sorted(builds, reverse=nth % 2 == 1):
                made[name].append(_first_plan(builds[name], url, homes[name]))
    what = f"{made['this'][0][2]:,.0f} tags, {repositories} repositories"
    peak, over, peak_of_apply = targets
    seconds, peaks = (
        {name: tuple(each[nth] for each in figures) for name, figures in made.items()}
        for nth in range(2)
    )
    yield Row(f"{what}: peak of planning", peaks["this"], Target(peak), "MiB", worst=True)
    yield Row(f"{what}: peak of planning, older", peaks["older"], unit="MiB", worst=True)
    ratios = tuple(map(truediv, seconds["this"], seconds["older"]))
    yield Row(f"{what}: CPU over the older's", ratios, over and Target(over))
    applied = {
        name: _run(
            sources,
            "planning",
            "apply",
            url,
            str(homes[name] / "contents"),
            str(homes[name] / "plan.json"),
        )
        for name, sources in builds.items()
    }
    before = f"{what}: peak of applying before the first request"
    bound = peak_of_apply and Target(peak_of_apply)
    yield Row(before, (applied["this"][1],), bound, "MiB")
    yield Row(f"{before}, older", (applied["older"][1],), unit="MiB")


def _first_plan(sources: Path, url: str, home: Path) -> list[float]:
    """Plan as if for the first time; return what is printed, but the seconds to the very end."""
    for remembered in home.glob("lists-*"):
        remembered.unlink()
    before = _seconds_of_children()
    contents, plan = str(home / "contents"), str(home / "plan.json")
    _, *figures = _run(sources, "planning", "plan", url, contents, plan)
    return [_seconds_of_children() - before, *figures]


def _seconds_of_children() -> float:
    """Return the CPU time of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reads(effort: Effort, builds: dict[str, Path]) -> Iterator[Row]:
    count = effort.compared
    with serving("registry", tags=2 * count, repositories=1) as url:
        rounds = [_read_in_turn(url, count, builds) for _ in range(effort.rounds)]
    what = f"{count:,} manifests read, 32 at once"
    for name, label, target in (
        ("bare", "over bare aiohttp + json.loads", Target(0.8)),
        ("older", "over the older's", None),
    ):
        ratios = tuple(sum(each["this"]) / sum(each[name]) for each in rounds)
        yield Row(f"{what}: CPU {label}", ratios, target)


def _read_in_turn(url: str, count: int, builds: dict[str, Path]) -> dict[str, list[float]]:
    """Read manifests with both builds and with aiohttp, a part by each and then the next part.

    What else the machine does, and how fast it is meanwhile, so concerns them all alike.
    """
    seconds: dict[str, list[float]] = {"this": [], "older": [], "bare": []}
    with ExitStack() as stack:
        readers = {}
        for name in seconds:
            kind, sources = "bare" if name == "bare" else "ours", builds.get(name, _HERE.parent)
            command = [str(_HERE / "reading.py"), kind, url, TOKEN, str(count), str(_PARTS)]
            readers[name] = stack.enter_context(_asked(sources, command))
        for part in range(_PARTS):
            for name in sorted(readers, reverse=part % 2 == 1):
                seconds[name].append(_answer(readers[name]))
    return seconds


def _asked(sources: Path, command: list[str]) -> subprocess.Popen[str]:
    """Start a script with a build's sources, which prints a figure for each line that it gets."""
    return subprocess.Popen(
        [sys.executable, *command],
        env=_environment(str(sources)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _answer(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    print(file=process.stdin, flush=True)
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"{process.args} failed:\n{process.stderr.read()[-2000:]}")
    return float(answer)


def _requests(effort: Effort, builds: dict[str, Path]) -> Iterator[Row]:
    with serving("minimal", tags=effort.tags) as url:
        deletes = Job("delete", url, effort.deletes, 32)
        walk = Job("walk", url, effort.tags, 16, repeat=10)
        for what, job, target in (
            (f"{deletes.count:,} deletes, 32 at once", deletes, 0.87),
            (f"{walk.count:,} tags, 16 pages at once", walk, 0.88),
        ):
            seconds: dict[str, list[float]] = {name: [] for name in builds}
            for _ in range(2 * effort.rounds):
                for name, sources in builds.items():
                    # Its sources come first; the candidates are this build's.
                    paths = f"{sources}{os.pathsep}{_HERE.parent}"
                    figures = _print_of(paths, "candidates.py", OURS, job.to_json())
                    seconds[name].append(figures[1])
            ratio = statistics.median(seconds["this"]) / statistics.median(seconds["older"])
            yield Row(f"{what}: CPU over the older's", (ratio,), Target(target))


def _lists(effort: Effort, builds: dict[str, Path]) -> Iterator[Row]:
    taken: dict[str, list[list[float]]] = {name: [] for name in builds}
    for _ in range(effort.rounds):
        for name, sources in builds.items():
            figures = _print_of(str(sources), "listed.py", str(effort.tags), "5")
            taken[name].append(figures)
    for nth, (when, target) in enumerate((("first", None), ("again", Target(0.35)))):
        what = f"a page of 200 tags of the sandbox, asked for {when}: CPU of the server"
        by_name = {name: [each[nth] for each in figures] for name, figures in taken.items()}
        yield Row(what, (statistics.median(by_name["this"]),), target, "ms")
        yield Row(f"{what}, older", (statistics.median(by_name["older"]),), unit="ms")


def _run(sources: Path, script: str, job: str, url: str, *args: str) -> list[float]:
    """Run a script with a build's sources in a process of its own; return what it prints."""
    return _print_of(str(sources), f"{script}.py", job, url, TOKEN, *args)


def _print_of(paths: str, script: str, *args: str) -> list[float]:
    done = subprocess.run(
        [sys.executable, str(_HERE / script), *args],
        env=_environment(paths),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{script} {args[0]} failed:\n{done.stderr[-2000:]}")
    figures: list[float] = json.loads(done.stdout or "[]")
    return figures


def _environment(paths: str) -> dict[str, str]:
    # An import that compiles its sources anew each time is no import that anybody waits for.
    return {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": ""}
