"""Each tool at each registry: what it does there, and what a clean-up leaves of it."""

import asyncio
import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

import aioregistry.oci
from aioregistry import RegistryClient
from aioregistry.cleanup import (
    ContentReader,
    Delete,
    DeleteUntagged,
    DistributionWriter,
    Policy,
    apply_plan,
    make_plan,
)
from aioregistry.cleanup.undo.undo import undo
from aioregistry.sandbox import Quirks, Sandbox, State
from tests.real.places import PLACES, Place, program, serving
from tests.real.registry import NAMESPACE
from tests.real.tools import COMMANDS, Tool

pytestmark = [pytest.mark.exhaustive, pytest.mark.slow(8)]

POLICY = Policy([Delete(tags="*pr-*"), DeleteUntagged(timedelta())])
WRITES = ("tag", "sign", "attest", "attach")
SHOWS = ("pull", "verify")
ENDS = ("untag", "delete", "clean")
# What of an image that was deleted can still be shown: a signature without its image verifies.
TABLE = Path(aioregistry.oci.__file__).with_name("TOOLS.md").read_text()


def is_write(operation: str) -> bool:
    return operation in WRITES or operation.startswith("push")


def row_of(tool: str) -> tuple[list[str], list[str]]:
    """The operations that the table says a tool has, and those that fail, with where."""
    (row,) = re.findall(rf"^\| `{tool}` .*$", TABLE, re.MULTILINE)
    _, operations, failing, _ = (cell.strip() for cell in row[1:-1].split("|"))
    return operations.split(", "), failing.split(", ") if failing else []


async def clean_up(place: Place, archive: Path, *, undoing: bool = False) -> None:
    async with (
        RegistryClient(place.token, base_url=place.api_url, rate_limit=None) as client,
        DistributionWriter(client.registry(NAMESPACE), base_url=place.url) as writer,
    ):
        handle, contents = client.registry(NAMESPACE), ContentReader(writer)
        now = datetime.now(UTC) + timedelta(days=2)
        plan = await make_plan(handle, POLICY, contents, now=now, memory=False)
        assert plan.left_alone == (), [one.reason for one in plan.left_alone]
        report = await apply_plan(handle, plan, contents, archive=archive, force=True)
        assert report.done
        assert not report.drift
        assert not report.incomplete
        if undoing:
            restored = await undo(writer, archive)
            assert restored.is_complete, (restored.failed, restored.lost, restored.not_attempted)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("name", COMMANDS)
async def test_a_tool_does_what_its_row_says_and_what_is_kept_stays_whole(name, where, tmp_path):
    assert row_of(name)[0] == list(COMMANDS[name])
    for folder in ("registry", "home"):
        (tmp_path / folder).mkdir()
    async with serving(where, tmp_path / "registry") as place:
        # podman takes no path of more than 50 characters.
        with tempfile.TemporaryDirectory() as store:
            await work(Tool(name, place, tmp_path / "home", Path(store)), where, tmp_path)


async def work(tool: Tool, where: str, folder: Path) -> None:
    operations, failing = row_of(tool.name)
    place, repository = tool.place, tool.repository
    await tool.set_up()

    def fails(operation: str) -> bool:
        return f"{operation} at {where}" in failing or f"{operation} anywhere" in failing

    async def do(operation: str, tag: str) -> None:
        done = await tool.do(operation, tag)
        assert done is not fails(operation), (operation, tool.output)

    if fails("push"):
        await do("push", "v1")
        return
    for tag in ("v1", "pr-1"):
        for operation in operations:
            if is_write(operation):
                await do(operation, tag)
    for operation in operations:
        if not is_write(operation) and operation not in ENDS:
            await do(operation, "v1")
            assert operation != "list" or tool.name == "notation" or "v1" in tool.output

    async def shown(tag: str) -> dict[str, bool]:
        return {one: await tool.do(one, tag) for one in SHOWS if one in operations}

    before = await shown("v1"), await shown("pr-1")
    assert all(before[0].values())
    assert all(before[1].values())
    tags, revisions = place.tags(repository), place.revisions(repository)
    await clean_up(place, folder / "archive", undoing=True)
    assert (place.tags(repository), place.revisions(repository)) == (tags, revisions)
    assert (await shown("v1"), await shown("pr-1")) == before
    await clean_up(place, folder / "again")
    await place.collect()
    assert await shown("v1") == before[0]
    assert not any((await shown("pr-1")).values())
    assert not [tag for tag in place.tags(repository) if "pr-" in tag]

    for operation in ENDS:
        if operation in operations:
            await do("push", "doomed")
            for also in ("sign", "attest"):
                if also in operations:
                    await do(also, "doomed")
            left = set(place.tags(repository))
            await do(operation, "doomed")
            gone = {"doomed"} if operation != "clean" and not fails(operation) else set()
            signatures = {tag for tag in left if tag.startswith("sha256-")}
            assert set(place.tags(repository)) | signatures == (left - gone) | signatures


@pytest.mark.parametrize("name", ["cosign3", "notation"])
async def test_the_naive_way_breaks_signatures(name, tmp_path):
    """All that is untagged is deleted, as scripts do it."""
    for folder in ("registry", "home"):
        (tmp_path / folder).mkdir()
    async with serving(PLACES[1], tmp_path / "registry") as place, aiohttp.ClientSession() as http:
        tool = Tool(name, place, tmp_path / "home", tmp_path)
        await tool.set_up()
        for operation in ("push", "sign", "verify"):
            assert await tool.do(operation, "v1"), tool.output
        tagged = set(place.tags(tool.repository).values())
        for digest in place.revisions(tool.repository) - tagged:
            path = f"/v2/{NAMESPACE}/{tool.repository}/manifests/{digest}"
            async with http.delete(f"{place.url}{path}") as answer:
                assert answer.status == 202
        await place.collect()
        assert not await tool.do("verify", "v1")


async def test_dxf_works_at_the_sandbox_over_tls(tmp_path):
    """It sends no credentials without."""
    (tmp_path / "file").write_text("content")
    state = State(quirks=Quirks(deletes=True))
    state.add_registry(NAMESPACE)
    secret = state.issue_credentials(NAMESPACE, read_write=True).secret
    async with Sandbox(state, tls=True) as sandbox:
        login = {"DXF_HOST": sandbox.url[8:], "DXF_USERNAME": secret, "DXF_PASSWORD": secret}
        for command, printed in (
            (f"push-blob example/web {tmp_path}/file @v1", "sha256:"),
            ("list-repos", "example/web"),
            ("list-aliases example/web", "v1"),
            ("pull-blob example/web @v1", "content"),
            ("del-alias example/web v1", "sha256:"),
        ):
            process = await asyncio.create_subprocess_exec(
                program("dxf"),
                *command.split(),
                env={**login, "DXF_SKIPTLSVERIFY": "1", "PYTHONWARNINGS": "ignore"},
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await process.communicate()
            assert process.returncode == 0
            assert output.decode().startswith(printed)
    assert not state.registry(NAMESPACE).repositories
