"""Manifests on disk: digests checked, and nobody else's file believed."""

import hashlib
import sqlite3
import stat
from collections.abc import Iterable
from pathlib import Path

import pytest

from aioregistry.cleanup.manifests.cache import ContentCache, default_cache_path
from aioregistry.cleanup.manifests.content import Content, Document, parse_content


def document(body: str) -> tuple[str, Content]:
    digest = "sha256:" + hashlib.sha256(body.encode()).hexdigest()
    return digest, parse_content(body.encode(), "application/x")


B, OTHER = document('{"mediaType": "application/y"}')
A, CONTENT = document(f'{{"layers": [{{"digest": "{B}"}}], "subject": {{"digest": "{B}"}}}}')


def test_what_is_put_is_got(tmp_path):
    contents = {A: CONTENT, B: OTHER}
    with ContentCache(tmp_path / "new" / "deep" / "cache") as cache:
        cache.put(contents)
        assert cache.get([A, B, "sha256:" + "c" * 64]) == contents


def test_more_digests_than_a_query_takes(tmp_path):
    contents = dict(document(f'{{"mediaType": "{number}"}}') for number in range(1201))
    with ContentCache(tmp_path / "cache") as cache:
        cache.put(contents)
        assert cache.get(contents) == contents


def queries(cache: ContentCache, digests: Iterable[str]) -> tuple[dict[str, Content], list[int]]:
    """Return what is got, and how many digests each query names."""
    asked: list[str] = []
    cache._kept._database.set_trace_callback(asked.append)
    found = cache.get(digests)
    return found, [query.count("x'") + query.count("X'") for query in asked]


def test_digests_that_are_not_kept_are_asked_for_many_at_a_time(tmp_path):
    with ContentCache(tmp_path / "cache") as cache:
        _, asked = queries(cache, (f"sha256:{number:064x}" for number in range(1001)))
    assert asked == [1, 500, 500, 1]


@pytest.mark.parametrize("order", [1, -1])
def test_documents_that_were_kept_one_after_the_other_are_read_so(tmp_path, order):
    contents = dict(document(f'{{"mediaType": "{number}"}}') for number in range(1001))
    with ContentCache(tmp_path / "cache") as cache:
        cache.put(contents)
        found, asked = queries(cache, [*contents][::order])
    assert found == contents
    assert set(asked) == {1}
    assert len(asked) < 12


def test_documents_that_lie_apart_are_found_by_the_index(tmp_path):
    contents = dict(document(f'{{"mediaType": "{number}"}}') for number in range(1001))
    wanted = [*contents][::20]
    with ContentCache(tmp_path / "cache") as cache:
        cache.put(contents)
        found, asked = queries(cache, wanted)
    assert found == {digest: contents[digest] for digest in wanted}
    assert len(asked) == 2


def test_another_process_that_writes_is_waited_for_ten_seconds(tmp_path):
    with ContentCache(tmp_path / "cache") as cache:
        assert cache._kept._database.execute("PRAGMA busy_timeout").fetchone() == (10_000,)


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
        f"manifests are not kept in {path}: file is not a database; delete it if it is broken"
    ]


def test_a_folder_that_cannot_be_made_is_told_and_done_without(tmp_path, caplog):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "cache"
    with ContentCache(path) as cache:
        assert cache.get([A]) == {}
    (message,) = caplog.messages
    assert message == f"manifests are not kept in {path}: File exists"


def test_a_full_disk_is_told_and_no_file_is_to_be_deleted(tmp_path, caplog):
    path = tmp_path / "cache"
    with ContentCache(path) as cache:
        cache._kept._database.execute("PRAGMA max_page_count = 1")
        cache.put(dict(document(f'{{"mediaType": "{number}"}}') for number in range(1000)))
    assert caplog.messages == [f"manifests are not kept in {path}: database or disk is full"]


@pytest.mark.parametrize(
    "statement", ["DROP TABLE documents", "ALTER TABLE documents RENAME TO old"]
)
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
            f"manifests are not kept in {path}: no such table: documents; delete it if it is broken"
        ]
        assert cache.get([A]) == {}


def test_what_has_no_document_is_not_kept(tmp_path):
    with ContentCache(tmp_path / "cache") as cache:
        cache.put({A: Content("", 0)})
        assert cache.get([A]) == {}


@pytest.mark.parametrize(
    "change",
    [
        "body = CAST('{}' AS BLOB)",
        "body = 5",
        "body = 'text'",
        "type = x'00'",
        f"digest = 'sha256:{'c' * 64}'",
        "digest = 'md5:x'",
    ],
)
def test_a_document_without_its_digest_is_read_anew(tmp_path, change):
    with ContentCache(tmp_path / "cache") as cache:
        cache.put({A: CONTENT})
        with sqlite3.connect(tmp_path / "cache") as other:
            other.execute(f"UPDATE documents SET {change}")
        other.close()
        assert cache.get([A, "md5:x", f"sha256:{'c' * 64}"]) == {}


def test_a_document_that_is_no_manifest_is_read_anew(tmp_path):
    body = b"[]"
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    with ContentCache(tmp_path / "cache") as cache:
        cache.put({digest: Content("", 2, document=Document(body, None))})
        assert cache.get([digest]) == {}


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_to_is_not_used(tmp_path, caplog, mode):
    path = tmp_path / "cache"
    with ContentCache(path) as cache:
        cache.put({A: CONTENT})
    path.chmod(mode)
    with ContentCache(path) as cache:
        assert cache.get([A]) == {}
        cache.put({A: CONTENT})
    assert "others may write to it" in caplog.text


def test_a_file_of_another_user_is_not_used(tmp_path, caplog, monkeypatch):
    path = tmp_path / "cache"
    with ContentCache(path) as cache:
        cache.put({A: CONTENT})
    owner = path.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    with ContentCache(path) as cache:
        assert cache.get([A]) == {}
    assert "belongs to another user" in caplog.text


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
