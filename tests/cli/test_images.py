"""The commands `aioregistry tag`, `untag` and `copy`."""

import json

import pytest

from tests.images.pushing import manifests, put, tags
from tests.real.images import Store


@pytest.fixture
def filled(shell):
    """Two images in `web`, the first of them signed."""
    store = Store()
    shell.root = store.image("app", [store.layer("a", 4_000)])
    shell.other = store.image("other", [store.layer("b")])
    shell.signature = shell.root["digest"].replace(":", "-") + ".sig"
    put(shell.sandbox, store, shell.root, "v1")
    put(shell.sandbox, store, shell.other, "v2")
    put(shell.sandbox, store, store.signature(shell.root), shell.signature)
    shell.store = store
    return shell


def writes(shell) -> int:
    return sum(one.method in {"PUT", "POST", "DELETE"} for one in shell.sandbox.requests)


def test_tags_are_set(filled):
    result = filled.run("tag", "web:v1", "stable", "latest", "-o", "json")
    assert result.exit_code == 0, result.output
    assert [(one["tag"], one["status"]) for one in json.loads(result.stdout)] == [
        ("stable", "set"),
        ("latest", "set"),
    ]
    assert "2 tags set" in result.stderr
    assert tags(filled.sandbox, "web")["latest"] == filled.root["digest"]


def test_a_tag_is_set_by_digest(filled):
    assert filled.run("tag", f"example/web@{filled.root['digest']}", "stable").exit_code == 0
    assert tags(filled.sandbox, "web")["stable"] == filled.root["digest"]


def test_a_tag_that_exists_on_this_image_is_told_and_not_set(filled):
    result = filled.run("tag", "web:v1", "v1")
    assert result.exit_code == 0
    assert "0 tags set; 1 tag existed on this image already" in result.stderr
    assert not writes(filled)


def test_a_tag_on_another_image_is_refused_until_forced(filled):
    refused = filled.run("tag", "web:v1", "new", "v2")
    assert refused.exit_code == 4
    assert f"web:v2: exists, on {filled.other['digest']}; --force moves it" in refused.stderr
    assert "no tag was set" in refused.stderr
    assert not writes(filled)
    forced = filled.run("tag", "web:v1", "v2", "--force", "-o", "json", "--columns", "all")
    assert json.loads(forced.stdout)[0]["previous"] == filled.other["digest"]
    assert tags(filled.sandbox, "web")["v2"] == filled.root["digest"]


def test_a_dry_run_sets_no_tag(filled):
    result = filled.run("tag", "web:v1", "stable", "--dry-run")
    assert (result.exit_code, "1 tag would be set" in result.stderr) == (0, True)
    assert not writes(filled)


