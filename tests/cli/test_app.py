"""The program as a whole: help, completion, loading."""

import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from aioregistry.cli.app import _COMMANDS, app


def commands(group, before: tuple[str, ...] = ()):
    """Yield the words of each command that can be run."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if hasattr(found, "list_commands"):
            yield from commands(found, (*before, name))
        else:
            yield (*before, name), found


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize(("words", "command"), ALL, ids=[" ".join(words) for words, _ in ALL])
def test_every_command_says_what_it_does_and_how_it_exits(words, command):
    result = CliRunner().invoke(app, [*words, "--help"], prog_name="aioregistry")
    assert result.exit_code == 0, result.output
    assert f"aioregistry {' '.join(words)}" in result.output
    assert "Exit codes" in result.output
    for parameter in command.params:
        assert getattr(parameter, "help", "x"), (words, parameter.name)


def test_login_promises_no_more_than_its_default_does():
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    (line,) = [line for line in result.stdout.splitlines() if " login " in line]
    assert "Let Docker pull from a registry; with --read-write, also push." in line


def test_every_command_of_the_list_is_there():
    assert {words[0] for words, _ in ALL} == set(_COMMANDS)
    assert all(command.callback is not None for _, command in ALL)


@pytest.mark.parametrize(
    "arguments", [("frob",), ("--frob",), ("cleanup", "frob"), ("tags", "a", "b", "c")]
)
def test_wrong_usage_is_told_and_exits_with_2(arguments):
    result = CliRunner().invoke(app, list(arguments), prog_name="aioregistry")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("aioregistry")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("manif", "aioregistry: no such command: manif; did you mean 'aioregistry manifests'?"),
        ("loginn", "aioregistry: no such command: loginn; did you mean 'aioregistry login'?"),
        ("repo", "aioregistry: no such command: repo; did you mean 'aioregistry repositories'?"),
        ("version", "aioregistry: no such command: version; did you mean 'aioregistry --version'?"),
        ("undo", "aioregistry: no such command: undo; did you mean 'aioregistry cleanup undo'?"),
        (
            "registry login",
            "aioregistry registry: no such command: login; did you mean 'aioregistry login'?",
        ),
        (
            "cleanup pln",
            "aioregistry cleanup: no such command: pln; did you mean 'aioregistry cleanup plan'?",
        ),
        ("a\x1b[2J", "aioregistry: no such command: a\\x1b[2J; see 'aioregistry --help'"),
        (
            "tags --older 3d",
            "aioregistry tags: no such option: --older; did you mean --older-than?",
        ),
        ("tags --json", "aioregistry tags: no such option: --json; did you mean --output?"),
        ("tags -z", "aioregistry tags: no such option: -z; see 'aioregistry tags --help'"),
        ("tags --limit", "aioregistry tags: --limit needs a value; see 'aioregistry tags --help'"),
        ("tags a b c", "aioregistry tags: too many arguments: b c; see 'aioregistry tags --help'"),
        ("tag web:v1", "aioregistry tag: NEW is missing; see 'aioregistry tag --help'"),
        (
            "cleanup plan",
            "aioregistry cleanup plan: --policy is missing; see 'aioregistry cleanup plan --help'",
        ),
    ],
)
def test_a_slip_is_one_line_with_what_may_be_meant(line, told):
    result = CliRunner().invoke(app, line.split(), prog_name="aioregistry")
    assert result.exit_code == 2
    assert result.stderr == f"{told}\n"


def test_a_token_is_no_option_of_any_command():
    options = {name for _, command in ALL for each in command.params for name in each.opts}
    assert "--token-file" in options
    assert not options & {"--token", "--access-token", "-t", "--password"}


@pytest.mark.parametrize(
    ("shell", "environment", "expected"),
    [
        ("bash", {"COMP_WORDS": "aioregistry reg", "COMP_CWORD": "1"}, "registry"),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "aioregistry kub"}, "kubernetes-manifest"),
        (
            "fish",
            {"_TYPER_COMPLETE_ARGS": "aioregistry gc ", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
            "cancel",
        ),
        ("bash", {"COMP_WORDS": "aioregistry tags --older", "COMP_CWORD": "2"}, "--older-than"),
    ],
)
def test_a_shell_completes_commands_and_options(shell, environment, expected):
    done = subprocess.run(
        [sys.executable, "-m", "aioregistry"],
        env={**os.environ, "_AIOREGISTRY_COMPLETE": f"complete_{shell}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert expected in done.stdout, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_shown(shell):
    done = subprocess.run(
        [sys.executable, "-m", "aioregistry"],
        env={**os.environ, "_AIOREGISTRY_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "aioregistry" in done.stdout
    assert shell in done.stdout or "complete" in done.stdout
