"""The commands' fixtures."""

from tests.cli.registries import shell

__all__ = ["shell"]
