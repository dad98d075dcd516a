"""Walks through a client, over sockets."""

import asyncio
import gc
from urllib.parse import parse_qs, urlsplit

import pytest

from aioregistry import (
    ClientClosedError,
    NotFoundError,
    PartialListingError,
    RegistryClient,
    ServerError,
)
from aioregistry.codec import Listing
from aioregistry.paging import ListPages, PageIterator, Pager
from aioregistry.sandbox import Sandbox
from aioregistry.walks import NumberWalk
from tests.conftest import QUICK, push_tags
from tests.moving_list import MovingList, same


@pytest.fixture
def repo(client):
    return client.registry("example").repository("repo")


def lists(sandbox: Sandbox) -> list[str]:
    """The targets of the listings so far."""
    return [request.raw_path for request in sandbox.requests if request.method == "GET"]


async def test_every_item_comes_once_and_in_the_servers_order(sandbox, repo):
    push_tags(sandbox.state, 95)
    names = [tag.tag async for tag in repo.tags()]
    assert sorted(names) == sorted(sandbox.state.tag_names("example", "repo"))
    assert names == [tag.tag for tag in await repo.tags().collect()]


async def test_an_empty_list_is_one_request(sandbox, client):
    assert await client.registry("example").repositories().collect() == []
    assert len(lists(sandbox)) == 1


async def test_pages_tell_their_number_their_items_and_the_total(sandbox, repo):
    push_tags(sandbox.state, 25)
    pages = [page async for page in repo.tags().pages()]
    assert [(page.number, len(page.items), page.total) for page in pages] == [
        (1, 10, 25),
        (2, 10, 25),
        (3, 5, 25),
    ]


async def test_pages_by_token_tell_the_next_token(sandbox, client):
    for number in range(25):
        push_tags(sandbox.state, 1, f"repo-{number}")
    pages = [page async for page in client.registry("example").repositories().pages()]
    assert [page.next_token is None for page in pages] == [False, False, True]
    assert parse_qs(urlsplit(lists(sandbox)[1]).query) == {
        "per_page": ["10"],
        "page_token": [pages[0].next_token],
    }


async def test_each_iteration_of_a_pager_begins_anew(sandbox, repo):
    push_tags(sandbox.state, 12)
    pager = repo.tags()
    assert len([tag async for tag in pager]) == len([tag async for tag in pager]) == 12


async def test_a_clamped_page_size_is_walked_to_the_end():
    async with Sandbox(max_per_page=7) as sandbox:
        push_tags(sandbox.state, 50)
        async with RegistryClient(sandbox.token, base_url=sandbox.url, retry=QUICK) as client:
            tags = client.registry("example").repository("repo").tags()
            assert len(await tags.collect(require_complete=True)) == 50
            assert len(lists(sandbox)) == 8


async def test_first_is_one_request_for_one_item(sandbox, repo):
    push_tags(sandbox.state, 50)
    first = await repo.tags().first()
    assert first == (await repo.tags().collect())[0]
    assert lists(sandbox)[0].endswith("/tags?per_page=1&page=1")


async def test_first_of_nothing_is_none(client):
    assert await client.registry("example").repositories().first() is None


async def test_collect_takes_no_more_than_its_limit_and_asks_for_no_more(sandbox, repo):
    push_tags(sandbox.state, 50)
    assert len(await repo.tags().collect(limit=4)) == 4
    assert lists(sandbox) == ["/v2/registry/example/repositories/repo/tags?per_page=4&page=1"]


async def test_collect_with_limit_zero_asks_nothing(sandbox, repo):
    assert await repo.tags().collect(limit=0) == []
    assert lists(sandbox) == []


async def test_a_negative_limit_is_refused(repo):
    with pytest.raises(ValueError, match="negative"):
        await repo.tags().collect(limit=-1)


async def test_a_break_in_the_first_page_has_asked_for_that_page_alone(sandbox, repo):
    push_tags(sandbox.state, 200)
    async for _ in repo.tags():
        break
    await asyncio.sleep(0.05)
    assert len(lists(sandbox)) == 1


