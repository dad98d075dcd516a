"""``python -m aioregistry`` is the command ``aioregistry``."""

from aioregistry.cli import main

main()
