"""The set of names that a walk has yielded."""

from hypothesis import given
from hypothesis import strategies as st

from aioregistry.paging.fingerprints import _MOST_IN_A_SET as MOST_IN_A_SET
from aioregistry.paging.fingerprints import _MOST_IN_SETS as MOST_IN_SETS
from aioregistry.paging.fingerprints import Fingerprints


@given(
    pages=st.lists(st.lists(st.text(max_size=3), max_size=50)),
    expected=st.sampled_from([0, MOST_IN_SETS + 1]),
)
def test_it_knows_what_a_set_knows(pages, expected):
    known: set[str] = set()
    fingerprints = Fingerprints(expected)
    for page in pages:
        new = []
        for name in page:
            if name not in known:
                new.append(name)
                known |= {name} - {""}
        assert fingerprints.add_new(page, page) == new
        assert fingerprints.count == len(known)


def test_it_still_knows_everything_after_it_has_grown():
    fingerprints = Fingerprints()
    names = [f"v{number}" for number in range(3 * MOST_IN_SETS)]
    for start in range(0, len(names), 1000):
        page = names[start : start + 1000]
        assert fingerprints.add_new(page, page) == page
    assert fingerprints.add_new(names, names) == []


def test_names_of_a_set_that_is_full_are_known_beside_those_of_the_next():
    fingerprints = Fingerprints()
    names = [f"v{number}" for number in range(MOST_IN_A_SET + 1000)]
    for start in range(0, len(names), 200):
        page = names[start : start + 200]
        assert fingerprints.add_new(page, page) == page
    for page in (names[:200], names[-200:], names[MOST_IN_A_SET - 100 : MOST_IN_A_SET + 100]):
        assert fingerprints.add_new(page, page) == []
    assert fingerprints.count == len(names) < MOST_IN_SETS - 200


def test_items_without_a_name_are_all_new():
    fingerprints = Fingerprints()
    assert fingerprints.add_new(["", "", "a"], ["", "", "a"]) == ["", "", "a"]


@given(expected=st.integers(MOST_IN_SETS + 1, 10**6))
def test_a_table_laid_out_for_a_list_takes_at_most_twenty_bytes_a_name(expected):
    assert len(Fingerprints(expected)._table) * 8 <= 20 * expected


def test_a_table_grows_before_it_is_too_full_and_then_has_at_most_twenty_bytes_a_name():
    fingerprints = Fingerprints(MOST_IN_SETS + 1)
    for start in range(0, 4 * MOST_IN_SETS, 500):
        names = [f"v{number}" for number in range(start, start + 500)]
        fingerprints.add_new(names, names)
        slots = len(fingerprints._table)
        assert fingerprints.count <= slots * 4 // 5
        assert slots * 8 <= 20 * max(fingerprints.count + 1, MOST_IN_SETS + 1)


class Name(str):
    """A name with a hash of its own."""

    __slots__ = ("number",)

    def __hash__(self) -> int:
        return {"a": 1, "b": 1 + 2**20, "c": 2}[str(self)]


def test_two_names_in_one_slot_are_told_apart():
    fingerprints = Fingerprints(MOST_IN_SETS + 1)
    names = [Name(name) for name in "abcba"]
    assert fingerprints.add_new(names, names) == names[:3]


def test_a_server_that_claims_a_trillion_items_gets_no_table_for_them():
    assert len(Fingerprints(10**12)._table) * 8 <= 2**24
