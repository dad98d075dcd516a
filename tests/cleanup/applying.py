"""A process that carries out a plan, to be killed: url, token, plan file, journal."""

import asyncio
import sys
from pathlib import Path

from aioregistry import RegistryClient
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.oci.distribution import Distribution


async def main(url: str, token: str, plan: Path, journal: Path) -> None:
    async with RegistryClient(token, base_url=url, rate_limit=None, concurrency=4) as client:
        registry = client.registry("example")
        async with Distribution(registry, base_url=url) as distribution:
            await apply_plan(
                registry,
                Plan.load(plan),
                ContentReader(distribution),
                journal=journal,
                resume=True,
                force=True,
            )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])))
