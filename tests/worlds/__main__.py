"""``python -m tests.worlds 10000 [FIRST]``: so many worlds, and what became of them."""

import sys
from collections import Counter

from tests.worlds.world import run


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    moves: Counter = Counter()
    deletes = wrong = arrivals = taken_along = 0
    for seed in range(first, first + count):
        verdict = run(seed)
        moves += verdict.moves
        deletes += verdict.deletes
        arrivals += verdict.arrivals
        taken_along += verdict.taken_along
        wrong += len(verdict.wrong)
        for problem in verdict.wrong:
            print(f"world {seed}: {problem}", flush=True)  # noqa: T201
    print(  # noqa: T201
        f"{count:,} worlds, {moves.total():,} moves, {deletes:,} deletes, {wrong} wrong;"
        f" {arrivals} arrivals in the window, all told;"
        f" {taken_along} tags taken along in the window"
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
