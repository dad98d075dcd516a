"""``python -m tests.cleanup.undoing 500 [FIRST]``: registries are cleaned up and restored.

Each is made at random, while others delete and move tags and push images: between plan and apply,
and before the undo, and push images during the apply. In the end it must be what it was before,
but for what the others did.
"""

import asyncio
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from aioregistry import RegistryClient
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.manifests.cache import ContentCache
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.undo.undo import undo
from aioregistry.oci.writer import DistributionWriter
from aioregistry.sandbox import Sandbox, State
from tests.cleanup.registries import NOW, random_registry
from tests.cleanup.test_apply import POLICIES

__all__ = ["Others", "clean_up_and_undo", "held"]

Held = dict[str, tuple[dict[str, bytes], set[bytes]]]


def held(state: State) -> Held:
    """The tags and manifests of each repository."""
    return {
        name: (
            {tag: one.manifest.digest for tag, one in repository.tags.items()},
            set(repository.manifests),
        )
        for name, repository in state.registry("example").repositories.items()
    }


class Others:
    """Those who use the registry meanwhile, and what it must be by what they do.

    Args:
        state: The sandbox's.
        random: What they do is drawn from it.
        share: How often they do something when they may.
    """

    def __init__(self, state: State, random: Random, share: float) -> None:
        self.expected = held(state)
        self.did = 0
        self._moved: set[str] = set()
        self._state = state
        self._random = random
        self._share = share

    def act(self, *kinds: str) -> None:
        """Perhaps do one of some kinds of things."""
        repositories = self._state.registry("example").repositories
        # A clean-up may have emptied all of them.
        if self._random.random() >= self._share or not repositories:
            return
        self.did += 1
        name = self._random.choice(sorted(repositories))
        tags, manifests = self.expected[name]
        here = sorted(repositories[name].tags)
        kind = self._random.choice(kinds)
        # One that they set again and delete before the undo leaves no trace: it comes back.
        old = [tag for tag in here if tag not in self._moved]
        if kind == "delete" and old:
            tag = self._random.choice(old)
            self._state.delete_tag("example", name, tag)
            del tags[tag]
            return
        # Images of their own: a tag that comes in the very moment of a DELETE is another matter.
        names = sorted(tags.keys() | here) if kind == "move" else []
        tag = self._random.choice(names or [f"new-{self.did}"])
        digest = bytes.fromhex(self._state.push("example", name, [tag], at=NOW)[7:])
        tags[tag] = digest
        self._moved.add(tag)
        manifests.add(digest)


async def clean_up_and_undo(folder: Path, seed: int, share: float = 0.0) -> tuple[int, int]:
    """Clean up a registry and restore it; return how many items were deleted, and what others did.

    Raises:
        AssertionError: It is not what it was before, but for what others did.
    """
    random = Random(seed)
    state = random_registry(random)
    others = Others(state, random, share)
    async with (
        Sandbox(state) as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
        DistributionWriter(client.registry("example"), base_url=sandbox.url) as writer,
    ):
        with ContentCache(folder / "cache") as cache:
            contents = ContentReader(writer, cache if seed % 2 else None)
            registry = client.registry("example")
            plan = await make_plan(registry, random.choice(POLICIES), contents, now=NOW)
            others.act("delete", "move", "push")
            others.act("delete", "move", "push")
            report = await apply_plan(
                registry,
                plan,
                contents,
                journal=folder / "journal",
                archive=folder / "archive",
                force=True,
                on_outcome=lambda _: others.act("push"),
            )
        for _ in range(3):
            others.act("delete", "move", "push")
        undone = await undo(writer, folder / "archive", registry="example")
    assert not undone.lost, undone
    assert not undone.failed, undone
    after = held(state)
    for name, (tags, manifests) in others.expected.items():
        assert after[name][0] == tags, f"{seed}: {name}"
        assert after[name][1] == manifests, f"{seed}: {name}"
    return len(report.deleted), others.did


def main() -> int:
    """Run so many, and print what became of them."""
    count, first = [*map(int, sys.argv[1:]), *(500, 0)[len(sys.argv) - 1 :]]
    deleted = did = wrong = 0
    for seed in range(first, first + count):
        with TemporaryDirectory() as folder:
            try:
                items, acts = asyncio.run(clean_up_and_undo(Path(folder), seed, 0.3))
            except AssertionError as error:
                wrong += 1
                print(f"registry {seed}: {error}", flush=True)  # noqa: T201
                continue
        deleted += items
        did += acts
    print(  # noqa: T201
        f"{count:,} registries, {deleted:,} DELETEs, {did:,} deeds of others, {wrong} not as before"
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
