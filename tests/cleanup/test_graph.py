"""What manifests need of each other."""

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.graph import Graph
from aioregistry.cleanup.manifests.listed import ListedManifest


def digest(name: str) -> str:
    return "sha256:" + name.encode().hex().rjust(64, "0")


def graph_of(
    children: dict[str, list[str]] | None = None,
    subjects: dict[str, str] | None = None,
    tags: dict[str, list[str]] | None = None,
) -> Graph:
    """A graph of manifests called by short names."""
    children, subjects, tags = children or {}, subjects or {}, tags or {}
    names = {*children, *subjects, *tags}
    return Graph(
        [ListedManifest(digest(name), tuple(tags.get(name, ()))) for name in sorted(names)],
        {
            digest(name): Content(
                "application/json",
                1,
                tuple(map(digest, children.get(name, ()))),
                digest(subjects[name]) if name in subjects else None,
            )
            for name in names
        },
    )


def signature_of(name: str) -> str:
    return digest(name).replace(":", "-") + ".sig"


def names_of(digests) -> set[str]:
    return {bytes.fromhex(found[7:]).lstrip(b"\0").decode() for found in digests}


def test_an_index_needs_its_children():
    graph = graph_of({"index": ["amd64", "arm64"], "amd64": [], "arm64": []})
    assert names_of(graph.needs(digest("index"))) == {"amd64", "arm64"}


def test_children_that_are_not_here_are_not_needed():
    graph = graph_of({"index": ["gone"]})
    assert list(graph.needs(digest("index"))) == []


def test_a_manifest_needs_its_referrers():
    graph = graph_of({"image": []}, {"sbom": "image"})
    assert names_of(graph.needs(digest("image"))) == {"sbom"}


def test_a_manifest_needs_its_signatures_by_their_tags():
    graph = graph_of({"image": [], "sig": []}, tags={"sig": [signature_of("image")]})
    assert names_of(graph.needs(digest("image"))) == {"sig"}


def test_needs_reach_through_nested_indexes():
    graph = graph_of({"outer": ["inner"], "inner": ["image"], "image": []}, {"sbom": "image"})
    reached = graph.reached_from([digest("outer")])
    assert names_of(reached) == {"inner", "image", "sbom"}
    assert reached[digest("sbom")] == digest("image")


def test_what_runs_is_in_the_indexes_that_hold_it():
    graph = graph_of({"outer": ["inner"], "inner": ["image"], "image": []}, {"sbom": "image"})
    assert names_of(graph.containing([digest("image")])) == {"inner", "outer"}
    assert names_of(graph.containing([digest("sbom")])) == set()


def test_nothing_goes_before_what_needs_it():
    graph = graph_of({"outer": ["inner", "image"], "inner": ["image"], "image": []})
    waves = graph.waves([digest("image"), digest("inner"), digest("outer")])
    assert [names_of(wave) for wave in waves] == [{"outer"}, {"inner"}, {"image"}]


def test_what_speaks_of_a_manifest_goes_after_it():
    graph = graph_of({"image": []}, {"sbom": "image"}, {"sig": [signature_of("sbom")]})
    waves = graph.waves([digest(name) for name in ("sig", "sbom", "image")])
    assert [names_of(wave) for wave in waves] == [{"image"}, {"sbom"}, {"sig"}]


def test_what_does_not_need_each_other_goes_in_one_wave():
    graph = graph_of({"index": ["amd64", "arm64"], "amd64": [], "arm64": [], "other": []})
    waves = graph.waves([digest(name) for name in ("amd64", "arm64", "index", "other")])
    assert [names_of(wave) for wave in waves] == [{"index", "other"}, {"amd64", "arm64"}]


def test_what_stays_holds_no_wave_up():
    graph = graph_of({"outer": ["inner"], "inner": ["image"], "image": [], "other": []})
    waves = graph.waves([digest("image"), digest("inner"), digest("other")])
    assert [names_of(wave) for wave in waves] == [{"inner", "other"}, {"image"}]


