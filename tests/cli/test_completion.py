"""What a shell completes: profiles, columns, registries, repositories, runs."""

import os

import pytest

from tests.cli.test_app import ALL


@pytest.fixture
def complete(shell, monkeypatch):
    """Returns what bash is given for a line whose last word is begun."""
    monkeypatch.setenv("_AIOREGISTRY_COMPLETE", "complete_bash")
    for name in ("web", "worker", "api"):
        shell.sandbox.state.push("example", name, ["v1"])

    def ask(line):
        monkeypatch.setenv("COMP_WORDS", f"aioregistry {line}")
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" "))))
        result = shell.run(prog_name="aioregistry")
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        return result.stdout.split()

    shell.complete = ask
    return shell


def test_repositories_are_completed(complete):
    assert complete.complete("tags w") == ["web", "worker"]
    assert complete.complete("delete-repository ") == ["api", "web", "worker"]


def test_names_are_asked_once_in_a_while(complete):
    complete.complete("tags w")
    asked = len(complete.sandbox.requests)
    complete.complete("tags we")
    assert len(complete.sandbox.requests) == asked
    for path in (complete.folder / "caches").rglob("names-*.json"):
        assert path.stat().st_mode & 0o077 == 0
        os.utime(path, (0, 0))
    complete.complete("tags web")
    assert len(complete.sandbox.requests) > asked


def test_names_of_long_ago_are_deleted(complete):
    complete.complete("tags w")
    (path,) = (complete.folder / "caches").rglob("names-*.json")
    old = path.with_name("names-0123.json")
    path.rename(old)
    os.utime(old, (0, 0))
    complete.complete("tags w")
    assert not old.exists()
    assert path.exists()


def test_another_token_has_other_names(complete, monkeypatch):
    complete.complete("tags w")
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "another")
    assert complete.complete("tags w") == []


def test_of_several_registries_each_repository_has_its_own(complete, monkeypatch):
    complete.sandbox.state.add_registry("second")
    complete.sandbox.state.push("second", "web", ["v1"])
    assert complete.complete("tags second/") == ["second/web"]
    assert complete.complete("gc status s") == ["second"]
    assert complete.complete("tags web --registry e") == ["example"]
    monkeypatch.setenv("AIOREGISTRY_REGISTRY", "second")
    assert complete.complete("tags ") == ["web"]


def test_columns_are_those_of_the_list(complete):
    assert complete.complete("tags web --columns ta") == ["tag"]
    assert complete.complete("tags web --columns tag,s") == ["tag,size"]
    assert complete.complete("options tiers --columns cents") == ["cents_a_month"]
    assert complete.complete("cleanup runs --columns arch") == ["archive"]


def test_every_list_of_columns_is_completed():
    for words, command in ALL:
        if any(parameter.name == "columns" for parameter in command.params):
            assert getattr(command.callback, "columns", list)(), words


def test_images_are_completed_by_their_repositories(complete):
    assert complete.complete("inspect we") == ["web"]
    assert complete.complete("copy web:v1 a") == ["api"]
    assert complete.complete("untag wo") == ["worker"]


def test_profiles_are_those_of_the_file(complete, monkeypatch):
    monkeypatch.delenv("_AIOREGISTRY_COMPLETE")
    complete.run("config", "set", "registry", "example", "--profile", "work")
    monkeypatch.setenv("_AIOREGISTRY_COMPLETE", "complete_bash")
    assert complete.complete("tags web --profile w") == ["work"]


def test_runs_are_those_that_are_kept(complete, monkeypatch):
    monkeypatch.delenv("_AIOREGISTRY_COMPLETE")
    complete.run("cleanup", "plan", "--policy", "policy.toml")
    monkeypatch.setenv("_AIOREGISTRY_COMPLETE", "complete_bash")
    name = complete.plans()[0].parent.name
    assert complete.complete("cleanup apply e") == [name]


@pytest.mark.parametrize("line", ["tags w", "tags web --profile w", "cleanup show e"])
def test_an_error_completes_nothing(complete, monkeypatch, line):
    monkeypatch.setenv("AIOREGISTRY_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AIOREGISTRY_CONFIG", "/nowhere")
    assert complete.complete(line) == []


def test_commands_and_options_are_completed_as_before(complete):
    assert "tags" in complete.complete("ta")
    assert "--older-than" in complete.complete("tags web --older")
