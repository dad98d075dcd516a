"""The commands `aioregistry delete-tags`, `delete-manifests` and `delete-repository`."""

import re

import pytest

from aioregistry.sandbox import Fault, Faults
from tests.disks import full_disk


@pytest.fixture
def filled(shell):
    shell.digest = shell.builder.image("a", "b")
    shell.builder.image("c")
    return shell


def test_tags_are_deleted(filled):
    result = filled.run("delete-tags", "web", "a", "c", "--yes")
    assert result.exit_code == 0, result.output
    assert filled.tags() == {"b"}
    assert "2 of 2 deleted" in result.stderr


def test_a_reference_may_name_the_first(filled):
    filled.run("delete-tags", "example/web:a", "--yes")
    assert filled.tags() == {"b", "c"}


def test_names_may_come_from_stdin(filled):
    result = filled.run("delete-tags", "web", "-", "--yes", stdin="a\n\n b \na\n")
    assert result.exit_code == 0
    assert filled.tags() == {"c"}
    assert filled.deletes() == 2


def test_manifests_are_deleted_with_all_tags_on_them(filled):
    assert filled.run("delete-manifests", "web", filled.digest, "--yes").exit_code == 0
    assert filled.tags() == {"c"}


def test_without_a_terminal_deletes_need_yes(filled):
    result = filled.run("delete-tags", "web", "a")
    assert result.exit_code == 2
    assert "add --yes" in result.stderr
    assert filled.deletes() == 0


