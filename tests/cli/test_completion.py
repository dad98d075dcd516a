"""What a shell completes: profiles, columns, registries, repositories, runs."""

import os
import shutil
import subprocess

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


@pytest.fixture
def install(shell, monkeypatch):
    """Installs completion for a shell below a home of its own, and returns that."""
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")

    def run(name):
        result = shell.run("--install-completion", name, prog_name="aioregistry")
        assert result.exit_code == 0, result.output
        assert f"completion of {name}; it takes effect in the next shell" in result.stdout
        return shell.folder

    return run


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_the_first_tab_of_zsh_completes(install):
    # As zsh does at a Tab: the script becomes a function, and that is called with the words.
    lines = [
        "compdef() { }; aioregistry() { }; env() { echo print completed $words }",
        "autoload -U _aioregistry; words=(aioregistry ta); CURRENT=2",
        "_aioregistry; _aioregistry_completion",
    ]
    environment = {**os.environ, "FPATH": str(install("zsh") / ".zfunc")}
    found = subprocess.run(
        ["zsh", "-f", "-c", "\n".join(lines)], env=environment, capture_output=True, check=True
    )
    assert found.stdout.decode().splitlines() == ["completed aioregistry ta"] * 2
    assert found.stderr == b""


def test_fish_looks_for_completion_where_its_configuration_is(install, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    home, script = install("fish"), tmp_path / "elsewhere/fish/completions/aioregistry.fish"
    assert "_AIOREGISTRY_COMPLETE=complete_fish" in script.read_text()
    assert not list((home / ".config").rglob("*.fish"))
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert (install("fish") / ".config/fish/completions/aioregistry.fish").is_file()


def test_bash_reads_completion_where_it_starts(install):
    home = install("bash")
    script = home / ".bash_completions/aioregistry.sh"
    assert "_AIOREGISTRY_COMPLETE=complete_bash" in script.read_text()
    assert str(script) in (home / ".bashrc").read_text()


def test_completion_is_shown_and_nothing_is_installed(shell, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    before = sorted(shell.folder.rglob("*"))
    result = shell.run("--show-completion", "bash", prog_name="aioregistry")
    assert result.exit_code == 0, result.output
    assert "complete -o default -F _aioregistry_completion aioregistry" in result.stdout
    assert sorted(shell.folder.rglob("*")) == before
