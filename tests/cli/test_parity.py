"""Each command that the README sets beside doctl's and acr's does what its row says."""

import json
import re
import shlex

import pytest

from aioregistry.sandbox import Phases
from tests.readme import chapter

pytestmark = pytest.mark.slow(0.1)

CHAPTER = chapter("Beside doctl and acr purge")
ROWS = {
    cells[0]: re.fullmatch(r"`(.*)`", cells[-1])[1]
    for line in CHAPTER.splitlines()
    if line.startswith("| ")
    for cells in [[cell.strip() for cell in line.strip("|").split(" | ")]]
    if cells[0] != "what"
}

PODS = {
    "kind": "List",
    "apiVersion": "v1",
    "items": [
        {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": "busybox:1"}]}}
    ],
}


@pytest.fixture
def account(shell, monkeypatch):
    shell.sandbox.state.phases = Phases(*[0.001] * 6)
    shell.digest = shell.builder.image("v1", days=300)
    for number in range(2, 6):
        shell.builder.image(f"v{number}", days=300)
        shell.builder.image(f"pr-{number}", days=300)
    shell.builder.image(days=20)
    shell.sandbox.state.add_cluster("blue").run("registry.digitalocean.com/example/web:v1")
    (shell.folder / "pods.json").write_text(json.dumps(PODS))
    config = shell.folder / "config/aioregistry/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[profiles.other]\nregistry = 'example'\ntoken = 'other-token'\n")
    helper = shell.folder / "docker-credential-aioregistry"
    helper.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(shell.folder))
    planned = shell.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    assert planned.exit_code == 0, planned.output
    return shell


def test_the_table_is_read():
    assert len(ROWS) > 30


@pytest.mark.parametrize("line", ROWS.values(), ids=ROWS)
def test_a_command_of_the_table_runs(account, line):
    words = shlex.split(line.replace("\\|", "|").replace("DIGEST", account.digest))
    if words[:2] == ["cleanup", "plan"]:
        words += ["--plan-file", "another.json"]
    if words[:2] == ["gc", "start"]:
        words += ["--interval", "0.01"]
    result = account.run(*words)
    assert result.exit_code == 0, result.output
    assert result.stdout or result.stderr
