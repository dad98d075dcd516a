"""What goes and what stays of one repository: pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import evolve, field, frozen

from aioregistry.cleanup.manifests.content import Content, subject_of_tag
from aioregistry.cleanup.manifests.graph import Graph
from aioregistry.cleanup.manifests.inventory import ListedManifest, RepositoryInventory
from aioregistry.cleanup.plan.items import Kept, RepositoryPlan
from aioregistry.cleanup.plan.reasons import Reasons, short
from aioregistry.cleanup.policy.policy import Decision, Policy, PushedTag

__all__ = ["Exempt", "decide", "keep_all", "may_condemn"]


@frozen
class Exempt:
    """What stays in a repository whatever the policy says.

    Attributes:
        tags: Tags that are in use, each with where.
        digests: Manifests that are in use, each with where.
    """

    tags: Mapping[str, str] = field(factory=dict)
    digests: Mapping[str, str] = field(factory=dict)

    def with_indexes(self, graph: Graph) -> "Exempt":
        """Return it with the indexes that hold what is in use: other platforms may be pulled."""
        digests = dict(self.digests)
        for index, inside in graph.containing(self.digests).items():
            digests[index] = f"{digests[inside]}, which runs its part {short(inside)}"
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


def may_condemn(
    inventory: RepositoryInventory, policy: Policy, exempt: Exempt, now: datetime
) -> bool:
    """Return whether anything at all may go, as far as that shows without the contents.

    Contents only ever add to what stays, and to what goes with something condemned.
    """
    if not policy.may_delete(inventory.repository):
        return False
    decided = _decide_tags(inventory, policy, exempt.tags_on(inventory.manifests), now)
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
    exempt: Exempt,
    now: datetime,
) -> RepositoryPlan:
    """Decide on every manifest and every tag of a repository.

    Tags are decided by the policy. A manifest goes when all of its tags go; an untagged one, when
    the policy says so, or when all that needs it goes. What something that stays needs, stays.

    Args:
        inventory: All that the repository holds.
        contents: What each of its manifests says.
        policy: Decides on tags, and on untagged manifests that nothing needs.
        exempt: What is in use.
        now: Up to when ages are counted.
    """
    graph = Graph(inventory.manifests, contents)
    exempt = exempt.with_indexes(graph)
    tags = _decide_tags(inventory, policy, exempt.tags_on(inventory.manifests), now)
    alone = {
        manifest.digest: _decide_alone(inventory.repository, manifest, policy, now)
        for manifest in inventory.manifests
        if not manifest.image_tags and not graph.needed_by(manifest.digest)
    }
    going, needing = _partition(inventory, graph, exempt, tags, alone)
    reasons = Reasons(inventory, graph, exempt.digests, tags, alone, going, needing)
    return RepositoryPlan(
        name=inventory.repository,
        tags=len(tags),
        manifests=len(inventory.manifests),
        condemned=tuple(reasons.condemned()),
        kept=reasons.kept(),
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
    inventory: RepositoryInventory, policy: Policy, exempt: Mapping[str, str], now: datetime
) -> dict[str, Decision]:
    # Signatures are no images: they are decided with what they speak of, and never counted.
    tags = [
        PushedTag(tag, manifest.pushed_at)
        for manifest in inventory.manifests
        for tag in manifest.image_tags
    ]
    decisions = policy.decide_tags(inventory.repository, tags, now, exempt)
    return {tag.name: decision for tag, decision in zip(tags, decisions, strict=True)}


def _decide_alone(
    repository: str, manifest: ListedManifest, policy: Policy, now: datetime
) -> Decision:
    """Decide on a manifest that has no image's tag, and that nothing needs."""
    if manifest.tags:
        return Decision(keep=True, reason="refers to a manifest that does not exist here")
    return policy.decide_untagged(repository, manifest.pushed_at, now)


def _partition(
    inventory: RepositoryInventory,
    graph: Graph,
    exempt: Exempt,
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
        if manifest.digest in exempt.digests or any(decision.keep for decision in decided):
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
