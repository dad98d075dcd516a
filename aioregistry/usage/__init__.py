"""Where the bytes of a registry are, what they cost, and how they grow.

`measure_usage` counts a registry by repository, tag, age, platform or layer, in one pass.
"""

from aioregistry.usage.cost import Cost, Growth, growth_by_push, growth_of_records
from aioregistry.usage.history import UsageRecord, read_records, record_usage
from aioregistry.usage.measuring import measure_usage
from aioregistry.usage.model import By, RegistryUsage, UsageRow, UsageRows

__all__ = [
    "By",
    "Cost",
    "Growth",
    "RegistryUsage",
    "UsageRecord",
    "UsageRow",
    "UsageRows",
    "growth_by_push",
    "growth_of_records",
    "measure_usage",
    "read_records",
    "record_usage",
]
