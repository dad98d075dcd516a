"""What the walks decide, on lists that move as they please."""

from collections import deque
from itertools import permutations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.api.decoding import RawPage
from aioregistry.errors import InvalidResponseError
from aioregistry.paging.coverage import Coverage
from aioregistry.paging.number_walk import NumberWalk
from aioregistry.paging.token_walk import TokenWalk
from aioregistry.paging.walks import PageRef
from tests.drawing import draws
from tests.paging.moving_list import URL, MovingList, pages

SIZE = 10


def number_walk(per_page: int = SIZE) -> NumberWalk[str]:
    return NumberWalk(list, per_page)


def token_walk() -> TokenWalk[str]:
    return TokenWalk(list)


def flat(found) -> list[str]:
    return [name for page in found for name in page]


# Coverage


@pytest.mark.parametrize("stretches", list(permutations([(0, 10), (10, 20), (20, 30)])))
def test_coverage_joins_what_touches(stretches):
    seen = Coverage()
    seen.observe(100)
    for start, end in stretches:
        seen.add(start, end)
    assert seen.gaps(30) == []
    seen.observe(95)
    assert seen.gaps(30) == [(25, 30)]


def test_coverage_after_answers_in_an_unknown_order_is_what_is_sure_in_each():
    seen = Coverage()
    seen.observe(100)
    seen.add(0, 40)
    seen.add(50, 90)
    # Up and down again, or up at last: one item came, and one may have gone.
    seen.observe_unordered([101, 100])
    assert not seen.certain
    assert seen.gaps(90) == [(39, 51), (89, 90)]
    assert seen.differs(100)
    # It was 101 last, perhaps: then another one has gone.
    assert seen.observe(100) == 1
    assert seen.certain
    assert seen.gaps(90) == [(38, 51), (88, 90)]


def test_coverage_forgets_what_is_taken_out():
    seen = Coverage()
    seen.add(0, 30)
    seen.remove(10, 20)
    assert seen.gaps(30) == [(10, 20)]


def test_a_falling_total_takes_the_last_positions_of_every_stretch():
    seen = Coverage()
    seen.observe(100)
    seen.add(0, 10)
    seen.add(20, 30)
    assert seen.observe(97) == 3
    assert seen.gaps(30) == [(7, 20), (27, 30)]


def test_a_rising_total_takes_the_first_positions_of_every_stretch_but_the_first():
    seen = Coverage()
    seen.observe(100)
    seen.add(0, 10)
    seen.add(20, 30)
    assert seen.observe(103) == 0
    assert seen.gaps(30) == [(10, 23)]


@pytest.mark.parametrize("total", [80, 90, 110, 120])
def test_a_stretch_that_moved_by_its_length_or_more_is_a_gap_like_any_other(total):
    seen = Coverage()
    seen.observe(100)
    seen.add(10, 20)
    seen.observe(total)
    assert seen.gaps(30) == [(0, 30)]


def test_the_first_total_takes_nothing_from_what_was_seen_without_one():
    seen = Coverage()
    seen.add(10, 20)
    assert seen.observe(100) == 0
    assert seen.gaps(20) == [(0, 10)]


def test_positions_behind_the_end_of_the_list_are_no_gap():
    seen = Coverage()
    seen.observe(5)
    seen.add(0, 5)
    assert seen.gaps(20) == []


# Lists that hold still


