"""Undo that is interrupted, repeated, or meets others: the same end, and nothing newer is lost."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from aioregistry.cleanup.records.archive_format import read_archive
from aioregistry.cleanup.records.journal import JournalError, PlanLockedError
from aioregistry.cleanup.undo.journal import UndoJournal
from aioregistry.cleanup.undo.undo import undo
from aioregistry.errors import (
    AuthenticationError,
    RateLimitedError,
    RegistryConnectionError,
    RegistryTimeoutError,
)
from tests.cleanup.test_archive import digest_of
from tests.cleanup.test_undo import IMAGE, Registry, image, index, keep


@pytest.fixture
def archive(tmp_path) -> Path:
    return tmp_path / "archive.gz"


@pytest.fixture
def journal(tmp_path) -> Path:
    return tmp_path / "journal"


async def no_wait(seconds: float) -> None:
    """Waits for nothing."""


async def keep_some(path: Path, count: int = 4) -> None:
    """Archives indexes with two children each, a nested one, and images, some with two tags."""
    items: list[tuple[bytes, tuple[str, ...]]] = []
    for number in range(count):
        one, two = image(f"one {number}"), image(f"two {number}")
        multi = index(one, two)
        nested = index(multi)
        items += [(nested, (f"n{number}",)), (multi, (f"v{number}", f"w{number}"))]
        items += [(one, ()), (two, (f"t{number}",))]
    await keep(path, *items)


def states(journal: Path) -> list[str]:
    return [json.loads(line).get("state", "") for line in journal.read_bytes().splitlines()[1:]]


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def leave(path: Path, text: bytes) -> None:
    path.write_bytes(text)


class Hanging(Registry):
    """A registry at which everything stops for good after some calls, as when a process dies."""

    def __init__(self, registry: Registry, calls: int) -> None:
        super().__init__()
        self.documents, self.tags, self.puts = registry.documents, registry.tags, registry.puts
        self.left = calls
        self.stopped = asyncio.Event()

    async def _call(self) -> None:
        self.left -= 1
        if self.left < 0:
            self.stopped.set()
            await asyncio.Event().wait()

    async def find_manifest(self, repository, reference):
        await self._call()
        return await super().find_manifest(repository, reference)

    async def put_manifest(self, *args, **more):
        await self._call()
        await super().put_manifest(*args, **more)
        # It may die before the answer is noted, too.
        await self._call()


async def kill_at(registry: Registry, archive: Path, journal: Path, calls: int) -> bool:
    """Undo until so many calls; return whether it was killed: the journal is as the disk had it."""
    hanging = Hanging(registry, calls)
    work = asyncio.ensure_future(undo(hanging, archive, journal=journal))
    stopped = asyncio.ensure_future(hanging.stopped.wait())
    await asyncio.wait([work, stopped], return_when=asyncio.FIRST_COMPLETED)
    if not stopped.done():
        stopped.cancel()
        await work
        return False
    on_disk = bytes_of(journal)
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    leave(journal, on_disk)
    return True


async def undone_in_one_go(archive: Path) -> Registry:
    registry = Registry()
    await undo(registry, archive)
    return registry


async def end_after_kills(archive: Path, journal: Path, seed: int) -> None:
    random = Random(seed)
    await keep_some(archive)
    registry = Registry()
    while await kill_at(registry, archive, journal, random.randrange(1, 40)):
        if random.random() < 0.3:
            # The machine, too: the last line may be cut off.
            text = bytes_of(journal)
            leave(journal, text[: len(text) - random.randrange(min(30, len(text)))])
    expected = await undone_in_one_go(archive)
    assert (registry.tags, registry.documents) == (expected.tags, expected.documents)
    again = await undo(registry, archive, journal=journal)
    assert again.is_complete
    assert not again.restored


@pytest.mark.parametrize("seed", range(5))
async def test_killed_at_random_it_comes_to_the_same_end(archive, journal, seed):
    await end_after_kills(archive, journal, seed)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(5, 100))
async def test_killed_a_hundred_times_it_comes_to_the_same_end(archive, journal, seed):
    await end_after_kills(archive, journal, seed)


async def test_what_an_interrupted_undo_restored_is_reported_so_and_not_asked_for_again(
    archive, journal
):
    await keep_some(archive)
    registry = Registry()
    # How much was written until then, the thread that writes decides.
    while not journal.exists() or "restored" not in states(journal):
        assert await kill_at(registry, archive, journal, 12)
    done = states(journal).count("restored")
    before = [name for name in registry.puts if name.startswith("sha256:")]
    # Somebody deletes it again: that is not undone.
    first = next(
        json.loads(line)["name"]
        for line in journal.read_bytes().splitlines()
        if b'"state":"restored"' in line
    )
    del registry.documents[first]
    report = await undo(registry, archive, journal=journal)
    assert first in before
    assert first not in registry.documents
    assert len(report.restored) >= done


async def test_after_its_end_the_next_looks_at_everything(archive, journal):
    await keep(archive, (image("x"), ("v1",)))
    registry = Registry()
    await undo(registry, archive, journal=journal)
    assert states(journal)[-1] == "ended"
    registry.tags.clear()
    report = await undo(registry, archive, journal=journal)
    assert [one.name for one in report.restored] == ["v1"]


async def test_what_was_deleted_once_more_comes_back_although_it_was_restored_before(
    archive, journal
):
    await keep(archive, (image("x"), ("v1",)))
    registry = Registry()
    await undo(registry, archive)
    async with UndoJournal(journal, "example") as opened:
        (one,) = read_archive(archive)
        for name in ("v1", one.digest):
            opened.record("web", name, one.digest, one.at, "restored", "")
    registry.tags.clear()
    registry.documents.clear()
    await keep(archive, (image("x"), ("v1",)))
    await undo(registry, archive, journal=journal)
    assert registry.tags == {"v1": digest_of(image("x"))}


async def test_each_put_is_in_the_journal_before_it_is_sent(archive, journal):
    await keep(archive, (image("x"), ("v1",)))
    seen = []

    class Watched(Registry):
        async def put_manifest(self, repository, reference, *args, **more):
            lines = map(json.loads, journal.read_bytes().splitlines()[1:])
            seen.append(any(line["name"] == reference for line in lines))
            await super().put_manifest(repository, reference, *args, **more)

    await undo(Watched(), archive, journal=journal)
    assert seen == [True, True]


async def test_one_that_is_refused_is_not_ended_and_continues(archive, journal):
    await keep(archive, (image("x"), ("v1",)))
    registry = Registry()
    registry.fails["v1"] = AuthenticationError("no", status=401)
    await undo(registry, archive, journal=journal)
    assert states(journal)[-1] != "ended"
    registry.fails.clear()
    report = await undo(registry, archive, journal=journal)
    assert len(report.restored) == 2


async def test_a_dry_run_writes_no_journal(archive, journal):
    await keep(archive, (image("x"), ("v1",)))
    await undo(Registry(), archive, journal=journal, dry_run=True)
    assert not journal.exists()


@pytest.mark.parametrize("text", [b"hello\n", b'{"format":"other"}\n'])
async def test_a_foreign_journal_is_refused_and_nothing_is_sent(archive, journal, text):
    await keep(archive, (image("x"), ("v1",)))
    journal.write_bytes(text)
    registry = Registry()
    with pytest.raises(JournalError, match="not the journal of an undo"):
        await undo(registry, archive, journal=journal)
    assert not registry.puts
    assert journal.read_bytes() == text


async def test_two_processes_do_not_undo_with_one_journal(archive, journal):
    await keep(archive, (image("x"), ("v1",)))
    async with UndoJournal(journal, "example"):
        with pytest.raises(PlanLockedError, match="another process"):
            await undo(Registry(), archive, journal=journal)


async def test_a_journal_that_cannot_be_written_ends_the_undo(archive, journal, monkeypatch):
    await keep_some(archive, 4)
    registry = Registry()

    async def full(*_):
        raise JournalError("journal: cannot be written: No space left on device")

    monkeypatch.setattr(UndoJournal, "begin", full)
    report = await undo(registry, archive, journal=journal)
    assert not registry.puts
    assert "No space left" in report.failed[0].reason


class Moving(Registry):
    """A registry at which a PUT may be carried out without an answer, and others set tags then."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.newer: dict[str, str] = {}

    def push(self, tag: str) -> None:
        document = image(f"newer {tag} {self.random.random()}")
        self.documents[digest_of(document)] = document, IMAGE
        self.tags[tag] = self.newer[tag] = digest_of(document)

    async def put_manifest(self, repository, reference, document, media_type, *, once=False):
        assert once
        lost = self.random.random()
        if lost < 0.2:
            # It never arrives, and meanwhile somebody else pushes.
            if lost < 0.1 and ":" not in reference:
                self.push(reference)
            raise RegistryConnectionError("reset")
        assert reference not in self.newer, "something newer is overwritten"
        # A registry takes one PUT after the other; what is under way nobody can take back.
        self.store(reference, document, media_type)
        if lost < 0.4:
            if ":" not in reference:
                self.push(reference)
            raise RegistryTimeoutError("no answer in time")


