"""Carrying out a plan: each item is looked at again, journaled, and deleted after what needs it."""

import asyncio
from collections.abc import AsyncIterable, Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import TypeVar

from aioregistry.arguments import Ignored, Several, plain_callback
from aioregistry.bulk.progress import Progress
from aioregistry.cleanup.apply.caps import Caps
from aioregistry.cleanup.apply.clock import AgeClock
from aioregistry.cleanup.apply.job import TIME_IS_UP, Job, WhatRuns
from aioregistry.cleanup.apply.repository import RepositoryJob
from aioregistry.cleanup.in_use.references import InUse, Use
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.memory.memory import ListMemory
from aioregistry.cleanup.memory.opening import open_memory
from aioregistry.cleanup.plan.file import PlanFileError
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.journal import Journal, JournalError
from aioregistry.cleanup.records.report import CleanupReport, ItemOutcome, Status
from aioregistry.cleanup.records.store import JournalStore
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import ClientClosedError, NotFoundError, RegistryError
from aioregistry.oci.references import Reference
from aioregistry.ratelimit.priority import bulk_work
from aioregistry.session.origins import canonical_origin

__all__ = ["apply_plan"]

T = TypeVar("T")

# What is under way at the deadline may take so many seconds more.
_GRACE_SECONDS = 5.0


async def apply_plan(
    registry: RegistryHandle,
    plan: Plan,
    contents: ContentSource,
    *,
    journal: Path | JournalStore | None = None,
    archive: Path | JournalStore | None = None,
    resume: bool = False,
    caps: Caps | None = None,
    force: bool = False,
    in_use: InUse
    | Several[Use | Reference | str]
    | AsyncIterable[Use | Reference | str]
    | None = None,
    deadline: float | None = None,
    memory: ListMemory | bool = True,
    on_outcome: Callable[[ItemOutcome], Ignored] | None = None,
    on_progress: Callable[[Progress], Ignored] | None = None,
) -> CleanupReport:
    """Delete the items of a plan, except those that changed since it was made.

    Before the first DELETE in a repository, and again after each `batch_size` of them, its
    manifests and tags are listed. Right before each DELETE the registry itself is asked, which
    costs none of the API's quota: where the item's tags point (``HEAD``), and which tags are new
    (``GET …/tags/list``, at most 30 seconds old); what a new tag needs is kept. An item that cannot
    be looked at is not deleted. An index is deleted before its children, and what an item that
    could not be deleted needs is kept. After the last DELETE the tags are read once more.

    ::

        report = await apply_plan(registry, plan, ContentReader(distribution), journal=path)
        print(report)

    Args:
        registry: The registry.
        plan: The plan.
        contents: Where manifests are read, and where the registry is asked for tags.
        journal: A file, or a `JournalStore`, in which every DELETE is noted before it is sent; with
            it a process that was killed can be resumed. None, the default, for no journal.
        archive: A file, or a `JournalStore`, in which the document and the tags of each item are
            kept before its DELETE is sent, for `undo`; it grows from run to run. None, the default,
            for no archive. An item whose document cannot be read is not deleted.
        resume: Whether the journal of an earlier process is continued. False by default.
        caps: The limits on how much may be deleted; None, the default, for those of the plan, and
            half of each repository's tags.
        force: Whether the plan may exceed `Caps.max_fraction`. False by default.
        in_use: The images that run somewhere now. A source that says it each time anew, as
            `ClusterInUse`, is asked again every ten minutes; where it cannot tell then, nothing
            more is deleted. None, the default, for those that the plan recorded, with a warning in
            the log.
        deadline: Seconds after which no further DELETE is sent; None, the default, for no end.
        memory: Where lists are remembered between runs, see `make_plan`: those that turn out to be
            out of date are forgotten, and what is left is remembered. True by default.
        on_outcome: Called with each `ItemOutcome` as soon as it is known; None, the default, for no
            call.
        on_progress: Called with a `Progress`, at most ten times a second; None, the default, for no
            call.

    Returns:
        What became of every item, those that an earlier process finished included; and the images
        that were pushed in the moment in which a part of them was deleted.

    Raises:
        CapExceededError: The plan exceeds its limits; nothing was sent.
        JournalError: The journal cannot be used, and nothing was sent; or it cannot be written any
            more, and nothing more was sent: then its `report` has what became of every item. An
            `ArchiveError` where it is the archive.
        InUseError: What is in use cannot be read; nothing was sent.
        NotFoundError: There is no such registry; nothing was deleted.
        PlanFileError: The plan is for another registry of this name; nothing was deleted.
        ClientClosedError: The client is closed.
        ValueError: The plan is for a registry of another name, or `resume` is without a journal.
    """
    on_outcome = plain_callback("on_outcome", on_outcome)
    on_progress = plain_callback("on_progress", on_progress)
    if plan.registry != registry.name:
        raise ValueError(f"the plan is for {plan.registry!r}, not for {registry.name!r}")
    if resume and journal is None:
        raise ValueError("resume needs the journal of the process that was interrupted")
    (Caps() if caps is None else caps).check(plan, force=force)
    clock = AgeClock(asyncio.get_running_loop().time)
    running = WhatRuns(in_use, plan.in_use, clock)
    await running.ask()
    _check_addresses(registry, plan, contents)
    journaling = nullcontext() if journal is None else Journal(journal, plan, resume=resume)
    archiving = nullcontext() if archive is None else Archive(archive, plan.registry)
    report = None
    with open_memory(memory, plan.registry, contents) as remembered:
        try:
            async with journaling as opened, archiving as kept:
                job = Job(
                    registry,
                    plan,
                    contents,
                    running,
                    clock,
                    journal=opened,
                    archive=kept,
                    memory=remembered,
                    deadline=deadline,
                    on_outcome=on_outcome,
                    on_progress=on_progress,
                )
                # Its lists and credentials give way to people, too.
                with bulk_work():
                    report = await _carry_out(job, Random())  # noqa: S311, no secret
        except JournalError as error:
            error.report = report
            raise
        if remembered is not None:
            await _forget(report, plan, remembered)
    return report


