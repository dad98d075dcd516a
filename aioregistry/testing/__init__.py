"""Test your own code on a sandbox: fixtures for pytest, context managers for everything else.

``pytest_plugins = ["aioregistry.testing"]``, in the topmost ``conftest.py`` or in a test file,
brings the fixtures of `aioregistry.testing.fixtures`: ``registry_sandbox``, ``registry_client`` and
``virtual_clock``. What is named here needs no pytest.

PYTEST_DONT_REWRITE (there are no assertions, and it may have been imported before)
"""

from aioregistry.testing.background import running_sandbox
from aioregistry.testing.clock import VirtualClock

__all__ = ["VirtualClock", "running_sandbox"]

# Only pytest reads it, so only who has pytest needs it.
pytest_plugins: tuple[str, ...] = ("aioregistry.testing.fixtures",)
