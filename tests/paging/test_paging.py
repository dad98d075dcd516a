"""Walks through a client, over sockets."""

import asyncio
import gc
from urllib.parse import parse_qs, urlsplit

import pytest
from attrs import evolve

from aioregistry import (
    ClientClosedError,
    NotFoundError,
    PartialListingError,
    RegistryClient,
    ServerError,
)
from aioregistry.api.decoding import RawPage
from aioregistry.api.endpoints import TAGS
from aioregistry.paging.number_walk import NumberWalk
from aioregistry.paging.pager import PageIterator, Pager
from aioregistry.paging.read_ahead import ChainedPages, ListPages
from aioregistry.paging.token_walk import TokenWalk
from aioregistry.sandbox import Sandbox
from tests.conftest import QUICK, push_tags
from tests.paging.moving_list import MovingList
from tests.ratelimit.strict_server import virtual


@pytest.fixture
def repo(client):
    return client.registry("example").repository("repo")


def list_pages(fetch, concurrency=4, *, walk=None, start=None) -> ListPages[str]:
    start = start or asyncio.get_running_loop().create_task

    async def read(ref):
        page = await fetch(ref)
        return lambda: page

    return ListPages(walk or NumberWalk(list, 10), read, start, concurrency)


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


async def test_a_page_that_is_read_ahead_is_decoded_when_its_turn_comes(sandbox, repo):
    push_tags(sandbox.state, 95)
    decoded = []

    def decode(body):
        decoded.append(body)
        return TAGS.decode(body)

    async for page in repo.tags().decoded_by(decode).pages():
        assert len(decoded) == page.number
    assert len(lists(sandbox)) == len(decoded) == 10


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


@pytest.mark.parametrize("limit", [1, 4])
async def test_collect_takes_no_more_than_its_limit_and_asks_for_no_more(sandbox, repo, limit):
    push_tags(sandbox.state, 50)
    assert len(await repo.tags().collect(limit=limit)) == limit
    assert lists(sandbox) == [
        f"/v2/registry/example/repositories/repo/tags?per_page={limit}&page=1"
    ]


async def test_collect_with_limit_zero_asks_nothing(sandbox, repo):
    assert await repo.tags().collect(limit=0) == []
    assert lists(sandbox) == []


async def test_a_negative_limit_is_refused(repo):
    with pytest.raises(ValueError, match=r"^limit must not be negative: -1$"):
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


@pytest.mark.parametrize("total", [300, None])
async def test_reading_ahead_grows_with_what_is_consumed(total):
    server = MovingList(300)

    async def fetch(ref):
        return evolve(server.answer(ref), total=total)

    pages = PageIterator(list_pages(fetch, 8))
    ahead = []
    for consumed in range(6):
        await anext(pages)
        await asyncio.sleep(0)
        ahead.append(server.requests - consumed - 1)
    assert ahead == [0, 1, 3, 7, 7, 7]
    await pages.aclose()


async def test_reading_ahead_falls_back_when_items_go_and_grows_anew():
    server = MovingList(300)

    async def fetch(ref):
        return server.answer(ref)

    pages = PageIterator(list_pages(fetch))
    ahead = []
    for consumed in range(16):
        await anext(pages)
        await asyncio.sleep(0)
        ahead.append(server.requests - consumed - 1)
        if consumed == 3:
            server.remove([server.names[-1]])
    # The pages under way are waited for, and then one at a time is read until the order is known.
    assert ahead == [0, 1, 3, 3, 3, 3, 3, 3, 2, 1, 0, 0, 0, 1, 3, 3]
    await pages.aclose()


@pytest.mark.parametrize(
    "begin", [lambda repo: repo.tags().pages(), lambda repo: aiter(repo.tags())]
)
async def test_a_closed_iterator_ends_and_is_incomplete(sandbox, repo, begin):
    push_tags(sandbox.state, 50)
    async with begin(repo) as iterator:
        await anext(iterator)
    assert [what async for what in iterator] == []
    assert iterator.complete is False


async def test_closing_waits_until_what_was_read_ahead_has_ended():
    server = MovingList(100)
    ended = []

    async def fetch(ref):
        try:
            if ref.number > 2:
                await asyncio.sleep(60)
            return server.answer(ref)
        finally:
            await asyncio.sleep(0.01)
            ended.append(ref.number)

    async with PageIterator(list_pages(fetch)) as pages:
        for _ in range(2):
            await anext(pages)
    assert sorted(ended) == [1, 2, 3]


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
        return RawPage(listing.items, total, listing.next_link, None)

    return Pager(lambda per_page: list_pages(fetch, walk=NumberWalk(list, per_page)), 10)


