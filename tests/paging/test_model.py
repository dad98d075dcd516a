"""A model checker of walks: lists that move, and pages that are served in every order.

Between any two answers of the server items come or go, never both: that as many went as came is
what page numbers cannot show. All else a walk must find, or not claim to be complete.
"""

import random

import pytest

from aioregistry.api.decoding import RawPage
from aioregistry.paging.number_walk import NumberWalk


class Choices:
    """Choices along a path, and the first of each after it; or random ones."""

    def __init__(self, path=(), rng=None):
        self.path, self.rng, self.widths = list(path), rng, []

    def __call__(self, options):
        if self.rng is not None:
            return self.rng.choice(options)
        at = len(self.widths)
        self.widths.append(len(options))
        self.path += [0] * (at == len(self.path))
        return options[self.path[at]]

    def following(self):
        """The path of the next run, None after the last."""
        path = self.path[: len(self.widths)]
        while path and path[-1] + 1 == self.widths[len(path) - 1]:
            path.pop()
        return [*path[:-1], path[-1] + 1] if path else None


def walked(choose, count, per_page, concurrency, moves, *, both_ways=False):
    """Walk a list while the adversary moves it and serves what is under way as it likes.

    Returns:
        The items that were there all the time and were not found, and the walk.
    """
    items = [str(number) for number in range(count)]
    always, found = set(items), set()
    walk = NumberWalk(list, per_page)
    window, under_way, moved, last_move = 1, [], 0, None
    while True:
        while len(under_way) < window and (ref := walk.plan()) is not None:
            under_way.append([ref, None])
        if not under_way:
            return always - found, walk
        while True:
            waiting = [request for request in under_way if request[1] is None]
            steps = ["receive"] * (under_way[0] not in waiting) + ["serve"] * bool(waiting)
            if moved < moves:
                steps += ["insert"] * (both_ways or last_move != "remove")
                steps += ["remove"] * (bool(items) and (both_ways or last_move != "insert"))
            step = choose(steps)
            if step == "receive":
                break
            if step == "serve":
                request = choose(waiting)
                request[1] = served(items, request[0].number, per_page)
                last_move = None
                continue
            moved, last_move = moved + 1, step
            if step == "insert":
                items.insert(choose(range(len(items) + 1)), f"new {moved}")
            else:
                always.discard(items.pop(choose(range(len(items)))))
        ref, page = under_way.pop(0)
        found |= {*walk.receive(ref, page)[0]}
        window = 1 if walk.moving else min(2 * window, concurrency)
        assert walk.answers < 200


def served(items, number, per_page):
    more = number * per_page < len(items)
    start = (number - 1) * per_page
    return RawPage(
        tuple(items[start : start + per_page]),
        len(items),
        f"https://x/y?page={number + 1}&per_page={per_page}" if more else None,
        f"https://x/y?page={-(-len(items) // per_page)}&per_page={per_page}" if more else None,
    )


def misses(runs, *, both_ways=False):
    """How many random runs miss an item though they say complete, and how many say complete."""
    rng = random.Random(runs)
    missed = complete = 0
    for _ in range(runs):
        sizes = rng.randint(1, 8), rng.randint(1, 3), rng.choice([2, 4, 8]), rng.randint(0, 6)
        lost, walk = walked(Choices(rng=rng), *sizes, both_ways=both_ways)
        missed += bool(lost) and walk.complete
        complete += walk.complete
    return missed, complete


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("concurrency", [2, 4])
def test_no_order_of_serving_hides_an_item_around_one_move(count, concurrency):
    path = []
    while path is not None:
        choose = Choices(path)
        missed, walk = walked(choose, count, 1, concurrency, moves=1)
        assert not (missed and walk.complete), path
        path = choose.following()


def test_no_order_of_serving_hides_an_item_around_six_moves():
    missed, complete = misses(8000)
    assert missed == 0
    assert complete > 0.99 * 8000


def test_items_that_come_and_go_between_two_answers_can_hide_one():
    """The one thing that page numbers cannot show; and the checker sees what is missed."""
    missed, _ = misses(4000, both_ways=True)
    assert missed > 0


@pytest.mark.parametrize(("count", "per_page"), [(8, 1), (8, 3), (6, 2)])
def test_a_list_that_holds_still_costs_each_page_once_in_whatever_order(count, per_page):
    for seed in range(50):
        missed, walk = walked(Choices(rng=random.Random(seed)), count, per_page, 8, moves=0)
        assert walk.complete
        assert not missed
        assert walk.answers == -(-count // per_page)
