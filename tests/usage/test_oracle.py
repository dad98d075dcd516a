"""The bytes that usage promises, and those that a deletion and a garbage collection free."""

from random import Random

import pytest

from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.client.client import RegistryClient
from aioregistry.oci.distribution import Distribution
from aioregistry.sandbox import Sandbox, State
from aioregistry.sandbox.state import images
from aioregistry.usage import By, measure_usage
from tests.cleanup.registries import NOW, Builder, digest_of
from tests.real.schema1 import signed_manifest
from tests.usage.oracle import Oracle, random_state

SEEDS = [
    seed if seed < 6 else pytest.param(seed, marks=pytest.mark.exhaustive) for seed in range(300)
]


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_exclusive_is_what_a_garbage_collection_frees(seed):
    state = random_state(Random(seed))
    oracle = Oracle(state)
    async with (
        Sandbox(state) as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
        Distribution(client.registry("example"), base_url=sandbox.url) as distribution,
    ):
        contents = ContentReader(distribution)

        async def usage(by: By):
            registry = client.registry("example")
            return await measure_usage(registry, contents, by=by, top=None, now=NOW)

        by_repository, by_tag, by_age = [await usage(by) for by in (By.REPOSITORY, By.TAG, By.AGE)]
    total = by_repository.total
    assert total.bytes == oracle.stored
    assert total.untagged_bytes == oracle.of_untagged()
    assert {row.name: row.exclusive_bytes for row in by_repository.rows} == {
        name: oracle.of_repository(name) for name in oracle.repositories()
    }
    assert {row.name: row.exclusive_bytes for row in by_tag.rows} == {
        name: oracle.of_tag(name) for name in oracle.tags()
    }
    freed = {row.name: row.exclusive_bytes for row in by_age.rows}
    for name, least, most in (
        ("up to a day", -1, 1),
        ("1 to 7 days", 1, 7),
        ("30 to 90 days", 30, 90),
    ):
        assert freed.get(name, 0) == oracle.of_days(least, most)
    assert by_repository.unread == 0
    assert by_repository.complete


async def test_a_signed_manifest_of_schema_1_is_counted_with_the_layers_that_it_has():
    state = State()
    state.add_registry("example")
    builder = Builder(state, "web")
    builder.image("new", blobs=[(digest_of("config"), 10), (digest_of("base"), 500)])
    builder.image("gone", blobs=[(digest_of("other"), 10), (digest_of("only"), 300)])
    for name, layer in (("old", "base"), ("older", "only")):
        body, _ = signed_manifest("example/web", digest_of(layer))
        state.put("example", "web", [name], *images.described(state.now(), body))
    state.delete_tag("example", "web", "gone")
    oracle = Oracle(state)
    async with (
        Sandbox(state) as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
        Distribution(client.registry("example"), base_url=sandbox.url) as distribution,
    ):
        usage = await measure_usage(
            client.registry("example"), ContentReader(distribution), by=By.TAG
        )
    assert usage.total.bytes == oracle.stored
    assert usage.unread == 0
    assert {row.name: row.exclusive_bytes for row in usage.rows} == {
        name: oracle.of_tag(name) for name in oracle.tags()
    }
    assert {row.name for row in usage.rows} == {"web:new", "web:old", "web:older"}
