"""Bulk deletes with an archive: what they delete is on disk before, and comes back."""

import asyncio

import pytest

from aioregistry import (
    NotFoundError,
    NotRecordedError,
    Pager,
    PermissionDeniedError,
    RegistryClient,
    RegistryError,
    ResponseError,
    ServerError,
)
from aioregistry.cleanup import Archive, ArchiveError, ContentReader, read_archive, undo
from aioregistry.errors import RegistryConnectionError
from aioregistry.oci.writer import DistributionWriter
from aioregistry.sandbox import Fault, Faults, Sandbox, State
from aioregistry.testing import VirtualClock
from tests.cleanup.registries import Builder


class Stage:
    """A repository of three images, one of them with two tags, and an archive for it."""

    def __init__(self, folder, sandbox, client) -> None:
        self.path = folder / "archive"
        self.sandbox = sandbox
        self.client = client
        self.builder = builder = Builder(sandbox.state)
        self.digests = [builder.image("a", "b"), builder.image("c"), builder.image()]
        self.repo = client.registry("example").repository("web")
        self.writer = DistributionWriter(client.registry("example"), base_url=sandbox.url)
        self.archive = Archive(self.path, "example", ContentReader(self.writer))

    def held(self):
        repository = self.sandbox.state.registry("example").repositories.get("web")
        if repository is None:
            return {}, set()
        tags = {name: tag.manifest.digest for name, tag in repository.tags.items()}
        return tags, set(repository.manifests)

    def archived(self):
        return [(one.digest, one.tags, one.document is not None) for one in read_archive(self.path)]


@pytest.fixture
async def stage(tmp_path):
    state = State()
    state.add_registry("example")
    async with (
        Sandbox(state) as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
    ):
        made = Stage(tmp_path, sandbox, client)
        async with made.writer, made.archive:
            yield made


async def test_tags_that_are_deleted_come_back(stage):
    before = stage.held()
    report = await stage.repo.delete_tags(["a", "b", "c", "never"], archive=stage.archive)
    assert (len(report.deleted), len(report.absent)) == (3, 1)
    assert stage.held()[0] == {}
    one, two, _ = stage.digests
    expected = [(one, ("a",), False), (one, ("b",), False), (two, ("c",), False)]
    assert sorted(stage.archived()) == sorted(expected)
    assert (await undo(stage.writer, stage.path)).is_complete
    assert stage.held() == before


async def test_manifests_that_are_deleted_come_back_with_their_tags(stage):
    before = stage.held()
    report = await stage.repo.delete_manifests(stage.digests, archive=stage.archive)
    assert len(report.deleted) == 3
    assert stage.held() == ({}, set())
    assert sorted(stage.archived()) == sorted(
        (digest, tags, True)
        for digest, tags in zip(stage.digests, [("a", "b"), ("c",), ()], strict=True)
    )
    assert (await undo(stage.writer, stage.path)).is_complete
    assert stage.held() == before


async def test_each_is_on_disk_before_its_delete_is_answered(stage):
    seen = []

    def see(outcome) -> None:
        seen.append(outcome.name in {digest for digest, *_ in stage.archived()})

    await stage.repo.delete_manifests(stage.digests, see, archive=stage.archive)
    assert seen == [True] * 3


async def test_a_write_that_fails_stops_the_deletes(stage, monkeypatch):
    async def full(*_, **__):
        raise ArchiveError("archive: cannot be written: No space left on device")

    monkeypatch.setattr(Archive, "add", full)
    names = ["a", "b", "c"]
    before = stage.held()
    report = await stage.repo.delete_tags(names, archive=stage.archive)
    assert [one.name for one in report.not_attempted] == names
    assert all(isinstance(one.error, NotRecordedError) for one in report.not_attempted)
    assert stage.held() == before


async def test_what_cannot_be_archived_is_kept_and_the_rest_deleted(stage, monkeypatch):
    find = stage.writer.find_manifest

    async def refuse(repository, reference):
        if reference == "a":
            raise RegistryConnectionError("reset")
        return None if reference == "b" else await find(repository, reference)

    monkeypatch.setattr(stage.writer, "find_manifest", refuse)
    report = await stage.repo.delete_tags(["a", "b", "c"], archive=stage.archive)
    kept = {one.name: str(one.error) for one in report.not_attempted}
    assert kept.keys() == {"a", "b"}
    assert "reset" in kept["a"]
    assert "cannot be archived" in kept["b"]
    assert [one.name for one in report.deleted] == ["c"]


