"""The version of what is installed."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["VERSION"]

try:
    VERSION = version("aioregistry-do")
except PackageNotFoundError:
    # Copied or frozen into another program: the code is there, its metadata are not.
    VERSION = "unknown"
