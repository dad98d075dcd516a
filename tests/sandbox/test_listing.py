"""The order-keeping list behind every listing."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.sandbox.state.listing import Listing


def identity(item):
    return item


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=200))
def test_it_is_what_a_sorted_list_would_be(changes):
    listing, plain = Listing(identity), []
    for wants_in, number in changes:
        if wants_in and number not in plain:
            listing.add(number)
            plain = sorted([*plain, number])
        elif number in plain and not wants_in:
            listing.remove(number)
            plain.remove(number)
    assert list(listing) == plain
    assert len(listing) == len(plain)
    assert listing.first() == (plain[0] if plain else None)
    assert listing.slice(2, 5) == plain[2:7]


def test_pages_are_right_across_many_blocks():
    numbers = list(range(10_000))
    random.Random(1).shuffle(numbers)
    listing = Listing(identity)
    for number in numbers:
        listing.add(number)
    for number in range(0, 10_000, 3):
        listing.remove(number)
    left = [number for number in range(10_000) if number % 3]
    assert list(listing) == left
    for start in (0, 1, 511, 512, 1023, 4000, len(left) - 1, len(left), len(left) + 7):
        assert listing.slice(start, 200) == left[start : start + 200]


def test_the_newest_may_always_come_first():
    listing = Listing(identity)
    for number in range(5000, 0, -1):
        listing.add(number)
    assert listing.slice(0, 5000) == list(range(1, 5001))


@pytest.mark.parametrize("there", [[], [1], [3], [1, 3]])
def test_what_is_not_listed_cannot_be_removed(there):
    listing = Listing(identity)
    for number in there:
        listing.add(number)
    with pytest.raises(ValueError, match="not listed"):
        listing.remove(2)
