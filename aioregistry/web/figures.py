"""What a service knows of its registries: for its metrics, and for the pages of usage."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from aioregistry.api.models import Registry
from aioregistry.arguments import Ignored
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import NotFoundError
from aioregistry.ratelimit.limits import RateLimitStatus

# Services that neither count nor clean up need none of the extras behind these.
if TYPE_CHECKING:
    from aioregistry.cleanup.manifests.reader import ContentSource
    from aioregistry.cleanup.plan.plan import Plan
    from aioregistry.cleanup.records.report import CleanupReport
    from aioregistry.usage.metrics import CleanupFigures, RegistryFigures
    from aioregistry.usage.model import By, RegistryUsage, UsageRow

__all__ = ["PAGE_HEADERS", "Figures", "page_of_plan"]

_MAX_ROWS = 500

PAGE_HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    # The rest of the policy is in the page itself; this part counts in a header alone.
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@frozen
class _Counted:
    figures: "RegistryFigures"
    repositories: "Sequence[UsageRow]"
    page: bytes


class Figures:
    """What a service knows of its registries, each as it was counted last.

    Memory: a page for each registry that was counted, at most 8 MB, and some numbers.
    """

    def __init__(self) -> None:
        self._counted: dict[str, _Counted] = {}
        self._cleanups: dict[str, CleanupFigures] = {}

    async def count(
        self,
        registry: RegistryHandle,
        contents: "ContentSource | None" = None,
        *,
        by: "By | str" = "repository",
        top: int | None = 500,
        reported: Registry | None = None,
        plan: "Plan | None" = None,
        on_progress: Callable[[int], Ignored] | None = None,
    ) -> "RegistryUsage":
        """Count the bytes of a registry by `measure_usage`, and keep its figures and its page.

        It belongs in a job: a large registry takes minutes.

        Args:
            registry: The registry.
            contents: Reads manifests; None, the default, reads none.
            by: What the rows are of what is returned; repositories by default.
            top: How many there are, the largest; 500 by default, None for all.
            reported: What the API says of the registry; None, the default, leaves it out.
            plan: What a policy would delete, for the page; None, the default, for no policy.
            on_progress: Called with how many manifests were listed so far; None for no call.

        Raises:
            MissingExtraError: The extra ``report`` is not installed.
            NotFoundError: The registry does not exist; what was known of it is forgotten.
            RegistryError: Any other of its kinds.
        """
        from aioregistry.report.usage_page import GROUPS, usage_page
        from aioregistry.usage.measuring import measure_usage
        from aioregistry.usage.metrics import RegistryFigures
        from aioregistry.usage.model import By

        begun = time.monotonic()
        try:
            usage = await measure_usage(
                registry, contents, by=by, top=top, also=GROUPS, on_progress=on_progress
            )
        except NotFoundError as error:
            if error.is_certain:
                self.forget(registry.name)
            raise
        figures = RegistryFigures(usage=usage, reported=reported, seconds=time.monotonic() - begun)
        plans = None if plan is None else {plan.registry: plan}
        page = await asyncio.to_thread(usage_page, [figures], plans=plans)
        # The page has the rows: they are not kept twice.
        few = evolve(figures, usage=evolve(usage, groups={}, rows=()))
        rows = usage.groups[By.REPOSITORY].rows[:_MAX_ROWS]
        self._counted[registry.name] = _Counted(few, rows, page)
        return usage

    def forget(self, registry: str) -> None:
        """Forget a registry, as one that was deleted: metrics no longer have it.

        Args:
            registry: The registry's name.
        """
        self._counted.pop(registry, None)
        self._cleanups.pop(registry, None)

    def begin_cleanup(self, registry: str) -> None:
        """Note that a clean-up begins: its counters are there before it counts, and so grow.

        Args:
            registry: The registry's name.
        """
        from aioregistry.usage.metrics import CleanupFigures

        self._cleanups.setdefault(registry, CleanupFigures())

    def add_cleanup(
        self, registry: str, report: "CleanupReport", *, seconds: float, plan: str | None = None
    ) -> None:
        """Note what a clean-up did.

        Args:
            registry: The registry's name.
            report: What became of the items of its plan.
            seconds: How long it took.
            plan: The plan's `Plan.id`: of one that is resumed each item counts once. None, the
                default, for a plan that is not resumed.
        """
        from aioregistry.usage.history import RESULTS, UsageRecord
        from aioregistry.usage.metrics import CleanupFigures

        record = UsageRecord(
            at=datetime.now(UTC),
            cause="cleanup",
            seconds=round(seconds),
            plan=plan,
            **{result: len(getattr(report, result)) for result in RESULTS},
        )
        known = self._cleanups.get(registry, CleanupFigures())
        self._cleanups[registry] = known.with_record(record)

    def page(self, registry: str) -> bytes | None:
        """Return the page of a registry; None if it was not counted yet."""
        counted = self._counted.get(registry)
        return None if counted is None else counted.page

    def document(self, registry: str) -> dict[str, Any] | None:
        """Return what was counted of a registry as JSON values; None if it was not yet."""
        counted = self._counted.get(registry)
        return None if counted is None else _document(counted)

    def metrics(
        self, accept: str = "", quotas: Iterable[RateLimitStatus | None] = ()
    ) -> tuple[bytes, str]:
        """Return metrics for Prometheus, and the type of their format.

        Args:
            accept: The header ``Accept`` of the scraper.
            quotas: The quota of each client: the one with the fewest requests left is shown.

        Raises:
            ModuleNotFoundError: The extra ``metrics`` is not installed.
        """
        from aioregistry.usage.metrics import openmetrics_for

        known = [quota for quota in quotas if quota is not None]
        return openmetrics_for(
            accept,
            [counted.figures for counted in self._counted.values()],
            cleanups=self._cleanups,
            quota=min(known, key=lambda quota: quota.windows[-1].free, default=None),
        )


def _document(counted: _Counted) -> dict[str, Any]:
    usage = counted.figures.usage
    total = usage.total
    return {
        "registry": usage.registry,
        "at": usage.at.isoformat(),
        "complete": usage.complete,
        "image_bytes": usage.image_bytes,
        "tags": total.tags,
        "manifests": total.manifests,
        "untagged": total.untagged,
        "bytes": total.bytes,
        "untagged_bytes": total.untagged_bytes,
        "referrer_bytes": total.referrer_bytes,
        "at_least": total.at_least,
        "repositories": [
            {
                "name": row.name,
                "tags": row.tags,
                "manifests": row.manifests,
                "bytes": row.bytes,
                "exclusive_bytes": row.exclusive_bytes,
            }
            for row in counted.repositories
        ],
    }


async def page_of_plan(plan: "Plan") -> bytes:
    """Return the page of a plan, made in a thread: a large one takes a second.

    Args:
        plan: The plan.

    Raises:
        MissingExtraError: The extra ``report`` is not installed.
    """
    from aioregistry.report.plan_page import plan_page

    return await asyncio.to_thread(plan_page, plan)
