"""What is wrong with the arguments of a command is told before anything else is missing."""

import os
import sys

import pytest

ZERO = "0" * 64


@pytest.fixture
def stranger(shell, monkeypatch):
    """A shell of someone who has no token."""
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    return shell


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["tags", "web", "--older-than", "30x"], "--older-than: not a length of time: '30x'"),
        (["tags", "web", "--newer-than", ""], "--newer-than: not a length of time"),
        (["tags", "web", "--regex", "("], "--regex: "),
        (["tags", "web", "--columns", "colour"], "no column 'colour'"),
        (["tags", "web", "--untagged"], "--untagged is for manifests"),
        (["tags", "Web"], "not a reference: 'Web' (a repository is "),
        (["tags", "web", "--registry", "A"], "not a valid registry: 'A'"),
        (["tags", "web:v1", "--all-registries"], "exclude each other"),
        (["tags", "ghcr.io/example/web"], "the registry's host is"),
        (["manifests", "web", "--larger-than", "x"], "--larger-than: "),
        (["repositories", "A B"], "not a valid registry: 'A B'"),
        (["repositories", "example", "--all-registries"], "exclude each other"),
        (["repositories", "--reverse"], "--reverse needs --sort"),
        (["usage", "A"], "not a valid registry: 'A'"),
        (["inspect", "web"], "'web' names no image"),
        (["tag", "web", "v2"], "'web' names no image"),
        (["tag", "web:v1", "a b"], "not a valid tag: 'a b'"),
        (["untag", "web:v1", "web"], "'web' names no tag"),
        (["copy", "web:v1", "Web"], "not a reference: 'Web' (a repository is "),
        (["copy", "web", "api"], "'web' names no image"),
        (["copy", "web:v1", f"api@sha256:{ZERO}"], "has a digest"),
        (["delete-tags", "web", "a b"], "not a valid tag: 'a b'"),
        (["delete-tags", "web"], "no tag named"),
        (["delete-manifests", "web", "abc"], "not a valid digest: 'abc'"),
        (["delete-repository", "web:v1"], "is one image, not a repository"),
        (["gc", "start", "A"], "not a valid registry: 'A'"),
        (["gc", "list", "--columns", "colour"], "no column 'colour'"),
        (["gc", "wait", "--uuid", "1"], "not a valid garbage collection UUID: '1'"),
        (["gc", "cancel", "--uuid", "1"], "not a valid garbage collection UUID: '1'"),
        (["registry", "get", "A"], "not a valid registry: 'A'"),
        (["registry", "create", "A", "--tier", "basic"], "not a valid registry: 'A'"),
        (["registry", "delete", "A"], "not a valid registry: 'A'"),
        (["registry", "list", "--columns", "colour"], "no column 'colour'"),
        (["options", "tiers", "--columns", "colour"], "no column 'colour'"),
        (["subscription", "--columns", "colour"], "no column 'colour'"),
        (["quota", "--headroom", "7"], "--headroom: headroom must be"),
        (["quota", "--rate-limit", "fast"], "--rate-limit: "),
        (["quota", "--timeout", "soon"], "--timeout: not a length of time: 'soon'"),
        (["quota", "--redis", "nowhere"], "--redis: "),
        (["login", "--expiry", "soon"], "--expiry: "),
        (["credentials", "A"], "not a valid registry: 'A'"),
        (["credentials", "--expiry", "1h", "--never-expire"], "exclude each other"),
        (["kubernetes-manifest", "--name", "A_"], "invalid name of a secret: 'A_'"),
        (["kubernetes-manifest", "--expiry", "soon"], "--expiry: "),
        (["cleanup", "explain", "web", "--policy", "policy.toml"], "'web' names no tag"),
        (["cleanup", "plan", "A", "--policy", "policy.toml"], "not a valid registry: 'A'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_argument_is_told_before_a_missing_token(stranger, arguments, told):
    result = stranger.run(*arguments)
    assert result.exit_code == 2, result.stderr
    assert told in result.stderr
    assert "token" not in result.stderr
    assert stranger.sandbox.request_count == 0


def test_a_name_that_no_registry_can_have_is_told_without_a_token(stranger):
    result = stranger.run("validate-name", "A")
    assert result.exit_code == 1
    assert result.stdout.startswith("not a valid registry: 'A'")


def test_without_a_token_no_question_is_asked_about_a_plan(shell, monkeypatch):
    shell.builder.image("web", "pr-1")
    assert shell.run("cleanup", "plan", "--policy", "policy.toml").exit_code == 0
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    result = shell.run("cleanup", "apply", "--force")
    assert result.exit_code == 2
    assert "no API token" in result.stderr
    assert "?" not in result.stderr
    assert shell.deletes() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="its pipes have no path")
def test_a_token_in_a_pipe_is_there_for_the_apply_itself(shell, monkeypatch):
    shell.builder.image("web", "pr-1")
    assert shell.run("cleanup", "plan", "--policy", "policy.toml").exit_code == 0
    (plan,) = shell.run("cleanup", "runs", "-q").stdout.split()
    end, start = os.pipe()
    os.write(start, os.environ["DIGITALOCEAN_TOKEN"].encode())
    os.close(start)
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    apply = ("cleanup", "apply", plan, "--yes", "--force")
    try:
        result = shell.run(*apply, "--token-file", f"/dev/fd/{end}")
    finally:
        os.close(end)
    assert result.exit_code == 0, result.stderr
    assert shell.deletes() == 1


def test_a_name_that_is_wrong_is_said_once(stranger):
    result = stranger.run("tags", "web/")
    assert result.stderr.count("'web/'") == 1
    assert "not a reference: 'web/' (a repository is " in result.stderr


def test_what_is_wrong_within_a_reference_is_told_with_the_whole(stranger):
    result = stranger.run("inspect", "web:-v1")
    assert "not a reference: 'web:-v1': not a valid tag: '-v1'" in result.stderr
