"""Why each tag and manifest is deleted or kept, in words: pure."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from aioregistry.cleanup.manifests.content import (
    Content,
    UnreadableContentError,
    subject_key,
    subject_of_tag,
)
from aioregistry.cleanup.manifests.graph import Graph
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.plan.condemned import Fields
from aioregistry.cleanup.plan.items import Kept
from aioregistry.cleanup.policy.rule import Decision

__all__ = ["Reasons", "describe", "part_of", "relation", "short"]

_DIGEST_CHARACTERS = len("sha256:") + 12
_MAX_TAGS_SHOWN = 2
# By the ending of a tag that names its subject.
_KINDS = {"sig": "signature of", "att": "attestation of", "sbom": "SBOM of"}


class Reasons:
    """The items that are deleted and those that are kept, each with its reason."""

    def __init__(
        self,
        inventory: RepositoryInventory,
        graph: Graph,
        in_use: Mapping[str, str],
        tags: Mapping[str, Decision],
        alone: Mapping[str, Decision],
        deleted: Mapping[str, str | None],
        needing: Mapping[str, str],
    ) -> None:
        self._here = graph.manifests
        self._graph = graph
        self._in_use = in_use
        self._uncertain = inventory.uncertain
        self._set_time = inventory.set_time
        self._set_at = inventory.set_at
        self._tags = tags
        self._alone = alone
        self._deleted = deleted
        self._needing = needing

    def condemned(self) -> Iterator[Fields]:
        """Yield each DELETE: tags first, then manifests, none before what needs it."""
        for digest, manifest in self._here.items():
            if digest not in self._deleted:
                for tag in manifest.tags:
                    if tag in self._tags and not self._tags[tag].keep:
                        yield self._condemned_tag(tag, manifest)
        here, deleted, tags, set_at = self._here, self._deleted, self._tags, self._set_at
        for wave in self._graph.waves(deleted):
            for digest in wave:
                manifest = here[digest]
                pushed_at, named = manifest.pushed_at, manifest.tags
                decision = tags.get(named[0]) if len(named) == 1 else None
                if decision is None or pushed_at is None or deleted[digest] is not None:
                    yield self._condemned_manifest(manifest)
                    continue
                # As most are.
                at, size = set_at.get(named[0], pushed_at), manifest.size_bytes
                yield "manifest", digest, named, decision.reason, pushed_at, at, size

    def _condemned_tag(self, tag: str, manifest: ListedManifest) -> Fields:
        reason = self._tags[tag].reason
        if not any(decision.keep for _, decision in self._decided(manifest)):
            reason = f"{reason}; its manifest is kept: {self._why_kept(manifest.digest)}"
        pushed_at, set_at = manifest.pushed_at, self._set_time(tag, manifest)
        return "tag", manifest.digest, (tag,), reason, pushed_at, set_at, manifest.size_bytes

    def _condemned_manifest(self, manifest: ListedManifest) -> Fields:
        digest, tags, pushed_at = manifest.digest, manifest.tags, manifest.pushed_at
        taker = self._deleted[digest]
        if taker is not None:
            reason = f"{self._relation(taker, digest)}, which is deleted"
        elif tags and (own := self._own_reasons(tags)):
            reason = own
        else:
            reason = self._alone[digest].reason
        set_at = self._youngest(manifest)
        return "manifest", digest, tags, reason, pushed_at, set_at, manifest.size_bytes

    def _own_reasons(self, tags: tuple[str, ...]) -> str:
        decided = self._tags
        first = decided.get(tags[0])
        if first is not None and all(decided.get(tag) is first for tag in tags):
            return first.reason
        reasons: dict[str, list[str]] = {}
        for tag in tags:
            if tag in decided:
                reasons.setdefault(decided[tag].reason, []).append(tag)
        if len(reasons) == 1:
            return next(iter(reasons))
        return "; ".join(f"{', '.join(some)}: {why}" for why, some in reasons.items())

    def _youngest(self, manifest: ListedManifest) -> datetime | None:
        tags, pushed_at = manifest.tags, manifest.pushed_at
        if not tags or pushed_at is None:
            return None
        times = [self._set_at.get(tag, pushed_at) for tag in tags]
        known = [time for time in times if time is not None]
        return max(known) if len(known) == len(times) else None

    def kept(self) -> tuple[Kept, ...]:
        """Return the tags and untagged manifests that are kept, by reason."""
        tags: dict[str, list[str]] = defaultdict(list)
        untagged: dict[str, list[str]] = defaultdict(list)
        for digest, manifest in self._here.items():
            if digest in self._deleted:
                continue
            if not manifest.tags:
                untagged[self._why_kept(digest)].append(digest)
            for tag in manifest.tags:
                decision = self._tags.get(tag)
                if decision is None:
                    tags[self._why_kept(digest)].append(tag)
                elif decision.keep:
                    tags[decision.reason].append(tag)
        return tuple(
            Kept(reason, tuple(sorted(tags[reason])), tuple(sorted(untagged[reason])))
            for reason in sorted({*tags, *untagged})
        )

    def _why_kept(self, digest: str) -> str:
        if digest in self._in_use:
            return f"in use: {self._in_use[digest]}"
        if digest in self._uncertain:
            return self._uncertain[digest]
        needing = self._needing.get(digest)
        if needing is not None:
            return f"{self._relation(needing, digest)}, which is kept"
        if digest in self._alone:
            return self._alone[digest].reason
        for tag, decision in self._decided(self._here[digest]):
            if decision.keep:
                return f"its tag {tag} is kept"
        return "no rule decides on manifests that only need each other"

    def _decided(self, manifest: ListedManifest) -> Iterator[tuple[str, Decision]]:
        """Yield the tags of a manifest that have a decision of their own."""
        return ((tag, self._tags[tag]) for tag in manifest.tags if tag in self._tags)

    def _relation(self, needing: str, digest: str) -> str:
        return relation(self._graph, self._here[needing], self._here[digest])


def relation(graph: Graph, needing: ListedManifest, manifest: ListedManifest) -> str:
    """Return how a manifest is related to one that needs it: ``part of …``, ``signature of …``."""
    kind = "part of"
    if not graph.holds(needing.digest, manifest.digest):
        kinds = [
            _KINDS.get(tag.rpartition(".")[2], "refers to")
            for tag in manifest.tags
            if subject_of_tag(tag) == subject_key(needing.digest)
        ]
        kind = kinds[0] if kinds else "refers to"
    return f"{kind} {describe(needing)}"


def part_of(
    digests: Collection[str],
    others: Mapping[str, tuple[str, ...]],
    contents: Mapping[str, Content | UnreadableContentError],
) -> dict[str, str]:
    """Return which manifests others need, or may need, each with a reason.

    Args:
        digests: The manifests.
        others: All other manifests of the repository, each with its tags.
        contents: What the others say; those that are missing could not be read.
    """
    reasons: dict[str, str] = {}
    for digest, tags in others.items():
        content, called = contents.get(digest), describe(ListedManifest(digest, tags))
        if isinstance(content, Content):
            for child in content.children:
                if child in digests:
                    reasons[child] = f"part of {called}"
            continue
        why = content or "it was not read"
        for one in digests:
            reasons.setdefault(one, f"may be part of {called}, which cannot be read: {why}")
    return reasons


def describe(manifest: ListedManifest) -> str:
    """Return a manifest as people recognise it: the beginning of its digest, and some tags."""
    tags = manifest.tags
    more = ", …" if len(tags) > _MAX_TAGS_SHOWN else ""
    named = f" ({', '.join(tags[:_MAX_TAGS_SHOWN])}{more})" if tags else ""
    return f"{short(manifest.digest)}{named}"


def short(digest: str) -> str:
    """Return as much of a digest as people compare."""
    return digest[:_DIGEST_CHARACTERS]
