"""What the demo chooses to delete."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry import Tag
from aioregistry.cli.retention import condemned

START = datetime(2024, 1, 1, tzinfo=UTC)


def tag(name: str, day: int | None, repository: str = "web") -> Tag:
    at = None if day is None else START + timedelta(days=day)
    return Tag(repository=repository, tag=name, updated_at=at)


def commit(number: int, repository: str = "web") -> Tag:
    return tag(f"{number:012x}", number, repository)


def test_all_but_the_newest_commit_tags_go_the_oldest_first():
    tags = [commit(number) for number in (3, 1, 5, 2, 4)]
    assert condemned(tags, 2) == {"web": tuple(f"{number:012x}" for number in (1, 2, 3))}


def test_each_repository_keeps_its_own_newest():
    tags = [commit(1, "a"), commit(2, "a"), commit(8, "b"), commit(9, "b"), commit(7, "c")]
    assert condemned(tags, 1) == {"a": ("000000000001",), "b": ("000000000008",)}


@pytest.mark.parametrize(
    "name",
    [
        "latest",
        "main",
        "v1.2.3",
        "1.2.3-rc.1",
        "sha256-" + "0" * 64 + ".sig",
        "0123456789ab-arm64",
        "0123456789a",
        "0123456789abc",
        "0123456789AB",
        "0123456789ab\n",
    ],
)
def test_what_is_no_commit_tag_stays_and_does_not_count(name):
    assert condemned([tag(name, 9), commit(1), commit(2)], 1) == {"web": ("000000000001",)}
    assert condemned([tag(name, 0)], 0) == {}


def test_a_release_that_looks_like_a_commit_stays_and_does_not_count():
    release = tag("202401020304", 0)
    assert condemned([release, commit(1)], 0, {release.tag}) == {"web": ("000000000001",)}


def test_a_tag_without_a_time_stays_and_does_not_count():
    tags = [tag("00000000000f", None), commit(1), commit(2)]
    assert condemned(tags, 1) == {"web": ("000000000001",)}


def test_of_tags_of_one_moment_the_names_decide():
    tags = [tag("00000000000b", 1), tag("00000000000a", 1), tag("00000000000c", 1)]
    assert condemned(tags, 1) == {"web": ("00000000000a", "00000000000b")}


@given(
    numbers=st.sets(st.integers(0, 400), max_size=40),
    keep=st.integers(0, 50),
    random=st.randoms(use_true_random=False),
)
def test_what_is_kept_is_the_newest_whatever_the_order(numbers, keep, random):
    tags = [commit(number) for number in numbers]
    random.shuffle(tags)
    gone = condemned(tags, keep).get("web", ())
    newest_first = [f"{number:012x}" for number in sorted(numbers, reverse=True)]
    assert set(newest_first) - set(gone) == set(newest_first[:keep])
