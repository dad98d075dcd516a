"""What the list of repositories says of one, and what follows for remembered lists: pure."""

import hashlib
from datetime import UTC, datetime

from attrs import frozen

from aioregistry.api.models import Repository, Time
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.memory.times import RememberedTimes

__all__ = ["Recalled", "RepositoryState"]


@frozen
class RepositoryState:
    """A repository as ``repositoriesV2`` shows it: two that are equal may hold the same.

    Attributes:
        tags: How many tags it has.
        manifests: How many manifests it has.
        latest: The digest of the latest manifest; empty for a repository without any.
        pushed_at: When that was pushed.
        latest_tags: Its tags, sorted.
    """

    tags: int
    manifests: int
    latest: str
    pushed_at: datetime | None
    latest_tags: tuple[str, ...]

    @classmethod
    def of(cls, repository: Repository) -> "RepositoryState | None":
        """Return the state of a repository; None where the API does not say enough."""
        tags, manifests = repository.tag_count, repository.manifest_count
        if tags is None or manifests is None:
            return None
        latest = repository.latest_manifest
        if latest is None:
            return None if manifests else cls(tags, manifests, "", None, ())
        if not latest.digest or latest.updated_at is None:
            return None
        return cls(tags, manifests, latest.digest, latest.updated_at, tuple(sorted(latest.tags)))

    @classmethod
    def of_inventory(cls, inventory: RepositoryInventory) -> "RepositoryState | None":
        """Return the state of a repository with some manifests; None where that is not certain."""
        times = [one.pushed_at for one in inventory.manifests if one.pushed_at is not None]
        if not times or len(times) < len(inventory.manifests):
            return None
        youngest = max(times)
        latest = [one for one in inventory.manifests if one.pushed_at == youngest]
        if len(latest) > 1:
            return None
        tags = sum(len(one.tags) for one in inventory.manifests)
        return cls(tags, len(times), latest[0].digest, youngest, latest[0].tags)

    def __str__(self) -> str:
        pushed_at = "" if self.pushed_at is None else self.pushed_at.astimezone(UTC).isoformat()
        return " ".join(
            (str(self.tags), str(self.manifests), self.latest, pushed_at, *self.latest_tags)
        )

    def fits(self, inventory: RepositoryInventory) -> bool:
        """Return whether an inventory is one of a repository in this state."""
        if len(inventory.manifests) != self.manifests:
            return False
        if sum([len(manifest.tags) for manifest in inventory.manifests]) != self.tags:
            return False
        return not self.latest or any(map(self._is_latest, inventory.manifests))

    def _is_latest(self, manifest: ListedManifest) -> bool:
        return (
            manifest.digest == self.latest
            and manifest.pushed_at == self.pushed_at
            and manifest.tags == self.latest_tags
        )


@frozen
class Recalled:
    """What a remembered list showed of a repository, in one number.

    Attributes:
        until: Up to when the times of tags and manifests are part of it. None for a repository
            without any.
        sha256: A digest over all tags and manifests, with these times.
    """

    until: Time | None
    sha256: str

    @classmethod
    def of(cls, inventory: RepositoryInventory, times: RememberedTimes | None = None) -> "Recalled":
        """Return it for a remembered inventory.

        Args:
            inventory: The inventory.
            times: What only the times of tags were remembered of; None for all of it.
        """
        if times is not None:
            return cls(times.until, _digest_of(inventory, times.until))
        manifests = inventory.manifests
        known = [manifest.pushed_at for manifest in manifests]
        known += [inventory.set_time(tag, one) for one in manifests for tag in one.tags]
        until = max((time for time in known if time is not None), default=None)
        return cls(until, _digest_of(inventory, until))

    def still_holds(self, inventory: RepositoryInventory) -> bool:
        """Return whether a fresh inventory, with the times of tags, shows the same."""
        return self.sha256 == _digest_of(inventory, self.until)


def _digest_of(inventory: RepositoryInventory, until: datetime | None) -> str:
    lines: list[str] = []
    for manifest in inventory.manifests:
        lines.append(_line(until, manifest.digest, "", manifest.pushed_at))
        lines += [
            _line(until, manifest.digest, tag, inventory.set_time(tag, manifest))
            for tag in manifest.tags
        ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _line(until: datetime | None, digest: str, tag: str, time: datetime | None) -> str:
    when = "at an unknown time"
    if time is not None:
        is_later = until is None or time > until
        when = "later" if is_later else time.astimezone(UTC).isoformat()
    return f"{digest} {tag} {when}"
