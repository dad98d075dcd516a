"""The examples in docstrings run."""

import ast
import doctest
import importlib
import re
import textwrap
from pathlib import Path

import pytest

import aioregistry
import aioregistry.cleanup
import aioregistry.images
import aioregistry.sandbox
import aioregistry.usage
import aioregistry.web
from aioregistry import RegistryClient
from aioregistry.sandbox import Phases
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


@pytest.mark.parametrize("code", blocks())
async def test_an_example_runs(code, monkeypatch, tmp_path):
    async with (
        sandbox_by_environment(monkeypatch, tmp_path) as sandbox,
        RegistryClient() as client,
    ):
        # A garbage collection has ended by the first look: the second is ten seconds later.
        sandbox.state.phases = Phases(0, 0, 0, 0, 0)
        names = {name: getattr(room, name) for room in ROOMS for name in room.__all__}
        registry = client.registry("example")
        names |= {"client": client, "registry": registry, "repo": registry.repository("web")}
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
