"""Plans as files: read as written, by people too, and refused when they make no sense."""

import hashlib
import json
import re
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from aioregistry import InvalidNameError
from aioregistry.api.names import check_digest, check_registry, check_repository, check_tag
from aioregistry.cleanup.plan.file import PlanFileError
from aioregistry.cleanup.plan.items import Condemned, FreedBytes, Kept, LeftAlone, RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan, batch_size, listings_for

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
MADE = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)


def plan(*condemned: Condemned, **more: object) -> Plan:
    web = RepositoryPlan(name="team/web", tags=5, manifests=3, condemned=condemned)
    return Plan(**{"registry": "example", "made_at": MADE, "repositories": (web,), **more})


WHOLE = Condemned(delete="manifest", digest=A, tags=("v1", "v2"), reason="older than 30d")
TAG = Condemned(delete="tag", digest=B, tags=("pr-1",), reason="matches pr-*")

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


def test_limits_of_zero_are_read_as_they_were_written():
    made = plan(WHOLE, max_deletes=0, max_fraction=0.0)
    read = Plan.from_json(made.to_json())
    assert (read.max_deletes, read.max_fraction) == (0, 0.0)


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
    assert summary["requests"] == 5
    assert summary["frees"] == "5.0 kB"


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
        (edited(condemned=[entry(), entry()]), r"condemned\[1\]: .* appears twice"),
        (edited(condemned=[entry(delete="repository")]), "Invalid enum value 'repository'"),
        (edited(repositories=[{"name": "a", "tags": 0, "manifests": 0}] * 2), "appears twice"),
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
        (FreedBytes(bytes=1_000), "1.0 kB"),
        (FreedBytes(bytes=1, at_least=True), "at least 1 B"),
        (FreedBytes(bytes=1, at_most=True), "at most 1 B"),
        (FreedBytes(bytes=1, at_least=True, at_most=True), "about 1 B"),
    ],
)
def test_how_sure_the_bytes_are_is_said(freed, said):
    assert str(freed) == said


def test_the_requests_are_the_deletes_and_the_looks_before_them():
    assert plan(WHOLE, TAG).requests == 2 + 1 + 1 + 1
    assert plan().requests == 0
    assert plan().seconds == 0


def test_a_repository_is_looked_at_again_while_much_is_deleted():
    assert batch_size(10, 10) == 170
    assert batch_size(20_000, 10_000) == 2550
    assert listings_for(0, 20_000, 10_000) == 0
    assert listings_for(2_551, 20_000, 10_000) == 2


def test_the_time_is_that_of_the_limits():
    items = [Condemned(delete="tag", digest=A, tags=(f"t{number}",)) for number in range(1_000)]
    # Ten looks and a thousand DELETEs in windows of 250 a minute.
    assert 240 <= plan(*items).seconds <= 250


def test_repositories_can_be_left_out():
    assert plan(WHOLE).without("team/web").repositories == ()
    assert plan(WHOLE).without("other") == plan(WHOLE)


FILE = f"""\
{{
 "format": "aioregistry cleanup plan",
 "version": 1,
 "summary": {{"tags_deleted": 3, "manifests_deleted": 1, "requests": 5, \
"seconds_at_the_limit": 0.0, "frees": "at least 5.0 kB"}},
 "plan": {{
  "registry": "example",
  "made_at": "2026-06-01T12:30:00Z",
  "floor": 2,
  "frees": {{"bytes": 5000, "at_least": true, "at_most": false}},
  "left_alone": [
   {{"repository": "db", "reason": "no \\u00bb"}},
   {{"repository": "dc", "reason": "no"}}
  ],
  "repositories": [
   {{"name": "team/web", "tags": 5, "manifests": 3,
    "condemned": [
     {{"delete": "manifest", "tags": ["v1", "v2"], "digest": "{A}", \
"pushed_at": "2026-06-01T12:30:00Z", "size_bytes": 7, "reason": "older than 30d"}},
     {{"delete": "tag", "tags": ["pr-1"], "digest": "{B}", "reason": "matches pr-*"}}
    ],
    "kept": [
     {{"reason": "newest", "tags": ["v3"], "untagged": ["{B}"]}},
     {{"reason": "in use"}}
    ],
    "end": "team/web"}},
   {{"name": "empty", "tags": 0, "manifests": 0,
    "condemned": [],
    "kept": [],
    "end": "empty"}}
  ]
 }}
}}
"""


