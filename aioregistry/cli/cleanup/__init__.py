"""The work of the commands ``aioregistry cleanup``."""
