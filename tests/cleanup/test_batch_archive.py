"""The archive of a batch: groups ahead of the DELETEs, and withdrawals of what was not deleted."""

import asyncio
import hashlib
import os

import pytest
from attrs import evolve

from aioregistry.bulk.report import Outcome
from aioregistry.cleanup.apply.batch_archive import BatchArchive
from aioregistry.cleanup.manifests.content import Document
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.archive_format import ArchiveError, read_archive
from aioregistry.errors import ResponseError
from aioregistry.session.exchange import Verdict

DOCUMENTS = [b'{"n": %d}' % n for n in range(300)]
ITEMS = [
    Condemned(
        delete="manifest",
        digest=f"sha256:{hashlib.sha256(document).hexdigest()}",
        tags=(f"v{n}",),
    )
    for n, document in enumerate(DOCUMENTS)
]

LISTED = {tag: item.digest for item in ITEMS for tag in item.tags}


class Store:
    """Documents at hand, but for those that have to be fetched."""

    def __init__(self, to_fetch=()):
        self.known = {item.digest: one for item, one in zip(ITEMS, DOCUMENTS, strict=True)}
        self.to_fetch = {item.digest for item in to_fetch}
        self.tags = {}
        self.asked = []
        self.fetched = []

    async def documents_at_hand(self, digests):
        wanted = list(digests)
        self.asked.append(len(wanted))
        await asyncio.sleep(0)
        return {one: Document(self.known[one], "x") for one in wanted if one not in self.to_fetch}

    async def current_digest(self, repository, tag):
        return self.tags.get(tag)

    async def document(self, repository, digest):
        self.fetched.append(digest)
        if digest not in self.known:
            raise ResponseError("unreadable")
        return Document(self.known[digest], "x")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive"


def archived(path):
    return [one.digest for one in read_archive(path)]


def outcome(item, status="deleted", attempts=1):
    return Outcome(0, item.name, status, None, attempts)


async def run(path, items, store, statuses):
    """Work through items as an apply does; a status of None ends it before the item."""
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, store, "web", items, LISTED) as batch,
    ):
        for item, status in zip(items, statuses, strict=False):
            batch.start(item)
            if status is None:
                break
            assert await batch.keep(item) is None
            assert item.digest in archived(path)
            batch.settle(item, outcome(item, status))


async def test_documents_at_hand_are_written_many_items_at_a_time(path):
    store = Store()
    await run(path, ITEMS, store, ["deleted"] * len(ITEMS))
    assert store.asked == [256, 44]
    assert archived(path) == [item.digest for item in ITEMS]


async def test_no_more_is_written_ahead_than_a_group_and_the_next_once_it_is_due(path):
    store = Store()
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, store, "web", ITEMS, LISTED) as batch,
    ):
        batch.start(ITEMS[0])
        await batch.keep(ITEMS[255])
        assert len(archived(path)) == 256
        batch.start(ITEMS[191])
        await asyncio.sleep(0)
        assert store.asked == [256]
        batch.start(ITEMS[192])
        await asyncio.sleep(0)
        assert store.asked == [256, 44]


async def test_the_items_of_a_group_wait_for_no_other(path):
    store = Store()
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, store, "web", ITEMS, LISTED) as batch,
    ):
        at_hand, others = store.documents_at_hand, asyncio.Event()

        async def hold_back_the_others(digests):
            if store.asked:
                await others.wait()
            return await at_hand(digests)

        store.documents_at_hand = hold_back_the_others
        for item in ITEMS[:256]:
            batch.start(item)
            assert await batch.keep(item) is None
        assert archived(path) == [item.digest for item in ITEMS[:256]]
        others.set()


async def test_a_group_with_more_tags_than_a_part_holds_is_read_back(path, monkeypatch):
    monkeypatch.setattr("aioregistry.cleanup.records.archive_format._MAX_LINE_BYTES", 4 * 2**20)
    tags = [tuple(f"{nth:03}-{each:0123}" for each in range(900)) for nth in range(64)]
    items = [evolve(item, tags=some) for item, some in zip(ITEMS, tags, strict=False)]
    listed = {tag: item.digest for item in items for tag in item.tags}
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, Store(), "web", items, listed) as batch,
    ):
        for item in items:
            batch.start(item)
            assert await batch.keep(item) is None
        assert [each.tags for each in read_archive(path)] == tags


