"""What a fleet asks for images that run."""

import pytest

from aioregistry import RegistryClient
from aioregistry.cleanup.in_use.named import ask_sources
from aioregistry.cleanup.in_use.references import InUseError
from aioregistry.sandbox import Sandbox

pytest.importorskip("kubernetes_asyncio")

WEB = "registry.digitalocean.com/example/web"


@pytest.fixture
async def sandbox():
    async with Sandbox() as running:
        running.state.add_cluster("blue").run(f"{WEB}:1")
        yield running


@pytest.fixture
async def registry(sandbox):
    async with RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client:
        yield client.registry("example")


async def test_the_registrys_own_account_and_files_are_taken_together(registry, tmp_path):
    (tmp_path / "running").write_text(f"{WEB}:2\n")
    in_use = await ask_sources(["digitalocean", str(tmp_path / "running")], registry)
    assert in_use.tags_of("example", "web").keys() == {"1", "2"}
    assert [one.source for one in in_use.asked] == ["digitalocean", "digitalocean cluster blue"]


async def test_a_source_that_cannot_be_known_stops_all(registry, sandbox, tmp_path):
    (tmp_path / "running").write_text(f"{WEB}:2\n")
    sandbox.state.clusters["blue"].token = None
    with pytest.raises(InUseError, match="cannot know what runs"):
        await ask_sources([str(tmp_path / "running"), "digitalocean"], registry)
    with pytest.raises(InUseError, match="cannot be read"):
        await ask_sources([str(tmp_path / "missing")], registry)


async def test_none_and_nothing_are_not_the_same(registry):
    assert await ask_sources([], registry) is None
    assert (await ask_sources(["none"], registry)).was_given
