"""The demonstration: a registry is walked, cleaned up by a plan, collected, and walked again."""

import time

from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.garbage import CollectedGarbage, collect_garbage
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.make import PlanProgress, make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.report import CleanupReport, ItemOutcome
from aioregistry.cli.demo.content import REGISTRY, Content
from aioregistry.cli.demo.result import Result, Walk
from aioregistry.cli.display.counting import peak_memory
from aioregistry.cli.display.plan_tables import DeleteCounts, lines_of_plan, table_of_plan
from aioregistry.cli.display.progress import Display
from aioregistry.client.client import RegistryClient
from aioregistry.client.registry import RegistryHandle
from aioregistry.oci.distribution import Distribution
from aioregistry.ratelimit.limits import RateLimit
from aioregistry.sandbox import Limits, Sandbox

__all__ = ["demonstrate"]

_PER_PAGE = 200
_POLL_SECONDS = 0.1


async def demonstrate(
    content: Content, scale: float, display: Display, counts: DeleteCounts
) -> Result:
    """Start a registry, walk it, clean it up by its policy, and walk it again.

    Args:
        content: The content of the registry.
        scale: How many times faster than in reality time runs.
        display: Shows progress; its limiter is the client's.
        counts: Counts the deletes, to be read when this is interrupted.

    Raises:
        RegistryError: A walk, the planning or the garbage collection failed.
    """
    limiter = display.limiter
    memory = peak_memory()
    async with (
        Sandbox(content.state, limits=Limits(scale=scale)) as sandbox,
        RegistryClient(
            sandbox.token, base_url=sandbox.url, rate_limit=limiter, per_page=_PER_PAGE
        ) as client,
    ):
        display.say(f"an embedded one at {sandbox.url}: {content.title}", begin="Registry")
        display.say(_limits_in(scale), begin="Limits  ")
        begun = time.perf_counter()
        registry = client.registry(REGISTRY)
        before = await _walk("Walk    ", registry, display)
        async with Distribution(registry, base_url=sandbox.url) as distribution:
            contents = ContentReader(distribution)
            plan = await _plan(content, registry, contents, display)
            report = await _apply(plan, registry, contents, display, counts)
        collected = await _collect(plan, registry, display)
        after = await _walk("Verify  ", registry, display)
        seconds = time.perf_counter() - begun
        rejected = sandbox.rejected_count
    gone = {(name, tag) for name, item in plan.condemned for tag in item.tags}
    expected = before.names - gone if content.left is None else content.left
    costs = (rejected, seconds, (memory, peak_memory()))
    return Result(content, plan, report, collected, limiter, before, expected, after, *costs)


async def _walk(name: str, registry: RegistryHandle, display: Display) -> Walk:
    repositories = await registry.repositories().collect()
    total = sum(repository.tag_count or 0 for repository in repositories)
    tags = []
    async with display.stage(name, total, "tags", items_a_request=_PER_PAGE) as stage:
        async for tag in registry.tags():
            tags.append(tag)
            stage.advance()
    word = "repository" if len(repositories) == 1 else "repositories"
    display.say(
        f"{len(tags):,} tags in {len(repositories):,} {word}, {stage.seconds:.1f} s", begin=name
    )
    return Walk(len(repositories), tuple(tags))


async def _plan(
    content: Content,
    registry: RegistryHandle,
    contents: ContentReader,
    display: Display,
) -> Plan:
    name = "Plan    "
    async with display.stage(name, 0, "repositories") as stage:

        def show(progress: PlanProgress) -> None:
            stage.total, stage.done = progress.of, progress.repositories

        plan = await make_plan(registry, content.policy, contents, on_progress=show)
    for line in lines_of_plan(plan, in_use=False):
        display.say(line, begin=name)
    display.show(table_of_plan(plan, display.width))
    return plan


async def _apply(
    plan: Plan,
    registry: RegistryHandle,
    contents: ContentReader,
    display: Display,
    counts: DeleteCounts,
) -> CleanupReport:
    counts.total = sum(len(repo.condemned) for repo in plan.repositories)
    name = "Delete  "
    async with display.stage(name, counts.total, "requests") as stage:

        def count(outcome: ItemOutcome) -> None:
            counts.add(outcome)
            stage.advance(outcome.status)

        # The demo takes most of the tags, which a clean-up refuses unless it is forced to.
        report = await apply_plan(registry, plan, contents, force=True, on_outcome=count)
    display.say(
        f"{counts}, {stage.seconds:.1f} s, {stage.pace:,.0f}/s,"
        f" waited {stage.waited:.1f} s for quota",
        begin=name,
    )
    return report


async def _collect(plan: Plan, registry: RegistryHandle, display: Display) -> CollectedGarbage:
    collected = await collect_garbage(registry, estimate=plan.frees, interval=_POLL_SECONDS)
    display.say(str(collected), begin="Collect ")
    return collected


def _limits_in(scale: float) -> str:
    windows = RateLimit().scaled(scale).windows
    limits = " and ".join(f"{limit:,} in {round(period, 3):g} s" for limit, period in windows)
    return f"{limits}: those of the API, {scale:g} times faster"
