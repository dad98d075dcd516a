"""Many registries, cleaned by themselves: one file, any number of workers, one server.

It needs the extra ``fleet``.
"""

from aioregistry.fleet.accounts import Addresses
from aioregistry.fleet.engine import FleetEngine
from aioregistry.fleet.file import Fleet, FleetFileError, FleetRegistry, load_fleet
from aioregistry.fleet.lease import Lease, LeaseLostError, LeaseTakenError
from aioregistry.fleet.server import FleetServerError, FleetServerRefusedError
from aioregistry.fleet.shared import ServerDocuments, SharedStore
from aioregistry.fleet.state import Run, RunLostError, StateError
from aioregistry.fleet.store import Progress
from aioregistry.fleet.times import Schedule, Window
from aioregistry.fleet.tokens import TokenSource, TokenSourceError

__all__ = [
    "Addresses",
    "Fleet",
    "FleetEngine",
    "FleetFileError",
    "FleetRegistry",
    "FleetServerError",
    "FleetServerRefusedError",
    "Lease",
    "LeaseLostError",
    "LeaseTakenError",
    "Progress",
    "Run",
    "RunLostError",
    "Schedule",
    "ServerDocuments",
    "SharedStore",
    "StateError",
    "TokenSource",
    "TokenSourceError",
    "Window",
    "load_fleet",
]
