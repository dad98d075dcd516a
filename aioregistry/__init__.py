"""Async client for DigitalOcean's container registry."""

from importlib import import_module
from typing import TYPE_CHECKING

from aioregistry.errors import (
    AuthenticationError,
    BulkDeleteError,
    ClientClosedError,
    ConflictError,
    InvalidNameError,
    InvalidRequestError,
    InvalidResponseError,
    InvalidTokenError,
    NotFoundError,
    PartialListingError,
    PermissionDeniedError,
    PreconditionFailedError,
    RateLimitedError,
    RegistryConnectionError,
    RegistryError,
    RegistryTimeoutError,
    ResponseError,
    ServerError,
)

if TYPE_CHECKING:
    from aioregistry.bulk import DeletionReport, Outcome, OutcomeIterator
    from aioregistry.client import RegistryClient
    from aioregistry.handles import RegistryHandle, RepositoryHandle
    from aioregistry.models import (
        Blob,
        DockerCredentials,
        GarbageCollection,
        Manifest,
        Page,
        Registry,
        RegistryOptions,
        Repository,
        RepositoryV1,
        Subscription,
        SubscriptionTier,
        Tag,
    )
    from aioregistry.paging import ItemIterator, PageIterator, Pager
    from aioregistry.progress import Progress
    from aioregistry.quota import ServerWord
    from aioregistry.ratelimit import (
        Limiter,
        Priority,
        RateLimit,
        RateLimitStatus,
        WindowLimiter,
        WindowStatus,
    )
    from aioregistry.retry import RetryPolicy
    from aioregistry.session import FinishedRequest

__all__ = [
    "AuthenticationError",
    "Blob",
    "BulkDeleteError",
    "ClientClosedError",
    "ConflictError",
    "DeletionReport",
    "DockerCredentials",
    "FinishedRequest",
    "GarbageCollection",
    "InvalidNameError",
    "InvalidRequestError",
    "InvalidResponseError",
    "InvalidTokenError",
    "ItemIterator",
    "Limiter",
    "Manifest",
    "NotFoundError",
    "Outcome",
    "OutcomeIterator",
    "Page",
    "PageIterator",
    "Pager",
    "PartialListingError",
    "PermissionDeniedError",
    "PreconditionFailedError",
    "Priority",
    "Progress",
    "RateLimit",
    "RateLimitStatus",
    "RateLimitedError",
    "Registry",
    "RegistryClient",
    "RegistryConnectionError",
    "RegistryError",
    "RegistryHandle",
    "RegistryOptions",
    "RegistryTimeoutError",
    "Repository",
    "RepositoryHandle",
    "RepositoryV1",
    "ResponseError",
    "RetryPolicy",
    "ServerError",
    "ServerWord",
    "Subscription",
    "SubscriptionTier",
    "Tag",
    "WindowLimiter",
    "WindowStatus",
]

# Where all but the errors are. It is loaded when it is first asked for: the commands' help, and
# what asks for the errors alone, do without the client and aiohttp.
_MODULES = {
    "bulk": "DeletionReport Outcome OutcomeIterator",
    "client": "RegistryClient",
    "handles": "RegistryHandle RepositoryHandle",
    "models": (
        "Blob DockerCredentials GarbageCollection Manifest Page Registry RegistryOptions "
        "Repository RepositoryV1 Subscription SubscriptionTier Tag"
    ),
    "paging": "ItemIterator PageIterator Pager",
    "progress": "Progress",
    "quota": "ServerWord",
    "ratelimit": "Limiter Priority RateLimit RateLimitStatus WindowLimiter WindowStatus",
    "retry": "RetryPolicy",
    "session": "FinishedRequest",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