@pytest.mark.parametrize("seed", range(10))
async def test_nothing_newer_is_overwritten_by_two_that_undo_while_tags_move(archive, seed):
    await keep_some(archive)
    registry = Moving(Random(seed))
    reports = await asyncio.gather(*(undo(registry, archive, sleep=no_wait) for _ in range(2)))
    expected = await undone_in_one_go(archive)
    for tag, digest in registry.tags.items():
        assert digest == registry.newer.get(tag, expected.tags[tag])
    for report in reports:
        assert {one.name for one in report.moved} <= registry.newer.keys()


async def test_a_tag_whose_put_had_no_answer_is_restored_if_it_is_there(archive):
    await keep(archive, (image("x"), ("v1",)))

    class Silent(Registry):
        async def put_manifest(self, *args, **more):
            await super().put_manifest(*args, **more)
            raise RegistryTimeoutError("no answer in time")

    registry = Silent()
    report = await undo(registry, archive, sleep=no_wait)
    assert len(report.restored) == 2
    assert registry.puts == [digest_of(image("x")), "v1"]


async def test_a_dry_run_names_the_blobs_that_are_gone(archive):
    blob, other = digest_of(b"layer"), digest_of(b"other")
    bad = image("bad", layers=[{"digest": blob}, {"digest": other}])
    fine = image("fine", layers=[{"digest": other}])
    await keep(archive, (index(bad, fine), ("v1",)), (bad, ()), (fine, ("v2",)))
    registry = Registry()
    registry.gone.add(blob)
    report = await undo(registry, archive, dry_run=True)
    assert [(one.name, one.missing) for one in report.lost] == [
        (digest_of(bad), (blob,)),
        (digest_of(index(bad, fine)), (digest_of(bad),)),
    ]
    assert f"1 blob ({blob})" in report.lost[0].reason
    assert {one.name for one in report.restored} == {digest_of(fine), "v2"}
    assert [one.name for one in report.not_attempted] == ["v1"]
    assert not registry.puts


