"""What reads, writes, archives and puts back manifests, at work: entered among `works.WORKS`."""

import json
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from aioregistry import MountRefusedError, NotFoundError
from aioregistry.cleanup import (
    AccountInUse,
    Archive,
    ClusterInUse,
    ContentCache,
    ContentReader,
    DistributionWriter,
    ListMemory,
    SeveralInUse,
    ask_sources,
    explain_image,
    explain_tag,
    make_plan,
    undo,
)
from aioregistry.cleanup.in_use.kube_api import ClusterCredentials, by_credentials
from aioregistry.cleanup.records.archive_format import survey
from aioregistry.images import copy_image, inspect_image
from tests.faults.stage import NAMES, Stage
from tests.faults.works import POLICY, covers

NOW = datetime(2030, 1, 1, tzinfo=UTC)
_DOCUMENT = b'{"schemaVersion": 2}'
_DIGEST = f"sha256:{sha256(_DOCUMENT).hexdigest()}"


@covers(
    "aioregistry.cleanup.ClusterInUse.__aiter__",
    "aioregistry.cleanup.ClusterInUse.ask",
    "aioregistry.cleanup.SeveralInUse.__aiter__",
    "aioregistry.cleanup.SeveralInUse.ask",
)
async def cluster_that_is_asked(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    cluster = at.sandbox.state.add_cluster("blue")
    cluster.run("registry.digitalocean.com/example/web:main")
    server = f"{at.sandbox.url}/kubernetes/blue"

    async def fetch() -> ClusterCredentials:
        return ClusterCredentials(server=server, token=cluster.token or "")

    async def ask() -> None:
        sources = [ClusterInUse(connect=by_credentials(fetch), name=name) for name in ("a", "b")]
        assert len([use async for use in SeveralInUse(*sources)]) == 2

    yield ask()


@covers(
    "aioregistry.cleanup.AccountInUse.__aiter__",
    "aioregistry.cleanup.AccountInUse.ask",
    "aioregistry.cleanup.ask_sources",
)
async def account_that_is_asked(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    at.sandbox.state.add_cluster("blue").run("registry.digitalocean.com/example/web:main")

    async def ask() -> None:
        assert len([use async for use in AccountInUse(at.client)]) == 1
        assert len(list(await ask_sources(["digitalocean"], at.client) or ())) == 1

    yield ask()


@covers("aioregistry.cleanup.ContentReader.document")
async def document_with_a_cache(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    found = await at.distribution.get_manifest("web", "main")
    with ContentCache(at.folder / "contents") as cache:
        contents = ContentReader(at.distribution, cache)
        await contents.read("web", [found.digest])
        yield contents.document("web", found.digest)
        assert (await contents.document("web", found.digest)).body == found.raw


@covers("aioregistry.cleanup.ContentReader.documents_at_hand")
async def documents_at_hand(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    found = await at.distribution.get_manifest("web", "main")
    with ContentCache(at.folder / "contents") as cache:
        contents = ContentReader(at.distribution, cache)
        await contents.read("web", [found.digest])
        yield contents.documents_at_hand([found.digest])


@covers(
    "aioregistry.Pager.decoded_by",
    "aioregistry.Pager.through",
    "aioregistry.cleanup.ListMemory.end",
    "aioregistry.cleanup.ListMemory.find",
    "aioregistry.cleanup.ListMemory.flush",
    "aioregistry.cleanup.ListMemory.forget",
    "aioregistry.cleanup.ListMemory.forget_others",
    "aioregistry.cleanup.ListMemory.keep",
    "aioregistry.cleanup.ListMemory.name_state",
)
async def plan_that_is_made_twice_with_a_memory(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    contents = ContentReader(at.distribution)
    with ListMemory(at.folder / "lists") as memory:

        async def use() -> None:
            for _ in range(2):
                await make_plan(at.registry, POLICY, contents, memory=memory)
            await memory.forget("web")

        yield use()
    with ListMemory(at.folder / "lists") as memory:
        remembered = await make_plan(at.registry, POLICY, contents, now=NOW, memory=memory)
    fresh = await make_plan(at.registry, POLICY, contents, now=NOW, memory=False)
    assert {*map(_going, remembered.condemned)} == {*map(_going, fresh.condemned)}


def _going(condemned: tuple[str, Any]) -> tuple[str, str]:
    return condemned[0], condemned[1].digest


@covers("aioregistry.cleanup.explain_image")
async def image_that_is_explained(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    digest = (await at.distribution.get_manifest("web", "main")).digest
    contents = ContentReader(at.distribution)
    yield explain_image(at.registry, POLICY, contents, "web", digest)


@covers("aioregistry.images.inspect_image")
async def image_that_is_inspected(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    yield inspect_image(at.registry, at.distribution, "web", "main", policy=POLICY)


@covers(
    "aioregistry.cleanup.Archive.keep_manifest",
    "aioregistry.cleanup.Archive.keep_tag",
    "aioregistry.cleanup.Archive.new_tags",
)
async def archive_of_what_exists(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    digest = (await at.distribution.get_manifest("web", "main")).digest
    path = at.folder / "archive.gz"

    async def use() -> None:
        async with Archive(path, "example", ContentReader(at.distribution)) as archive:
            assert await archive.keep_tag("web", "main")
            assert await archive.keep_manifest("web", digest, ("main",))
            assert (await archive.new_tags("web", set()))["main"] == digest

    yield use()
    async with Archive(path, "example"):
        assert {one.digest for one, _ in survey(path, "example")} <= {digest}


@covers("aioregistry.cleanup.explain_tag")
async def tag_that_is_explained(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    yield explain_tag(at.registry, POLICY, ContentReader(at.distribution), "web", "pr-1")
    assert at.tags == {*NAMES, "main"}


@covers(
    "aioregistry.cleanup.Archive.__aenter__",
    "aioregistry.cleanup.Archive.__aexit__",
    "aioregistry.cleanup.Archive.add",
)
async def archive_in_a_block(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    path = at.folder / "archive.gz"
    written = 0

    async def use() -> None:
        nonlocal written
        async with Archive(path, "example") as archive:
            for tag in NAMES:
                await archive.add("web", _DIGEST, (tag,), _DOCUMENT, "application/json")
                written += 1

    yield use()
    # It is free for the next, and has all of which it said so.
    async with Archive(path, "example"):
        found = [*survey(path, "example")]
    assert [one.tags for one, _ in found][:written] == [(tag,) for tag in NAMES[:written]]
    assert written <= len(found) <= written + 1
    assert {one.document for one, _ in found} <= {_DOCUMENT}


@covers(
    "aioregistry.cleanup.DistributionWriter.__aenter__",
    "aioregistry.cleanup.DistributionWriter.__aexit__",
    "aioregistry.cleanup.DistributionWriter.close",
    "aioregistry.cleanup.DistributionWriter.find_manifest",
    "aioregistry.cleanup.DistributionWriter.get_manifest",
    "aioregistry.cleanup.DistributionWriter.list_tags",
    "aioregistry.cleanup.DistributionWriter.list_referrers",
    "aioregistry.cleanup.DistributionWriter.get_blob",
    "aioregistry.cleanup.DistributionWriter.has_blob",
    "aioregistry.cleanup.Distribution.list_referrers",
    "aioregistry.cleanup.Distribution.get_blob",
    "aioregistry.cleanup.Distribution.has_blob",
)
async def writer_in_a_block(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    writer = at.another_writer()

    async def use() -> None:
        async with writer:
            (tag, *_) = await writer.list_tags("web")
            digest = await writer.find_manifest("web", tag)
            manifest = await writer.get_manifest("web", tag)
            assert manifest.digest == digest
            await writer.list_referrers("web", digest)
            config = json.loads(manifest.body)["config"]["digest"]
            if await writer.has_blob("web", config):
                await writer.get_blob("web", config)

    yield use()
    assert writer._transport._http is None or writer._transport._http.closed


@covers("aioregistry.cleanup.DistributionWriter.open")
async def writer_that_is_opened(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    yield at.another_writer().open()


@covers("aioregistry.cleanup.DistributionWriter.put_manifest")
async def manifest_that_is_put(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    writer = await at.another_writer().open()
    manifest = await writer.get_manifest("web", "main")
    yield writer.put_manifest("web", "again", manifest.raw, manifest.media_type or "")
    assert await writer.find_manifest("web", "again") in {None, manifest.digest}


@covers("aioregistry.cleanup.DistributionWriter.put_tag")
async def tag_that_is_put(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    writer = await at.another_writer().open()
    manifest = await writer.get_manifest("web", "main")
    yield writer.put_tag("web", "again", manifest, None)
    assert await writer.find_manifest("web", "again") in {None, manifest.digest}


@covers("aioregistry.cleanup.DistributionWriter.tag")
async def tags_that_are_set(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    writer = await at.another_writer().open()
    told: list[Any] = []
    yield writer.tag("web", "main", "one", "two", on_outcome=told.append)
    assert {one.tag for one in told} <= at.tags
    assert len(await writer.tag("web", "main", "one", "two")) == 2
    assert at.tags == {*NAMES, "main", "one", "two"}


@covers("aioregistry.RepositoryHandle.tag")
async def tag_that_is_set(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    writer = await at.another_writer().open()
    yield at.web.tag("main", "one", writer=writer)


@covers("aioregistry.cleanup.DistributionWriter.mount_blob")
async def blob_that_is_mounted(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    at.sandbox.state.push("example", "api", ["one"])
    writer = await at.another_writer().open()
    manifest = await writer.get_manifest("web", "main")
    config = json.loads(manifest.body)["config"]["digest"]
    yield _mount(writer, config)


async def _mount(writer: DistributionWriter, digest: str) -> None:
    with suppress(MountRefusedError, NotFoundError):
        await writer.mount_blob("api", digest, "web")


@covers("aioregistry.images.copy_image")
async def image_that_is_copied(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    writer = await at.another_writer().open()
    yield copy_image(writer, "web", "main", "api")
    await copy_image(writer, "web", "main", "api")
    digest = await writer.find_manifest("web", "main")
    assert await writer.find_manifest("api", "main") == digest


@covers("aioregistry.cleanup.undo")
async def undo_that_is_done_again(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    path = at.folder / "archive.gz"
    writer = await at.another_writer().open()
    async with Archive(path, "example") as archive:
        for tag in NAMES:
            found = await writer.get_manifest("web", tag)
            await archive.add("web", found.digest, (tag,), found.raw, found.media_type or "")
            await at.web.delete_manifest(found.digest)
    assert at.tags == {"main"}
    told: list[Any] = []
    yield undo(writer, path, registry="example", on_outcome=told.append)
    for one in told:
        assert one.name not in NAMES or one.name in at.tags
    report = await undo(writer, path, registry="example")
    assert at.tags == {*NAMES, "main"}
    assert len(report.restored) + len(report.present) == 2 * len(NAMES)
