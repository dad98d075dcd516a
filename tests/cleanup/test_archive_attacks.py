"""Archives on a full disk, or written by a hand that knows the format: nothing is lost or sent."""

import gzip
import json
import resource

import pytest

from aioregistry import NotRecordedError, RegistryClient
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.archive_format import ArchiveError, read_archive
from aioregistry.cleanup.undo.undo import undo
from aioregistry.oci.writer import DistributionWriter
from aioregistry.sandbox import Sandbox, State
from tests.cleanup.registries import Builder
from tests.cleanup.undoing import held

HEAD = {"format": "aioregistry archive", "version": 1, "registry": "example"}
LINE = {"at": "2026-06-01T00:00:00Z", "repository": "web", "digest": f"sha256:{'0' * 64}"}


@pytest.fixture
async def stage():
    state = State()
    builder = Builder(state)
    for number in range(30):
        builder.image(f"v{number}")
    async with (
        Sandbox(state) as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
        DistributionWriter(client.registry("example"), base_url=sandbox.url) as writer,
    ):
        yield state, sandbox, client.registry("example"), writer


@pytest.mark.parametrize("room", [0, 1, 200, 1500])
async def test_a_full_disk_stops_the_deletes_and_what_is_gone_comes_back(stage, tmp_path, room):
    state, _, registry, writer = stage
    before = held(state)
    path = tmp_path / "archive"
    async with Archive(path, "example", ContentReader(writer)) as archive:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, limits[1]))
        try:
            report = await registry.repository("web").delete_manifests(
                list(before_digests(before)), archive=archive
            )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    errors = [one.error for one in (*report.failed, *report.not_attempted)]
    assert any(isinstance(error, NotRecordedError) for error in errors)
    gone = before["web"][1] - held(state)["web"][1]
    assert len(gone) < 30
    assert {digest.hex() for digest in gone} <= {
        one.digest.removeprefix("sha256:") for one in read_archive(path)
    }
    # Once there is room again, the same file goes on.
    async with Archive(path, "example", ContentReader(writer)) as archive:
        rest = [f"sha256:{digest.hex()}" for digest in held(state)["web"][1]]
        await registry.repository("web").delete_manifests(rest, archive=archive)
    assert (await undo(writer, path)).is_complete
    assert held(state) == before


def before_digests(state) -> list[str]:
    return [f"sha256:{digest.hex()}" for digest in state["web"][1]]


@pytest.mark.parametrize(
    "line",
    [
        {"repository": "../other", "tags": ["v1"]},
        {"repository": "web/../../x", "tags": ["v1"]},
        {"repository": "", "tags": ["v1"]},
        {"tags": ["../../web/manifests/v1"]},
        {"tags": ["a b", "", "x" * 200, "v1?force=1", "v1\r\nHost: x"]},
    ],
)
async def test_names_that_nothing_can_have_are_told_and_not_sent(stage, tmp_path, line):
    state, sandbox, _, writer = stage
    before = held(state)
    path = tmp_path / "archive"
    lines = [json.dumps(one).encode() + b"\n" for one in (HEAD, LINE | line)]
    path.write_bytes(gzip.compress(b"".join(lines)))
    report = await undo(writer, path)
    assert not report.is_complete
    assert not [one for one in sandbox.requests if one.method == "PUT"]
    assert held(state) == before


@pytest.mark.parametrize(
    "lines",
    [
        [HEAD | {"version": 2}, LINE],
        [HEAD, LINE | {"document": "{}"}],
        [HEAD, LINE | {"at": "yesterday"}],
        [HEAD, LINE | {"digest": "sha256:zz", "tags": ["v77"]}],
        # The tag would come back on whatever another one is on.
        [HEAD, LINE | {"digest": "v1", "tags": ["v78"]}],
        [HEAD, LINE | {"encoding": "base64", "document": "%"}],
        [HEAD, LINE | {"tags": "v1"}],
        [HEAD, LINE, HEAD | {"registry": "other"}],
    ],
)
async def test_lines_of_another_format_are_refused_and_nothing_is_sent(stage, tmp_path, lines):
    _, sandbox, _, writer = stage
    path = tmp_path / "archive"
    path.write_bytes(gzip.compress(b"".join(json.dumps(one).encode() + b"\n" for one in lines)))
    sent = len(sandbox.requests)
    with pytest.raises(ArchiveError, match=r"archive"):
        await undo(writer, path)
    assert len(sandbox.requests) == sent