async def test_a_break_sends_nothing_more(sandbox, repo):
    push_tags(sandbox.state, 400)
    seen = 0
    async for _ in repo.tags():
        seen += 1
        if seen == 25:
            break
    await asyncio.sleep(0.05)
    # The third page was consumed in part; one more was on its way, and none follows it.
    assert len(lists(sandbox)) <= 6
    gc.collect()
    assert not [task for task in asyncio.all_tasks() if "fetch" in repr(task)]


async def test_reading_ahead_grows_with_what_is_consumed():
    server = MovingList(300)

    async def fetch(ref):
        return server.answer(ref)

    start = asyncio.get_running_loop().create_task
    pages = PageIterator(ListPages(NumberWalk(same, 10), fetch, start, 8))
    ahead = []
    for consumed in range(6):
        await anext(pages)
        await asyncio.sleep(0)
        ahead.append(server.requests - consumed - 1)
    assert ahead == [0, 1, 3, 7, 7, 7]
    await pages.aclose()


async def test_a_closed_iterator_ends_and_is_incomplete(sandbox, repo):
    push_tags(sandbox.state, 50)
    async with repo.tags().pages() as pages:
        await anext(pages)
    assert [page async for page in pages] == []
    assert pages.complete is False


async def test_complete_is_none_on_the_way_and_true_at_the_end(sandbox, repo):
    push_tags(sandbox.state, 15)
    items = aiter(repo.tags())
    await anext(items)
    assert items.complete is None
    async for _ in items:
        pass
    assert items.complete is True


def pager_with_total(total: int, server: MovingList) -> Pager[str]:
    async def fetch(ref):
        listing = server.answer(ref)
        return Listing(listing.items, total, listing.next_link, None)

    def open_pages(per_page):
        start = asyncio.get_running_loop().create_task
        return ListPages(NumberWalk(same, per_page), fetch, start, 4)

    return Pager(open_pages, 10)


async def test_a_walk_short_of_the_total_says_so():
    server = MovingList(30)
    pager = pager_with_total(31, server)
    assert len(await pager.collect()) == 30
    with pytest.raises(PartialListingError) as caught:
        await pager.collect(require_complete=True)
    assert (caught.value.found, caught.value.total) == (30, 31)


async def test_an_error_ends_the_walk(sandbox, client):
    tags = aiter(client.registry("example").repository("missing").tags())
    with pytest.raises(NotFoundError):
        await anext(tags)
    assert tags.complete is False
    assert [tag async for tag in tags] == []


async def test_a_caller_that_gives_up_waiting_can_come_again():
    server = MovingList(30)
    ready = asyncio.Event()

    async def fetch(ref):
        if ref.number > 1:
            await ready.wait()
        return server.answer(ref)

    start = asyncio.get_running_loop().create_task
    pages = PageIterator(ListPages(NumberWalk(same, 10), fetch, start, 4))
    await anext(pages)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(pages), 0.01)
    ready.set()
    assert [page.number async for page in pages] == [2, 3]
    assert pages.complete


async def test_two_callers_at_once_are_told_off():
    server = MovingList(30)
    ready = asyncio.Event()

    async def fetch(ref):
        await ready.wait()
        return server.answer(ref)

    start = asyncio.get_running_loop().create_task
    pages = PageIterator(ListPages(NumberWalk(same, 10), fetch, start, 4))
    first = asyncio.ensure_future(anext(pages))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="already waiting"):
        await anext(pages)
    ready.set()
    assert (await first).number == 1


async def test_closing_the_client_ends_a_walk(sandbox):
    push_tags(sandbox.state, 100)
    async with RegistryClient(
        sandbox.token, base_url=sandbox.url, rate_limit=None, per_page=10
    ) as client:
        tags = aiter(client.registry("example").repository("repo").tags())
        for _ in range(25):
            await anext(tags)
    with pytest.raises(ClientClosedError):
        async for _ in tags:
            pass


async def test_deleting_as_one_walks_leaves_nothing_behind(sandbox, client, repo):
    push_tags(sandbox.state, 500)
    deleted = 0
    async for tag in repo.tags():
        await repo.delete_tag(tag.tag)
        deleted += 1
    assert deleted == 500
    assert sandbox.state.tag_names("example", "repo") == []
    assert len(lists(sandbox)) <= 100


