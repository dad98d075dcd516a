"""The check of an item right before its DELETE: again where the look at it is out of date."""

from types import SimpleNamespace

import pytest

from aioregistry.cleanup.apply.checks import Batch, Checks
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.session.exchange import Verdict
from tests.cleanup.registries import digest_of

ITEM = Condemned(delete="tag", digest=digest_of("a"), tags=("a",))
TOO_LONG = Verdict("cannot_tell", "looking at it, or writing it down, takes too long")


class Look:
    """Looks each of which holds or not."""

    def __init__(self, *holds):
        self._holds = list(holds)
        self.asked = 0
        self.moved: Verdict | None = None
        self.gone_tags = {}

    async def verdict(self, item):
        self.asked += 1
        return self.moved if self.asked > 1 else None

    def holds(self, item, begun_at):
        assert (item, begun_at) == (ITEM, 1.0)
        return self._holds.pop(0)


class Journal:
    def __init__(self):
        self.begun = 0

    async def begin(self, repository, item):
        self.begun += 1


def clock():
    return 1.0


clock.awake = lambda: 0.0


@pytest.fixture
def checks():
    running = SimpleNamespace(is_due=False)
    job = SimpleNamespace(journal=Journal(), clock=clock, running=running, time_is_up=lambda: None)
    return Checks(job, "web")


@pytest.mark.parametrize("holds", [[True], [False, True], [False, False, True]])
async def test_an_item_is_looked_at_until_a_look_holds_and_noted_once(checks, holds):
    look = Look(*holds)
    assert await checks.check(ITEM, Batch(None, look)) is None
    assert look.asked == len(holds)
    assert checks._job.journal.begun == 1


async def test_what_a_further_look_shows_counts(checks):
    look = Look(False)
    look.moved = Verdict("drifted", "the tag a moved")
    assert await checks.check(ITEM, Batch(None, look)) == look.moved


async def test_an_item_that_takes_too_long_each_time_stays(checks):
    look = Look(*[False] * 3)
    assert await checks.check(ITEM, Batch(None, look)) == TOO_LONG
    assert look.asked == 3


async def test_fresh_lists_do_not_begin_the_count_anew(checks):
    """Else lists that cost quota would be read without end."""
    for last in (None, None, TOO_LONG):
        look = Look(False)
        look.moved = Verdict("cannot_tell", "the lists are out of date")
        assert await checks.check(ITEM, Batch(None, look)) == (last or look.moved)


async def test_after_the_deadline_nothing_is_looked_at(checks):
    look = Look()
    checks._job.time_is_up = lambda: "the deadline has passed"
    verdict = await checks.check(ITEM, Batch(None, look))
    assert verdict == Verdict("cannot_tell", "the deadline has passed")
    assert look.asked == checks._job.journal.begun == 0


async def test_what_runs_is_asked_again_where_that_is_due_by_then(checks):
    batch = Batch(None, Look(True))
    begin = checks._job.journal.begin

    async def slowly(*given):
        await begin(*given)
        checks._job.running.is_due = True

    checks._job.journal.begin = slowly
    verdict = await checks.check(ITEM, batch)
    assert verdict == Verdict("cannot_tell", "what is in use is to be asked again")
    assert batch.paused == {ITEM}


async def test_what_the_look_does_not_find_any_more_is_not_archived(checks):
    class Archive:
        def __init__(self):
            self.asked = []

        def start(self, item):
            self.asked.append(item)

        async def keep(self, item, gone_tags):
            self.asked.append((item, gone_tags))

    look, archive = Look(True), Archive()
    look.gone_tags[ITEM] = ["a"]
    assert await checks.check(ITEM, Batch(None, look, archive)) is None
    assert archive.asked == [ITEM, (ITEM, ["a"])]
