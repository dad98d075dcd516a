"""In which order things go, how often it is listed on the way, and what a failure keeps."""

from itertools import groupby

import pytest
from attrs import evolve

from aioregistry import ClientClosedError, NotFoundError, RegistryError
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.apply.caps import CapExceededError
from aioregistry.cleanup.manifests.content import UnreadableContentError
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import Delete, Keep
from aioregistry.sandbox import Fault, Faults
from tests.cleanup.jobs import Job, names
from tests.cleanup.sources import StateContents
from tests.conftest import QUICK, push_tags

KEPT = Policy([Keep(tags="keep*"), Delete()], floor=0)


@pytest.fixture
def job(sandbox, client) -> Job:
    return Job(sandbox, client, StateContents(sandbox.state))


def steps(job: Job, before: int) -> list[tuple[str, int]]:
    """What was requested since then: listings, and so many DELETEs between them."""
    methods = [request.method for request in job.sandbox.requests[before:]]
    return [(method, len(list(some))) for method, some in groupby(methods)]


@pytest.mark.parametrize(
    ("tags", "deletes"), [(170, [170]), (171, [170, 1]), (360, [170, 170, 20])]
)
async def test_after_170_deletes_of_tags_it_is_listed_again(job, tags, deletes):
    job.builder.image("keep", *[f"t{number}" for number in range(tags)])
    plan = await job.plan(KEPT)
    before = job.sandbox.request_count
    await job.apply(plan)
    # One manifest is one page; of tags, ten are one.
    left = tags + 1
    expected = []
    for number, most in enumerate(deletes):
        expected += [("GET", (number == 0) + 1 + -(-left // 10)), ("DELETE", most)]
        left -= most
    assert steps(job, before) == expected


async def test_tags_and_manifests_share_a_batch(job):
    job.builder.image("keep", *[f"t{number}" for number in range(110)])
    push_tags(job.sandbox.state, 70, "web")
    plan = await job.plan(KEPT)
    before = job.sandbox.request_count
    await job.apply(plan)
    # Pages of ten: 71 manifests and 181 tags, then 11 and 11; and the registry once.
    assert steps(job, before)[:2] == [("GET", 1 + 8 + 19), ("DELETE", 170)]
    assert steps(job, before)[2:] == [("GET", 2 + 2), ("DELETE", 10), ("GET", 1)]
    order = [path.split("/")[-2] for path in job.deletes()]
    assert order == ["tags"] * 110 + ["digests"] * 70


async def test_170_tags_leave_no_room_for_a_manifest(job):
    job.builder.image("keep", *[f"t{number}" for number in range(170)])
    job.builder.image("a")
    plan = await job.plan(KEPT)
    before = job.sandbox.request_count
    await job.apply(plan)
    assert steps(job, before) == [
        ("GET", 1 + 1 + 18),
        ("DELETE", 170),
        ("GET", 2),
        ("DELETE", 1),
        ("GET", 1),
    ]


async def test_what_needs_each_other_goes_after_one_listing(job):
    image = job.builder.image()
    nested = job.builder.index(children=[image])
    job.builder.index("x", children=[nested])
    plan = await job.plan()
    before = job.sandbox.request_count
    await job.apply(plan)
    assert steps(job, before) == [("GET", 1 + 2), ("DELETE", 3), ("GET", 2)]


async def test_waves_share_a_batch(job):
    for number in range(100):
        job.builder.index(f"x{number}", children=[job.builder.image(days=number + 1)])
    plan = await job.plan()
    before = job.sandbox.request_count
    await job.apply(plan)
    assert steps(job, before) == [
        ("GET", 1 + 20 + 10),
        ("DELETE", 170),
        ("GET", 3),
        ("DELETE", 30),
        # The manifests, and as there are none, the repositories.
        ("GET", 2),
    ]


async def test_an_index_that_went_at_the_last_moment_is_looked_for_in_fresh_lists(job):
    index = job.builder.index("x", children=[job.builder.image()])
    plan = await job.plan()
    state = job.sandbox.state

    def remove() -> None:
        job.contents.on_look = lambda: None
        state.delete_manifest("example", "web", index)

    job.contents.on_look = remove
    report = await job.apply(plan)
    assert names(report.absent) == {"x"}
    assert len(report.deleted) == 1
    assert len(job.deletes()) == 1


async def test_a_hundred_indexes_go_before_what_is_in_them(job):
    child = job.builder.image()
    for number in range(100):
        other = job.builder.image(days=number + 1)
        job.builder.index(f"x{number}", children=[child, other])
    report = await job.apply(await job.plan())
    assert len(report.deleted) == 201
    digests = [path.rpartition("/")[2].replace("%3A", ":") for path in job.deletes()]
    indexes = {one.item.digest for one in report.deleted if one.item.tags}
    assert set(digests[:100]) == indexes


async def test_the_report_is_in_the_order_of_the_plan(job):
    for repository in ("web", "api"):
        push_tags(job.sandbox.state, 40, repository)
    plan = await job.plan()
    told: list[object] = []
    report = await job.apply(plan, on_outcome=told.append)
    assert [(one.repository, one.item) for one in report.deleted] == list(plan.condemned)
    assert sorted(map(str, told)) == sorted(map(str, report.deleted))


class Drifting(StateContents):
    """Contents by which one tag has moved right before its DELETE."""

    def __init__(self, state, tag: str) -> None:
        super().__init__(state)
        self._tag = tag

    async def current_digest(self, repository: str, tag: str) -> str | None:
        if tag == self._tag:
            return f"sha256:{'f' * 64}"
        return await super().current_digest(repository, tag)


async def test_a_tag_that_moved_in_the_last_moment_is_told(job):
    job.builder.image("keep", "a")
    plan = await job.plan()
    job.contents = Drifting(job.sandbox.state, "a")
    (left,) = (await job.apply(plan)).drift
    assert left.reason == f"the tag a moved to sha256:{'f' * 64}"
    assert job.deletes() == []


async def test_what_is_needed_by_what_stayed_at_the_last_moment_stays(job):
    """However many waves there are between the two, and whatever goes in them."""
    image = job.builder.image()
    nested = job.builder.index(children=[image, job.builder.image(days=99)])
    job.builder.index("x", children=[nested])
    job.builder.index("stays", children=[image], days=50)
    plan = await job.plan()
    job.contents = Drifting(job.sandbox.state, "stays")
    report = await job.apply(plan)
    assert names(report.drift) == {"stays"}
    assert {"x", nested} < names(report.deleted)
    assert names(report.not_attempted) == {image}
    (left,) = report.not_attempted
    digest = report.drift[0].item.digest
    assert left.reason == f"part of {digest[:19]} (stays), and that could not be deleted"


async def test_beside_what_stayed_at_the_last_moment_the_rest_goes(job):
    kept, gone = job.builder.image(), job.builder.image(days=99)
    job.builder.index("x", children=[gone])
    job.builder.index("stays", children=[kept])
    plan = await job.plan()
    job.contents = Drifting(job.sandbox.state, "stays")
    report = await job.apply(plan)
    assert names(report.deleted) == {"x", gone}
    assert names(report.not_attempted) == {kept}


async def test_what_failed_keeps_what_it_needs(job):
    image = job.builder.image()
    job.builder.index("x", children=[image])
    plan = await job.plan()
    job.sandbox.faults = Faults(Fault(kind="status", status=403, method="DELETE"))
    report = await job.apply(plan)
    assert names(report.failed) == {"x"}
    assert names(report.not_attempted) == {image}
    assert len(job.deletes()) == 1


async def test_what_may_have_gone_is_looked_for_before_what_it_needs_goes(job):
    image = job.builder.image()
    job.builder.index("x", children=[image])
    plan = await job.plan()
    # As often as a request is sent.
    job.sandbox.faults = Faults(Fault(kind="lost", method="DELETE", times=QUICK.attempts))
    report = await job.apply(plan)
    assert len(report.deleted) == 2
    assert job.deletes()[-1].endswith(image.rpartition(":")[2])


async def test_why_it_failed_is_told(job):
    job.builder.image("a")
    plan = await job.plan()
    job.sandbox.faults = Faults(Fault(kind="status", status=403, method="DELETE"))
    (failed,) = (await job.apply(plan)).failed
    assert "403" in failed.reason


async def test_what_went_has_no_reason(job):
    job.builder.image("a")
    gone = job.builder.image("b")
    plan = await job.plan()
    job.sandbox.state.delete_manifest("example", "web", gone)
    report = await job.apply(plan)
    assert [one.reason for one in (*report.deleted, *report.absent)] == ["", ""]


async def test_what_went_with_its_repository_has_no_reason(job):
    job.builder.image("a")
    plan = await job.plan()
    job.sandbox.state.delete_repository("example", "web")
    assert [one.reason for one in (await job.apply(plan)).absent] == [""]


async def test_a_manifest_whose_tag_went_at_the_last_moment_goes(job):
    job.builder.image("a", "b")
    plan = await job.plan()

    def remove() -> None:
        if "b" in job.tags():
            job.sandbox.state.delete_tag("example", "web", "b")

    job.contents.on_look = remove
    assert names((await job.apply(plan)).deleted) == {"a"}
    assert job.tags() == set()


async def test_every_tag_of_a_manifest_is_looked_at(job):
    job.builder.image("a", "b", "c")
    plan = await job.plan()
    job.contents.looks = 0
    await job.apply(plan)
    assert job.contents.looks == 3


class Blind(StateContents):
    """Contents of a registry that does not answer where tags point."""

    def __init__(self, state, error: RegistryError) -> None:
        super().__init__(state)
        self._error = error

    async def current_digest(self, repository: str, tag: str) -> str | None:
        self.looks += 1
        raise self._error


async def test_an_item_that_cannot_be_looked_at_is_not_deleted(job):
    for number in range(40):
        job.builder.index(f"x{number}", children=[job.builder.image(days=number + 1)])
    plan = await job.plan()
    job.contents = Blind(job.sandbox.state, RegistryError("no"))
    report = await job.apply(plan)
    assert len(report.not_attempted) == 80
    assert job.deletes() == []
    # Ten in a row, and those that were under way by then: a registry that is down is left alone.
    assert job.contents.looks <= 10 + 32


class Flaky(StateContents):
    """Contents of a registry that does not answer for one tag."""

    def __init__(self, state, tag: str) -> None:
        super().__init__(state)
        self._tag = tag

    async def current_digest(self, repository: str, reference: str) -> str | None:
        if reference == self._tag:
            raise RegistryError("no luck")
        return await super().current_digest(repository, reference)


async def test_one_look_that_fails_keeps_one_item(job):
    for tag in ("a", "b", "c"):
        job.builder.image(tag)
    plan = await job.plan()
    job.contents = Flaky(job.sandbox.state, "b")
    report = await job.apply(plan)
    assert names(report.deleted) == {"a", "c"}
    (left,) = report.not_attempted
    assert left.reason == "the registry cannot be asked: no luck"


async def test_a_client_that_was_closed_meanwhile_is_no_look_that_failed(job):
    job.builder.image("a")
    plan = await job.plan()
    job.contents = Blind(job.sandbox.state, ClientClosedError("it is closed"))
    (left,) = (await job.apply(plan)).not_attempted
    assert left.reason == "it is closed"
    assert job.deletes() == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_after_a_token_was_refused_nothing_more_is_asked(job, method):
    for repository in ("api", "db", "web"):
        push_tags(job.sandbox.state, 1, repository)
    plan = await job.plan()
    before = job.sandbox.request_count
    job.sandbox.faults = Faults(Fault(kind="status", status=401, method=method))
    report = await job.apply(plan)
    assert job.sandbox.request_count - before == (1 if method == "GET" else 4)
    told = [*report.failed, *report.not_attempted]
    assert len(told) == 3
    assert len({one.reason for one in told}) == 1
    assert "401" in told[0].reason


async def test_after_a_token_was_refused_for_a_tag_no_manifest_goes(job):
    job.builder.image("keep", "a")
    job.builder.image("b")
    plan = await job.plan()
    job.sandbox.faults = Faults(Fault(kind="status", status=401, method="DELETE"))
    report = await job.apply(plan)
    assert names(report.failed) == {"a"}
    assert names(report.not_attempted) == {"b"}
    assert len(job.deletes()) == 1


async def test_what_refused_a_token_was_not_begun_when_that_was_a_listing(job):
    push_tags(job.sandbox.state, 2, "web")
    plan = await job.plan()
    job.sandbox.faults = Faults(Fault(kind="status", status=401, method="GET"))
    assert len((await job.apply(plan)).not_attempted) == 2


async def test_the_contents_of_a_manifest_are_read_once(job):
    push_tags(job.sandbox.state, 150, "web")
    plan = await job.plan()
    read: list[str] = []
    reading = job.contents.read

    async def note(repository, digests, *more):
        read.extend(digests)
        return await reading(repository, digests, *more)

    job.contents.read = note
    await job.apply(plan)
    assert len(read) == len(set(read)) == 150


@pytest.mark.parametrize(
    ("found", "told"), [(UnreadableContentError("no luck"), "no luck"), (None, "it was not read")]
)
async def test_why_what_stays_could_not_be_read_is_told(job, found, told):
    job.builder.image("a")
    plan = await job.plan()
    kept = job.builder.image("keep")

    class Some(StateContents):
        async def read(self, repository, digests, on_read=None):
            read = await super().read(repository, digests, on_read)
            del read[kept]
            return read if found is None else read | {kept: found}

    job.contents = Some(job.sandbox.state)
    (left,) = (await job.apply(plan)).not_attempted
    assert left.reason == f"{kept} could not be read, and might need what would be deleted: {told}"
    assert job.deletes() == []


async def test_the_floor_of_the_policy_holds_when_others_delete_too(job):
    for tag in ("a", "b"):
        job.builder.image(tag)
    plan = await job.plan(Policy([Delete(tags="a")], floor=1))
    other = job.sandbox.state.registry("example").repository("web").find("b")
    job.sandbox.state.delete_manifest("example", "web", f"sha256:{other.digest.hex()}")
    (left,) = (await job.apply(plan)).drift
    assert left.reason == "fewer than 1 tags would be left"
    assert job.tags() == {"a"}


async def test_what_came_into_use_by_its_digest_is_left_alone(job):
    digest = job.builder.image("a")
    job.builder.image("b")
    plan = await job.plan()
    report = await job.apply(plan, in_use=[f"example/web@{digest}"])
    assert names(report.drift) == {"a"}
    assert names(report.deleted) == {"b"}


@pytest.mark.parametrize("running", ["other/web:a", "example/api:a"])
async def test_what_runs_of_elsewhere_holds_nothing(job, running):
    job.builder.image("a")
    assert (await job.apply(await job.plan(), in_use=[running])).deleted


async def test_a_plan_over_its_caps_is_refused_unless_it_is_told_to_be_forced(job):
    push_tags(job.sandbox.state, 2, "web")
    plan = await job.plan()
    with pytest.raises(CapExceededError):
        await apply_plan(job.registry, plan, job.contents)


@pytest.mark.parametrize("callback", ["on_outcome", "on_progress"])
async def test_a_callback_that_would_have_to_be_awaited_is_refused(job, callback):
    async def call(_: object) -> None: ...

    plan = await job.plan()
    with pytest.raises(TypeError) as caught:
        await job.apply(plan, **{callback: call})
    assert str(caught.value) == f"{callback} must be a plain function: it is called, not awaited"


async def test_for_which_registry_a_plan_is_is_told(job, client):
    plan = await job.plan()
    job.registry = client.registry("other")
    with pytest.raises(ValueError, match="plan") as caught:
        await job.apply(plan)
    assert str(caught.value) == "the plan is for 'example', not for 'other'"


async def test_what_a_callback_raises_ends_it_all(job):
    job.builder.image("a")

    def fail(_: object) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await job.apply(await job.plan(), on_outcome=fail)


async def test_a_registry_that_is_not_there_is_an_error_and_settles_nothing(job, client):
    job.builder.image("a")
    plan = evolve(await job.plan(), registry="nothing")
    job.registry = client.registry("nothing")
    told: list[object] = []
    with pytest.raises(NotFoundError) as caught:
        await job.apply(plan, on_outcome=told.append)
    assert caught.value.message == (
        "there is no registry 'nothing', or none that the token may see; nothing was deleted"
    )
    assert told == []
