"""Two clients undo over sockets that fail, while somebody moves the tags: nothing newer goes."""

import asyncio
from itertools import count
from random import Random

import pytest

from aioregistry import RegistryClient, RegistryError
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.undo.undo import undo
from aioregistry.oci.writer import DistributionWriter
from aioregistry.sandbox import Fault, Faults, Sandbox, State
from tests.cleanup.registries import Builder
from tests.cleanup.undoing import held


class Others:
    """Those who push while a PUT of somebody else has no answer."""

    def __init__(self, state: State, random: Random) -> None:
        self.state, self.random = state, random
        self.steps = count()
        self.pushed: dict[str, tuple[int, str]] = {}

    def push(self, tag: str) -> None:
        digest = self.state.push("example", "web", [tag])
        self.pushed[tag] = next(self.steps), digest


class Watched(DistributionWriter):
    """A writer of which each PUT of a tag must follow a look at it, and heed it."""

    others: Others

    async def open(self):
        self.looks: dict[str, int] = {}
        return await super().open()

    async def find_manifest(self, repository, reference):
        step = next(self.others.steps)
        found = await super().find_manifest(repository, reference)
        self.looks[reference] = step
        return found

    async def get_manifest(self, repository, reference):
        self.looks[reference] = next(self.others.steps)
        return await super().get_manifest(repository, reference)

    async def put_manifest(self, repository, reference, *args, **more):
        looked = self.looks.pop(reference)
        pushed, _ = self.others.pushed.get(reference, (looked + 1, ""))
        assert pushed > looked, "something newer is overwritten"
        try:
            await super().put_manifest(repository, reference, *args, **more)
        except RegistryError:
            if ":" not in reference and self.others.random.random() < 0.5:
                self.others.push(reference)
            raise


async def no_wait(_: float) -> None:
    await asyncio.sleep(0)


@pytest.mark.slow(0.5)
@pytest.mark.parametrize("clients", [1, 2])
@pytest.mark.parametrize("seed", range(3))
async def test_nothing_newer_is_overwritten(tmp_path, seed, clients):
    random = Random(seed)
    state = State()
    builder = Builder(state)
    for number in range(15):
        builder.image(f"v{number}")
    before = held(state)["web"][0]
    path = tmp_path / "archive"
    async with (
        Sandbox(state) as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
        Watched(client.registry("example"), base_url=sandbox.url) as one,
        Watched(client.registry("example"), base_url=sandbox.url) as other,
    ):
        one.others = other.others = others = Others(state, random)
        registry = client.registry("example")
        async with Archive(path, "example", ContentReader(one)) as archive:
            gone = [f"sha256:{digest.hex()}" for digest in before.values()]
            await registry.repository("web").delete_manifests(gone, archive=archive)
        route = "/v2/*/manifests/*"
        sandbox.faults = Faults(
            Fault(kind="lost", method="PUT", route=route, chance=0.25),
            Fault(kind="reset-before", method="PUT", route=route, chance=0.25),
            seed=seed,
        )
        writers = (one, other)[:clients]
        await asyncio.gather(*(undo(writer, path, sleep=no_wait) for writer in writers))
        sandbox.faults = Faults()
        assert (await undo(one, path)).is_complete
    assert others.pushed
    if clients == 1:
        newer = {tag: bytes.fromhex(digest[7:]) for tag, (_, digest) in others.pushed.items()}
        assert held(state)["web"][0] == before | newer
