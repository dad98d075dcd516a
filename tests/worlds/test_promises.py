"""What a clean-up promises of a world that moves, one case each, against the second server."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web

from aioregistry import RateLimit, RegistryClient, RetryPolicy
from aioregistry.cleanup import (
    CapExceededError,
    ContentReader,
    Delete,
    DeleteOlderThan,
    DeleteOrphaned,
    DeleteUntagged,
    Distribution,
    InUseError,
    Keep,
    KeepNewest,
    KeepNewestUntagged,
    KeepReleases,
    PlanFileError,
    Policy,
    Regex,
    apply_plan,
    explain_tag,
    make_plan,
)
from aioregistry.testing.virtual_time import run_virtual
from tests.worlds.server import INDEX, Manifest, World, _digest, _error
from tests.worlds.world import serving

DAY = timedelta(days=1)
OLD = 60
NOTE_ON_PROTECTED = (
    "rule 2 matched nothing but protected tags (1); only a rule with including-protected = true"
    " decides on these"
)


class Job:
    """A world, and a clean-up of it."""

    def __init__(self, world, registry, contents):
        self.world = world
        self.registry = registry
        self.contents = contents
        self.start = world.now()

    def push(self, *tags, days=OLD, **options):
        return self.world.push(*tags, at=self.start - days * DAY, **options)

    async def plan(self, *rules, in_use=None, floor=0, **options):
        policy = Policy(rules, floor=floor, **options)
        return await make_plan(
            self.registry, policy, self.contents, in_use=in_use, now=self.world.now(), memory=False
        )

    async def apply(self, plan, **options):
        return await apply_plan(
            self.registry, plan, self.contents, memory=False, **{"force": True, **options}
        )

    @property
    def tags(self):
        return {*self.world.repository.tags}

    @property
    def manifests(self):
        return {*self.world.repository.manifests}


def going(plan):
    """The tags, and the digests of untagged manifests, that a plan condemns."""
    return {name for _, item in plan.condemned for name in item.tags or (item.digest,)}


def virtual(test):
    """Run a test on the virtual clock, with a job in a world of its own."""

    def run(**arguments):
        async def in_world():
            world = World(asyncio.get_running_loop().time)
            retry = RetryPolicy(attempts=2, backoff=0.1)
            limit = RateLimit(windows=((100, 60.0), (150, 3600.0)))
            async with (
                serving(world) as url,
                RegistryClient("t", base_url=url, rate_limit=limit, retry=retry) as client,
                Distribution(client.registry("example"), base_url=url, retry=retry) as distribution,
            ):
                job = Job(world, client.registry("example"), ContentReader(distribution))
                await test(job, **arguments)

        run_virtual(in_world(), grace=0)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@virtual
async def test_a_tag_set_today_on_an_old_image_is_young(job):
    digest = job.push("old")
    job.push("older")
    job.world.tag("new", digest, job.start - timedelta(hours=2))
    assert going(await job.plan(DeleteOlderThan(30 * DAY))) == {"old", "older"}
    assert going(await job.plan(KeepNewest(1), Delete())) == {"older"}
    assert going(await job.plan(KeepNewest(1, unit="tags"), Delete())) == {"old", "older"}


@virtual
async def test_a_manifest_that_lost_its_tags_in_one_list_is_kept(job):
    job.push("v1.0.0")
    stray = job.push()
    listed = job.world._listed
    job.world._listed = lambda one: listed(one) | {"tags": []}
    assert going(await job.plan(DeleteUntagged(DAY))) == {stray}


@virtual
async def test_what_is_pushed_again_after_the_plan_is_kept(job):
    digest = job.push("pr-1", "keep")
    plan = await job.plan(Keep(tags="keep"), DeleteOlderThan(30 * DAY))
    assert going(plan) == {"pr-1"}
    job.world.tag("pr-1", digest)
    report = await job.apply(plan)
    assert len(report.drift) == 1
    assert job.tags == {"pr-1", "keep"}


@virtual
async def test_one_manifest_that_is_gone_or_empty_does_not_spoil_the_rest(job):
    gone = job.push("gone")
    empty = b'{"schemaVersion": 2, "mediaType": "%s", "manifests": null}' % INDEX.encode()
    old = Manifest(_digest(empty), empty, INDEX, job.start - OLD * DAY)
    job.world.repository.manifests[old.digest] = old
    job.world.tag("empty", _digest(empty), job.start - OLD * DAY)
    job.push("old")
    answer = job.world._registry

    def without(request, path):
        if gone in path and gone in job.manifests:
            job.world.remove(gone)
        return answer(request, path)

    job.world._registry = without
    plan = await job.plan(Delete())
    assert going(plan) == {"old", "empty"}
    assert not plan.left_alone


@virtual
async def test_a_part_in_use_keeps_its_index_and_a_signature_in_use_itself(job):
    child, other = job.push("amd"), job.push("arm")
    index = job.push("multi", children=(child, other))
    signature = f"sha256-{'0' * 64}.sig"
    job.push(signature)
    running = ["example/web:amd", f"example/web:{signature}"]
    rules = (Delete(), Delete(tags="sha256-*"), DeleteOrphaned(DAY))
    plan = await job.plan(*rules, in_use=running)
    assert going(plan) == {"arm"}
    await job.apply(plan, in_use=running)
    assert {child, other, index} <= job.manifests
    assert signature in job.tags


@virtual
async def test_what_came_into_use_after_the_plan_is_kept(job):
    job.push("a")
    job.push("b")
    plan = await job.plan(Delete(), in_use=["example/web:other"])
    assert str(plan.in_use).startswith("in use: 1 reference read, 1 of this registry, 0 found")
    report = await job.apply(plan, in_use=["example/web:a"])
    assert job.tags == {"a"}
    assert len(report.deleted) == 1


class Running:
    """A source that is asked: what runs by its answers, and how often it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.times = 0

    async def __aiter__(self):
        self.times += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        for tag in answer:
            yield f"example/web:{tag}"


