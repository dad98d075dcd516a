"""What an archive costs an apply: prints two ratios, of CPU time and of wall time, as JSON.

``python -m benchmarks.archiving URL CONTENTS PARITY``

One plan is applied in parts, in turn with a journal alone and with an archive, too: whatever else
the machine does, it does to both. Each part has a journal and an archive of its own, as each plan
of the command has. The repositories are paired by how many DELETEs they have, and of each pair one
is in either's part: both send as many DELETEs, and as many in large repositories as in small ones.
PARITY, 0 or 1, says which begins, and who has the larger of the first pair.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import evolve

from aioregistry import RegistryClient
from aioregistry.cleanup import (
    ContentCache,
    ContentReader,
    Distribution,
    Plan,
    apply_plan,
    make_plan,
)
from aioregistry.cli.running import relax_garbage_collector
from benchmarks.cleaning import NOW, POLICY
from benchmarks.job import TOKEN

# So many that the opening of two files is little beside them.
_REPOSITORIES_A_PART = 5


def _parts(plan: Plan, parity: int) -> Iterator[tuple[int, Plan]]:
    """Yield parts of a plan, in turn without an archive (0) and with one (1): as many DELETEs."""
    whole = [one for one in plan.repositories if one.condemned]
    whole.sort(key=lambda one: len(one.condemned), reverse=True)
    pairs = [whole[start : start + 2] for start in range(0, len(whole) - 1, 2)]
    for nth, start in enumerate(range(0, len(pairs), _REPOSITORIES_A_PART)):
        some = pairs[start : start + _REPOSITORIES_A_PART]
        # One, two, two, one: what changes steadily weighs on both alike.
        for archived in sorted((0, 1), key=lambda one: (one + nth + parity) % 2):
            whose = archived + nth + parity
            dealt = (pair[(whose + number) % 2] for number, pair in enumerate(some))
            yield archived, evolve(plan, repositories=tuple(dealt))


async def main(url: str, contents: Path, parity: int) -> None:
    """Plan once, apply in parts."""
    deletes = [0, 0]
    cpu = [0.0, 0.0]
    wall = [0.0, 0.0]
    async with (
        RegistryClient(TOKEN, base_url=url, rate_limit=None, concurrency=32) as client,
        Distribution(client.registry("example"), base_url=url, concurrency=32) as distribution,
    ):
        registry = client.registry("example")
        with ContentCache(contents) as cache, TemporaryDirectory() as folder:
            reader = ContentReader(distribution, cache)
            plan = await make_plan(registry, POLICY, reader, now=NOW)
            for nth, (archived, part) in enumerate(_parts(plan, parity)):
                begun = time.process_time(), time.perf_counter()
                report = await apply_plan(
                    registry,
                    part,
                    reader,
                    force=True,
                    journal=Path(folder, f"journal-{nth}"),
                    archive=Path(folder, f"archive-{nth}") if archived else None,
                )
                cpu[archived] += time.process_time() - begun[0]
                wall[archived] += time.perf_counter() - begun[1]
                deletes[archived] += len(report.deleted)
                assert report.done
    per_delete = [[each[n] / deletes[n] for n in (0, 1)] for each in (cpu, wall)]
    print(json.dumps([archived / alone for alone, archived in per_delete]))


if __name__ == "__main__":
    relax_garbage_collector()
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
