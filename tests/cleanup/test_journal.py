"""Journals: on disk before anything is done, and of use whenever the process died."""

import asyncio
import json
import os
import re
import sys
from datetime import UTC, datetime, timedelta

import pytest

from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.journal import Journal, JournalError, Past, PlanLockedError

ITEM = Condemned(delete="tag", digest="sha256:" + "a" * 64, tags=("v1",))
OTHER = Condemned(delete="manifest", digest="sha256:" + "b" * 64)
PLAN = Plan(registry="example", made_at=datetime(2026, 6, 1, tzinfo=UTC))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "plan.json.journal"


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


async def test_what_is_begun_is_on_disk_before_it_is_done(path):
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEM)
        head, line = lines(path)
        assert head["plan"] == PLAN.id
        assert (line["repository"], line["delete"], line["name"]) == ("web", "tag", "v1")
        assert line["state"] == "begun"


async def test_it_is_synced(path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    async with Journal(path, PLAN, resume=False) as journal:
        before = len(synced)
        await journal.begin("web", ITEM)
        assert len(synced) == before + 1


async def test_what_is_begun_at_once_shares_writes(path, monkeypatch):
    synced = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(file), sync(file)))
    async with Journal(path, PLAN, resume=False) as journal:
        before = len(synced)
        items = [Condemned(delete="tag", digest=ITEM.digest, tags=(f"t{n}",)) for n in range(32)]
        await asyncio.gather(*[journal.begin("web", item) for item in items])
        # The first, and then all that came meanwhile.
        assert len(synced) - before == 2
    assert len(lines(path)) == 33


async def test_what_became_of_it_is_read_by_the_next_process(path):
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEM)
        await journal.begin("web", OTHER)
        journal.record("web", ITEM, "failed", "no")
    async with Journal(path, PLAN, resume=True) as journal:
        assert journal.past("web", ITEM) == Past("failed", "no")
        assert journal.past("web", OTHER) == Past("begun", was_sent=True)
        assert journal.past("api", ITEM) is None


async def test_a_line_that_was_cut_off_is_dropped(path):
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEM)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"at": "20')
    async with Journal(path, PLAN, resume=True) as journal:
        assert journal.past("web", ITEM) == Past("begun", was_sent=True)
        await journal.begin("web", OTHER)
    assert [line["name"] for line in lines(path)[1:]] == ["v1", OTHER.digest]


async def test_a_journal_cut_off_anywhere_can_be_resumed(path):
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEM)
        journal.record("web", ITEM, "deleted", "")
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        async with Journal(path, PLAN, resume=True) as journal:
            past = journal.past("web", ITEM)
        assert past in {None, Past("begun", was_sent=True), Past("deleted")}
        assert path.read_bytes().endswith(b"\n")


async def test_a_plan_that_was_begun_is_not_begun_again(path):
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEM)
    with pytest.raises(JournalError, match="was begun before; resume it"):
        await Journal(path, PLAN, resume=False).__aenter__()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{}\n", "not a journal"),
        (b"\xff\n", "not a journal"),
        (b'{"format": "other", "version": 1, "plan": "x"}\n', "not a journal that"),
        (
            b'{"format": "aioregistry cleanup journal", "version": 9, "plan": "x"}\n',
            "a newer version of this program wrote this journal",
        ),
        (b'{"format": "aioregistry cleanup journal", "version": 1, "plan": "x"}\n', "another plan"),
    ],
)
async def test_the_journal_of_something_else_is_refused(path, text, problem):
    path.write_bytes(text)
    with pytest.raises(JournalError, match=problem):
        await Journal(path, PLAN, resume=True).__aenter__()
    assert path.read_bytes() == text


async def test_a_line_in_the_middle_that_makes_no_sense_is_refused(path):
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEM)
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"nonsense\n" + second)
    with pytest.raises(JournalError, match="line 2: "):
        await Journal(path, PLAN, resume=True).__aenter__()
    # And the lock is free again.
    path.write_bytes(first + second)
    async with Journal(path, PLAN, resume=True):
        pass


