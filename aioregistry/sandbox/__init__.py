"""An embedded server with the behaviour of the container registry, for tests and rehearsals."""

from aioregistry.sandbox.faults import Fault, Faults
from aioregistry.sandbox.limits import Limits
from aioregistry.sandbox.quirks import STRANGE, Quirks
from aioregistry.sandbox.refusal import Refusal
from aioregistry.sandbox.server.app import RecordedRequest, Sandbox
from aioregistry.sandbox.state.collection import Phases
from aioregistry.sandbox.state.state import State

__all__ = [
    "STRANGE",
    "Fault",
    "Faults",
    "Limits",
    "Phases",
    "Quirks",
    "RecordedRequest",
    "Refusal",
    "Sandbox",
    "State",
]
