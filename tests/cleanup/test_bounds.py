"""What need not be listed, as it can change nothing."""

from datetime import timedelta
from random import Random

import pytest
from attrs import evolve

from aioregistry.api.models import Repository, Tag
from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest, ListedTag
from aioregistry.cleanup.memory.state import RepositoryState
from aioregistry.cleanup.memory.times import with_remembered_times
from aioregistry.cleanup.plan.bounds import condemned_tags, decides_alike, keeps_so_many
from aioregistry.cleanup.plan.decisions import Exempt, decide
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import Rule
from aioregistry.cleanup.policy.rules import (
    Delete,
    DeleteOlderThan,
    Keep,
    KeepNewest,
    KeepReleases,
    KeepWithin,
)
from aioregistry.cleanup.policy.untagged_rules import (
    DeleteOrphaned,
    DeleteUntagged,
    KeepNewestUntagged,
)
from tests.cleanup.registries import NOW, ago, digest_of

AGE = timedelta(days=30)
OLD = DeleteOlderThan(AGE)
TAGS = ["latest", "v1.0.0", "v1.1.0", "pr-1", "pr-2", "main", f"sha256-{'a' * 64}.sig"]


@pytest.mark.parametrize(
    ("rules", "tags", "keeps"),
    [
        ([KeepNewest(5), OLD], 5, True),
        ([KeepNewest(5), OLD], 6, False),
        ([KeepNewest(5, unit="tags"), Delete()], 5, True),
        ([Keep(), OLD], 100, True),
        ([OLD, KeepNewest(5)], 5, False),
        ([KeepNewest(5, tags="pr-*"), OLD], 5, False),
        ([KeepNewest(5, group_by="(a).*"), OLD], 5, False),
        # Protected tags are matched by rules that say so, and by rules for one name.
        ([KeepNewest(5), Delete(including_protected=True)], 5, False),
        ([KeepNewest(5, including_protected=True), Delete(including_protected=True)], 5, True),
        ([KeepNewest(5), Delete(tags="latest")], 5, False),
        ([KeepNewest(5), KeepReleases(1, older="delete")], 5, False),
        # Patterns may name signatures, and untagged manifests are not among the tags.
        ([KeepNewest(5), Delete(tags="*.sig")], 5, False),
        ([KeepNewest(5), DeleteUntagged()], 5, False),
        ([KeepNewest(5), DeleteOrphaned()], 5, False),
        ([Delete(repositories="api")], 5, True),
    ],
)
def test_counts_show_that_a_policy_keeps_everything(rules, tags, keeps):
    assert keeps_so_many(Policy(rules, floor=0), "web", tags, 5) is keeps


def test_the_floor_and_an_empty_repository_keep_everything():
    assert keeps_so_many(Policy([Delete(including_protected=True)], floor=3), "web", 3, 3)
    assert not keeps_so_many(Policy([Delete(including_protected=True)], floor=3), "web", 4, 3)
    assert keeps_so_many(Policy([DeleteUntagged()], floor=0), "web", 0, 0)


def random_rule(random: Random) -> Rule:
    pattern = random.choice(["*", "*", "*", "pr-*", "latest", "sha256-*"])
    protected = random.random() < 0.3
    return random.choice(
        [
            Keep(tags=pattern, including_protected=protected),
            KeepNewest(random.randint(0, 7), tags=pattern, including_protected=protected),
            KeepWithin(timedelta(days=50), tags=pattern),
            Delete(tags=pattern, including_protected=protected),
            DeleteOlderThan(AGE, tags=pattern, including_protected=protected),
            KeepReleases(1, older=random.choice(["leave", "delete"])),
            DeleteUntagged(),
            DeleteOrphaned(),
            KeepNewestUntagged(2),
        ]
    )


def random_inventory(random: Random) -> RepositoryInventory:
    names = random.sample(TAGS, random.randint(0, len(TAGS)))
    manifests = []
    for number in range(random.randint(1, 5)):
        tags = tuple(sorted(names.pop() for _ in range(min(len(names), random.randint(0, 2)))))
        pushed_at = random.choice([None, ago(10), ago(60), ago(100)])
        manifests.append(ListedManifest(digest_of(f"{number}"), tags, pushed_at))
    return RepositoryInventory("web", tuple(manifests), tags_read=True)


def test_nothing_is_ever_deleted_where_the_counts_keep_everything():
    kept = 0
    for seed in range(500):
        random = Random(seed)
        rules = [random_rule(random) for _ in range(random.randint(1, 3))]
        policy = Policy(rules, floor=random.randint(0, 3))
        inventory = random_inventory(random)
        tags = sum(1 for _ in inventory.tags)
        if keeps_so_many(policy, "web", tags, len(inventory.manifests)):
            kept += policy.deletes
            contents = {one.digest: Content("", 0) for one in inventory.manifests}
            plan = decide(inventory, contents, policy, Exempt(), NOW).plan
            assert not plan.condemned, seed
    assert kept > 20


def test_remembered_times_decide_as_fresh_ones():
    """However old the tags are that are not remembered: they are only newer than all that are."""
    alike = 0
    for seed in range(500):
        random = Random(seed)
        inventory = random_inventory(random)
        until = ago(random.choice([2, 20, 45, 80]))
        remembered, truth = [], {}
        for manifest in inventory.manifests:
            for tag in manifest.tags:
                if random.random() < 0.6:
                    at = until - timedelta(days=random.choice([0, 1, 30]))
                    remembered.append(Tag(tag=tag, manifest_digest=manifest.digest, updated_at=at))
                else:
                    last = max((one.updated_at for one in remembered), default=ago(200))
                    at = until + (NOW - until) * random.uniform(0.01, 1)
                    at = max(at, last)
                if manifest.pushed_at is None:
                    truth[tag] = None
                else:
                    truth[tag] = max(at, manifest.pushed_at)
        rules = [random_rule(random) for _ in range(random.randint(1, 3))]
        policy = Policy(rules, floor=random.randint(0, 2))
        times = with_remembered_times(inventory, remembered)
        if decides_alike(times, policy, Exempt(), NOW):
            alike += bool(times.assumed)
            fresh = evolve(inventory, set_at=truth)
            by_memory = condemned_tags(times.inventory, policy, Exempt(), NOW)
            assert by_memory <= condemned_tags(fresh, policy, Exempt(), NOW), seed
    assert alike > 20


@pytest.mark.parametrize("unit", ["images", "tags"])
def test_a_tag_beside_one_of_an_unknown_time_is_not_deleted_by_remembered_times(unit):
    """`moved` may be newer than `new`: then its image is the newest, and `old` stays with it."""
    manifests = (
        ListedManifest(digest_of("a"), ("moved", "old"), ago(100)),
        ListedManifest(digest_of("b"), ("new",), ago(1)),
    )
    remembered = [ListedTag("old", digest_of("a"), ago(100)), ListedTag("gone", "", ago(20))]
    times = with_remembered_times(RepositoryInventory("web", manifests), remembered)
    policy = Policy([KeepNewest(1, unit=unit), DeleteOlderThan(timedelta(days=30))], floor=0)
    assert times.assumed == {"moved", "new"}
    assert not decides_alike(times, policy, Exempt(), NOW)


def test_a_repository_without_counts_has_no_state():
    assert RepositoryState.of(Repository(name="web")) is None
    assert RepositoryState.of(Repository(name="web", tag_count=1, manifest_count=1)) is None
    assert RepositoryState.of(Repository(name="web", tag_count=0, manifest_count=0)) is not None
