"""What is counted, and what is said of it, by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from aioregistry.api.models import Blob, Manifest
from aioregistry.usage.columns import Described
from aioregistry.usage.model import By, UsageRow
from aioregistry.usage.tally import Tally
from tests.cleanup.registries import NOW, digest_of

SIGNATURE = digest_of("image").replace(":", "-") + ".sig"


def manifest(name: str, *tags: str, days: float | None = 10, **blobs: int | None) -> Manifest:
    parts = [Blob(digest_of(blob), size) for blob, size in blobs.items()]
    return Manifest(
        repository="web",
        digest=digest_of(name),
        tags=tags,
        blobs=(*parts, Blob(digest_of(name), 1)),
        updated_at=None if days is None else NOW - timedelta(days=days),
        compressed_size_bytes=1 + sum(size or 0 for size in blobs.values()),
    )


def usage(*manifests: Manifest, by: By = By.TAG, described=None, top: int | None = None):
    tally = Tally(by, NOW, top)
    for one in manifests:
        tally.add(one)
    nodes = {one.digest: node for node, one in enumerate(manifests)}
    tally.end("web", {nodes[digest_of(name)]: one for name, one in (described or {}).items()})
    return tally.usage("example", unread=0, complete=True)


def rows(found) -> dict[str, UsageRow]:
    return {row.name: row for row in found.rows}


def test_two_tags_of_one_image_free_nothing_alone():
    found = rows(usage(manifest("image", "a", "b", layer=300), manifest("other", "c", base=5)))
    assert found["web:a"].exclusive_bytes == found["web:b"].exclusive_bytes == 0
    assert found["web:a"].bytes == 301
    assert found["web:c"].exclusive_bytes == 6


def test_a_tagged_index_has_the_blobs_of_its_platforms():
    children = ((digest_of("amd64"), "linux/amd64"), (digest_of("arm64"), "linux/arm64"))
    found = rows(
        usage(
            manifest("index", "v1"),
            manifest("amd64", one=100, both=10),
            manifest("arm64", two=200, both=10),
            described={"index": Described(1, children)},
        )
    )
    assert found["web:v1"].exclusive_bytes == 313
    assert found["web:v1"].manifests == 3


def test_a_platform_that_has_a_tag_of_its_own_is_not_the_index_alone():
    found = rows(
        usage(
            manifest("index", "v1"),
            manifest("amd64", "v1-amd64", one=100),
            described={"index": Described(1, ((digest_of("amd64"), "linux/amd64"),))},
        )
    )
    assert found["web:v1"].exclusive_bytes == 1
    assert found["web:v1-amd64"].exclusive_bytes == 0


def test_bytes_are_counted_by_platform():
    children = (
        (digest_of("amd64"), "linux/amd64"),
        (digest_of("arm64"), "linux/arm64"),
        (digest_of("attestation"), "unknown/unknown"),
    )
    found = usage(
        manifest("index", "v1"),
        manifest("amd64", one=100, both=10),
        manifest("arm64", two=200, both=10),
        manifest("attestation", statement=7),
        by=By.PLATFORM,
        described={"index": Described(1, children)},
    )
    # The index keeps the documents of its children.
    assert rows(found)["linux/amd64"].exclusive_bytes == 100
    assert rows(found)["linux/amd64"].shared_bytes == 11
    assert found.total.referrer_bytes == 7
    assert found.total.untagged == 0


def test_many_platforms_share_the_last_row():
    children = [(digest_of(f"p{number}"), f"os/p{number}") for number in range(80)]
    found = usage(
        manifest("index", "v1"),
        *(manifest(f"p{number}", **{f"layer{number}": 10}) for number in range(80)),
        by=By.PLATFORM,
        described={"index": Described(1, tuple(children))},
    )
    assert len(found.rows) == 63
    assert sum(row.manifests for row in found.rows) == 81
    assert rows(found)["other platforms"].exclusive_bytes == 10 * 19


def test_a_signature_belongs_to_the_image_that_its_tag_names():
    found = usage(
        manifest("image", "v1", layer=300), manifest("sig", SIGNATURE, signed=9), by=By.REPOSITORY
    )
    assert found.total.referrer_bytes == 10
    assert rows(found)["web"].referrer_bytes == 10


def test_what_no_tag_needs_is_untagged_with_what_only_it_has():
    found = usage(
        manifest("old", layer=300, own=20), manifest("new", "v1", layer=300), by=By.REPOSITORY
    )
    assert found.total.untagged == 1
    assert found.total.untagged_bytes == 21


def test_a_referrer_of_what_no_tag_needs_is_untagged_too():
    found = usage(
        manifest("old", layer=300),
        manifest("sbom", text=20),
        by=By.REPOSITORY,
        described={"sbom": Described(1, subject=digest_of("old"))},
    )
    assert found.total.untagged_bytes == 322
    assert found.total.referrer_bytes == 0


def test_a_size_that_is_left_out_makes_it_at_least():
    found = usage(manifest("image", "v1", layer=None), manifest("other", "v2", base=5))
    assert rows(found)["web:v1"].at_least
    assert not rows(found)["web:v2"].at_least
    assert found.total.at_least


def test_a_size_that_a_later_manifest_has_is_known_for_an_earlier_one():
    found = rows(usage(manifest("image", "v1", layer=None), manifest("other", "v2", layer=5)))
    assert found["web:v1"].bytes == 6
    assert not found["web:v1"].at_least


def test_a_layer_is_listed_with_the_manifests_that_have_it():
    found = usage(
        manifest("a", "a", base=300, own=20),
        manifest("b", "b", base=300),
        manifest("c", "c", large=400),
        by=By.LAYER,
        top=2,
    )
    assert [(row.name, row.bytes, row.manifests) for row in found.rows] == [
        (digest_of("large"), 400, 1),
        (digest_of("base"), 300, 2),
    ]
    assert [row.exclusive_bytes for row in found.rows] == [400, 0]


def test_ages_are_by_push_time_and_an_unknown_one_has_a_row():
    found = rows(
        usage(
            manifest("a", "a", days=0.5, one=1),
            manifest("b", "b", days=400, two=2),
            manifest("c", "c", days=None, three=3),
            by=By.AGE,
        )
    )
    assert {name: row.exclusive_bytes for name, row in found.items()} == {
        "up to a day": 2,
        "over a year": 3,
        "unknown age": 4,
    }
    assert found["unknown age"].oldest is None


def test_the_largest_rows_are_kept_and_the_others_counted():
    many = [manifest(f"m{n}", f"t{n}", **{f"l{n}": n}) for n in range(1, 10)]
    found = usage(*many, top=2)
    assert [row.name for row in found.rows] == ["web:t9", "web:t8"]
    assert found.left_out == 7


def test_pushes_a_day_are_averaged_over_the_age_of_what_is_left():
    row = UsageRow(name="web", oldest=NOW - timedelta(days=10), recent_pushes=20)
    assert row.pushes_a_day(NOW) == pytest.approx(2)
    old = UsageRow(name="web", oldest=datetime(2020, 1, 1, tzinfo=UTC), recent_pushes=15)
    assert old.pushes_a_day(NOW) == pytest.approx(0.5)
    assert UsageRow(name="web").pushes_a_day(NOW) is None


def test_growth_counts_a_blob_on_the_day_of_its_first_push():
    found = usage(manifest("a", "a", days=5, base=100), manifest("b", "b", days=3, base=100))
    assert found.grown[-6] == 101
    assert found.grown[-4] == 1
    assert sum(found.grown) == 102


def test_the_sum_of_images_counts_shared_layers_in_each():
    found = usage(manifest("a", "a", base=100), manifest("b", "b", base=100))
    assert found.image_bytes == 202
    assert found.total.bytes == 102


def test_several_groups_are_counted_in_one_pass():
    images = [manifest("image", "v1", layer=300, base=9), manifest("other", "v2", base=9)]
    also = {By.TAG: None, By.AGE: None, By.LAYER: 5}
    tally = Tally(By.TAG, NOW, 1, lambda name: name == "web:v2", also)
    for one in images:
        tally.add(one)
    tally.end("web", {})
    found = tally.usage("example", unread=0, complete=True)
    assert [row.name for row in found.rows] == ["web:v2"]
    # What is asked for besides has rows of any name, and as many as it asks for.
    assert {row.name for row in found.groups[By.TAG].rows} == {"web:v1", "web:v2"}
    assert {row.name for row in found.groups[By.LAYER].rows} == {
        digest_of("layer"),
        digest_of("base"),
    }
    assert found.groups[By.AGE].rows == usage(*images, by=By.AGE).rows


def test_layers_that_match_are_counted_beside_all_layers():
    tally = Tally(By.LAYER, NOW, 5, digest_of("base").__eq__, {By.LAYER: 1})
    tally.add(manifest("image", "v1", layer=300, base=9))
    tally.end("web", {})
    found = tally.usage("example", unread=0, complete=True)
    assert [row.name for row in found.rows] == [digest_of("base")]
    assert [row.name for row in found.groups[By.LAYER].rows] == [digest_of("layer")]


def test_bytes_have_the_day_of_their_first_push():
    found = usage(
        manifest("old", "v1", days=40, base=9),
        manifest("new", "v2", days=2, base=9, layer=300),
        manifest("unknown", "v3", days=None, other=5),
    )
    days = [None if day is None else (NOW.date() - day).days for day, _ in found.pushed]
    assert list(zip(days, [size for _, size in found.pushed], strict=True)) == [
        (40, 10),
        (2, 301),
        (None, 6),
    ]
