"""The tags that are set while a repository is cleaned are known as they are now."""

import asyncio

import pytest

from aioregistry import RegistryError
from aioregistry.cleanup.apply.last_look import LastLook
from aioregistry.cleanup.apply.watch import MAX_TAGS_AGE, TagWatch
from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.session.exchange import Verdict
from aioregistry.testing.virtual_time import run_virtual
from tests.cleanup.registries import digest_of

SLOW = 4.0


class Busy:
    """A registry that takes its time, and in which a tag is set at each of some looks."""

    def __init__(self, tags: int, meanwhile: int) -> None:
        self.tags = {f"new{number}": digest_of(f"{number}") for number in range(tags)}
        self._meanwhile = meanwhile

    async def list_tags(self, repository: str) -> list[str]:
        await asyncio.sleep(SLOW)
        return list(self.tags)

    async def current_digest(self, repository: str, reference: str) -> str | None:
        await asyncio.sleep(SLOW)
        if self._meanwhile:
            self._meanwhile -= 1
            self.tags[f"late{self._meanwhile}"] = digest_of(f"late{self._meanwhile}")
        return self.tags.get(reference)

    async def read(self, repository: str, digests: list[str]) -> dict[str, Content]:
        await asyncio.sleep(SLOW)
        return {digest: Content("", 0) for digest in digests}


async def refreshed(registry: Busy) -> TagWatch:
    watch = TagWatch(registry, "web", {}, {}, asyncio.get_running_loop().time)
    await watch.refresh()
    return watch


def test_tags_that_are_set_while_many_new_ones_are_read_are_known_as_well():
    registry = Busy(tags=60, meanwhile=1)
    watch = run_virtual(refreshed(registry))
    assert watch.new.keys() == registry.tags.keys()


def test_a_list_that_is_never_young_enough_is_no_look():
    async def refresh() -> None:
        with pytest.raises(RegistryError, match="faster"):
            await refreshed(Busy(tags=1000, meanwhile=1000))

    run_virtual(refresh())


class Stale:
    """A registry whose list keeps the tags that were deleted."""

    async def list_tags(self, repository: str) -> list[str]:
        return [f"old{number}" for number in range(5000)]

    async def current_digest(self, repository: str, reference: str) -> str | None:
        await asyncio.sleep(0.2)
        return None


def test_a_list_that_keeps_what_was_deleted_is_no_use_and_the_lists_of_the_api_have_to_do():
    watch = run_virtual(refreshed(Stale()))
    assert not watch.is_served
    assert not watch.new


def test_what_is_looked_at_when_the_list_proves_useless_waits_for_young_lists():
    async def look() -> tuple[Verdict | None, bool]:
        clock = asyncio.get_running_loop().time
        watch = TagWatch(Stale(), "web", {}, {}, clock)
        item = Condemned(delete="manifest", digest=digest_of("1"))
        look = LastLook(Stale(), "web", watch, clock(), 1.0, clock)
        return await look.verdict(item), item in look.late

    verdict, is_late = run_virtual(look())
    assert verdict is not None
    assert verdict.kind == "cannot_tell"
    assert is_late


def test_what_new_tags_need_is_read_at_once():
    async def took() -> float:
        await refreshed(Busy(tags=16, meanwhile=0))
        return asyncio.get_running_loop().time()

    assert run_virtual(took()) == pytest.approx(3 * SLOW)
    assert 3 * SLOW < MAX_TAGS_AGE


class Quick:
    """A registry with an index in an index, which answers at once."""

    def __init__(self) -> None:
        self.contents = {
            digest_of("outer"): Content("", 0, (digest_of("inner"), digest_of("amd"))),
            digest_of("inner"): Content("", 0, (digest_of("amd"), digest_of("outer"))),
        }
        self.tags: dict[str, str] = {"old": digest_of("old"), "gone": ""}
        self.asked: list[str] = []

    async def list_tags(self, repository: str) -> list[str]:
        return list(self.tags)

    async def current_digest(self, repository: str, reference: str) -> str | None:
        self.asked.append(reference)
        return self.tags[reference] or None

    async def read(self, repository: str, digests: list[str]) -> dict[str, Content]:
        return {one: self.contents.get(one, Content("", 0)) for one in digests}


