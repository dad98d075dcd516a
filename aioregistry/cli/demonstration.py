"""The main job: a registry is walked, cleaned up, and walked again."""

import time

from aioregistry.bulk import Outcome
from aioregistry.cli.content import REGISTRY, Content
from aioregistry.cli.meter import Meter, peak_memory
from aioregistry.cli.render import Display
from aioregistry.cli.result import Result, Tally, Walk
from aioregistry.cli.retention import condemned
from aioregistry.client import RegistryClient
from aioregistry.handles import RegistryHandle
from aioregistry.ratelimit import RateLimit
from aioregistry.sandbox import Limits, Sandbox

__all__ = ["demonstrate"]

_PER_PAGE = 200


async def demonstrate(content: Content, scale: float, display: Display, tally: Tally) -> Result:
    """Start the registry, walk it, delete what is not kept, and walk it again.

    Args:
        content: What the registry holds.
        scale: How many times faster than real time runs.
        display: Where all is shown.
        tally: Counts what is deleted, to be read when this is interrupted.

    Raises:
        RegistryError: A walk failed.
    """
    meter = Meter(RateLimit().scaled(scale))
    memory = peak_memory()
    async with (
        Sandbox(content.state, limits=Limits(scale=scale)) as sandbox,
        RegistryClient(
            sandbox.token, base_url=sandbox.url, rate_limit=meter, per_page=_PER_PAGE
        ) as client,
    ):
        display.say(f"an embedded one at {sandbox.url}: {content.title}", begin="Registry")
        display.say(_limits_in(scale), begin="Limits  ")
        begun = time.perf_counter()
        registry = client.registry(REGISTRY)
        before = await _walk("Walk    ", registry, meter, display)
        chosen = condemned(before.tags, content.keep, content.releases)
        await _delete(registry, chosen, meter, display, tally)
        after = await _walk("Verify  ", registry, meter, display)
        seconds = time.perf_counter() - begun
        rejected = sandbox.rejected_count
    gone = {(repository, name) for repository, names in chosen.items() for name in names}
    expected = before.names - gone if content.left is None else content.left
    costs = (rejected, seconds, (memory, peak_memory()))
    return Result(content, tally, meter, before, expected, after, *costs)


async def _walk(name: str, registry: RegistryHandle, meter: Meter, display: Display) -> Walk:
    repositories = await registry.repositories().collect()
    total = sum(repository.tag_count or 0 for repository in repositories)
    tags = []
    async with display.stage(name, total, "tags", meter, items_a_request=_PER_PAGE) as stage:
        async for tag in registry.tags():
            tags.append(tag)
            stage.advance()
    word = "repository" if len(repositories) == 1 else "repositories"
    display.say(
        f"{len(tags):,} tags in {len(repositories):,} {word}, {stage.seconds:.1f} s", begin=name
    )
    return Walk(len(repositories), tuple(tags))


async def _delete(
    registry: RegistryHandle,
    chosen: dict[str, tuple[str, ...]],
    meter: Meter,
    display: Display,
    tally: Tally,
) -> None:
    tally.to_delete = sum(map(len, chosen.values()))
    name = "Delete  "
    async with display.stage(name, tally.to_delete, "tags", meter) as stage:

        def tell(outcome: Outcome) -> None:
            tally.add(outcome)
            stage.advance()

        for repository, names in chosen.items():
            await registry.repository(repository).delete_tags(names, on_outcome=tell)
    display.say(
        f"{tally}, {stage.seconds:.1f} s, {stage.pace:,.0f}/s,"
        f" waited {stage.waited:.1f} s for quota",
        begin=name,
    )


def _limits_in(scale: float) -> str:
    windows = RateLimit().scaled(scale).windows
    limits = " and ".join(f"{limit:,} in {round(period, 3):g} s" for limit, period in windows)
    return f"{limits}: those of the API, {scale:g} times faster"