@pytest.fixture
def in_a_file() -> Plan:
    web = RepositoryPlan(
        name="team/web",
        tags=5,
        manifests=3,
        condemned=(evolve(WHOLE, pushed_at=MADE, size_bytes=7), TAG),
        kept=(Kept("newest", ("v3",), (B,)), Kept("in use")),
    )
    return Plan(
        registry="example",
        made_at=MADE,
        floor=2,
        repositories=(web, RepositoryPlan(name="empty", tags=0, manifests=0)),
        left_alone=(LeftAlone("db", "no »"), LeftAlone("dc", "no")),
        frees=FreedBytes(bytes=5_000, at_least=True),
    )


def test_a_plan_is_a_text_that_people_can_read(in_a_file):
    assert in_a_file.to_json() == FILE


def test_a_text_is_read_as_the_plan_that_it_is(in_a_file):
    assert Plan.from_json(FILE) == Plan.from_json(FILE.encode()) == in_a_file


def test_what_sets_a_plan_apart_is_its_text_without_the_summary(in_a_file):
    lines = FILE.splitlines(keepends=True)
    text = "".join(line for line in lines if "summary" not in line)
    assert in_a_file.id == hashlib.sha256(text.encode()).hexdigest()


def test_nothing_but_what_must_be_said_need_be_there():
    text = (
        '{"format": "aioregistry cleanup plan", "version": 1, '
        '"plan": {"registry": "example", "made_at": "2026-06-01T12:30:00Z"}}'
    )
    assert Plan.from_json(text) == Plan(registry="example", made_at=MADE)


@pytest.mark.parametrize(
    "at",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
    ],
)
def test_a_time_at_an_end_of_the_calendar_keeps_its_zone(at):
    assert json.loads(plan(made_at=at).to_json())["plan"]["made_at"] == at.isoformat()


@pytest.fixture
def in_tokyo(monkeypatch):
    if not hasattr(time, "tzset"):
        pytest.skip("there is no zone of a process here")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize("hours", [0, 2, 9])
def test_times_are_written_in_one_zone_wherever_that_is_done(hours):
    at = MADE.astimezone(timezone(timedelta(hours=hours)))
    assert plan(made_at=at).to_json() == plan().to_json()
    assert json.loads(plan(made_at=at).to_json())["plan"]["made_at"] == "2026-06-01T12:30:00Z"


@pytest.mark.parametrize(("condemned", "counts"), [([WHOLE], (2, 1)), ([TAG], (1, 0))])
def test_a_manifest_that_stays_is_none_that_is_deleted(condemned, counts):
    summary = json.loads(plan(*condemned).to_json())["summary"]
    assert (summary["tags_deleted"], summary["manifests_deleted"]) == counts


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (edited(format="something else"), "not a plan of a clean-up"),
        (
            edited(version=2),
            "the plan is of version 2, this program reads 1: make a new one",
        ),
        (
            edited(condemned=[entry(), entry()]),
            f"line 1: repositories[0].condemned[1]: {A!r} appears twice",
        ),
        (
            edited(condemned=[entry(), entry(delete="tag", tags=["a", "b"])]),
            "line 1: repositories[0].condemned[1].tags: to delete a tag takes exactly one",
        ),
        (
            edited(repositories=[{"name": "a", "tags": 0, "manifests": 0}] * 2),
            "line 1: repositories[1].name: 'a' appears twice",
        ),
        (
            FILE.replace('"end": "team/web"', '"end": "other"'),
            "not a plan: line 24: 'team/web' ends as 'other'",
        ),
        (
            FILE.replace('"name": "empty", ', '"name": "empty", "name": "x", '),
            "not a plan: line 28: 'name' appears twice",
        ),
    ],
)
def test_why_a_plan_is_refused_is_told(text, problem):
    with pytest.raises(PlanFileError) as caught:
        Plan.from_json(text)
    assert caught.value.message == problem


