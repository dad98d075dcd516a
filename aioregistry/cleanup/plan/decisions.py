"""What goes and what stays of one repository: pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from attrs import evolve, field, frozen

from aioregistry.cleanup.manifests.content import Content, subject_of_tag
from aioregistry.cleanup.manifests.graph import Graph
from aioregistry.cleanup.manifests.inventory import ListedManifest, RepositoryInventory
from aioregistry.cleanup.plan.items import Condemned, Kept, RepositoryPlan
from aioregistry.cleanup.policy.policy import Decision, Policy, PushedTag

__all__ = ["Held", "called", "decide", "keep_all", "may_condemn"]

# As much of a digest as people compare, and as many tags as tell which image is meant.
_SHORT = len("sha256:") + 12
_TAGS_TO_TELL = 2


@frozen
class Held:
    """What stays in a repository whatever the policy says.

    Attributes:
        tags: Tags that are in use, each with where.
        digests: Manifests that are in use, each with where.
    """

    tags: Mapping[str, str] = field(factory=dict)
    digests: Mapping[str, str] = field(factory=dict)

    def with_indexes(self, graph: Graph) -> "Held":
        """Return it with the indexes that hold what is in use: other platforms may be pulled."""
        digests = dict(self.digests)
        for index, inside in graph.containing(self.digests).items():
            digests[index] = f"{digests[inside]}, which runs {inside[:_SHORT]} of it"
        return evolve(self, digests=digests)

    def tags_on(self, manifests: Iterable[ListedManifest]) -> dict[str, str]:
        """Return the tags that stay: those in use, and those of a manifest that is; with why."""
        tags = {tag: f"in use: {where}" for tag, where in self.tags.items()}
        if self.digests:
            for manifest in manifests:
                if manifest.digest in self.digests:
                    why = f"in use: {self.digests[manifest.digest]}"
                    tags |= dict.fromkeys(manifest.tags, why)
        return tags


def may_condemn(inventory: RepositoryInventory, policy: Policy, held: Held, now: datetime) -> bool:
    """Return whether anything at all may go, as far as that shows without the contents.

    Contents only ever add to what stays, and to what goes with something condemned.
    """
    if not policy.may_delete(inventory.repository):
        return False
    decided = _decide_tags(inventory, policy, held.tags_on(inventory.manifests), now)
    if any(not decision.keep for decision in decided.values()):
        return True
    return any(
        not policy.decide_untagged(inventory.repository, manifest.pushed_at, now).keep
        for manifest in inventory.manifests
        if not manifest.tags
    )


def decide(
    inventory: RepositoryInventory,
    contents: Mapping[str, Content],
    policy: Policy,
    held: Held,
    now: datetime,
) -> RepositoryPlan:
    """Decide on every manifest and every tag of a repository.

    Tags are decided by the policy. A manifest goes when all of its tags go; an untagged one, when
    the policy says so, or when all that needs it goes. What something that stays needs, stays.

    Args:
        inventory: All that the repository holds.
        contents: What each of its manifests says.
        policy: Decides on tags, and on untagged manifests that nothing needs.
        held: What is in use.
        now: Up to when ages are counted.
    """
    graph = Graph(inventory.manifests, contents)
    held = held.with_indexes(graph)
    tags = _decide_tags(inventory, policy, held.tags_on(inventory.manifests), now)
    alone = {
        manifest.digest: _decide_alone(inventory.repository, manifest, policy, now)
        for manifest in inventory.manifests
        if not manifest.image_tags and not graph.needed_by(manifest.digest)
    }
    going, needing = _fate(inventory, graph, held, tags, alone)
    wording = _Wording(inventory, graph, held, tags, alone, going, needing)
    return RepositoryPlan(
        name=inventory.repository,
        tags=len(tags),
        manifests=len(inventory.manifests),
        condemned=tuple(wording.condemned()),
        kept=wording.kept(),
    )


def keep_all(inventory: RepositoryInventory, reason: str) -> RepositoryPlan:
    """Return the plan that deletes nothing of a repository."""
    tags = tuple(tag for tag, _ in inventory.tags)
    untagged = tuple(manifest.digest for manifest in inventory.manifests if not manifest.tags)
    return RepositoryPlan(
        name=inventory.repository,
        tags=sum(subject_of_tag(tag) is None for tag in tags),
        manifests=len(inventory.manifests),
        kept=(Kept(reason, tags, untagged),) if inventory.manifests else (),
    )


def _decide_tags(
    inventory: RepositoryInventory, policy: Policy, held: Mapping[str, str], now: datetime
) -> dict[str, Decision]:
    # Signatures are no images: they are decided with what they speak of, and never counted.
    tags = [
        PushedTag(tag, manifest.pushed_at)
        for manifest in inventory.manifests
        for tag in manifest.image_tags
    ]
    decisions = policy.decide_tags(inventory.repository, tags, now, held)
    return {tag.name: decision for tag, decision in zip(tags, decisions, strict=True)}


def _decide_alone(
    repository: str, manifest: ListedManifest, policy: Policy, now: datetime
) -> Decision:
    """Decide on a manifest that has no image's tag, and that nothing needs."""
    if manifest.tags:
        return Decision(keep=True, reason="speaks of a manifest that is not here")
    return policy.decide_untagged(repository, manifest.pushed_at, now)


