"""The clients of a fleet: one for each step, with the quota that all workers share."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from aioregistry.cleanup.manifests.cache import ContentCache
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.client.client import RegistryClient
from aioregistry.client.registry import RegistryHandle
from aioregistry.fleet.file import FleetRegistry
from aioregistry.fleet.shared import ServerDocuments
from aioregistry.oci.distribution import Distribution
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import Limiter, RateLimit
from aioregistry.ratelimit.shared import RedisLimiter

__all__ = ["Accounts", "Addresses"]

_CONCURRENCY = 32
_OWNER_ONLY = 0o700


@frozen(kw_only=True)
class Addresses:
    """Where the registries of a fleet are, and how much may be asked of them.

    Attributes:
        api_url: The address of the API; None, the default, for that of the environment, or
            DigitalOcean's.
        registry_url: The address of the registry itself; None, the default, for that of the
            environment, or the one in its credentials.
        rate_limit: The quota of each token; None for no limit.
        cache: The folder of the manifests and lists that are remembered on this machine; None for
            none.
    """

    api_url: str | None = None
    registry_url: str | None = None
    rate_limit: RateLimit | None = RateLimit()
    cache: Path | None = None


class Accounts:
    """Opens registries with the tokens of their accounts.

    ``with Accounts(addresses, server, name) as accounts`` opens what is remembered on this machine.

    Args:
        addresses: Where they are.
        server: A client of Redis in which workers share each token's quota and the documents that
            they read; None where all of them are in this process.
        name: The fleet's name, with which the keys of documents begin.
    """

    def __init__(self, addresses: Addresses, server: Any | None, name: str) -> None:
        self._addresses = addresses
        self._server = server
        self._shared = None if server is None else ServerDocuments(server, name)
        self._limiters: dict[str, WindowLimiter] = {}
        self._stack = ExitStack()
        self._cache: ContentCache | None = None

    def __enter__(self) -> Self:
        folder = self._addresses.cache
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=_OWNER_ONLY)
            self._cache = self._stack.enter_context(ContentCache(folder / "contents.sqlite"))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @asynccontextmanager
    async def open(
        self, registry: FleetRegistry
    ) -> AsyncGenerator[tuple[RegistryHandle, ContentReader]]:
        """Open a registry, and a reader of its manifests.

        Raises:
            TokenSourceError: Its token cannot be had.
            InvalidTokenError: It is none.
        """
        where = self._addresses
        token = await registry.token.read()
        async with AsyncExitStack() as stack:
            limiter = await self._limiter(stack, token)
            client = RegistryClient(
                token,
                base_url=where.api_url,
                # These paths serve accounts with one registry and with several.
                api="registries",
                rate_limit=limiter,
                concurrency=_CONCURRENCY,
                trust_env=True,
            )
            handle = (await stack.enter_async_context(client)).registry(registry.name)
            distribution = Distribution(
                handle, base_url=where.registry_url, concurrency=_CONCURRENCY, trust_env=True
            )
            opened = await stack.enter_async_context(distribution)
            yield handle, ContentReader(opened, self._cache, self._shared)

    async def _limiter(self, stack: AsyncExitStack, token: str) -> Limiter | None:
        limit = self._addresses.rate_limit
        if limit is None:
            return None
        if self._server is not None:
            return await stack.enter_async_context(RedisLimiter(self._server, token, limit))
        if token not in self._limiters:
            self._limiters[token] = WindowLimiter(limit)
        return self._limiters[token]
