"""Why each tag and manifest is deleted or kept, in words: pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import compress, islice

from aioregistry.cleanup.manifests.content import (
    Content,
    UnreadableContentError,
    subject_key,
    subject_of_tag,
)
from aioregistry.cleanup.manifests.graph import Graph
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.plan.condemned import Batch
from aioregistry.cleanup.plan.items import Kept
from aioregistry.cleanup.policy.rule import Decision

__all__ = ["Fate", "Reasons", "describe", "part_of", "relation", "short"]

_DIGEST_CHARACTERS = len("sha256:") + 12
_MAX_TAGS_SHOWN = 2
_ITEMS_AT_ONCE = 1000
# By the ending of a tag that names its subject.
_KINDS = {"sig": "signature of", "att": "attestation of", "sbom": "SBOM of"}

# Why a manifest is deleted: by the decision on its one tag; along with the manifest that has a
# digest; or, None, by what is decided on several tags, or on none.
Fate = Decision | str | None


class Reasons:
    """The items that are deleted and those that are kept, each with its reason."""

    def __init__(
        self,
        inventory: RepositoryInventory,
        graph: Graph,
        in_use: Mapping[str, str],
        tags: Mapping[str, Decision],
        alone: Mapping[str, Decision],
        deleted: Mapping[str, Fate],
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

    def of_staying(
        self, manifests: Iterable[ListedManifest]
    ) -> tuple[list[tuple[str, ListedManifest]], tuple[Kept, ...]]:
        """Return what happens to manifests that stay.

        Args:
            manifests: All that are not deleted.

        Returns:
            Those of their tags that are deleted, each with its manifest; and the other tags and the
            untagged manifests, by reason.
        """
        going: list[tuple[str, ListedManifest]] = []
        tags: dict[str, list[str]] = defaultdict(list)
        untagged: dict[str, list[str]] = defaultdict(list)
        for manifest in manifests:
            if not manifest.tags:
                untagged[self._why_kept(manifest.digest)].append(manifest.digest)
            for tag in manifest.tags:
                decision = self._tags.get(tag)
                if decision is None:
                    tags[self._why_kept(manifest.digest)].append(tag)
                elif decision.keep:
                    tags[decision.reason].append(tag)
                else:
                    going.append((tag, manifest))
        kept = [
            Kept(reason, tuple(sorted(tags[reason])), tuple(sorted(untagged[reason])))
            for reason in sorted({*tags, *untagged})
        ]
        return going, tuple(kept)

    def condemned(
        self,
        tags: Iterable[tuple[str, ListedManifest]],
        going: Sequence[ListedManifest],
        fates: Sequence[Fate],
    ) -> Iterator[Batch]:
        """Yield the DELETEs: tags first, then manifests, none before what needs it.

        Args:
            tags: The tags that are deleted while their manifests stay, each with that.
            going: The manifests that are deleted.
            fates: Why each of them is.
        """
        waiting = iter(tags)
        while some := list(islice(waiting, _ITEMS_AT_ONCE)):
            yield self._condemned_tags(some)
        late = dict.fromkeys(self._graph.after_the_first(self._deleted))
        if late:
            # Few are: nothing is looked up for the others.
            first = [manifest.digest not in late for manifest in going]
            going, fates = list(compress(going, first)), list(compress(fates, first))
        for start in range(0, len(going), _ITEMS_AT_ONCE):
            end = start + _ITEMS_AT_ONCE
            yield self._condemned_manifests(going[start:end], fates[start:end])
        for start in range(0, len(late), _ITEMS_AT_ONCE):
            digests = list(islice(late, start, start + _ITEMS_AT_ONCE))
            yield self._condemned_manifests(
                [self._here[digest] for digest in digests],
                [self._deleted[digest] for digest in digests],
            )

    def _condemned_tags(self, going: Sequence[tuple[str, ListedManifest]]) -> Batch:
        return Batch(
            "tag",
            [manifest.digest for _, manifest in going],
            [(tag,) for tag, _ in going],
            [self._reason_of_tag(tag, manifest) for tag, manifest in going],
            [manifest.pushed_at for _, manifest in going],
            [self._set_time(tag, manifest) for tag, manifest in going],
            [manifest.size_bytes for _, manifest in going],
        )

    def _reason_of_tag(self, tag: str, manifest: ListedManifest) -> str:
        reason = self._tags[tag].reason
        if any(decision.keep for _, decision in self._decided(manifest)):
            return reason
        return f"{reason}; its manifest is kept: {self._why_kept(manifest.digest)}"

    def _condemned_manifests(self, going: Sequence[ListedManifest], fates: Sequence[Fate]) -> Batch:
        named = [manifest.tags for manifest in going]
        pushed_at = [manifest.pushed_at for manifest in going]
        set_as_pushed = self._set_at.keys().isdisjoint
        return Batch(
            "manifest",
            [manifest.digest for manifest in going],
            named,
            [
                fate.reason if isinstance(fate, Decision) else self._other_reason(manifest, fate)
                for manifest, fate in zip(going, fates, strict=True)
            ],
            pushed_at,
            [
                pushed if tags and set_as_pushed(tags) else self._youngest(tags, pushed)
                for tags, pushed in zip(named, pushed_at, strict=True)
            ],
            [manifest.size_bytes for manifest in going],
        )

    def _other_reason(self, manifest: ListedManifest, taker: str | None) -> str:
        if taker is not None:
            return f"{self._relation(taker, manifest.digest)}, which is deleted"
        tags = manifest.tags
        return (tags and self._own_reasons(tags)) or self._alone[manifest.digest].reason

    def _own_reasons(self, tags: tuple[str, ...]) -> str:
        decided = self._tags
        reasons: dict[str, list[str]] = {}
        for tag in tags:
            if tag in decided:
                reasons.setdefault(decided[tag].reason, []).append(tag)
        if len(reasons) == 1:
            return next(iter(reasons))
        return "; ".join(f"{', '.join(some)}: {why}" for why, some in reasons.items())

    def _youngest(self, tags: Sequence[str], pushed_at: datetime | None) -> datetime | None:
        if not tags or pushed_at is None:
            return None
        times = [self._set_at.get(tag, pushed_at) for tag in tags]
        known = [time for time in times if time is not None]
        return max(known) if len(known) == len(times) else None

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
    digests: Mapping[str, tuple[str, ...]],
    others: Mapping[str, tuple[str, ...]],
    contents: Mapping[str, Content | UnreadableContentError],
) -> dict[str, str]:
    """Return which manifests others need, or may need, or these need in turn, each with a reason.

    Args:
        digests: The manifests, each with its tags.
        others: All other manifests of the repository, each with its tags.
        contents: What all of them say; those that are missing could not be read.
    """
    reasons: dict[str, str] = {}
    unread: list[str] = []
    waiting = list(others.items())
    while waiting:
        digest, tags = waiting.pop()
        content, called = contents.get(digest), describe(ListedManifest(digest, tags))
        if not isinstance(content, Content):
            why = content or "it was not read"
            unread.append(f"may be part of {called}, which cannot be read: {why}")
            continue
        for child in content.children:
            if child in digests and child not in reasons:
                reasons[child] = f"part of {called}"
                waiting.append((child, digests[child]))
    if unread:
        reasons = dict.fromkeys(digests, unread[0]) | reasons
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