@virtual
async def test_what_comes_into_use_during_a_long_apply_is_kept(job):
    for number in range(400):
        job.push(f"pr-{number:03}", days=OLD + number)
    plan = await job.plan(Delete())
    last = [item.tags[0] for _, item in plan.condemned][-3:]
    running = Running(["other"], last)
    report = await job.apply(plan, in_use=running)
    assert job.tags == {*last}
    assert {one.reason for one in report.drift} == {"in use: given as in use"}
    assert running.times > 2


@virtual
async def test_where_nobody_knows_any_more_what_runs_nothing_more_is_deleted(job):
    for number in range(400):
        job.push(f"pr-{number:03}", days=OLD + number)
    plan = await job.plan(Delete())
    running = Running(["other"], InUseError.unknown("cannot know what runs"))
    report = await job.apply(plan, in_use=running)
    assert running.times == 2
    assert report.deleted
    assert {one.reason for one in report.not_attempted} == {"cannot know what runs"}
    assert len(report.deleted) + len(report.not_attempted) == 400


@virtual
async def test_references_that_were_given_are_not_asked_for_again(job):
    for number in range(300):
        job.push(f"pr-{number:03}", days=OLD + number)
    plan = await job.plan(Delete())

    async def once():
        yield "example/web:pr-000"

    await job.apply(plan, in_use=once())
    assert job.tags == {"pr-000"}


@virtual
async def test_an_index_pushed_over_a_condemned_child_keeps_it(job):
    child = job.push("pr-1")
    job.push("pr-2")
    plan = await job.plan(Delete())
    job.world.push("release", children=(child,))
    await job.apply(plan)
    assert job.tags == {"pr-1", "release"}
    assert child in job.manifests


