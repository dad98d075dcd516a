"""The quota in Redis: its keys, and the one script that changes them."""

import asyncio
import hashlib
import secrets
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import frozen
from redis.exceptions import NoScriptError

from aioregistry.ratelimit.away import is_away
from aioregistry.ratelimit.limits import RateLimit, part_of
from aioregistry.ratelimit.reserve import DEFAULT_SHARE, MARGIN, MAX_SHARE
from aioregistry.ratelimit.tls import check_tls_of

if TYPE_CHECKING:
    import redis.asyncio

__all__ = ["MAX_NAP_SECONDS", "QuotaStore", "Reply"]

_SCRIPT = (files("aioregistry.ratelimit") / "shared.lua").read_text(encoding="utf-8")
_SCRIPT_SHA1 = hashlib.sha1(_SCRIPT.encode()).hexdigest()  # noqa: S324, Redis names scripts so
# Of what the keys hold. Workers with different versions do not share: a change empties the quota.
_FORMAT = "v2"
_KEYS = ("flight", "past", "state", "served", "waiting", "urgent", "workers", "people")
# In shortest periods: how late someone who waits may be, how long others may leave their part
# lying, and how often is looked for what only answers can tell.
_STALE_PERIODS = 0.05
_PATIENCE_PERIODS = 0.02
_POLL_PERIODS = 0.001
MAX_NAP_SECONDS = 1.0


@frozen
class Reply:
    """What the script returns.

    Attributes:
        epoch: Changes when the data in Redis were lost.
        first: The number of the first permit that was given.
        granted: How many permits were given, with numbers in a row.
        wait: Seconds after which to ask for the others; 0 for at once.
        next_free: Seconds until a further interactive request could be sent.
        windows: Of each window, the shortest first: requests that are used, used by others, free,
            and held from bulk work.
    """

    epoch: str
    first: int
    granted: int
    wait: float
    next_free: float
    windows: list[tuple[int, int, int, int]]


class QuotaStore:
    """The keys of one token in a Redis, as one worker sees them.

    Args:
        client: A client of Redis, or of a cluster.
        token: The API token; only a hash of it is in the keys.
        rate_limit: The quota.
        lease: Seconds after which a permit counts as given back.
        prefix: Of the names of the keys.

    Attributes:
        worker: The name of this worker, which is random.
    """

    def __init__(
        self,
        client: "redis.asyncio.Redis | redis.asyncio.RedisCluster",
        token: str,
        rate_limit: RateLimit,
        lease: float,
        prefix: str,
    ) -> None:
        self._client = client
        self.worker: str = secrets.token_hex(8)
        windows = rate_limit.windows
        digest = hashlib.sha256(token.encode()).hexdigest()[:32]
        # In braces: a cluster keeps them together.
        base = f"{{{prefix}:{digest}}}:{_FORMAT}"
        names = [*_KEYS, *(f"others{nth}" for nth in range(len(windows)))]
        self._keys = [f"{base}:{name}" for name in names]
        shortest = windows[0][1]
        self._fixed: dict[str, object] = {
            "worker": self.worker,
            "lease": lease,
            "burst": rate_limit.burst,
            "windows": [_window(rate_limit, *window) for window in windows],
            "margin": MARGIN,
            "stale": _STALE_PERIODS * shortest,
            "nap": MAX_NAP_SECONDS,
            "patience": _PATIENCE_PERIODS * shortest,
            "poll": _POLL_PERIODS * shortest,
        }

    async def ask(self, timeout: float, **asked: object) -> Reply:
        """Report requests that are over, and ask for permits: one step of the script.

        Args:
            timeout: Seconds to wait for the answer. A client of Redis would try by itself for
                longer to reach a server that is away.
            asked: The fields that are not the same each time: `epoch`, `want`, `urgent`,
                `was_alone`, `over`.

        Raises:
            TimeoutError: There was no answer in time; its context says why, if that is known.
            Exception: Whatever the client of Redis raises.
        """
        document = msgspec.json.encode({**self._fixed, **asked})
        async with asyncio.timeout(timeout):
            raw = await self._evaluate(len(self._keys), *self._keys, document)
        return msgspec.json.decode(raw, type=Reply)

    def refused(self, error: Exception, *, reached: bool) -> Exception | None:
        """Return why Redis will never serve us, after an error; None where waiting may help.

        Args:
            error: What `ask` raised.
            reached: Whether it has answered before.
        """
        if not is_away(error, reached=reached):
            return error
        if not reached:
            try:
                check_tls_of(self._client)
            except ValueError as wrong:
                return wrong
        return None

    async def _evaluate(self, *arguments: Any) -> Any:
        try:
            return await self._client.evalsha(_SCRIPT_SHA1, *arguments)
        except NoScriptError:
            return await self._client.eval(_SCRIPT, *arguments)


def _window(rate_limit: RateLimit, limit: int, period: float) -> dict[str, float]:
    share = rate_limit.share_of(limit)
    window = {
        "limit": limit,
        "period": period,
        "share": share,
        "least_reserve": part_of(share, DEFAULT_SHARE),
        "most_reserve": part_of(share, MAX_SHARE),
    }
    if rate_limit.reserve is not None:
        window["reserve"] = min(part_of(share, rate_limit.reserve), share - 1)
    return window