def test_an_image_is_copied_with_its_signature(filled):
    result = filled.run("copy", "web:v1", "team/web", "-o", "json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert {one["status"] for one in rows} == {"copied"}
    assert set(tags(filled.sandbox, "team/web")) == {"v1", filled.signature}
    assert "mounted, none uploaded" in result.stderr


def test_a_copy_can_have_another_tag_and_no_signature(filled):
    assert filled.run("copy", "web:v1", "api:stable", "--no-referrers").exit_code == 0
    assert set(tags(filled.sandbox, "api")) == {"stable"}


def test_a_copy_without_a_tag_says_that_it_has_none(filled):
    result = filled.run("copy", f"web@{filled.root['digest']}", "api", "--no-referrers")
    assert "no tag is on it in 'api'" in result.stderr
    assert manifests(filled.sandbox, "api") == {filled.root["digest"]}


def test_a_copy_onto_another_tag_is_refused(filled):
    put(filled.sandbox, filled.store, filled.other, "v1", to="api")
    result = filled.run("copy", "web:v1", "api")
    assert result.exit_code == 4
    assert f"api:v1: exists, on {filled.other['digest']}" in result.stderr
    assert not writes(filled)


def test_what_was_not_copied_is_told_with_exit_code_1(filled):
    put(filled.sandbox, filled.store, filled.other, filled.signature, to="api")
    result = filled.run("copy", "web:v1", "api")
    assert result.exit_code == 1
    assert f"{filled.signature}: kept: it is on sha256:" in result.stderr


def test_a_dry_run_copies_nothing(filled):
    result = filled.run("copy", "web:v1", "api", "--dry-run")
    assert "2 manifests and 2 tags would be copied; 4 blobs (" in result.stderr
    assert not writes(filled)


def test_tags_of_several_repositories_are_deleted_and_what_stays_is_told(filled):
    put(filled.sandbox, filled.store, filled.root, "v1", to="api")
    filled.run("tag", "web:v2", "same")
    result = filled.run("untag", "web:v1", "web:v2", "api:v1", "--yes", "-o", "json")
    assert result.exit_code == 0, result.output
    rows = {one["tag"]: one for one in json.loads(result.stdout)}
    assert {one["status"] for one in rows.values()} == {"deleted"}
    assert rows["web:v2"]["left"] == ["same"]
    assert "2 manifests now without a tag" in result.stderr
    assert f"  web@{filled.root['digest']}" in result.stderr
    assert filled.root["digest"] in manifests(filled.sandbox, "web")
    assert set(tags(filled.sandbox, "web")) == {"same", filled.signature}


def test_untag_can_be_undone(filled):
    before = tags(filled.sandbox, "web")
    result = filled.run("untag", "web:v1", "web:v2", "--yes", "--archive", "archive")
    assert "to restore: aioregistry cleanup undo archive" in result.stderr
    assert set(tags(filled.sandbox, "web")) == {filled.signature}
    undone = filled.run("cleanup", "undo", "archive")
    assert undone.exit_code == 0, undone.output
    assert tags(filled.sandbox, "web") == before


def test_untag_without_an_archive_is_for_good(filled):
    result = filled.run("untag", "web:v1", "--yes", "--no-archive")
    assert result.exit_code == 0
    assert "to restore" not in result.stderr


def test_untag_asks_before_it_deletes(filled):
    result = filled.run("untag", "web:v1", stdin="y\n")
    assert result.exit_code == 2
    assert "nothing was deleted: no terminal to ask on" in result.stderr
    assert not writes(filled)


def test_untag_dry_run_says_what_would_stay(filled):
    result = filled.run("untag", "web:v1", "--dry-run")
    assert result.exit_code == 0
    assert "1 manifest would be without a tag" in result.stderr
    assert not writes(filled)


def test_a_tag_that_does_not_exist_is_told(filled):
    result = filled.run("untag", "web:v9", "--yes")
    assert result.exit_code == 0
    assert "web:v9: did not exist" in result.stderr
    assert "there is no repository example/nothing" in filled.run("untag", "nothing:v1").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tag", "web", "new"], "names no image"),
        (["tag", "web:v1", "a/b"], "a/b"),
        (["copy", "web", "api"], "names no image"),
        (["copy", "web:v1", "web:v2"], "use aioregistry tag"),
        (["copy", "example/web:v1", f"api@sha256:{'0' * 64}"], "has a digest"),
        (["untag", "web"], "names no tag"),
        (["untag", f"web@sha256:{'0' * 64}"], "names no tag"),
        (["tag", "web:v1", "new", "--columns", "nothing"], "no column"),
    ],
)
def test_wrong_usage_exits_with_2_and_writes_nothing(filled, arguments, said):
    result = filled.run(*arguments)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert not writes(filled)


def test_a_copy_to_another_registry_is_refused(filled):
    filled.sandbox.state.subscribe("professional")
    filled.sandbox.state.add_registry("second")
    host = "registry.digitalocean.com"
    result = filled.run("copy", f"{host}/example/web:v1", f"{host}/second/web")
    assert result.exit_code == 2, result.output
    assert "are in two registries" in result.stderr or "host is" in result.stderr


@pytest.mark.parametrize("words", [("inspect", "web:nix"), ("tag", "web:nix", "stable")])
def test_an_image_that_does_not_exist_is_named(shell, words):
    shell.builder.image("main")
    result = shell.run(*words)
    assert result.exit_code == 1
    assert f"aioregistry {words[0]}: there is no image 'nix' in 'example/web'" in result.stderr