async def test_deleting_manifests_as_one_walks_ends_with_the_repository(sandbox, repo):
    push_tags(sandbox.state, 60)
    manifests = aiter(repo.manifests())
    async for manifest in manifests:
        await repo.delete_manifest(manifest.digest)
    assert manifests.complete
    assert sandbox.state.registry("example").repositories == {}


async def test_feeding_a_walk_to_a_bulk_delete_leaves_nothing_behind(sandbox, repo):
    push_tags(sandbox.state, 500)
    report = await repo.delete_tags(tag.tag async for tag in repo.tags())
    assert len(report.deleted) == 500
    assert len(lists(sandbox)) <= 100


async def test_all_tags_of_all_repositories(sandbox, client):
    for number in range(23):
        push_tags(sandbox.state, number + 1, f"group/repo-{number}", prefix=f"r{number}-")
    pager = client.registry("example").tags()
    tags = await pager.collect(require_complete=True)
    assert len(tags) == len({(tag.repository, tag.tag) for tag in tags}) == 23 * 24 // 2
    order = [tag.repository for tag in tags]
    assert order == sorted(order, key=order.index)  # one repository after the other


async def test_a_repository_that_is_gone_by_its_turn_is_passed_over(sandbox, client):
    for number in range(15):
        push_tags(sandbox.state, 1, f"repo-{number}")
    names = []
    async for tag in client.registry("example").tags():
        names.append(tag.repository)
        if len(names) == 1:
            last = (await client.registry("example").repositories().collect())[-1]
            sandbox.state.delete_repository("example", last.name)
    assert len(names) == 14


async def test_walking_all_repositories_is_bounded():
    async with Sandbox(latency=0.005) as sandbox:
        for number in range(40):
            push_tags(sandbox.state, 25, f"repo-{number}", prefix=f"r{number}-")
        limiter = Counting()
        async with RegistryClient(
            sandbox.token, base_url=sandbox.url, rate_limit=limiter, per_page=10, concurrency=4
        ) as client:
            tags = await client.registry("example").tags().collect(require_complete=True)
            assert len(tags) == 1000
            # The list of repositories is a walk of its own, one page ahead at most.
            assert limiter.most <= 5


class Counting:
    """A limiter that counts what is under way."""

    def __init__(self) -> None:
        self.under_way = self.most = 0

    async def acquire(self, priority="interactive") -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)

    def release(self, word=None, *, sent=True) -> None:
        self.under_way -= 1


async def test_an_error_in_one_repository_is_raised(sandbox, client):
    push_tags(sandbox.state, 5)

    async def fetch(ref):
        raise ServerError("out of order", status=500)

    start = asyncio.get_running_loop().create_task
    pages = PageIterator(ListPages(NumberWalk(same, 10), fetch, start, 4))
    with pytest.raises(ServerError):
        await anext(pages)


@pytest.mark.parametrize("consumed", [0, 2])
async def test_closing_under_a_reader_ends_its_iteration(consumed):
    server = MovingList(100)
    ready = asyncio.Event()

    async def fetch(ref):
        if ref.number > consumed:
            await ready.wait()
        return server.answer(ref)

    start = asyncio.get_running_loop().create_task
    pages = PageIterator(ListPages(NumberWalk(same, 10), fetch, start, 4))
    for _ in range(consumed):
        await anext(pages)
    reader = asyncio.ensure_future(anext(pages, "end"))
    await asyncio.sleep(0.01)
    await pages.aclose()
    ready.set()
    assert await reader == "end"
    assert pages.complete is False


async def test_a_walk_that_fails_asks_for_nothing_more():
    server = MovingList(300)
    asked = []

    async def fetch(ref):
        asked.append(ref.number)
        if ref.number == 4:
            raise ServerError("out of order", status=500)
        await asyncio.sleep(0.01 if ref.number > 4 else 0)
        asked.append(-ref.number)
        return server.answer(ref)

    start = asyncio.get_running_loop().create_task
    pages = PageIterator(ListPages(NumberWalk(same, 10), fetch, start, 8))
    with pytest.raises(ServerError):
        async for _ in pages:
            pass
    before = list(asked)
    await asyncio.sleep(0.05)
    assert asked == before
