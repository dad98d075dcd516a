"""What changed since a plan was made, decided without any I/O."""

from collections.abc import Iterable, Mapping

import pytest
from attrs import evolve

from aioregistry.cleanup.apply.drift import Recheck, recheck
from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.plan.decisions import Exempt
from aioregistry.cleanup.plan.items import Condemned
from tests.cleanup.registries import NOW, ago


def digest(name: str) -> str:
    return "sha256:" + name.encode().hex().rjust(64, "0")


def name_of(digest: str) -> str:
    return bytes.fromhex(digest[7:]).lstrip(b"\0").decode()


def whole(name: str, *tags: str, days: float = 50) -> Condemned:
    return Condemned(delete="manifest", digest=digest(name), tags=tags, pushed_at=ago(days))


def tag(name: str, on: str) -> Condemned:
    return Condemned(delete="tag", digest=digest(on), tags=(name,), pushed_at=ago(50))


def look(
    pending: Iterable[Condemned],
    tags: Mapping[str, Iterable[str]],
    children: Mapping[str, Iterable[str]] | None = None,
    exempt: Exempt | None = None,
    days: float = 50,
    **more: object,
) -> Recheck:
    """Look again at what is there now: manifests by short names, each with its tags."""
    listed = [ListedManifest(digest(one), tuple(sorted(t)), ago(days)) for one, t in tags.items()]
    contents = {
        digest(one): Content("x", 1, tuple(map(digest, (children or {}).get(one, ()))))
        for one in tags
    }
    inventory = RepositoryInventory("web", tuple(listed))
    return recheck(pending, inventory, contents, exempt or Exempt(), **more)


def due(look: Recheck) -> list[list[str]]:
    return [[name_of(item.digest) for item in wave] for wave in look.waves]


def why(look: Recheck) -> str:
    ((_, reason),) = look.drifted
    return reason


def test_what_is_as_it_was_is_due():
    seen = look([whole("a", "x"), tag("y", "b")], {"a": ["x"], "b": ["y", "z"]})
    assert due(seen) == [["a"]]
    assert seen.tags == (tag("y", "b"),)
    assert seen.drifted == seen.absent == seen.blocked == ()


def test_what_is_gone_is_absent():
    seen = look([whole("a", "x"), tag("y", "b")], {"b": ["z"]})
    assert seen.absent == (whole("a", "x"), tag("y", "b"))


def test_a_manifest_that_got_a_tag_stays():
    assert why(look([whole("a", "x")], {"a": ["x", "new"]})) == "it got the tag new"


@pytest.mark.parametrize("known", [ago(-9000), None], ids=["future", "unknown"])
@pytest.mark.parametrize(("days", "stays"), [(40, False), (0.005, True), (-1, True)])
def test_a_tag_that_was_set_since_stays_whatever_the_other_says(known, days, stays):
    manifest = ListedManifest(digest("a"), ("x", "y"), ago(50))
    times = {"x": known, "y": ago(days)}
    inventory = RepositoryInventory("web", (manifest,), tags_read=True, set_at=times)
    item = evolve(whole("a", "x", "y"), set_at=known)
    contents = {manifest.digest: Content("x", 1)}
    seen = recheck([item], inventory, contents, Exempt(), made_at=NOW)
    assert bool(seen.drifted) == stays


@pytest.mark.parametrize("known", [ago(-9000), None], ids=["future", "unknown"])
@pytest.mark.parametrize(("days", "stays"), [(40, False), (-1, True)])
def test_a_manifest_that_was_pushed_since_stays_whatever_its_time_was(known, days, stays):
    item = evolve(whole("a"), pushed_at=known)
    assert bool(look([item], {"a": []}, days=days, made_at=NOW).drifted) == stays


def test_a_manifest_that_lost_a_tag_may_go():
    assert due(look([whole("a", "x", "y")], {"a": ["x"]})) == [["a"]]


def test_a_manifest_whose_tag_moved_stays():
    seen = look([whole("a", "x")], {"a": [], "b": ["x"]})
    assert why(seen).startswith("the tag x moved to sha256:")


