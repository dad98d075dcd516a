"""Programs pull from a registry with a password, with what `login` and the helper have written."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aioregistry.cli.app import app
from aioregistry.cli.docker import config
from tests.real.images import Store
from tests.real.registry import NAMESPACE, ApiServer, RealRegistry, execute, require_programs

pytestmark = pytest.mark.slow(1)

# bcrypt of "password", which the API server hands out for the user "user".
PASSWORDS = "user:$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm\n"
PROGRAM_FOLDER = Path(sys.executable).parent


@pytest.fixture
async def registry(tmp_path, monkeypatch):
    """A registry with one image, which asks for the password; commands are configured for it."""
    require_programs()
    open_to_all, guarded = (tmp_path / name for name in ("open", "guarded"))
    open_to_all.mkdir()
    guarded.mkdir()
    store = Store()
    async with RealRegistry(open_to_all).running() as registry:
        await registry.push(store, store.image("a", [store.layer("a")]), "web", "v1")
    shutil.copytree(open_to_all / "storage", guarded / "storage")
    registry = RealRegistry(guarded, passwords=PASSWORDS)
    async with registry.running(), ApiServer(registry).running() as url:
        for name, value in {
            "HOME": str(tmp_path),
            "PATH": f"{PROGRAM_FOLDER}{os.pathsep}{os.environ['PATH']}",
            "DIGITALOCEAN_TOKEN": "token",
            "AIOREGISTRY_API_URL": url,
            "AIOREGISTRY_REGISTRY_URL": registry.url,
            "DOCKER_CONFIG": str(tmp_path / "docker"),
            "XDG_CACHE_HOME": str(tmp_path / "caches"),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        }.items():
            monkeypatch.setenv(name, value)
        yield registry


def write_config(text: str) -> None:
    path = Path(os.environ["DOCKER_CONFIG"], "config.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def read_config() -> str:
    return Path(os.environ["DOCKER_CONFIG"], "config.json").read_text()


# Its other driver leaves a mount in the folder, which then cannot be removed.
CONTAINERS = (
    "--storage-driver vfs --root {folder}/a --runroot {short} pull --tls-verify=false {image}"
)
# What pulls an image, or at least reads its manifest, with what Docker's configuration says.
PROGRAMS = {
    "skopeo": "skopeo --insecure-policy copy --src-tls-verify=false docker://{image} dir:{folder}",
    "podman": f"podman {CONTAINERS}",
    "buildah": f"buildah {CONTAINERS}",
    "Docker CLI": "docker manifest inspect --insecure {image}",
}
# Holds one set of credentials, as the keychains do.
KEYCHAIN = """#!/bin/sh
cd "$(dirname "$0")"
case $1 in
store) cat > kept.json ;;
get) cat kept.json 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
esac
"""
# The README's row of each: whether it can use `login`, `login --use-helper`, a credential store.
TABLE = Path(config.__file__).with_name("README.md").read_text()
ROWS = {
    cells[0]: [cell == "yes" for cell in cells[2:5]]
    for line in TABLE.splitlines()
    if (cells := [cell.strip() for cell in line.strip("|").split(" | ")])[0] in PROGRAMS
}


async def pulls(registry: RealRegistry, program: str = "skopeo") -> bool:
    target = registry.folder / "pulled"
    shutil.rmtree(target, ignore_errors=True)
    image = f"{registry.host}/{NAMESPACE}/web:v1"
    # podman takes no path of more than 50 characters.
    with tempfile.TemporaryDirectory() as short:
        command = PROGRAMS[program].format(image=image, folder=target, short=short)
        code, output = await execute(*command.split())
    # Whatever else may be wrong with a program on this machine is no answer.
    assert not code or "unauthorized" in output.lower(), output
    return code == 0


async def aioregistry(*arguments: str) -> str:
    """Run a command in this process, in a thread: it has an event loop of its own."""
    result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_login_lets_pull_until_logout(registry):
    write_config("{}")
    assert not await pulls(registry)
    await aioregistry("login")
    assert await pulls(registry)
    await aioregistry("logout")
    assert not await pulls(registry)


async def test_credentials_that_are_printed_let_pull(registry):
    write_config(await aioregistry("credentials"))
    assert await pulls(registry)


@pytest.mark.parametrize(
    "program",
    [
        "skopeo",
        *(
            pytest.param(name, marks=pytest.mark.exhaustive)
            for name in PROGRAMS
            if name != "skopeo"
        ),
    ],
)
async def test_a_program_can_use_what_its_row_says(registry, program, tmp_path, monkeypatch):
    name = PROGRAMS[program].partition(" ")[0]
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}")
    keychain = tmp_path / "keychain/docker-credential-own"
    keychain.parent.mkdir()
    keychain.write_text(KEYCHAIN)
    keychain.chmod(0o755)
    monkeypatch.setenv("PATH", f"{keychain.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STORAGE_DRIVER", "vfs")
    seen = []
    for before, options in (("{}", ()), ("{}", ("--use-helper",)), ('{"credsStore": "own"}', ())):
        write_config(before)
        await aioregistry("login", *options)
        seen.append(await pulls(registry, program))
    assert seen == ROWS[program]


async def test_the_helper_stores_nothing(registry):
    await aioregistry("login", "--use-helper")
    assert json.loads(read_config()) == {"credHelpers": {registry.host: "aioregistry"}}
