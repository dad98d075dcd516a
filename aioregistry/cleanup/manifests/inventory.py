"""The manifests and tags of a repository, by two lists that are held against each other."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property

from attrs import field, frozen
from msgspec.structs import replace

from aioregistry.cleanup.manifests.content import KEY_CHARACTERS, subject_key
from aioregistry.cleanup.manifests.listed import ListedManifest, ListedTag, tagged_as_referrers
from aioregistry.cleanup.policy.ages import tag_time

__all__ = ["RepositoryInventory", "TagComparison"]

_DIFFERS = "the list of manifests and the list of tags differ on its tags"
_UNLISTED = "the list of tags names it, and the list of manifests does not"


@frozen
class RepositoryInventory:
    """All manifests of a repository, each with its tags.

    Attributes:
        repository: The repository's name.
        manifests: The manifests.
        uncertain: The manifests on which the lists differ, by digest, each with the reason. They
            are kept, and so is all that they need.
        tags_read: Whether the list of tags was read: only then are the times of tags known.
        set_at: When a tag was set, of the tags for which this is later than the push of their
            manifest, or unknown.
        elsewhere: The `subject_key` of each subject that only another repository has, or may have:
            cosign can keep signatures in a repository of their own.
    """

    repository: str
    manifests: tuple[ListedManifest, ...]
    uncertain: Mapping[str, str] = field(factory=dict)
    tags_read: bool = False
    set_at: Mapping[str, datetime | None] = field(factory=dict)
    elsewhere: frozenset[str] = frozenset()

    @cached_property
    def by_digest(self) -> Mapping[str, ListedManifest]:
        """The manifests, by digest."""
        return {one.digest: one for one in self.manifests}

    @cached_property
    def _longer(self) -> frozenset[str]:
        longer = [digest for digest in self.by_digest if len(digest) > KEY_CHARACTERS]
        return frozenset(map(subject_key, longer))

    def has_subject(self, key: str) -> bool:
        """Return whether a manifest has a `subject_key`: one here, or may be one elsewhere."""
        return key in self.by_digest or key in self._longer or key in self.elsewhere

    @cached_property
    def referrers(self) -> Mapping[str, ListedManifest]:
        """The manifests with a tag as signatures and the like have, by digest."""
        return tagged_as_referrers(self.manifests)

    @property
    def tags(self) -> Iterator[tuple[str, str]]:
        """Every tag, with the digest of the manifest that it is on."""
        return ((tag, manifest.digest) for manifest in self.manifests for tag in manifest.tags)

    def set_time(self, tag: str, manifest: ListedManifest) -> datetime | None:
        """Return when a tag of a manifest was set, or its manifest pushed if that was later.

        Returns:
            The time; None when either is unknown.
        """
        if manifest.pushed_at is None:
            return None
        return self.set_at.get(tag, manifest.pushed_at)


class TagComparison:
    """Holds the list of tags against the list of manifests.

    Args:
        manifests: The manifests that were listed, by digest.
    """

    def __init__(self, manifests: Mapping[str, ListedManifest]) -> None:
        self._manifests = manifests
        # The manifest of each tag that both lists have there.
        self._agreed: list[str] = []
        self._set_at: dict[str, datetime | None] = {}
        # The tags on which the lists differ, each where the list of tags says it is.
        self._moved: dict[str, str] = {}
        self._unlisted: dict[str, list[str]] = {}

    def add(self, tags: Iterable[ListedTag]) -> None:
        """Take in some tags of the list of tags, each of which comes once."""
        manifests, agreed = self._manifests, self._agreed
        for one in tags:
            tag, digest = one.tag, one.manifest_digest
            if not digest or not tag:
                # It stays where the list of manifests has it, which then shows one tag too many.
                continue
            manifest = manifests.get(digest)
            if manifest is None:
                self._moved[tag] = digest
                self._unlisted.setdefault(digest, []).append(tag)
                continue
            if tag in manifest.tags:
                # The same text for one digest: the other one is not kept.
                agreed.append(manifest.digest)
            else:
                self._moved[tag] = digest
            updated_at, pushed_at = one.updated_at, manifest.pushed_at
            if pushed_at is None or (updated_at is not None and updated_at <= pushed_at):
                # As old as the push, or of an age that is unknown in any case.
                continue
            self._set_at[tag] = tag_time(updated_at, pushed_at)

    def _short(self) -> Iterator[ListedManifest]:
        """Yield the manifests with a tag that the list of tags has elsewhere, or not at all."""
        if len(self._agreed) == sum([len(one.tags) for one in self._manifests.values()]):
            # The walk yields each tag once: no manifest has more of them than its own.
            return
        agreed = Counter(self._agreed)
        for digest, manifest in self._manifests.items():
            if manifest.tags and agreed[digest] != len(manifest.tags):
                yield manifest

    def inventory(self, repository: str) -> RepositoryInventory:
        """Return what both lists say together."""
        uncertain = {manifest.digest: _DIFFERS for manifest in self._short()}
        uncertain |= {
            digest: _DIFFERS for digest in self._moved.values() if digest in self._manifests
        }
        uncertain |= dict.fromkeys(self._unlisted, _UNLISTED)
        gained: dict[str, list[str]] = {}
        for tag, digest in self._moved.items():
            gained.setdefault(digest, []).append(tag)

        def corrected(manifest: ListedManifest) -> ListedManifest:
            if manifest.digest not in uncertain:
                return manifest
            left = {tag for tag in manifest.tags if tag not in self._moved}
            return replace(manifest, tags=tuple(sorted({*left, *gained.get(manifest.digest, ())})))

        known = list(self._manifests.values())
        if uncertain:
            known = list(map(corrected, known))
        new = [
            ListedManifest(digest, tuple(sorted(tags))) for digest, tags in self._unlisted.items()
        ]
        return RepositoryInventory(
            repository, (*known, *new), uncertain, tags_read=True, set_at=self._set_at
        )