def test_a_tag_that_moved_stays():
    assert "moved to" in why(look([tag("x", "a")], {"a": ["y"], "b": ["x"]}))


def test_a_manifest_that_was_pushed_again_stays():
    assert "pushed again at" in why(look([whole("a", "x")], {"a": ["x"]}, days=1))


def test_a_tag_that_came_into_use_stays():
    exempt = Exempt(tags={"x": "pod web"})
    assert why(look([tag("x", "a")], {"a": ["x", "y"]}, exempt=exempt)) == "in use: pod web"


def test_a_manifest_that_came_into_use_stays_by_tag_and_by_digest():
    for exempt in (Exempt(tags={"x": "pod"}), Exempt(digests={digest("a"): "pod"})):
        assert why(look([whole("a", "x")], {"a": ["x"]}, exempt=exempt)) == "in use: pod"
    exempt = Exempt(digests={digest("a"): "pod"})
    assert why(look([whole("a")], {"a": []}, exempt=exempt)) == "in use: pod"


def test_the_index_of_what_came_into_use_stays_with_all_that_is_in_it():
    pending = [whole("i", "x"), whole("a"), whole("b")]
    exempt = Exempt(digests={digest("a"): "pod"})
    seen = look(pending, {"i": ["x"], "a": [], "b": []}, {"i": ["a", "b"]}, exempt)
    assert due(seen) == []
    assert len(seen.drifted) == 3


def test_what_a_new_index_needs_stays():
    seen = look([whole("a")], {"a": [], "new": ["x"]}, {"new": ["a"]})
    assert why(seen).startswith("part of sha256:")


def test_what_drifted_keeps_what_it_needs():
    seen = look([whole("i", "x"), whole("a")], {"i": ["x", "new"], "a": []}, {"i": ["a"]})
    assert due(seen) == []
    assert len(seen.drifted) == 2


def test_what_could_not_be_deleted_blocks_what_it_needs():
    seen = look([whole("a")], {"i": ["x"], "a": []}, {"i": ["a"]}, given_up={digest("i")})
    assert seen.drifted == ()
    ((_, reason),) = seen.blocked
    assert reason.endswith("and that could not be deleted")


def test_nothing_is_due_before_what_needs_it_whatever_the_order_of_the_plan():
    pending = [whole("a"), whole("j"), whole("i", "x")]
    children = {"i": ["j"], "j": ["a"]}
    assert due(look(pending, {"i": ["x"], "j": [], "a": []}, children)) == [["i"], ["j"], ["a"]]


def test_what_was_taken_out_of_the_plan_keeps_what_it_needs():
    seen = look([whole("a")], {"i": ["x"], "a": []}, {"i": ["a"]})
    assert due(seen) == []


def test_the_floor_holds_when_others_delete_too():
    pending = [whole("a", "x"), tag("y", "b")]
    seen = look(pending, {"a": ["x"], "b": ["y"]}, floor=1)
    assert due(seen) == []
    assert {reason for _, reason in seen.drifted} == {"fewer than 1 tags would be left"}
    assert due(look(pending, {"a": ["x"], "b": ["y", "z"]}, floor=1)) == [["a"]]


def test_untagged_manifests_are_nothing_to_the_floor():
    assert due(look([whole("a")], {"a": []}, floor=1)) == [["a"]]


def short(name: str) -> str:
    """As much of a digest as is shown."""
    return digest(name)[: len("sha256:") + 12]


@pytest.mark.parametrize(
    ("pending", "here", "reason"),
    [
        (whole("a", "x"), {"a": ["x", "z", "new"]}, "it got the tag new"),
        (whole("a", "x"), {"a": [], "b": ["x"]}, f"the tag x moved to {short('b')} (x)"),
        (tag("x", "a"), {"a": ["y"], "b": ["x", "z"]}, f"the tag x moved to {short('b')} (x, z)"),
    ],
)
def test_what_moved_is_told(pending, here, reason):
    assert why(look([pending], here)) == reason


def test_when_it_was_pushed_again_is_told():
    seen = look([whole("a", "x")], {"a": ["x"]}, days=1)
    assert why(seen) == "it was pushed again at 2026-05-31 00:00:00 UTC"