async def test_two_processes_are_kept_apart(path):
    async with Journal(path, PLAN, resume=False):
        script = (
            "import asyncio, sys; from pathlib import Path\n"
            "from aioregistry.cleanup.records.journal import Journal, PlanLockedError\n"
            "from tests.cleanup.test_journal import PLAN\n"
            "async def main():\n"
            "    async with Journal(Path(sys.argv[1]), PLAN, resume=True): pass\n"
            "try: asyncio.run(main())\n"
            "except PlanLockedError: sys.exit(7)\n"
        )
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(path))
        assert await process.wait() == 7


async def test_two_in_one_process_are_kept_apart_and_the_lock_comes_back(path):
    async with Journal(path, PLAN, resume=False):
        with pytest.raises(PlanLockedError, match="another process"):
            await Journal(path, PLAN, resume=True).__aenter__()
    async with Journal(path, PLAN, resume=True):
        pass


async def test_a_folder_that_is_not_there_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be"):
        await Journal(tmp_path / "file" / "x", PLAN, resume=False).__aenter__()


async def test_a_journal_that_is_a_folder_is_an_error_of_ours(path):
    path.mkdir()
    with pytest.raises(JournalError, match="cannot be opened"):
        await Journal(path, PLAN, resume=False).__aenter__()


async def test_a_full_disk_keeps_what_could_not_be_written_down(path, monkeypatch):
    async with Journal(path, PLAN, resume=False) as journal:

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(JournalError, match="No space left"):
                await journal.begin("web", ITEM)


async def test_being_cancelled_while_writing_loses_nothing(path):
    async with Journal(path, PLAN, resume=False) as journal:
        beginning = asyncio.ensure_future(journal.begin("web", ITEM))
        await asyncio.sleep(0)
        beginning.cancel()
        await asyncio.wait([beginning])
    assert len(lines(path)) == 2


async def test_without_filelock_it_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(ModuleNotFoundError, match=r"aioregistry-do\[cleanup\]"):
        Journal(path, PLAN, resume=False)


async def test_a_line_says_when_it_was_written(path):
    before = datetime.now(UTC)
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEM)
        at = lines(path)[1]["at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)
    assert abs(datetime.fromisoformat(at) - before) < timedelta(minutes=1)


async def test_what_is_settled_is_written_at_the_end(path):
    async with Journal(path, PLAN, resume=False) as journal:
        journal.record("web", ITEM, "drift", "it moved")
        journal.record("api", OTHER, "deleted", "")
        assert len(lines(path)) == 1
    _, first, second = lines(path)
    assert {key: value for key, value in first.items() if key != "at"} == {
        "repository": "web",
        "delete": "tag",
        "name": "v1",
        "state": "drift",
        "reason": "it moved",
    }
    assert {key: value for key, value in second.items() if key != "at"} == {
        "repository": "api",
        "delete": "manifest",
        "name": OTHER.digest,
        "state": "deleted",
    }


async def test_the_first_line_says_of_which_plan_it_is(path):
    async with Journal(path, PLAN, resume=False):
        pass
    assert lines(path) == [{"format": "aioregistry cleanup journal", "version": 1, "plan": PLAN.id}]


async def test_a_journal_is_for_its_owner_alone(path):
    async with Journal(path, PLAN, resume=False):
        pass
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


async def test_what_is_there_is_added_to(path):
    async with Journal(path, PLAN, resume=True) as journal:
        await journal.begin("web", ITEM)
    before = path.read_bytes()
    async with Journal(path, PLAN, resume=True) as journal:
        await journal.begin("web", OTHER)
    assert path.read_bytes().startswith(before)
    assert len(lines(path)) == 3


async def refusal(path, *, resume: bool) -> str:
    with pytest.raises(JournalError) as caught:
        await Journal(path, PLAN, resume=resume).__aenter__()
    return caught.value.message


HEAD = {"format": "aioregistry cleanup journal", "version": 1, "plan": PLAN.id}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"something", "not a journal of a clean-up"),
        (b"something\n", "not a journal of a clean-up"),
        (b"\xff\n", "not a journal of a clean-up"),
        (b"[" * 100_000 + b"\n", "not a journal of a clean-up"),
        (
            json.dumps(HEAD | {"format": "x"}).encode() + b"\n",
            "not a journal that this program reads",
        ),
        (
            json.dumps(HEAD | {"version": 0}).encode() + b"\n",
            "not a journal that this program reads",
        ),
        (
            json.dumps(HEAD | {"version": 2}).encode() + b"\n",
            (
                "a newer version of this program wrote this journal (its format is 2, and this one"
                " reads 1): resume the plan with that"
            ),
        ),
        (
            json.dumps(HEAD | {"plan": "x"}).encode() + b"\n",
            "the journal of another plan, or the plan was changed since",
        ),
    ],
)
async def test_why_a_journal_is_refused_is_told_with_its_name(path, text, problem):
    path.write_bytes(text)
    assert await refusal(path, resume=True) == f"{path}: {problem}"


