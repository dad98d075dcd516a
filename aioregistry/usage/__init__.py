"""Where the bytes of a registry are, what they cost, and how they grow.

`measure_usage` counts a registry by repository, tag, age, platform or layer, in one pass.
"""

from aioregistry.usage.measuring import measure_usage
from aioregistry.usage.model import By, RegistryUsage, UsageRow

__all__ = [
    "By",
    "RegistryUsage",
    "UsageRow",
    "measure_usage",
]
