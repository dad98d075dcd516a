"""A clean-up with an archive, and its undo: the registry is as it was before."""

import os
import sqlite3
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from aioregistry import RegistryClient
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.manifests.cache import ContentCache
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.archive_format import ArchiveError, read_archive
from aioregistry.cleanup.undo.undo import undo
from aioregistry.errors import RegistryConnectionError
from aioregistry.oci.writer import DistributionWriter
from aioregistry.sandbox import Fault, Faults, Sandbox
from tests.cleanup.registries import NOW, random_registry
from tests.cleanup.test_apply import POLICIES
from tests.cleanup.undoing import clean_up_and_undo, held


class Stage:
    """A sandbox, and a clean-up of it with an archive."""

    def __init__(self, folder: Path, sandbox: Sandbox, client: RegistryClient) -> None:
        self.archive = folder / "archive"
        self.journal = folder / "journal"
        self.registry = client.registry("example")
        self.writer = DistributionWriter(self.registry, base_url=sandbox.url)
        self.contents = ContentReader(self.writer)

    async def plan(self, policy) -> Plan:
        return await make_plan(self.registry, policy, self.contents, now=NOW)

    async def apply(self, plan: Plan, **more):
        return await apply_plan(
            self.registry,
            plan,
            self.contents,
            journal=self.journal,
            archive=self.archive,
            force=True,
            **more,
        )


@pytest.mark.slow(0.2)
@pytest.mark.parametrize("seed", range(10))
async def test_what_a_clean_up_deleted_comes_back_whole(tmp_path, seed):
    deleted, _ = await clean_up_and_undo(tmp_path, seed)
    assert deleted


@pytest.mark.slow(0.2)
@pytest.mark.parametrize("seed", range(10))
async def test_what_others_did_meanwhile_stays_and_the_rest_comes_back(tmp_path, seed):
    _, did = await clean_up_and_undo(tmp_path, seed, share=0.3)
    assert did


@pytest.fixture
async def stage(tmp_path):
    state = random_registry(Random(3))
    async with (
        Sandbox(state) as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
    ):
        found = Stage(tmp_path, sandbox, client)
        found.state, found.sandbox = state, sandbox
        async with found.writer:
            yield found


async def test_an_item_is_in_the_archive_before_its_delete_is_answered(stage):
    plan = await stage.plan(POLICIES[0])
    archived: list[int] = []

    def see(outcome) -> None:
        if outcome.status == "deleted":
            found = list(read_archive(stage.archive))
            archived.append(sum(one.digest == outcome.item.digest for one in found))

    report = await stage.apply(plan, on_outcome=see)
    assert report.deleted
    assert all(archived)


@pytest.mark.parametrize("cached", [True, False])
async def test_an_archive_that_cannot_be_written_stops_the_deletes(stage, monkeypatch, cached):
    plan = await stage.plan(POLICIES[0])
    before = held(stage.state)

    sync = os.fsync

    def full(descriptor):
        if os.path.samestat(os.fstat(descriptor), stage.archive.stat()):
            raise OSError(28, "No space left on device")
        sync(descriptor)

    async with Archive(stage.archive, "example"):
        pass
    with ContentCache(stage.archive.with_name("cache")) as cache:
        if cached:
            stage.contents = ContentReader(stage.writer, cache)
            plan = await stage.plan(POLICIES[0])
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ArchiveError, match="No space left") as caught:
            await stage.apply(plan)
    report = caught.value.report
    assert not report.deleted
    assert "No space left" in report.not_attempted[0].reason
    assert held(stage.state) == before


async def test_an_item_whose_document_cannot_be_read_is_kept(stage, monkeypatch):
    plan = await stage.plan(POLICIES[0])
    victim = next(item for _, item in plan.condemned if item.delete == "manifest")
    read = ContentReader.document

    async def refuse(self, repository, digest):
        if digest == victim.digest:
            raise RegistryConnectionError("reset")
        return await read(self, repository, digest)

    monkeypatch.setattr(ContentReader, "document", refuse)
    report = await stage.apply(plan)
    kept = [one for one in report.not_attempted if one.item.digest == victim.digest]
    assert "cannot be archived" in kept[0].reason
    assert report.deleted


