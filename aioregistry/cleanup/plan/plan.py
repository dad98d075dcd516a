"""A plan: what a clean-up deletes and why, pinned to digests."""

from collections.abc import Iterable
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from aioregistry.cleanup.plan.condemned import in_columns
from aioregistry.cleanup.plan.file import (
    PlanFileError,
    counts_on_top,
    plan_from_file,
    plan_from_json,
)
from aioregistry.cleanup.plan.items import FreedBytes, PlanFields, RepositoryPlan
from aioregistry.cleanup.plan.writing import plan_in_chunks
from aioregistry.files import write_file
from aioregistry.ratelimit.limits import RateLimit
from aioregistry.ratelimit.windows import RollingWindow, seconds_for

__all__ = ["Plan", "batch_size", "listings_for"]

_PER_PAGE = 200
_MIN_BATCH_DELETES = 170
_DELETES_PER_PAGE = 17


@frozen(kw_only=True)
class Plan(PlanFields):
    """A clean-up of a registry, decided and not yet done."""

    @cached_property
    def requests(self) -> int:
        """How many requests it takes: the DELETEs, and the listings that look again before them."""
        # One to see whether the registry is the one that the plan was made for.
        first = int(self.created_at is not None and any(self.condemned))
        return first + sum(
            _requests_for(repository) for repository in self.repositories if repository.condemned
        )

    @cached_property
    def seconds(self) -> float:
        """How long these requests take at the API's limit, when nothing was sent before."""
        limit = RateLimit()
        windows = [RollingWindow(most, period) for most, period in limit.windows]
        return seconds_for(self.requests, windows, limit.burst, 0.0)

    @cached_property
    def id(self) -> str:
        """What sets this plan apart: a SHA-256 over all that it says."""
        digest = sha256()
        for chunk in plan_in_chunks(self):
            digest.update(chunk)
        return digest.hexdigest()

    def to_json(self) -> str:
        """Return it as JSON: a line for each thing that goes or stays, and a summary on top."""
        return b"".join(plan_in_chunks(self, _summary(self))).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Plan":
        """Return the plan that `to_json` wrote, perhaps with lines taken out by hand.

        Raises:
            PlanFileError: It is none, of another version, or was changed beyond sense.
        """
        plan = plan_from_json(text, cls)
        lines = (text.encode() if isinstance(text, str) else text).splitlines(keepends=True)
        return _bounded(plan, counts_on_top(lines))

    def save(self, path: Path) -> None:
        """Write it to a file, whole or not at all.

        Raises:
            OSError: That is not possible.
        """
        write_file(path, plan_in_chunks(self, _summary(self)))

    @classmethod
    def load(cls, path: Path) -> "Plan":
        """Read it from a file.

        Raises:
            PlanFileError: It holds no plan that can be used.
            OSError: It cannot be read.
        """
        try:
            plan = plan_from_file(path, cls)
        except PlanFileError as error:
            raise PlanFileError(f"{path}: {error.message}") from None
        with path.open("rb") as file:
            return _bounded(plan, counts_on_top(file))

    def without(self, *repositories: str) -> "Plan":
        """Return it without some repositories; what the rest frees is then an upper bound."""
        return _part_of(self, (one for one in self.repositories if one.name not in repositories))

    def only(self, *repositories: str) -> "Plan":
        """Return the part of it that some repositories are; what it frees is an upper bound.

        Raises:
            ValueError: The plan has no repository of one of the names.
        """
        names = {one.name for one in self.repositories}
        missing = [name for name in repositories if name not in names]
        if missing:
            raise ValueError(f"the plan has no repository {', '.join(map(repr, missing))}")
        return _part_of(self, (one for one in self.repositories if one.name in repositories))

    def slices(self, most: int) -> "tuple[Plan, ...]":
        """Return it in slices of whole repositories, to be carried out by several processes.

        Each is a plan with a journal of its own, and takes about as many requests as the others.
        The largest number of DELETEs that the policy allows is dealt out: where the whole is over
        it, so is each of its slices. The largest part of a repository's tags holds in each.

        Args:
            most: The number of slices at most, 1 or more. There are no more than repositories of
                which something is deleted, and none where there are no such.

        Raises:
            ValueError: `most` is less than 1.

        Example:
            >>> from datetime import datetime, UTC
            >>> Plan(registry="example", made_at=datetime.now(UTC)).slices(4)
            ()
        """
        if most < 1:
            raise ValueError(f"a plan has 1 slice or more, not {most}")
        todo = [one for one in self.repositories if one.condemned]
        sizes = {one.name: _requests_for(one) for one in todo}
        bins: list[tuple[int, list[str]]] = [(0, []) for _ in range(min(most, len(todo)))]
        for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
            nth = min(range(len(bins)), key=lambda nth: bins[nth][0])
            bins[nth] = (bins[nth][0] + sizes[name], [*bins[nth][1], name])
        made, left = [], self.max_deletes
        if left is not None and sum(1 for _ in self.condemned) > left:
            # It is refused as a whole.
            left = 0
        for _, names in bins:
            part = self.only(*names)
            if left is not None:
                deletes = sum(len(one.condemned) for one in part.repositories)
                part = evolve(part, max_deletes=min(deletes, left))
                left -= min(deletes, left)
            made.append(part)
        return tuple(made)


