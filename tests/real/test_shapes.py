"""All that tools leave in a registry, cleaned up by a policy, collected for real, and put back."""

import asyncio
import io
import json
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from attrs import frozen
from yarl import URL

from aioregistry import RegistryClient
from aioregistry.cleanup import (
    ContentReader,
    Delete,
    DeleteUntagged,
    DistributionWriter,
    Policy,
    apply_plan,
    make_plan,
)
from aioregistry.cleanup.undo.undo import undo
from aioregistry.images import copy_image, inspect_image
from tests.real.images import Store
from tests.real.registry import NAMESPACE, ApiServer, RealRegistry, require_programs
from tests.real.shapes import SHAPES, Shape, make_shapes

pytestmark = pytest.mark.slow(4)

POLICY = Policy([Delete(tags="pr-*"), DeleteUntagged(timedelta())])
WEB = f"/v2/{NAMESPACE}/web"
ACCEPT = ", ".join(
    f"application/vnd.{kind}"
    for kind in (
        "oci.image.index.v1+json",
        "oci.image.manifest.v1+json",
        "docker.distribution.manifest.list.v2+json",
        "docker.distribution.manifest.v2+json",
        "docker.distribution.manifest.v1+prettyjws",
    )
)


async def push(http: aiohttp.ClientSession, shape: Shape) -> None:
    for digest in dict.fromkeys(shape.blobs):
        async with http.post(f"{WEB}/blobs/uploads/") as begun:
            location = URL(begun.headers["Location"]).update_query(digest=digest)
        content = shape.store.contents[digest]
        async with http.put(location, data=content) as answer:
            assert answer.status == 201, (shape.name, await answer.text())
    for one in shape.puts:
        headers = {"Content-Type": one.media_type}
        path = f"{WEB}/manifests/{one.tag or one.digest}"
        async with http.put(path, data=io.BytesIO(one.body), headers=headers) as answer:
            assert answer.status == 201, (shape.name, await answer.text())


async def missing(http: aiohttp.ClientSession, shape: Shape) -> set[str]:
    """The digests and tags of a shape that cannot be pulled, byte for byte."""
    gone = set()
    for digest in shape.blobs:
        async with http.get(f"{WEB}/blobs/{digest}") as answer:
            if answer.status != 200 or await answer.read() != shape.store.contents[digest]:
                gone.add(digest)
    for one in shape.puts:
        reference = one.tag or one.digest
        async with http.get(f"{WEB}/manifests/{reference}") as answer:
            same = answer.headers.get("Docker-Content-Digest") == one.digest
            # A signed one comes with other signatures each time.
            same = same and (b'"signatures"' in one.body or await answer.read() == one.body)
            if answer.status != 200 or not same:
                gone.add(reference)
    return gone


@frozen(repr=False)
class World:
    """A real registry with two of each shape."""

    registry: RealRegistry
    http: aiohttp.ClientSession
    kept: list[Shape]
    condemned: list[Shape]

    def state(self) -> tuple[dict[str, str], set[str]]:
        return self.registry.tags("web"), set(self.registry.revisions("web"))

    async def clean_up(self, archive: Path, *, undoing: bool = False) -> None:
        async with (
            ApiServer(self.registry).running() as url,
            RegistryClient("token", base_url=url, rate_limit=None) as client,
            DistributionWriter(client.registry(NAMESPACE), base_url=self.registry.url) as writer,
        ):
            handle, contents = client.registry(NAMESPACE), ContentReader(writer)
            now = datetime.now(UTC) + timedelta(days=2)
            plan = await make_plan(handle, POLICY, contents, now=now, memory=False)
            assert plan.left_alone == (), [one.reason for one in plan.left_alone]
            report = await apply_plan(handle, plan, contents, archive=archive, force=True)
            assert report.done
            if undoing:
                restored = await undo(writer, archive)
                assert restored.is_complete, restored


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> tuple[Path, list[Shape], list[Shape]]:
    """The storage of a real registry with two of each shape; tests work on copies."""
    require_programs()
    store, registry = Store(), RealRegistry(tmp_path_factory.mktemp("shapes"), schema1=True)
    kept, condemned = list(make_shapes(store, "v")), list(make_shapes(store, "pr"))

    async def fill() -> None:
        async with registry.running(), aiohttp.ClientSession(registry.url) as http:
            for shape in (*kept, *condemned):
                await push(http, shape)

    asyncio.run(fill())
    return registry.storage, kept, condemned


