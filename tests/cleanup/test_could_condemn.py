"""Whether anything could be deleted while the times of tags are not known."""

from datetime import timedelta

from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.plan.bounds import could_condemn, may_condemn
from aioregistry.cleanup.plan.decisions import Exempt
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import TagRule
from aioregistry.cleanup.policy.rules import Delete, DeleteOlderThan, KeepNewest
from tests.cleanup.registries import NOW, ago, digest_of

YOUNG = RepositoryInventory(
    "web", tuple(ListedManifest(digest_of(tag), (tag,), ago(1)) for tag in ("a", "b"))
)


class Theirs(TagRule):
    """A rule of somebody else, which decides nothing."""

    def decide(self, candidates, now):
        return {}


def could(*rules) -> bool:
    return could_condemn(YOUNG, Policy(rules, floor=0), NOW)


def test_what_is_younger_than_the_rule_cannot_be_deleted():
    assert not could(DeleteOlderThan(timedelta(days=30)))
    assert could(DeleteOlderThan(timedelta(hours=1)))


def test_a_rule_of_somebody_else_may_do_anything():
    assert could(Theirs(), DeleteOlderThan(timedelta(days=30)))


def test_the_newest_are_certain_only_where_they_are_all():
    assert not could(KeepNewest(2), Delete())
    assert could(KeepNewest(1), Delete())


def test_some_of_many_manifests_are_enough_where_one_of_them_is_deleted(monkeypatch):
    monkeypatch.setattr("aioregistry.cleanup.plan.bounds._SAMPLE_SIZES", (1,))
    asked: list[int] = []

    class Counting(Theirs):
        def decide(self, candidates, now):
            asked.append(len(candidates))
            return {}

    assert may_condemn(YOUNG, Policy((Counting(), Delete()), floor=0), Exempt(), NOW)
    assert asked == [1]


def test_some_of_many_manifests_that_are_kept_say_nothing_of_the_others(monkeypatch):
    monkeypatch.setattr("aioregistry.cleanup.plan.bounds._SAMPLE_SIZES", (1,))
    assert could(Delete(tags="b"))
    assert not could(Delete(tags="c"))
