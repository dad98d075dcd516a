"""The archive of a clean-up: on disk before a DELETE, whole or cut off."""

import asyncio
import gzip
import hashlib
import json
import os
import re

import pytest

from aioregistry.cleanup.records import archive_format
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.archive_format import ArchiveError, read_archive
from tests.oci.test_tags_list import signed


def digest_of(document: bytes) -> str:
    return f"sha256:{hashlib.sha256(document).hexdigest()}"


DOCUMENTS = [json.dumps({"schemaVersion": 2, "n": n}).encode() for n in range(5)]


async def write(path, documents=DOCUMENTS, registry="example"):
    async with Archive(path, registry) as archive:
        for document in documents:
            await archive.add("web", digest_of(document), ("v1",), document, "application/x")


async def test_what_was_written_is_read_in_its_order(tmp_path):
    await write(tmp_path / "a")
    found = list(read_archive(tmp_path / "a"))
    assert [one.document for one in found] == DOCUMENTS
    assert {(one.repository, one.tags, one.media_type) for one in found} == {
        ("web", ("v1",), "application/x")
    }


async def test_a_document_that_is_no_text_comes_back_byte_for_byte(tmp_path):
    await write(tmp_path / "a", [b"\xff\x00\xfe", b'{"caf\xc3\xa9": "\\u0000"}\r\n'])
    assert [one.document for one in read_archive(tmp_path / "a")] == [
        b"\xff\x00\xfe",
        b'{"caf\xc3\xa9": "\\u0000"}\r\n',
    ]


async def test_a_signed_document_has_the_digest_of_its_payload(tmp_path):
    payload = b'{"schemaVersion": 1, "fsLayers": []\n}'
    async with Archive(tmp_path / "a", "example") as archive:
        await archive.add("web", digest_of(payload), ("v1",), signed(payload), "application/x")
    (found,) = read_archive(tmp_path / "a")
    assert found.document == signed(payload)


async def test_a_tag_without_its_manifest_has_no_document(tmp_path):
    async with Archive(tmp_path / "a", "example") as archive:
        await archive.add("web", digest_of(b"x"), ("v1",))
    (found,) = read_archive(tmp_path / "a")
    assert found.document is None
    assert found.tags == ("v1",)


async def test_lines_that_are_too_many_for_one_part_are_all_read_back(tmp_path, monkeypatch):
    # Three of four lines.
    monkeypatch.setattr(archive_format, "_MAX_LINE_BYTES", 800)
    async with Archive(tmp_path / "a", "example") as archive:
        # All but the first wait for one write.
        await asyncio.gather(
            *(
                archive.add("web", digest_of(one), ("v1",), one, "application/x")
                for one in DOCUMENTS
            )
        )
    assert [one.document for one in read_archive(tmp_path / "a")] == DOCUMENTS


async def test_an_archive_grows_from_run_to_run(tmp_path):
    await write(tmp_path / "a", DOCUMENTS[:2])
    await write(tmp_path / "a", DOCUMENTS[2:])
    assert [one.document for one in read_archive(tmp_path / "a")] == DOCUMENTS


async def test_gzip_shows_it(tmp_path):
    await write(tmp_path / "a")
    lines = gzip.decompress((tmp_path / "a").read_bytes()).splitlines()
    assert json.loads(lines[0]) == {
        "format": "aioregistry archive",
        "version": 1,
        "registry": "example",
    }
    assert len(lines) == 1 + len(DOCUMENTS)


async def test_it_is_on_disk_when_adding_returns(tmp_path):
    async with Archive(tmp_path / "a", "example") as archive:
        await archive.add("web", digest_of(b"x"), (), b"x")
        assert [one.document for one in read_archive(tmp_path / "a")] == [b"x"]


async def test_many_at_once_share_a_write(tmp_path, monkeypatch):
    syncs = 0
    sync = os.fsync

    def counted(descriptor):
        nonlocal syncs
        syncs += 1
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    async with Archive(tmp_path / "a", "example") as archive:
        before = syncs
        documents = [b"%d" % n for n in range(300)]
        await asyncio.gather(*(archive.add("web", digest_of(one), (), one) for one in documents))
        assert syncs - before < 10
    assert {one.document for one in read_archive(tmp_path / "a")} == set(documents)


@pytest.mark.slow(1)
async def test_cut_off_anywhere_it_has_all_that_was_whole_and_grows_again(tmp_path):
    await write(tmp_path / "whole", DOCUMENTS[:3])
    data = (tmp_path / "whole").read_bytes()
    kept = []
    for size in range(len(data)):
        path = tmp_path / f"cut-{size}"
        path.write_bytes(data[:size])
        await write(path, DOCUMENTS[3:4])
        found = [one.document for one in read_archive(path)]
        assert found == [*DOCUMENTS[: len(found) - 1], DOCUMENTS[3]]
        kept.append(len(found) - 1)
    assert kept == sorted(kept)
    assert set(kept) == {0, 1, 2}