def test_a_dry_run_only_tells(filled):
    result = filled.run("delete-manifests", f"web@{filled.digest}", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout == f"example/web {filled.digest}\n"
    assert result.stderr == "a dry run: 1 manifest would be deleted, with 2 tags (a, b)\n"
    assert filled.deletes() == 0


@pytest.mark.parametrize(
    ("command", "name", "problem"),
    [
        ("delete-tags", "..", "not a valid tag"),
        ("delete-tags", "a/b", "not a valid tag"),
        ("delete-manifests", "a", "not a valid digest"),
    ],
)
def test_one_name_that_none_can_have_stops_all(filled, command, name, problem):
    result = filled.run(command, "web", "a", name, "--yes")
    assert result.exit_code == 2
    assert problem in result.stderr
    assert filled.deletes() == 0


def test_no_names_are_no_reason_to_delete(filled):
    result = filled.run("delete-tags", "web", "--yes")
    assert result.exit_code == 2
    assert "no tag named" in result.stderr


@pytest.mark.parametrize("command", ["delete-tags", "delete-manifests"])
def test_no_names_on_stdin_are_nothing_to_do(filled, command):
    result = filled.run(command, "web", "-", "--yes", stdin="\n")
    assert result.exit_code == 0
    assert result.stderr == "no names on stdin: nothing to delete\n"
    assert filled.deletes() == 0


def test_what_is_gone_already_is_no_failure(filled):
    result = filled.run("delete-tags", "web", "a", "nix", "--yes")
    assert result.exit_code == 0
    assert "nix: does not exist" in result.stderr


def test_each_failure_is_told_and_is_no_success(filled):
    filled.sandbox.faults = Faults(Fault(kind="status", status=403, method="DELETE", times=1))
    result = filled.run("delete-tags", "web", "a", "c", "--yes")
    assert result.exit_code == 1
    assert "failed: 403" in result.stderr
    assert len(filled.tags()) == 2


def test_a_repository_is_deleted(filled):
    result = filled.run("delete-repository", "web", "--yes")
    assert result.exit_code == 0
    assert "example/web: deleted" in result.stderr
    assert "web" not in filled.sandbox.state.registry("example").repositories
    again = filled.run("delete-repository", "web", "--yes")
    assert again.exit_code == 0
    assert "did not exist" in again.stderr


def test_a_repository_that_was_deleted_is_restored_by_the_command_that_it_names(filled):
    before = filled.tags()
    result = filled.run("delete-repository", "web", "--yes")
    archive = result.stderr.rpartition("aioregistry cleanup undo ")[2].strip()
    assert filled.run("cleanup", "undo", archive).exit_code == 0
    assert filled.tags() == before


def test_a_repository_is_deleted_for_good_when_told_so(filled):
    result = filled.run("delete-repository", "web", "--yes", "--no-archive")
    assert result.stderr == "example/web: deleted\n"
    assert not list(filled.folder.rglob("*.archive"))


@pytest.mark.parametrize("repo", ["web:a", "web@sha256:" + "0" * 64])
def test_a_tag_is_no_whole_repository(filled, repo):
    result = filled.run("delete-repository", repo, "--yes")
    assert result.exit_code == 2
    assert filled.deletes() == 0


def test_a_repository_needs_yes_without_a_terminal(filled):
    assert filled.run("delete-repository", "web").exit_code == 2
    assert filled.deletes() == 0


@pytest.fixture
def shared(filled):
    """Two parts of an index that is tagged, and an untagged manifest that nothing needs."""
    filled.parts = [filled.builder.image(platform=one) for one in ("linux/amd64", "linux/arm64")]
    filled.index = filled.builder.index("v1.0.0", children=filled.parts)
    filled.alone = filled.builder.image()
    return filled


def digests(shell) -> set[str]:
    manifests = shell.sandbox.state.registry("example").repository("web").manifests
    return {"sha256:" + digest.hex() for digest in manifests}


def test_what_an_index_needs_is_kept_with_a_word_and_the_rest_is_deleted(shared):
    listed = shared.run("manifests", "web", "--untagged", "--quiet").stdout
    assert {*listed.split()} == {*shared.parts, shared.alone}
    result = shared.run("delete-manifests", "web", "-", "--yes", stdin=listed)
    assert result.exit_code == 1
    why = f"{shared.parts[0]}: kept: part of {shared.index[:19]} (v1.0.0)"
    assert why in result.stderr.replace("\n", "")
    assert digests(shared) >= {*shared.parts, shared.index}
    assert shared.alone not in digests(shared)


def test_an_index_may_go_with_its_parts(shared):
    result = shared.run("delete-manifests", "web", shared.index, *shared.parts, "--yes")
    assert result.exit_code == 0, result.output
    assert not {*shared.parts, shared.index} & digests(shared)


def test_what_a_part_of_an_index_needs_is_kept_with_it(shared):
    outer = shared.builder.index("outer", children=[shared.index])
    result = shared.run("delete-manifests", "web", shared.index, *shared.parts, "--yes")
    assert result.exit_code == 1
    assert digests(shared) >= {outer, shared.index, *shared.parts}


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "among others"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_what_an_index_needs_that_could_not_be_deleted_stays(shared, first, alone):
    if alone:
        for digest in digests(shared) - {shared.index, *shared.parts}:
            shared.sandbox.state.delete_manifest("example", "web", digest)
    shared.sandbox.faults = Faults(Fault(kind="status", status=403, method="DELETE"))
    names = [shared.index, *shared.parts] if first else [*shared.parts, shared.index]
    result = shared.run("delete-manifests", "web", *names, "--yes")
    assert result.exit_code == 1
    assert shared.deletes() == 1
    why = (
        f"{shared.parts[0]}: not attempted: {shared.index[:19]}, which could not be deleted, needs"
    )
    assert why in result.stderr.replace("\n", " ")


def test_without_the_check_all_goes(shared):
    result = shared.run("delete-manifests", "web", shared.parts[0], "--yes", "--no-check")
    assert result.exit_code == 0, result.output
    assert shared.parts[0] not in digests(shared)


def test_a_manifest_that_cannot_be_read_may_need_any_other(shared):
    shared.sandbox.faults = Faults(Fault(kind="status", status=403, route="*/manifests/*"))
    result = shared.run("delete-manifests", "web", shared.alone, "--yes")
    assert result.exit_code == 1
    assert "which cannot be read" in result.stderr
    assert "--no-check deletes them all the same" in result.stderr
    assert shared.alone in digests(shared)


def test_without_an_address_to_read_from_it_is_refused(shared, monkeypatch):
    monkeypatch.delenv("AIOREGISTRY_REGISTRY_URL")
    result = shared.run("delete-manifests", "web", shared.alone, "--yes")
    assert result.exit_code == 2
    assert "or delete without the check: --no-check" in result.stderr
    assert shared.deletes() == 0


@pytest.mark.parametrize("name", ["-x", "", "a b", "\x1b[31m"])
def test_a_name_that_none_can_have_is_refused_before_anything_is_sent(shell, name):
    result = shell.run("delete-tags", "web", "--yes", "--", name)
    assert result.exit_code == 2
    assert "not a valid tag" in result.stderr
    assert "\x1b" not in result.stderr
    assert shell.sandbox.request_count == 0


DELETES = ["delete-tags web a --yes", "untag web:a --yes", "delete-repository web --yes"]
NOT_ARCHIVED = (
    "; nothing was deleted, as what is deleted is kept there first: --archive names another file,"
    " AIOREGISTRY_STATE_DIR another folder\n"
)


@pytest.mark.parametrize("line", DELETES)
def test_without_a_place_for_the_archive_nothing_is_deleted_and_it_is_said_where(
    filled, monkeypatch, line
):
    monkeypatch.setenv("AIOREGISTRY_STATE_DIR", "policy.toml/state")
    result = filled.run(*line.split())
    assert result.exit_code == 1
    assert re.search(rf"policy\.toml/state\S*: Not a directory{NOT_ARCHIVED}$", result.stderr)
    assert filled.deletes() == 0


@pytest.mark.parametrize("line", DELETES)
def test_on_a_full_disk_nothing_is_deleted_and_no_archive_is_left(filled, line):
    with full_disk():
        result = filled.run(*line.split())
    assert result.exit_code == 1
    assert result.stderr.endswith(f".archive: cannot be written: File too large{NOT_ARCHIVED}")
    assert filled.deletes() == 0
    assert not [*filled.folder.rglob("*.archive*")]
    assert filled.run("cleanup", "undo", "--list").stdout.startswith("nothing that was deleted")
