"""The examples in docstrings run."""

import ast
import doctest
import importlib
import json
import re
import textwrap
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import aioregistry
import aioregistry.cleanup
import aioregistry.images
import aioregistry.sandbox
import aioregistry.usage
import aioregistry.web
from aioregistry import RegistryClient
from aioregistry.cleanup import ContentReader, Delete, Distribution, Policy
from aioregistry.sandbox import Phases
from aioregistry.web import Jobs
from tests.readme import run, sandbox_by_environment

PACKAGE = Path(aioregistry.__file__).parent
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
ROOMS = (
    aioregistry,
    aioregistry.cleanup,
    aioregistry.images,
    aioregistry.sandbox,
    aioregistry.usage,
    aioregistry.web,
)


def blocks() -> list:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text("utf-8")
        for node in ast.walk(ast.parse(source)) if "```python" in source else ():
            text = (ast.get_docstring(node) or "") if isinstance(node, DOCUMENTED) else ""
            for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
                name = f"{path.relative_to(PACKAGE).as_posix()}-{getattr(node, 'name', '')}"
                found.append(pytest.param(textwrap.dedent(code), id=name))
    return found


@pytest.fixture
def clusters(sandbox, monkeypatch, tmp_path):
    """The account's clusters, each a context of the kubeconfig."""
    pytest.importorskip("kubernetes_asyncio")
    named = {name: sandbox.state.add_cluster(name) for name in ("production", "blue", "green")}
    for cluster in named.values():
        cluster.run("registry.digitalocean.com/example/web:v1.0.0")
    kubeconfig = {
        "clusters": [
            {"name": name, "cluster": {"server": f"{sandbox.url}/kubernetes/{name}"}}
            for name in named
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in named],
        "users": [
            {"name": name, "user": {"token": cluster.token}} for name, cluster in named.items()
        ],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


@pytest.fixture
async def sandbox(monkeypatch, tmp_path):
    async with sandbox_by_environment(monkeypatch, tmp_path) as running:
        # A garbage collection has ended by the first look: the second is ten seconds later.
        running.state.phases = Phases(0, 0, 0, 0, 0)
        yield running


async def engine_of_a_fleet(folder: Path, stack: AsyncExitStack):
    pytest.importorskip("docket")
    fleet = importlib.import_module("aioregistry.fleet")
    (folder / "policy.toml").write_text('[[rules]]\ntags = "pr-*"\nkeep-newest = 1\n')
    (folder / "fleet.toml").write_text(
        '[[registries]]\nname = "example"\npolicy = "policy.toml"\n'
        'token = { env = "DIGITALOCEAN_TOKEN" }\n'
    )
    engine = fleet.FleetEngine(fleet.load_fleet(folder / "fleet.toml"))
    return await stack.enter_async_context(engine)


@pytest.mark.parametrize("code", blocks())
async def test_an_example_runs(code, request, sandbox, tmp_path):
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(RegistryClient())
        registry = client.registry("example")
        distribution = await stack.enter_async_context(Distribution(registry))
        names = {name: getattr(room, name) for room in ROOMS for name in room.__all__} | {
            "client": client,
            "registry": registry,
            "repo": registry.repository("web"),
            "policy": Policy([Delete(tags="pr-*")]),
            "contents": ContentReader(distribution),
        }
        if "InUse" in code:
            request.getfixturevalue("clusters")
        if "engine" in code:
            names["engine"] = await engine_of_a_fleet(tmp_path, stack)
            names["jobs"] = jobs = Jobs()
            names |= vars(importlib.import_module("aioregistry.web.runs"))
            stack.push_async_callback(jobs.close)
        await run(code, "example", names)
        for value in names.values():
            if isinstance(value, RegistryClient):
                await value.close()


def modules_with_examples() -> list[str]:
    return [
        ".".join(("aioregistry", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in sorted(PACKAGE.rglob("*.py"))
        if ">>> " in path.read_text("utf-8")
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_at_a_prompt_show_what_they_print(name):
    module = importlib.import_module(name)
    done = doctest.testmod(module)
    assert done.attempted > 0
    assert done.failed == 0
