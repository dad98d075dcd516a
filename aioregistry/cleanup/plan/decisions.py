"""Which tags and manifests of one repository are deleted, and which are kept: pure."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from attrs import evolve, field, frozen

from aioregistry.cleanup.manifests.content import Content, subject_key, subject_of_tag
from aioregistry.cleanup.manifests.graph import Graph
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest, tagged_as_referrers
from aioregistry.cleanup.plan.condemned import CondemnedItems
from aioregistry.cleanup.plan.items import Kept, RepositoryPlan
from aioregistry.cleanup.plan.reasons import Reasons, relation, short
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import Candidate, Decision, PushedTag, UntaggedManifest
from aioregistry.cleanup.policy.usage import RuleUsage

__all__ = [
    "Exempt",
    "candidates",
    "condemned_tags",
    "decide",
    "keep_all",
    "may_condemn",
    "missing_subjects",
    "unlisted_subjects",
]

_SUBJECT_ELSEWHERE = Decision(keep=True, reason="its subject is, or may be, in another repository")
_NO_SUBJECT = Decision(
    keep=True,
    reason="its subject does not exist (delete-orphaned-older-than would delete it)",
)
# So many manifests mostly show whether anything is deleted.
_SAMPLE_SIZE = 1000


@frozen
class Exempt:
    """The tags and manifests of a repository that are kept whatever the policy says.

    Attributes:
        tags: Tags that are in use, each with where. Their manifests are kept, too.
        digests: Manifests that are in use, each with where. All of their tags are kept, too.
    """

    tags: Mapping[str, str] = field(factory=dict)
    digests: Mapping[str, str] = field(factory=dict)

    def with_indexes(self, graph: Graph, manifests: Iterable[ListedManifest]) -> "Exempt":
        """Return it with the indexes that include what is in use: other platforms may be pulled.

        Args:
            graph: What the manifests of the repository need of each other.
            manifests: These manifests.
        """
        where = dict(self.digests)
        if self.tags:
            for manifest in manifests:
                for tag in manifest.tags:
                    if tag in self.tags:
                        where.setdefault(manifest.digest, self.tags[tag])
        digests = dict(self.digests)
        for index, part in graph.containing(where).items():
            where.setdefault(index, where[part])
            digests.setdefault(index, f"{where[part]} runs its part {short(part)}")
        return evolve(self, digests=digests)

    def tags_on(self, manifests: Iterable[ListedManifest]) -> dict[str, str]:
        """Return the tags that are kept: those in use, and those of manifests that are."""
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
    """Return whether anything at all may be deleted, as far as that shows without the contents.

    Contents only ever add to what is kept, and to what is deleted along with something else. Where
    some of very many manifests are deleted already when these are all, that is the answer: with
    others beside them, rules that keep the newest keep no more of them, but for images of which
    earlier rules keep other tags. To be wrong there costs requests, and nothing else.
    """
    if not policy.may_delete(inventory.repository):
        return False
    if len(inventory.manifests) > _SAMPLE_SIZE:
        some = inventory.manifests[:_SAMPLE_SIZE]
        elsewhere = inventory.subjects if tagged_as_referrers(some) else inventory.elsewhere
        sample = evolve(inventory, manifests=some, elsewhere=elsewhere)
        if _condemns_any(sample, policy, exempt, now):
            return True
    return _condemns_any(inventory, policy, exempt, now)


def _condemns_any(
    inventory: RepositoryInventory, policy: Policy, exempt: Exempt, now: datetime
) -> bool:
    decided = _decide_tags(inventory, policy, exempt.tags_on(inventory.manifests), now)
    untagged = policy.decide_untagged(
        inventory.repository,
        [
            UntaggedManifest(manifest.digest, manifest.pushed_at, is_orphaned=True)
            for manifest in inventory.manifests
            # One that is in use takes a place among the newest.
            if not manifest.tags
        ],
        now,
    )
    if any(not one.keep and digest not in exempt.digests for digest, one in untagged.items()):
        return True
    return not all(decision.keep for decision in decided.values())


def condemned_tags(
    inventory: RepositoryInventory, policy: Policy, exempt: Exempt, now: datetime
) -> frozenset[str]:
    """Return the tags that a policy deletes, as far as that shows without the contents."""
    decided = _decide_tags(inventory, policy, exempt.tags_on(inventory.manifests), now)
    return frozenset(tag for tag, decision in decided.items() if not decision.keep)


def decide(
    inventory: RepositoryInventory,
    contents: Mapping[str, Content],
    policy: Policy,
    exempt: Exempt,
    now: datetime,
    usage: RuleUsage | None = None,
) -> tuple[RepositoryPlan, Collection[str]]:
    """Decide on every manifest and every tag of a repository.

    Tags are decided by the policy. A manifest is deleted when all of its tags are; an untagged one,
    when the policy says so, or when all that needs it is deleted. Whatever a kept manifest needs is
    kept.

    Args:
        inventory: All manifests and tags of the repository.
        contents: What each manifest says of others.
        policy: Decides on tags, and on untagged manifests that nothing needs.
        exempt: The tags and manifests that are in use.
        now: The time up to which ages are counted.
        usage: Where it is noted which rules had something to decide.

    Returns:
        The plan, and the digests of the manifests that it deletes.
    """
    graph = Graph(inventory.manifests, contents, inventory.referrers)
    exempt = exempt.with_indexes(graph, inventory.manifests)
    tags = _decide_tags(inventory, policy, exempt.tags_on(inventory.manifests), now, usage)
    alone = _decide_alone(inventory, contents, graph, policy, now, usage)
    deleted, needing = _partition(inventory, graph, exempt, tags, alone)
    _keep_with_subjects(inventory, graph, tags, deleted)
    reasons = Reasons(inventory, graph, exempt.digests, tags, alone, deleted, needing)
    plan = RepositoryPlan(
        name=inventory.repository,
        tags=inventory.count_image_tags(),
        manifests=len(inventory.manifests),
        condemned=CondemnedItems.of_batches(reasons.condemned()),
        kept=reasons.kept(),
    )
    return plan, deleted.keys()


def missing_subjects(
    inventory: RepositoryInventory, contents: Mapping[str, Content]
) -> frozenset[str]:
    """Return the `subject_key` of each subject that a manifest names and the repository lacks.

    Args:
        inventory: All manifests and tags of the repository.
        contents: What each manifest says of others.
    """
    named = {
        subject_key(content.subject) for content in contents.values() if content.subject is not None
    }
    if inventory.referrers:
        named |= {
            subject
            for manifest in inventory.manifests
            if manifest.digest in inventory.referrers
            for subject in map(subject_of_tag, manifest.tags)
            if subject is not None
        }
    return frozenset(named - inventory.subjects if named else named)


def unlisted_subjects(
    going: Collection[str], inventory: RepositoryInventory, contents: Mapping[str, Content]
) -> dict[str, str]:
    """Return the subjects of condemned manifests that are not listed, each with what names it.

    A tag has only a part of a digest of SHA-512, which no registry can be asked for.

    Args:
        going: The digests of the condemned manifests.
        inventory: All manifests and tags of the repository.
        contents: What each manifest says of others.
    """
    found: dict[str, str] = {}
    named_by = inventory.referrers.union(
        [digest for digest, content in contents.items() if content.subject is not None]
    )
    if not named_by:
        return found
    here = inventory.subjects - inventory.elsewhere
    for manifest in inventory.manifests:
        if manifest.digest not in named_by or manifest.digest not in going:
            continue
        named = contents[manifest.digest].subject
        by_name = (subject_of_tag(tag) or "" for tag in manifest.tags)
        subjects = [one for one in by_name if one.startswith("sha256:")]
        for subject in (*subjects, named):
            if subject is not None and subject_key(subject) not in here:
                found[subject] = manifest.digest
    return found


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


def candidates(inventory: RepositoryInventory) -> tuple[list[Candidate], list[Candidate]]:
    """Return the tags of images, and those of signatures and the like, as rules see them."""
    images: list[Candidate] = []
    referrers: list[Candidate] = []
    set_at = inventory.set_at
    for manifest in inventory.manifests:
        pushed_at = manifest.pushed_at
        for tag in manifest.tags:
            time = pushed_at if pushed_at is None else set_at.get(tag, pushed_at)
            subject = subject_of_tag(tag) if tag[:3] == "sha" else None
            # Tags of referrers are no images: they follow their subject, and are never counted.
            if subject is None:
                images.append(PushedTag(tag, time, manifest.digest))
            else:
                is_orphaned = _is_orphaned(subject, inventory.subjects)
                one = PushedTag(tag, time, manifest.digest, is_orphaned=is_orphaned)
                referrers.append(one)
    return images, referrers


def _decide_tags(
    inventory: RepositoryInventory,
    policy: Policy,
    exempt: Mapping[str, str],
    now: datetime,
    usage: RuleUsage | None = None,
) -> dict[str, Decision]:
    """Return decisions by tag: on all tags of images, and on those of referrers that have one."""
    images, referrers = candidates(inventory)
    kept: dict[str, str] = {}
    for manifest in inventory.manifests if inventory.uncertain else ():
        if manifest.digest in inventory.uncertain:
            kept |= dict.fromkeys(manifest.tags, inventory.uncertain[manifest.digest])
    kept |= exempt
    decisions = policy.decide_tags(inventory.repository, images, now, kept, usage)
    decided = {tag.name: decision for tag, decision in zip(images, decisions, strict=True)}
    decided |= policy.decide_referrers(inventory.repository, referrers, now, usage)
    for referrer in referrers:
        if referrer.name in kept:
            decided[referrer.name] = Decision(keep=True, reason=kept[referrer.name])
    return decided


def _is_orphaned(subject: str | None, here: Collection[str]) -> bool:
    return subject is not None and subject_key(subject) not in here


def _decide_alone(
    inventory: RepositoryInventory,
    contents: Mapping[str, Content],
    graph: Graph,
    policy: Policy,
    now: datetime,
    usage: RuleUsage | None,
) -> dict[str, Decision]:
    """Return decisions on the manifests that have no tag of an image and that nothing needs."""
    alone = [
        manifest
        for manifest in inventory.manifests
        if (
            not manifest.tags
            or (manifest.digest in inventory.referrers and not manifest.image_tags)
        )
        and not graph.needed_by(manifest.digest)
    ]
    here = inventory.subjects
    untagged = [
        UntaggedManifest(
            manifest.digest,
            manifest.pushed_at,
            is_orphaned=_is_orphaned(contents[manifest.digest].subject, here),
        )
        for manifest in alone
        if not manifest.tags
    ]
    decided = policy.decide_untagged(inventory.repository, untagged, now, usage)
    return {
        manifest.digest: decided.get(manifest.digest)
        or (_NO_SUBJECT if _all_missing(manifest, inventory) else _SUBJECT_ELSEWHERE)
        for manifest in alone
    }


def _all_missing(manifest: ListedManifest, inventory: RepositoryInventory) -> bool:
    return inventory.elsewhere.isdisjoint(subject_of_tag(tag) or "" for tag in manifest.tags)


def _partition(
    inventory: RepositoryInventory,
    graph: Graph,
    exempt: Exempt,
    tags: Mapping[str, Decision],
    alone: Mapping[str, Decision],
) -> tuple[dict[str, str | None], dict[str, str]]:
    """Return the manifests that are deleted, and those that are kept because they are needed.

    Returns:
        For each deleted one, the digest that it is deleted along with, or None; for each needed
        one, the digest that needs it.
    """
    kept: list[str] = []
    chosen: list[str] = []
    held = exempt.digests.keys() | inventory.uncertain.keys()
    for manifest in inventory.manifests:
        digest, named = manifest.digest, manifest.tags
        if len(named) == 1 and (decision := tags.get(named[0])) is not None:
            # As most are.
            (kept if decision.keep or digest in held else chosen).append(digest)
            continue
        decided = [tags[tag] for tag in named if tag in tags]
        undecided = len(decided) < len(named) or not named
        if undecided and digest in alone:
            decided.append(alone[digest])
        if digest in held or True in [decision.keep for decision in decided]:
            kept.append(digest)
        elif decided:
            chosen.append(digest)
    needed = graph.reached_from(kept)
    deleted: dict[str, str | None] = {digest: None for digest in chosen if digest not in needed}
    if along := graph.reached_from(deleted):
        stays = {*kept, *needed}
        deleted |= {digest: needing for digest, needing in along.items() if digest not in stays}
    # A manifest that no decision reaches, such as two that need only each other, is kept, and with
    # it what it needs.
    rest = graph.reached_from(
        [manifest.digest for manifest in inventory.manifests if manifest.digest not in deleted]
    )
    if not rest.keys().isdisjoint(deleted):
        deleted = {digest: taker for digest, taker in deleted.items() if digest not in rest}
    return deleted, rest | needed


def _keep_with_subjects(
    inventory: RepositoryInventory,
    graph: Graph,
    tags: dict[str, Decision],
    deleted: Mapping[str, str | None],
) -> None:
    """Overrule decisions to delete the tag of a referrer whose subject is kept."""
    if inventory.referrers <= deleted.keys():
        return
    referrers = [
        manifest
        for manifest in inventory.manifests
        if manifest.digest in inventory.referrers and manifest.digest not in deleted
    ]
    wanted = {subject_of_tag(tag) for manifest in referrers for tag in manifest.tags}
    here = {
        key: manifest
        for manifest in inventory.manifests
        if (key := subject_key(manifest.digest)) in wanted
    }
    for manifest in referrers:
        for tag in manifest.tags:
            subject = here.get(subject_of_tag(tag) or "")
            if subject is None or subject is manifest or subject.digest in deleted:
                continue
            if tag in tags and not tags[tag].keep:
                why = f"{relation(graph, subject, manifest)}, which is kept"
                tags[tag] = Decision(keep=True, reason=why)
