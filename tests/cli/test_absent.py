"""A registry or a repository that is not there is no success."""

import json

import pytest

from aioregistry.sandbox import Fault, Faults
from tests.cleanup.registries import digest_of


@pytest.fixture
def filled(shell):
    for tag in ("main", "pr-1"):
        shell.builder.image(tag)
    return shell


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["delete-tags", "wbe", "v1", "v2"], "example/wbe"),
        (["delete-tags", "web", "main", "--registry", "nope"], "nope/web"),
        (["delete-manifests", "wbe", digest_of("a")], "example/wbe"),
    ],
)
def test_nothing_is_deleted_from_a_repository_that_does_not_exist(filled, arguments, where):
    result = filled.run(*arguments, "--yes")
    assert result.exit_code == 1
    assert f"there is no repository {where}" in result.stderr
    assert filled.deletes() == 0


def test_what_is_gone_from_a_repository_that_is_there_is_done(filled):
    result = filled.run("delete-tags", "web", "v1", "v2", "--yes")
    assert result.exit_code == 0
    assert "example/web: v1: does not exist" in result.stderr
    assert filled.deletes() == 0
    assert filled.run("delete-tags", "web", "v1", "main", "--yes").exit_code == 0
    assert filled.deletes() == 1


def test_names_are_sent_unchecked_when_asked_to_and_the_answer_is_no_proof(filled):
    result = filled.run("delete-tags", "web", "pr-1", "--yes", "--no-check")
    assert (result.exit_code, filled.tags()) == (0, {"main"})
    assert "or did not exist: not checked" in result.stderr
    assert {request.method for request in filled.sandbox.requests} <= {"GET", "DELETE"}
    missing = filled.run("delete-tags", "wbe", "v1", "--yes", "--no-check")
    assert missing.exit_code == 1
    assert "there is no repository example/wbe" in missing.stderr


def test_a_repository_is_gone_from_a_registry_that_is_there_alone(filled):
    gone = filled.run("delete-repository", "wbe", "--yes")
    assert gone.exit_code == 0
    assert "did not exist" in gone.stderr
    result = filled.run("delete-repository", "web", "--registry", "nope", "--yes")
    assert result.exit_code == 1
    assert "there is no registry 'nope' in the token's account (request id " in result.stderr


@pytest.mark.parametrize("command", ["status", "wait", "cancel", "list"])
def test_no_garbage_is_collected_in_a_registry_that_is_not_there(filled, command):
    result = filled.run("gc", command, "nope")
    assert result.exit_code == 1
    assert "there is no registry 'nope' in the token's account (request id " in result.stderr
    assert "is active" not in result.output


@pytest.mark.parametrize("command", ["status", "wait", "cancel"])
def test_none_may_be_under_way_in_one_that_is(filled, command):
    result = filled.run("gc", command)
    assert result.exit_code == 0
    assert "no garbage collection is active" in result.stdout


def test_a_plan_for_a_registry_that_is_not_there_is_refused_and_can_be_applied_later(filled):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    held = filled.sandbox.state.registries.pop("example")
    result = filled.run("cleanup", "apply", "plan.json", "--yes")
    assert result.exit_code == 1
    assert "there is no registry 'example'" in result.stderr
    assert "absent" not in result.output
    filled.sandbox.state.registries["example"] = held
    assert filled.run("cleanup", "apply", "plan.json", "--yes").exit_code == 0
    assert filled.tags() == {"main"}


@pytest.mark.parametrize("command", [["plan"], ["run", "--yes"]])
def test_a_repository_that_a_clean_up_names_must_be_there(filled, command):
    named = ["--repository", "web", "--repository", "nope"]
    result = filled.run("cleanup", *command, "--policy", "policy.toml", *named)
    assert result.exit_code == 1
    assert "no repository of 'example': nope" in result.stderr
    assert not (filled.folder / "plan.json").exists()
    assert filled.deletes() == 0


