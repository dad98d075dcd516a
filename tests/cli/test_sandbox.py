"""The command `aioregistry sandbox`, as a process of its own."""

import ast
import asyncio
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import AsyncExitStack

import aiohttp
import pytest
from typer.testing import CliRunner

from aioregistry import RegistryError
from aioregistry.cleanup import Distribution
from aioregistry.cleanup.in_use.account import AccountInUse
from aioregistry.cleanup.in_use.references import collect_in_use
from aioregistry.cli.app import app
from aioregistry.cli.options import Access
from aioregistry.cli.settings.settings import Settings
from aioregistry.sandbox import Sandbox, State
from aioregistry.sandbox.statefile import save_state
from aioregistry.testing import running_sandbox
from tests.cli.programs import Program

pytestmark = pytest.mark.slow(0.3)


@pytest.fixture
def start():
    """Start the command, and return it with its lines for a shell and for Python."""
    processes = []

    def start(*arguments):
        process = Program("sandbox", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        processes.append(process)
        process.title = process.stderr.readline()
        return process, [process.stdout.readline(), process.stderr.readline()]

    yield start
    for process in processes:
        with process:
            process.kill()


def interrupt(process):
    """End it as Ctrl-C does, and return what it said beside the two lines."""
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert output == ""
    return errors


@pytest.fixture
async def use(start, monkeypatch):
    """Start the command, and paste its lines: the first into a shell, the other into Python."""
    async with AsyncExitStack() as clients:

        async def use(*arguments):
            process, (exported, line) = start(*arguments)
            word, *settings = shlex.split(exported)
            assert word == "export"
            for setting in settings:
                monkeypatch.setenv(*setting.split("=", 1))
            names = {}
            await eval(compile(line, "pasted", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
            client = names["client"]
            clients.push_async_callback(client.close)
            return process, client

        yield use


async def counts(client):
    """The number of tags in each repository."""
    walk = client.registry("example").repositories()
    return {repository.name: repository.tag_count async for repository in walk}


async def test_it_serves_what_the_two_lines_lead_to_until_ctrl_c(use):
    process, client = await use()
    held = await counts(client)
    assert len(held) == 8
    assert sum(held.values()) == 1000
    said = interrupt(process)
    assert process.returncode == 0
    assert (said, process.title) == (
        "",
        "Registry example (repositories: 8, tags: 1,000); limits: real. Ctrl-C ends it.\n",
    )


async def test_ctrl_c_ends_it_while_a_request_is_under_way(use, tmp_path):
    faults = tmp_path / "faults.json"
    faults.write_text('{"faults": [{"kind": "delay", "seconds": 60}]}')
    process, client = await use("--tags", "1", "--faults", str(faults))
    request = asyncio.create_task(client.get_registry())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(request), 0.1)
    assert interrupt(process) == ""
    assert process.returncode == 0
    request.cancel()


async def test_commands_in_the_same_shell_go_there(use, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    await use("--tags", "3")
    result = await asyncio.to_thread(CliRunner().invoke, app, ["repositories", "--quiet"])
    assert len(result.stdout.splitlines()) == 3
    settings = Settings.load(Access())
    assert settings.contents_url(None) == settings.api_url


@pytest.mark.parametrize("filled", [False, True])
async def test_what_is_kept_of_it_ends_with_it_unless_a_file_can_fill_it_again(
    use, tmp_path, monkeypatch, filled
):
    monkeypatch.setenv("AIOREGISTRY_STATE_DIR", str(tmp_path / "state"))
    for name in ("example", "example@127.0.0.1_1"):
        (tmp_path / "state" / name / "runs").mkdir(parents=True)
    state = State()
    state.add_registry("example")
    save_state(state, tmp_path / "registry.json")
    process, _ = await use(*(("--state", str(tmp_path / "registry.json")) if filled else ()))
    (tmp_path / "policy.toml").write_text('[[rules]]\ntags = "*"\ndelete = true\n')
    words = ["cleanup", "plan", "--policy", str(tmp_path / "policy.toml")]
    await asyncio.to_thread(CliRunner().invoke, app, words)
    folders = {each.name for each in (tmp_path / "state").iterdir() if each.is_dir()}
    assert len(folders) == 3
    interrupt(process)
    left = {each.name for each in (tmp_path / "state").iterdir() if each.is_dir()}
    assert left == (folders if filled else {"example", "example@127.0.0.1_1"})


@pytest.mark.exhaustive
@pytest.mark.slow(20)
def test_a_rehearsal_of_two_thousand_deletes_goes_as_fast_as_its_sandbox(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "policy.toml").write_text(
        'max-fraction = 1.0\n[[rules]]\ntags = "*"\nkeep-newest = 1\n'
        '[[rules]]\ntags = "*"\ndelete = true\n[[rules]]\ndelete-untagged-older-than = "0d"\n'
    )
    # At the limits of the API this takes eight minutes.
    line = f"""
        aioregistry() {{ "{sys.executable}" -m aioregistry "$@"; }}
        eval "$(aioregistry sandbox --tags 3000 --limits scaled:60 --detach)"
        aioregistry cleanup run --policy policy.toml --yes -o json --timeout 100s
        code=$?; kill $AIOREGISTRY_SANDBOX_PID; exit $code
    """
    done = subprocess.run(
        ["/bin/bash", "-c", line], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["outcomes"]["deleted"] == len(report["items"]) > 2100


@pytest.mark.slow(2)
@pytest.mark.parametrize(
    "wrong",
    ["--port $PORT", "--limits none", "--port 70000", "--limit off"],
    ids=["taken", "limits", "range", "name"],
)
def test_a_rehearsal_without_a_sandbox_reaches_no_registry(tmp_path, wrong):
    line = f"""
        aioregistry() {{ "{sys.executable}" -m aioregistry "$@"; }}
        export DIGITALOCEAN_TOKEN=of_a_real_account
        eval "$(aioregistry sandbox {wrong} --detach)" && exit 7
        aioregistry tags web
        echo "$DIGITALOCEAN_TOKEN"
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            ["/bin/bash", "-c", line],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"HOME": str(tmp_path), "PORT": str(taken.getsockname()[1])},
        )
    assert done.stdout == "none\n"
    assert "reach no registry at all" in done.stderr
    assert "127.0.0.1:1" in done.stderr


def test_ctrl_c_is_as_calm_in_this_process(monkeypatch):
    class Interrupted(Sandbox):
        async def start(self):
            await super().start()
            asyncio.get_running_loop().call_later(0.01, signal.raise_signal, signal.SIGINT)

    monkeypatch.setattr("aioregistry.sandbox.Sandbox", Interrupted)
    result = CliRunner().invoke(app, ["sandbox"])
    assert result.exit_code == 0
    assert result.stdout.startswith("export DIGITALOCEAN_TOKEN=")
    assert result.stdout.count("\n") == 1


async def test_tags_are_made_up_in_the_number_asked_for(use):
    _, client = await use("--tags", "3")
    assert sum((await counts(client)).values()) == 3


async def test_a_cluster_of_its_account_runs_an_image_of_each_repository(use):
    pytest.importorskip("kubernetes_asyncio")
    _, client = await use("--tags", "40")
    names = {one.name async for one in client.registry("example").repositories()}
    in_use = await collect_in_use(AccountInUse(client))
    assert {use.reference.path for use in in_use} == {f"example/{name}" for name in names}


async def test_it_is_strange_if_that_is_asked_for(use):
    _, client = await use("--tags", "20", "--strange")
    (registry,) = await client.registries()
    handle = client.registry(registry.name)
    (name, *_) = [one.name async for one in handle.repositories()]
    async with Distribution(handle) as distribution:
        with pytest.raises(RegistryError) as refused:
            await distribution.list_tags(name)
    assert refused.value.status == 405


async def test_it_holds_a_projects_history(use, tmp_path):
    push = {"sha": "0" * 40, "on_default_branch": True, "releases": ["v1"]}
    path = tmp_path / "history.json"
    pushes = [push | {"at": "2024-01-01T00:00:00Z"}]
    path.write_text(json.dumps({"repository": "owner/project", "pushes": pushes}))
    _, client = await use("--history", str(path))
    tags = await client.registry("example").repository("project").tags().collect()
    assert {tag.tag for tag in tags} == {"0" * 12, "v1"}


async def test_it_holds_a_saved_state(use, tmp_path):
    state = State()
    state.add_registry("mine")
    state.push("mine", "web", ["v1"])
    save_state(state, tmp_path / "state.json")
    _, client = await use("--state", str(tmp_path / "state.json"))
    assert [tag.repository async for tag in client.registry("mine").tags()] == ["web"]


async def test_a_state_may_be_without_a_registry(use, tmp_path):
    save_state(State(), tmp_path / "state.json")
    process, client = await use("--state", str(tmp_path / "state.json"))
    assert await client.registries() == []
    assert interrupt(process) == ""
    assert process.title.startswith("No registry; ")


async def ask(lines, times=1):
    """Ask for the registry so often, by a client that does not wait; return the last answer."""
    token = shlex.split(lines[0])[1].partition("=")[2]
    url = re.search(r'base_url="(.*)"', lines[1])[1]
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        for _ in range(times):
            async with session.get(f"{url}/v2/registry") as response:
                await response.read()
        return response


@pytest.mark.parametrize(
    ("limits", "status", "retry_after"),
    [("real", 429, r"[56]\d"), ("scaled:2", 429, r"[23]?\d\.\d+"), ("off", 200, "")],
)
async def test_requests_are_limited_as_asked_for(start, limits, status, retry_after):
    _, lines = start("--limits", limits, "--tags", "1")
    response = await ask(lines, 251)
    assert response.status == status
    assert re.fullmatch(retry_after, response.headers.get("retry-after", ""))


async def test_faults_strike_as_the_file_says(start, tmp_path):
    faults = tmp_path / "faults.json"
    faults.write_text('{"faults": [{"kind": "status", "status": 502, "skip": 1}]}')
    _, lines = start("--faults", str(faults), "--tags", "1")
    assert (await ask(lines)).status == 200
    assert (await ask(lines)).status == 502


def test_it_listens_on_this_machine_only(start):
    _, lines = start("--tags", "1")
    assert re.search(r'"http://127\.0\.0\.1:\d+"', lines[1])


def test_the_port_may_be_chosen(start, unused_tcp_port):
    _, lines = start("--tags", "1", "--port", str(unused_tcp_port))
    assert f':{unused_tcp_port}"' in lines[1]


def test_a_port_that_is_taken_is_told_in_one_line():
    with running_sandbox() as sandbox:
        result = CliRunner().invoke(app, ["sandbox", "--port", sandbox.url.rpartition(":")[2]])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert "in use" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--limits", "tight"], "--limits must be real, off, or scaled:60"),
        (["--limits", "scaled:0"], "--limits must be real, off, or scaled:60"),
        (["--limits", "scaled:nan"], "--limits must be real, off, or scaled:60"),
        (["--tags", "5", "--state", "x"], "exclude each other"),
        (["--history", "x", "--state", "x"], "exclude each other"),
        (["--history", "absent.json"], "absent.json: No such file or directory"),
        (["--history", __file__], "not a push history"),
        (["--state", "absent.json"], "absent.json: No such file or directory"),
        (["--state", __file__], "test_sandbox.py: "),
        (["--faults", "absent.json"], "absent.json: No such file or directory"),
        (["--faults", __file__], "test_sandbox.py: "),
    ],
)
def test_wrong_usage_is_told_in_one_line(arguments, said):
    result = CliRunner().invoke(app, ["sandbox", *arguments])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("aioregistry sandbox: ")
    assert said in result.stderr


@pytest.mark.parametrize("arguments", [["--tags", "0"], ["--port", "65536"], ["--port", "http"]])
def test_numbers_out_of_range_are_refused(arguments):
    assert CliRunner().invoke(app, ["sandbox", *arguments]).exit_code == 2


def test_ctrl_c_while_the_content_is_made_is_as_calm(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("aioregistry.sandbox.seed.generated_state", interrupted)
    result = CliRunner().invoke(app, ["sandbox"])
    assert result.exit_code == 0
    assert result.output == ""
