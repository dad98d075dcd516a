"""Plans as files: read as written, by people too, and refused when they make no sense."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.plan import (
    Condemned,
    FreedBytes,
    Kept,
    LeftAlone,
    Plan,
    PlanFileError,
    RepositoryPlan,
    batch_size,
    listings_for,
)

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
MADE = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)


def plan(*condemned: Condemned, **more: object) -> Plan:
    web = RepositoryPlan(name="team/web", tags=5, manifests=3, condemned=condemned)
    return Plan(**{"registry": "example", "made_at": MADE, "repositories": (web,), **more})


WHOLE = Condemned(delete="manifest", digest=A, tags=("v1", "v2"), reason="older than 30d")
TAG = Condemned(delete="tag", digest=B, tags=("pr-1",), reason="it matches pr-*")

texts = st.text(max_size=20)
times = st.none() | st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
condemned_items = st.one_of(
    st.builds(
        Condemned,
        delete=st.just("manifest"),
        digest=st.just(A),
        tags=st.lists(st.sampled_from(["a", "b", "v1.0.0"]), unique=True).map(tuple),
        reason=texts,
        pushed_at=times,
        size_bytes=st.none() | st.integers(0, 2**60),
    ),
    st.builds(
        Condemned, delete=st.just("tag"), digest=st.just(B), tags=st.just(("x",)), reason=texts
    ),
)
plans = st.builds(
    Plan,
    registry=st.just("example"),
    made_at=times.filter(bool),
    repositories=st.lists(
        st.builds(
            RepositoryPlan,
            name=st.sampled_from(["web", "team/api"]),
            tags=st.integers(0, 9),
            manifests=st.integers(0, 9),
            condemned=st.lists(condemned_items, unique_by=lambda item: item.delete).map(tuple),
            kept=st.lists(
                st.builds(Kept, texts, st.just(("x",)), st.lists(st.just(A)).map(tuple))
            ).map(tuple),
        ),
        unique_by=lambda repository: repository.name,
        max_size=2,
    ).map(tuple),
    left_alone=st.lists(st.builds(LeftAlone, st.just("db"), texts)).map(tuple),
    frees=st.builds(
        FreedBytes, bytes=st.integers(0, 2**60), at_least=st.booleans(), at_most=st.booleans()
    ),
)


@given(plans)
def test_a_plan_is_read_as_it_was_written(plan):
    read = Plan.from_json(plan.to_json())
    assert read == plan
    assert read.id == plan.id


def test_a_plan_is_saved_and_loaded(tmp_path):
    plan(WHOLE, TAG).save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan(WHOLE, TAG)


def test_each_item_has_a_line_of_its_own_with_its_reason():
    lines = plan(WHOLE, TAG).to_json().splitlines()
    (line,) = [line for line in lines if A in line]
    assert json.loads(line.strip().rstrip(",")) == {
        "delete": "manifest",
        "tags": ["v1", "v2"],
        "digest": A,
        "reason": "older than 30d",
    }
    assert sum(B in line for line in lines) == 1


def test_the_summary_tells_what_it_takes_and_brings():
    summary = json.loads(plan(WHOLE, TAG, frees=FreedBytes(bytes=5_000)).to_json())["summary"]
    assert summary["tags_deleted"] == 3
    assert summary["manifests_deleted"] == 1
    assert summary["requests"] == 3
    assert summary["frees"] == "5,000 bytes"


def test_lines_may_be_taken_out_by_hand():
    lines = plan(WHOLE, TAG).to_json().splitlines()
    without = [line for line in lines if B not in line]
    text = "\n".join(without).replace('30d"},', '30d"}')
    assert list(Plan.from_json(text).condemned) == [("team/web", WHOLE)]


def test_what_was_changed_by_hand_is_another_plan():
    assert plan(WHOLE).id != plan(WHOLE, TAG).id
    assert plan(WHOLE).id == plan(WHOLE).id


def edited(**changes: object) -> str:
    document = json.loads(plan(WHOLE, TAG).to_json())
    document["plan"]["repositories"][0] |= {
        key: value for key, value in changes.items() if key in {"name", "condemned"}
    }
    document["plan"] |= {k: v for k, v in changes.items() if k in {"registry", "repositories"}}
    document |= {key: value for key, value in changes.items() if key in {"format", "version"}}
    return json.dumps(document)


def entry(**more: object) -> dict[str, object]:
    return {"delete": "manifest", "digest": A, "tags": [], **more}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a plan"),
        ("[]", "not a plan"),
        ("{}", "not a plan"),
        ("\ud800".encode("utf-8", "surrogatepass"), "not a plan"),
        ("[" * 100_000, "not a plan"),
        (edited(format="something else"), "not a plan of a clean-up"),
        (edited(version=2), "version 2, this program reads 1: make a new one"),
        (edited(registry="../x"), "registry: "),
        (edited(name="../x"), r"repositories\[0\].name: "),
        (edited(condemned=[entry(digest="sha256:x")]), r"repositories\[0\].condemned\[0\]: "),
        (edited(condemned=[entry(tags=["../x"])]), r"condemned\[0\]: "),
        (edited(condemned=[entry(delete="tag")]), "takes exactly one"),
        (edited(condemned=[entry(delete="tag", tags=["a", "b"])]), "takes exactly one"),
        (edited(condemned=[entry(), entry()]), r"condemned\[1\]: .* is there twice"),
        (edited(condemned=[entry(delete="repository")]), "not a plan: "),
        (edited(repositories=[{"name": "a", "tags": 0, "manifests": 0}] * 2), "is there twice"),
    ],
)
def test_what_is_no_plan_is_refused_with_where_and_why(text, problem):
    with pytest.raises(PlanFileError, match=problem):
        Plan.from_json(text)


def test_a_file_that_is_no_plan_is_named(tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(PlanFileError, match=r"plan\.json: not a plan"):
        Plan.load(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("freed", "said"),
    [
        (FreedBytes(bytes=1_000), "1,000 bytes"),
        (FreedBytes(bytes=1, at_least=True), "at least 1 bytes"),
        (FreedBytes(bytes=1, at_most=True), "at most 1 bytes"),
        (FreedBytes(bytes=1, at_least=True, at_most=True), "about 1 bytes"),
    ],
)
def test_how_sure_the_bytes_are_is_said(freed, said):
    assert str(freed) == said


def test_the_requests_are_the_deletes_and_the_looks_before_them():
    assert plan(WHOLE, TAG).requests == 2 + 1
    assert plan().requests == 0
    assert plan().seconds == 0


def test_a_repository_is_looked_at_again_while_much_is_deleted():
    assert batch_size(10) == 100
    assert batch_size(20_000) == 1000
    assert listings_for(0, 20_000) == 0
    assert listings_for(1_001, 20_000) == 2


def test_the_time_is_that_of_the_limits():
    items = [Condemned(delete="tag", digest=A, tags=(f"t{number}",)) for number in range(1_000)]
    # Ten looks and a thousand DELETEs in windows of 250 a minute.
    assert 240 <= plan(*items).seconds <= 250


def test_repositories_can_be_left_out():
    assert plan(WHOLE).without("team/web").repositories == ()
    assert plan(WHOLE).without("other") == plan(WHOLE)