@pytest.mark.parametrize("command", [["plan"], ["run", "--yes"]])
def test_manifests_are_not_looked_for_at_the_vendors_when_the_api_is_not(
    filled, command, monkeypatch
):
    monkeypatch.delenv("AIOREGISTRY_REGISTRY_URL")
    result = filled.run("cleanup", *command, "--policy", "policy.toml")
    assert result.exit_code == 2
    assert "set AIOREGISTRY_REGISTRY_URL, or use --registry-url URL" in result.stderr
    assert not [one for one in filled.sandbox.requests if "credentials" in one.raw_path]


def test_a_cap_names_the_option_that_lifts_it(filled):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    part = filled.run("cleanup", "apply", "plan.json", "--yes", "--max-fraction", "0.1")
    assert part.exit_code == 4
    assert "--force or a larger --max-fraction allows it" in part.stderr
    most = filled.run("cleanup", "apply", "plan.json", "--yes", "--max-deletes", "0", "--force")
    assert most.exit_code == 4
    assert "a larger --max-deletes allows it" in most.stderr


def test_a_plan_that_was_begun_says_what_is_left_to_do(filled):
    filled.builder.image("pr-2")
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    apply = ("cleanup", "apply", "plan.json", "--yes", "--force")
    filled.sandbox.faults = Faults(Fault(kind="status", status=403, method="DELETE", times=1))
    assert filled.run(*apply).exit_code == 1
    filled.sandbox.faults = Faults()
    again = filled.run(*apply)
    assert again.exit_code == 2
    assert "continue with 'aioregistry cleanup apply plan.json --resume'" in again.stderr
    assert filled.run(*apply, "--resume").exit_code == 0
    again = filled.run(*apply)
    assert again.exit_code == 2
    assert "this plan was carried out, and nothing of it is left to delete" in again.stderr
    assert "'aioregistry cleanup undo plan.json' restores what it deleted" in again.stderr
    assert "--resume" not in again.stderr


def test_a_token_that_is_refused_is_told_with_its_source(filled):
    (filled.folder / "token").write_text("other")
    result = filled.run("repositories", "--token-file", "token")
    assert result.exit_code == 1
    assert "Check the token from --token-file, token" in result.stderr


def test_a_server_that_is_not_there_is_told_in_plain_words(filled):
    result = filled.run("repositories", "--api-url", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "cannot connect to 127.0.0.1:9: Connection refused (GET" in result.stderr


def test_a_server_that_is_not_the_api_is_not_taken_for_an_account_without_registries(filled):
    filled.sandbox.faults = Faults(Fault(kind="html", status=404))
    result = filled.run("repositories")
    assert result.exit_code == 1
    assert "registry in the token's account" not in result.stderr
    assert "check its address, and what is in between" in result.stderr


def test_no_login_is_shown_by_the_configuration(filled):
    result = filled.run("config", "show", "--api-url", "http://user:secret@host")
    assert "http://***@host" in result.stdout
    assert "secret" not in result.output


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("tags web:mian", "mian"),
        ("tags web:mian -o json --sort name", "mian"),
        ("manifests web:mian", "mian"),
        (f"manifests web@{digest_of('a')}", digest_of("a")),
    ],
)
def test_a_list_of_one_image_that_does_not_exist_is_an_error(filled, line, named):
    result = filled.run(*line.split())
    assert result.exit_code == 1
    command = line.split()[0]
    said = f"aioregistry {command}: there is no image '{named}' in 'example/web'\n"
    assert result.stderr == said
    if "json" in line:
        assert json.loads(result.stdout) == []


@pytest.mark.parametrize(
    "line", ["tags web:main --newer-than 1s", "tags web --match nix*", "tags web@DIGEST"]
)
def test_a_list_that_filters_leave_nothing_of_is_no_error(filled, line):
    untagged = filled.builder.image()
    result = filled.run(*line.replace("DIGEST", untagged).split(), "-q")
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize(
    "command",
    [
        ("delete-tags", "web", "v1", "--no-check", "--no-archive", "--yes"),
        ("delete-repository", "web", "--no-archive", "--yes"),
    ],
)
def test_a_page_of_a_proxy_does_not_count_as_gone(filled, command):
    filled.sandbox.faults = Faults(Fault(kind="html", status=404, method="DELETE"))
    result = filled.run(*command)
    assert result.exit_code == 1
    assert "did not exist\n" not in result.stderr
    assert "check its address, and what is in between" in result.stderr
