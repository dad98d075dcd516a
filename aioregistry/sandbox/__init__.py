"""An embedded container registry: the API's behaviour, without an account."""

from .app import RecordedRequest, Sandbox
from .collection import Phases
from .faults import Fault, Faults
from .limits import Limits
from .refusal import Refusal
from .state import State

__all__ = [
    "Fault",
    "Faults",
    "Limits",
    "Phases",
    "RecordedRequest",
    "Refusal",
    "Sandbox",
    "State",
]