def _part_of(plan: Plan, repositories: Iterable[RepositoryPlan]) -> Plan:
    """Return a plan with some of its repositories, and with what these may free."""
    left = tuple(repositories)
    if sum(len(one.condemned) for one in left) == sum(1 for _ in plan.condemned):
        return evolve(plan, repositories=left)
    # Layers may be shared among the items, or with what the rest of the plan deletes.
    sizes = [item.size_bytes for one in left for item in one.condemned if item.delete == "manifest"]
    known = sum(size for size in sizes if size is not None)
    frees = FreedBytes(
        bytes=plan.frees.bytes if None in sizes else min(plan.frees.bytes, known),
        at_least=plan.frees.at_least,
        at_most=True,
    )
    return evolve(plan, repositories=left, frees=frees)


def _requests_for(repository: RepositoryPlan) -> int:
    deletes = len(repository.condemned)
    whole = repository.manifests_going
    pages = _pages(repository.manifests) + _pages(repository.tags)
    listings = listings_for(deletes, repository.manifests, repository.tags)
    # After the last DELETE of a manifest, what is new is looked for once more.
    last = _pages(repository.manifests - whole) if whole else 0
    return deletes + listings * pages + last


def listings_for(deletes: int, manifests: int, tags: int) -> int:
    """Return how often a repository is listed while so much of it is deleted.

    Before the first DELETE, and again each time when the listing costs a seventeenth of the DELETEs
    since the last one: what was tagged or pushed meanwhile is seen soon, and costs little.
    """
    return -(-deletes // batch_size(manifests, tags))


def batch_size(manifests: int, tags: int) -> int:
    """Return how many DELETEs are sent between two listings of so many manifests and tags."""
    return max(_MIN_BATCH_DELETES, _DELETES_PER_PAGE * (_pages(manifests) + _pages(tags)))


def _pages(manifests: int) -> int:
    return max(1, -(-manifests // _PER_PAGE))


def _bounded(plan: Plan, planned: tuple[int, int] | None) -> Plan:
    """Return a plan whose bytes are an upper bound if items were taken out of its file."""
    if planned is None:
        return plan
    tags = sum(in_columns(one.condemned).tags for one in plan.repositories)
    manifests = sum(one.manifests_going for one in plan.repositories)
    if (tags, manifests) == planned:
        return plan
    return evolve(plan, frees=evolve(plan.frees, at_most=True))


def _summary(plan: Plan) -> dict[str, Any]:
    return {
        "tags_deleted": sum(in_columns(one.condemned).tags for one in plan.repositories),
        "manifests_deleted": sum(one.manifests_going for one in plan.repositories),
        "requests": plan.requests,
        "seconds_at_the_limit": round(plan.seconds, 1),
        "frees": str(plan.frees),
    }
