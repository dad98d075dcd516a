"""Documents that workers on several machines share, on a real Valkey."""

import hashlib
import zlib
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from aioregistry.cleanup import ContentCache, ContentReader
from aioregistry.cleanup.manifests.content import Document
from aioregistry.fleet.shared import ServerDocuments
from aioregistry.oci.distribution import Distribution
from tests.cleanup.registries import Builder
from tests.conftest import QUICK


@pytest.fixture
async def distribution(sandbox, client) -> AsyncIterator[Distribution]:
    registry = client.registry("example")
    async with Distribution(registry, base_url=sandbox.url, retry=QUICK) as distribution:
        yield distribution


def manifests_read(sandbox) -> int:
    return sum("/manifests/" in one.raw_path and one.status == 200 for one in sandbox.requests)


def digest_of(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def key_of(digest: str) -> str:
    return f"fleet:document:{digest}"


async def test_what_one_machine_has_read_no_other_reads(sandbox, distribution, server, tmp_path):
    builder = Builder(sandbox.state)
    images = [builder.image(f"v{number}") for number in range(250)]
    index = builder.index("all", children=images[:1])
    shared = ServerDocuments(server, "fleet")
    with ContentCache(tmp_path / "here") as here, ContentCache(tmp_path / "there") as there:
        first = await ContentReader(distribution, here, shared).read("web", [*images, index])
        sent = manifests_read(sandbox)
        assert sent == 251
        told: list[int] = []
        second = ContentReader(distribution, there, shared)
        assert await second.read("web", [*images, index], told.append) == first
        assert sum(told) == 251
        assert manifests_read(sandbox) == sent
        # And it is kept there: the archive takes it from there.
        assert set(await second.documents_at_hand(images)) == set(images)
    assert 0 < await server.ttl(key_of(index)) <= 30 * 86_400


@pytest.mark.parametrize(
    "value",
    [
        b"not compressed",
        zlib.compress(b'application/vnd.oci.image.manifest.v1+json\n{"schemaVersion":2}'),
        zlib.compress(b"application/vnd.oci.image.manifest.v1+json\n" + b"a" * 2**20),
        zlib.compress(b"application/vnd.oci.image.manifest.v1+json\n{}")[:-3],
        zlib.compress(b"\xff\n{}"),
        b"",
    ],
    ids=["packed by nobody", "another document", "too large", "cut off", "no type", "empty"],
)
async def test_what_is_not_the_document_is_read_from_the_registry(
    sandbox, distribution, server, value
):
    image = Builder(sandbox.state).image("v1")
    shared = ServerDocuments(server, "fleet")
    right = await ContentReader(distribution, None, shared).read("web", [image])
    await server.set(key_of(image), value)
    assert await ContentReader(distribution, None, shared).read("web", [image]) == right
    assert manifests_read(sandbox) == 2


async def test_a_type_that_no_registry_is_asked_for_is_not_believed(sandbox, distribution, server):
    builder = Builder(sandbox.state)
    index = builder.index("all", children=[builder.image("v1")])
    shared = ServerDocuments(server, "fleet")
    right = await ContentReader(distribution, None, shared).read("web", [index])
    body = (await distribution.get_manifest("web", index)).body
    await server.set(key_of(index), zlib.compress(b"application/x-broken\n" + body))
    assert await ContentReader(distribution, None, shared).read("web", [index]) == right
    assert manifests_read(sandbox) == 3


async def test_without_the_server_the_work_goes_on(sandbox, distribution, caplog):
    images = [Builder(sandbox.state).image(f"v{number}") for number in range(2)]
    async with redis.asyncio.Redis(host="127.0.0.1", port=9, retry=None) as nobody:
        reader = ContentReader(distribution, None, ServerDocuments(nobody, "fleet"))
        assert set(await reader.read("web", images[:1])) == set(images[:1])
        assert set(await reader.read("web", images[1:])) == set(images[1:])
    assert len([one for one in caplog.records if "not used any more" in one.message]) == 1


async def test_large_documents_are_not_kept_on_the_server(server):
    shared = ServerDocuments(server, "fleet")
    large, small = b'"%s"' % bytes(2**16).hex().encode(), b"{}"
    await shared.keep({digest_of(one): Document(one, None) for one in (large, small)})
    asked = [digest_of(large), digest_of(small)]
    assert await shared.documents(asked) == {digest_of(small): Document(small, None)}
