"""Manifests read from the registry itself, each once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from aioregistry import ClientClosedError
from aioregistry.cleanup.manifests.cache import ContentCache
from aioregistry.cleanup.manifests.content import Content, UnreadableContentError, parse_content
from aioregistry.cleanup.manifests.reader import ContentReader, _is_certain
from aioregistry.oci.distribution import Distribution, FetchedManifest
from aioregistry.sandbox import Fault, Faults
from tests.cleanup.registries import OCI_IMAGE, Builder
from tests.conftest import QUICK

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.fixture
async def distribution(sandbox, client) -> AsyncIterator[Distribution]:
    registry = client.registry("example")
    async with Distribution(registry, base_url=sandbox.url, retry=QUICK) as distribution:
        yield distribution


class Stub(Distribution):
    """A registry without a socket, two requests at once."""

    def __init__(self) -> None:
        self.concurrency = 2


def manifests_read(sandbox) -> int:
    return sum("/manifests/" in one.raw_path and one.status == 200 for one in sandbox.requests)


async def test_contents_are_read_by_digest(sandbox, distribution):
    builder = Builder(sandbox.state)
    image = builder.image("v1")
    index = builder.index("all", children=[image])
    referrer = builder.referrer(index)
    told: list[int] = []
    found = await ContentReader(distribution).read("web", [image, index, referrer], told.append)
    assert found[index].children == (image,)
    assert found[referrer].subject == index
    assert sum(told) == 3


async def test_each_digest_is_read_once_ever(sandbox, distribution, tmp_path):
    digests = [Builder(sandbox.state).image(f"v{number}") for number in range(3)]
    with ContentCache(tmp_path / "cache") as cache:
        first = await ContentReader(distribution, cache).read("web", digests * 2)
    with ContentCache(tmp_path / "cache") as cache:
        told: list[int] = []
        assert await ContentReader(distribution, cache).read("web", digests, told.append) == first
        assert sum(told) == 3
    assert manifests_read(sandbox) == 3


async def test_what_cannot_be_read_is_there_with_the_reason(sandbox, distribution, tmp_path):
    image = Builder(sandbox.state).image("v1")
    with ContentCache(tmp_path / "cache") as cache:
        found = await ContentReader(distribution, cache).read("web", [image, A])
        assert isinstance(found[image], Content)
        assert isinstance(found[A], UnreadableContentError)
        assert "manifest unknown" in str(found[A])
        # What failed today may be there tomorrow.
        assert set(cache.get([image, A])) == {image}


async def test_what_was_read_before_an_end_is_kept(sandbox, distribution, tmp_path):
    images = [Builder(sandbox.state).image(f"v{number}") for number in range(40)]
    sandbox.faults = Faults(Fault(kind="delay", route="*/manifests/*", seconds=60, skip=60))
    with ContentCache(tmp_path / "cache") as cache:
        reading = asyncio.ensure_future(ContentReader(distribution, cache).read("web", images))
        while manifests_read(sandbox) < 15:
            await asyncio.sleep(0.001)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert len(cache.get(images)) >= 10


async def test_a_closed_client_is_an_error_of_its_own(sandbox, client):
    registry = client.registry("example")
    reader = ContentReader(Distribution(registry, base_url=sandbox.url))
    with pytest.raises(ClientClosedError):
        await reader.read("web", [A])


async def test_nothing_is_read_any_more_once_an_error_is_told():
    class Closing(Stub):
        ended = False

        async def get_manifest(self, repository: str, reference: str) -> FetchedManifest:
            if reference == A:
                raise ClientClosedError("closed")
            try:
                await asyncio.sleep(60)
            finally:
                # A connection takes its time to close.
                await asyncio.sleep(0.01)
                self.ended = True

    stub = Closing()
    with pytest.raises(ClientClosedError):
        await ContentReader(stub).read("web", [B, A])
    assert stub.ended


async def test_a_manifest_that_does_not_say_what_it_is_is_what_the_registry_calls_it():
    class Calling(Stub):
        async def get_manifest(self, repository: str, reference: str) -> FetchedManifest:
            body = b'{"config": {"digest": "%s"}}' % B.encode()
            return FetchedManifest(reference, OCI_IMAGE, body)

    found = await ContentReader(Calling()).read("web", [A])
    assert found[A].media_type == OCI_IMAGE
    assert found[A].children == ()


async def test_where_a_tag_points_now(sandbox, distribution):
    image = Builder(sandbox.state).image("v1")
    reader = ContentReader(distribution)
    assert await reader.current_digest("web", "v1") == image
    assert await reader.current_digest("web", "v2") is None


async def test_a_document_in_the_cache_is_not_read_again(sandbox, distribution, tmp_path):
    digest = Builder(sandbox.state).image("v1")
    raw = (await distribution.get_manifest("web", digest)).raw
    with ContentCache(tmp_path / "cache") as cache:
        reader = ContentReader(distribution, cache)
        await reader.read("web", [digest])
        read = manifests_read(sandbox)
        found = await reader.document("web", digest)
        assert (found.body, found.media_type) == (raw, OCI_IMAGE)
        assert manifests_read(sandbox) == read
    assert (await ContentReader(distribution).document("web", digest)).body == raw
    assert manifests_read(sandbox) == read + 1


async def test_a_large_document_is_in_memory_only_when_its_turn_comes(tmp_path):
    bodies = [b'{"schemaVersion": 2%s}' % (b" " * n) for n in (2**16 - 20, 2**16)]
    small, large = (f"sha256:{hashlib.sha256(body).hexdigest()}" for body in bodies)
    with ContentCache(tmp_path / "cache") as cache:
        cache.put(
            {
                digest: parse_content(body, OCI_IMAGE)
                for digest, body in zip((small, large), bodies, strict=True)
            }
        )
        reader = ContentReader(Stub(), cache)
        assert list(await reader.documents_at_hand([small, large])) == [small]
        assert (await reader.document("web", large)).body == bodies[1]


@pytest.mark.parametrize(
    ("media_type", "is_certain"),
    [
        (None, False),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", False),
        ("application/vnd.docker.distribution.manifest.v1+json", False),
        ("application/vnd.oci.image.manifest.v1+kson", False),
        ("application/vnd.oci.image.manifest.v1+json", True),
        ("application/vnd.oci.image.manifest.v1+json; charset=utf-8", True),
        ("application/vnd.oci.image.index.v1+json", True),
        ("application/vnd.docker.distribution.manifest.v2+json", True),
    ],
)
def test_what_the_digest_does_not_prove_is_not_taken_from_the_cache(media_type, is_certain):
    assert _is_certain(media_type) is is_certain
