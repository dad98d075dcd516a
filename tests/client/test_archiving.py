"""Bulk deletes with an archive: what they delete is on disk before, and comes back."""

import pytest

from aioregistry import NotRecordedError, RegistryClient
from aioregistry.cleanup import Archive, ArchiveError, ContentReader, read_archive, undo
from aioregistry.errors import RegistryConnectionError
from aioregistry.oci.writer import DistributionWriter
from aioregistry.sandbox import Sandbox, State
from tests.cleanup.registries import Builder


class Stage:
    """A repository of three images, one of them with two tags, and an archive for it."""

    def __init__(self, folder, sandbox, client) -> None:
        self.path = folder / "archive"
        self.sandbox = sandbox
        builder = Builder(sandbox.state)
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
