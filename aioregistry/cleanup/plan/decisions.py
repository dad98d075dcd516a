"""Which tags and manifests of one repository are deleted, and which are kept: pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

from attrs import evolve, field, frozen

from aioregistry.cleanup.manifests.content import Content, subject_key, subject_of_tag
from aioregistry.cleanup.manifests.graph import Graph
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.plan.condemned import CondemnedItems
from aioregistry.cleanup.plan.items import Kept, RepositoryPlan
from aioregistry.cleanup.plan.reasons import Fate, Reasons, relation, short
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import Candidate, Decision, PushedTag, UntaggedManifest
from aioregistry.cleanup.policy.usage import RuleUsage

__all__ = [
    "Decided",
    "Exempt",
    "candidates",
    "decide",
    "decide_tags",
    "keep_all",
    "missing_subjects",
    "unlisted_subjects",
]

_STAYS = Decision(keep=True, reason="it is not deleted")
_SUBJECT_ELSEWHERE = Decision(keep=True, reason="its subject is, or may be, in another repository")
_NO_SUBJECT = Decision(
    keep=True,
    reason="its subject does not exist (delete-orphaned-older-than would delete it)",
)


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


@frozen
class Decided:
    """What is decided on a repository.

    Attributes:
        plan: The plan.
        going: The manifests that it deletes.
        staying: The others.
        tags_alone: The tags that it deletes though their manifests stay.
    """

    plan: RepositoryPlan
    going: Sequence[ListedManifest]
    staying: Sequence[ListedManifest]
    tags_alone: Sequence[str]

    @property
    def tags_going(self) -> Iterator[str]:
        """Every tag that it deletes."""
        return chain(self.tags_alone, (tag for one in self.going for tag in one.tags))


def decide(
    inventory: RepositoryInventory,
    contents: Mapping[str, Content],
    policy: Policy,
    exempt: Exempt,
    now: datetime,
    usage: RuleUsage | None = None,
    naming: Mapping[str, Content] | None = None,
) -> Decided:
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
        naming: Those of the contents that name others; None, the default, to look for them.
    """
    graph = Graph(inventory.by_digest, contents, inventory.referrers, naming)
    exempt = exempt.with_indexes(graph, inventory.manifests)
    images, referrers = candidates(inventory)
    in_use = exempt.tags_on(inventory.manifests)
    tags = decide_tags(inventory, images, referrers, policy, in_use, now, usage)
    count = len(images)
    # Of a million, they take as much memory as the plan.
    del images, referrers
    alone = _decide_alone(inventory, contents, graph, policy, now, usage)
    deleted, needing = _partition(inventory, graph, exempt, tags, alone)
    _keep_with_subjects(inventory, graph, tags, deleted)
    # A million of them are in no cache of the processor: each further look at all of them counts.
    going: list[ListedManifest] = []
    fates: list[Fate] = []
    staying: list[ListedManifest] = []
    for manifest in inventory.manifests:
        fate = deleted.get(manifest.digest, _STAYS)
        if fate is _STAYS:
            staying.append(manifest)
        else:
            going.append(manifest)
            fates.append(fate)
    reasons = Reasons(inventory, graph, exempt.digests, tags, alone, deleted, needing)
    alone_going, kept = reasons.of_staying(staying)
    plan = RepositoryPlan(
        name=inventory.repository,
        tags=count,
        manifests=len(inventory.manifests),
        condemned=CondemnedItems.of_batches(reasons.condemned(alone_going, going, fates)),
        kept=kept,
    )
    return Decided(plan, going, staying, [tag for tag, _ in alone_going])


def missing_subjects(
    inventory: RepositoryInventory, naming: Mapping[str, Content]
) -> frozenset[str]:
    """Return the `subject_key` of each subject that a manifest names and the repository lacks.

    Args:
        inventory: All manifests and tags of the repository.
        naming: What those manifests say that name others, by digest.
    """
    named = {
        subject_key(content.subject) for content in naming.values() if content.subject is not None
    }
    if inventory.referrers:
        named |= {
            subject
            for manifest in inventory.referrers.values()
            for subject in map(subject_of_tag, manifest.tags)
            if subject is not None
        }
    return frozenset([key for key in named if not inventory.has_subject(key)])


def unlisted_subjects(
    going: Iterable[ListedManifest],
    inventory: RepositoryInventory,
    naming: Mapping[str, Content],
) -> dict[str, str]:
    """Return the subjects of condemned manifests that are not listed, each with what names it.

    A tag has only a part of a digest of SHA-512, which no registry can be asked for.

    Args:
        going: The condemned manifests.
        inventory: All manifests and tags of the repository.
        naming: What those manifests say that name others, by digest.
    """
    found: dict[str, str] = {}
    named_by = {digest for digest, content in naming.items() if content.subject is not None}
    named_by |= inventory.referrers.keys()
    if not named_by:
        return found
    for manifest in going:
        if manifest.digest not in named_by:
            continue
        named = naming[manifest.digest].subject if manifest.digest in naming else None
        by_name = (subject_of_tag(tag) or "" for tag in manifest.tags)
        subjects = [one for one in by_name if one.startswith("sha256:")]
        for subject in (*subjects, named):
            if subject is None:
                continue
            key = subject_key(subject)
            if key in inventory.elsewhere or not inventory.has_subject(key):
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
        digest, pushed_at = manifest.digest, manifest.pushed_at
        for tag in manifest.tags:
            time = pushed_at if pushed_at is None else set_at.get(tag, pushed_at)
            # Tags of referrers are no images: they follow their subject, and are never counted.
            if tag[:3] == "sha" and (subject := subject_of_tag(tag)) is not None:
                is_orphaned = _is_orphaned(subject, inventory)
                referrers.append(PushedTag(tag, time, digest, is_orphaned=is_orphaned))
            else:
                images.append(PushedTag(tag, time, digest))
    return images, referrers


