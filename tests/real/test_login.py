"""skopeo pulls from a registry with a password, with what `login` and the helper have written."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.real.images import Store
from tests.real.registry import NAMESPACE, ApiServer, RealRegistry, execute, require_programs

pytestmark = pytest.mark.slow(1)

# bcrypt of "password", which the API server hands out for the user "user".
PASSWORDS = "user:$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm\n"
COMMAND = Path(sys.executable).with_name("aioregistry")


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
            "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}",
            "DIGITALOCEAN_TOKEN": "token",
            "AIOREGISTRY_API_URL": url,
            "AIOREGISTRY_REGISTRY_URL": registry.url,
            "DOCKER_CONFIG": str(tmp_path / "docker"),
            "XDG_CACHE_HOME": str(tmp_path / "caches"),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
        }.items():
            monkeypatch.setenv(name, value)
        yield registry


def write_config(text: str) -> None:
    path = Path(os.environ["DOCKER_CONFIG"], "config.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def read_config() -> str:
    return Path(os.environ["DOCKER_CONFIG"], "config.json").read_text()


async def pulls(registry: RealRegistry) -> bool:
    target = registry.folder / "pulled"
    shutil.rmtree(target, ignore_errors=True)
    code, _ = await execute(
        *("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false"),
        *("--authfile", f"{os.environ['DOCKER_CONFIG']}/config.json"),
        *(f"docker://{registry.host}/{NAMESPACE}/web:v1", f"dir:{target}"),
    )
    return code == 0


async def aioregistry(*arguments: str) -> str:
    code, output = await execute(COMMAND, *arguments)
    assert code == 0, output
    return output


async def test_without_a_login_nothing_is_pulled(registry):
    write_config("{}")
    assert not await pulls(registry)


async def test_login_lets_pull_until_logout(registry):
    await aioregistry("login")
    assert await pulls(registry)
    await aioregistry("logout")
    assert not await pulls(registry)


async def test_the_helper_lets_pull_and_stores_nothing(registry):
    await aioregistry("login", "--use-helper")
    assert json.loads(read_config()) == {"credHelpers": {registry.host: "aioregistry"}}
    assert await pulls(registry)


async def test_credentials_that_are_printed_let_pull(registry):
    write_config(await aioregistry("credentials"))
    assert await pulls(registry)