async def test_a_group_of_large_documents_is_written_in_parts(path, monkeypatch):
    monkeypatch.setattr("aioregistry.cleanup.apply.batch_archive._MOST_DOCUMENT_BYTES", 40)
    monkeypatch.setattr("aioregistry.cleanup.apply.batch_archive._TAG_BYTES", 0)
    sizes = []
    sync = os.fsync

    def note(descriptor):
        sizes.append(len(archived(path)))
        sync(descriptor)

    async with Archive(path, "example") as archive:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", note)
            async with BatchArchive(archive, Store(), "web", ITEMS[:10], LISTED) as batch:
                batch.start(ITEMS[0])
                assert await batch.keep(ITEMS[0]) is None
                for item in ITEMS[:10]:
                    batch.settle(item, outcome(item))
    # Each has eight bytes.
    assert sizes == [5, 10]
    assert archived(path) == [item.digest for item in ITEMS[:10]]


async def test_a_document_that_is_not_at_hand_is_read_when_its_item_is_begun(path):
    store = Store(to_fetch=ITEMS[2:3])
    await run(path, ITEMS[:5], store, ["deleted"] * 5)
    assert store.fetched == [ITEMS[2].digest]
    assert sorted(archived(path)) == sorted(item.digest for item in ITEMS[:5])


async def test_an_item_that_was_not_expected_is_archived_alone(path):
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, Store(), "web", ITEMS[:2], LISTED) as batch,
    ):
        batch.start(ITEMS[5])
        assert await batch.keep(ITEMS[5]) is None
        assert archived(path) == [ITEMS[5].digest]
    assert archived(path) == []


async def test_an_item_whose_document_cannot_be_read_is_kept(path):
    store = Store(to_fetch=ITEMS[:1])
    del store.known[ITEMS[0].digest]
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, store, "web", ITEMS[:2], LISTED) as batch,
    ):
        batch.start(ITEMS[0])
        verdict = await batch.keep(ITEMS[0])
        assert verdict.kind == "cannot_tell"
        assert "cannot be archived: unreadable" in verdict.why
        assert await batch.keep(ITEMS[1]) is None


@pytest.mark.parametrize("status", ["failed", "not_attempted"])
async def test_what_was_not_deleted_is_withdrawn(path, status):
    await run(path, ITEMS[:3], Store(), ["deleted", status, "unknown"])
    assert archived(path) == [ITEMS[0].digest, ITEMS[2].digest]


async def test_what_is_not_deleted_is_withdrawn_with_the_tags_that_were_listed(path):
    item = evolve(ITEMS[0], tags=("v0", "gone"))
    await run(path, [item, ITEMS[1]], Store(), ["not_attempted", "deleted"])
    assert archived(path) == [ITEMS[1].digest]


async def test_what_was_given_up_while_its_group_was_written_is_archived_anew(path):
    first, second = ITEMS[:2]
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, Store(), "web", ITEMS[:2], LISTED) as batch,
    ):
        batch.start(first)
        while second.name not in batch._archived:
            await asyncio.sleep(0)
        batch.settle(second, outcome(second, "not_attempted", 0))
        for item in (first, second):
            assert await batch.keep(item) is None
            batch.settle(item, outcome(item))
    assert sorted(archived(path)) == sorted([first.digest, second.digest])


@pytest.mark.parametrize("attempts", [1, 2])
async def test_what_a_delete_that_met_a_404_may_have_deleted_stays(path, attempts):
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, Store(), "web", ITEMS[:1], LISTED) as batch,
    ):
        batch.start(ITEMS[0])
        await batch.keep(ITEMS[0])
        batch.settle(ITEMS[0], outcome(ITEMS[0], "absent", attempts))
    assert archived(path) == [ITEMS[0].digest]


async def test_what_was_never_begun_is_withdrawn(path):
    await run(path, ITEMS[:5], Store(), ["deleted", "deleted", None])
    assert archived(path) == [item.digest for item in ITEMS[:2]]


async def test_what_an_earlier_run_deleted_is_not_withdrawn_by_a_later_one(path):
    await run(path, ITEMS[:1], Store(), ["deleted"])
    await run(path, ITEMS[:1], Store(), ["failed"])
    assert archived(path) == [ITEMS[0].digest]


