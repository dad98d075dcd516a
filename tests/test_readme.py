"""The README files: their blocks run, their links lead somewhere, their tables are complete."""

import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

import aioregistry
from aioregistry import RegistryClient
from aioregistry.cleanup import (
    ContentReader,
    Distribution,
    Policy,
    load_policy,
    make_plan,
    read_policy,
)
from aioregistry.cleanup.policy.schema import policy_schema
from aioregistry.cli.app import app
from aioregistry.cli.commands.sandbox import _content
from aioregistry.cli.settings.config_file import KEYS, read_config
from aioregistry.sandbox import Phases, Sandbox
from tests.cli.test_help import retired
from tests.readme import (
    FENCED,
    READMES,
    ROOT,
    TAGS,
    TOP,
    all_blocks,
    blocks,
    chapter,
    name_of,
    run,
    sandbox_by_environment,
    table_with,
)

WITH_PYTHON = [path for path in READMES if blocks(path, "python")]
TOML = all_blocks("toml")


@pytest.fixture
async def sandbox(monkeypatch, tmp_path):
    async with sandbox_by_environment(monkeypatch, tmp_path) as sandbox:
        yield sandbox


@pytest.mark.parametrize("path", WITH_PYTHON, ids=name_of)
async def test_the_blocks_run_one_after_the_other(path, sandbox):
    names: dict[str, object] = {"__name__": "readme"}
    try:
        for code in blocks(path, "python"):
            await run(code, name_of(path), names)
    finally:
        for value in names.values():
            if isinstance(value, RegistryClient):
                await value.close()


@pytest.mark.slow(10)
async def test_the_five_minutes_on_the_command_line_work(sandbox, tmp_path):
    text = chapter("Five minutes with your own registry", TOP)
    (policy,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "policy.toml").write_text(policy)
    month_ago = datetime.now(UTC) - timedelta(days=31)
    for number in range(30):
        at = month_ago - timedelta(minutes=number)
        sandbox.state.push("example", "old", [f"pr-{number}"], at=at)
    sandbox.state.phases = Phases(*[0.001] * 6)
    shell = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line.split("#")[0].split() for block in shell for line in block.splitlines()]
    commands = [words for words in lines if words[0] == "aioregistry"]
    assert len(commands) == 5
    for words in commands:
        # Without a terminal there is nobody to ask, and a plan to carry out has to be named.
        plans = [path.name for path in tmp_path.glob("state/*/runs/*")]
        agreed = {"apply": [*plans, "--yes"], "start": ["--yes", "--interval", "0.01"]}.get(
            " ".join(words[2:3]), []
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *words, *agreed),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, (words, output.decode())
    assert len(sandbox.state.tag_names("example", "old")) == 20
    assert len(sandbox.state.tag_names("example", "web")) == len(TAGS)


@pytest.mark.parametrize("path", [TOP, ROOT / "aioregistry/cli/README.md"], ids=name_of)
async def test_the_five_minutes_delete_tags_of_the_sandbox(path, tmp_path):
    text = chapter("Five minutes with your own registry", path)
    (policy,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "policy.toml").write_text(policy)
    async with Sandbox(_content(1000, None, None)) as sandbox:
        client = RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None)
        async with client, Distribution(client.registry("example"), base_url=sandbox.url) as oci:
            rules = load_policy(tmp_path / "policy.toml")
            plan = await make_plan(client.registry("example"), rules, ContentReader(oci))
    assert sum(len(item.tags) for _, item in plan.condemned) > 10