def _fate(
    inventory: RepositoryInventory,
    graph: Graph,
    held: Held,
    tags: Mapping[str, Decision],
    alone: Mapping[str, Decision],
) -> tuple[dict[str, str | None], dict[str, str]]:
    """Return the manifests that go, and those that stay because they are needed.

    Returns:
        For each that goes, the digest that takes it along, or None; for each that is needed, the
        digest that needs it.
    """
    staying: list[str] = []
    chosen: list[str] = []
    for manifest in inventory.manifests:
        decided = [tags[tag] for tag in manifest.image_tags]
        if manifest.digest in alone:
            decided.append(alone[manifest.digest])
        if manifest.digest in held.digests or any(decision.keep for decision in decided):
            staying.append(manifest.digest)
        elif decided:
            chosen.append(manifest.digest)
    needed = graph.reached_from(staying)
    kept = {*staying, *needed}
    going: dict[str, str | None] = {digest: None for digest in chosen if digest not in kept}
    along = graph.reached_from(going)
    going |= {digest: needing for digest, needing in along.items() if digest not in kept}
    # What is decided by nothing, such as manifests that need only each other, stays, and with it
    # what it needs.
    rest = graph.reached_from(
        manifest.digest for manifest in inventory.manifests if manifest.digest not in going
    )
    going = {digest: taker for digest, taker in going.items() if digest not in rest}
    return going, rest | needed


class _Wording:
    """What goes and what stays, each with its reason in words."""

    def __init__(
        self,
        inventory: RepositoryInventory,
        graph: Graph,
        held: Held,
        tags: Mapping[str, Decision],
        alone: Mapping[str, Decision],
        going: Mapping[str, str | None],
        needing: Mapping[str, str],
    ) -> None:
        self._here = {manifest.digest: manifest for manifest in inventory.manifests}
        self._graph = graph
        self._held = held
        self._tags = tags
        self._alone = alone
        self._going = going
        self._needing = needing

    def condemned(self) -> Iterator[Condemned]:
        """Yield each DELETE: tags first, then manifests, none before what needs it."""
        for digest, manifest in self._here.items():
            if digest not in self._going:
                for tag in manifest.image_tags:
                    if not self._tags[tag].keep:
                        yield self._condemned_tag(tag, manifest)
        for wave in self._graph.waves(self._going):
            for digest in wave:
                yield self._condemned_manifest(self._here[digest])

    def _condemned_tag(self, tag: str, manifest: ListedManifest) -> Condemned:
        reason = self._tags[tag].reason
        if not any(self._tags[other].keep for other in manifest.image_tags):
            reason = f"{reason}; its manifest stays: {self._why_it_stays(manifest.digest)}"
        return Condemned(
            delete="tag",
            digest=manifest.digest,
            tags=(tag,),
            reason=reason,
            pushed_at=manifest.pushed_at,
            size_bytes=manifest.size_bytes,
        )

    def _condemned_manifest(self, manifest: ListedManifest) -> Condemned:
        reasons: dict[str, list[str]] = defaultdict(list)
        for tag in manifest.image_tags:
            reasons[self._tags[tag].reason].append(tag)
        taker = self._going[manifest.digest]
        if taker is not None:
            what = "part of" if self._graph.holds(taker, manifest.digest) else "speaks of"
            reason = f"{what} {self._called(taker)}, which goes"
        elif not reasons:
            reason = self._alone[manifest.digest].reason
        elif len(reasons) == 1:
            (reason,) = reasons
        else:
            reason = "; ".join(f"{', '.join(tags)}: {why}" for why, tags in reasons.items())
        return Condemned(
            delete="manifest",
            digest=manifest.digest,
            tags=manifest.tags,
            reason=reason,
            pushed_at=manifest.pushed_at,
            size_bytes=manifest.size_bytes,
        )

    def kept(self) -> tuple[Kept, ...]:
        """Return what stays, by reason."""
        tags: dict[str, list[str]] = defaultdict(list)
        untagged: dict[str, list[str]] = defaultdict(list)
        for digest, manifest in self._here.items():
            if digest in self._going:
                continue
            if not manifest.tags:
                untagged[self._why_it_stays(digest)].append(digest)
            for tag in manifest.tags:
                decision = self._tags.get(tag)
                if decision is None:
                    tags[self._why_it_stays(digest)].append(tag)
                elif decision.keep:
                    tags[decision.reason].append(tag)
        return tuple(
            Kept(reason, tuple(sorted(tags[reason])), tuple(sorted(untagged[reason])))
            for reason in sorted({*tags, *untagged})
        )

    def _why_it_stays(self, digest: str) -> str:
        if digest in self._held.digests:
            return f"in use: {self._held.digests[digest]}"
        needing = self._needing.get(digest)
        if needing is not None:
            what = "part of" if self._graph.holds(needing, digest) else "speaks of"
            return f"{what} {self._called(needing)}, which stays"
        if digest in self._alone:
            return self._alone[digest].reason
        kept = [tag for tag in self._here[digest].tags if tag in self._tags]
        return f"it has the tag {kept[0]}" if kept else "nothing decides on it"

    def _called(self, digest: str) -> str:
        return called(self._here[digest])


def called(manifest: ListedManifest) -> str:
    """Return how people tell a manifest: the beginning of its digest, and some of its tags."""
    tags = manifest.tags
    more = ", …" if len(tags) > _TAGS_TO_TELL else ""
    named = f" ({', '.join(tags[:_TAGS_TO_TELL])}{more})" if tags else ""
    return f"{manifest.digest[:_SHORT]}{named}"
