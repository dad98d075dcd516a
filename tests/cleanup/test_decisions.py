"""What goes and what stays of one repository, decided without any I/O."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.plan.bounds import may_condemn
from aioregistry.cleanup.plan.decisions import Exempt, decide, keep_all
from aioregistry.cleanup.plan.items import Condemned, Kept, RepositoryPlan
from aioregistry.cleanup.plan.reasons import describe, part_of
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import Delete, Keep
from aioregistry.cleanup.policy.untagged_rules import DeleteOrphaned, DeleteUntagged
from tests.cleanup.registries import NOW, ago

DELETE_ALL = Policy([Delete(), DeleteUntagged(timedelta())], floor=0)
KEEP_ALPHA = Policy([Keep(tags="keep*"), Delete(), DeleteUntagged(timedelta())], floor=0)


def digest(name: str) -> str:
    return "sha256:" + name.encode().hex().rjust(64, "0")


# How the digest of each short name begins.
SHORT = "sha256:000000000000"


def name_of(digest: str) -> str:
    return bytes.fromhex(digest[7:]).lstrip(b"\0").decode()


def signature_of(name: str) -> str:
    return digest(name).replace(":", "-") + ".sig"


class Repo:
    """A repository by short names: tags, children and subjects."""

    def __init__(
        self,
        tags: Mapping[str, Iterable[str]],
        children: Mapping[str, Iterable[str]] | None = None,
        subjects: Mapping[str, str] | None = None,
    ) -> None:
        children, subjects = children or {}, subjects or {}
        self.inventory = RepositoryInventory(
            "web",
            tuple(
                ListedManifest(digest(name), tuple(sorted(tags)), ago(50))
                for name, tags in tags.items()
            ),
        )
        self.contents = {
            digest(name): Content(
                "x",
                1,
                tuple(map(digest, children.get(name, ()))),
                digest(subjects[name]) if name in subjects else None,
            )
            for name in tags
        }

    def plan(self, policy: Policy, exempt: Exempt | None = None) -> RepositoryPlan:
        decided = decide(self.inventory, self.contents, policy, exempt or Exempt(), NOW)
        assert decided.plan.digests_going == {one.digest for one in decided.going}
        return decided.plan


def going(plan: RepositoryPlan) -> set[str]:
    return {name_of(item.digest) for item in plan.condemned if item.delete == "manifest"}


def tags_going(plan: RepositoryPlan) -> set[str]:
    return {item.tags[0] for item in plan.condemned if item.delete == "tag"}


def reasons(plan: RepositoryPlan) -> dict[str, str]:
    said = {name_of(item.digest): item.reason for item in plan.condemned}
    for kept in plan.kept:
        said |= dict.fromkeys(kept.tags, kept.reason)
        said |= dict.fromkeys(map(name_of, kept.untagged), kept.reason)
    return said


def test_a_manifest_goes_by_digest_when_all_of_its_tags_go():
    plan = Repo({"a": ["x", "y"]}).plan(DELETE_ALL)
    assert going(plan) == {"a"}
    assert tags_going(plan) == set()
    assert plan.condemned[0].tags == ("x", "y")


PUSHED = ListedManifest(digest("a"), ("keep", "x", "y"), ago(50), size_bytes=123)
CONTENTS = {digest("a"): Content("x", 1)}
BY_DELETE = "matches *, and no earlier rule keeps it"


def test_the_plan_says_all_of_a_manifest_that_goes():
    inventory = RepositoryInventory("web", (PUSHED,))
    plan = decide(inventory, CONTENTS, DELETE_ALL, Exempt(), NOW).plan
    assert plan == RepositoryPlan(
        name="web",
        tags=3,
        manifests=1,
        condemned=(
            Condemned(
                delete="manifest",
                digest=digest("a"),
                tags=("keep", "x", "y"),
                reason=BY_DELETE,
                pushed_at=ago(50),
                set_at=ago(50),
                size_bytes=123,
            ),
        ),
    )


def test_the_plan_says_all_of_a_tag_that_goes_and_what_stays():
    inventory = RepositoryInventory("web", (PUSHED,))
    plan = decide(inventory, CONTENTS, KEEP_ALPHA, Exempt(), NOW).plan
    assert plan.condemned == tuple(
        Condemned(
            delete="tag",
            digest=digest("a"),
            tags=(tag,),
            reason=BY_DELETE,
            pushed_at=ago(50),
            set_at=ago(50),
            size_bytes=123,
        )
        for tag in ("x", "y")
    )
    assert plan.kept == (Kept("matches keep*", ("keep",)),)


def test_what_stays_is_in_the_order_of_reasons_and_names():
    repo = Repo({"b": [], "a": [], "c": ["keep2", "keep1"], "d": ["other"]})
    policy = Policy([Keep(tags="keep*"), Delete(tags="x")])
    assert repo.plan(policy).kept == (
        Kept("matches keep*", ("keep1", "keep2")),
        Kept("no rule decides on it", ("other",)),
        Kept("untagged, and no rule decides on it", (), (digest("a"), digest("b"))),
    )


def test_condemned_tags_of_a_manifest_that_stays_go_one_by_one():
    plan = Repo({"a": ["keep", "x", "y"]}).plan(KEEP_ALPHA)
    assert going(plan) == set()
    assert tags_going(plan) == {"x", "y"}


def test_children_of_an_index_that_stays_stay():
    plan = Repo({"i": ["keep"], "a": [], "b": []}, {"i": ["a", "b"]}).plan(KEEP_ALPHA)
    assert plan.condemned == ()
    assert reasons(plan)["a"] == f"part of {SHORT} (keep), which is kept"


def test_nested_indexes_keep_what_is_in_them():
    repo = Repo({"i": ["keep"], "j": [], "a": []}, {"i": ["j"], "j": ["a"]})
    assert repo.plan(KEEP_ALPHA).condemned == ()


def test_an_index_that_goes_takes_its_children_along():
    plan = Repo({"i": ["x"], "a": [], "b": []}, {"i": ["a", "b"]}).plan(Policy([Delete()], floor=0))
    assert going(plan) == {"i", "a", "b"}
    assert reasons(plan)["a"] == f"part of {SHORT} (x), which is deleted"


def test_a_child_that_another_index_needs_stays():
    plan = Repo({"i": ["x"], "j": ["keep"], "a": []}, {"i": ["a"], "j": ["a"]}).plan(KEEP_ALPHA)
    assert going(plan) == {"i"}


def test_a_child_with_a_tag_of_its_own_that_stays_stays():
    plan = Repo({"i": ["x"], "a": ["keep"]}, {"i": ["a"]}).plan(KEEP_ALPHA)
    assert going(plan) == {"i"}


def test_a_condemned_tag_on_what_is_needed_goes_and_its_manifest_stays():
    plan = Repo({"i": ["keep"], "a": ["x"]}, {"i": ["a"]}).plan(KEEP_ALPHA)
    assert going(plan) == set()
    assert tags_going(plan) == {"x"}
    why = f"part of {SHORT} (keep), which is kept"
    assert plan.condemned[0].reason == f"{BY_DELETE}; its manifest is kept: {why}"


def test_a_referrer_stays_and_goes_with_its_subject():
    repo = Repo({"a": ["keep"], "b": ["x"], "ra": [], "rb": []}, None, {"ra": "a", "rb": "b"})
    plan = repo.plan(KEEP_ALPHA)
    assert going(plan) == {"b", "rb"}
    assert reasons(plan)["ra"] == f"refers to {SHORT} (keep), which is kept"
    assert reasons(plan)["rb"] == f"refers to {SHORT} (x), which is deleted"


def test_a_signature_stays_and_goes_with_what_it_speaks_of():
    repo = Repo({"a": ["keep"], "b": ["x"], "sa": [signature_of("a")], "sb": [signature_of("b")]})
    plan = repo.plan(KEEP_ALPHA)
    assert going(plan) == {"b", "sb"}
    assert plan.tags == 2
    assert reasons(plan)[signature_of("a")] == f"signature of {SHORT} (keep), which is kept"


LONG = "sha512:" + "ab" * 64


@pytest.mark.parametrize("length", [64, 128])
@pytest.mark.parametrize("ending", ["", ".sig"])
def test_a_tag_refers_to_a_longer_digest_by_its_beginning(length, ending):
    tag = LONG.replace(":", "-")[: 7 + length] + ending
    subject = ListedManifest(LONG, ("keep",), ago(50))
    signature = ListedManifest(digest("s"), (tag,), ago(50))
    contents = {LONG: Content("x", 1), digest("s"): Content("x", 1)}
    rules = Policy([Keep(tags="keep"), Delete(), DeleteOrphaned()], floor=0)
    both = RepositoryInventory("web", (subject, signature))
    plan = decide(both, contents, rules, Exempt(), NOW).plan
    assert plan.condemned == ()
    alone = RepositoryInventory("web", (signature,))
    plan = decide(alone, contents, rules, Exempt(), NOW).plan
    (item,) = plan.condemned
    assert item.tags == (tag,)


def test_a_signature_on_an_image_that_stays_stays_with_it():
    plan = Repo({"a": ["keep", signature_of("gone")]}).plan(KEEP_ALPHA)
    assert reasons(plan)[signature_of("gone")] == "its tag keep is kept"


def test_the_signature_of_what_is_not_here_stays():
    plan = Repo({"s": [signature_of("gone")], "r": []}, None, {"r": "gone"}).plan(
        Policy([Delete()], floor=0)
    )
    assert going(plan) == set()
    assert reasons(plan)[signature_of("gone")] == (
        "its subject does not exist (delete-orphaned-older-than would delete it)"
    )


def test_an_untagged_manifest_that_nothing_needs_is_the_policys():
    plan = Repo({"a": []}).plan(DELETE_ALL)
    assert going(plan) == {"a"}
    assert reasons(plan)["a"] == "untagged, and older than 0s"
    plan = Repo({"a": []}).plan(Policy([Delete()]))
    assert going(plan) == set()
    assert reasons(plan)["a"] == "untagged, and no rule decides on it"


def test_what_needs_only_each_other_stays():
    plan = Repo({"a": [], "b": []}, {"a": ["b"], "b": ["a"]}).plan(DELETE_ALL)
    assert plan.condemned == ()
    assert reasons(plan) == dict.fromkeys(
        "ab", "no rule decides on manifests that only need each other"
    )


def test_what_is_needed_by_what_nothing_decides_on_stays():
    repo = Repo({"a": [], "b": [], "c": ["x"]}, {"a": ["b", "c"], "b": ["a"]})
    plan = repo.plan(DELETE_ALL)
    assert going(plan) == set()
    assert tags_going(plan) == {"x"}
    why = f"part of {SHORT}, which is kept"
    assert plan.condemned[0].reason == f"{BY_DELETE}; its manifest is kept: {why}"


def test_nothing_goes_before_what_needs_it():
    repo = Repo({"i": ["x"], "j": [], "a": [], "s": [signature_of("i")]}, {"i": ["j"], "j": ["a"]})
    order = [name_of(item.digest) for item in repo.plan(DELETE_ALL).condemned]
    assert order.index("i") < order.index("j") < order.index("a")
    assert order.index("i") < order.index("s")


def test_a_tag_in_use_stays():
    plan = Repo({"a": ["x"], "b": ["y"]}).plan(DELETE_ALL, Exempt(tags={"x": "pod web"}))
    assert going(plan) == {"b"}
    assert reasons(plan)["x"] == "in use: pod web"


def test_a_manifest_in_use_stays_with_its_tags_and_the_indexes_that_hold_it():
    repo = Repo({"i": ["x"], "a": [], "b": [], "c": ["y"]}, {"i": ["a", "b"]})
    plan = repo.plan(DELETE_ALL, Exempt(digests={digest("a"): "pod web"}))
    assert going(plan) == {"c"}
    assert reasons(plan)["x"] == f"in use: pod web runs its part {SHORT}"
    assert reasons(plan)["b"] == f"part of {SHORT} (x), which is kept"
    assert reasons(plan)["a"] == "in use: pod web"


def test_several_reasons_are_told_by_tag():
    policy = Policy([Delete(tags="x*", name="one"), Delete(tags="y*", name="two")], floor=0)
    (item,) = Repo({"a": ["x1", "x2", "y"]}).plan(policy).condemned
    assert item.reason == (
        "x1, x2: one: matches x*, and no earlier rule keeps it; "
        "y: two: matches y*, and no earlier rule keeps it"
    )


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ((), "sha256:123456789abc"),
        (("a",), "sha256:123456789abc (a)"),
        (("a", "b"), "sha256:123456789abc (a, b)"),
        (("a", "b", "c"), "sha256:123456789abc (a, b, …)"),
    ],
)
def test_a_manifest_is_called_by_its_digest_and_a_few_tags(tags, name):
    assert describe(ListedManifest("sha256:" + "123456789abcdef0" * 4, tags)) == name


def test_everything_may_be_kept():
    inventory = Repo({"a": ["x", "y", signature_of("b")], "b": []}).inventory
    assert keep_all(inventory, "because") == RepositoryPlan(
        name="web",
        tags=2,
        manifests=2,
        kept=(Kept("because", (signature_of("b"), "x", "y"), (digest("b"),)),),
    )
    nothing = RepositoryPlan(name="web", tags=0, manifests=0)
    assert keep_all(RepositoryInventory("web", ()), "because") == nothing


YOUNG = DeleteUntagged(timedelta(days=90))


@pytest.mark.parametrize(
    ("rule", "tags", "may"),
    [
        (Keep(), {"a": ["x"], "b": []}, False),
        (Delete(repositories="api"), {"a": ["x"], "b": []}, False),
        (Delete(), {"a": ["x"]}, True),
        (Delete(), {"a": ["in-use"], "b": []}, False),
        (Delete(tags="y"), {"a": ["x"], "b": ["y"]}, True),
        (Delete(tags="y"), {"a": ["x"]}, False),
        (DeleteUntagged(), {"a": ["x"]}, False),
        (DeleteUntagged(), {"a": ["x"], "b": []}, True),
        (DeleteUntagged(repositories="api"), {"a": ["x"], "b": []}, False),
        (YOUNG, {"a": ["x"], "b": []}, False),
        (Delete(), {"a": [signature_of("gone")]}, False),
    ],
)
def test_whether_anything_may_go_shows_without_the_contents(rule, tags, may):
    exempt = Exempt(tags={"in-use": "pod web"})
    policy = Policy([rule], floor=0)
    assert may_condemn(Repo(tags).inventory, policy, exempt, NOW) is may


def test_what_is_in_use_by_its_digest_may_not_go():
    exempt = Exempt(digests={digest("a"): "pod web"})
    assert not may_condemn(Repo({"a": ["x"]}).inventory, DELETE_ALL, exempt, NOW)


def test_what_is_part_of_others_is_found_and_what_cannot_be_read_may_need_all():
    wanted = {digest("a"): (), digest("b"): ()}
    contents = {
        digest("i"): Content("x", 1, (digest("a"), digest("z"))),
        digest("a"): Content("x", 1),
    }
    others = {digest("i"): ("v1",)}
    assert part_of(wanted, others, contents) == {digest("a"): f"part of {SHORT} (v1)"}
    assert part_of(wanted, {}, contents) == {}
    found = part_of(wanted, others | {digest("j"): ()}, contents)
    assert found[digest("a")] == f"part of {SHORT} (v1)"
    assert found[digest("b")] == f"may be part of {SHORT}, which cannot be read: it was not read"


def test_what_a_part_of_others_needs_in_turn_is_found():
    wanted = {digest("i"): ("old",), digest("a"): (), digest("b"): ()}
    contents = {
        digest("o"): Content("x", 1, (digest("i"),)),
        digest("i"): Content("x", 1, (digest("a"),)),
        digest("a"): Content("x", 1),
        digest("b"): Content("x", 1),
    }
    found = part_of(wanted, {digest("o"): ("v1",)}, contents)
    assert found == {digest("i"): f"part of {SHORT} (v1)", digest("a"): f"part of {SHORT} (old)"}


letters = "abcdef"
tag_names = ("x1", "x2", "x3", "keep1", "keep2", "keep3")


@st.composite
def repos(draw):
    """Small repositories: indexes name only what was pushed before, as content addresses force."""
    size = draw(st.integers(1, 5))
    pushed = letters[:size]
    owners = draw(st.lists(st.sampled_from([*pushed, None]), min_size=6, max_size=6))
    tags = {
        name: [t for t, o in zip(tag_names, owners, strict=True) if o == name] for name in pushed
    }
    children, subjects = {}, {}
    for nth, name in enumerate(pushed[1:], 1):
        before = st.sampled_from(pushed[:nth])
        children[name] = draw(st.lists(before, unique=True, max_size=2))
        if draw(st.integers(0, 3)) == 0:
            subjects[name] = draw(before)
    return Repo(tags, children, subjects)


def needs(repo: Repo, name: str) -> set[str]:
    """What must be there for a manifest to be whole, by a plain reading of the contents."""
    found: set[str] = set()
    waiting = [digest(name)]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting += repo.contents[here].children
            waiting += [one for one, said in repo.contents.items() if said.subject == here]
    return set(map(name_of, found))


def deletable(repo: Repo) -> tuple[set[str], set[str]]:
    """The tags that must go, and the manifests that may not."""
    gone = {tag for tag, _ in repo.inventory.tags if not tag.startswith("keep")}
    stays: set[str] = set()
    for manifest in repo.inventory.manifests:
        if any(tag.startswith("keep") for tag in manifest.tags):
            stays |= needs(repo, name_of(manifest.digest))
    return gone, stays


@given(repos(), st.booleans())
def test_what_stays_is_whole_and_all_that_is_condemned_goes(repo, untagged):
    policy = KEEP_ALPHA if untagged else Policy([Keep(tags="keep*"), Delete()], floor=0)
    plan = repo.plan(policy)
    gone, stays = deletable(repo)
    assert not going(plan) & stays
    tags_of = {name_of(one.digest): set(one.tags) for one in repo.inventory.manifests}
    taken = set().union(*(tags_of[name] for name in going(plan)))
    assert taken | tags_going(plan) == gone
    assert len(plan.condemned) == len(set(plan.condemned))


@given(repos())
def test_no_plan_takes_fewer_requests(repo):
    """Brute force over all sets of DELETEs: none that does the same job is smaller."""
    plan = repo.plan(KEEP_ALPHA)
    gone, stays = deletable(repo)
    tags_of = {name_of(one.digest): set(one.tags) for one in repo.inventory.manifests}
    # The job: these manifests and these tags are gone in the end, and nothing else.
    must = going(plan)
    acts: list[tuple[str, str]] = [("tag", tag) for tag in sorted(gone)]
    acts += [("manifest", name) for name in sorted(tags_of)]

    def does_it(chosen: tuple[tuple[str, str], ...]) -> bool:
        manifests = {name for kind, name in chosen if kind == "manifest"}
        tags = {name for kind, name in chosen if kind == "tag"}
        taken = set().union(*(tags_of[name] for name in manifests)) | tags
        return manifests == must and taken == gone and not manifests & stays

    fewest = next(
        count
        for count in range(len(acts) + 1)
        if any(does_it(chosen) for chosen in combinations(acts, count))
    )
    assert len(plan.condemned) == fewest


@given(repos())
def test_where_nothing_may_be_condemned_nothing_is(repo):
    for policy in (KEEP_ALPHA, Policy([Keep()]), Policy([Delete(tags="keep9")])):
        if not may_condemn(repo.inventory, policy, Exempt(), NOW):
            assert repo.plan(policy).condemned == ()


@given(repos())
def test_every_tag_and_untagged_manifest_has_its_reason(repo):
    plan = repo.plan(KEEP_ALPHA)
    said = [tag for item in plan.condemned for tag in item.tags]
    said += [tag for kept in plan.kept for tag in kept.tags]
    assert sorted(said) == sorted(tag for tag, _ in repo.inventory.tags)
    untagged = {item.digest for item in plan.condemned if not item.tags}
    untagged |= {one for kept in plan.kept for one in kept.untagged}
    assert untagged == {one.digest for one in repo.inventory.manifests if not one.tags}


def test_what_is_in_use_keeps_each_index_around_it_with_where():
    repo = Repo({"o": [], "i": [], "a": [], "z": []}, {"o": ["i"], "i": ["a"]})
    plan = repo.plan(DELETE_ALL, Exempt(digests={digest("a"): "pod web"}))
    assert going(plan) == {"z"}
    assert reasons(plan)["i"] == f"in use: pod web runs its part {SHORT}"
    assert reasons(plan)["o"] == f"in use: pod web runs its part {SHORT}"
    assert reasons(plan)["a"] == "in use: pod web"