async def _forget(report: CleanupReport, plan: Plan, memory: ListMemory) -> None:
    """Have the next plan list repositories of which remembered lists turned out to be old."""
    recalled = {repository.name for repository in plan.repositories if repository.recalled}
    await memory.forget(*recalled.intersection(outcome.repository for outcome in report.drift))


def _check_addresses(registry: RegistryHandle, plan: Plan, contents: ContentSource) -> None:
    """Raise `PlanFileError` for a plan that was made at other addresses."""
    for server, made_for, here in (
        ("API", plan.api_url, registry.api_url),
        ("registry", plan.registry_url, contents.registry_url),
    ):
        if made_for is None or here is None:
            continue
        if canonical_origin(here) != canonical_origin(made_for):
            raise PlanFileError(
                f"the plan was made with the {server} at {made_for}, and this one is at {here}:"
                " make a plan for it"
            )


async def _carry_out(job: Job, random: Random) -> CleanupReport:
    """Record what becomes of every item, and return the report."""
    repositories: list[RepositoryJob] = []
    try:
        # What is under way at the deadline may end; what waits for quota may not wait on.
        end = None if job.end is None else job.end + _GRACE_SECONDS
        async with asyncio.timeout_at(end) as timeout:
            await _run_repositories(job, random, repositories)
    except TimeoutError:
        if not timeout.expired():
            raise
        if repositories:
            repositories[-1].give_up(TIME_IS_UP)
    lists: dict[Status, list[ItemOutcome]] = {}
    for key in job.plan.condemned:
        if key not in job.outcomes:
            job.record(*key, "unknown" if job.was_sent(*key) else "not_attempted", TIME_IS_UP)
        outcome = job.outcomes[key]
        lists.setdefault(outcome.status, []).append(outcome)
    return CleanupReport(
        **{status: tuple(some) for status, some in lists.items()},
        incomplete=tuple(one for each in repositories for one in each.lacking.found.values()),
        unchecked=tuple(each.name for each in repositories if not each.is_checked),
    )


async def _run_repositories(job: Job, random: Random, begun: list[RepositoryJob]) -> None:
    """Work off one repository after the other, and add each that is begun to `begun`."""
    journal = job.journal
    for repository in _from_anywhere(job.plan.repositories, random):
        pending = [item for item in repository.condemned if not job.recall(repository, item)]
        if pending or (journal is not None and journal.is_unchecked(repository.name)):
            await _check_registry(job)
            begun.append(RepositoryJob(job, repository, pending))
            await begun[-1].run()


def _from_anywhere(things: Sequence[T], random: Random) -> Sequence[T]:
    """Return things from some place on, and the rest after them.

    Several processes that apply one plan begin at different places, and meet what the others
    have done, in place of doing the same at the same time.
    """
    start = random.randrange(len(things)) if things else 0
    return [*things[start:], *things[:start]]


async def _check_registry(job: Job) -> None:
    """Raise unless the plan was made for this registry, and not for another of its name.

    What cannot be found out aborts everything.
    """
    made_for = job.plan.created_at
    if made_for is None or job.is_found or job.aborted is not None:
        return
    try:
        created_at = (await job.registry.get()).created_at
    except NotFoundError as error:
        if not error.is_certain:
            raise
        raise job.not_found() from None
    except ClientClosedError:
        raise
    except RegistryError as error:
        job.aborted = error
        return
    if created_at != made_for:
        raise PlanFileError(
            f"the plan is for a registry {job.plan.registry!r} that was created at"
            f" {made_for}, and this one was created at {created_at or 'an unknown time'}:"
            " make a plan for it"
        )
    job.is_found = True