async def test_all_that_a_new_index_needs_is_known_with_the_reason():
    registry = Quick()
    watch = TagWatch(registry, "web", {"old": digest_of("old")}, {}, lambda: 0.0)
    registry.tags["new"] = digest_of("outer")
    await watch.refresh()
    part = f"part of {digest_of('outer')[:19]} (new), which is new"
    assert watch.needed == {
        digest_of("outer"): "the tag new was set on it",
        digest_of("inner"): part,
        digest_of("amd"): part,
    }
    assert watch.new == {"new": frozenset(watch.needed)}
    assert registry.asked == ["gone", "new"]


async def test_what_the_first_new_tag_needs_keeps_its_reason():
    registry = Quick()
    watch = TagWatch(registry, "web", {}, {}, lambda: 0.0)
    registry.tags = {"a": digest_of("amd"), "b": digest_of("outer")}
    await watch.refresh()
    assert watch.needed[digest_of("amd")] == "the tag a was set on it"
    assert watch.new["b"] == frozenset(map(digest_of, ("outer", "inner", "amd")))


async def test_a_watched_tag_that_moves_is_seen_by_the_next_list():
    registry = Quick()
    now = [0.0]
    watch = TagWatch(registry, "web", {"old": digest_of("old")}, {}, lambda: now[0])
    watch.know({"old": digest_of("old")}, ["old"])
    await watch.refresh()
    registry.tags["old"] = digest_of("amd")
    now[0] = 0.5
    await watch.refresh()
    assert watch.needed == {}
    now[0] = 1.0
    await watch.refresh()
    assert watch.needed == {digest_of("amd"): "the tag old was set on it"}


async def test_a_tag_that_is_deleted_while_it_is_looked_at_is_no_new_one():
    class Looked(Quick):
        async def current_digest(self, repository: str, reference: str) -> str | None:
            found = await super().current_digest(repository, reference)
            if reference == "old":
                # Its DELETE is answered before the other looks are.
                watch.forget(["old"])
            return found

    registry, now = Looked(), [0.0]
    registry.tags = {"old": digest_of("outer")}
    watch = TagWatch(registry, "web", registry.tags, {}, lambda: now[0])
    watch.know(registry.tags, ["old"])
    await watch.refresh()
    now[0] = 1.0
    await watch.refresh()
    assert registry.asked == ["old"]
    assert watch.needed == {}
    now[0] = 2.0
    registry.tags["old"] = digest_of("outer")
    await watch.refresh()
    assert watch.new.keys() == {"old"}


def test_a_tag_that_is_set_again_after_its_delete_is_new_however_long_the_api_lists_it():
    registry = Busy(1, 0)
    known = digest_of("0")

    async def watched() -> TagWatch:
        watch = TagWatch(registry, "web", {}, {}, asyncio.get_running_loop().time)
        watch.know({"new0": known})
        watch.forget(["new0"])
        watch.know({"new0": known})
        await watch.refresh(at_once=True)
        return watch

    assert "new0" in run_virtual(watched()).new


def test_a_list_is_young_enough_to_delete_by_for_half_a_minute():
    now = 0.0

    class Quick:
        async def list_tags(self, repository):
            return []

    async def refresh() -> None:
        nonlocal now
        watch = TagWatch(Quick(), "web", {}, {}, lambda: now)
        await watch.refresh()
        now = MAX_TAGS_AGE
        assert watch.is_current
        now += 0.5
        assert not watch.is_current
        # What the API lists takes its place, and has an age of its own.
        watch.is_served = False
        assert watch.is_current

    asyncio.run(refresh())