@pytest.mark.parametrize("most_held", [0, 1000, 2**20])
async def test_what_the_cache_has_is_read_together_and_without_a_request(
    stage, monkeypatch, most_held
):
    monkeypatch.setattr("aioregistry.cleanup.apply.lists.MOST_HELD_BYTES", most_held)
    reads: list[int] = []
    documents = ContentCache.documents

    def note(self, digests, most_bytes=None):
        wanted = list(digests)
        reads.append(len(wanted))
        return documents(self, wanted, most_bytes)

    monkeypatch.setattr(ContentCache, "documents", note)
    with ContentCache(stage.archive.with_name("cache")) as cache:
        stage.contents = ContentReader(stage.writer, cache)
        plan = await stage.plan(POLICIES[0])
        before = len(stage.sandbox.requests)
        report = await stage.apply(plan)
    manifests = sum(one.item.delete == "manifest" for one in report.deleted)
    # What was read and not held is read again, by then known to be there.
    assert sum(reads) == manifests or most_held == 1000
    assert len(reads) < manifests
    sent = stage.sandbox.requests[before:]
    assert not [one for one in sent if one.method == "GET" and "/manifests/" in one.raw_path]
    assert (await undo(stage.writer, stage.archive)).is_complete


@pytest.mark.parametrize(
    "change", ["body = CAST(body || ' ' AS BLOB)", "body = 'text'", "type = 5"]
)
async def test_a_cache_that_has_changed_since_the_plan_leaves_no_trace_in_the_archive(
    stage, change
):
    path = stage.archive.with_name("cache")
    with ContentCache(path) as cache:
        stage.contents = ContentReader(stage.writer, cache)
        plan = await stage.plan(POLICIES[0])
        with sqlite3.connect(path) as other:
            other.execute(f"UPDATE documents SET {change}")
        other.close()
        report = await stage.apply(plan)
    gone = {one.item.digest for one in report.deleted if one.item.delete == "manifest"}
    found = [one for one in read_archive(stage.archive) if one.document is not None]
    assert gone
    assert {one.digest for one in found} == gone
    for one in found:
        assert one.digest == f"sha256:{sha256(one.document).hexdigest()}"
    assert (await undo(stage.writer, stage.archive)).is_complete


async def test_another_registrys_archive_is_refused_and_nothing_is_deleted(stage):
    async with Archive(stage.archive, "other"):
        pass
    plan = await stage.plan(POLICIES[0])
    before = held(stage.state)
    with pytest.raises(ArchiveError, match="registry 'other'"):
        await stage.apply(plan)
    assert held(stage.state) == before


async def test_what_goes_with_a_delete_that_arrives_twice_comes_back(stage):
    plan = await stage.plan(POLICIES[0])
    before = held(stage.state)
    stage.sandbox.faults = Faults(Fault(kind="duplicate", method="DELETE"))
    report = await stage.apply(plan)
    assert report.absent
    assert held(stage.state) != before
    assert (await undo(stage.writer, stage.archive)).is_complete
    assert held(stage.state) == before


async def test_a_tag_that_was_pushed_since_stays(stage):
    plan = await stage.plan(POLICIES[0])
    await stage.apply(plan)
    tagged = next(one for one in read_archive(stage.archive) if one.tags)
    new = stage.state.push("example", tagged.repository, [tagged.tags[0]], at=NOW)
    await undo(stage.writer, stage.archive)
    tag = stage.state.registry("example").repositories[tagged.repository].tags[tagged.tags[0]]
    assert tag.manifest.digest.hex() == new.removeprefix("sha256:")
