"""Requests of planning night after night: prints counts as JSON.

``python -m benchmarks.nights REPOSITORIES``
"""

import asyncio
import json
import sys
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from aioregistry import RegistryClient
from aioregistry.cleanup import DeleteOlderThan, KeepNewest, ListMemory, Policy, make_plan
from aioregistry.sandbox import Sandbox, State
from benchmarks.job import TOKEN
from tests.cleanup.sources import StateContents

# Two of the five tags of a repository whose tags are old.
POLICY = Policy([KeepNewest(3), DeleteOlderThan(timedelta(days=30))])
NOW = datetime(2026, 6, 1, tzinfo=UTC)
_TAGS = 5
_DAYS_BETWEEN = 40


class _Nights:
    """One registry, and the requests that each plan of it costs."""

    def __init__(self, repositories: int, old: int) -> None:
        self.names = [f"r{number:05}" for number in range(repositories)]
        self.state = State()
        self.state.add_registry("example")
        for number, name in enumerate(self.names):
            days = _DAYS_BETWEEN if number % old == 0 else 1
            for nth in range(_TAGS):
                self.state.push("example", name, [f"b{nth}"], at=NOW - timedelta(days * nth))

    async def plans(self, changed: int, folder: Path) -> list[int]:
        """Return what plans cost: the first, the same again, after changes, of a quarter."""
        costs: list[int] = []
        sent = 0

        def count(_: object) -> None:
            nonlocal sent
            sent += 1

        async with (
            Sandbox(self.state, limits=None, token=TOKEN, record=1) as sandbox,
            RegistryClient(
                TOKEN, base_url=sandbox.url, rate_limit=None, on_request=count
            ) as client,
        ):

            async def plan(
                memory: ListMemory | bool, repositories: Collection[str] | None = None
            ) -> None:
                nonlocal sent
                sent = 0
                made = await make_plan(
                    client.registry("example"),
                    POLICY,
                    StateContents(self.state),
                    now=NOW,
                    memory=memory,
                    repositories=repositories,
                )
                assert not made.left_alone
                costs.append(sent)

            with ListMemory(folder / "lists") as memory:
                await plan(memory)
                await plan(memory)
                for name in self.names[:changed]:
                    self.state.push("example", name, ["new"], at=NOW)
                await plan(memory)
            await plan(memory=False, repositories=self.names[: len(self.names) // 4])
        return costs


def main(repositories: int) -> None:
    """Plan a registry that is old everywhere, and one that is old in one repository of ten."""
    changed = repositories // 100
    figures: list[int] = []
    for old in (1, 10):
        with TemporaryDirectory() as folder:
            nights = _Nights(repositories, old)
            figures += asyncio.run(nights.plans(changed, Path(folder)))
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]))
