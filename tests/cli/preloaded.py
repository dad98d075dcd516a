"""What commands import; the process that is forked for each has it all."""

import pkgutil
from importlib import import_module

import aioregistry.cleanup
import aioregistry.cli
import aioregistry.sandbox

for _module in pkgutil.walk_packages(aioregistry.cli.__path__, "aioregistry.cli."):
    import_module(_module.name)
