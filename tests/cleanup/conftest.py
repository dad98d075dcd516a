"""A clean-up of a sandbox."""

from collections.abc import AsyncIterator

import pytest

from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.oci.distribution import Distribution
from tests.cleanup.jobs import Job
from tests.conftest import QUICK


@pytest.fixture
async def job(sandbox, client) -> AsyncIterator[Job]:
    registry = client.registry("example")
    async with Distribution(registry, base_url=sandbox.url, retry=QUICK) as distribution:
        yield Job(sandbox, client, ContentReader(distribution))