@pytest.mark.parametrize("change", ["registry", "name", "digest", "tag"])
def test_a_name_that_none_can_be_is_told_with_its_place(change):
    text, where, check = {
        "registry": (edited(registry="../x"), "registry", lambda: check_registry("../x")),
        "name": (edited(name="../x"), "repositories[0].name", lambda: check_repository("../x")),
        "digest": (
            edited(condemned=[entry(digest="sha256:x")]),
            "repositories[0].condemned[0]",
            lambda: check_digest("sha256:x"),
        ),
        "tag": (
            edited(condemned=[entry(), entry(digest=B, tags=["a", "../x"])]),
            "repositories[0].condemned[1]",
            lambda: check_tag("../x"),
        ),
    }[change]
    with pytest.raises(InvalidNameError) as why:
        check()
    with pytest.raises(PlanFileError) as caught:
        Plan.from_json(text)
    assert caught.value.message == f"line 1: {where}: {why.value.message}"


def test_a_tag_and_a_manifest_of_one_name_are_two():
    items = [entry(), entry(delete="tag", tags=["x"]), entry(delete="tag", tags=["y"])]
    assert len(list(Plan.from_json(edited(condemned=items)).condemned)) == 3


def test_one_digest_may_go_in_two_repositories():
    one, other = (
        RepositoryPlan(name=name, tags=2, manifests=1, condemned=(WHOLE,)) for name in ("a", "b")
    )
    both = plan(repositories=(one, other))
    assert Plan.from_json(both.to_json()) == both


def test_counts_below_zero_are_refused():
    with pytest.raises(PlanFileError, match="Expected `int` >= 0"):
        Plan.from_json(edited(repositories=[{"name": "a", "tags": -1, "manifests": 0}]))


