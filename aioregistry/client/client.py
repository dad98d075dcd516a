"""The client: where everything begins."""

from collections.abc import Awaitable, Callable
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, overload

from aioregistry.api import names
from aioregistry.api.endpoints import Endpoints, Family
from aioregistry.api.models import (
    DockerCredentials,
    Registry,
    RegistryList,
    RegistryOptions,
    Subscription,
)
from aioregistry.arguments import Ignored, plain_callback
from aioregistry.client.credentials import docker_credentials, token_from_environment
from aioregistry.client.families import PathFamilies
from aioregistry.client.lists import PagerFactory
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import ConflictError, ResponseError
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import Limiter, RateLimit, RateLimitStatus
from aioregistry.session.exchange import FinishedRequest, RecentRequests
from aioregistry.session.hints import add_creation_hint
from aioregistry.session.origins import (
    API_URL,
    API_URL_VARIABLE,
    origin_from_environment,
)
from aioregistry.session.retry import RetryPolicy
from aioregistry.session.session import Session
from aioregistry.session.transport import TokenSource, Transport
from aioregistry.version import VERSION

if TYPE_CHECKING:
    import aiohttp

__all__ = ["RegistryClient"]

T = TypeVar("T")


class RegistryClient:
    """A client of DigitalOcean's container registry API.

    One client belongs to one event loop, is not thread-safe, and stays closed once it is closed.
    Share it: the quota is the token's, and only requests of one client are counted together.

    Example:
        ```python
        async with RegistryClient() as client:
            for registry in await client.registries():
                print(registry.name)
        ```

    Args:
        token: The API token, or an async callable that returns one and is called for each attempt.
            None, the default, takes ``DIGITALOCEAN_TOKEN``, else ``DIGITALOCEAN_ACCESS_TOKEN``.
        base_url: The API's origin. The token is sent there and nowhere else. None, the default,
            takes ``AIOREGISTRY_API_URL`` (https, or http on this machine), else
            ``https://api.digitalocean.com``.
        session: An `aiohttp.ClientSession` to use; it is never changed or closed here. Its
            middlewares stay in force, and one that sends again by itself does so unseen by the
            limiter. None, the default, for a session of the client's own.
        connector: An `aiohttp` connector for a session of the client's own, closed with it; None,
            the default, for aiohttp's own.
        trust_env: Whether ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` are honoured; by default
            they are not. A session that is given has its own setting.
        api: ``"registry"``, the default, begins with ``/v2/registry…`` and moves to
            ``/v2/registries…`` for good when the API asks for it; ``"registries"`` begins there.
        rate_limit: The quota to keep: by default the API's, 250 requests a minute and 5,000 an
            hour. Or any `Limiter`; None keeps none.
        retry: How often, and when, a request is sent again; by default `RetryPolicy()`.
        timeout: For each attempt, without its wait for quota: seconds, 30 by default, or an
            `aiohttp.ClientTimeout`.
        per_page: How many items a page is asked to have, 1 to 200; 200 by default.
        concurrency: How many pages of a walk, or deletes of a bulk delete, may be under way at
            once; 16 by default.
        user_agent: Put before the client's own name in the User-Agent header; None by default.
        on_request: Called with a `FinishedRequest` after each request; None, the default, for no
            call.

    Raises:
        InvalidTokenError: There is no token, or one that cannot be sent.
        ValueError: An argument makes no sense.
    """

    def __init__(
        self,
        token: TokenSource | None = None,
        *,
        base_url: str | None = None,
        session: "aiohttp.ClientSession | None" = None,
        connector: "aiohttp.BaseConnector | None" = None,
        api: Family = "registry",
        rate_limit: RateLimit | Limiter | None = RateLimit(),
        retry: RetryPolicy = RetryPolicy(),
        timeout: "float | aiohttp.ClientTimeout" = 30.0,
        per_page: int = 200,
        concurrency: int = 16,
        user_agent: str | None = None,
        on_request: Callable[[FinishedRequest], Ignored] | None = None,
        trust_env: bool = False,
    ) -> None:
        if not 1 <= per_page <= 200:
            raise ValueError(f"per_page must be 1 to 200, not {per_page}")
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        ours = f"aioregistry/{VERSION}"
        transport = Transport(
            base_url=(
                origin_from_environment(API_URL_VARIABLE) or API_URL
                if base_url is None
                else base_url
            ),
            token=token_from_environment() if token is None else token,
            session=session,
            connector=connector,
            timeout=timeout,
            user_agent=ours if user_agent is None else f"{user_agent} {ours}",
            trust_env=trust_env,
        )
        own_limiter = WindowLimiter(rate_limit) if isinstance(rate_limit, RateLimit) else None
        self._own_limiter = own_limiter
        self._limiter = own_limiter if isinstance(rate_limit, RateLimit) else rate_limit
        if not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry must be a RetryPolicy, not {retry!r}; attempts=1 never repeats")
        if not isinstance(rate_limit, RateLimit | None) and not hasattr(rate_limit, "acquire"):
            raise TypeError(
                f"rate_limit must be a RateLimit, a Limiter or None, not {rate_limit!r}"
            )
        on_request = plain_callback("on_request", on_request)
        self._session = Session(transport, self._limiter, retry, on_request)
        self._families = PathFamilies(self._session, api, trust_env=trust_env)
        self._pagers = PagerFactory(self._families, per_page, concurrency)
        self._concurrency = concurrency

    async def open(self) -> Self:
        """Open the client; ``async with`` does it, too.

        Raises:
            ClientClosedError: It is open, or was closed.
        """
        self._session.open()
        return self

    async def close(self) -> None:
        """Close the client: tasks that still run are cancelled, and waits for quota end."""
        if self._own_limiter is not None:
            self._own_limiter.close()
        await self._session.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def closed(self) -> bool:
        """Whether it is not open: not yet, or no more."""
        return self._session.state != "open"

    @property
    def rate_limit_status(self) -> RateLimitStatus | None:
        """What is left of the quota, and what the rate-limit headers reported last.

        Any thread may read it while the client's event loop runs; else it is a `ClientClosedError`.
        None without a limiter, and with a limiter of your own that has no `status`.
        """
        if self._limiter is None:
            return None
        return self.in_loop(lambda: getattr(self._limiter, "status", None))

    def in_loop(self, function: Callable[[], T]) -> T:
        """Call a function in the client's event loop, and return what it returns.

        For other threads, such as that of a FastAPI endpoint without ``async``.

        Args:
            function: A plain function that does not block; what it raises is raised here.

        Raises:
            ClientClosedError: The event loop does not run.
        """
        return self._session.in_loop(function)

    @property
    def recent_requests(self) -> RecentRequests:
        """What became of the latest requests; `aioregistry.web.Health` judges by it."""
        return self._session.recent

    def __repr__(self) -> str:
        return f"<RegistryClient {self._session.base_url} {self._session.state}>"

    @overload
    def registry(self, name: str | Registry) -> RegistryHandle: ...

    @overload
    def registry(self) -> Awaitable[RegistryHandle]: ...

    def registry(
        self, name: "str | Registry | EllipsisType" = ...
    ) -> RegistryHandle | Awaitable[RegistryHandle]:
        """Return a handle on a registry; with a name no request is sent.

        Without one, await the handle: the account's only registry is looked up, by `get_registry`.

        Args:
            name: The registry's name, or what a list yielded; without it, the account's only one.
                None is no name: a variable that was never set must not mean any registry.

        Raises:
            InvalidNameError: No registry can have such a name.
            NotFoundError: When awaited: there is none.
            PreconditionFailedError: When awaited: there are several.
        """
        if name is ...:
            return self._only_registry()
        name = name.name if isinstance(name, Registry) else name
        return RegistryHandle(name, self._families, self._pagers, self._concurrency)

    async def _only_registry(self) -> RegistryHandle:
        return self.registry(await self.get_registry())

    async def registries(self) -> RegistryList:
        """Return all registries of the account: ``GET /v2/registries``.

        Example:
            ```python
            registries = await client.registries()
            for registry in registries:
                print(registry.name, registry.storage_usage_bytes)
            print(registries.total_storage_usage_bytes)
            ```

        Raises:
            RegistryError: Any of its kinds.
        """
        return await self._families.call(Endpoints.list_registries)

    async def get_registry(self, name: str | None = None) -> Registry:
        """Return a registry: ``GET /v2/registry`` or ``GET /v2/registries/{name}``.

        Example:
            ```python
            registry = await client.get_registry()
            print(registry.name, registry.read_only)
            ```

        Args:
            name: Which; None, the default, means the account's only one.

        Raises:
            InvalidNameError: No registry can have such a name; nothing was sent.
            NotFoundError: There is none, or none of this name.
            PreconditionFailedError: There are several, and `name` is None.
            RegistryError: Any other of its kinds.
        """
        return await self._families.get_registry(
            None if name is None else names.check_registry(name)
        )

    async def create_registry(
        self, name: str, *, subscription_tier: str | None = None, region: str | None = None
    ) -> Registry:
        """Create a registry: ``POST /v2/registries``.

        Never repeated by itself once it may have reached the API.

        Args:
            name: Its name, unique among all accounts.
            subscription_tier: A tier's slug, as `options` lists them; None, the default, keeps
                the account's.
            region: A region's slug, which stays for good; None, the default, leaves the choice to
                the API.

        Raises:
            InvalidNameError: No registry can have such a name; nothing was sent.
            ConflictError: The name is taken, perhaps by another account.
            InvalidRequestError: The tier or the region does not exist, or the account's tier
                allows no further registry.
            PreconditionFailedError: The account is not eligible for the tier.
            RegistryError: Any other of its kinds.
        """
        try:
            return await self._families.call(
                lambda endpoints: endpoints.create_registry(name, subscription_tier, region)
            )
        except ResponseError as error:
            add_creation_hint(error, name)
            raise
        finally:
            self._families.forget_registry()

    async def delete_registry(self, name: str) -> None:
        """Delete a registry with **all its repositories**: ``DELETE /v2/registries/{name}``.

        Args:
            name: The registry's name.

        Raises:
            InvalidNameError: No registry can have such a name; nothing was sent.
            NotFoundError: There is no such registry.
            RegistryError: Any other of its kinds.
        """
        try:
            await self._families.call(lambda endpoints: endpoints.delete_registry(name))
        finally:
            self._families.forget_registry()

    async def docker_credentials(
        self, read_write: bool = False, expiry_seconds: int | None = None
    ) -> DockerCredentials:
        """Return Docker credentials for the account's only registry.

        ``GET /v2/registry/docker-credentials``, or the same under its name.

        Args:
            read_write: Whether they may push; by default they may not.
            expiry_seconds: How many seconds they are valid; None, the default, or 0: they never
                expire.

        Raises:
            NotFoundError: There is no registry.
            PreconditionFailedError: There are several: use `RegistryHandle.docker_credentials`.
            RegistryError: Any other of its kinds.
        """
        return await docker_credentials(
            self._families, None, read_write=read_write, expiry_seconds=expiry_seconds
        )

    async def validate_name(self, name: str) -> None:
        """Check that a registry could be created under a name: ``POST …/validate-name``.

        Args:
            name: The name.

        Raises:
            InvalidNameError: No registry can have such a name; nothing was sent.
            ConflictError: The name is taken.
            RegistryError: Any other of its kinds.
        """
        await self._families.call(lambda endpoints: endpoints.validate_name(name))

    async def is_name_available(self, name: str) -> bool:
        """Return whether a registry could be created under a name: ``POST …/validate-name``.

        Args:
            name: The name.

        Raises:
            InvalidNameError: No registry can have such a name; nothing was sent.
            RegistryError: Any other of its kinds, but for the conflict of a name that is taken.
        """
        try:
            await self.validate_name(name)
        except ConflictError:
            return False
        return True

    async def options(self) -> RegistryOptions:
        """Return the regions and subscription tiers to choose from: ``GET …/options``.

        Raises:
            RegistryError: Any of its kinds.
        """
        return await self._families.call(Endpoints.get_options)

    async def subscription(self) -> Subscription:
        """Return the account's subscription: ``GET …/subscription``.

        Raises:
            RegistryError: Any of its kinds.
        """
        return await self._families.call(Endpoints.get_subscription)

    async def update_subscription(self, tier: str) -> Subscription:
        """Change the account's subscription: ``POST …/subscription``.

        Never repeated by itself once it may have reached the API.

        Args:
            tier: A tier's slug, as `options` lists them.

        Raises:
            PreconditionFailedError: The account is not eligible; the message says why.
            RegistryError: Any other of its kinds.
        """
        return await self._families.call(lambda endpoints: endpoints.update_subscription(tier))
