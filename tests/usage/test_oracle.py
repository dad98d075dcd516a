"""The bytes that usage promises, and those that a deletion and a garbage collection free."""

from random import Random

import pytest

from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.client.client import RegistryClient
from aioregistry.oci.distribution import Distribution
from aioregistry.sandbox import Sandbox
from aioregistry.usage import By, measure_usage
from tests.cleanup.registries import NOW
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
