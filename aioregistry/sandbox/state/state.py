"""The account behind the API: registries, subscription, collections, credentials."""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from random import Random
from typing import Any

import attrs

from aioregistry.arguments import Several, refuse_one
from aioregistry.sandbox.quirks import Quirks
from aioregistry.sandbox.refusal import (
    Refusal,
    conflict,
    not_found,
    precondition_failed,
    unprocessable,
)
from aioregistry.sandbox.state import images
from aioregistry.sandbox.state.cluster import Cluster
from aioregistry.sandbox.state.collection import KINDS, UNREFERENCED, Collection, Phases
from aioregistry.sandbox.state.credentials import Credentials, Keyring
from aioregistry.sandbox.state.documents import OCI_INDEX, compact, unix_microseconds
from aioregistry.sandbox.state.listing import Lag
from aioregistry.sandbox.state.model import Manifest, Registry
from aioregistry.sandbox.state.names import check_registry, digest_bytes, digest_text, is_digest
from aioregistry.sandbox.state.tiers import REGIONS, TIERS, Tier
from aioregistry.sandbox.state.uploads import Uploads


@attrs.define(eq=False)
class State:
    """One account. Nothing here performs I/O; the clock and the random source are handed in.

    Every method that changes something raises ``Refusal`` where the API would answer an error.

    Attributes:
        clock: Returns the Unix time in seconds.
        random: Where request ids, uuids and secrets come from.
        phases: How long a garbage collection takes.
        quirks: What the registry does otherwise than others; may be replaced at any time.
        lag: The lists as they were, for ``quirks.list_lag``.
        registries: By name.
        keyring: The credentials handed out.
        uploads: Blobs of which clients have sent a part.
        tier: The subscription's.
        subscribed_at: When the account subscribed, Unix microseconds.
        subscription_updated_at: When it last changed its tier, Unix microseconds.
        clusters: Its Kubernetes clusters, by ID.
        apps: Its apps, as the API gives them; ``deployments`` of one are the earlier ones.
        certificate_authority: What clients of clusters trust, as PEM; a sandbox with TLS sets it.
    """

    clock: Callable[[], float] = time.time
    random: Random = attrs.field(factory=Random, kw_only=True)
    phases: Phases = attrs.field(factory=Phases, kw_only=True)
    quirks: Quirks = attrs.field(factory=Quirks, kw_only=True)
    lag: Lag = attrs.field(factory=Lag, init=False)
    registries: dict[str, Registry] = attrs.field(factory=dict, init=False)
    keyring: Keyring = attrs.field(init=False)
    uploads: Uploads = attrs.field(init=False)
    tier: Tier = attrs.field(default=TIERS["basic"], init=False)
    subscribed_at: int = attrs.field(init=False)
    subscription_updated_at: int = attrs.field(init=False)
    clusters: dict[str, Cluster] = attrs.field(factory=dict, init=False)
    apps: list[dict[str, Any]] = attrs.field(factory=list, init=False)
    certificate_authority: bytes = attrs.field(default=b"", init=False)
    _collections: dict[str, list[Collection]] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.keyring = Keyring(self.random)
        self.uploads = Uploads(self.new_uuid)
        self.subscribed_at = self.subscription_updated_at = self.now()

    def now(self) -> int:
        """The time in Unix microseconds."""
        return round(self.clock() * 1e6)

    def new_uuid(self) -> str:
        """A fresh identifier."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    # What runs images

    def add_cluster(self, name: str) -> Cluster:
        """Add a Kubernetes cluster, whose API server is served below ``/kubernetes/{name}``."""
        self.clusters[name] = Cluster(name=name)
        return self.clusters[name]

    # Registries and the subscription

    def add_registry(self, name: str, region: str = "fra1") -> Registry:
        """Make an empty registry, whatever the subscription allows."""
        if check_registry(name) in self.registries:
            raise conflict("name already exists")
        if region not in REGIONS:
            raise unprocessable("invalid region")
        now = self.now()
        registry = Registry(name, region, now, storage_at=now)
        self.registries[name] = registry
        return registry

    def registry(self, name: str) -> Registry:
        """A registry by name, its garbage collection brought up to date."""
        try:
            registry = self.registries[name]
        except KeyError:
            raise not_found() from None
        self.active_collection(name)
        return registry

    def delete_registry(self, name: str) -> None:
        """Delete a registry with everything in it."""
        self.writable(name)
        del self.registries[name]
        self._collections.pop(name, None)
        self.keyring.revoke_all(name)

    def subscribe(self, slug: object) -> None:
        """Move the account to another tier."""
        tier = self.tier_named(slug)
        reasons = self.reasons_against(tier)
        if reasons:
            raise ineligible(reasons)
        self.tier = tier
        self.subscription_updated_at = self.now()

    def tier_named(self, slug: object) -> Tier:
        """A tier by its slug, or a 422."""
        if not isinstance(slug, str) or slug not in TIERS:
            raise unprocessable("invalid subscription tier")
        return TIERS[slug]

    def reasons_against(self, tier: Tier, *, more_registries: int = 0) -> list[str]:
        """Why the account, with some more registries, cannot have a tier."""
        held = self.registries.values()
        return tier.reasons_against(
            len(held) + more_registries,
            sum(len(registry.repositories) for registry in held),
            sum(registry.storage_bytes for registry in held),
        )

    # Content

    def push(
        self,
        registry: str,
        repository: str,
        tags: Several[str] = (),
        *,
        digest: str | None = None,
        size: int = 2_803_255,
        content: bytes | None = None,
        blobs: Iterable[tuple[str, int]] | None = None,
        at: datetime | None = None,
        platform: str = "linux/amd64",
    ) -> str:
        """Push an image and set tags on it, each taken from where it was.

        Args:
            registry: Its name.
            repository: Its name; made if it is new.
            tags: Names to set.
            digest: The manifest's digest; without it, that of a document that the registry serves.
                A digest that the repository has only gets the tags.
            size: Compressed bytes of the one layer that an image without ``blobs`` has, 2,803,255
                by default. From 2 KiB to 64 MiB it is an empty archive that can be pulled; beyond
                that, its bytes are zeros, and its digest is not theirs.
            content: The bytes of that layer; None (the default) for made-up ones.
            blobs: Digest and compressed size of each blob, config first.
            at: When, with a zone; without it, now.
            platform: ``os/architecture``.

        Returns:
            The manifest's digest.
        """
        moment = self.now() if at is None else unix_microseconds(at)
        if blobs is None:
            if content is None:
                layer = self.registry(registry).make_layer(size)
            else:
                layer = sha256(content).digest(), len(content)
            manifest, stored = images.image(moment, platform, [layer])
        else:
            given = [(digest_bytes(blob), bytes_) for blob, bytes_ in blobs]
            manifest, stored = images.opaque(moment, platform, given)
        if digest is not None:
            manifest.digest = digest_bytes(digest)
            stored[-1] = (manifest.digest, stored[-1][1])
        known = self.put(registry, repository, tags, manifest, stored)
        if content is not None and blobs is None:
            self.registries[registry].store_content(content, moment)
        return digest_text(known.digest)

    def push_index(
        self,
        registry: str,
        repository: str,
        children: Several[str],
        tags: Several[str] = (),
        *,
        at: datetime | None = None,
        media_type: str = OCI_INDEX,
    ) -> str:
        """Push an index over manifests that are in the repository.

        Args:
            registry: Its name.
            repository: Its name.
            children: Digests; what is no image is listed as ``unknown/unknown``.
            tags: Names to set.
            at: When, with a zone; without it, now.
            media_type: OCI index or Docker list.

        Returns:
            The index's digest.
        """
        refuse_one("children", children)
        held = self.registry(registry)
        manifests = held.repository(repository).manifests
        members = [manifests[digest_bytes(child)] for child in children]
        moment = self.now() if at is None else unix_microseconds(at)
        index, stored = images.index(held, moment, members, media_type)
        return digest_text(self.put(registry, repository, tags, index, stored).digest)

    def push_document(
        self,
        registry: str,
        repository: str,
        document: Mapping[str, Any],
        tags: Several[str] = (),
        *,
        at: datetime | None = None,
    ) -> str:
        """Push a manifest written by hand: a signature, an attestation, anything with a media type.

        Args:
            registry: Its name.
            repository: Its name; made if it is new.
            document: With ``mediaType``, and ``config``, ``layers``, ``manifests``, ``subject`` as
                it has them.
            tags: Names to set.
            at: When, with a zone; without it, now.

        Returns:
            The manifest's digest.
        """
        moment = self.now() if at is None else unix_microseconds(at)
        manifest, stored = images.described(moment, compact(document))
        return digest_text(self.put(registry, repository, tags, manifest, stored).digest)

    def put(
        self,
        registry: str,
        repository: str,
        tags: Several[str],
        manifest: Manifest,
        blobs: Iterable[tuple[bytes, int]],
    ) -> Manifest:
        """Put a manifest made by ``images`` in, with its blobs."""
        refuse_one("tags", tags)
        held = self.registries.get(registry) or self.registry(registry)
        known = held.put(repository, manifest, tags)
        if known is manifest:
            held.store(blobs, manifest.at)
        return known

    def tag_names(self, registry: str, repository: str) -> list[str]:
        """The tags of a repository, newest first."""
        listed = self.registry(registry).repository(repository).newest_tags
        return [tag.name for tag in listed]

    def delete_tag(self, registry: str, repository: str, tag: str) -> None:
        """Delete a tag; its manifest is kept, untagged if that was its last one."""
        self.writable(registry).repository(repository).delete_tag(tag)

    def delete_manifest(self, registry: str, repository: str, digest: str) -> None:
        """Delete a manifest with its tags; a repository is deleted with its last one."""
        held = self.writable(registry)
        if not is_digest(digest):
            raise not_found()
        held.delete_manifest(repository, digest_bytes(digest))

    def delete_repository(self, registry: str, repository: str) -> None:
        """Delete a repository with everything in it."""
        self.writable(registry).delete_repository(repository)

    # Garbage collections

    def start_collection(self, registry: str, kind: object = UNREFERENCED) -> Collection:
        """Start a garbage collection; until it ends the registry is read-only."""
        if not isinstance(kind, str) or kind not in KINDS:
            raise unprocessable("invalid garbage collection type")
        if self.active_collection(registry) is not None:
            raise conflict("a garbage collection is already running")
        now = self.now()
        collection = Collection(self.new_uuid(), registry, kind, now, now)
        self._collections.setdefault(registry, []).append(collection)
        return collection

    def active_collection(self, registry: str) -> Collection | None:
        """The collection that runs, brought to the state it is in by now, or None."""
        for latest in self.collections(registry)[-1:]:
            if self._advance(latest):
                return latest
        return None

    def _advance(self, collection: Collection) -> bool:
        registry = self.registries[collection.registry]
        takes_all = self.quirks.collects_children
        return collection.advance(registry, self.phases, self.now(), takes_children=takes_all)

    def collections(self, registry: str) -> list[Collection]:
        """Every collection of a registry, oldest first, as last looked at."""
        if registry not in self.registries:
            raise not_found()
        return self._collections.get(registry, [])

    def running_collection(self, registry: str, identifier: str) -> Collection:
        """The running collection with this uuid, or a 404."""
        active = self.active_collection(registry)
        if active is None or active.uuid != identifier:
            raise not_found()
        return active

    def writable(self, name: str) -> Registry:
        """A registry by name, refused while a collection keeps it read-only."""
        registry = self.registry(name)
        if self.active_collection(name) is not None:
            raise precondition_failed("registry is read-only while garbage collection is running")
        return registry

    # Docker credentials

    def issue_credentials(
        self, registry: str, *, read_write: bool = False, expiry_seconds: int = 0
    ) -> Credentials:
        """Hand out credentials for a registry; 0 seconds means that they never expire."""
        self.registry(registry)
        expires_at = self.clock() + expiry_seconds if expiry_seconds else None
        return self.keyring.issue(registry, read_write=read_write, expires_at=expires_at)


def ineligible(reasons: Iterable[str]) -> Refusal:
    """412: the account has more than a tier allows."""
    return precondition_failed(
        f"registry is not eligible for tier because: [{' '.join(reasons)}]",
    )
