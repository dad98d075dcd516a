"""The account without sockets: what a push, a move and a delete do."""

from datetime import UTC, datetime, timedelta

import pytest

from aioregistry.sandbox import Refusal, State

START = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def state():
    state = State()
    state.add_registry("example")
    return state


def pushed(state, count=3, repository="repo-1"):
    return [
        state.push("example", repository, [f"v{number}"], at=START + timedelta(days=number))
        for number in range(count)
    ]


def test_tags_are_listed_newest_first(state):
    pushed(state)
    assert state.tag_names("example", "repo-1") == ["v2", "v1", "v0"]


def test_tags_of_one_moment_are_listed_by_name(state):
    state.push("example", "repo-1", ["b", "a", "c"], at=START)
    assert state.tag_names("example", "repo-1") == ["a", "b", "c"]


def test_a_tag_that_is_pushed_again_leaves_its_manifest_untagged(state):
    old = state.push("example", "repo-1", ["latest"], at=START)
    state.push("example", "repo-1", ["latest"], at=START + timedelta(days=1))
    repository = state.registry("example").repository("repo-1")
    assert repository.manifests[bytes.fromhex(old[7:])].tags == ()
    assert state.tag_names("example", "repo-1") == ["latest"]


def test_a_digest_pushed_again_only_gets_the_tags(state):
    digest = state.push("example", "repo-1", ["one"], at=START)
    again = state.push("example", "repo-1", ["two"], digest=digest, at=START)
    repository = state.registry("example").repository("repo-1")
    assert again == digest
    assert [manifest.tags for manifest in repository.manifests.values()] == [("one", "two")]


def test_a_manifests_tags_go_with_it(state):
    digest = state.push("example", "repo-1", ["one", "two"], at=START)
    pushed(state)
    state.delete_manifest("example", "repo-1", digest)
    assert state.tag_names("example", "repo-1") == ["v2", "v1", "v0"]


def test_a_tag_that_is_deleted_leaves_its_manifest(state):
    pushed(state)
    state.delete_tag("example", "repo-1", "v1")
    assert state.tag_names("example", "repo-1") == ["v2", "v0"]
    assert len(state.registry("example").repository("repo-1").manifests) == 3


def test_a_repository_goes_with_its_last_manifest(state):
    for digest in pushed(state):
        state.delete_manifest("example", "repo-1", digest)
    assert state.registry("example").repository_names == []
    with pytest.raises(Refusal) as caught:
        state.tag_names("example", "repo-1")
    assert caught.value.status == 404


def test_blobs_that_manifests_share_are_stored_once(state):
    base = ("sha256:" + "a" * 64, 1_000_000)
    one = state.push("example", "one", ["v1"], blobs=[("sha256:" + "b" * 64, 100), base])
    before = state.registry("example").storage_bytes
    state.push("example", "two", ["v1"], blobs=[("sha256:" + "c" * 64, 100), base])
    grown = state.registry("example").storage_bytes - before
    assert 100 < grown < 2000
    state.delete_manifest("example", "one", one)
    assert state.registry("example").storage_bytes == before + grown


def test_storage_is_the_sum_of_the_blobs(state):
    pushed(state, 20)
    registry = state.registry("example")
    assert registry.storage_bytes == sum(registry.blobs.values())


@pytest.mark.parametrize(
    ("registry", "repository", "tag", "status"),
    [
        ("example", "Repo", "v1", 422),
        ("example", "a//b", "v1", 422),
        ("example", "../b", "v1", 422),
        ("example", "a" * 256, "v1", 422),
        ("example", "repo", "-v1", 422),
        ("example", "repo", "a b", 422),
        ("other", "repo", "v1", 404),
    ],
)
def test_names_that_a_registry_does_not_take_are_refused(state, registry, repository, tag, status):
    with pytest.raises(Refusal) as caught:
        state.push(registry, repository, [tag])
    assert caught.value.status == status


def test_a_push_that_is_refused_for_one_of_its_tags_leaves_nothing_behind(state):
    with pytest.raises(Refusal):
        state.push("example", "repo", ["v1", "a b"])
    assert not state.registry("example").repositories


@pytest.mark.parametrize("name", ["", "-a", "a-", "1a", "A", "a" * 64, "a_b", None])
def test_registry_names_that_the_api_does_not_take_are_refused(name):
    with pytest.raises(Refusal) as caught:
        State().add_registry(name)
    assert caught.value.status == 422


def test_a_registry_is_in_a_region_that_there_is():
    with pytest.raises(Refusal) as caught:
        State().add_registry("example", "mars")
    assert caught.value.status == 422


def test_a_tier_without_overage_is_refused_to_whoever_stores_more(state):
    state.push("example", "repo", ["v1"], size=600 * 1024**2)
    with pytest.raises(Refusal, match="OverStorageLimit"):
        state.subscribe("starter")


def test_a_registry_has_its_name_to_itself(state):
    with pytest.raises(Refusal) as caught:
        state.add_registry("example")
    assert caught.value.status == 409


def test_an_image_needs_a_config(state):
    with pytest.raises(ValueError, match="config"):
        state.push("example", "repo", ["v1"], blobs=[])