@pytest.fixture
async def world(filled, tmp_path) -> AsyncIterator[World]:
    storage, kept, condemned = filled
    registry = RealRegistry(tmp_path, schema1=True)
    shutil.copytree(storage, registry.storage)
    async with (
        registry.running(),
        aiohttp.ClientSession(registry.url, headers={"Accept": ACCEPT}) as http,
    ):
        yield World(registry, http, kept, condemned)


async def test_every_shape_that_is_kept_is_whole_after_a_collection(world, tmp_path):
    assert len(SHAPES) == 20
    await world.clean_up(tmp_path / "archive")
    await world.registry.collect_garbage()
    for shape in world.kept:
        assert await missing(world.http, shape) == set(), shape.name
    stays = {digest for shape in world.kept for digest in shape.blobs}
    for shape in world.condemned:
        everything = {*shape.blobs, *(put.tag or put.digest for put in shape.puts)}
        assert await missing(world.http, shape) == everything - stays, shape.name


@pytest.mark.exhaustive
async def test_every_shape_comes_back_before_a_collection(world, tmp_path):
    before = world.state()
    await world.clean_up(tmp_path / "archive", undoing=True)
    assert world.state() == before
    for shape in (*world.kept, *world.condemned):
        assert await missing(world.http, shape) == set(), shape.name


@pytest.mark.exhaustive
async def test_the_naive_way_breaks_some(world):
    """All that is untagged is deleted, as scripts do it, and what is left is collected."""
    tagged = set(world.registry.tags("web").values())
    for digest in set(world.registry.revisions("web")) - tagged:
        async with world.http.delete(f"{WEB}/manifests/{digest}") as answer:
            assert answer.status == 202
    await world.registry.collect_garbage()
    broken = {shape.name for shape in world.kept if await missing(world.http, shape)}
    assert broken == {
        *("index-without-media-type", "docker-list", "nested", "cosign-tags"),
        *("artifact", "cosign-bundle", "notation"),
    }


@pytest.mark.exhaustive
async def test_the_collector_s_own_way_breaks_the_same(world):
    """`garbage-collect --delete-untagged`, which is not told of children or referrers."""
    registry = world.registry
    process = await asyncio.create_subprocess_exec(
        *("docker-registry", "garbage-collect", "-m", str(registry.folder / "config.yml")),
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
    broken = {shape.name for shape in world.kept if await missing(world.http, shape)}
    assert {"docker-list", "nested", "notation"} <= broken


def test_the_shapes_differ():
    shapes = list(make_shapes(Store(), "v"))
    kinds = {
        json.loads(put.body).get("mediaType", put.media_type) for one in shapes for put in one.puts
    }
    assert len(kinds) == 5


@pytest.mark.exhaustive
async def test_every_shape_is_inspected_and_copied(world):
    async with (
        ApiServer(world.registry).running() as url,
        RegistryClient("token", base_url=url, rate_limit=None) as client,
        DistributionWriter(client.registry(NAMESPACE), base_url=world.registry.url) as writer,
    ):
        for shape in world.kept:
            found = await inspect_image(client.registry(NAMESPACE), writer, "web", shape.tag)
            assert not [one for one in found.manifests if one.kind == "unreadable"], shape.name
            report = await copy_image(writer, "web", shape.tag, f"copy/{shape.name}")
            assert report.is_complete, shape.name
            expected = {one.digest for one in shape.puts}
            assert set(world.registry.revisions(f"copy/{shape.name}")) == expected, shape.name
