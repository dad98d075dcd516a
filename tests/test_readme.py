"""Every block of the README runs, and its tables tell the truth."""

import ast
import asyncio
import inspect
import re
import sys
from pathlib import Path

import pytest

import aioregistry
from aioregistry import RegistryClient
from aioregistry.cleanup import Distribution, Policy, read_policy
from aioregistry.cleanup.policy.file import _ACTIONS, _COMMON, _OPTIONS
from aioregistry.cli.settings.config_file import KEYS, read_config
from aioregistry.sandbox import Sandbox

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]


@pytest.fixture
async def sandbox(monkeypatch):
    """The API as the README's blocks see it: token in the environment, at its own address."""
    async with Sandbox() as sandbox:
        for tag in ("v0.1.0", "pr-1", "pr-2", *(f"build-{number}" for number in range(1, 8))):
            sandbox.state.push("example", "web", [tag])
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", sandbox.token)
        for reader in (RegistryClient, Distribution):
            monkeypatch.setitem(reader.__init__.__kwdefaults__, "base_url", sandbox.url)
        yield sandbox


async def run(code: str, names: dict[str, object]) -> None:
    """Run a block as ``python -m asyncio`` would, or in a thread if it runs a loop of its own."""
    compiled = compile(code, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if "asyncio.run(" in code:
        await asyncio.to_thread(exec, compiled, names)
    elif compiled.co_flags & inspect.CO_COROUTINE:
        await eval(compiled, names)
    else:
        exec(compiled, names)


async def test_the_blocks_run_one_after_the_other(sandbox, capsys):
    names: dict[str, object] = {"__name__": "readme"}
    for code in PYTHON:
        await run(code, names)
    printed = capsys.readouterr().out
    assert "deleted, 0 failed" in printed
    assert "build-1 deleted" in printed
    assert not [name for name in sandbox.state.tag_names("example", "web") if name[:3] == "pr-"]


TOML = [text for language, text in BLOCKS if language == "toml"]


@pytest.mark.parametrize("text", [text for text in TOML if "[[rules]]" in text])
def test_every_policy_is_one(text):
    assert isinstance(read_policy(text, "policy.toml"), Policy)


@pytest.mark.parametrize("text", [text for text in TOML if "[[rules]]" not in text])
def test_the_configuration_is_one(text, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(text)
    config = read_config(path)
    assert config.profile in config.profiles
    assert {key for profile in config.profiles.values() for key in profile} <= set(KEYS)


def test_every_key_of_a_policy_is_in_the_table():
    table = README.partition("### Policies")[2].partition("\n### ")[0]
    told = set(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))
    keys = {key for cell in told for key in re.findall(r"`([a-z-]+)`", cell)}
    assert keys == {"floor", "rules", *_ACTIONS, *_COMMON, *_OPTIONS}


def test_the_first_two_shell_blocks_are_the_two_commands_a_line_each():
    shell = [code for language, code in BLOCKS if language == "sh"][:2]
    assert [code.count("\n") for code in shell] == [1, 1]
    assert shell[0].rstrip().endswith("aioregistry demo")
    assert shell[1].rstrip().endswith("pytest")


def test_nobody_is_told_to_install_the_other_project():
    assert not re.search(r"pip install[^\n]* ['\"]?aioregistry(?!-do)\b(?! demo)", README)


def calls() -> list[str]:
    rows = README.partition("## Every call")[2].partition("\n## ")[0]
    return re.findall(r"`(client|registry|repo)\.(\w+)\(", rows)


@pytest.mark.parametrize(("owner", "method"), calls())
def test_every_method_of_the_table_of_calls_exists(owner, method):
    classes = {
        "client": aioregistry.RegistryClient,
        "registry": aioregistry.RegistryHandle,
        "repo": aioregistry.RepositoryHandle,
    }
    assert callable(getattr(classes[owner], method))


def test_every_error_is_in_the_table_of_errors():
    table = README.partition("### Errors")[2].partition("\n### ")[0]
    errors = {name for name in aioregistry.__all__ if name.endswith("Error")}
    assert {name for name in errors if f"`{name}`" not in table} == set()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_ci_runs_the_commands_that_the_readme_gives():
    script = (Path(__file__).parent.parent / ".ci" / "run").read_text()
    assert "readme_command 1" in script
    assert "readme_command 2" in script
