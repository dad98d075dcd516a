"""Which tags are releases, and which is newer."""

import pytest

from aioregistry.cleanup.policy.releases import Release


@pytest.mark.parametrize("tag", ["v1.2.3", "1.2.3", "v01.02.03", "1.2.3_build.5", "1.2.3+build"])
def test_a_release_is_read(tag):
    assert Release.parse(tag) == Release(1, 2, 3)


@pytest.mark.parametrize(
    "tag",
    [
        "v1.2",
        "1.2.3-rc1",
        "1.2.3_",
        "1.2.3-rc1_build",
        "1.2.3.4",
        "V1.2.3",
        "v1.2.x",
        "latest",
        "1.2.٣",
        "1.2.3\n",
    ],
)
def test_anything_else_is_none(tag):
    assert Release.parse(tag) is None


def test_a_number_may_be_as_long_as_a_tag():
    long = Release.parse("2024.12.20241209123456789012")
    assert long is not None
    assert long > Release.parse("2024.12.9999999999999999999")


def test_releases_are_in_the_order_of_their_numbers():
    tags = ["v1.10.0", "v1.9.9", "v2.0.0", "v1.9.10"]
    assert sorted(tags, key=Release.parse) == ["v1.9.9", "v1.9.10", "v1.10.0", "v2.0.0"]


@pytest.mark.parametrize(
    ("tag", "build"), [("1.2.3", ""), ("v1.2.3_b.5", "b.5"), ("1.2.3+x-1", "x-1")]
)
def test_the_build_of_a_release_is_known_and_orders_nothing(tag, build):
    found = Release.parse(tag)
    assert found is not None
    assert found.build == build
    assert found == Release(1, 2, 3, "other")


def test_what_looks_like_a_version_and_is_no_release():
    nearly = ["v1", "v1.0", "1.2", "2024.09", "1.2.3.4"]
    others = [
        "v1.2.3",
        "1.2.3-rc1",
        "20240901",
        "1",
        "pr-1.2",
        "1.2-",
        "v1x",
        "1e4b93250a11",
        "latest",
    ]
    assert Release.nearly([*nearly, *others]) == frozenset(nearly)
    assert Release.nearly([]) == frozenset()
