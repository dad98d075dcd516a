"""Contents: read from the registry itself, each once, and kept on disk."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aioregistry import ClientClosedError
from aioregistry.cleanup.manifests.cache import ContentCache, default_cache_path
from aioregistry.cleanup.manifests.content import Content, UnreadableContentError
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.oci.distribution import Distribution, FetchedManifest
from aioregistry.sandbox import Fault, Faults
from tests.cleanup.registries import OCI_IMAGE, Builder
from tests.conftest import QUICK

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
CONTENT = Content("application/x", 7, (A, B), A)


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


def test_what_is_put_is_got(tmp_path):
    contents = {A: CONTENT, B: Content("", 0)}
    with ContentCache(tmp_path / "new" / "deep" / "cache") as cache:
        cache.put(contents)
        assert cache.get([A, B, "sha256:" + "c" * 64]) == contents


def test_an_entry_is_as_short_as_it_can_be(tmp_path):
    with ContentCache(tmp_path / "cache") as cache:
        cache.put({A: CONTENT, B: Content("", 0)})
    with sqlite3.connect(tmp_path / "cache") as other:
        written = other.execute("SELECT content FROM contents ORDER BY digest").fetchall()
    other.close()
    assert written == [(f'["application/x",7,["{A}","{B}"],"{A}"]',), ('["",0,[],null]',)]


def test_more_digests_than_a_query_takes(tmp_path):
    contents = {f"sha256:{number:064x}": CONTENT for number in range(1201)}
    with ContentCache(tmp_path / "cache") as cache:
        cache.put(contents)
        assert cache.get(contents) == contents


def test_each_digest_is_asked_for_in_one_query_of_many(tmp_path):
    asked: list[str] = []
    with ContentCache(tmp_path / "cache") as cache:
        cache._database.set_trace_callback(asked.append)
        cache.get(f"sha256:{number:064x}" for number in range(1001))
    assert [query.count("sha256:") for query in asked] == [500, 500, 1]


def test_another_process_that_writes_is_waited_for_ten_seconds(tmp_path):
    with ContentCache(tmp_path / "cache") as cache:
        assert cache._database.execute("PRAGMA busy_timeout").fetchone() == (10_000,)


def test_nobody_else_can_write_to_it(tmp_path):
    with ContentCache(tmp_path / "new" / "cache"):
        assert stat.S_IMODE((tmp_path / "new" / "cache").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_broken_file_is_told_and_done_without(tmp_path, caplog):
    path = tmp_path / "cache"
    path.write_bytes(b"this is no database" * 100)
    with ContentCache(path) as cache:
        cache.put({A: CONTENT})
        assert cache.get([A]) == {}
    assert caplog.messages == [
        f"contents are not kept in {path}: file is not a database; delete it if it is broken"
    ]


def test_a_folder_that_cannot_be_made_is_told_and_done_without(tmp_path, caplog):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "cache"
    with ContentCache(path) as cache:
        assert cache.get([A]) == {}
    (message,) = caplog.messages
    assert message.startswith(f"contents are not kept in {path}: [Errno ")


@pytest.mark.parametrize("statement", ["DROP TABLE contents", "ALTER TABLE contents RENAME TO old"])
@pytest.mark.parametrize(
    "use", [lambda cache: cache.get([A]), lambda cache: cache.put({A: CONTENT})]
)
def test_a_file_that_breaks_later_is_told_and_done_without(tmp_path, caplog, statement, use):
    path = tmp_path / "cache"
    with ContentCache(path) as cache:
        with sqlite3.connect(path) as other:
            other.execute(statement)
        other.close()
        assert not use(cache)
        assert caplog.messages == [
            f"contents are not kept in {path}: no such table: contents; delete it if it is broken"
        ]
        assert cache.get([A]) == {}


@pytest.mark.parametrize(
    "written",
    [
        "",
        "null",
        "[]",
        "[" * 100_000,
        '["x", "1", [], null]',
        '["x", 1, [5], null]',
        "[1, 1, [], null]",
        '["x", 1, [], 5]',
        '["x", 1, {}, null]',
        '["x", true, [], null]',
    ],
)
def test_an_entry_that_makes_no_sense_is_read_anew(tmp_path, written):
    with ContentCache(tmp_path / "cache") as cache:
        cache.put({A: CONTENT})
        with sqlite3.connect(tmp_path / "cache") as other:
            other.execute("UPDATE contents SET content = ?", [written])
        other.close()
        assert cache.get([A]) == {}


def test_a_file_of_another_version_is_begun_anew(tmp_path):
    with ContentCache(tmp_path / "cache") as cache:
        cache.put({A: CONTENT})
    with sqlite3.connect(tmp_path / "cache") as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with ContentCache(tmp_path / "cache") as cache:
        assert cache.get([A]) == {}
        cache.put({A: CONTENT})
        assert cache.get([A]) == {A: CONTENT}


def test_where_it_is_unless_told_otherwise(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert default_cache_path() == Path("/caches/aioregistry/manifests.sqlite")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert default_cache_path() == Path("/home/someone/.cache/aioregistry/manifests.sqlite")
