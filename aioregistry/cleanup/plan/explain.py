"""Why one tag is kept or deleted: the answer of every rule, and what decides in the end."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen

from aioregistry.cleanup.in_use.references import InUse
from aioregistry.cleanup.manifests.content import Content, subject_key, subject_of_tag
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listing import take_inventory
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.manifests.subjects import find_subjects
from aioregistry.cleanup.manifests.unreadable import keep_unreadable, unreadable
from aioregistry.cleanup.plan.decisions import (
    Exempt,
    candidates,
    decide,
    missing_subjects,
)
from aioregistry.cleanup.plan.items import RepositoryPlan
from aioregistry.cleanup.plan.make import time_by
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import Candidate, Rule
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import NotFoundError

__all__ = ["Explanation", "RuleAnswer", "explain_image", "explain_tag"]


@frozen
class RuleAnswer:
    """What one rule says of a tag.

    Attributes:
        rule: The rule, as notes call it: ``rule 2 (name)``.
        answer: What it says: ``deletes it: older than 14d``.
        decides: Whether it is the first rule that decides.
    """

    rule: str
    answer: str
    decides: bool = False

    def __str__(self) -> str:
        return f"{self.rule} {self.answer}"


@frozen
class Explanation:
    """Why a tag is kept or deleted.

    Attributes:
        repository: The repository.
        tag: The tag; empty for a manifest without one.
        digest: The manifest that it is on.
        time: The time from which its age counts; None when that is unknown.
        rules: The answer of each rule, in order.
        deleted: Whether it is deleted.
        reason: Why: what decides in the end, beside the rules what is in use, needed or protected.
    """

    repository: str
    tag: str
    digest: str
    time: datetime | None
    rules: tuple[RuleAnswer, ...]
    deleted: bool
    reason: str


async def explain_tag(
    registry: RegistryHandle,
    policy: Policy,
    contents: ContentSource,
    repository: str,
    tag: str,
    *,
    in_use: InUse | None = None,
    leave: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> Explanation:
    """Return why a policy keeps or deletes one tag. Nothing is deleted.

    Lists the repository: ``GET …/digests`` and ``GET …/tags``; and reads its manifests. The subject
    of a signature that the repository lacks is looked for in all others.

    Args:
        registry: The registry.
        policy: The policy.
        contents: Where the contents of manifests are read.
        repository: The repository's name.
        tag: The tag.
        in_use: What is in use; None, the default, when that is not to be asked.
        leave: Repositories to leave alone, each with the reason, as `make_plan` takes them; None,
            the default, for none.
        now: The time up to which ages are counted; None for now.

    Raises:
        NotFoundError: There is no such registry, repository or tag.
        RegistryError: Any other of its kinds.
    """
    decided = await _decide(registry, policy, contents, repository, tag, in_use, leave, now)
    if tag not in dict(decided.inventory.tags):
        raise NotFoundError(f"no tag {tag!r} in {registry.name}/{repository}")
    return decided.of_tag(tag)


async def explain_image(
    registry: RegistryHandle,
    policy: Policy,
    contents: ContentSource,
    repository: str,
    digest: str,
    *,
    in_use: InUse | None = None,
    leave: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> tuple[Explanation, ...]:
    """Return why a policy keeps or deletes each tag of a manifest, or the manifest without a tag.

    Lists the repository and reads its manifests as `explain_tag` does. Nothing is deleted.

    Args:
        registry: The registry.
        policy: The policy.
        contents: Where the contents of manifests are read.
        repository: The repository's name.
        digest: The manifest's digest.
        in_use: What is in use; None, the default, when that is not to be asked.
        leave: Repositories to leave alone, each with the reason, as `make_plan` takes them; None,
            the default, for none.
        now: The time up to which ages are counted; None for now.

    Returns:
        An explanation for each tag; for a manifest without tags one, whose tag is empty and which
        has no answers of rules.

    Raises:
        NotFoundError: There is no such registry, repository or manifest.
        RegistryError: Any other of its kinds.
    """
    decided = await _decide(registry, policy, contents, repository, digest, in_use, leave, now)
    manifests = {one.digest: one for one in decided.inventory.manifests}
    if digest not in manifests:
        raise NotFoundError(f"no manifest {digest!r} in {registry.name}/{repository}")
    tags = manifests[digest].tags
    if not tags:
        return (decided.of_untagged(digest),)
    return tuple(decided.of_tag(tag) for tag in tags)


@frozen
class _Decided:
    """What a policy decides in one repository."""

    inventory: RepositoryInventory
    plan: RepositoryPlan
    policy: Policy
    # Why clean-ups leave the repository alone; None where they do not.
    left_alone: str | None
    now: datetime

    def of_tag(self, tag: str) -> Explanation:
        images, referrers = candidates(self.inventory)
        is_referrer = subject_of_tag(tag) is not None
        among = referrers if is_referrer else images
        return self._explanation(
            tag,
            dict(self.inventory.tags)[tag],
            next(one.time for one in among if one.name == tag),
            tuple(_answers(self.policy, self.inventory, among, tag, is_referrer, self.now)),
            *_result(self.plan, tag),
        )

    def of_untagged(self, digest: str) -> Explanation:
        (manifest,) = [one for one in self.inventory.manifests if one.digest == digest]
        result = _result_untagged(self.plan, digest)
        return self._explanation("", digest, manifest.pushed_at, (), *result)

    def _explanation(
        self,
        tag: str,
        digest: str,
        time: datetime | None,
        rules: tuple[RuleAnswer, ...],
        deleted: bool,
        reason: str,
    ) -> Explanation:
        repository = self.inventory.repository
        if not self.policy.may_delete(repository):
            deleted, reason = False, "the policy deletes nothing here"
        elif deleted and self.left_alone is not None:
            deleted, reason = False, f"the repository is skipped: {self.left_alone}"
        return Explanation(
            repository=repository,
            tag=tag,
            digest=digest,
            time=time,
            rules=rules,
            deleted=deleted,
            reason=reason,
        )


async def _decide(
    registry: RegistryHandle,
    policy: Policy,
    contents: ContentSource,
    repository: str,
    reference: str,
    in_use: InUse | None,
    leave: Mapping[str, str] | None,
    now: datetime | None,
) -> _Decided:
    in_use = InUse.not_given() if in_use is None else in_use
    inventory = await take_inventory(registry, repository, needs_tags=lambda _: True)
    if now is None:
        now, _ = time_by(registry)
    found = await contents.read(repository, [one.digest for one in inventory.manifests])
    inventory = keep_unreadable(inventory, unreadable(inventory, found))
    read = {
        one: content if isinstance(content, Content) else Content("", 0)
        for one, content in found.items()
    }
    digest = dict(inventory.tags).get(reference, reference)
    missing = _subjects_of(inventory, read, digest) & missing_subjects(inventory, read)
    if missing and policy.may_delete(repository):
        elsewhere = await find_subjects(registry, contents, missing)
        inventory = evolve(inventory, elsewhere=elsewhere)
    exempt = Exempt(
        in_use.tags_of(registry.name, repository),
        in_use.digests_of(registry.name, repository, inventory.manifests),
    )
    plan = decide(inventory, read, policy, exempt, now).plan
    return _Decided(inventory, plan, policy, (leave or {}).get(repository), now)


def _subjects_of(
    inventory: RepositoryInventory, contents: Mapping[str, Content], digest: str
) -> frozenset[str]:
    """Return the `subject_key` of each subject that a manifest, or one of its tags, names."""
    named = {subject_of_tag(tag) for tag, of in inventory.tags if of == digest}
    subject = contents[digest].subject if digest in contents else None
    return frozenset(key for key in (*named, subject and subject_key(subject)) if key is not None)


def _answers(
    policy: Policy,
    inventory: RepositoryInventory,
    among: Sequence[Candidate],
    tag: str,
    is_referrer: bool,
    now: datetime,
) -> Iterator[RuleAnswer]:
    decided: set[str] = set()
    for number, rule in enumerate(policy.rules, 1):
        called = rule.describe(number)
        if not rule.repositories.matches(inventory.repository):
            yield RuleAnswer(called, f"is for the repositories {rule.repositories}")
            continue
        matching = _matching(rule, among, is_referrer)
        if tag not in {one.name for one in matching}:
            yield RuleAnswer(called, _why_no_match(rule, among, tag))
            continue
        made = rule.decide(
            [one for one in matching if one.name not in decided or one.name == tag], now
        )
        decision = made.get(tag)
        if decision is None:
            yield RuleAnswer(called, "matches it, and leaves it to later rules")
        else:
            does = "keeps it" if decision.keep else "deletes it"
            would = "would keep it" if decision.keep else "would delete it"
            is_first = tag not in decided
            yield RuleAnswer(called, f"{does if is_first else would}: {decision.reason}", is_first)
        decided.update(made)


def _matching(rule: Rule, among: Sequence[Candidate], is_referrer: bool) -> list[Candidate]:
    return rule.matching_referrers(among) if is_referrer else rule.matching_tags(among)


def _why_no_match(rule: Rule, among: Sequence[Candidate], tag: str) -> str:
    if rule.protected_among([one for one in among if one.name == tag]):
        return "does not match it: latest and releases need including-protected"
    return "does not match it"


def _result(plan: RepositoryPlan, tag: str) -> tuple[bool, str]:
    for item in plan.condemned:
        if tag in item.tags:
            return True, item.reason
    for kept in plan.kept:
        if tag in kept.tags:
            return False, kept.reason
    return False, "it is kept"


def _result_untagged(plan: RepositoryPlan, digest: str) -> tuple[bool, str]:
    for item in plan.condemned:
        if item.digest == digest and item.delete == "manifest":
            return True, item.reason
    for kept in plan.kept:
        if digest in kept.untagged:
            return False, kept.reason
    return False, "it is kept"
