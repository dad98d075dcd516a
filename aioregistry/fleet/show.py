"""A show: 20 registries in a sandbox, four workers, one of them killed: ``python -m`` runs it."""

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aioregistry.fleet.engine import FleetEngine
from aioregistry.fleet.file import load_fleet
from aioregistry.fleet.server import own_server
from aioregistry.fleet.state import Run
from aioregistry.sandbox import Limits, Phases, Sandbox, State

__all__ = ["show"]

_SCALE = 60
_REPOSITORIES, _OLD, _KEPT = 4, 15, 5
_POLICY = """\
max-fraction = 0.9

[[rules]]
tags = "pr-*"
keep-newest = 5

[[rules]]
tags = "pr-*"
delete = true
"""


async def show(
    registries: int = 20, workers: int = 4, *, say: Callable[[str], object] = print
) -> bool:
    """Clean up a sandbox with several workers, one of which is killed.

    Args:
        registries: How many registries, each with a token of its own; 20 by default.
        workers: How many workers; 4 by default.
        say: Called with each line that says what happens.

    Returns:
        Whether all registries are as they should be, and each was collected once.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox = await stack.enter_async_context(_sandbox(registries))
        server = await stack.enter_async_context(own_server(folder / "server"))
        file = folder / "fleet.toml"
        file.write_text(_file_of(registries))
        (folder / "policy.toml").write_text(_POLICY)
        environment = os.environ | {
            "AIOREGISTRY_API_URL": sandbox.url,
            "AIOREGISTRY_REGISTRY_URL": sandbox.url,
            "AIOREGISTRY_RATE_LIMIT": f"scaled:{_SCALE}",
            "AIOREGISTRY_FLEET_SERVER": server,
            "AIOREGISTRY_STATE_DIR": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        for nth in range(registries):
            environment[f"TOKEN_{nth}"] = f"token-{nth}"
        fleet = load_fleet(file)
        engine = await stack.enter_async_context(FleetEngine(fleet, server))
        await engine.begin(fleet.registries)
        say(
            f"{registries} registries in a sandbox, {workers} workers, limits {_SCALE} times faster"
        )
        running = [await _worker(stack, file, environment) for _ in range(workers)]
        begun, killed, before = time.monotonic(), False, ""
        total = registries * _REPOSITORIES * _OLD
        while True:
            await asyncio.sleep(0.5)
            runs = [run for run in (await engine.runs()).values() if isinstance(run, Run)]
            phases = Counter(run.result or run.phase for run in runs)
            told = ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))
            told += f"; {_deletes(sandbox):,} of {total:,} DELETEs"
            if told != before:
                say(f"{time.monotonic() - begun:4.0f} s: {told}")
                before = told
            if not killed and _deletes(sandbox):
                running[0].kill()
                killed = True
                say(f"worker {running[0].pid} is killed (kill -9); others continue its slices")
            if all(run.phase == "ended" for run in runs):
                break
        wrong = _wrong(sandbox)
        say(
            f"{registries - len({name for name, _ in wrong})} of {registries} registries as the"
            f" policy says, {len(wrong)} wrong repositories, {sandbox.rejected_count} of 429s"
            f" among {sandbox.request_count:,} requests, {_collections(sandbox)} collections"
        )
        return not wrong and _collections(sandbox) == registries


def _sandbox(registries: int) -> Sandbox:
    state = State()
    now = datetime.now(UTC)
    for nth in range(registries):
        state.add_registry(f"registry-{nth}")
        for number in range(_REPOSITORIES):
            for image in range(_OLD + _KEPT):
                at = now - timedelta(days=1 + image)
                state.push(f"registry-{nth}", f"app-{number}", [f"pr-{image}"], at=at)
    state.phases = Phases(0.5, 0.5, 0.5)
    sandbox = Sandbox(state, limits=Limits(scale=float(_SCALE)))
    sandbox.tokens |= {f"token-{nth}" for nth in range(registries)}
    return sandbox


def _file_of(registries: int) -> str:
    parts = (
        f'[[registries]]\nname = "registry-{nth}"\ntoken = {{ env = "TOKEN_{nth}" }}\n'
        for nth in range(registries)
    )
    return "\n".join(['[defaults]\npolicy = "policy.toml"\nin-use = "none"\n', *parts])


async def _worker(
    stack: AsyncExitStack, file: Path, environment: dict[str, str]
) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aioregistry", "fleet", "worker", str(file)),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def end() -> None:
        if process.returncode is None:
            process.terminate()
        await process.wait()

    stack.push_async_callback(end)
    return process


def _deletes(sandbox: Sandbox) -> int:
    return sum(one.method == "DELETE" and one.status == 204 for one in sandbox.requests)


def _collections(sandbox: Sandbox) -> int:
    return sum(
        one.method == "POST" and (one.route or "").endswith("/garbage-collection")
        for one in sandbox.requests
    )


def _wrong(sandbox: Sandbox) -> list[tuple[str, str]]:
    kept = {f"pr-{nth}" for nth in range(_KEPT)}
    return [
        (name, repository)
        for name, registry in sandbox.state.registries.items()
        for repository, content in registry.repositories.items()
        if set(content.tags) != kept
    ]


if __name__ == "__main__":
    sys.exit(not asyncio.run(show()))