async def test_after_an_error_nothing_is_withdrawn(path):
    async def break_off():
        async with (
            Archive(path, "example") as archive,
            BatchArchive(archive, Store(), "web", ITEMS[:3], LISTED) as batch,
        ):
            batch.start(ITEMS[0])
            await batch.keep(ITEMS[0])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await break_off()
    assert archived(path) == [item.digest for item in ITEMS[:3]]


async def test_one_that_is_stopped_while_it_waits_stops_no_other(path):
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, Store(), "web", ITEMS[:3], LISTED) as batch,
    ):
        for item in ITEMS[:2]:
            batch.start(item)
        first, second = (asyncio.ensure_future(batch.keep(item)) for item in ITEMS[:2])
        await asyncio.sleep(0)
        first.cancel()
        assert await second is None
        assert ITEMS[1].digest in archived(path)


@pytest.mark.timeout(20)
async def test_a_group_that_was_stopped_before_it_began_is_waited_for_by_nobody(path):
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, Store(), "web", ITEMS[:3], LISTED) as batch,
    ):
        batch.start(ITEMS[0])
        batch._groups[0][0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch.keep(ITEMS[0])
    assert archived(path) == []


async def test_all_of_a_group_that_cannot_be_written_are_told(path, monkeypatch):
    async with Archive(path, "example") as archive:
        with monkeypatch.context() as patched:

            def full(descriptor):
                raise OSError(28, "No space left on device")

            patched.setattr(os, "fsync", full)
            async with BatchArchive(archive, Store(), "web", ITEMS[:3], LISTED) as batch:
                for item in ITEMS[:2]:
                    batch.start(item)
                    with pytest.raises(ArchiveError, match="No space left"):
                        await batch.keep(item)
                    batch.settle(item, outcome(item, "not_attempted", attempts=0))
    assert archived(path) == []


@pytest.mark.parametrize("to_fetch", [(), ITEMS[:1]])
@pytest.mark.parametrize(
    ("found", "tags"),
    [({}, set()), ({"v0": ITEMS[0].digest}, {"v0"}), ({"v0": ITEMS[1].digest}, set())],
    ids=["gone", "there all the same", "moved"],
)
async def test_a_tag_that_is_not_listed_any_more_is_archived_if_the_registry_has_it(
    path, to_fetch, found, tags
):
    store = Store(to_fetch)
    store.tags = found
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, store, "web", ITEMS[:1], {}) as batch,
    ):
        batch.start(ITEMS[0])
        assert await batch.keep(ITEMS[0]) is None
        batch.settle(ITEMS[0], outcome(ITEMS[0]))
    found = list(read_archive(path))
    assert found[0].document == DOCUMENTS[0]
    assert {tag for one in found for tag in one.tags} == tags


async def test_what_is_gone_after_it_was_sent_stays_in_the_archive(path):
    store = Store()
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, store, "web", ITEMS[:2], LISTED) as batch,
    ):
        for item, attempts in zip(ITEMS, (0, 1), strict=False):
            batch.start(item)
            await batch.keep(item)
            gone = Outcome(0, item.name, "absent", None, attempts, verdict=Verdict("gone"))
            batch.settle(item, gone)
    assert archived(path) == [ITEMS[1].digest]


@pytest.mark.timeout(20)
async def test_a_check_that_was_broken_off_lets_no_delete_leave_before_its_document(
    path, monkeypatch
):
    item = ITEMS[0]
    async with (
        Archive(path, "example") as archive,
        BatchArchive(archive, Store(to_fetch=[item]), "web", [item], LISTED) as batch,
    ):
        flush, stalled = archive.lines.flush, asyncio.Event()

        async def stall():
            stalled.set()
            await asyncio.Event().wait()

        batch.start(item)
        await asyncio.gather(*(writing for writing, _ in batch._groups))
        monkeypatch.setattr(archive.lines, "flush", stall)
        check = asyncio.create_task(batch.keep(item))
        await stalled.wait()
        check.cancel()
        await asyncio.wait([check])
        monkeypatch.setattr(archive.lines, "flush", flush)
        assert await batch.keep(item) is None
        assert archived(path) == [item.digest]
        batch.settle(item, outcome(item))
