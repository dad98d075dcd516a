"""How long a clean-up goes on, and how long it says that it will: on a virtual clock."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from aioregistry import Progress, RegistryClient
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.journal import Journal
from aioregistry.cleanup.records.report import CleanupReport
from aioregistry.sandbox import Fault, Faults, Sandbox
from aioregistry.testing.virtual_time import run_virtual
from tests.cleanup.jobs import Job
from tests.cleanup.sources import StateContents
from tests.conftest import push_tags

# The turns of the loop take a little time, as they do on every loop.
A_MOMENT = 0.1
SLOW = 4.0


def clean_up(
    apply: Callable[[Job, Plan], Awaitable[CleanupReport]], **tags: int
) -> tuple[CleanupReport, float]:
    """Apply a plan for so many tags of some repositories, one request at a time, each slow.

    Returns:
        The report, and how long it took.
    """

    async def main() -> tuple[CleanupReport, float]:
        async with Sandbox() as sandbox:
            for repository, count in tags.items():
                push_tags(sandbox.state, count, repository)
            async with RegistryClient(
                sandbox.token, base_url=sandbox.url, rate_limit=None, concurrency=1, timeout=3600
            ) as client:
                job = Job(sandbox, client, StateContents(sandbox.state))
                plan = await job.plan()
                sandbox.latency = SLOW
                begun = asyncio.get_running_loop().time()
                report = await apply(job, plan)
                return report, asyncio.get_running_loop().time() - begun

    return run_virtual(main())


def test_without_a_deadline_it_takes_as_long_as_it_takes():
    report, took = clean_up(lambda job, plan: job.apply(plan), web=90)
    assert len(report.deleted) == 90
    # The registry, its two lists, and these again three times: after two minutes they are old.
    # At the end the manifests and, as there are none, the repositories.
    assert took == pytest.approx((90 + 3 + 6 + 2) * SLOW, abs=A_MOMENT * 10)


def test_what_is_under_way_at_the_deadline_ends_and_nothing_more_is_begun():
    report, took = clean_up(lambda job, plan: job.apply(plan, deadline=4.5 * SLOW), web=5)
    # The registry, its two lists, and two DELETEs.
    # The look for new images after them does not end in the five seconds that are left.
    assert report.unchecked == ("web",)
    assert took == pytest.approx(4.5 * SLOW + 5, abs=A_MOMENT)
    assert len(report.deleted) == 2
    assert [one.reason for one in report.not_attempted] == ["the deadline has passed"] * 3


def test_after_the_deadline_no_repository_is_listed():
    report, took = clean_up(lambda job, plan: job.apply(plan, deadline=3.5 * SLOW), api=1, web=1)
    assert took == pytest.approx(3.5 * SLOW + 5, abs=A_MOMENT)
    ((deleted,), (left,)) = (report.deleted, report.not_attempted)
    assert {deleted.repository, left.repository} == {"api", "web"}
    assert left.reason == "the deadline has passed"


def test_a_deadline_that_is_not_reached_changes_nothing():
    report, _ = clean_up(lambda job, plan: job.apply(plan, deadline=5.5 * SLOW), web=2)
    assert len(report.deleted) == 2


def test_what_takes_too_long_after_the_deadline_is_given_up():
    def apply(job: Job, plan: Plan) -> Awaitable[CleanupReport]:
        job.sandbox.faults = Faults(Fault(kind="delay", seconds=1000, method="DELETE"))
        return job.apply(plan, deadline=4 * SLOW)

    report, took = clean_up(apply, web=3)
    assert took == pytest.approx(4 * SLOW + 5, abs=A_MOMENT)
    assert len(report.unknown) == 1
    assert [one.reason for one in report.not_attempted] == ["the deadline has passed"] * 2


def test_the_time_that_is_left_is_told_by_the_pace_so_far():
    told: list[Progress] = []
    clean_up(lambda job, plan: job.apply(plan, on_progress=told.append), web=3)
    assert [(one.done, one.total) for one in told] == [(1, 3), (2, 3), (3, 3)]
    # Each takes as long, and 32 are worked off at a time.
    left = [one.seconds_left for one in told]
    assert left == pytest.approx([2 * SLOW / 32, SLOW / 32, 0], abs=0.005)


def test_what_takes_no_time_counts_as_nothing_in_the_pace(tmp_path):
    told: list[Progress] = []

    async def apply(job: Job, plan: Plan) -> CleanupReport:
        (_, first), (_, second), *_ = plan.condemned
        async with Journal(tmp_path / "journal", plan, resume=False) as journal:
            journal.record("web", first, "deleted", "")
        job.sandbox.state.delete_manifest("example", "web", second.digest)
        return await job.apply(
            plan, journal=tmp_path / "journal", resume=True, on_progress=told.append
        )

    clean_up(apply, web=4)
    # One was settled before, one was gone: of four, two cost time.
    last_but_one = told[-2]
    assert (last_but_one.done, last_but_one.total) == (3, 4)
    assert last_but_one.seconds_left == pytest.approx(SLOW / 3 / 32, abs=0.005)