def test_a_file_that_is_no_plan_is_told_with_its_name_and_why(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(edited(format="something else"))
    with pytest.raises(PlanFileError) as caught:
        Plan.load(path)
    assert caught.value.message == f"{path}: not a plan of a clean-up"


def test_each_delete_comes_with_the_name_of_its_repository():
    one, other = (
        RepositoryPlan(name=name, tags=2, manifests=1, condemned=(item,))
        for name, item in (("a", WHOLE), ("b", TAG))
    )
    assert list(plan(repositories=(one, other)).condemned) == [("a", WHOLE), ("b", TAG)]


def test_what_a_delete_names_is_the_digest_or_the_tag():
    assert (WHOLE.name, TAG.name) == (A, "pr-1")


def test_the_tags_that_go_are_counted_without_those_of_signatures():
    signed = Condemned(delete="manifest", digest=B, tags=(f"sha256-{'a' * 64}.sig", "extra"))
    (web,) = plan(WHOLE, signed).repositories
    assert web.tags_going == 3


@pytest.mark.parametrize(
    ("manifests", "size"),
    [(0, 170), (1, 170), (1_800, 170), (1_801, 187), (2_000, 187), (2_001, 204)],
)
def test_a_listing_costs_a_seventeenth_of_the_deletes_that_follow_it_at_most(manifests, size):
    assert batch_size(manifests, 0) == size


@pytest.mark.parametrize(("deletes", "listings"), [(0, 0), (1, 1), (170, 1), (171, 2), (340, 2)])
def test_so_many_listings_there_are(deletes, listings):
    assert listings_for(deletes, 1, 1) == listings


@pytest.mark.parametrize(
    ("manifests", "requests"),
    [(0, 5), (200, 5), (201, 2 + 3 + 1), (400, 2 + 3 + 2), (401, 2 + 4 + 2)],
)
def test_a_look_is_a_request_for_each_page(manifests, requests):
    web = RepositoryPlan(name="web", tags=5, manifests=manifests, condemned=(WHOLE, TAG))
    assert plan(repositories=(web,)).requests == requests


def test_where_nothing_goes_nothing_is_asked():
    web = RepositoryPlan(name="web", tags=5, manifests=3, condemned=(WHOLE,))
    rest = RepositoryPlan(name="rest", tags=5, manifests=10_000)
    assert plan(repositories=(rest, web, rest)).requests == 4


@pytest.mark.parametrize(
    ("deletes", "seconds", "said"), [(200, 1.04, 1.0), (300, 60.0, 60.0), (900, 180.62, 180.6)]
)
def test_the_seconds_are_said_to_a_tenth(deletes, seconds, said):
    items = [Condemned(delete="tag", digest=A, tags=(f"t{nth}",)) for nth in range(deletes)]
    made = plan(*items)
    assert made.seconds == pytest.approx(seconds)
    assert json.loads(made.to_json())["summary"]["seconds_at_the_limit"] == said


def test_some_repositories_can_be_left_out():
    one, other, third = (RepositoryPlan(name=name, tags=0, manifests=0) for name in "abc")
    assert plan(repositories=(one, other, third)).without("a", "c").repositories == (other,)


def in_lines(*items):
    """The lines of a plan, and the numbers of those that are items."""
    lines = plan(*items, frees=FreedBytes(bytes=5_000)).to_json().split("\n")
    return lines, [number for number, line in enumerate(lines) if '{"delete": ' in line]


@pytest.mark.parametrize("which", [0, -1])
def test_the_line_of_any_item_can_be_taken_out(which):
    lines, items = in_lines(WHOLE, TAG)
    del lines[items[which]]
    read = Plan.from_json("\n".join(lines))
    assert len(list(read.condemned)) == 1
    assert str(read.frees) == "at most 5.0 kB"


def test_a_plan_that_was_not_edited_has_its_own_figures(tmp_path):
    path = tmp_path / "plan.json"
    plan(WHOLE, TAG, frees=FreedBytes(bytes=5_000)).save(path)
    assert str(Plan.load(path).frees) == "5.0 kB"
    path.write_text("\n".join(line for line in path.read_text().split("\n") if "sha" not in line))
    assert str(Plan.load(path).frees) == "at most 5.0 kB"


@pytest.mark.parametrize(
    ("begins", "old", "new", "problem"),
    [
        ('     {"delete"', '", "tags"', '" "tags"', "JSON is malformed"),
        ('     {"delete"', '"digest"', '"digist"', "missing required field `digest`"),
        ('     {"delete"', '"delete": "', '"delete": "x', "Invalid enum value"),
        ('     {"delete"', '"reason": "', '"reason": 5, "x": "', "Expected `str`, got `int`"),
        ('     {"delete"', '"sha256:', '"sha256:x', "digest"),
        ('     {"delete"', '"tags": [', '"tags": ["../x", ', "tag"),
        ('     {"delete"', '"reason"', '"reason": "", "reason"', "'reason' appears twice"),
        ('   {"name"', '"tags": ', '"tags": -', ">= 0"),
        ('   {"name"', '"name": "', '"name": "/', "repository"),
        ('    "end"', "web", "other", "'team/web' ends as 'team/other'"),
        ('  "registry"', "example", "../x", "registry"),
        ('  "made_at"', "T", "x", "RFC3339"),
        (' "version"', "1", '"1"', "Expected `int`, got `str`"),
        (" }", "}", "", "the file ends too early"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, begins, old, new, problem):
    lines, _ = in_lines(WHOLE, TAG)
    # The last of those that begin so: the lines before it have to be counted.
    number = max(number for number, line in enumerate(lines) if line.startswith(begins))
    lines[number] = lines[number].replace(old, new, 1)
    if not new:
        del lines[number:]
        number -= 1
    (tmp_path / "plan.json").write_text("\n".join(lines))
    with pytest.raises(PlanFileError, match=re.escape(problem)) as caught:
        Plan.load(tmp_path / "plan.json")
    assert f"line {number + 1}: " in str(caught.value)


def test_a_mistake_below_a_line_that_was_taken_out_is_told_with_its_line():
    lines, items = in_lines(WHOLE, TAG, WHOLE)
    lines[items[1]] = lines[items[1]].rstrip(",").replace('"digest"', '"digist"') + ","
    del lines[items[2]]
    with pytest.raises(PlanFileError, match=f"line {items[1] + 1}: "):
        Plan.from_json("\n".join(lines))
