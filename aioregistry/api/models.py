"""What the API answers, as frozen classes with the API's own field names.

One rule for what an answer leaves out: fields that name a thing are always `str`, empty when
absent; lists are tuples, empty when absent; all else is None when absent.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from attrs import field, frozen
from msgspec import Meta

from aioregistry.api.documents import Document

__all__ = [
    "Blob",
    "DockerCredentials",
    "GarbageCollection",
    "Manifest",
    "Page",
    "Registry",
    "RegistryList",
    "RegistryOptions",
    "Repository",
    "RepositoryV1",
    "Subscription",
    "SubscriptionTier",
    "Tag",
]

T_co = TypeVar("T_co", covariant=True)

# A time without its offset could be off by hours, and ages decide what is deleted.
Time = Annotated[datetime, Meta(tz=True)]


@frozen
class Blob(Document):
    """A blob of a manifest: a layer or a config. Sizes are in bytes."""

    digest: str = ""
    compressed_size_bytes: int | None = None


@frozen
class Manifest(Document):
    """A manifest of a repository, with all tags on it; no tags: an untagged manifest."""

    registry_name: str = ""
    repository: str = ""
    digest: str = ""
    compressed_size_bytes: int | None = None
    size_bytes: int | None = None
    updated_at: Time | None = None
    tags: tuple[str, ...] = ()
    blobs: tuple[Blob, ...] = ()


@frozen
class Tag(Document):
    """A tag of a repository, and the digest of the manifest that it is on."""

    registry_name: str = ""
    repository: str = ""
    tag: str = ""
    manifest_digest: str = ""
    compressed_size_bytes: int | None = None
    size_bytes: int | None = None
    updated_at: Time | None = None


@frozen
class Repository(Document):
    """A repository; `latest_manifest` is None for an empty one."""

    registry_name: str = ""
    name: str = ""
    latest_manifest: Manifest | None = None
    tag_count: int | None = None
    manifest_count: int | None = None


@frozen
class RepositoryV1(Document):
    """A repository as the deprecated list gives it; `latest_tag` is None for an empty one."""

    registry_name: str = ""
    name: str = ""
    latest_tag: Tag | None = None
    tag_count: int | None = None


@frozen
class SubscriptionTier(Document):
    """What a subscription tier includes, and whether the account may have it."""

    name: str = ""
    slug: str = ""
    included_repositories: int | None = None
    included_storage_bytes: int | None = None
    allow_storage_overage: bool | None = None
    included_bandwidth_bytes: int | None = None
    monthly_price_in_cents: int | None = None
    storage_overage_price_in_cents: int | None = None
    eligible: bool | None = None
    eligibility_reasons: tuple[str, ...] = ()


@frozen
class Subscription(Document):
    """The account's subscription to the container registry."""

    tier: SubscriptionTier | None = None
    created_at: Time | None = None
    updated_at: Time | None = None


@frozen
class Registry(Document):
    """A container registry.

    Attributes:
        name: Its name.
        created_at: When it was created.
        region: The slug of its region.
        storage_usage_bytes: The bytes that it stores, computed from time to time.
        storage_usage_bytes_updated_at: When they were computed.
        subscription: The account's subscription, where the call answers it.
        read_only: Whether pushes and deletes are refused, as during a garbage collection.
        type: Its type.
    """

    name: str = ""
    created_at: Time | None = None
    region: str | None = None
    storage_usage_bytes: int | None = None
    storage_usage_bytes_updated_at: Time | None = None
    subscription: Subscription | None = None
    read_only: bool | None = None
    type: str | None = None


class RegistryList(list[Registry]):
    """The registries of an account, a list.

    Attributes:
        total_storage_usage_bytes: The bytes that all of them store, which count against the
            subscription's storage; None where the API does not answer it.
    """

    def __init__(
        self, registries: Iterable[Registry] = (), total_storage_usage_bytes: int | None = None
    ) -> None:
        super().__init__(registries)
        self.total_storage_usage_bytes = total_storage_usage_bytes


@frozen
class RegistryOptions(Document):
    """What a registry can be created with: regions and subscription tiers."""

    available_regions: tuple[str, ...] = ()
    subscription_tiers: tuple[SubscriptionTier, ...] = ()


_ENDED = frozenset({"succeeded", "success", "failed", "cancelled"})


@frozen
class GarbageCollection(Document):
    """A run of the garbage collection.

    Attributes:
        uuid: Its identifier.
        registry_name: The registry's name.
        status: How far it is, such as ``requested`` or ``succeeded``: an open set of words.
        created_at: When it was asked for.
        updated_at: When its status changed last.
        blobs_deleted: How many blobs it has deleted.
        freed_bytes: The bytes that it has freed.
        type: Which kind it is, such as ``unreferenced blobs only``.
    """

    uuid: str = ""
    registry_name: str = ""
    status: str = ""
    created_at: Time | None = None
    updated_at: Time | None = None
    blobs_deleted: int | None = None
    freed_bytes: int | None = None
    type: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the run is over; a status that is not known here counts as under way."""
        return self.status in _ENDED


@frozen
class DockerCredentials:
    """Credentials for ``docker login``. The representation shows the host alone.

    Attributes:
        host: The registry's host, such as ``registry.digitalocean.com``.
        username: The user name.
        password: The password.
        config: The whole Docker ``config.json`` that the API answered, as a dict.
    """

    host: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    config: dict[str, Any] = field(repr=False, hash=False)


@frozen
class Page(Generic[T_co]):
    """One page of a listing.

    Attributes:
        items: The items that no earlier page of the walk held.
        total: How many items the API counts in the whole list; None when it does not say.
        number: The page's number, from 1.
        next_token: The token of the page that follows; None where there is none.
    """

    items: tuple[T_co, ...]
    total: int | None
    number: int
    next_token: str | None = None


# Fields that some answers spell in another way.
OTHER_SPELLINGS: dict[Any, dict[str, str]] = {
    Blob: {"compressed_size_byte": "compressed_size_bytes"},
    Registry: {"storage_usage_updated_at": "storage_usage_bytes_updated_at"},
}