@given(count=st.integers(0, 95), per_page=st.integers(1, 40))
def test_a_list_that_holds_still_is_read_once_in_the_servers_order(count, per_page):
    server = MovingList(count, per_page)
    walk = number_walk(per_page)
    assert flat(pages(walk, server.answer)) == server.names
    assert walk.complete
    assert server.requests == max(1, -(-count // per_page))


@given(count=st.integers(0, 95), asked=st.integers(1, 40), granted=st.integers(1, 40))
def test_a_clamped_page_size_is_noticed(count, asked, granted):
    server = MovingList(count, min(asked, granted))
    walk = number_walk(asked)
    assert flat(pages(walk, server.answer)) == server.names
    assert walk.complete
    assert server.requests == max(1, -(-count // server.page_size))


def test_a_clamp_shows_in_the_number_of_pages_when_links_repeat_what_was_asked():
    server = MovingList(100, 5)

    def answer(ref):
        listing = server.answer(ref)
        links = (
            link and link.replace("per_page=5", "per_page=10")
            for link in (listing.next_link, listing.last_link)
        )
        return RawPage(listing.items, listing.total, *links)

    walk = number_walk(10)
    assert flat(pages(walk, answer)) == server.names
    assert server.requests == 20


# What a page of five, where ten were asked for, tells of the pages' size
SIZE_SHOWS_IN = {
    "both links": lambda listing: listing,
    "the next link": lambda listing: evolve(listing, last_link=None),
    "the last link": lambda listing: evolve(listing, next_link=None),
    "a link with more in it": lambda listing: evolve(
        listing, next_link=listing.next_link and f"{listing.next_link}&sort=name", last_link=None
    ),
    "the number of pages": lambda listing: evolve(
        listing, next_link=None, last_link=listing.last_link and f"{URL}?page=6&per_page=10"
    ),
    "the items": lambda listing: evolve(listing, next_link=None, last_link=None),
}


@pytest.mark.parametrize("shown", SIZE_SHOWS_IN.values(), ids=SIZE_SHOWS_IN)
def test_an_item_that_slips_over_the_edge_of_a_clamped_page_is_read_again(shown):
    server = MovingList(30, 5)
    throughout = server.names[1:]
    walk = number_walk(10)
    found = []
    for page in pages(walk, lambda ref: shown(server.answer(ref))):
        found += page
        if server.requests == 3:
            server.remove([server.names[0]])
    assert set(throughout) <= set(found)
    assert walk.complete
    assert server.requests == 7


@pytest.mark.parametrize(
    ("per_page", "granted", "shown"),
    [
        (5, 5, "both links"),
        (10, 5, "both links"),
        (10, 5, "the next link"),
        (10, 5, "the last link"),
        (10, 5, "a link with more in it"),
    ],
)
def test_a_first_page_that_is_short_of_an_item_does_not_pass_for_a_smaller_size(
    per_page, granted, shown
):
    server = MovingList(28, granted)

    def answer(ref):
        listing = SIZE_SHOWS_IN[shown](server.answer(ref))
        return evolve(listing, items=listing.items[1:]) if server.requests == 1 else listing

    walk = number_walk(per_page)
    assert sorted(flat(pages(walk, answer))) == sorted(server.names)
    assert server.requests == 6 + 1


def test_without_any_link_the_total_tells_how_many_pages_there_are():
    server = MovingList(45)

    def answer(ref):
        listing = server.answer(ref)
        return RawPage(listing.items, listing.total, None, None)

    assert flat(pages(number_walk(), answer)) == server.names
    assert server.requests == 5


def test_without_a_total_the_next_links_tell():
    server = MovingList(45)

    def answer(ref):
        listing = server.answer(ref)
        return RawPage(listing.items, None, listing.next_link, None)

    walk = number_walk()
    assert flat(pages(walk, answer)) == server.names
    assert walk.complete


def test_nothing_is_asked_for_beside_the_first_page():
    walk = number_walk()
    assert list(iter(walk.plan, None)) == [PageRef(1)]


@pytest.mark.parametrize("begin", [token_walk, number_walk])
def test_a_page_tells_the_token_of_the_next(begin):
    walk = begin()
    link = f"{URL}?page=2&page_token=t"
    assert walk.receive(walk.plan(), RawPage(("a",), 2, link, None)) == (("a",), "t")


@pytest.mark.parametrize(
    ("total", "last", "ahead"), [(None, None, [2]), (None, 5, [2, 3, 4, 5]), (3, 5, [2, 3])]
)
def test_the_total_or_else_the_links_tell_how_far_can_be_read_ahead(total, last, ahead):
    walk = number_walk(1)
    end = last and f"{URL}?page={last}"
    walk.receive(walk.plan(), RawPage(("a",), total, f"{URL}?page=2", end))
    assert [ref.number for ref in iter(walk.plan, None)] == ahead


def test_a_total_that_counts_the_page_alone_does_not_end_the_walk():
    server = MovingList(45)

    def answer(ref):
        listing = server.answer(ref)
        return RawPage(listing.items, len(listing.items), listing.next_link, None)

    assert sorted(flat(pages(number_walk(), answer))) == sorted(server.names)


@pytest.mark.parametrize("links", ["next", "none"])
def test_an_empty_page_in_the_middle_is_not_the_end(links):
    server = MovingList(30)

    def answer(ref):
        hole = ref.number == 2
        shifted = ref if ref.number < 2 else PageRef(ref.number - 1)
        listing = server.answer(shifted)
        more = f"{URL}?page={ref.number + 1}" if ref.number < 4 else None
        return RawPage(() if hole else listing.items, 30 if links == "next" else 40, more, None)

    assert flat(pages(number_walk(), answer)) == server.names


def test_last_without_next_is_the_end():
    def answer(ref):
        return RawPage(("a", "b"), 2, None, f"{URL}?page=7")

    walk = number_walk()
    assert list(pages(walk, answer)) == [("a", "b")]
    assert walk.complete


def test_a_next_link_without_a_page_means_the_following_one():
    server = MovingList(30)

    def answer(ref):
        listing = server.answer(ref)
        return RawPage(listing.items, None, f"{URL}?x=y" if listing.next_link else None, None)

    assert flat(pages(number_walk(), answer)) == server.names


def test_a_next_link_that_leads_back_is_an_error():
    def answer(ref):
        return RawPage((f"v{ref.number}",), None, f"{URL}?page=1", None)

    with pytest.raises(InvalidResponseError, match=r"^page 1 names page 1 as its next$"):
        list(pages(number_walk(), answer))


def test_the_next_link_of_the_last_page_may_lead_nowhere():
    def answer(ref):
        return RawPage(("a", "b"), 2, f"{URL}?page=1", None)

    assert list(pages(number_walk(), answer)) == [("a", "b")]


def test_pages_without_end_and_without_anything_new_are_an_error():
    def answer(ref):
        return RawPage(("a",), None, f"{URL}?page={ref.number + 1}", None)

    walk = number_walk(1)
    with pytest.raises(InvalidResponseError, match=r"^101 pages in a row held nothing new$"):
        list(pages(walk, answer))
    assert walk.answers == 1 + 101


@pytest.mark.parametrize("page", ["-1", "0", "x", "1e3", "9" * 5000, "²"])
def test_a_page_number_that_is_none_is_not_believed(page):
    server = MovingList(30)

    def answer(ref):
        listing = server.answer(ref)
        return RawPage(listing.items, 30, listing.next_link and f"{URL}?page={page}", None)

    assert flat(pages(number_walk(), answer)) == server.names


def test_a_link_that_is_no_url_is_an_error():
    def answer(ref):
        return RawPage(("a",), 2, "http://[", None)

    with pytest.raises(InvalidResponseError, match=r"^a page's link cannot be read$"):
        list(pages(number_walk(1), answer))


# Lists that do not count


@pytest.mark.parametrize("make_walk", [number_walk, token_walk])
@pytest.mark.parametrize("count", [0, 7, 10, 20, 23])
def test_a_list_without_total_and_links_ends_with_an_empty_page(make_walk, count):
    server = MovingList(count)

    def answer(ref):
        return RawPage(server.answer(ref).items, None, None, None)

    walk = make_walk()
    assert flat(pages(walk, answer)) == server.names
    assert walk.complete
    assert walk.answers == -(-count // 10) + 1


@pytest.mark.parametrize("make_walk", [number_walk, token_walk])
def test_a_list_that_repeats_its_only_page_is_not_complete(make_walk):
    walk = make_walk()
    assert flat(pages(walk, lambda ref: RawPage(("a", "b"), None, None, None))) == ["a", "b"]
    assert not walk.complete
    assert walk.answers == 2


def test_a_list_with_links_and_without_total_ends_where_they_end():
    server = MovingList(30)

    def answer(ref):
        page = server.answer(ref)
        return RawPage(page.items, None, page.next_link, None)

    walk = number_walk()
    assert flat(pages(walk, answer)) == server.names
    assert walk.complete
    assert walk.answers == 3


def test_a_total_below_a_pages_own_items_is_no_total():
    server = MovingList(30)

    def answer(ref):
        page = server.answer(ref)
        return RawPage(page.items, 0, None, None)

    walk = number_walk()
    assert flat(pages(walk, answer)) == server.names


# Lists that do not add up


def test_a_total_that_is_never_reached_ends_the_walk_after_three_passes_incomplete():
    server = MovingList(40)

    def answer(ref):
        listing = server.answer(ref)
        return RawPage(listing.items, 43, listing.next_link, None)

    walk = number_walk()
    assert flat(pages(walk, answer)) == server.names
    assert not walk.complete
    assert walk.passes == 3


@pytest.mark.parametrize("begin", [token_walk, number_walk])
def test_a_later_pass_over_a_long_list_may_find_nothing(begin):
    server = MovingList(1499)
    walk = begin()
    assert flat(pages(walk, lambda ref: evolve(server.answer(ref), total=1500))) == server.names
    assert not walk.complete
    assert server.requests == 3 * 150


@pytest.mark.parametrize("begin", [token_walk, number_walk])
@pytest.mark.parametrize("short", [1, 2, 3])
def test_a_later_pass_ends_when_it_has_found_what_was_missing(begin, short):
    server = MovingList(30)

    def answer(ref):
        listing = server.answer(ref)
        return evolve(listing, items=listing.items[1:]) if server.requests == short else listing

    walk = begin()
    assert sorted(flat(pages(walk, answer))) == sorted(server.names)
    assert server.requests == 3 + short
    assert walk.complete


def test_a_walk_that_has_found_all_in_a_later_pass_is_complete_though_items_went():
    server = MovingList(30)

    def answer(ref):
        if server.requests == 4:
            server.remove([server.names[0]])
        listing = server.answer(ref)
        return evolve(listing, items=listing.items[:-1]) if server.requests == 2 else listing

    walk = number_walk()
    found = flat(pages(walk, answer))
    assert len(found) == len(set(found))
    assert set(server.names) <= set(found)
    assert walk.complete


def test_what_was_pushed_meanwhile_is_found_at_the_front_with_one_more_request():
    server = MovingList(50)
    walk = number_walk()
    found = []
    for page in pages(walk, server.answer):
        found += page
        if server.requests == 3:
            server.push(2)
    assert sorted(found) == sorted(server.names)
    assert walk.complete
    assert server.requests == 7  # 52 names are 6 pages, and the first again


def test_a_total_of_a_trillion_does_not_keep_the_walk_going():
    def answer(ref):
        return RawPage(("a", "b") if ref.number == 1 else (), 10**12, None, None)

    walk = number_walk(2)
    assert flat(pages(walk, answer)) == ["a", "b"]
    assert not walk.complete
    assert walk.answers <= 9


# Lists that move


def test_one_item_that_slips_over_the_edge_is_read_again():
    server = MovingList(30)
    throughout = server.names[1:]
    walk = number_walk()
    found = []
    for page in pages(walk, server.answer):
        found += page
        if server.requests == 1:
            server.remove([server.names[0]])
    assert set(throughout) <= set(found)
    assert server.requests == 4


def test_a_walk_goes_on_between_the_pages_that_it_reads_again():
    server = MovingList(60)
    walk = number_walk()
    asked = []
    while (ref := walk.plan()) is not None:
        asked.append(ref.number)
        walk.receive(ref, server.answer(ref))
        server.remove([server.names[0]])
    assert asked == [1, 2, 1, 3, 2, 4, 3, 5, 4, 6, 5]


def test_what_may_have_slipped_as_an_item_went_and_another_came_is_read_again():
    server = MovingList(50)
    walk = number_walk()
    asked = []
    while (ref := walk.plan()) is not None:
        asked.append(ref.number)
        walk.receive(ref, server.answer(ref))
        if server.requests == 1:
            server.remove([server.names[0]])
        elif server.requests == 2:
            server.push(1)
    assert asked == [1, 2, 1, 3, 2, 4, 5]
    assert walk.complete


def test_only_the_page_that_an_item_may_have_slipped_to_is_read_again():
    server = MovingList(20)
    walk = number_walk()
    walk.receive(walk.plan(), server.answer(PageRef(1)))
    server.remove([server.names[0]])
    walk.receive(walk.plan(), server.answer(PageRef(2)))
    assert list(iter(walk.plan, None)) == [PageRef(1)]


def test_a_list_that_never_rests_is_given_up_after_three_times_its_pages():
    server = MovingList(50)

    def answer(ref):
        return evolve(server.answer(ref), total=50 + server.requests % 2)

    walk = number_walk()
    assert flat(pages(walk, answer)) == server.names
    assert not walk.complete
    assert server.requests == 3 * (6 + 1)


@pytest.mark.slow(1)
@pytest.mark.parametrize("how_many", [100, pytest.param(300, marks=pytest.mark.exhaustive)])
def test_what_is_there_throughout_is_yielded_while_items_come_and_go(how_many):
    @given(count=st.integers(1, 120), chance=st.randoms(use_true_random=False))
    @draws(how_many)
    def check(count, chance):
        server = MovingList(count)
        before = set(server.names)
        removed: set[str] = set()
        walk = number_walk()
        found: list[str] = []
        for nth, page in enumerate(pages(walk, server.answer)):
            found += page
            names = set(server.names)
            move = chance.random() if nth < 30 else 1.0
            if move < 0.3:
                server.push(chance.randint(0, 12))
            elif move < 0.5:
                server.remove(page)
            elif move < 0.9 and names:
                server.remove_at(chance.choices(range(200), k=chance.randint(0, 12)))
            removed |= names - set(server.names)
        assert len(found) == len(set(found))
        # A list that never rests may use up all the requests that a walk makes; it says so then.
        used_up = server.requests >= 3 * (-(-walk.highest_total // 10) + 1)
        assert before - removed <= set(found) or (used_up and not walk.complete)

    check()


@pytest.mark.slow(1)
@pytest.mark.parametrize("how_many", [100, pytest.param(300, marks=pytest.mark.exhaustive)])
def test_nothing_slips_in_silence_between_pages_that_are_under_way_at_once(how_many):
    """Answers are made at any moment between asking and reading, in any order."""

    @given(
        count=st.integers(1, 150),
        window=st.integers(2, 8),
        pushing=st.booleans(),
        chance=st.randoms(use_true_random=False),
    )
    @draws(how_many)
    def check(count, window, pushing, chance):
        server = MovingList(count)
        before = set(server.names)
        removed: set[str] = set()
        walk = number_walk()
        found: list[str] = []
        under_way: deque[list] = deque()
        while True:
            # As the pages do it: nothing is read ahead while items go.
            while (
                len(under_way) < (1 if walk.moving else window) and (ref := walk.plan()) is not None
            ):
                under_way.append([ref, None])
            if not under_way:
                break
            slots = list(range(len(under_way)))
            chance.shuffle(slots)
            for slot in slots:
                if under_way[slot][1] is None and (slot == 0 or chance.random() < 0.5):
                    under_way[slot][1] = server.answer(under_way[slot][0])
                    if server.requests < 60 and chance.random() < 0.3 and server.names:
                        names = set(server.names)
                        if pushing:
                            server.push(chance.randint(1, 3))
                        else:
                            server.remove_at(chance.choices(range(150), k=chance.randint(1, 3)))
                        removed |= names - set(server.names)
            ref, listing = under_way.popleft()
            found += walk.receive(ref, listing)[0]
        assert len(found) == len(set(found))
        assert before - removed <= set(found) or not walk.complete

    check()


@given(lag=st.integers(0, 4), share=st.integers(1, 3), pages_of=st.integers(1, 50))
@draws(150)
def test_deleting_as_one_walks_leaves_nothing_and_costs_at_most_twice_the_pages(
    lag, share, pages_of
):
    """Whether everything is deleted at once or some pages later, and in parts."""
    server = MovingList(pages_of * SIZE)
    walk = number_walk()
    waiting: deque[tuple[str, ...]] = deque()
    found: list[str] = []
    for page in pages(walk, server.answer):
        found += page
        for part in range(share):
            waiting.append(page[part::share])
        while len(waiting) > lag:
            server.remove(waiting.popleft())
    for page in waiting:
        server.remove(page)
    assert server.names == []
    assert len(found) == pages_of * SIZE
    assert walk.complete
    assert server.requests <= max(2, 2 * pages_of)


@pytest.mark.parametrize("begin", [token_walk, number_walk])
def test_a_list_that_vanishes_when_all_of_it_was_found_is_complete(begin):
    walk = begin()
    walk.receive(walk.plan(), RawPage(tuple("abcdefghij"), 10, f"{URL}?page=2", None))
    walk.plan()
    assert walk.list_deleted()
    assert walk.plan() is None
    assert walk.complete
    assert (walk.found, walk.total) == (10, 0)


def test_a_list_that_vanishes_as_a_page_is_read_again_is_complete_when_all_was_found():
    server = MovingList(30)
    walk = number_walk()
    walk.receive(walk.plan(), server.answer(PageRef(1)))
    second, third = walk.plan(), walk.plan()
    late = server.answer(third)
    server.remove([server.names[-1]])
    walk.receive(second, server.answer(second))
    walk.receive(third, late)
    assert not walk.complete
    assert walk.plan() == PageRef(1)
    assert walk.list_deleted()
    assert walk.complete


@pytest.mark.parametrize("begin", [token_walk, number_walk])
def test_a_list_that_vanishes_halfway_is_not_taken_for_its_end(begin):
    walk = begin()
    walk.receive(walk.plan(), RawPage(tuple("abcdefghij"), 20, f"{URL}?page=2", None))
    assert not walk.list_deleted()


# Page tokens


class TokenServer:
    """Pages of a list by token, each of two items."""

    def __init__(self, names: str, total: int | None = None) -> None:
        self.names = names
        self.total = total
        self.asked: list[PageRef] = []

    def link(self, after: str, page: int) -> str:
        return f"{URL}?page={page}&page_token={after}&per_page=2"

    def answer(self, ref: PageRef) -> RawPage[str]:
        self.asked.append(ref)
        if ref.token is not None:
            rest = [name for name in self.names if name > ref.token]
        else:
            rest = list(self.names[(ref.number - 1) * 2 :])
        more = self.link(rest[1], ref.number + 1) if len(rest) > 2 else None
        total = len(self.names) if self.total is None else self.total
        return RawPage(tuple(rest[:2]), total, more, None)


def test_tokens_are_followed_and_pages_counted():
    server = TokenServer("abcde")
    walk = TokenWalk(list)
    assert flat(pages(walk, server.answer)) == list("abcde")
    assert server.asked == [PageRef(1), PageRef(2, "b"), PageRef(3, "d")]
    assert walk.complete


@pytest.mark.parametrize("more", ["", "sort=name&", "page=1&", "a=b&" * 99])
def test_a_next_link_without_a_token_is_followed_by_its_page(more):
    server = TokenServer("abcde")
    server.link = lambda after, page: f"{URL}?{more}page={page}"
    walk = TokenWalk(list)
    assert flat(pages(walk, server.answer)) == list("abcde")
    assert server.asked == [PageRef(1), PageRef(2), PageRef(3)]


@pytest.mark.parametrize("page", [2, 9_999_999_999])
def test_a_page_number_has_up_to_ten_digits(page):
    walk = TokenWalk(list)
    walk.receive(walk.plan(), RawPage(("a",), 2, f"{URL}?sort=name&page={page}", None))
    assert walk.plan() == PageRef(page)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sort=name&page=1", "page 1 names page 1 as its next"),
        ("page=10000000000", "a next link with neither a page token nor a page"),
        ("a=b&" * 100 + "page=2", "a page's link cannot be read"),
    ],
)
def test_a_next_link_that_cannot_be_followed_is_an_error(query, message):
    walk = TokenWalk(list)
    with pytest.raises(InvalidResponseError, match=f"^{message}$"):
        walk.receive(walk.plan(), RawPage(("a",), 2, f"{URL}?{query}", None))


def test_a_next_link_without_a_page_is_followed_by_its_token():
    server = TokenServer("abcde")
    server.link = lambda after, page: f"https://elsewhere.example/?page_token={after}"
    assert flat(pages(TokenWalk(list), server.answer)) == list("abcde")


def test_a_next_link_with_neither_is_an_error():
    server = TokenServer("abcde")
    server.link = lambda after, page: URL
    with pytest.raises(
        InvalidResponseError, match=r"^a next link with neither a page token nor a page$"
    ):
        list(pages(TokenWalk(list), server.answer))


def test_a_token_that_comes_twice_is_an_error():
    server = TokenServer("abcde")
    server.link = lambda after, page: f"{URL}?page_token=a"
    with pytest.raises(
        InvalidResponseError, match=r"^a page token came twice: the pages lead in a circle$"
    ):
        list(pages(TokenWalk(list), server.answer))


def test_a_page_by_number_that_leads_back_is_an_error():
    server = TokenServer("abcde")
    server.link = lambda after, page: f"{URL}?page=1"
    with pytest.raises(InvalidResponseError, match=r"^page 1 names page 1 as its next$"):
        list(pages(TokenWalk(list), server.answer))


def test_tokens_without_end_and_without_anything_new_are_an_error():
    def answer(ref):
        return RawPage(("a",), None, f"{URL}?page_token={ref.number}", None)

    with pytest.raises(InvalidResponseError, match="held nothing new"):
        list(pages(TokenWalk(list), answer))


def test_an_empty_token_page_in_the_middle_is_not_the_end():
    def answer(ref):
        items = {1: ("a",), 2: (), 3: ("b",)}[ref.number]
        more = f"{URL}?page_token=t{ref.number}" if ref.number < 3 else None
        return RawPage(items, 2, more, None)

    walk = TokenWalk(list)
    assert flat(pages(walk, answer)) == ["a", "b"]
    assert walk.complete


def test_a_token_walk_that_falls_short_begins_again_and_then_says_so():
    server = TokenServer("abcde", total=6)
    walk = TokenWalk(list)
    assert flat(pages(walk, server.answer)) == list("abcde")
    assert not walk.complete
    assert len(server.asked) == 9


def test_a_token_walk_that_finds_what_was_missing_stops_at_once():
    server = TokenServer("bcde")
    walk = TokenWalk(list)
    found = []
    for page in pages(walk, server.answer):
        found += page
        if len(server.asked) == 1:
            server.names = "abcde"
    assert sorted(found) == list("abcde")
    assert len(server.asked) == 3
    assert walk.complete


def test_a_token_walk_is_complete_when_what_was_missing_went():
    server = TokenServer("abcde", total=6)
    walk = TokenWalk(list)
    for _ in pages(walk, server.answer):
        if len(server.asked) == 3:
            server.total = 5
    assert walk.complete
    assert len(server.asked) == 4


def test_what_slipped_is_looked_for_on_all_pages():
    server = TokenServer("abcdefgh")
    server.link = lambda after, page: f"{URL}?page={page}"
    walk = TokenWalk(list)
    found = []
    for page in pages(walk, server.answer):
        found += page
        if len(server.asked) == 2:
            server.names = "bcdefgh"  # e slips onto the second page
    assert sorted(found) == list("abcdefgh")
    assert walk.complete


def test_a_page_reached_by_number_while_items_went_costs_another_pass():
    server = TokenServer("abcdef")
    server.link = lambda after, page: f"{URL}?page={page}"
    walk = TokenWalk(list)
    found = []
    for page in pages(walk, server.answer):
        found += page
        if len(server.asked) == 1:
            server.names = "bcdef"  # c slips onto the first page
    assert sorted(found) == list("abcdef")
    assert walk.complete


@pytest.mark.parametrize(
    ("begin", "first_pass"), [(lambda: TokenWalk(list), 1), (lambda: NumberWalk(list, 2), 2)]
)
def test_a_second_pass_without_end_is_an_error(begin, first_pass):
    walk = begin()
    answers = 0

    def answer(ref):
        nonlocal answers
        answers += 1
        more = f"{URL}?page={ref.number + 1}&page_token=t{answers}" if walk.passes > 1 else None
        return RawPage(("a", "b"), 3, more, None)

    barren = first_pass + 101
    with pytest.raises(InvalidResponseError, match=f"^{barren} pages in a row held nothing new$"):
        list(pages(walk, answer))
    assert answers == first_pass + barren


def test_nameless_items_without_end_are_an_error():
    def answer(ref):
        return RawPage(("", ""), 2, f"{URL}?page={ref.number + 1}", None)

    with pytest.raises(InvalidResponseError, match="held nothing new"):
        list(pages(number_walk(2), answer))


@pytest.mark.parametrize("begin", [lambda: TokenWalk(list), lambda: NumberWalk(list, 2)])
def test_a_list_without_a_total_that_vanishes_is_not_taken_for_its_end(begin):
    walk = begin()
    walk.receive(walk.plan(), RawPage(("a", "b"), None, f"{URL}?page=2", None))
    assert not walk.list_deleted()