async def test_a_walk_short_of_the_total_says_so():
    server = MovingList(30)
    pager = pager_with_total(31, server)
    assert len(await pager.collect()) == 30
    with pytest.raises(PartialListingError) as caught:
        await pager.collect(require_complete=True)
    assert (caught.value.found, caught.value.total) == (30, 31)
    assert str(caught.value) == (
        "the walk found 30 items, the API counts 31; the list moved or is inconsistent: try again"
    )


async def test_an_error_ends_the_walk(sandbox, client):
    tags = aiter(client.registry("example").repository("missing").tags())
    with pytest.raises(NotFoundError):
        await anext(tags)
    assert tags.complete is False
    assert [tag async for tag in tags] == []


@pytest.mark.parametrize("begin", [lambda: NumberWalk(list, 10), lambda: TokenWalk(list)])
@virtual
async def test_a_caller_that_gives_up_waiting_finds_the_page_when_it_comes_again(begin):
    server = MovingList(30)
    ready = asyncio.Event()
    asked = []

    async def fetch(ref):
        asked.append(ref.number)
        if ref.number > 1:
            await ready.wait()
        return server.answer(ref)

    pages = PageIterator(list_pages(fetch, walk=begin()))
    await anext(pages)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(pages), 0.01)
    ready.set()
    assert [page.number async for page in pages] == [2, 3]
    assert asked == [1, 2, 3]
    assert pages.complete


@pytest.mark.parametrize("begin", [list_pages, lambda fetch: chained({"list": fetch})[0]])
@virtual
async def test_a_caller_that_gives_up_on_the_first_page_ends_its_request(begin):
    server = MovingList(10)
    log = []

    async def fetch(ref):
        log.append("asked")
        if len(log) == 1:
            try:
                await asyncio.sleep(60)
            finally:
                log.append("ended")
        return server.answer(ref)

    pages = PageIterator(begin(fetch))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(pages), 0.01)
    assert log == ["asked", "ended"]


async def test_a_caller_that_is_cancelled_with_its_page_is_cancelled():
    started = []

    async def fetch(ref):
        if ref.number > 1:
            await asyncio.sleep(60)
        return MovingList(30).answer(ref)

    def start(coroutine):
        started.append(asyncio.get_running_loop().create_task(coroutine))
        return started[-1]

    pages = PageIterator(list_pages(fetch, start=start))
    await anext(pages)
    reader = asyncio.ensure_future(anext(pages))
    await asyncio.sleep(0.01)
    for task in [*started, reader]:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader


async def test_two_callers_at_once_are_told_off():
    server = MovingList(30)
    ready = asyncio.Event()

    async def fetch(ref):
        await ready.wait()
        return server.answer(ref)

    pages = PageIterator(list_pages(fetch))
    first = asyncio.ensure_future(anext(pages))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match=r"^the iterator is already waiting for its next page$"):
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
    # The next page may have been under way, or be asked for only now.
    with pytest.raises(
        ClientClosedError, match=r"^the client (was closed during the walk|is closed)$"
    ):
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


async def test_a_repository_that_goes_halfway_is_an_error(sandbox, repo):
    push_tags(sandbox.state, 60)
    tags = aiter(repo.tags())
    await anext(tags)
    sandbox.state.delete_repository("example", "repo")
    with pytest.raises(NotFoundError):
        async for _ in tags:
            pass
    assert tags.complete is False


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
    for number in range(8):
        push_tags(sandbox.state, 1, f"repo-{number}")
    names = [repository.name async for repository in client.registry("example").repositories()]
    tags = aiter(client.registry("example").tags())
    await anext(tags)
    sandbox.state.delete_repository("example", names[5])
    assert [tag.repository async for tag in tags] == [*names[1:5], *names[6:]]
    assert tags.complete is True


def chained(lists, concurrency=4):
    """The pages of the named lists, and the names of those that were asked for."""
    outer = MovingList(0)
    outer.names = list(lists)
    asked = []

    async def fetch_names(ref):
        return outer.answer(ref)

    def open_list(name):
        async def fetch(ref):
            if name not in asked:
                asked.append(name)
            return await lists[name](ref)

        return list_pages(fetch, concurrency)

    names = PageIterator(list_pages(fetch_names))
    return ChainedPages(names, open_list, concurrency), asked


