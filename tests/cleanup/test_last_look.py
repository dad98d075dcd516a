"""The last look at an item, right before its DELETE."""

import pytest

from aioregistry import ClientClosedError, ServerError
from aioregistry.cleanup.apply.last_look import LastLook
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.session.exchange import Verdict
from tests.cleanup.registries import digest_of

OLD, NEW = digest_of("old"), digest_of("new")


class Watch:
    is_served = True
    is_current = True

    def __init__(self):
        self.needed: dict[str, str] = {}
        self.refreshed = 0

    async def refresh(self):
        self.refreshed += 1


class Registry:
    """Where references point; an error is raised."""

    def __init__(self, **points):
        self.points = points
        self.asked: list[str] = []

    async def current_digest(self, repository, reference):
        assert repository == "web"
        self.asked.append(reference)
        found = self.points.get(reference)
        if isinstance(found, Exception):
            raise found
        return found


def manifest(*tags):
    return Condemned(delete="manifest", digest=OLD, tags=tags)


def tag(name):
    return Condemned(delete="tag", digest=OLD, tags=(name,))


@pytest.fixture
def watch():
    return Watch()


def look_at(registry, watch, now=1000.0, listed_at=1000.0, listed_for=1.0):
    return LastLook(registry, "web", watch, listed_at, listed_for, lambda: now)


async def test_what_is_as_it_was_may_go_after_the_tags_were_listed(watch):
    look = look_at(Registry(a=OLD, b=OLD), watch)
    assert await look.verdict(manifest("a", "b")) is None
    assert await look.verdict(tag("a")) is None
    assert watch.refreshed == 2
    assert look.late == look.vanished == set()
    assert look.gone_tags == {}


async def test_an_untagged_manifest_need_not_be_asked_for(watch):
    registry = Registry()
    assert await look_at(registry, watch).verdict(manifest()) is None
    assert registry.asked == []


async def test_what_a_new_tag_needs_stays_with_the_reason(watch):
    watch.needed[OLD] = "part of an image that is new"
    look = look_at(Registry(a=OLD), watch)
    assert await look.verdict(manifest("a")) == Verdict("drifted", "part of an image that is new")
    # Its condemned tag goes all the same.
    assert await look.verdict(tag("a")) is None


async def test_a_tag_that_moved_is_told_with_where(watch):
    look = look_at(Registry(a=OLD, b=NEW), watch)
    moved = Verdict("drifted", f"the tag b moved to {NEW}")
    assert await look.verdict(manifest("a", "b")) == moved
    assert await look.verdict(tag("b")) == moved
    assert look.vanished == set()


@pytest.mark.parametrize(("points", "gone"), [({}, ["a", "b"]), ({"a": OLD}, ["b"])])
async def test_a_manifest_that_lost_a_tag_goes_while_it_exists(watch, points, gone):
    there = Registry(**points, **{OLD: OLD})
    look = look_at(there, watch)
    assert await look.verdict(manifest("a", "b")) is None
    assert there.asked == ["a", "b", OLD]
    # They are not archived: an undo would set again what somebody else has deleted.
    assert look.gone_tags == {manifest("a", "b"): gone}
    look = look_at(Registry(**points), watch)
    assert await look.verdict(manifest("a", "b")) == Verdict("gone")
    assert look.vanished == {manifest("a", "b")}


async def test_a_tag_that_is_not_found_is_gone_whatever_its_manifest(watch):
    look = look_at(Registry(**{OLD: OLD}), watch)
    assert await look.verdict(tag("a")) == Verdict("gone")
    assert look.vanished == {tag("a")}


@pytest.mark.parametrize(
    ("age", "listed_for", "is_served", "is_late"),
    [
        (120.0, 1.0, True, False),
        (120.5, 1.0, True, True),
        (30.0, 1.0, False, False),
        (30.5, 1.0, False, True),
        (200.0, 20.0, True, False),
        (200.5, 20.0, True, True),
        (40.0, 4.0, False, False),
        (40.5, 4.0, False, True),
    ],
)
async def test_lists_grow_old_by_time_and_by_what_they_took(
    watch, age, listed_for, is_served, is_late
):
    watch.is_served = is_served
    registry = Registry(a=OLD)
    look = look_at(registry, watch, 1000.0 + age, 1000.0, listed_for)
    verdict = await look.verdict(tag("a"))
    expected = Verdict("cannot_tell", "the lists are out of date") if is_late else None
    assert verdict == expected
    assert look.late == ({tag("a")} if is_late else set())
    assert registry.asked == ([] if is_late else ["a"])


async def test_lists_that_turn_out_to_be_too_old_while_the_tags_are_listed_are_read_again(watch):
    refresh = watch.refresh

    async def is_not_served():
        await refresh()
        watch.is_served = False

    watch.refresh = is_not_served
    look = look_at(Registry(a=OLD), watch, listed_at=960.0)
    assert await look.verdict(tag("a")) == Verdict("cannot_tell", "the lists are out of date")
    assert look.late == {tag("a")}


@pytest.mark.parametrize(
    ("looked_at", "listed_at", "is_current", "holds"),
    [
        (970.0, 880.0, True, True),
        (969.5, 1000.0, True, False),
        (1000.0, 879.5, True, False),
        (1000.0, 1000.0, False, False),
    ],
)
async def test_a_look_holds_as_long_as_all_that_it_rests_on(
    watch, looked_at, listed_at, is_current, holds
):
    watch.is_current = is_current
    assert look_at(Registry(), watch, listed_at=listed_at).holds(tag("a"), looked_at) is holds


async def test_a_look_does_not_hold_once_a_new_tag_needs_the_manifest(watch):
    look = look_at(Registry(), watch)
    assert look.holds(manifest("a"), 1000.0)
    watch.needed[OLD] = "part of an index that is new"
    assert not look.holds(manifest("a"), 1000.0)
    # Its manifest stays.
    assert look.holds(tag("a"), 1000.0)


async def test_after_ten_failures_in_a_row_nothing_more_is_asked(watch):
    registry = Registry(a=ServerError("away"), b=OLD)
    look = look_at(registry, watch)
    failed = Verdict("cannot_tell", "the registry cannot be asked: away")
    for _ in range(9):
        assert await look.verdict(tag("a")) == failed
    assert await look.verdict(tag("b")) is None
    for _ in range(10):
        assert await look.verdict(tag("a")) == failed
    asked = len(registry.asked)
    assert await look.verdict(tag("b")) == failed
    assert len(registry.asked) == asked == 20


async def test_a_closed_client_ends_it(watch):
    registry = Registry(a=ClientClosedError("closed"))
    look = look_at(registry, watch)
    for _ in range(12):
        with pytest.raises(ClientClosedError):
            await look.verdict(tag("a"))
