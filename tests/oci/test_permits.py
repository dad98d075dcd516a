"""What a registry is asked right before a DELETE never waits for a permit that a DELETE holds."""

import asyncio
from typing import Any

import pytest

from aioregistry import RateLimit, RegistryClient
from aioregistry.oci.distribution import Distribution
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import Priority
from aioregistry.sandbox import Fault, Faults, Limits
from aioregistry.session import permits
from aioregistry.testing import VirtualClock

QUOTA = RateLimit(windows=((20, 60.0), (40, 3600.0)), burst=1000.0)
LIMITS = Limits(per_minute=20, per_hour=40)


class Watched(WindowLimiter):
    """A limiter that does not stand being waited for by who holds a permit, a wait of none too."""

    async def acquire(self, priority: Priority = "interactive") -> None:
        held = permits._HELD.get()
        assert held is None or not held._held, "a permit is waited for while another one is held"
        await super().acquire(priority)


async def job(clock: VirtualClock, deletes: int, *, used: int = 0, faults: Any = ()) -> Any:
    """Delete tags, each after a look by a Distribution that begins without credentials."""
    async with clock.sandbox(limits=LIMITS) as sandbox:
        for number in range(deletes):
            sandbox.state.push("example", "web", [f"v{number}"])
        sandbox.use_quota(used)
        sandbox.faults = Faults(*faults)
        async with RegistryClient(
            sandbox.token, base_url=sandbox.url, rate_limit=Watched(QUOTA)
        ) as client:
            registry = client.registry("example")
            async with Distribution(registry, base_url=sandbox.url) as distribution:

                async def look(tag: str) -> None:
                    await distribution.find_manifest("web", tag)

                tags = [f"v{number}" for number in range(deletes)]
                async with asyncio.timeout(4 * 3600):
                    return await registry.repository("web").delete_tags(tags, check=look), sandbox


@pytest.mark.parametrize("left", [1, 2, 3, 20])
def test_deletes_with_looks_end_however_little_quota_is_left(left):
    with VirtualClock() as clock:
        report, sandbox = clock.run(job(clock, 30, used=40 - left))
        assert len(report.deleted) == 30, report
        assert clock.elapsed < 2 * 3600
    made = [one for one in sandbox.requests if "docker-credentials" in one.raw_path]
    assert len(made) <= 2


def test_deletes_with_looks_over_hours_renew_what_they_need():
    with VirtualClock() as clock:
        report, sandbox = clock.run(job(clock, 100))
        assert len(report.deleted) == 100, report
    order = [
        "credentials" if "docker-credentials" in one.raw_path else one.method
        for one in sandbox.requests
        if one.method == "DELETE" or "docker-credentials" in one.raw_path
    ]
    assert order[0] == "credentials"
    assert order.count("credentials") >= 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=401, route="*/auth"),
        Fault(kind="status", status=503, route="*/auth"),
        Fault(kind="status", status=401, route="*manifests*"),
        Fault(kind="status", status=403, route="*docker-credentials*"),
        Fault(kind="lost", route="*manifests*"),
    ],
    ids=str,
)
def test_looks_that_fail_for_good_end_and_nothing_is_deleted_unseen(fault):
    with VirtualClock() as clock:
        report, sandbox = clock.run(job(clock, 10, used=38, faults=[fault]))
    assert not report.deleted
    assert not any(one.method == "DELETE" for one in sandbox.requests)
    assert len(report.not_attempted) == 10, report