@pytest.mark.parametrize("edit", ["flip", "zero", "cut", "insert"])
async def test_one_that_is_damaged_within_is_refused_and_left_as_it_is(tmp_path, edit):
    path = tmp_path / "a"
    await write(path, DOCUMENTS[:3])
    data = path.read_bytes()
    _, _, second, last = (one.start() for one in re.finditer(b"\x1f\x8b\x08", data))
    for place in range(second + 1, last, 3):
        changed = {
            "flip": data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :],
            "zero": data[:place] + bytes(4) + data[min(place + 4, last) :],
            "cut": data[:place] + data[last:],
            "insert": data[:place] + b"x" + data[place:],
        }[edit]
        path.write_bytes(changed)
        try:
            # Some bytes of a gzip header may be anything.
            assert [one.document for one in read_archive(path)] == DOCUMENTS[:3]
        except ArchiveError as refused:
            error = refused
        else:
            continue
        assert "damaged at byte" in str(error)
        with pytest.raises(ArchiveError, match="damaged at byte"):
            await write(path, DOCUMENTS[3:4])
        assert path.read_bytes() == changed


async def test_what_a_machine_left_at_the_end_when_it_died_is_dropped(tmp_path):
    path = tmp_path / "a"
    await write(path, DOCUMENTS[:2])
    data = path.read_bytes()
    for rest in (bytes(5_000), data[-40:-20] + bytes(200), b"\x1f\x8b\x08" + bytes(100)):
        path.write_bytes(data + rest)
        assert [one.document for one in read_archive(path)] == DOCUMENTS[:2]
        await write(path, DOCUMENTS[2:3])
        assert [one.document for one in read_archive(path)] == DOCUMENTS[:3]


async def test_one_that_was_edited_and_lacks_the_end_of_its_last_line_is_refused(tmp_path):
    path = tmp_path / "a"
    await write(path, DOCUMENTS[:2])
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).rstrip(b"\n")))
    with pytest.raises(ArchiveError, match="the last line has no end"):
        list(read_archive(path))


async def test_a_document_that_escapes_make_too_long_for_a_line_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr("aioregistry.cleanup.records.archive_format._MAX_LINE_BYTES", 10_000)
    await write(tmp_path / "a", [b"\x01" * 3_000])
    assert [one.document for one in read_archive(tmp_path / "a")] == [b"\x01" * 3_000]


async def test_it_is_for_its_owner_alone(tmp_path):
    await write(tmp_path / "a")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


async def test_another_registrys_archive_is_refused(tmp_path):
    await write(tmp_path / "a")
    with pytest.raises(ArchiveError, match="registry 'example'"):
        await write(tmp_path / "a", registry="other")
    with pytest.raises(ArchiveError, match="registry 'example'"):
        list(read_archive(tmp_path / "a", "other"))


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"\x1f\x8bnonsense",
        gzip.compress(b"cut off")[:-3],
        gzip.compress(b'{"format": "other"}\n'),
        b"{}\n",
    ],
    ids=["text", "gzip's mark alone", "gzip that was cut off", "another format", "JSON"],
)
async def test_a_foreign_file_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(ArchiveError):
        await write(path)
    assert path.read_bytes() == content


async def test_a_document_that_was_changed_is_refused(tmp_path):
    path = tmp_path / "a"
    await write(path, DOCUMENTS[:1])
    text = gzip.decompress(path.read_bytes()).replace(b'\\"n\\": 0', b'\\"n\\": 9')
    path.write_bytes(gzip.compress(text))
    with pytest.raises(ArchiveError, match="does not have the digest"):
        list(read_archive(path))


async def test_two_processes_do_not_write_the_same_archive(tmp_path):
    async with Archive(tmp_path / "a", "example"):
        with pytest.raises(ArchiveError, match="another process"):
            await write(tmp_path / "a")


async def test_a_write_that_fails_is_an_error_and_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a"
    async with Archive(path, "example") as archive:
        await archive.add("web", digest_of(b"x"), (), b"x")

        def full(descriptor):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(ArchiveError, match="No space left"):
                await archive.add("web", digest_of(b"y"), (), b"y")
        assert [one.document for one in read_archive(path)] == [b"x"]


async def test_a_part_that_unpacks_to_far_more_is_refused(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(b"[" * (65 * 2**20)))
    with pytest.raises(ArchiveError, match="bytes"):
        list(read_archive(path))
