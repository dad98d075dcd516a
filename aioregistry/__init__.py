"""Async client for DigitalOcean's container registry."""

from importlib import import_module
from warnings import warn

# As in `typing`, which takes longer to load than all that is loaded here.
TYPE_CHECKING = False

if TYPE_CHECKING:
    __version__: str

    from aioregistry.api.documents import json_default
    from aioregistry.api.models import (
        Blob,
        DockerCredentials,
        GarbageCollection,
        Manifest,
        Page,
        Registry,
        RegistryList,
        RegistryOptions,
        Repository,
        RepositoryV1,
        Subscription,
        SubscriptionTier,
        Tag,
    )
    from aioregistry.bulk.outcomes import OutcomeIterator
    from aioregistry.bulk.progress import Progress
    from aioregistry.bulk.report import BulkDeleteError, DeletionReport, Outcome
    from aioregistry.client.client import RegistryClient
    from aioregistry.client.registry import RegistryHandle
    from aioregistry.client.repository import RepositoryHandle
    from aioregistry.errors import (
        AuthenticationError,
        ClientClosedError,
        ConflictError,
        InvalidNameError,
        InvalidRequestError,
        InvalidResponseError,
        InvalidTokenError,
        MountRefusedError,
        NotFoundError,
        NotRecordedError,
        PartialListingError,
        PermissionDeniedError,
        PreconditionFailedError,
        RateLimitedError,
        RegistryConnectionError,
        RegistryError,
        RegistryReadOnlyError,
        RegistryTimeoutError,
        ResponseError,
        ServerError,
        SharedQuotaError,
        TagExistsError,
    )
    from aioregistry.oci.tagging import TagOutcome
    from aioregistry.paging.pager import ItemIterator, PageIterator, Pager
    from aioregistry.ratelimit.headers import RateLimitHeaders
    from aioregistry.ratelimit.limiter import WindowLimiter
    from aioregistry.ratelimit.limits import (
        Limiter,
        Priority,
        RateLimit,
        RateLimitStatus,
        WindowStatus,
    )
    from aioregistry.session.exchange import FinishedRequest
    from aioregistry.session.retry import RetryPolicy

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
    "MountRefusedError",
    "NotFoundError",
    "NotRecordedError",
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
    "RateLimitHeaders",
    "RateLimitStatus",
    "RateLimitedError",
    "Registry",
    "RegistryClient",
    "RegistryConnectionError",
    "RegistryError",
    "RegistryHandle",
    "RegistryList",
    "RegistryOptions",
    "RegistryReadOnlyError",
    "RegistryTimeoutError",
    "Repository",
    "RepositoryHandle",
    "RepositoryV1",
    "ResponseError",
    "RetryPolicy",
    "ServerError",
    "SharedQuotaError",
    "Subscription",
    "SubscriptionTier",
    "Tag",
    "TagExistsError",
    "TagOutcome",
    "WindowLimiter",
    "WindowStatus",
    "json_default",
]

# Where each name is. It is loaded when it is first asked for: the commands' help, and what asks for
# the errors alone, do without the client and aiohttp.
_MODULES = {
    "errors": (
        "AuthenticationError ClientClosedError ConflictError InvalidNameError InvalidRequestError "
        "InvalidResponseError InvalidTokenError MountRefusedError NotFoundError NotRecordedError "
        "PartialListingError PermissionDeniedError PreconditionFailedError RateLimitedError "
        "RegistryConnectionError RegistryError RegistryReadOnlyError RegistryTimeoutError "
        "ResponseError ServerError SharedQuotaError TagExistsError"
    ),
    "bulk.outcomes": "OutcomeIterator",
    "bulk.report": "BulkDeleteError DeletionReport Outcome",
    "client.client": "RegistryClient",
    "client.registry": "RegistryHandle",
    "client.repository": "RepositoryHandle",
    "api.models": (
        "Blob DockerCredentials GarbageCollection Manifest Page Registry RegistryList "
        "RegistryOptions Repository RepositoryV1 Subscription SubscriptionTier Tag"
    ),
    "api.documents": "json_default",
    "oci.tagging": "TagOutcome",
    "paging.pager": "ItemIterator PageIterator Pager",
    "bulk.progress": "Progress",
    "ratelimit.headers": "RateLimitHeaders",
    "ratelimit.limiter": "WindowLimiter",
    "ratelimit.limits": "Limiter Priority RateLimit RateLimitStatus WindowStatus",
    "session.retry": "RetryPolicy",
    "session.exchange": "FinishedRequest",
}
# Former names, which go with the next release.
_RENAMED = {"ServerWord": "RateLimitHeaders"}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name in _RENAMED:
            new = _RENAMED[name]
            warn(f"{name} is now called {new}", DeprecationWarning, stacklevel=2)
            return getattr(import_module(__name__), new)
        if name == "errors":
            return import_module(f"{__name__}.errors")
        if name == "__version__":
            return import_module(f"{__name__}.version").VERSION
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