@virtual
async def test_a_tag_set_while_the_job_waits_for_quota_is_seen(job):
    digests = [job.push(f"pr-{number}") for number in range(160)]
    plan = await job.plan(Delete())
    waiting = digests[-1], digests[0]

    def move():
        # More than the quota of the first hour has been sent.
        if len(job.world.deletes) == 100 and "release" not in job.tags:
            left = [one for one in waiting if one in job.manifests]
            job.world.tag("release", left[0])

    job.world.move = move
    await job.apply(plan)
    assert "release" in job.tags
    assert job.world.repository.tags["release"].digest in job.manifests
    assert job.world.now() - job.start > timedelta(minutes=30)


@virtual
async def test_an_outage_of_the_registrys_side_deletes_nothing(job):
    for number in range(20):
        job.push(f"pr-{number}")
    plan = await job.plan(Delete())
    job.world.registry_outage = lambda: 500
    report = await job.apply(plan)
    assert len(report.not_attempted) == 20
    assert job.world.deletes == []


@virtual
async def test_one_look_that_fails_does_not_turn_off_the_others(job):
    for number in range(20):
        job.push(f"pr-{number}", "keep" if number == 0 else f"keep-{number}")
    plan = await job.plan(Keep(tags="keep*"), Delete())
    failures = iter([500] * 2)
    job.world.registry_outage = lambda: next(failures, 0)
    moved = job.world.push("elsewhere")
    job.world.tag("pr-19", moved)
    await job.apply(plan)
    assert "pr-19" in job.tags


@virtual
async def test_a_passing_404_settles_nothing(job):
    for number in range(6):
        job.push(f"pr-{number}")
    plan = await job.plan(Delete())
    outage = iter([404] * 4)
    page = job.world._page
    job.world._page = lambda *given: _error(404) if next(outage, 0) else page(*given)
    report = await job.apply(plan)
    assert not report.absent
    assert len(report.deleted) + len(report.not_attempted) == 6


@virtual
async def test_a_plan_for_another_registry_of_the_name_is_refused(job):
    job.push("a")
    plan = await job.plan(Delete())
    job.world.created_at += timedelta(seconds=1)
    with pytest.raises(PlanFileError, match="this one was created at"):
        await job.apply(plan)
    assert job.tags == {"a"}


@virtual
async def test_in_a_cycle_of_needs_the_index_goes_first(job):
    child = job.push()
    index = job.push("pr-1", f"{child.replace(':', '-')}.sbom", children=(child,))
    refused = []
    delete = job.world._delete

    def busy(kind, name):
        refused.append(name)
        return _error(409) if name == index else delete(kind, name)

    job.world._delete = busy
    report = await job.apply(await job.plan(Delete()))
    assert child in job.manifests
    assert set(refused) == {index}
    assert len(report.failed) == 1


@virtual
async def test_releases_are_versions_with_build_metadata_and_with_leading_zeros(job):
    for number, tag in enumerate(["1.0.1_build.4", "1.0.2_build.5", "2024.12.09", "2024.12.10"]):
        job.push(tag, days=OLD - number)
    job.push("1.0.3-rc1")
    assert going(await job.plan(Delete())) == {"1.0.3-rc1"}
    newest = KeepReleases(1, older="delete", per="minor")
    assert going(await job.plan(newest)) == {"1.0.1_build.4", "2024.12.09"}


@virtual
async def test_a_group_marks_the_version_of_other_tags(job):
    for number in (8, 9, 10):
        job.push(f"app-v1.2.{number}", days=OLD + number)
    newest = KeepReleases(1, tags=Regex(r"app-v(.*)"), older="delete")
    assert going(await job.plan(newest)) == {"app-v1.2.8", "app-v1.2.9"}


