"""Whether a policy could delete anything of a repository, whatever is not known of it: pure."""

from datetime import datetime
from typing import TypeGuard

from attrs import evolve

from aioregistry.cleanup.manifests.content import subject_of_tag
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import tagged_as_referrers
from aioregistry.cleanup.memory.times import RememberedTimes
from aioregistry.cleanup.plan.decisions import Exempt, candidates, decide_tags
from aioregistry.cleanup.policy.patterns import ANY
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import Rule, TagRule, UntaggedManifest
from aioregistry.cleanup.policy.rules import Delete, DeleteOlderThan, Keep, KeepNewest, KeepWithin
from aioregistry.cleanup.policy.untagged_rules import DeleteOrphaned

__all__ = [
    "condemned_tags",
    "could_condemn",
    "decides_alike",
    "has_own_rules_only",
    "keeps_so_many",
    "may_condemn",
]

# So many manifests mostly show whether anything is deleted; where these do not, so many more.
_SAMPLE_SIZES = (50, 1000)


def could_condemn(inventory: RepositoryInventory, policy: Policy, now: datetime) -> bool:
    """Return whether anything could be deleted if tags were set at any time after their push.

    A tag is at least as young as its manifest: where the push alone keeps it, it is kept. The
    exception are rules that keep the newest: a younger tag takes the place of another.

    Args:
        inventory: The manifests of the repository; the times of tags are not known.
        policy: The policy.
        now: The time up to which ages are counted.
    """
    tags = sum([len(manifest.tags) for manifest in inventory.manifests])
    if not has_own_rules_only(policy):
        return True
    certain = tuple(
        rule for rule in policy.rules if not isinstance(rule, KeepNewest) or rule.count >= tags
    )
    return may_condemn(inventory, evolve(policy, rules=certain), Exempt(), now)


def has_own_rules_only(policy: Policy) -> bool:
    """Return whether no rule is somebody else's, which may compare times in any way."""
    return all(type(rule).__module__.partition(".")[0] == "aioregistry" for rule in policy.rules)


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
    for size in _SAMPLE_SIZES:
        if len(inventory.manifests) <= size:
            break
        some = inventory.manifests[:size]
        # The subjects of the others may be among the rest.
        referrers = tagged_as_referrers(some).values()
        named = {subject_of_tag(tag) or "" for one in referrers for tag in one.tags}
        sample = evolve(inventory, manifests=some, elsewhere=inventory.elsewhere | named)
        if _condemns_any(sample, policy, exempt, now):
            return True
    return _condemns_any(inventory, policy, exempt, now)


def _condemns_any(
    inventory: RepositoryInventory, policy: Policy, exempt: Exempt, now: datetime
) -> bool:
    in_use = exempt.tags_on(inventory.manifests)
    decided = decide_tags(inventory, *candidates(inventory), policy, in_use, now)
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
    in_use = exempt.tags_on(inventory.manifests)
    decided = decide_tags(inventory, *candidates(inventory), policy, in_use, now)
    return frozenset(tag for tag, decision in decided.items() if not decision.keep)


def decides_alike(times: RememberedTimes, policy: Policy, exempt: Exempt, now: datetime) -> bool:
    """Return whether a policy decides by remembered times of tags as it would by fresh ones.

    Tags that are not remembered are newer than all that are, which is what rules that keep the
    newest ask for. For rules by age they must be too young, however old they are. As their order
    among themselves is not known, nobody knows whose images are the newest: none of them may be
    deleted, and no other tag of their manifests.

    Args:
        times: What is remembered.
        policy: The policy.
        exempt: The tags and manifests that are in use.
        now: The time up to which ages are counted.
    """
    if not has_own_rules_only(policy):
        return False
    ages = [
        rule.age
        for rule in policy.rules
        if isinstance(rule, KeepWithin | DeleteOlderThan | DeleteOrphaned)
    ]
    inventory = times.inventory
    assumed = [
        (tag, inventory.set_time(tag, manifest))
        for manifest in inventory.manifests
        for tag in manifest.tags
        if tag in times.assumed
    ]
    for _, time in assumed:
        if time is None or any(now - time > age for age in ages):
            return False
    theirs = {
        tag
        for manifest in inventory.manifests
        if not times.assumed.isdisjoint(manifest.tags)
        for tag in manifest.tags
    }
    return theirs.isdisjoint(condemned_tags(inventory, policy, exempt, now))


def keeps_so_many(policy: Policy, repository: str, tags: int, manifests: int) -> bool:
    """Return whether nothing can be deleted of so many tags and manifests, whatever they are.

    Args:
        policy: The policy.
        repository: The repository's name.
        tags: How many tags it has.
        manifests: How many manifests it has.
    """
    if not policy.may_delete(repository) or not manifests:
        return True
    keeps_all, keeps_protected = tags <= policy.floor, tags <= policy.floor
    for rule in policy.rules:
        if not rule.repositories.matches(repository):
            continue
        if rule.deletes and not (keeps_all and _is_for_images(rule, protected=keeps_protected)):
            return False
        if _keeps_any(rule, tags):
            keeps_all = True
            keeps_protected |= rule.including_protected
    return True


def _is_for_images(rule: Rule, *, protected: bool) -> bool:
    """Return whether a rule decides only on tags of images that a rule for all tags matches."""
    if type(rule) not in {Delete, DeleteOlderThan} or not isinstance(rule, TagRule):
        return False
    # A pattern may name signatures, which are no images; a single name matches protected tags.
    return rule.tags == ANY and (protected or not rule.including_protected)


def _keeps_any(rule: Rule, tags: int) -> TypeGuard[TagRule]:
    """Return whether a rule keeps all of so many tags, but for those that are protected."""
    if type(rule) is KeepNewest:
        return rule.tags == ANY and rule.count >= tags and rule.group_by is None
    return type(rule) is Keep and rule.tags == ANY
