"""Registries that tools meet: the sandbox, and distribution 2 and 3 behind the vendor's API."""

import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import frozen

from aioregistry.sandbox import Phases, Quirks, Sandbox, State
from tests.real.registry import NAMESPACE, ApiServer, RealRegistry

PLACES = ("sandbox", "distribution 2.8.2", "distribution 3.1.2")
_NOW = Phases(*[0.0] * 6)
_HOW = dict.fromkeys(
    ("docker-registry", "skopeo", "buildah", "podman", "umoci"), "apt-get install"
) | dict.fromkeys(("dxf", "crpy"), "pip install")


def program(name: str) -> str:
    """Where a program is, by `.ci/tools` or in the path; skips the test without it."""
    folder = os.environ.get("AIOREGISTRY_TOOLS")
    places = (folder or "", str(Path(sys.executable).parent), os.environ["PATH"])
    found = shutil.which(name, path=os.pathsep.join(filter(None, places)))
    if not found:
        pytest.skip(f"needs {name}: {_HOW.get(name, '.ci/tools FOLDER')} {name}")
    return found


@frozen
class Place:
    """A registry that is served, with the API in front of it.

    Attributes:
        host: Of the registry itself.
        api_url: Of the API.
        login: Who may push, and with what; the same twice.
        served: What serves it.
    """

    host: str
    api_url: str
    login: str
    served: Sandbox | RealRegistry

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def token(self) -> str:
        return self.served.token if isinstance(self.served, Sandbox) else "token"

    def tags(self, repository: str) -> dict[str, str]:
        if isinstance(self.served, RealRegistry):
            return self.served.tags(repository)
        held = self.served.state.registry(NAMESPACE).repositories.get(repository)
        tags = {} if held is None else held.tags
        return {name: f"sha256:{tag.manifest.digest.hex()}" for name, tag in tags.items()}

    def revisions(self, repository: str) -> set[str]:
        if isinstance(self.served, RealRegistry):
            return set(self.served.revisions(repository))
        held = self.served.state.registry(NAMESPACE).repositories.get(repository)
        return set() if held is None else {f"sha256:{one.hex()}" for one in held.manifests}

    async def collect(self) -> None:
        if isinstance(self.served, RealRegistry):
            await self.served.collect_garbage()
        else:
            self.served.state.start_collection(NAMESPACE)
            assert self.served.state.active_collection(NAMESPACE) is None


@asynccontextmanager
async def serving(name: str, folder: Path) -> AsyncIterator[Place]:
    """Serve one of `PLACES`."""
    if name == "sandbox":
        state = State(phases=_NOW, quirks=Quirks(deletes=True))
        state.add_registry(NAMESPACE)
        async with Sandbox(state) as sandbox:
            secret = state.issue_credentials(NAMESPACE, read_write=True).secret
            yield Place(sandbox.url[7:], sandbox.url, secret, sandbox)
        return
    binary = program("docker-registry" if "2.8" in name else "registry3")
    registry = RealRegistry(folder, binary=binary, schema1="2.8" in name)
    async with registry.running(), ApiServer(registry).running() as url:
        yield Place(registry.host, url, "", registry)
