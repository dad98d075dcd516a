"""The process that has the mutated package; ``python -m tests.mutation`` starts it."""

import sys
from pathlib import Path

import pytest

from tests.mutation.running import MutationRun
from tests.mutation.sampling import Mutant


def main() -> int:
    results, seconds, workers, *arguments = sys.argv[1:]
    mutants = [Mutant(*line.split(" ")) for line in sys.stdin.read().splitlines()]
    run = MutationRun(mutants, Path(results), float(seconds), int(workers))
    return int(pytest.main(["-q", *arguments], plugins=[run]))


if __name__ == "__main__":
    sys.exit(main())