def test_an_older_time_of_a_push_is_no_push():
    assert due(look([whole("a", "x")], {"a": ["x"]}, days=60)) == [["a"]]


@pytest.mark.parametrize(("planned", "listed"), [(None, ago(1)), (ago(50), None), (None, None)])
def test_a_push_whose_time_is_not_known_is_none(planned, listed):
    item = Condemned(delete="manifest", digest=digest("a"), pushed_at=planned)
    inventory = RepositoryInventory("web", (ListedManifest(digest("a"), (), listed),))
    seen = recheck([item], inventory, {digest("a"): Content("x", 1)}, Exempt())
    assert due(seen) == [["a"]]


def test_a_tag_goes_although_its_manifest_was_pushed_again():
    assert look([tag("x", "a")], {"a": ["x", "y"]}, days=1).tags == (tag("x", "a"),)


def test_a_signature_stays_with_what_it_speaks_of():
    signature = digest("a").replace(":", "-") + ".sig"
    seen = look([whole("s", signature)], {"a": ["keep"], "s": [signature]})
    assert why(seen) == f"signature of {short('a')} (keep)"


def test_what_a_new_index_needs_is_told_with_the_index():
    seen = look([whole("a")], {"a": [], "new": ["x"]}, {"new": ["a"]})
    assert why(seen) == f"part of {short('new')} (x)"


def test_what_is_blocked_is_told_with_what_blocks_it():
    seen = look([whole("a")], {"i": ["x"], "a": []}, {"i": ["a"]}, given_up={digest("i")})
    reason = f"part of {short('i')} (x), and that could not be deleted"
    assert seen.blocked == ((whole("a"), reason),)


def test_what_could_not_be_deleted_and_is_gone_by_now_blocks_nothing():
    assert due(look([whole("a")], {"a": []}, given_up={digest("i")})) == [["a"]]


def test_what_stays_and_is_needed_by_what_could_not_be_deleted_has_drifted():
    children = {"i": ["a"], "new": ["a"]}
    here = {"i": ["x"], "new": ["y"], "a": []}
    seen = look([whole("a")], here, children, given_up={digest("i")})
    assert seen.blocked == ()
    assert why(seen) == f"part of {short('new')} (y)"


def test_beside_what_is_blocked_the_rest_may_go():
    seen = look(
        [whole("a"), whole("b", "y")],
        {"i": ["x"], "a": [], "b": ["y"]},
        {"i": ["a"]},
        given_up={digest("i")},
    )
    assert due(seen) == [["b"]]


def test_below_the_floor_untagged_manifests_go():
    seen = look([whole("a", "x"), whole("b")], {"a": ["x"], "b": []}, floor=1)
    assert seen.drifted == ((whole("a", "x"), "fewer than 1 tags would be left"),)
    assert due(seen) == [["b"]]


def test_what_stays_for_a_reason_of_its_own_is_no_matter_of_the_floor():
    exempt = Exempt(tags={"x": "pod"})
    pending = [whole("a", "x"), whole("b", "y")]
    seen = look(pending, {"a": ["x"], "b": ["y"]}, exempt=exempt, floor=2)
    assert [reason for _, reason in seen.drifted] == [
        "in use: pod",
        "fewer than 2 tags would be left",
    ]


def test_signatures_are_nothing_to_the_floor():
    signature = digest("a").replace(":", "-") + ".sig"
    pending = [whole("a", "x"), whole("s", signature)]
    here = {"a": ["x"], "s": [signature], "b": ["y"]}
    assert due(look(pending, here, floor=1)) == [["a"], ["s"]]
    assert due(look([whole("a", "x")], {"a": ["x"], "s": [signature]}, floor=1)) == []


def test_where_the_floor_is_not_reached_what_has_no_tags_may_go():
    assert due(look([whole("a")], {"a": [], "b": ["x"]}, floor=2)) == [["a"]]


def test_without_a_floor_all_may_go():
    assert due(look([whole("a", "x")], {"a": ["x"]})) == [["a"]]


def test_a_tag_is_gone_although_its_manifest_is_not():
    assert look([tag("x", "a")], {"a": ["y"]}).absent == (tag("x", "a"),)