async def test_a_tag_whose_last_put_had_no_answer_is_restored_if_it_is_there(archive):
    await keep(archive, (image("x"), ("v1",)))
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    class Silent(Registry):
        async def put_manifest(self, repository, reference, *rest, **more):
            if ":" in reference or len(waits) == 3:
                await super().put_manifest(repository, reference, *rest, **more)
            if ":" not in reference:
                raise RegistryTimeoutError("no answer in time")

    registry = Silent()
    report = await undo(registry, archive, sleep=sleep)
    assert registry.puts == [digest_of(image("x")), "v1"]
    assert len(report.restored) == 2
    assert not report.failed


async def test_a_registry_that_asks_for_patience_is_given_it(archive):
    await keep(archive, (image("x"), ()))
    registry = Registry()
    error = RateLimitedError("slow down", status=429)
    registry.fails[digest_of(image("x"))] = error
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        error.retry_after = 1000.0
        if len(waits) == 3:
            registry.fails.clear()

    error.retry_after = 7.0
    assert (await undo(registry, archive, sleep=sleep)).is_complete
    assert waits == [7.0, 60.0, 60.0]


@pytest.mark.parametrize("other", [None, "newer"])
async def test_what_is_not_there_after_its_put_is_not_said_to_be_restored(archive, other):
    await keep(archive, (image("x"), ("v1",)))

    class Forgetful(Registry):
        def store(self, reference, document, media_type):
            super().store(reference, document, media_type)
            if reference == "v1":
                self.tags.pop("v1")
                if other is not None:
                    self.tags["v1"] = digest_of(image(other))

    report = await undo(Forgetful(), archive)
    assert [one.name for one in report.restored] == [digest_of(image("x"))]
    assert [one.name for one in report.failed] == ([] if other else ["v1"])
    assert [one.name for one in report.moved] == (["v1"] if other else [])


async def test_a_manifest_deleted_once_more_is_not_taken_for_restored(archive, journal):
    await keep(archive, (image("x"), ()))
    (one,) = read_archive(archive)
    await keep(archive, (image("x"), ()))
    async with UndoJournal(journal, "example") as opened:
        opened.record("web", one.digest, one.digest, one.at, "restored", "")
        # What an undo of no known time wrote is nothing that is known of this one.
        opened.record("web", one.digest, one.digest, None, "restored", "")
    registry = Registry()
    await undo(registry, archive, journal=journal)
    assert registry.documents.keys() == {one.digest}
