"""A plan and its outcome as JSON, CSV and Markdown: for programs, and for comments on reviews."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen

from aioregistry.cli.display.text import counted, csv_cell, safe, size_in_words, time_in_words

if TYPE_CHECKING:
    from aioregistry.cleanup.garbage import CollectedGarbage
    from aioregistry.cleanup.in_use.summary import InUseSummary
    from aioregistry.cleanup.plan.items import Condemned
    from aioregistry.cleanup.plan.plan import Plan
    from aioregistry.cleanup.records.report import CleanupReport, ItemOutcome

__all__ = [
    "csv_of_plan",
    "document_of_plan",
    "documents_of_run",
    "markdown_of_plan",
    "summary_of_run",
]

_MAX_TOP_ITEMS = 10
_STATUSES = ("deleted", "absent", "drift", "failed", "unknown", "not_attempted")


@frozen
class _Group:
    """The items of one repository, or of one reason."""

    name: str
    items: "Sequence[Condemned]"

    @property
    def tags(self) -> int:
        return sum(len(item.tags) for item in self.items)

    @property
    def manifests(self) -> int:
        return sum(item.delete == "manifest" for item in self.items)

    @property
    def size(self) -> int:
        """Bytes of the manifests; images that stay may share a part."""
        sizes = {
            item.digest: item.size_bytes or 0 for item in self.items if item.delete == "manifest"
        }
        return sum(sizes.values())


def _by_reason(plan: "Plan") -> list[_Group]:
    groups: dict[str, list[Condemned]] = {}
    for _, item in plan.condemned:
        groups.setdefault(item.reason, []).append(item)
    made = [_Group(reason, tuple(items)) for reason, items in groups.items()]
    return sorted(made, key=lambda group: -group.size)


def _largest(plan: "Plan") -> "list[tuple[str, Condemned]]":
    whole = [(name, item) for name, item in plan.condemned if item.delete == "manifest"]
    return sorted(whole, key=lambda pair: -(pair[1].size_bytes or 0))[:_MAX_TOP_ITEMS]


def document_of_plan(plan: "Plan", path: Path | None = None) -> dict[str, Any]:
    """Return a plan as a document of JSON: totals, repositories, reasons, largest items, notes.

    Args:
        plan: The plan.
        path: Its file, if it has one.
    """
    every = _Group("", tuple(item for _, item in plan.condemned))
    return {
        "registry": plan.registry,
        "plan": None if path is None else str(path),
        "made_at": plan.made_at.isoformat(),
        "tags_to_delete": every.tags,
        "manifests_to_delete": every.manifests,
        "requests": plan.requests,
        "seconds_at_the_limit": round(plan.seconds, 1),
        "frees_bytes": plan.frees.bytes,
        "frees_at_least": plan.frees.at_least,
        "frees_at_most": plan.frees.at_most,
        "repositories": [
            {
                "name": repo.name,
                "tags_before": repo.tags,
                "tags_after": repo.tags - repo.tags_going,
                "manifests_before": repo.manifests,
                "manifests_after": repo.manifests - _Group("", repo.condemned).manifests,
                "bytes": _Group("", repo.condemned).size,
            }
            for repo in plan.repositories
            if repo.condemned
        ],
        "reasons": [
            {
                "reason": group.name,
                "tags": group.tags,
                "manifests": group.manifests,
                "bytes": group.size,
            }
            for group in _by_reason(plan)
        ],
        "largest": [
            {
                "repository": name,
                "digest": item.digest,
                "tags": item.tags,
                "bytes": item.size_bytes,
                "reason": item.reason,
            }
            for name, item in _largest(plan)
        ],
        "skipped": [
            {"repository": left.repository, "reason": left.reason} for left in plan.left_alone
        ],
        "in_use": None if plan.in_use is None else _document_of_use(plan.in_use),
        "notes": list(plan.notes),
    }


def _document_of_use(in_use: "InUseSummary") -> dict[str, Any]:
    asked = [{**asdict(one), "at": one.at.isoformat()} for one in in_use.asked]
    return {**asdict(in_use), "asked": asked}


def documents_of_run(
    plan: "Plan",
    path: Path | None,
    report: "CleanupReport | None",
    collected: "CollectedGarbage | None",
) -> Iterator[dict[str, Any]]:
    """Yield the outcome of each item of a plan, then the summary.

    Args:
        plan: The plan.
        path: Its file.
        report: The outcomes; None for a plan that was not carried out.
        collected: The garbage collection after it, if there was one.
    """
    if report is None:
        for name, item in plan.condemned:
            yield {"kind": "item", "registry": plan.registry, **_item(name, item)}
    else:
        for status in _STATUSES:
            outcomes: tuple[ItemOutcome, ...] = getattr(report, status)
            for one in outcomes:
                yield {
                    "kind": "outcome",
                    "registry": plan.registry,
                    **_item(one.repository, one.item),
                    "status": one.status,
                    "status_reason": one.reason,
                }
    yield summary_of_run(plan, path, report, collected)


def summary_of_run(
    plan: "Plan",
    path: Path | None,
    report: "CleanupReport | None",
    collected: "CollectedGarbage | None",
) -> dict[str, Any]:
    """Return what a plan came to, as the last document of `documents_of_run` says it."""
    summary: dict[str, Any] = {"kind": "summary", **document_of_plan(plan, path)}
    if report is not None:
        summary["outcomes"] = {status: len(getattr(report, status)) for status in _STATUSES}
        summary["incomplete"] = [asdict(one) for one in report.incomplete]
        summary["unchecked"] = list(report.unchecked)
    if collected is not None:
        run = collected.run
        summary["garbage_collection"] = {
            "uuid": run.uuid,
            "status": run.status,
            "freed_bytes": run.freed_bytes,
            "blobs_deleted": run.blobs_deleted,
        }
    return summary


def _item(repository: str, item: "Condemned") -> dict[str, Any]:
    return {
        "repository": repository,
        "delete": item.delete,
        "digest": item.digest,
        "tags": item.tags,
        "bytes": item.size_bytes,
        "pushed_at": None if item.pushed_at is None else item.pushed_at.isoformat(),
        "reason": item.reason,
    }


def csv_of_plan(plan: "Plan") -> str:
    """Return the items of a plan as CSV with a header; formulas and control characters escaped."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    columns = ("repository", "delete", "digest", "tags", "bytes", "pushed_at", "reason")
    writer.writerow(columns)
    for name, item in plan.condemned:
        row = _item(name, item) | {"tags": ",".join(item.tags)}
        writer.writerow(["" if row[key] is None else csv_cell(str(row[key])) for key in columns])
    return buffer.getvalue()


