"""The work of ``aioregistry cleanup undo``."""
