"""A worker of a fleet as a process, to be killed: server, sandbox, folder, registries, scale."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

from aioregistry import RateLimit
from aioregistry.fleet import Addresses, FleetEngine
from tests.fleet.fleets import fleet_of


async def main(server: str, sandbox: str, folder: Path, registries: int, scale: float) -> None:
    limit = RateLimit().scaled(scale) if scale else None
    addresses = Addresses(api_url=sandbox, registry_url=sandbox, rate_limit=limit)
    async with FleetEngine(
        fleet_of(folder, registries),
        server,
        addresses=addresses,
        tick_seconds=0.5,
        lease_seconds=3.0,
        slice_seconds=2.0,
        look_seconds=0.2,
    ) as engine:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, engine.stop)
        print("working", flush=True)
        await engine.work()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main(*sys.argv[1:3], Path(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
