"""How tests that draw their inputs draw them: the same each time, or others in search of faults.

`pytest` draws the same on each machine, in each order, alone or among others: what fails, fails
again. `AIOREGISTRY_EXAMPLES=20 pytest tests/paging` draws at random, 20 times as many, and takes
`--hypothesis-seed`.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

_TIMES = int(os.environ.get("AIOREGISTRY_EXAMPLES", "0"))


def draws(count: int) -> settings:
    """Draw so many examples, or as many times that as a search is to draw."""
    return settings(max_examples=count * max(1, _TIMES))


def use() -> None:
    """Load the profile that all tests take."""
    # How long an example takes says more of the machine than of the code.
    timeless = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    if _TIMES:
        settings.register_profile("search", max_examples=100 * _TIMES, print_blob=True, **timeless)
        settings.load_profile("search")
        return
    settings.register_profile("same", derandomize=True, print_blob=True, **timeless)
    settings.load_profile("same")
    # A part of all values would come from what the modules loaded so far have in their source, and
    # which are loaded depends on the tests that a worker has had.
    if hasattr(providers, "_get_local_constants"):
        none = providers.Constants()
        providers._get_local_constants = lambda: none
