"""Twenty registries, four workers, three of them killed, and the server, too: `--seed 7`."""

import argparse
import asyncio
import sys

from tests.fleet.kills import Casualties, clean_among_kills

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--seed", type=int, default=1, help="the first seed")
parser.add_argument("--seeds", type=int, default=1, help="how many")
parser.add_argument("--registries", type=int, default=20)
parser.add_argument("--workers", type=int, default=4)
parser.add_argument("--images", type=int, default=12, help="that go, in each of 4 repositories")
parser.add_argument("--pause", action="store_true", help="workers are paused and woken instead")
given = parser.parse_args()
failed = False
for seed in range(given.seed, given.seed + given.seeds):
    casualties = Casualties(pauses=given.pause)
    told = asyncio.run(
        clean_among_kills(
            seed, given.registries, given.workers, given.images, casualties=casualties
        )
    )
    print(f"seed {seed}: {told}", flush=True)
    failed |= not told.is_right
sys.exit(failed)