@pytest.mark.parametrize("path", READMES, ids=name_of)
def test_links_lead_somewhere(path):
    text = FENCED.sub("", path.read_text("utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, f"no chapter {target}"
        elif not target.startswith("https://"):
            assert (path.parent / target.partition("#")[0]).exists(), f"{target} does not exist"


def test_links_work_on_the_page_of_a_package_index():
    targets = re.findall(r"\]\(([^)\s]+)\)", TOP.read_text("utf-8"))
    assert not [target for target in targets if not target.startswith(("#", "https://"))]


@pytest.mark.parametrize("path", READMES, ids=name_of)
def test_prose_is_plain_english(path):
    prose = re.sub(r"`[^`\n]*`", "", FENCED.sub("", path.read_text("utf-8")))
    assert retired(prose) == []


@pytest.mark.parametrize("path", READMES, ids=name_of)
def test_paths_that_are_named_exist(path):
    for name in re.findall(r"`((?:aioregistry|tests|benchmarks)/[\w./-]*)`", path.read_text()):
        assert (ROOT / name).exists(), f"{name} does not exist"


@pytest.mark.parametrize("path", [path for path in READMES if path != TOP], ids=name_of)
def test_each_file_of_a_room_is_named_in_its_readme(path):
    text = path.read_text("utf-8")
    files = [file for file in path.parent.glob("*.py") if not file.name.startswith("__")]
    assert not [file.name for file in files if not re.search(rf"\b{file.stem}\b", text)]


@pytest.mark.parametrize("path", READMES, ids=name_of)
def test_a_readme_is_short(path):
    assert len(path.read_text("utf-8").splitlines()) <= (250 if path == TOP else 260)


@pytest.mark.parametrize("text", [text for text in TOML if "[[rules]]" in text])
def test_every_policy_is_one(text):
    assert isinstance(read_policy(text, "policy.toml"), Policy)


@pytest.mark.parametrize("text", [text for text in TOML if "[[registries]]" in text])
def test_every_fleet_is_one(text, tmp_path):
    fleet = pytest.importorskip("aioregistry.fleet", exc_type=ImportError)
    for name in re.findall(r'policy = "(.*)"', text):
        (tmp_path / name).write_text("[[rules]]\nkeep-newest = 1\n")
    (tmp_path / "fleet.toml").write_text(text)
    assert fleet.load_fleet(tmp_path / "fleet.toml").registries


@pytest.mark.parametrize(
    "text", [text for text in TOML if "[[rules]]" not in text and "[[registries]]" not in text]
)
def test_the_configuration_is_one(text, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(text)
    config = read_config(path)
    assert config.profile in config.profiles
    assert {key for profile in config.profiles.values() for key in profile} <= set(KEYS)


def test_every_key_of_a_policy_is_in_the_table():
    rows = table_with("`delete-untagged-older-than`")
    keys = {key for row in rows for key in re.findall(r"`([a-z-]+)`", row[0])}
    schema = policy_schema()["properties"]
    rules = schema["rules"]["items"]["oneOf"]
    assert keys == {*schema, *(key for rule in rules for key in rule["properties"])}


def test_the_first_two_shell_blocks_are_the_two_commands_a_line_each():
    shell = blocks(TOP, "sh")[:2]
    assert [code.count("\n") for code in shell] == [1, 1]
    assert shell[0].rstrip().endswith("aioregistry demo")
    assert re.search(r"&& pytest( [^&]*)?$", shell[1].rstrip())


@pytest.mark.parametrize("path", READMES, ids=name_of)
def test_nobody_is_told_to_install_the_other_project(path):
    text = path.read_text("utf-8")
    assert not re.search(r"pip install[^\n]* ['\"]?aioregistry(?!-do)\b(?! demo)", text)


def calls() -> list[tuple[str, str]]:
    cells = "\n".join(cell for row in table_with("`registry.repositories_v1()`") for cell in row)
    return re.findall(r"`(client|registry|repo)\.(\w+)\(", cells)


@pytest.mark.parametrize(("owner", "method"), calls())
def test_every_method_of_the_table_of_calls_exists(owner, method):
    classes = {
        "client": aioregistry.RegistryClient,
        "registry": aioregistry.RegistryHandle,
        "repo": aioregistry.RepositoryHandle,
    }
    assert callable(getattr(classes[owner], method))


def test_every_error_is_in_the_table_of_errors():
    table = "\n".join(cell for row in table_with("`ResponseError`") for cell in row)
    errors = {name for name in aioregistry.__all__ if name.endswith("Error")} - {"RegistryError"}
    assert {name for name in errors if f"`{name}`" not in table} == set()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_ci_runs_the_commands_that_the_readme_gives():
    script = (ROOT / ".ci" / "run").read_text()
    assert "readme_command 1" in script
    assert "readme_command 2" in script


def test_the_line_that_writes_a_history_is_the_commands_own():
    (line,) = blocks(ROOT / "aioregistry/cli/demo/README.md", "sh")
    printed = CliRunner().invoke(app, ["demo", "--history-format"]).output
    assert line.strip() in printed
