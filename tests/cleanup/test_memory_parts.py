"""What is remembered of a registry's lists, piece by piece."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from attrs import evolve

from aioregistry.api.decoding import RawPage
from aioregistry.api.models import Manifest, Repository
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest, ListedTag
from aioregistry.cleanup.memory.memory import ListMemory, RepositoryMemory
from aioregistry.cleanup.memory.recorder import ListRecorder
from aioregistry.cleanup.memory.state import RepositoryState
from aioregistry.cleanup.memory.times import with_remembered_times
from aioregistry.cleanup.plan.lists import RepositoryLists
from tests.cleanup.registries import ago, digest_of

A, B = digest_of("a"), digest_of("b")
LATEST = ListedManifest(A, ("v2",), ago(1))
OLDER = ListedManifest(B, ("v1",), ago(9))
INVENTORY = RepositoryInventory("web", (LATEST, OLDER))
STATE = RepositoryState(2, 2, A, ago(1), ("v2",))
TAG = ListedTag("v1", B, ago(9))
PAGE = RawPage((TAG,), 1, None, None)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(tmp_path, clock) -> Iterator[ListMemory]:
    with ListMemory(tmp_path / "lists", clock) as opened:
        opened.begin("example")
        yield opened


async def keep(memory: ListMemory, repository: str = "web", page=PAGE, state=STATE) -> None:
    await memory.keep(repository, "tags", 1, 200, str(state), page)
    await memory.flush()
    # The next run.
    memory.begin("example")


async def is_read(remembered: RepositoryMemory) -> bool:
    """Return whether the first page of tags is read, and not recalled."""
    count = 0

    async def read() -> RawPage:
        nonlocal count
        count += 1
        return PAGE

    await remembered.page("tags", 1, 200, read)
    return count == 1


async def test_a_full_look_that_goes_on_uses_no_page_from_before_it(memory, clock):
    await keep(memory, "web")
    await keep(memory, "api")
    clock.now += 60
    memory.begin("example", full=True)
    await keep(memory, "web")
    assert not await is_read(memory.repository("web", STATE))
    assert await is_read(memory.repository("api", STATE))


async def test_after_a_clock_was_set_back_new_pages_are_recalled(memory, clock):
    clock.now -= 500
    memory.begin("example")
    await keep(memory)
    assert not await is_read(memory.repository("web", STATE))


async def test_a_list_that_is_read_once_more_is_not_recalled(memory):
    await keep(memory)
    remembered = memory.repository("web", STATE)
    assert [await is_read(remembered) for _ in range(2)] == [False, True]


async def test_what_was_forgotten_is_read_though_another_process_remembers_it(memory):
    await keep(memory)
    remembered = memory.repository("web", STATE)
    await remembered.forget()
    with ListMemory(memory.path) as other:
        await keep(other)
    assert await is_read(remembered)
    assert await remembered.times(INVENTORY) is None


async def test_the_last_pages_are_on_disk_when_a_run_has_ended(memory, monkeypatch):
    write = memory._kept.write

    def slowly(*statements) -> None:
        if len(statements) == 2:
            time.sleep(0.1)
        write(*statements)

    monkeypatch.setattr(memory._kept, "write", slowly)
    await memory.keep("web", "tags", 1, 200, str(STATE), PAGE)
    await memory.end()
    with ListMemory(memory.path) as other:
        assert other._kept.select("SELECT repository FROM pages") == [("web",)]


@pytest.mark.parametrize(
    "page",
    [
        evolve(PAGE, next_link="/v2/next"),
        evolve(PAGE, total=2),
        evolve(PAGE, total=None),
    ],
)
async def test_times_are_taken_from_a_list_of_tags_of_one_whole_page_alone(memory, page):
    await keep(memory, "whole")
    await keep(memory, "part", page)
    times = []
    for name in ("whole", "part"):
        remembered = memory.repository(name, None)
        await is_read(remembered)
        times.append(await remembered.times(INVENTORY))
    assert [each is None for each in times] == [False, True]


async def test_a_state_is_given_only_to_manifests_that_have_none(memory):
    page = RawPage((OLDER,), 1, None, None)
    new = evolve(STATE, tags=1)
    for name, state in (("web", str(STATE)), ("api", "")):
        await memory.keep(name, "manifests", 1, 200, state, page)
        await memory.name_state(name, new)
    memory.begin("example")
    found = [await memory.find(name, "manifests", 1, 200, str(new)) for name in ("web", "api")]
    assert found == [None, page]


@pytest.mark.parametrize(
    ("inventory", "is_known"),
    [
        (INVENTORY, True),
        (evolve(INVENTORY, uncertain={B: "the lists differ"}), False),
        # Which is the latest, nobody can tell.
        (evolve(INVENTORY, manifests=(LATEST, ListedManifest(B, ("v1",), ago(1)))), False),
        (evolve(INVENTORY, manifests=(LATEST, ListedManifest(B, ("v1",)))), False),
        (evolve(INVENTORY, manifests=()), False),
    ],
)
async def test_what_an_apply_has_listed_is_recalled_only_where_it_is_certain(
    memory, inventory, is_known
):
    page = RawPage((LATEST, OLDER), 2, None, None)

    async def read() -> RawPage:
        return page

    recorder = ListRecorder(memory, "web")
    await recorder.page(1, 200, read)
    await recorder.finish(inventory)
    await memory.flush()
    rows = memory._kept.select("SELECT state FROM pages")
    assert rows == [(str(STATE) if is_known else "",)]


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"tags": 3}, False),
        ({"manifests": 3}, False),
        ({"latest": B}, False),
        ({"pushed_at": ago(2)}, False),
        ({"latest_tags": ("v1",)}, False),
    ],
)
def test_an_inventory_fits_the_state_that_it_shows_and_no_other(change, fits):
    assert evolve(STATE, **change).fits(INVENTORY) is fits


@pytest.mark.parametrize(
    "change",
    [
        {"tag_count": None},
        {"manifest_count": None},
        {"latest_manifest": None},
        {"latest_manifest": Manifest(digest=A, tags=("v2",))},
        {"latest_manifest": Manifest(updated_at=ago(1), tags=("v2",))},
    ],
)
def test_a_repository_of_which_too_little_is_said_has_no_state(change):
    latest = Manifest(digest=A, updated_at=ago(1), tags=("v2",))
    repository = Repository(name="web", latest_manifest=latest, tag_count=2, manifest_count=2)
    assert RepositoryState.of(repository) == STATE
    assert RepositoryState.of(evolve(repository, **change)) is None


@pytest.mark.parametrize(
    ("inventory", "is_kept"),
    [
        (INVENTORY, True),
        (evolve(INVENTORY, uncertain={B: "the lists differ"}), False),
        (evolve(INVENTORY, manifests=(LATEST,)), False),
    ],
)
async def test_lists_that_differ_or_show_another_state_are_forgotten(
    memory, monkeypatch, inventory, is_kept
):
    async def take(*_, **__) -> RepositoryInventory:
        return inventory

    monkeypatch.setattr("aioregistry.cleanup.plan.lists.take_inventory", take)
    await keep(memory)
    lists = RepositoryLists(None, None, {"web": STATE}, memory, lambda times: True)
    assert await lists.take("web", lambda known: True) == inventory
    assert bool(memory._kept.select("SELECT * FROM pages")) is is_kept


def test_a_tag_that_has_moved_is_younger_than_all_that_is_remembered():
    remembered = (TAG, ListedTag("v2", A, ago(3)))
    moved = RepositoryInventory("web", (ListedManifest(B, ("v1", "v2"), ago(9)),))
    times = with_remembered_times(moved, remembered)
    set_at = times.inventory.set_time("v2", moved.manifests[0])
    assert set_at == ago(3) + timedelta(microseconds=1)
    assert times.inventory.set_time("v1", moved.manifests[0]) == ago(9)
    assert times.assumed == {"v2"}
