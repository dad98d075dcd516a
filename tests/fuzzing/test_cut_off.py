"""Files that were cut off at any byte, as by a machine that died, are never misread."""

import json

import pytest

from aioregistry.cleanup.plan.file import PlanFileError
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.journal import Journal, JournalError
from aioregistry.cleanup.records.store import FileStore
from tests.fuzzing.readers import READERS
from tests.fuzzing.readers.cleanup import ITEMS, JOURNAL, PLAN
from tests.fuzzing.readers.reader import file_of

pytestmark = pytest.mark.slow(0.3)


def past_of(document: bytes) -> list[str | None]:
    """What a journal says of each item of the plan when a next process takes it up."""
    with file_of(document) as path:
        journal = Journal(path, PLAN, resume=True)
        store = FileStore.at(path)
        store.close(store.open_now(journal.kind()))
    found = [journal.past(repository, item) for repository, item in ITEMS]
    return [past and past.state for past in found]


def told(document: bytes) -> list[str | None]:
    """What the whole lines of a journal say."""
    states = {}
    for line in document.split(b"\n")[1:-1]:
        said = json.loads(line)
        states[said["repository"], said["delete"], said["name"]] = said["state"]
    return [states.get((repository, item.delete, item.name)) for repository, item in ITEMS]


def test_a_journal_that_was_cut_off_goes_on_after_its_last_whole_line():
    for end in range(len(JOURNAL) + 1):
        assert past_of(JOURNAL[:end]) == told(JOURNAL[:end])


def test_a_journal_that_was_cut_off_can_be_written_on():
    head, *lines = JOURNAL.splitlines(keepends=True)
    for end in range(len(head), len(head) + len(lines[0])):
        with file_of(JOURNAL[:end]) as path:
            journal = Journal(path, PLAN, resume=True)
            store = FileStore.at(path)
            file = store.open_now(journal.kind())
            file.put([lines[1]])
            store.close(file)
            assert path.read_bytes() == head + lines[1]


def test_a_journal_whose_line_is_damaged_is_refused_and_left_as_it_is():
    line = JOURNAL.split(b"\n")[1]
    for at in range(len(line)):
        document = JOURNAL.replace(line, line[:at] + b"\0" + line[at + 1 :], 1)
        with file_of(document) as path:
            with pytest.raises(JournalError):
                FileStore.at(path).open_now(Journal(path, PLAN, resume=True).kind())
            assert path.read_bytes() == document


@pytest.mark.parametrize("resume", [True, False])
def test_a_file_that_is_no_journal_is_left_as_it_is(resume):
    for document in (b"a secret", b'{"format":"other"}', b"\0" * 80, JOURNAL[1:40]):
        with file_of(document) as path:
            with pytest.raises(JournalError):
                FileStore.at(path).open_now(Journal(path, PLAN, resume=resume).kind())
            assert path.read_bytes() == document


def test_a_plan_that_was_cut_off_is_refused():
    text = PLAN.to_json().encode()
    for end in range(len(text.rstrip())):
        with pytest.raises(PlanFileError):
            Plan.from_json(text[:end])


def test_a_plan_without_some_lines_deletes_no_more_than_before():
    lines = PLAN.to_json().splitlines()
    condemned = set(PLAN.condemned)
    for begin in range(len(lines)):
        for end in range(begin + 1, len(lines) + 1):
            try:
                plan = Plan.from_json("\n".join(lines[:begin] + lines[end:]))
            except PlanFileError:
                continue
            assert set(plan.condemned) <= condemned


def test_no_bit_turns_a_plan_into_one_that_could_not_have_been_made():
    text = PLAN.to_json().encode()
    for at in range(len(text)):
        damaged = text[:at] + bytes([text[at] ^ (1 << at % 8)]) + text[at + 1 :]
        READERS["plan"].understands(damaged)


def test_no_bit_turns_a_journal_into_one_of_anything_else():
    for at in range(len(JOURNAL)):
        damaged = JOURNAL[:at] + bytes([JOURNAL[at] ^ (1 << at % 8)]) + JOURNAL[at + 1 :]
        READERS["journal"].understands(damaged)
