"""Services whose clean-ups outlive them, of the guide and of examples/: one replica is killed."""

import asyncio

import pytest

pytest.importorskip("docket")
pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from aioregistry.sandbox import Limits
from benchmarks.ports import free_port
from benchmarks.service import running
from tests.fleet.conftest import server, server_port, url
from tests.fleet.fleets import POLICY, collections, sandbox_of, wrong_repositories
from tests.readme import ROOT, blocks
from tests.web.processes import check_strangers, end_of, get, start

__all__ = ["server", "server_port", "url"]

SCALE = 60.0
FLEET = """
[defaults]
policy = "policy.toml"
in-use = "none"
undo-window = "0s"

[[registries]]
name = "reg0"
token = { env = "DIGITALOCEAN_TOKEN" }
"""
BREAKS = """
import asyncio
from pathlib import Path

from aioregistry.fleet import FleetEngine
from aioregistry.fleet.intake import IntakeError


async def work(self):
    while not Path("broken").exists():
        await asyncio.sleep(0.01)
    raise IntakeError("the worker takes no steps")


FleetEngine.work = work
"""
SERVE = """
if __name__ == "__main__":
    import os

    web.run_app(lasting_app(), host="127.0.0.1", port=int(os.environ["PORT"]))
"""


@pytest.fixture
async def sandbox():
    async with sandbox_of(1, 2, 60, limits=Limits(scale=SCALE)) as sandbox:
        yield sandbox


@pytest.fixture(params=["aiohttp", pytest.param("fastapi", marks=pytest.mark.exhaustive)])
def replica(request, tmp_path, sandbox, url):
    """Runs a replica on a port: of the guide's service for aiohttp, of the example for FastAPI."""
    first, *_ = texts = blocks(ROOT / "aioregistry/web/README.md", "python")
    (lasting,) = [text for text in texts if "def lasting_app" in text]
    parts = (first.partition("if __name__")[0], lasting.replace("redis://localhost", url), SERVE)
    (tmp_path / "guide.py").write_text("\n".join(parts))
    (tmp_path / "breaks.py").write_text(BREAKS)
    (tmp_path / "broken_guide.py").write_text("\n".join(("import breaks", *parts)))
    (tmp_path / "broken_lasting.py").write_text("import breaks\nfrom lasting import api\n")
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "fleet.toml").write_text(FLEET)

    def begin(port: int, *, prefix: str = ""):
        command = {
            "aiohttp": ("-m", f"{prefix}guide"),
            "fastapi": ("-m", "uvicorn", f"{prefix}lasting:api", "--port", "PORT"),
        }[request.param]
        return running(
            tmp_path,
            *command,
            port=port,
            HOSTS="cleanups.test",
            AIOREGISTRY_API_URL=sandbox.url,
            AIOREGISTRY_REGISTRY_URL=sandbox.url,
            AIOREGISTRY_FLEET_SERVER=url,
            DIGITALOCEAN_TOKEN="token-reg0",
        )

    return begin


# Its lease has to run out first.
@pytest.mark.slow(35)
async def test_a_clean_up_outlives_its_replica_and_is_followed_in_any_other(replica, sandbox):
    async with replica(free_port()) as other:
        port = free_port()
        async with replica(port) as one:
            job = await start(one, "/registries/reg0/plans")
            # By the replica that did not begin it.
            planned = await end_of(other, job)
            assert (planned["status"], planned["progress"]["result"]) == ("done", "planned")
            assert planned["progress"]["total"] == 120
            approval = f"/registries/reg0/plans/{planned['progress']['run']}/approval"
            await start(one, approval)
            while sum(each.method == "DELETE" for each in sandbox.requests) < 20:
                await asyncio.sleep(0.01)
            one.process.kill()
            await one.process.wait()
            async with asyncio.timeout(200):
                job = await start(other, approval)
                ended = await end_of(other, job)
        assert (ended["status"], ended["progress"]["result"]) == ("done", "done"), ended
        assert sum(ended["progress"]["counts"].values()) == 120
        assert wrong_repositories(sandbox) == []
        assert collections(sandbox) == {"reg0": 1}
        assert sandbox.rejected_count == 0
        async with replica(port) as again:
            assert (await get(again, f"/jobs/{job['id']}"))["status"] == "done"


async def test_a_registry_that_the_fleet_does_not_have_is_not_found(replica):
    async with (
        replica(free_port()) as service,
        service.http.post("/registries/other/plans") as answer,
    ):
        assert answer.status == 404


@pytest.mark.slow(3)
@pytest.mark.parametrize("replica", ["aiohttp", "fastapi"], indirect=True)
async def test_a_service_whose_worker_cannot_work_ends_and_says_why(replica, tmp_path):
    async with replica(free_port(), prefix="broken_") as service:
        assert await get(service, "/jobs") == []
        (tmp_path / "broken").touch()
        async with asyncio.timeout(60):
            _, errors = await service.process.communicate()
    assert service.process.returncode != 0
    assert b"IntakeError: the worker takes no steps" in errors
    for sign in (b"never", b"Unclosed", b"pending"):
        assert sign not in errors, errors.decode()


@pytest.mark.parametrize("replica", ["fastapi"], indirect=True)
async def test_what_pages_of_other_sites_send_is_refused(replica):
    async with replica(free_port()) as service:
        await check_strangers(service, change="/registries/other/plans", look="/jobs", accepted=404)
