"""``python -m tests.mutation [--sample 50] [--seed 1] [MODULE…]``: a sample, and its score by room.

``--again`` runs what survived the last time, with the tests as they are now.
"""

import argparse
import os
import subprocess
import sys
from collections import Counter, defaultdict
from fnmatch import fnmatch
from itertools import chain, groupby, zip_longest

from tests.mutation.running import read_results
from tests.mutation.sampling import ROOT, WORK, Mutant, diff, make_mutants, sample, settings

RESULTS = ROOT / "build" / "mutation.jsonl"
# A test that hangs has noticed something.
NOTICED = {"killed", "timeout"}


def show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def row(name: str, total: int, ended: Counter[str]) -> str:
    noticed = sum(ended[outcome] for outcome in NOTICED)
    sampled = ended.total()
    return f"| {name} | {total:,} | {sampled:,} | {noticed:,} | {noticed / sampled:.1%} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="globs of modules; all of pyproject.toml's")
    parser.add_argument("--sample", type=int, default=50, help="mutants of a module at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0, help="of CPU time for one mutant")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--again", action="store_true", help="only what survived the last time")
    given = parser.parse_args()
    made = make_mutants()
    before = dict(read_results(RESULTS))
    samples = {
        name: sample(name, mutants, given.sample, given.seed) for name, mutants in made.items()
    }
    wanted = [
        mutants
        for name, mutants in samples.items()
        if not given.modules or any(fnmatch(name, pattern) for pattern in given.modules)
    ]
    # One of each module, then the second: what is broken off has a sample of every module.
    rounds = chain.from_iterable(zip_longest(*wanted))
    chosen = [
        mutant
        for mutant in rounds
        if mutant is not None and not (given.again and before.get(mutant) in {*NOTICED, None})
    ]
    show(f"{sum(map(len, made.values())):,} mutants, {len(chosen):,} of them are run")
    run(chosen, given.seconds, given.workers)
    ended = report(samples, dict(read_results(RESULTS)))
    show("\n| room | mutants | sampled | noticed | score |\n|---|---:|---:|---:|---:|")
    rooms = groupby(sorted(ended), key=lambda name: name.rpartition(".")[0])
    for room, modules in [*((room, [*modules]) for room, modules in rooms), ("all", [*ended])]:
        total = sum(len(made[name]) for name in modules)
        show(row(room, total, sum((ended[name] for name in modules), Counter())))


def run(mutants: list[Mutant], seconds: float, workers: int) -> None:
    """Run mutants with the tests of their rooms, and add what becomes of them to the results."""
    rooms = {mutant.module.split(".")[1] for mutant in mutants} | {"faults"}
    if "cleanup" in rooms:
        rooms |= {"client", "worlds"}
    tests = [
        one
        for one in settings()["pytest_add_cli_args_test_selection"]
        if one.split("/")[1] in rooms
    ]
    # In a process of its own, so that nothing of the unchanged package is imported there.
    subprocess.run(
        [
            *(sys.executable, "-m", "tests.mutation.child"),
            *(str(RESULTS), str(seconds), str(workers)),
            *(*settings()["pytest_add_cli_args"], *tests),
        ],
        cwd=WORK,
        input="\n".join(f"{one.module} {one.name}" for one in mutants),
        text=True,
        check=True,
    )


def report(
    samples: dict[str, list[Mutant]], outcomes: dict[Mutant, str]
) -> dict[str, Counter[str]]:
    """Print what survived, and return how many of each module ended how."""
    ended: dict[str, Counter[str]] = defaultdict(Counter)
    for name, mutants in samples.items():
        for mutant in mutants:
            if outcome := outcomes.get(mutant):
                ended[name][outcome] += 1
                if outcome not in NOTICED:
                    show(f"\n{outcome}: {mutant.key}\n{diff(mutant)}")
    return ended


if __name__ == "__main__":
    main()
