"""Undo on a real registry: what was deleted pulls again, until its garbage collector has run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aioregistry import RegistryClient
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.undo.report import UndoReport
from aioregistry.cleanup.undo.undo import undo
from aioregistry.oci.writer import DistributionWriter
from tests.real.registry import ApiServer
from tests.real.test_cleanup import POLICY, Filled, filled

pytestmark = pytest.mark.slow(2)

__all__ = ["filled"]


def state(registry, names=("web", "team/api")) -> dict[str, tuple[dict[str, str], set[str]]]:
    return {name: (registry.tags(name), set(registry.revisions(name))) for name in names}


async def clean_up_then_undo(
    filled: Filled, folder: Path, *, collecting: bool = False
) -> UndoReport:
    registry = filled.registry
    archive = folder / "archive"
    async with (
        ApiServer(registry).running() as url,
        RegistryClient("token", base_url=url, rate_limit=None) as client,
        DistributionWriter(client.registry("example"), base_url=registry.url) as writer,
    ):
        handle, contents = client.registry("example"), ContentReader(writer)
        now = datetime.now(UTC) + timedelta(days=2)
        plan = await make_plan(handle, POLICY, contents, now=now)
        report = await apply_plan(handle, plan, contents, archive=archive, force=True)
        assert report.done
        for digest in filled.condemned.values():
            assert not await registry.is_whole(filled.store, "web", digest)
        if collecting:
            await registry.collect_garbage()
        return await undo(writer, archive)


async def test_every_tag_and_every_platform_pulls_as_before(filled, tmp_path):
    registry, store = filled.registry, filled.store
    before = state(registry)
    report = await clean_up_then_undo(filled, tmp_path)
    assert report.is_complete
    assert state(registry) == before
    for tag in ("pr-1", "pr-2"):
        assert await registry.pulls("web", tag)
    for digest in (*filled.kept.values(), *filled.condemned.values()):
        assert await registry.is_whole(store, "web", digest)


async def test_after_a_garbage_collection_the_report_names_what_is_lost(filled, tmp_path):
    registry, store = filled.registry, filled.store
    report = await clean_up_then_undo(filled, tmp_path, collecting=True)
    assert not report.is_complete
    lost = {one.name for one in (*report.lost, *report.not_attempted)}
    for name, digest in filled.condemned.items():
        assert digest in lost, name
        assert not await registry.is_whole(store, "web", digest)
    # A tag whose manifest stayed is back all the same.
    assert registry.tags("web")["pr-also-main"] == filled.kept["old"]
    for digest in filled.kept.values():
        assert await registry.is_whole(store, "web", digest)