@virtual
async def test_orphans_go_by_their_rule_whatever_the_algorithm(job):
    subject = job.push("v1.0.0")
    here = f"{subject.replace(':', '-')}.sig"
    job.push(here)
    orphans = {f"sha256-{'1' * 64}.att", f"sha512-{'2' * 64}", f"sha512-{'2' * 64}.sig"}
    young = f"sha256-{'3' * 64}.sbom"
    for tag in orphans:
        job.push(tag)
    job.push(young, days=0)
    untagged = job.push(subject=f"sha512:{'4' * 128}")
    plan = await job.plan(DeleteOrphaned(DAY))
    assert going(plan) == orphans | {untagged}
    await job.apply(plan)
    assert job.tags == {"v1.0.0", here, young}


@virtual
async def test_a_rule_that_names_signatures_is_obeyed_only_without_their_subject(job):
    subject = job.push("v1.0.0")
    here, orphan = f"{subject.replace(':', '-')}.sig", f"sha256-{'1' * 64}.sig"
    job.push(here)
    job.push(orphan)
    assert going(await job.plan(Delete(tags="*.sig"))) == {orphan}


@virtual
async def test_the_newest_untagged_are_kept(job):
    digests = [job.push(days=days) for days in (50, 40, 30)]
    plan = await job.plan(KeepNewestUntagged(1), DeleteUntagged(DAY))
    assert going(plan) == {*digests[:2]}


@virtual
async def test_caps_travel_in_the_plan_and_are_told_by_it(job):
    for number in range(10):
        job.push(f"pr-{number}", days=OLD + number)
    plan = await job.plan(KeepNewest(5), Delete(), max_fraction=0.4)
    with pytest.raises(CapExceededError):
        await job.apply(plan, force=False)
    plan = await job.plan(KeepNewest(5), Delete(), max_deletes=4)
    with pytest.raises(CapExceededError):
        await job.apply(plan)
    assert len(job.tags) == 10


@virtual
async def test_nothing_of_an_excluded_repository_is_planned(job):
    job.push("a")
    assert going(await job.plan(Delete(), exclude="w*")) == set()


@virtual
async def test_a_rule_that_matches_nothing_is_noted(job):
    job.push("v1.0.0")
    plan = await job.plan(Delete(tags="pr-*"), Delete(tags="v*"))
    assert plan.notes == (
        "rule 1 matched nothing",
        NOTE_ON_PROTECTED,
    )


@virtual
async def test_a_tag_is_explained(job):
    digest = job.push("pr-1")
    job.world.tag("v1.0.0", digest)
    policy = Policy([Keep(tags="v*"), DeleteOlderThan(DAY)], floor=0)
    found = await explain_tag(
        job.registry, policy, job.contents, "web", "pr-1", now=job.world.now()
    )
    assert (found.deleted, found.digest) == (True, digest)
    assert [str(one) for one in found.rules] == [
        "rule 1 does not match it",
        "rule 2 deletes it: older than 1d",
    ]


@virtual
async def test_what_arrives_in_the_last_milliseconds_is_told(job):
    child = job.push("pr-1")
    plan = await job.plan(Delete())
    delete = job.world._delete

    def pushed_over(kind, name):
        job.world.push("release", children=(child,))
        return delete(kind, name)

    job.world._delete = pushed_over
    report = await job.apply(plan)
    assert not report.done
    assert [one.missing for one in report.incomplete] == [(child,)]


@virtual
async def test_one_404_of_a_subject_that_a_short_list_lacks_makes_no_orphan(job):
    job.push("other")
    subject = "sha256:" + "0" * 64
    job.push(subject.replace(":", "-") + ".sig")
    answer, looks = job.world._registry, []

    def once_not_found(request, path):
        if not path.endswith(subject):
            return answer(request, path)
        looks.append(request.method)
        found = web.Response(headers={"Docker-Content-Digest": subject})
        return _error(404) if len(looks) == 1 else found

    job.world._registry = once_not_found
    plan = await job.plan(DeleteOrphaned())
    assert not going(plan)
    assert f"{subject}, which exists" in plan.left_alone[0].reason
