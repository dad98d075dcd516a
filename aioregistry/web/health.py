"""How a client is, known without a request."""

import math
from typing import Any, Literal

from attrs import frozen

from aioregistry.client.client import RegistryClient

__all__ = ["Health"]

_REFUSED = (401, 403)


@frozen
class Health:
    """How a client is; a look costs no request.

    Attributes:
        status: ``ok``; ``waiting``, requests wait for quota; ``refused``, the API's last answer was
            that the token is not accepted; ``closed``.
        waiting: Requests that wait for quota.
        next_free: Seconds until a further request could go; None while that depends on answers.
        remaining: Requests left in the longest window; None where that is not known.
    """

    status: Literal["ok", "waiting", "refused", "closed"]
    waiting: int = 0
    next_free: float | None = 0.0
    remaining: int | None = None

    @classmethod
    def of(cls, client: RegistryClient) -> "Health":
        """Look at a client."""
        if client.closed:
            return cls("closed")
        quota = client.rate_limit_status
        if quota is None:
            return cls("ok")
        refused = quota.server is not None and quota.server.status in _REFUSED
        return cls(
            "refused" if refused else "waiting" if quota.waiting else "ok",
            quota.waiting,
            None if quota.next_free == math.inf else quota.next_free,
            quota.windows[-1].free,
        )

    @property
    def is_well(self) -> bool:
        """Whether the service can use it: what waits does so by design."""
        return self.status in {"ok", "waiting"}

    def document(self) -> dict[str, Any]:
        """Return the same as JSON says it."""
        return {
            "status": self.status,
            "waiting": self.waiting,
            "next_free": self.next_free,
            "remaining": self.remaining,
        }
