"""``python -m tests.worlds 10000 [FIRST] [--memory]``: so many worlds, and what became of them."""

import sys
from collections import Counter

from tests.worlds.world import run


def main() -> int:
    numbers = [int(word) for word in sys.argv[1:] if word != "--memory"]
    memory = "--memory" in sys.argv
    count, first = [*numbers, *(200, 0)[len(numbers) :]]
    moves: Counter = Counter()
    deletes = wrong = arrivals = taken_along = recalled = outdated = 0
    for seed in range(first, first + count):
        verdict = run(seed, memory=memory)
        moves += verdict.moves
        deletes += verdict.deletes
        arrivals += verdict.arrivals
        taken_along += verdict.taken_along
        recalled += verdict.recalled
        outdated += verdict.outdated
        wrong += len(verdict.wrong)
        for problem in verdict.wrong:
            print(f"world {seed}: {problem}", flush=True)  # noqa: T201
    remembered = f"; {recalled} recalled, {outdated} of them out of date" if memory else ""
    print(  # noqa: T201
        f"{count:,} worlds, {moves.total():,} moves, {deletes:,} deletes, {wrong} wrong;"
        f" {arrivals} arrivals in the window, all told;"
        f" {taken_along} tags taken along in the window{remembered}"
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
