"""Exclusive bytes, and what the garbage collector of docker-registry frees."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from aioregistry import RegistryClient
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.oci.distribution import Distribution
from aioregistry.usage import By, RegistryUsage, measure_usage
from tests.real.images import Store
from tests.real.registry import ApiServer, RealRegistry, require_programs

pytestmark = pytest.mark.slow(4)


class Copies:
    """Copies of a registry's storage, in which something is deleted."""

    def __init__(self, registry: RealRegistry, folder: Path) -> None:
        self._registry = registry
        self._folder = folder

    async def freed(self, repository: str, digests: Iterable[str] | None) -> int:
        """Delete some manifests of a repository, or all of it, and collect the garbage."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        copy = RealRegistry(self._folder)
        shutil.copytree(self._registry.storage, copy.storage)
        manifests = copy.repository(repository)
        if digests is None:
            shutil.rmtree(manifests.parent)
        for digest in digests or ():
            shutil.rmtree(manifests / "revisions" / "sha256" / digest[7:])
            for tag, on in copy.tags(repository).items():
                if on == digest:
                    shutil.rmtree(manifests / "tags" / tag)
        return await copy.collect_garbage()


async def test_exclusive_bytes_are_what_docker_registry_frees(tmp_path):
    require_programs()
    store, registry = Store(), RealRegistry(tmp_path)
    base = store.layer("base", 20_000)
    amd64 = store.image("amd64", [base, store.layer("for amd64")])
    arm64 = store.image("arm64", [base, store.layer("for arm64")], "arm64")
    attestation = store.attestation(amd64)
    multi = store.index(amd64, arm64, attestation)
    single = store.image("single", [base, store.layer("single", 5_000)])
    twice = store.image("twice", [store.layer("twice"), store.layer("twice")])
    dangling = store.image("dangling", [store.layer("dangling", 7_000)])
    nested = store.index(store.index(store.image("deep", [store.layer("deep")])), single)
    referrer = store.referrer(single, "sbom")
    async with registry.running():
        for root, repository, tag in (
            (multi, "web", "v1"),
            (single, "web", "single"),
            (twice, "web", "a"),
            (twice, "web", "b"),
            (single, "team/api", "v2"),
            (twice, "team/api", "twice"),
        ):
            await registry.push(store, root, repository, tag)
        await registry.put(store, nested, "team/api", "nested")
        await registry.put(store, referrer, "web")
        await registry.put(store, dangling, "web")
        # What skopeo left and no manifest has.
        await registry.collect_garbage()
        found = {by: await _usage(registry, by) for by in (By.REPOSITORY, By.TAG)}
    copies = Copies(registry, tmp_path / "copy")
    by_repository, by_tag = (
        {row.name: row.exclusive_bytes for row in each.rows} for each in found.values()
    )
    for repository, exclusive in by_repository.items():
        assert exclusive == await copies.freed(repository, None), repository
    deep = [one for one in store.members(nested["digest"]) if one in registry.revisions("team/api")]
    alone = {
        "web:v1": [one["digest"] for one in (multi, amd64, arm64, attestation)],
        "web:single": [single["digest"], referrer["digest"]],
        "web:a": [],
        "web:b": [],
        # The nested index has it, too.
        "team/api:v2": [],
        "team/api:twice": [twice["digest"]],
        "team/api:nested": [one for one in deep if one != single["digest"]],
    }
    assert by_tag.keys() == alone.keys()
    for tag, digests in alone.items():
        repository = tag.partition(":")[0]
        assert by_tag[tag] == await copies.freed(repository, digests), tag
    total = found[By.TAG].total
    assert total.bytes == registry.blob_bytes()
    assert total.untagged_bytes == await copies.freed("web", [dangling["digest"]])
    assert total.untagged == 1


async def _usage(registry: RealRegistry, by: By) -> RegistryUsage:
    async with (
        ApiServer(registry).running() as url,
        RegistryClient("dop_v1_" + 64 * "0", base_url=url, rate_limit=None) as client,
        Distribution(client.registry("example"), base_url=registry.url) as distribution,
    ):
        return await measure_usage(
            client.registry("example"), ContentReader(distribution), by=by, top=None
        )
