"""What a manifest that cannot be read holds: itself, and all that it may need."""

import pytest

from aioregistry.cleanup.manifests.content import (
    Content,
    MissingContentError,
    UnreadableContentError,
    naming_others,
)
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.manifests.unreadable import (
    keep_unreadable,
    unlisted_children,
    unreadable,
)
from tests.cleanup.registries import digest_of

A, B, C, D = (digest_of(name) for name in "abcd")
BROKEN = UnreadableContentError("not JSON")


def inventory_of(*manifests, **more):
    return RepositoryInventory("web", manifests, **more)


def part_of(digest):
    return f"it may be a part of {digest[:19]}, which cannot be read"


def alone(digest, problem="not JSON"):
    return (
        f"{digest} cannot be read ({problem}) and may need others; if nobody needs it, run:"
        f" aioregistry delete-manifests web {digest}"
    )


def test_what_is_no_content_or_missing_is_unreadable():
    inventory = inventory_of(*map(ListedManifest, (A, B, C)))
    found = unreadable(inventory, {A: Content("", 0), B: BROKEN})
    assert found.keys() == {B, C}
    assert found[B] is BROKEN
    assert str(found[C]) == "it was not read"


def test_an_image_that_cannot_be_read_holds_untagged_ones_and_its_tags_continued():
    # It is listed with blobs beside its own, as no index is.
    inventory = inventory_of(
        ListedManifest(A, ("1.0",), blobs=bytes(48)),
        ListedManifest(B),
        ListedManifest(C, ("1.0-amd64",)),
        ListedManifest(D, ("1.01", "2.0")),
    )
    found = keep_unreadable(inventory, {A: BROKEN})
    assert found.uncertain == {A: alone(A), B: part_of(A), C: part_of(A)}


@pytest.mark.parametrize(
    ("problem", "is_held"), [(BROKEN, True), (MissingContentError("not JSON"), False)]
)
def test_what_may_be_an_index_holds_every_other_unless_the_registry_lacks_it(problem, is_held):
    inventory = inventory_of(
        ListedManifest(A, ("x",), blobs=bytes(16)), ListedManifest(D, ("2.0",))
    )
    found = keep_unreadable(inventory, {A: problem})
    assert found.uncertain == {A: alone(A)} | ({D: part_of(A)} if is_held else {})


def test_in_the_order_of_a_plan_all_after_it_are_held_that_still_exist():
    inventory = inventory_of(
        ListedManifest(A, ("a",), blobs=bytes(32)),
        ListedManifest(B, ("b",), blobs=bytes(32)),
        ListedManifest(C, ("c",), blobs=bytes(32)),
    )
    found = keep_unreadable(inventory, {B: BROKEN}, [A, B, C, D])
    assert found.uncertain == {B: alone(B), C: part_of(B)}


def test_what_is_uncertain_already_keeps_its_reason():
    inventory = inventory_of(
        ListedManifest(A, ("a",)), ListedManifest(B, ("b",)), uncertain={B: "moves"}
    )
    assert keep_unreadable(inventory, {A: BROKEN}, [A, B]).uncertain == {A: alone(A), B: "moves"}
    assert keep_unreadable(inventory, {}) is inventory


def test_children_that_are_not_listed_are_told_but_for_those_of_uncertain_ones():
    inventory = inventory_of(ListedManifest(A), ListedManifest(B), uncertain={B: "new"})
    contents = {A: Content("", 0, (B, C)), B: Content("", 0, (D,))}
    assert unlisted_children(inventory, naming_others(contents)) == {C: A}
    assert unlisted_children(inventory, naming_others({A: BROKEN})) == {}


def test_blobs_that_an_index_names_are_no_manifests_that_should_be_listed():
    inventory = inventory_of(ListedManifest(A))
    assert unlisted_children(inventory, {A: Content("", 0, (C, D), blobs=(C,))}) == {D: A}
