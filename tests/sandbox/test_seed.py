"""States to begin with."""

import pytest

from aioregistry.sandbox.seed import generated_state, history_state

HISTORY = {
    "repository": "Owner/Project",
    "pushes": [
        {
            "at": "2024-03-01T10:00:00Z",
            "sha": "0123456789abcdef0123456789abcdef01234567",
            "on_default_branch": True,
            "releases": [],
        },
        {
            "at": "2024-03-02T10:00:00Z",
            "sha": "fedcba9876543210fedcba9876543210fedcba98",
            "on_default_branch": False,
            "releases": ["v1.0.0", "v1"],
        },
    ],
}


def test_a_history_becomes_one_image_for_each_push():
    state = history_state(HISTORY)
    repository = state.registry("example").repository("project")
    assert [manifest.tags for manifest in repository.manifests.values()] == [
        ("0123456789ab",),
        ("fedcba987654", "v1.0.0", "v1"),
    ]
    assert state.tag_names("example", "project")[-1] == "0123456789ab"


@pytest.mark.parametrize(("tags", "repositories"), [(1, 1), (5, 5), (50, 3), (2000, 10)])
def test_generated_content_has_the_tags_and_repositories_asked_for(tags, repositories):
    registry = generated_state(tags, repositories).registry("example")
    held = registry.repositories.values()
    assert len(held) == repositories
    assert sum(len(repository.tags) for repository in held) == tags


def test_generated_content_is_the_same_for_the_same_seed():
    one, two, other = (
        list(generated_state(300, 2, seed).registry("example").blobs) for seed in (1, 1, 2)
    )
    assert one == two != other


def test_generated_content_has_what_a_real_registry_has():
    registry = generated_state(500).registry("example")
    (repository,) = registry.repositories.values()
    manifests = repository.manifests.values()
    names = set(repository.tags)
    assert {"latest", "main", "v0.0.1"} < names
    assert any(name.startswith("sha256-") and name.endswith(".sig") for name in names)
    indexes = [manifest for manifest in manifests if manifest.form.children]
    assert indexes
    assert all(len(index.form.children) == 4 for index in indexes)
    children = {child for index in indexes for child in index.form.children}
    assert any(not m.tags and m.digest not in children for m in manifests)
    references = sum(len(manifest.blobs) for manifest in manifests)
    assert references > len(registry.blobs)


@pytest.mark.parametrize(("tags", "repositories"), [(0, 1), (1, 2), (1, 0)])
def test_fewer_tags_than_repositories_are_refused(tags, repositories):
    with pytest.raises(ValueError, match="repository"):
        generated_state(tags, repositories)