def decide_tags(
    inventory: RepositoryInventory,
    images: Sequence[Candidate],
    referrers: Sequence[Candidate],
    policy: Policy,
    exempt: Mapping[str, str],
    now: datetime,
    usage: RuleUsage | None = None,
) -> dict[str, Decision]:
    """Return decisions by tag: on all tags of images, and on those of referrers that have one."""
    kept: dict[str, str] = {}
    for manifest in inventory.manifests if inventory.uncertain else ():
        if manifest.digest in inventory.uncertain:
            kept |= dict.fromkeys(manifest.tags, inventory.uncertain[manifest.digest])
    kept |= exempt
    decisions = policy.decide_tags(inventory.repository, images, now, kept, usage)
    decided = dict(zip([tag.name for tag in images], decisions, strict=True))
    decided |= policy.decide_referrers(inventory.repository, referrers, now, usage)
    for referrer in referrers:
        if referrer.name in kept:
            decided[referrer.name] = Decision(keep=True, reason=kept[referrer.name])
    return decided


def _is_orphaned(subject: str | None, inventory: RepositoryInventory) -> bool:
    return subject is not None and not inventory.has_subject(subject_key(subject))


def _decide_alone(
    inventory: RepositoryInventory,
    contents: Mapping[str, Content],
    graph: Graph,
    policy: Policy,
    now: datetime,
    usage: RuleUsage | None,
) -> dict[str, Decision]:
    """Return decisions on the manifests that have no tag of an image and that nothing needs."""
    untagged = [
        UntaggedManifest(
            manifest.digest,
            manifest.pushed_at,
            is_orphaned=_is_orphaned(contents[manifest.digest].subject, inventory),
        )
        for manifest in inventory.manifests
        if not manifest.tags and not graph.needed_by(manifest.digest)
    ]
    decided = policy.decide_untagged(inventory.repository, untagged, now, usage)
    for digest, manifest in inventory.referrers.items():
        if not manifest.image_tags and not graph.needed_by(digest):
            is_missing = _all_missing(manifest, inventory)
            decided[digest] = _NO_SUBJECT if is_missing else _SUBJECT_ELSEWHERE
    return decided


def _all_missing(manifest: ListedManifest, inventory: RepositoryInventory) -> bool:
    return inventory.elsewhere.isdisjoint(subject_of_tag(tag) or "" for tag in manifest.tags)


def _partition(
    inventory: RepositoryInventory,
    graph: Graph,
    exempt: Exempt,
    tags: Mapping[str, Decision],
    alone: Mapping[str, Decision],
) -> tuple[dict[str, Fate], dict[str, str]]:
    """Return the manifests that are deleted, and those that are kept because they are needed.

    Returns:
        For each deleted one, why it is; for each needed one, the digest that needs it.
    """
    kept, deleted = _by_own_fate(inventory, graph, exempt, tags, alone)
    needed = graph.reached_from(kept)
    for digest in needed:
        deleted.pop(digest, None)
    deleted |= {
        digest: needing
        for digest, needing in graph.reached_from(deleted).items()
        if digest not in kept and digest not in needed
    }
    # A manifest that no decision reaches, such as two that need only each other, is kept, and with
    # it what it needs.
    rest = graph.reached_from([digest for digest in graph.related if digest not in deleted])
    for digest in rest:
        deleted.pop(digest, None)
    return deleted, rest | needed


def _by_own_fate(
    inventory: RepositoryInventory,
    graph: Graph,
    exempt: Exempt,
    tags: Mapping[str, Decision],
    alone: Mapping[str, Decision],
) -> tuple[dict[str, None], dict[str, Fate]]:
    """Return what is decided on manifests whatever becomes of others.

    Returns:
        Those that are kept, of such as need others or are needed; and all that are deleted.
    """
    related = graph.related
    kept: dict[str, None] = {}
    deleted: dict[str, Fate] = {}
    held = exempt.digests.keys() | inventory.uncertain.keys()
    for manifest in inventory.manifests:
        digest, named = manifest.digest, manifest.tags
        fate = None
        if len(named) == 1 and (fate := tags.get(named[0])) is not None:
            # As most are.
            is_kept, is_decided = fate.keep, True
        else:
            decided = [tags[tag] for tag in named if tag in tags]
            if (len(decided) < len(named) or not named) and digest in alone:
                decided.append(alone[digest])
            is_kept, is_decided = True in [one.keep for one in decided], bool(decided)
        if is_kept or digest in held:
            if digest in related:
                kept[digest] = None
        elif is_decided:
            deleted[digest] = fate
    return kept, deleted


def _keep_with_subjects(
    inventory: RepositoryInventory,
    graph: Graph,
    tags: dict[str, Decision],
    deleted: Mapping[str, Fate],
) -> None:
    """Overrule decisions to delete the tag of a referrer whose subject is kept."""
    for digest, manifest in inventory.referrers.items():
        for tag in manifest.tags if digest not in deleted else ():
            key = subject_of_tag(tag)
            subject = None if key is None else graph.find(key)
            if subject is None or subject is manifest or subject.digest in deleted:
                continue
            if tag in tags and not tags[tag].keep:
                why = f"{relation(graph, subject, manifest)}, which is kept"
                tags[tag] = Decision(keep=True, reason=why)
