"""Making a plan: what is listed, what it says, and what the policy makes of it."""

from collections.abc import AsyncIterable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from attrs import evolve

from aioregistry.arguments import Ignored, Many, Several, plain_callback, refuse_one
from aioregistry.cleanup.in_use.references import InUse, Use, collect_in_use
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.memory.memory import ListMemory
from aioregistry.cleanup.memory.opening import open_memory
from aioregistry.cleanup.memory.state import RepositoryState
from aioregistry.cleanup.plan.items import LeftAlone, PlanProgress
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.plan.planner import Planner
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import NotFoundError
from aioregistry.oci.references import Reference
from aioregistry.ratelimit.priority import bulk_work
from aioregistry.session.exchange import RecentRequests

__all__ = ["PlanProgress", "make_plan", "time_by"]

# A date of HTTP has whole seconds, and an answer takes its time.
_MAX_SECONDS_AHEAD = 60.0


def time_by(answers: RegistryHandle | RecentRequests) -> tuple[datetime, timedelta]:
    """Return up to when ages are counted, once the API has answered.

    By a clock that is ahead everything is too old: then it is the API's time.

    Args:
        answers: What knows of its answers.

    Returns:
        The time, and by how much this machine's clock is ahead of it; nothing where it is right.
    """
    now, ahead = datetime.now(UTC), answers.seconds_ahead or 0.0
    if ahead <= _MAX_SECONDS_AHEAD:
        return now, timedelta()
    by = timedelta(seconds=round(ahead))
    return now - by, by


async def make_plan(
    registry: RegistryHandle,
    policy: Policy,
    contents: ContentSource,
    *,
    in_use: InUse
    | Several[Use | Reference | str]
    | AsyncIterable[Use | Reference | str]
    | None = None,
    repositories: Many[str] | None = None,
    leave: Mapping[str, str] | None = None,
    now: datetime | None = None,
    memory: ListMemory | bool = True,
    full: bool = False,
    estimate: bool | None = None,
    on_progress: Callable[[PlanProgress], Ignored] | None = None,
) -> Plan:
    """Look at a whole registry, and plan what the policy wants deleted. Nothing is deleted.

    ``GET …/repositoriesV2``, and for each repository ``GET …/digests`` and ``GET …/tags``. Lists
    that cannot change a decision are not read: those of a repository of which the counts show that
    the policy keeps everything, and the times of tags where nothing is old enough. Lists that are
    remembered from an earlier run are read only where the repository has changed. Contents come
    from the registry itself, which costs none of the API's quota. A repository that cannot be
    listed or read for certain is left alone.

    Args:
        registry: The registry.
        policy: What is to stay and to go.
        contents: Where the contents of manifests are read.
        in_use: What runs somewhere, and so stays; None, the default, when that is not asked.
        repositories: Where the policy holds; None for everywhere.
        leave: Repositories to leave alone, each with the reason: such as those of which `undo` has
            just restored images, which makes them their newest. None, the default, for none.
        now: Up to when ages are counted; None for now, by the API's clock if this machine's is more
            than a minute ahead of it: then the plan has a note.
        memory: Where lists are remembered between runs. True, the default, for a file beside the
            cache of `contents`, where it has one; False for none.
        full: Whether nothing that is remembered is used. False by default.
        estimate: Whether the bytes that the plan frees are counted over all repositories, as layers
            are shared: then all are listed if anything is deleted. None, the default, for whether
            `repositories` is None. Without it they are counted as "at most".
        on_progress: Called with a `PlanProgress` after each step; None, the default, for no call.

    Raises:
        NotFoundError: There is no such registry, or one of `repositories` is not in it.
        RegistryError: Any other of its kinds.
        ValueError: `now` has no time zone.
    """
    refuse_one("repositories", repositories)
    on_progress = plain_callback("on_progress", on_progress)
    if now is not None and now.tzinfo is None:
        raise ValueError("now must have a time zone, as in datetime.now(UTC)")
    running = await collect_in_use(in_use)
    listed = await registry.repositories().collect(require_complete=True)
    ahead = timedelta()
    if now is None:
        now, ahead = time_by(registry)
    names = sorted({repository.name for repository in listed})
    missing = sorted({*(repositories or ())}.difference(names))
    if missing:
        raise NotFoundError(f"no repository of {registry.name!r}: {', '.join(missing)}")
    leave = leave or {}
    chosen = names if repositories is None else sorted({*repositories})
    states = {repository.name: RepositoryState.of(repository) for repository in listed}
    with open_memory(memory, registry.name, contents) as remembered:
        planner = Planner(
            registry,
            policy,
            contents,
            running,
            [name for name in chosen if name not in leave],
            states,
            remembered,
            now,
            repositories is None if estimate is None else estimate,
            on_progress,
        )
        # Its lists and credentials give way to people.
        with bulk_work():
            plan = await planner.plan(names, full=full)
    held = (name for name in chosen if name in leave and policy.may_delete(name))
    left = (LeftAlone(name, leave[name]) for name in held)
    notes = plan.notes
    if ahead:
        notes += (f"this machine's clock is {ahead} ahead of the API's, by which ages are counted",)
    return evolve(plan, left_alone=(*plan.left_alone, *left), notes=notes)
