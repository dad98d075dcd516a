"""The work of a clean-up's jobs: a plan, its apply, the sizes of what a registry has.

It needs the extra ``cleanup``.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aioregistry.arguments import Many
from aioregistry.bulk.report import BulkDeleteError
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.apply.caps import Caps
from aioregistry.cleanup.in_use.references import InUse, InUseSource
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.records.report import ItemOutcome
from aioregistry.client.client import RegistryClient
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import RegistryError
from aioregistry.oci.distribution import Distribution
from aioregistry.usage.measuring import measure_usage
from aioregistry.usage.model import By
from aioregistry.web.figures import Figures
from aioregistry.web.job import Job

__all__ = ["Work", "apply_work", "plan_file", "plan_work", "usage_work"]

Work = Callable[[Job], Awaitable[None]]
InUseNow = InUse | InUseSource | Callable[[], Awaitable[InUse | None]]

_FACTS = re.compile(r"^\d{3}\b|request id [\w-]+")


def plan_work(
    registry: RegistryHandle,
    policy: Policy,
    folder: Path,
    *,
    in_use: InUseNow | None = None,
    repositories: Many[str] | None = None,
) -> Work:
    """Return the work of a job that makes a plan, and saves it under the job's own identifier.

    Its progress is ``done`` and ``total``, in repositories, and at the end ``plan``, the identifier
    for `plan_file`: of another job where that made the plan, in another replica. `make_plan` has
    the requests.

    Args:
        registry: The registry.
        policy: What is to stay and to go.
        folder: Where the plan is saved, as ``ID.json``: see `plan_file`.
        in_use: What runs somewhere, and so stays: a source as `make_plan` takes it, or a callable
            that is awaited as the work begins. None, the default, when nobody says.
        repositories: Where the policy holds; None, the default, for everywhere.
    """

    async def work(job: Job) -> None:
        async with Distribution(registry) as distribution:
            plan = await make_plan(
                registry,
                policy,
                ContentReader(distribution),
                in_use=await _now(in_use),
                repositories=repositories,
                on_progress=lambda step: job.tell(done=step.repositories, total=step.of),
            )
        await asyncio.to_thread(_save, plan, folder / f"{job.id}.json")
        # Jobs of other replicas that end as this one does pass it on: theirs have made no plan.
        job.tell(**job.progress, plan=job.id)

    return work


async def _now(in_use: InUseNow | None) -> InUse | InUseSource | None:
    return await in_use() if callable(in_use) else in_use


def _save(plan: Plan, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    plan.save(path)


def plan_file(folder: Path, identifier: str) -> Path | None:
    """Return the file of a plan that `plan_work` has saved; None where there is none.

    Args:
        folder: The folder of the plans.
        identifier: The ``plan`` in the progress of a job that made it, which may be any text.
    """
    path = folder / f"{identifier}.json"
    is_name = re.fullmatch(r"[\w-]{1,100}", identifier, re.ASCII) is not None
    return path if is_name and path.is_file() else None


def apply_work(
    client: RegistryClient,
    path: Path,
    *,
    caps: Caps | None = None,
    in_use: InUseNow | None = None,
    figures: Figures | None = None,
) -> Work:
    """Return the work of a job that carries a plan out, as far as no earlier job has done that.

    A journal beside the plan has every DELETE: where a job was cancelled or killed, the next one
    continues, and what is done stays done. Its progress is ``done``, ``total`` and
    ``seconds_left``, and at the end the ``report`` in words; its notes are the outcomes, each with
    ``name``, ``status`` and ``reason``; where an item was not deleted though it should be, the job
    has failed. `apply_plan` has the requests.

    Args:
        client: The client.
        path: The plan's file, as `plan_file` returns it.
        caps: How much may be deleted; None, the default, for the caps of `apply_plan`.
        in_use: What runs somewhere now, as for `plan_work`: a source that is asked, or a callable,
            since the work may begin hours after the job. None, the default, for what the plan was
            made with.
        figures: Where the outcomes are counted, for metrics; None, the default, for nowhere.
    """

    async def work(job: Job) -> None:
        begun = time.monotonic()
        plan = await asyncio.to_thread(Plan.load, path)
        journal = path.with_suffix(".journal")
        registry = client.registry(plan.registry)
        if figures is not None:
            figures.begin_cleanup(plan.registry)
        async with Distribution(registry) as distribution:
            report = await apply_plan(
                registry,
                plan,
                ContentReader(distribution),
                journal=journal,
                resume=await asyncio.to_thread(journal.exists),
                caps=caps,
                in_use=await _now(in_use),
                on_outcome=lambda outcome: _note(job, outcome),
                on_progress=lambda step: job.tell(
                    done=step.done, total=step.total, seconds_left=step.seconds_left
                ),
            )
        if figures is not None:
            seconds = time.monotonic() - begun
            figures.add_cleanup(plan.registry, report, seconds=seconds, plan=plan.id)
        job.tell(done=report.total, total=report.total, report=str(report))
        if not report.done:
            raise BulkDeleteError(str(report), [RegistryError(str(report))])

    return work


def _note(job: Job, outcome: ItemOutcome) -> None:
    item = outcome.item
    name = ", ".join(f"{outcome.repository}:{tag}" for tag in item.tags)
    job.note(
        name=name or f"{outcome.repository}@{item.digest}",
        status=outcome.status,
        reason=_for_outsiders(outcome.reason),
    )


def _for_outsiders(reason: str) -> str:
    """Return a reason without the texts of other libraries' errors, nor addresses.

    Those come with the request that they are of, and so with its address.
    """
    if "://" not in reason:
        return reason
    facts = _FACTS.findall(reason)
    return f"a request failed ({', '.join(facts)})" if facts else "a request failed"


def usage_work(
    registry: RegistryHandle,
    *,
    by: By | str = By.REPOSITORY,
    top: int | None = 500,
    figures: Figures | None = None,
) -> Work:
    """Return the work of a job that counts bytes.

    Its progress is ``manifests``, and at the end ``bytes`` and the ``rows``, each with ``name`` and
    ``bytes``. `measure_usage` has the requests.

    Args:
        registry: The registry.
        by: What the rows are; repositories by default.
        top: How many rows, the largest; 500 by default, None for all.
        figures: Where they are kept, for metrics and for the page of the registry; then indexes are
            read, too, from the registry itself. None, the default, for nowhere.
    """

    async def work(job: Job) -> None:
        def tell(listed: int) -> None:
            job.tell(manifests=listed)

        if figures is None:
            usage = await measure_usage(registry, by=by, top=top, on_progress=tell)
        else:
            async with Distribution(registry) as distribution:
                usage = await figures.count(
                    registry, ContentReader(distribution), by=by, top=top, on_progress=tell
                )
        rows = [{"name": row.name, "bytes": row.bytes} for row in usage.rows]
        job.tell(bytes=usage.total.bytes, rows=rows)

    return work
