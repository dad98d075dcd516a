"""The page of a plan: what is deleted and why, and what stays."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from attrs import frozen

from aioregistry.cleanup.plan.items import Condemned, Kept, RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.errors import printable
from aioregistry.report.lists import Budget, Column, LongList, choices, digests, minutes
from aioregistry.report.parts import Bar, Figure, bars
from aioregistry.report.render import rendered
from aioregistry.report.usage_figures import reasons
from aioregistry.sizes import counted, size_in_words

__all__ = ["plan_page"]

_LEAST_KEPT = 5_000
_MAX_REPOSITORIES = 20
_MAX_SKIPPED = 100
_MINUTE, _HOUR = 60, 3_600


@frozen
class _Kept:
    """A tag, or a manifest without one, that stays."""

    repository: str
    name: str
    kind: str
    reason: str


def plan_page(plan: Plan) -> bytes:
    """Return a page of a plan for those who review it: one file that needs no network.

    The same plan makes the same bytes. Needs the extra ``report``.

    Args:
        plan: The plan.

    Raises:
        MissingExtraError: The extra is not installed.
    """
    # A plan of a million items is in columns; all of them at once would take much more.
    count = sum(len(one.condemned) for one in plan.repositories)
    budget = Budget()
    fitting = budget.rows(
        (", ".join(item.tags), name, item.reason) for name, item in plan.condemned
    )
    deletes = _list_of_deletes(list(islice(plan.condemned, fitting)), count - fitting)
    fitting = budget.rows(
        ((one.name, one.repository, one.reason) for one in _kept(plan)), _LEAST_KEPT
    )
    kept = sum(len(each.tags) + len(each.untagged) for each in _groups(plan))
    stays = _list_of_kept(list(islice(_kept(plan), fitting)), kept - fitting)
    changed = sorted(
        (one for one in plan.repositories if one.condemned),
        key=lambda one: (-len(one.condemned), one.name),
    )
    return rendered(
        "plan.html.j2",
        {"lists": {each.name: each.document() for each in (deletes, stays)}},
        plan=plan,
        figures=_figures(plan, count),
        meanings=_meanings(plan),
        repositories=_before_and_after(changed[:_MAX_REPOSITORIES]),
        more_repositories=max(0, len(changed) - _MAX_REPOSITORIES),
        untouched=len(plan.repositories) - len(changed),
        reasons=reasons(item.reason for _, item in plan.condemned),
        kept_reasons=_why_kept(plan),
        deletes=deletes,
        stays=stays,
        skipped=plan.left_alone[:_MAX_SKIPPED],
        more_skipped=max(0, len(plan.left_alone) - _MAX_SKIPPED),
    )


def _groups(plan: Plan) -> Iterator[Kept]:
    return (kept for repository in plan.repositories for kept in repository.kept)


def _kept(plan: Plan) -> Iterator[_Kept]:
    for repository in plan.repositories:
        for kept in repository.kept:
            for tag in kept.tags:
                yield _Kept(repository.name, tag, "tag", kept.reason)
            for digest in kept.untagged:
                short = digest.rpartition(":")[2][:12]
                yield _Kept(repository.name, short, "untagged manifest", kept.reason)


def _figures(plan: Plan, deletes: int) -> list[Figure]:
    tags = sum(one.tags for one in plan.repositories)
    manifests = sum(one.manifests for one in plan.repositories)
    tags_going = sum(one.tags_going for one in plan.repositories)
    going = sum(one.manifests_going for one in plan.repositories)
    return [
        Figure("Frees", str(plan.frees), "after garbage collection"),
        Figure("Tags deleted", f"{tags_going:,}", f"of {tags:,}; {tags - tags_going:,} stay"),
        Figure("Manifests deleted", f"{going:,}", f"of {manifests:,}; {manifests - going:,} stay"),
        Figure(
            "Requests",
            f"{plan.requests:,}",
            f"{counted(deletes, 'DELETE')}; {_time(plan.seconds)} at the API's limit",
        ),
    ]


def _time(seconds: float) -> str:
    if seconds >= _HOUR:
        return f"{seconds / _HOUR:.1f} h"
    return f"{seconds / _MINUTE:.0f} min" if seconds >= _MINUTE else f"{seconds:.0f} s"


def _meanings(plan: Plan) -> list[Bar]:
    sizes = sum(item.size_bytes or 0 for _, item in plan.condemned if item.delete == "manifest")
    rows = [
        ("Sizes of the deleted images, added up", "rest", sizes, size_in_words(sizes)),
        ("Freed by a garbage collection", "going", plan.frees.bytes, str(plan.frees)),
    ]
    return bars([(text, [(kind, size)], [words]) for text, kind, size, words in rows])


def _before_and_after(repositories: list[RepositoryPlan]) -> list[Bar]:
    rows = []
    for one in repositories:
        stay, go = one.tags - one.tags_going, one.tags_going
        manifests = one.manifests - one.manifests_going
        cells = [f"{one.tags:,}", f"{stay:,}", f"{one.manifests:,}", f"{manifests:,}"]
        rows.append((one.name, [("tag", stay), ("going", go)], cells))
    return bars(rows)


def _why_kept(plan: Plan) -> list[Bar]:
    tags: Counter[str] = Counter()
    untagged: Counter[str] = Counter()
    for kept in _groups(plan):
        tags[kept.reason] += len(kept.tags)
        untagged[kept.reason] += len(kept.untagged)
    ordered = sorted({*tags, *untagged}, key=lambda why: (-tags[why] - untagged[why], why))
    shown = ordered[:_MAX_REPOSITORIES]
    rows = [(why, tags[why], untagged[why]) for why in shown]
    others = ordered[_MAX_REPOSITORIES:]
    if others:
        text = f"{len(others):,} further reasons"
        rows.append((text, sum(tags[why] for why in others), sum(untagged[why] for why in others)))
    return bars(
        [(why, [("tag", some + more)], [f"{some:,}", f"{more:,}"]) for why, some, more in rows]
    )


def _list_of_deletes(items: list[tuple[str, Condemned]], left_out: int) -> LongList:
    columns = [
        Column("Repository", "choice", *choices(name for name, _ in items)),
        Column("Tags", "text", [printable(", ".join(item.tags)) for _, item in items]),
        Column("Deletes", "choice", *choices(item.delete for _, item in items)),
        Column("Digest", "digest", digests(item.digest for _, item in items)),
        Column("Pushed", "time", [minutes(item.pushed_at) for _, item in items]),
        Column(
            "Size",
            "bytes",
            [-1 if item.size_bytes is None else item.size_bytes for _, item in items],
        ),
        Column("Reason", "choice", *choices(item.reason for _, item in items)),
    ]
    return LongList(
        name="deletes",
        label="What is deleted",
        one="DELETE",
        columns=columns,
        rows=len(items),
        left_out=left_out,
        all_rows="the plan's file",
    )


def _list_of_kept(kept: list[_Kept], left_out: int) -> LongList:
    columns = [
        Column("Repository", "choice", *choices(one.repository for one in kept)),
        Column("Name", "text", [printable(one.name) for one in kept]),
        Column("Kind", "choice", *choices(one.kind for one in kept)),
        Column("Reason", "choice", *choices(one.reason for one in kept)),
    ]
    return LongList(
        name="stays",
        label="What stays",
        one="row",
        columns=columns,
        rows=len(kept),
        left_out=left_out,
        all_rows="the plan's file",
    )