async def test_the_callers_own_check_comes_first(stage):
    async def check(name):
        raise RegistryConnectionError("in use")

    report = await stage.repo.delete_tags(["a"], check=check, archive=stage.archive)
    assert "in use" in str(report.not_attempted[0].error)
    assert stage.archived() == []


async def test_another_registrys_archive_is_refused_before_anything_is_sent(stage, tmp_path):
    before = stage.sandbox.request_count
    async with Archive(tmp_path / "other", "other") as archive:
        with pytest.raises(ValueError, match="for 'other', not for 'example'"):
            await stage.repo.delete_tags(["a"], archive=archive)
        with pytest.raises(ValueError, match="for 'other', not for 'example'"):
            await stage.repo.delete_manifests(stage.digests, archive=archive)
    assert stage.sandbox.request_count == before


async def test_an_archive_that_cannot_read_manifests_says_so(stage, tmp_path):
    async with Archive(tmp_path / "other", "example") as archive:
        report = await stage.repo.delete_tags(["a"], archive=archive)
    assert "Archive(path, registry, contents)" in str(report.not_attempted[0].error)


async def test_tags_that_are_deleted_as_an_iteration_goes_on_come_back(stage):
    before = stage.held()
    async with stage.repo.iter_delete_tags(["a", "b", "never"], archive=stage.archive) as outcomes:
        statuses = {one.name: one.status async for one in outcomes}
    assert statuses == {"a": "deleted", "b": "deleted", "never": "absent"}
    assert (await undo(stage.writer, stage.path)).is_complete
    assert stage.held() == before


async def test_manifests_that_are_deleted_as_an_iteration_goes_on_come_back(stage):
    before = stage.held()
    iterator = stage.repo.iter_delete_manifests(stage.digests, archive=stage.archive)
    async with iterator as outcomes:
        assert [one.status async for one in outcomes] == ["deleted"] * 3
    assert stage.held() == ({}, set())
    assert (await undo(stage.writer, stage.path)).is_complete
    assert stage.held() == before


async def test_an_iteration_whose_list_fails_ends_with_its_error(stage):
    stage.sandbox.faults = Faults(Fault(kind="status", status=403, method="GET"))
    with pytest.raises(PermissionDeniedError):
        async for _ in stage.repo.iter_delete_tags(["a"], archive=stage.archive):
            pass
    assert stage.held()[0].keys() == {"a", "b", "c"}


async def test_a_tag_that_was_set_after_the_manifests_were_listed_comes_back(stage, monkeypatch):
    collect = Pager.collect
    one = stage.digests[0]

    async def late(pager, **options):
        listed = await collect(pager, **options)
        stage.sandbox.state.push("example", "web", ["late"], digest=one)
        return listed

    monkeypatch.setattr(Pager, "collect", late)
    report = await stage.repo.delete_manifests([one], archive=stage.archive)
    assert len(report.deleted) == 1
    assert stage.archived() == [(one, ("a", "b", "late"), True)]


async def test_tags_are_listed_once_for_many_manifests(stage):
    await stage.repo.delete_manifests(stage.digests, archive=stage.archive)
    sent = [one for one in stage.sandbox.requests if "/tags/list" in one.raw_path]
    assert sum(one.status == 200 for one in sent) == 1


async def test_where_the_registry_lists_no_tags_those_of_the_api_are_archived(stage, monkeypatch):
    async def refuse(repository):
        raise ResponseError("no such list", status=405)

    monkeypatch.setattr(stage.writer, "list_tags", refuse)
    report = await stage.repo.delete_manifests(stage.digests[:1], archive=stage.archive)
    assert len(report.deleted) == 1
    assert stage.archived() == [(stage.digests[0], ("a", "b"), True)]


async def test_a_manifest_is_kept_when_its_tags_cannot_be_asked_for(stage, monkeypatch):
    async def fail(repository):
        raise ServerError("try later", status=500)

    monkeypatch.setattr(stage.writer, "list_tags", fail)
    report = await stage.repo.delete_manifests(stage.digests[:1], archive=stage.archive)
    assert len(report.not_attempted) == 1
    assert stage.archived() == []


async def test_a_repository_that_is_deleted_comes_back_whole(stage):
    before = stage.held()
    registry = stage.client.registry("example")
    await registry.delete_repository("web", archive=stage.archive)
    assert stage.held() == ({}, set())
    assert (await undo(stage.writer, stage.path)).is_complete
    assert stage.held() == before


