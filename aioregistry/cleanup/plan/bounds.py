"""Whether a policy could delete anything of a repository, whatever the times of its tags: pure."""

from datetime import datetime

from attrs import evolve

from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.plan.decisions import Exempt, may_condemn
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import KeepNewest

__all__ = ["could_condemn"]


def could_condemn(inventory: RepositoryInventory, policy: Policy, now: datetime) -> bool:
    """Return whether anything could be deleted if tags were set at any time after their push.

    A tag is at least as young as its manifest: where the push alone keeps it, it is kept. The
    exception are rules that keep the newest: a younger tag takes the place of another.

    Args:
        inventory: The manifests of the repository; the times of tags are not known.
        policy: The policy.
        now: The time up to which ages are counted.
    """
    tags = sum(len(manifest.tags) for manifest in inventory.manifests)
    if any(type(rule).__module__.partition(".")[0] != "aioregistry" for rule in policy.rules):
        # A rule that somebody else wrote may compare times in any way.
        return True
    certain = tuple(
        rule for rule in policy.rules if not isinstance(rule, KeepNewest) or rule.count >= tags
    )
    return may_condemn(inventory, evolve(policy, rules=certain), Exempt(), now)