async def test_what_to_do_with_a_plan_that_was_begun_is_told(path):
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEM)
    assert await refusal(path, resume=False) == (
        f"{path}: this plan was begun before; resume it (--resume, or resume=True), or make a new "
        "plan"
    )


async def test_that_another_process_has_it_is_told(path):
    async with Journal(path, PLAN, resume=False):
        assert await refusal(path, resume=True) == (
            f"{path}: another process is carrying out this plan; wait for its end"
        )


@pytest.mark.parametrize("text", [b"nonsense", b"\xff", b"[" * 100_000, b"{}"])
async def test_which_line_makes_no_sense_is_told(path, text):
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEM)
    path.write_bytes(path.read_bytes() + text + b"\n")
    assert (await refusal(path, resume=True)).startswith(f"{path}, line 3: ")


async def test_a_folder_that_is_not_there_is_told(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "x"
    assert (await refusal(path, resume=False)).startswith(f"{path}: cannot be locked: ")


async def test_that_it_cannot_be_opened_is_told_and_the_lock_comes_back(path):
    path.mkdir()
    assert (await refusal(path, resume=False)).startswith(f"{path}: cannot be opened: ")
    path.rmdir()
    async with Journal(path, PLAN, resume=False):
        pass


async def test_that_it_cannot_be_written_is_told(path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    async with Journal(path, PLAN, resume=False) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(JournalError) as caught:
                await journal.begin("web", ITEM)
    told = f"{path}: cannot be written: No space left on device"
    assert caught.value.message == told


async def test_what_to_install_is_told(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        Journal(path, PLAN, resume=False)
    assert str(caught.value) == "a journal needs filelock: pip install 'aioregistry-do[cleanup]'"


async def test_the_lock_is_a_file_beside_it(path):
    async with Journal(path, PLAN, resume=False):
        assert {one.name for one in path.parent.iterdir()} == {path.name, f"{path.name}.lock"}


async def test_a_journal_in_which_nothing_was_begun_is_begun_again(path):
    async with Journal(path, PLAN, resume=False):
        pass
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEM)
    assert [line.get("name") for line in lines(path)] == [None, "v1"]


async def test_a_tag_that_no_longer_exists_is_in_a_line_that_builds_before_it_read(path):
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.record_lost_tag("web", "keep")
    line = lines(path)[1]
    assert line["state"] in {"begun", "checked", "deleted", "absent", "drift", "failed", "unknown"}
    assert (line["delete"], line["name"]) == ("", "keep")
    async with Journal(path, PLAN, resume=True) as journal:
        assert journal.lost_tags("web") == {"keep"}
        assert journal.is_unchecked("web")
        journal.record_checked("web")
    async with Journal(path, PLAN, resume=True) as journal:
        assert journal.lost_tags("web") == set()


@pytest.mark.parametrize(
    ("states", "was_sent"),
    [
        ([], False),
        (["begun"], True),
        (["begun", "unknown"], True),
        (["begun", "absent"], True),
        (["begun", "absent", "absent"], True),
        (["absent"], False),
        (["begun", "not_attempted"], False),
        (["begun", "not_attempted", "absent"], False),
        (["begun", "failed"], False),
    ],
)
async def test_a_delete_that_was_answered_as_if_there_were_nothing_was_sent(path, states, was_sent):
    async with Journal(path, PLAN, resume=False) as journal:
        for state in states:
            journal.record("web", ITEM, state, "")
    async with Journal(path, PLAN, resume=True) as journal:
        assert journal.was_sent("web", ITEM) is was_sent
