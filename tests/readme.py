"""The README files of the project, and ways to find something in them."""

import ast
import asyncio
import inspect
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aioregistry.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
TOP = ROOT / "README.md"
# A chapter that has moved into a room is found there first.
READMES = [
    *sorted((ROOT / "aioregistry").rglob("README.md")),
    ROOT / "examples" / "README.md",
    TOP,
]

VERSIONS = ("v0.1.0", "v1.0.0", "v1.0.1")
TAGS = (*VERSIONS, "latest", "pr-1", "pr-2", *(f"build-{n}" for n in range(1, 8)))
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    """The path within the project, with slashes on every platform."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [text for kind, text in found if kind == language]


def all_blocks(language: str) -> list[str]:
    """The fenced blocks of a language in all files."""
    return [text for path in READMES for text in blocks(path, language)]


def chapter(title: str, *paths: Path) -> str:
    """The text below a heading, up to the next of its level or above."""
    for path in paths or READMES:
        text = path.read_text("utf-8")
        # Comments in fenced blocks are no headings.
        prose = FENCED.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)
        heading = re.search(rf"^(#+) {re.escape(title)}$", prose, re.MULTILINE)
        if heading:
            begun = heading.end()
            end = re.compile(rf"^#{{1,{len(heading[1])}}} ", re.MULTILINE).search(prose, begun)
            return text[begun : end.start() if end else None]
    raise LookupError(f"no README has a chapter {title!r}")


def table_with(cell: str) -> list[list[str]]:
    """The cells of the first table in which one begins with this text, without its heading."""
    for path in READMES:
        for table in re.findall(r"(?:^\|.*\n)+", path.read_text("utf-8"), re.MULTILINE):
            rows = [
                [text.strip() for text in line.strip("|").split(" | ")]
                for line in table.splitlines()
            ]
            if any(text.startswith(cell) for row in rows for text in row):
                return rows[2:]
    raise LookupError(f"no README has a table with {cell!r}")


@asynccontextmanager
async def sandbox_by_environment(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> AsyncIterator[Sandbox]:
    """The API as a reader has it who has started a sandbox: all by the environment."""
    async with Sandbox() as sandbox:
        for tag in TAGS:
            sandbox.state.push("example", "web", [tag])
        for repository in ("api", "team/api"):
            sandbox.state.push("example", repository, ["v1.0.0", "latest"])
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", sandbox.token)
        monkeypatch.setenv("AIOREGISTRY_API_URL", sandbox.url)
        monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", sandbox.url)
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        monkeypatch.setenv("AIOREGISTRY_STATE_DIR", str(folder / "state"))
        monkeypatch.chdir(folder)
        yield sandbox


async def run(code: str, path: str, names: dict[str, Any]) -> None:
    """Run a block as ``python -m asyncio`` would, or in a thread if it runs a loop of its own."""
    compiled = compile(code, path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if "asyncio.run(" in code:
        await asyncio.to_thread(exec, compiled, names)
    elif compiled.co_flags & inspect.CO_COROUTINE:
        await eval(compiled, names)
    else:
        exec(compiled, names)
