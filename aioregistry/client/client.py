"""The client: where everything begins."""

from collections.abc import Awaitable
from types import EllipsisType
from typing import overload

from aioregistry.api import names
from aioregistry.api.endpoints import Endpoints
from aioregistry.api.models import (
    DockerCredentials,
    Registry,
    RegistryList,
    RegistryOptions,
    Subscription,
)
from aioregistry.client.base import BaseClient
from aioregistry.client.credentials import docker_credentials
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import ConflictError, ResponseError
from aioregistry.session.hints import add_creation_hint

__all__ = ["RegistryClient"]


class RegistryClient(BaseClient):
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

    @overload
    def registry(self, name: str | Registry) -> RegistryHandle: ...

    @overload
    def registry(self) -> Awaitable[RegistryHandle]: ...

    def registry(
        self, name: str | Registry | EllipsisType = ...
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
