"""Fleets for tests: a sandbox of several registries, each with a token of its own."""

import asyncio
import re
from collections import Counter
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from aioregistry import RateLimit
from aioregistry.fleet import Addresses, Fleet, FleetEngine, FleetRegistry, TokenSource
from aioregistry.sandbox import Phases, Sandbox, State
from tests.cleanup.registries import ago

POLICY = """max-fraction = 1

[[rules]]
tags = "keep*"
keep = true

[[rules]]
delete-older-than = "1d"

[[rules]]
delete-untagged-older-than = "1d"
"""
KEPT = 2


def fill(state: State, registries: int, repositories: int = 4, images: int = 10) -> None:
    """Make registries in which so many old images go, and `KEPT` of each repository stay."""
    state.add_registry("reg0")
    for nth in range(registries):
        name = f"reg{nth}"
        if nth:
            state.add_registry(name)
        for number in range(repositories):
            repository = f"team/app{number}"
            for kept in range(KEPT):
                state.push(name, repository, [f"keep{kept}"], at=ago(5))
            for image in range(images):
                state.push(name, repository, [f"pr-{image}"], at=ago(5))


def sandbox_of(registries: int, repositories: int = 4, images: int = 10, **options) -> Sandbox:
    state = State()
    fill(state, registries, repositories, images)
    state.phases = Phases(0.05, 0.05, 0.05)
    sandbox = Sandbox(state, **options)
    sandbox.tokens |= {f"token-reg{nth}" for nth in range(registries)}
    return sandbox


def fleet_of(folder: Path, registries: int, **options) -> Fleet:
    """A fleet of these registries, with tokens in files."""
    policy = folder / "policy.toml"
    if not policy.exists():
        policy.write_text(POLICY)
    made = {}
    for nth in range(registries):
        name = f"reg{nth}"
        token = folder / f"{name}.token"
        if not token.exists():
            token.write_text(f"token-{name}")
        made[name] = FleetRegistry(
            name=name,
            token=TokenSource("file", str(token)),
            policy=policy,
            **{"in_use": ("none",), "undo_window": timedelta()} | options,
        )
    return Fleet(made)


def addresses_of(sandbox: Sandbox, rate_limit: RateLimit | None = None) -> Addresses:
    return Addresses(api_url=sandbox.url, registry_url=sandbox.url, rate_limit=rate_limit)


@asynccontextmanager
async def engine_of(fleet: Fleet, sandbox: Sandbox, url: str = "memory://", **options):
    options = {"tick_seconds": 0.1, "lease_seconds": 20.0, "look_seconds": 0.1} | options
    addresses = options.pop("addresses", addresses_of(sandbox))
    async with FleetEngine(fleet, url, addresses=addresses, **options) as engine:
        yield engine


async def carried_out_by_a_worker(engine: FleetEngine) -> dict:
    """The runs of a fleet when a worker, by the queue, has carried out all of them."""
    working = asyncio.create_task(engine.work())
    async with asyncio.timeout(200):
        while {run.phase for run in (await engine.runs()).values()} != {"ended"}:
            await asyncio.sleep(0.02)
    engine.stop()
    await working
    return await engine.runs()


def wrong_repositories(sandbox: Sandbox) -> list[str]:
    """The repositories in which something is left that goes, or is gone that stays."""
    return [
        f"{registry.name}/{name}"
        for registry in sandbox.state.registries.values()
        for name, repository in registry.repositories.items()
        if set(repository.tags) != {f"keep{nth}" for nth in range(KEPT)}
    ]


def collections(sandbox: Sandbox) -> Counter[str]:
    """How many garbage collections were started in each registry."""
    starts = (
        re.fullmatch(r"/v2/registries/([^/]+)/garbage-collection", one.raw_path)
        for one in sandbox.requests
        if one.method == "POST" and one.status is not None and one.status < 300
    )
    return Counter(found[1] for found in starts if found)
