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
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_a_command_with_a_slip_is_told():
    assert "No such command 'tagz'" in CliRunner().invoke(app, ["tagz"]).stderr


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