def whole(count):
    """A list of so many items that says how many they are."""
    server = MovingList(count)

    async def fetch(ref):
        return server.answer(ref)

    return fetch


def uncounted(count):
    """A list that does not say how many items it has."""
    server = MovingList(count)

    async def fetch(ref):
        return evolve(server.answer(ref), total=None)

    return fetch


def short(count):
    """A list that says it has an item more than it has."""
    server = MovingList(count)

    async def fetch(ref):
        return evolve(server.answer(ref), total=count + 1)

    return fetch


def gone(after=0, total=20):
    """A list that is gone after so many of its pages."""
    server = MovingList(20)

    async def fetch(ref):
        if ref.number > after:
            raise NotFoundError("gone", status=404)
        return evolve(server.answer(ref), total=total)

    return fetch


async def test_lists_are_begun_ahead_the_more_the_more_were_used_up():
    source, asked = chained({f"list-{number}": whole(1) for number in range(12)})
    pages = PageIterator(source)
    begun = []
    async for _ in pages:
        await asyncio.sleep(0)
        begun.append(len(asked))
    assert begun == [1, 3, 6, 7, 8, 9, 10, 11, 12, 12, 12, 12]
    assert asked == [f"list-{number}" for number in range(12)]


@pytest.mark.parametrize(
    ("lists", "counts"),
    [
        ([], []),
        ([whole(12), whole(0), whole(3)], [(10, 0), (12, 0), (12, 12), (15, 12)]),
        ([whole(2), uncounted(1), whole(3)], [(2, 0), (3, 2), (3, 2), (6, None)]),
        ([uncounted(1), whole(3)], [(1, 0), (1, 0), (4, None)]),
    ],
)
async def test_a_walk_over_many_lists_adds_up_what_they_hold_and_count(lists, counts):
    pages = PageIterator(chained(dict(zip("abc", lists, strict=False)))[0])
    seen = [(pages.found, pages.total) async for _ in pages]
    assert seen == counts


@pytest.mark.parametrize(
    ("lists", "complete"),
    [
        ([], True),
        ([whole(12), whole(3)], True),
        ([uncounted(12), whole(3)], True),
        ([short(3), whole(3)], False),
        ([whole(3), short(3)], False),
        ([gone(), whole(3)], True),
        ([short(3), gone()], False),
        ([gone(1), whole(3)], False),
        ([gone(1, None), whole(3)], False),
        ([gone(1, None), gone()], False),
        ([gone(1, 10), whole(3)], True),
    ],
)
async def test_a_walk_over_many_lists_is_complete_when_each_is_or_was_gone_before_it_began(
    lists, complete
):
    pages = PageIterator(chained(dict(zip("abc", lists, strict=False)))[0])
    async for _ in pages:
        pass
    assert pages.complete is complete


async def test_one_passing_404_is_no_proof_that_a_list_was_deleted():
    answers = iter([NotFoundError("passing", status=404)])
    server = MovingList(12)

    async def fetch(ref):
        for error in answers:
            raise error
        return server.answer(ref)

    pages = PageIterator(chained({"a": fetch, "b": whole(3)})[0])
    found = [item async for page in pages for item in page.items]
    assert len(found) == 15
    assert pages.complete is True


async def test_a_list_that_is_empty_against_its_total_is_not_complete():
    async def fetch(ref):
        return RawPage((), 3, None, None)

    pages = PageIterator(chained({"a": fetch, "b": whole(3)})[0])
    assert [item async for page in pages for item in page.items]
    assert pages.complete is False


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

    def release(self, reported=None, *, sent=True) -> None:
        self.under_way -= 1


async def test_an_error_in_one_repository_is_raised(sandbox, client):
    push_tags(sandbox.state, 5)

    async def fetch(ref):
        raise ServerError("out of order", status=500)

    pages = PageIterator(list_pages(fetch))
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

    pages = PageIterator(list_pages(fetch))
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

    pages = PageIterator(list_pages(fetch, 8))
    with pytest.raises(ServerError):
        async for _ in pages:
            pass
    before = list(asked)
    await asyncio.sleep(0.05)
    assert asked == before