async def test_what_is_pushed_while_a_repository_is_archived_comes_back(stage, monkeypatch):
    collect = Pager.collect
    pushed = []

    async def late(pager, **options):
        listed = await collect(pager, **options)
        if len(pushed) < 2:
            pushed.append(stage.builder.image(f"late-{len(pushed)}"))
        return listed

    monkeypatch.setattr(Pager, "collect", late)
    await stage.client.registry("example").delete_repository("web", archive=stage.archive)
    assert {*pushed, *stage.digests} == {digest for digest, *_ in stage.archived()}


async def test_a_repository_with_a_manifest_that_cannot_be_archived_is_kept(stage, monkeypatch):
    find = stage.writer.get_manifest

    async def lack(repository, reference):
        if reference == stage.digests[1]:
            raise NotFoundError("manifest unknown")
        return await find(repository, reference)

    before = stage.held()
    monkeypatch.setattr(stage.writer, "get_manifest", lack)
    with pytest.raises(RegistryError, match="nothing was deleted"):
        await stage.client.registry("example").delete_repository("web", archive=stage.archive)
    assert stage.held() == before


async def test_a_repository_is_kept_when_the_archive_cannot_be_written(stage, monkeypatch):
    async def full(*_, **__):
        raise ArchiveError("archive: cannot be written: No space left on device")

    before = stage.held()
    monkeypatch.setattr(Archive, "add", full)
    with pytest.raises(NotRecordedError, match="No space left"):
        await stage.client.registry("example").delete_repository("web", archive=stage.archive)
    assert stage.held() == before


async def test_tags_and_manifests_of_a_registry_that_are_deleted_come_back(stage):
    before = stage.held()
    registry = stage.client.registry("example")
    tags = await stage.repo.tags().collect()
    manifests = await stage.repo.manifests().collect()
    items = [tags[0], *(one for one in manifests if tags[0].tag not in one.tags)]
    report = await registry.delete(items, archive=stage.archive)
    assert len(report.deleted) == 3
    assert stage.held() != before
    assert (await undo(stage.writer, stage.path)).is_complete
    assert stage.held() == before


async def test_the_manifests_of_a_repository_are_listed_once_for_all_of_its_deletes(stage):
    items = await stage.repo.manifests().collect()
    sent = len(stage.sandbox.requests)
    await stage.client.registry("example").delete(items, archive=stage.archive)
    lists = [one for one in stage.sandbox.requests[sent:] if "/digests?" in one.raw_path]
    assert len(lists) == 1


class TwoAtOnce:
    """A limiter with two permits."""

    def __init__(self) -> None:
        self._permits = asyncio.Semaphore(2)

    async def acquire(self, priority="interactive"):
        await self._permits.acquire()

    def release(self, reported=None, *, sent=True):
        self._permits.release()


class KeepsAll:
    """An archive that asks nobody."""

    registry = "example"

    async def keep_manifest(self, repository, digest, tags):
        return True

    async def new_tags(self, repository, known):
        return {}


async def delete_images_of_three_repositories(clock):
    async with clock.sandbox() as sandbox:
        for number in range(30):
            sandbox.state.push("example", f"web{number % 3}", [f"v{number}"])
        async with RegistryClient(
            sandbox.token, base_url=sandbox.url, rate_limit=TwoAtOnce()
        ) as client:
            registry = client.registry("example")
            items = await registry.manifests().collect()
            begun = clock.elapsed
            report = await registry.delete(items, archive=KeepsAll())
            return report, clock.elapsed - begun


def test_who_waits_for_the_list_of_a_repository_holds_no_permit():
    """The list may need the last one: each would be held for a minute, to no avail."""
    with VirtualClock() as clock:
        report, seconds = clock.run(delete_images_of_three_repositories(clock))
    assert len(report.deleted) == 30
    assert seconds < 1


async def test_what_a_registry_cannot_list_is_kept(stage):
    items = await stage.repo.manifests().collect()
    stage.sandbox.faults = Faults(Fault(kind="status", status=403, route="*/digests"))
    before = stage.held()
    report = await stage.client.registry("example").delete(items, archive=stage.archive)
    assert len(report.not_attempted) == 3
    assert stage.held() == before
    asked = [one for one in stage.sandbox.requests if one.status == 403]
    assert len(asked) == 1
