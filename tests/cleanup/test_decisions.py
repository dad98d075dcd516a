"""What goes and what stays of one repository, decided without any I/O."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.content import Content
from aioregistry.cleanup.decisions import Held, decide, keep_all, may_condemn
from aioregistry.cleanup.inventory import ListedManifest, RepositoryInventory
from aioregistry.cleanup.plan import RepositoryPlan
from aioregistry.cleanup.policy import Delete, DeleteUntagged, Keep, Policy
from tests.cleanup.registries import NOW, ago

DELETE_ALL = Policy([Delete(), DeleteUntagged(timedelta())], floor=0)
KEEP_ALPHA = Policy([Keep(tags="keep*"), Delete(), DeleteUntagged(timedelta())], floor=0)


def digest(name: str) -> str:
    return "sha256:" + name.encode().hex().rjust(64, "0")


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

    def plan(self, policy: Policy, held: Held | None = None) -> RepositoryPlan:
        return decide(self.inventory, self.contents, policy, held or Held(), NOW)


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


def test_condemned_tags_of_a_manifest_that_stays_go_one_by_one():
    plan = Repo({"a": ["keep", "x", "y"]}).plan(KEEP_ALPHA)
    assert going(plan) == set()
    assert tags_going(plan) == {"x", "y"}


def test_children_of_an_index_that_stays_stay():
    plan = Repo({"i": ["keep"], "a": [], "b": []}, {"i": ["a", "b"]}).plan(KEEP_ALPHA)
    assert plan.condemned == ()
    assert reasons(plan)["a"].startswith("part of sha256:")
    assert "(keep), which stays" in reasons(plan)["a"]


def test_nested_indexes_keep_what_is_in_them():
    repo = Repo({"i": ["keep"], "j": [], "a": []}, {"i": ["j"], "j": ["a"]})
    assert repo.plan(KEEP_ALPHA).condemned == ()


def test_an_index_that_goes_takes_its_children_along():
    plan = Repo({"i": ["x"], "a": [], "b": []}, {"i": ["a", "b"]}).plan(Policy([Delete()], floor=0))
    assert going(plan) == {"i", "a", "b"}
    assert "part of" in reasons(plan)["a"]


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
    assert "its manifest stays: part of" in plan.condemned[0].reason


def test_a_referrer_stays_and_goes_with_its_subject():
    repo = Repo({"a": ["keep"], "b": ["x"], "ra": [], "rb": []}, None, {"ra": "a", "rb": "b"})
    assert going(repo.plan(KEEP_ALPHA)) == {"b", "rb"}


def test_a_signature_stays_and_goes_with_what_it_speaks_of():
    repo = Repo({"a": ["keep"], "b": ["x"], "sa": [signature_of("a")], "sb": [signature_of("b")]})
    plan = repo.plan(KEEP_ALPHA)
    assert going(plan) == {"b", "sb"}
    assert plan.tags == 2
    assert "speaks of" in reasons(plan)[signature_of("a")]


def test_the_signature_of_what_is_not_here_stays():
    plan = Repo({"s": [signature_of("gone")], "r": []}, None, {"r": "gone"}).plan(
        Policy([Delete()], floor=0)
    )
    assert going(plan) == set()
    assert reasons(plan)[signature_of("gone")] == "speaks of a manifest that is not here"


def test_an_untagged_manifest_that_nothing_needs_is_the_policys():
    assert going(Repo({"a": []}).plan(DELETE_ALL)) == {"a"}
    plan = Repo({"a": []}).plan(Policy([Delete()]))
    assert going(plan) == set()
    assert "untagged" in reasons(plan)["a"]


def test_what_needs_only_each_other_stays():
    plan = Repo({"a": [], "b": []}, {"a": ["b"], "b": ["a"]}).plan(DELETE_ALL)
    assert plan.condemned == ()
    assert len(plan.kept) > 0


def test_nothing_goes_before_what_needs_it():
    repo = Repo({"i": ["x"], "j": [], "a": [], "s": [signature_of("i")]}, {"i": ["j"], "j": ["a"]})
    order = [name_of(item.digest) for item in repo.plan(DELETE_ALL).condemned]
    assert order.index("i") < order.index("j") < order.index("a")
    assert order.index("i") < order.index("s")


def test_a_tag_in_use_stays():
    plan = Repo({"a": ["x"], "b": ["y"]}).plan(DELETE_ALL, Held(tags={"x": "pod web"}))
    assert going(plan) == {"b"}
    assert reasons(plan)["x"] == "in use: pod web"


def test_a_manifest_in_use_stays_with_its_tags_and_the_indexes_that_hold_it():
    repo = Repo({"i": ["x"], "a": [], "b": [], "c": ["y"]}, {"i": ["a", "b"]})
    plan = repo.plan(DELETE_ALL, Held(digests={digest("a"): "pod web"}))
    assert going(plan) == {"c"}
    assert reasons(plan)["x"].startswith("in use: pod web, which runs sha256:")
    assert reasons(plan)["a"] == "in use: pod web"


def test_several_reasons_are_told_by_tag():
    policy = Policy([Delete(tags="x*", name="one"), Delete(tags="y*", name="two")], floor=0)
    (item,) = Repo({"a": ["x", "y"]}).plan(policy).condemned
    assert item.reason.startswith("x: one: ")
    assert "; y: two: " in item.reason


def test_a_manifest_with_many_tags_is_called_by_a_few():
    plan = Repo({"i": ["keep1", "keep2", "keep3"], "a": []}, {"i": ["a"]}).plan(KEEP_ALPHA)
    assert "(keep1, keep2, …)" in reasons(plan)["a"]


def test_everything_may_be_kept():
    plan = keep_all(Repo({"a": ["x", signature_of("b")], "b": []}).inventory, "because")
    assert (plan.tags, plan.manifests, plan.condemned) == (1, 2, ())
    assert plan.kept[0].untagged == (digest("b"),)
    assert keep_all(RepositoryInventory("web", ()), "because").kept == ()


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
        if not may_condemn(repo.inventory, policy, Held(), NOW):
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
