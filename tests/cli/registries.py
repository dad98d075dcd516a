"""Commands on a sandbox that runs in a thread of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aioregistry.cli.app import app
from aioregistry.sandbox import Sandbox, State
from aioregistry.testing.background import running_sandbox
from tests.cleanup.registries import Builder

POLICY = """
[[rules]]
tags = "pr-*"
delete = true
"""


class Shell:
    """Runs commands on a sandbox, in a folder of their own."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.builder = Builder(sandbox.state)
        (folder / "policy.toml").write_text(POLICY)

    def run(self, *arguments: str, stdin: str | bytes | None = None, **more: str) -> Result:
        return CliRunner().invoke(app, list(arguments), input=stdin, **more)

    def plans(self) -> list[Path]:
        return sorted((self.folder / "state").glob("*/runs/*/plan.json"))

    def tags(self) -> set[str]:
        return set(self.sandbox.state.registry("example").repository("web").tags)

    def deletes(self) -> int:
        return sum(one.method == "DELETE" for one in self.sandbox.requests)


@pytest.fixture
def shell(tmp_path, monkeypatch) -> Iterator[Shell]:
    state = State()
    state.add_registry("example")
    with running_sandbox(Sandbox(state)) as sandbox:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", sandbox.token)
        monkeypatch.setenv("AIOREGISTRY_API_URL", sandbox.url)
        monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", sandbox.url)
        monkeypatch.delenv("DIGITALOCEAN_ACCESS_TOKEN", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        monkeypatch.setenv("AIOREGISTRY_STATE_DIR", str(tmp_path / "state"))
        monkeypatch.setenv("COLUMNS", "120")
        yield Shell(sandbox, tmp_path)
