"""One quota for many processes and machines: the public door to `RedisLimiter`."""

from aioregistry.ratelimit.shared import RedisLimiter, WhenAway

__all__ = ["RedisLimiter", "WhenAway"]
