"""How a client is, known without a request: is the process alive, and is it ready to serve?"""

import asyncio
import math
from collections.abc import Iterable
from typing import Any, Literal

from attrs import frozen

from aioregistry.client.client import RegistryClient
from aioregistry.ratelimit.limits import RateLimitStatus
from aioregistry.session.exchange import RecentRequests

__all__ = ["Health", "HealthStatus"]

HealthStatus = Literal["ok", "waiting", "refused", "failing", "closed"]

# So many failures in a row say more of the API than of one request.
_MAX_FAILURES = 3


@frozen
class Health:
    """How a client is. A look costs no request.

    Two questions have two answers. `is_alive` is for a liveness probe: when it is false, only a new
    process helps. `is_ready` is for a readiness probe: when it is false, requests of this service
    would fail now. Readiness recovers by itself: what was seen longer than `memory` ago is
    forgotten, and the next request finds out anew.

    Attributes:
        status: ``ok``; ``waiting``, requests wait for quota; ``refused``, the API did not accept
            the token; ``failing``, the API did not answer, or answered with 5xx: three requests in
            a row, or all within the memory; ``closed``, the client or its aiohttp session is.
        waiting: Requests that wait for quota.
        next_free: Seconds until a further request could be sent; None while that depends on
            responses.
        remaining: Requests left in the longest window; None where that is not known.
    """

    status: HealthStatus
    waiting: int = 0
    next_free: float | None = 0.0
    remaining: int | None = None

    @classmethod
    def of(cls, client: RegistryClient, *, memory: float = 60.0) -> "Health":
        """Look at a client, from its event loop or, while that runs, from any thread.

        Args:
            client: The client.
            memory: For how many seconds a result counts; 60 by default.
        """
        if client.closed:
            return cls("closed")
        return client.in_loop(
            lambda: _judge(
                client.rate_limit_status,
                client.recent_requests,
                asyncio.get_running_loop().time(),
                memory,
            )
        )

    @staticmethod
    def worst(of: Iterable["Health"]) -> "Health":
        """Return the health of the client that is worst off.

        Args:
            of: The health of each client; one at least.
        """
        order = ("closed", "failing", "refused", "waiting", "ok")
        return min(of, key=lambda one: order.index(one.status))

    @property
    def is_ready(self) -> bool:
        """Whether the service can use the client now; waiting for quota is normal."""
        return self.status in {"ok", "waiting"}

    @property
    def is_alive(self) -> bool:
        """Whether the client can recover by itself."""
        return self.status != "closed"

    @property
    def is_well(self) -> bool:
        """The same as `is_ready`."""
        return self.is_ready

    def document(self) -> dict[str, Any]:
        """Return the same as JSON values."""
        return {
            "status": self.status,
            "waiting": self.waiting,
            "next_free": self.next_free,
            "remaining": self.remaining,
        }


def _judge(
    quota: RateLimitStatus | None, recent: RecentRequests, now: float, memory: float
) -> Health:
    status = _status(recent, now, memory)
    if quota is None:
        return Health(status)
    return Health(
        "waiting" if status == "ok" and quota.waiting else status,
        quota.waiting,
        None if quota.next_free == math.inf else quota.next_free,
        quota.windows[-1].free,
    )


def _status(recent: RecentRequests, now: float, memory: float) -> HealthStatus:
    begun = now - memory
    if recent.newest is None or recent.newest_at <= begun:
        return "ok"
    if recent.newest == "refused":
        return "refused"
    if recent.newest == "failed":
        unanswered = recent.answered_at is None or recent.answered_at <= begun
        if unanswered or recent.failures >= _MAX_FAILURES:
            return "failing"
    return "ok"
