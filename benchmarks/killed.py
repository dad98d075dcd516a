"""Cold plans that are killed while they read manifests: prints what was lost as JSON.

``python -m benchmarks.killed MANIFESTS TIMES`` prints for each kill how many manifests had been
read, how many of them were on disk, and the seconds of reading that were lost.
"""

import asyncio
import json
import os
import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from aioregistry.sandbox import Sandbox, State
from aioregistry.sandbox.seed import generated_state
from benchmarks.job import TOKEN

__all__ = ["main"]

_ROOT = Path(__file__).parent.parent
_SECONDS_BETWEEN_LOOKS = 0.02
# A plan lists before it reads; it is killed while it reads.
_EARLIEST, _LATEST = 0.1, 0.9


async def _kill_one(state: State, manifests: int, share: float, folder: Path) -> list[float]:
    contents = folder / "contents"
    async with Sandbox(state, limits=None, token=TOKEN, record=10**9) as sandbox:

        def read() -> list[float]:
            return [one.at for one in sandbox.requests if "/manifests/sha256" in one.raw_path]

        script = str(Path(__file__).with_name("planning.py"))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, script, "plan", sandbox.url, TOKEN, str(contents)),
            str(folder / "plan.json"),
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )
        while len(read()) < share * manifests and process.returncode is None:  # noqa: ASYNC110
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        if process.returncode is not None:
            raise SystemExit("the plan ended before it was killed")
        process.kill()
        await process.wait()
        times = read()
    with closing(sqlite3.connect(contents)) as database:
        (kept,) = database.execute("SELECT count(*) FROM documents").fetchone()
    lost = len(times) - kept
    # What was lost was read last.
    seconds = times[-1] - times[max(0, len(times) - lost - 1)] if lost else 0.0
    return [len(times), kept, seconds]


def main(manifests: int, times: int) -> None:
    """Kill so many plans of a repository, each at a random moment."""
    figures: list[float] = []
    chance = random.Random(1)
    state = generated_state(manifests, 1)
    count = len(list(state.registry("example").manifests()))
    for _ in range(times):
        with TemporaryDirectory() as folder:
            share = chance.uniform(_EARLIEST, _LATEST)
            figures += asyncio.run(_kill_one(state, count, share, Path(folder)))
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