def markdown_of_plan(plan: "Plan") -> str:
    """Return a plan as Markdown for a comment: totals, tables, largest items, notes."""
    every = _Group("", tuple(item for _, item in plan.condemned))
    if not every.items:
        lines = [f"**{_cell(plan.registry)}**: nothing to delete", *_remarks(plan)]
        return "\n".join(lines) + "\n"
    total = (
        f"**{_cell(plan.registry)}**: delete {counted(every.tags, 'tag')} and"
        f" {counted(every.manifests, 'manifest')} ({counted(plan.requests, 'request')},"
        f" {time_in_words(plan.seconds)} at the API's limit); a garbage collection then frees"
        f" {plan.frees}."
    )
    lines = [
        total,
        "",
        "| repository | tags before | after | manifests before | after | size with shared parts |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for repo in plan.repositories:
        if repo.condemned:
            group = _Group(repo.name, repo.condemned)
            lines.append(
                f"| {_cell(repo.name)} | {repo.tags:,} | {repo.tags - repo.tags_going:,} |"
                f" {repo.manifests:,} | {repo.manifests - group.manifests:,} |"
                f" {size_in_words(group.size)} |"
            )
    lines += ["", "| reason | tags | manifests | size with shared parts |", "|---|--:|--:|--:|"]
    for group in _by_reason(plan):
        size = size_in_words(group.size)
        lines.append(f"| {_cell(group.name)} | {group.tags:,} | {group.manifests:,} | {size} |")
    lines += ["", "| largest | tags | size | reason |", "|---|---|--:|---|"]
    for name, item in _largest(plan):
        tags = ", ".join(map(_cell, item.tags)) or "untagged"
        size = "unknown" if item.size_bytes is None else size_in_words(item.size_bytes)
        digest = item.digest.removeprefix("sha256:")[:12]
        lines.append(f"| {_cell(name)}@{digest} | {tags} | {size} | {_cell(item.reason)} |")
    lines += _remarks(plan)
    return "\n".join(lines) + "\n"


def _remarks(plan: "Plan") -> Iterator[str]:
    """Yield what a plan says beside its tables, as lists of Markdown: whom it asked comes first."""
    in_use = (
        ["nobody was asked what runs"]
        if plan.in_use is None
        else [str(plan.in_use), *(f"asked: {server}" for server in plan.in_use.asked)]
    )
    skipped = [f"{left.repository}: {left.reason}" for left in plan.left_alone]
    for title, texts in (("In use", in_use), ("Skipped", skipped), ("Notes", plan.notes)):
        if texts:
            yield from ("", f"{title}:", "", *(f"- {_cell(text)}" for text in texts))


def _cell(text: str) -> str:
    # A name must neither end a cell nor become a link, a mention or markup.
    escaped = safe(text).replace("\\", "\\\\")
    for character in "|`*_[]<>@#":
        escaped = escaped.replace(character, f"\\{character}")
    return escaped
