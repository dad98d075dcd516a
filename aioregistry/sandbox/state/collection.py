"""Garbage collections: their phases, and the blobs that they delete."""

from collections.abc import Iterable
from typing import Any

import attrs

from aioregistry.sandbox.state.documents import rfc3339
from aioregistry.sandbox.state.model import Manifest, Registry

UNTAGGED = "untagged manifests only"
UNREFERENCED = "unreferenced blobs only"
BOTH = "untagged manifests and unreferenced blobs"
KINDS = (UNTAGGED, UNREFERENCED, BOTH)


@attrs.frozen
class Phases:
    """How long a collection stays in each of its states, in seconds.

    A real one may wait 15 minutes for write tokens to expire; these are for tests and rehearsals.
    """

    requested: float = 0.1
    waiting_for_jwts: float = 0.2
    waiting_for_deletes: float = 0.1
    scanning: float = 0.1
    deleting: float = 0.1
    cancelling: float = 0.1

    def in_order(self) -> tuple[tuple[str, float], ...]:
        """The states that lead to success, each with its length."""
        return (
            ("requested", self.requested),
            ("waiting for write JWTs to expire", self.waiting_for_jwts),
            ("waiting for delete requests", self.waiting_for_deletes),
            ("scanning manifests", self.scanning),
            ("deleting unreferenced blobs", self.deleting),
        )


@attrs.define(eq=False)
class Collection:
    """One garbage collection; times are Unix microseconds."""

    uuid: str
    registry: str
    kind: str
    created_at: int
    updated_at: int
    status: str = "requested"
    blobs_deleted: int = 0
    freed_bytes: int = 0

    @property
    def active(self) -> bool:
        """Whether it still runs, and the registry is read-only."""
        return self.status not in {"succeeded", "cancelled", "failed"}

    def cancel(self, now: int) -> None:
        """Ask it to stop; once is enough."""
        if self.status != "cancelling":
            self._enter("cancelling", now)

    def advance(
        self, registry: Registry, phases: Phases, now: int, *, takes_children: bool = False
    ) -> bool:
        """Enter the phase that the time calls for; do the work in the last one.

        Args:
            registry: What it collects.
            phases: How long each of them takes.
            now: Unix microseconds.
            takes_children: Whether children and referrers of tagged manifests count as untagged.

        Returns:
            Whether it is still active.
        """
        if not self.active:
            return False
        if self.status == "cancelling":
            ends = self.updated_at + round(phases.cancelling * 1e6)
            if now >= ends:
                self._enter("cancelled", ends)
            return now < ends
        began = self.created_at
        for status, seconds in phases.in_order():
            self._enter(status, began)
            began += round(seconds * 1e6)
            if now < began:
                return True
        self.blobs_deleted, self.freed_bytes = collect(
            registry, self.kind, began, takes_children=takes_children
        )
        self._enter("succeeded", began)
        return False

    def as_json(self) -> dict[str, Any]:
        """The collection as the API writes it."""
        return {
            "uuid": self.uuid,
            "registry_name": self.registry,
            "status": self.status,
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
            "blobs_deleted": self.blobs_deleted,
            "freed_bytes": self.freed_bytes,
            "type": self.kind,
        }

    def _enter(self, status: str, at: int) -> None:
        self.status, self.updated_at = status, at


def collect(
    registry: Registry, kind: str, now: int, *, takes_children: bool = False
) -> tuple[int, int]:
    """Delete the blobs that no manifest lists, or untagged manifests, or both.

    Returns:
        How many blobs were deleted, and the bytes that this freed.
    """
    if kind in {UNTAGGED, BOTH}:
        for name, digests in _untagged(registry, takes_children=takes_children):
            for digest in digests:
                registry.delete_manifest(name, digest)
    if kind not in {UNREFERENCED, BOTH}:
        return 0, 0
    unreferenced = registry.blobs.keys() - _referenced(registry.manifests())
    return len(unreferenced), registry.free(unreferenced, now)


def _untagged(registry: Registry, *, takes_children: bool) -> list[tuple[str, list[bytes]]]:
    """Untagged manifests, those that tagged ones need among them or not."""
    found = []
    for repository in registry.repositories.values():
        manifests = repository.manifests
        kept: set[bytes] = set()
        reached = [manifest for manifest in manifests.values() if manifest.tags]
        referrers: dict[bytes, list[Manifest]] = {}
        for manifest in manifests.values():
            if manifest.form.subject is not None:
                referrers.setdefault(manifest.form.subject, []).append(manifest)
        while reached:
            manifest = reached.pop()
            if manifest.digest not in kept:
                kept.add(manifest.digest)
                if takes_children:
                    continue
                children = manifest.form.children
                reached += [manifests[child] for child in children if child in manifests]
                reached += referrers.get(manifest.digest, ())
        found.append((repository.name, [digest for digest in manifests if digest not in kept]))
    return found


def _referenced(manifests: Iterable[Manifest]) -> set[bytes]:
    needed: set[bytes] = set()
    for manifest in manifests:
        needed.add(manifest.digest)
        needed.update(manifest.blobs, manifest.form.children)
    return needed