def test_what_comes_after_the_first_wave_is_in_the_order_of_waves():
    graph = graph_of({"outer": ["inner"], "inner": ["image"], "image": [], "other": []})
    late = graph.after_the_first([digest(name) for name in ("image", "inner", "other", "outer")])
    assert late == [digest("inner"), digest("image")]


def test_a_cycle_comes_after_what_is_in_none():
    child, index, other = digest("b"), digest("z"), digest("o")
    manifests = [
        ListedManifest(index, (f"sha256-{child[7:]}.sbom",)),
        ListedManifest(child),
        ListedManifest(other),
    ]
    contents = {
        index: Content("", 0, (child,)),
        child: Content("", 0),
        other: Content("", 0),
    }
    assert Graph(manifests, contents).after_the_first([child, other, index]) == [index, child]


def test_in_a_cycle_by_tags_an_index_goes_before_its_children():
    child = digest("b")
    manifests = [
        ListedManifest(digest("a"), (f"sha256-{child[7:]}.sbom",)),
        ListedManifest(child),
    ]
    contents = {digest("a"): Content("", 0, (child,)), child: Content("", 0)}
    assert Graph(manifests, contents).waves([child, digest("a")]) == [[digest("a")], [child]]


def test_in_a_cycle_only_what_is_left_counts_as_needing():
    # The index "z" needs "b"; a tag of "z" says that "b" needs it. "a" is needed by what is kept.
    child, index, kept = digest("b"), digest("z"), digest("k")
    manifests = [
        ListedManifest(index, (f"sha256-{child[7:]}.sbom",)),
        ListedManifest(child),
        ListedManifest(kept),
    ]
    contents = {
        index: Content("", 0, (child,)),
        child: Content("", 0),
        kept: Content("", 0, (index,)),
    }
    assert Graph(manifests, contents).waves([child, index]) == [[index], [child]]


def test_in_a_cycle_of_tags_alone_the_first_digest_goes_first():
    first, second = digest("a"), digest("b")
    manifests = [
        ListedManifest(second, (f"sha256-{first[7:]}.sig",)),
        ListedManifest(first, (f"sha256-{second[7:]}.sig",)),
    ]
    contents = {first: Content("", 0), second: Content("", 0)}
    assert Graph(manifests, contents).waves([second, first]) == [[first], [second]]


def test_a_manifest_that_speaks_of_itself_goes_all_the_same():
    graph = graph_of({"a": ["a"]}, {"a": "a"})
    assert graph.waves([digest("a")]) == [[digest("a")]]


NAMES = [f"m{number}" for number in range(8)]
CHILDREN = st.dictionaries(
    st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3), max_size=8
)
SUBJECTS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NAMES), max_size=4)


@given(CHILDREN, SUBJECTS, st.sets(st.sampled_from(NAMES)))
def test_waves_hold_everything_once(children, subjects, chosen):
    graph = graph_of({name: [] for name in NAMES} | children, subjects)
    digests = [digest(name) for name in sorted(chosen)]
    assert sorted(chain.from_iterable(graph.waves(digests))) == sorted(digests)


@given(
    st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES)), max_size=8),
    st.sets(st.sampled_from(NAMES)),
)
def test_without_circles_no_manifest_goes_in_or_before_the_wave_of_what_needs_it(children, chosen):
    later = {name: sorted(n for n in named if n > name) for name, named in children.items()}
    graph = graph_of({name: [] for name in NAMES} | later)
    waves = graph.waves([digest(name) for name in chosen])
    wave_of = {found: nth for nth, wave in enumerate(waves) for found in wave}
    for found, nth in wave_of.items():
        assert all(wave_of[needed] > nth for needed in graph.needs(found) if needed in wave_of)


def test_the_order_is_found_without_looking_through_the_digests_for_each():
    graph = graph_of({"outer": ["inner"], "inner": ["image"], "image": []})
    # What can be gone through only once.
    digests = map(digest, ["image", "inner", "outer"])
    waves = graph.waves(digests)
    assert [names_of(wave) for wave in waves] == [{"outer"}, {"inner"}, {"image"}]
