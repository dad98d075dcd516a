"""The work of ``aioregistry untag``."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from attrs import frozen

from aioregistry.cleanup.records.archive import Archive
from aioregistry.cli.asking import ask
from aioregistry.cli.connection import Connection, check_names_tag
from aioregistry.cli.display.progress import Stage
from aioregistry.cli.display.rows import Column, printer_for
from aioregistry.cli.display.text import counted, how_to_undo, safe
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, SOME_FAILED
from aioregistry.cli.options import Access, Output
from aioregistry.cli.running import run_connected
from aioregistry.client.archiving import tags_first
from aioregistry.errors import NotFoundError

if TYPE_CHECKING:
    from aioregistry.api.models import Manifest
    from aioregistry.bulk.report import Outcome
    from aioregistry.client.repository import RepositoryHandle

__all__ = ["COLUMNS", "untag"]

_NOTHING = "nothing was deleted"
_MAX_NAMES_SHOWN = 10


@frozen
class _Untagged:
    """What became of one tag.

    Attributes:
        repository: The repository's name.
        tag: The tag.
        status: As in the outcomes of deletes, or ``to-delete``.
        digest: The manifest that it was on; None for one that did not exist.
        left: The tags that are left on that manifest.
    """

    repository: str
    tag: str
    status: str
    digest: str | None = None
    left: tuple[str, ...] = ()


COLUMNS: list[Column[_Untagged]] = [
    Column("tag", lambda item: f"{item.repository}:{item.tag}", width=32),
    Column("status", lambda item: item.status, width=13),
    Column("digest", lambda item: item.digest, kind="digest", width=71),
    Column("left", lambda item: item.left, width=24),
]


def untag(
    references: list[str],
    registry: str | None,
    yes: bool,
    dry_run: bool,
    archive: Path | None,
    no_archive: bool,
    output: Output,
    access: Access,
) -> None:
    """Delete the tags that ``references`` name, each after it is archived."""
    rows: list[_Untagged] = []

    async def work(to: Connection) -> int:
        printer = printer_for(COLUMNS, output)
        wanted = await _wanted(to, references, registry)
        found: dict[RepositoryHandle, dict[str, Manifest]] = {}
        for repository, tags in wanted.items():
            found[repository] = await _find(to, repository, tags)
            absent = [tag for tag in tags if tag not in found[repository]]
            rows.extend(_Untagged(repository.name, tag, "absent") for tag in absent)
        names = [f"{each.name}:{tag}" for each, tags in found.items() for tag in tags]
        if names and not dry_run and not yes:
            question = f"Delete {counted(len(names), 'tag')}: {_some(names)}?"
            ask("untag", question, _NOTHING, api_url=to.settings.api_url)
        keeps = bool(names) and not dry_run and not no_archive
        kept: Path | None = None
        async with AsyncExitStack() as stack:
            opened = None
            if keeps:
                (name,) = {repository.registry_name for repository in found}
                opened, kept = await stack.enter_async_context(to.archive(name, archive))
            stage = await stack.enter_async_context(to.display.stage("Delete", len(names), "tags"))
            for repository, manifests in found.items():
                statuses = dict.fromkeys(manifests, "to-delete")
                if not dry_run:
                    statuses = await _delete(repository, list(manifests), opened, stage)
                rows.extend(_rows(repository.name, manifests, statuses))
        printer.all(rows)
        for line in _summary(rows, dry_run):
            typer.echo(line, err=True)
        if kept is not None and any(row.status == "deleted" for row in rows):
            typer.echo(how_to_undo(kept), err=True)
        bad = {"failed", "unknown", "not_attempted"}
        return SOME_FAILED if any(row.status in bad for row in rows) else DONE

    run_connected("untag", access, work, lambda: "tags that were not reached are kept")


async def _delete(
    repository: "RepositoryHandle", tags: list[str], archive: Archive | None, stage: Stage
) -> dict[str, str]:
    """Delete tags, each after it is archived, and return what became of each."""
    statuses: dict[str, str] = {}

    def count(outcome: "Outcome") -> None:
        statuses[outcome.name] = outcome.status
        stage.advance(outcome.status)
        if outcome.error is not None and outcome.status != "absent":
            typer.echo(safe(f"{outcome.name}: {outcome.error}"), err=True)

    check = tags_first(archive, repository.registry_name, repository.name, None)
    await repository.delete_tags(tags, count, check=check)
    return statuses


async def _wanted(
    to: Connection, references: list[str], registry: str | None
) -> "dict[RepositoryHandle, list[str]]":
    """Return the tags that references name, each once, by their repositories.

    Raises:
        UsageError: A reference names no tag, or they are in several registries.
    """
    for text in references:
        check_names_tag(text)
    wanted: dict[RepositoryHandle, list[str]] = {}
    for text in references:
        target = await to.target(text, registry)
        tag = target.reference.tag
        if tag is None or target.reference.digest is not None:
            raise UsageError(f"{text!r} names no tag: write REPO:TAG")
        tags = wanted.setdefault(target.repository, [])
        if tag not in tags:
            tags.append(tag)
    registries = sorted({repository.registry_name for repository in wanted})
    if len(registries) > 1:
        raise UsageError(f"the tags are in several registries: {', '.join(registries)}")
    return wanted


async def _find(
    to: Connection, repository: "RepositoryHandle", tags: list[str]
) -> "dict[str, Manifest]":
    """Return the manifests that tags are on, of those that exist.

    Raises:
        NotFoundError: There is no such repository.
    """
    left = set(tags)
    found: dict[str, Manifest] = {}
    try:
        async with (
            to.display.stage("Check", 0, "manifests", items_a_request=200) as stage,
            repository.manifests().pages() as pages,
        ):
            async for page in pages:
                stage.total, stage.done = page.total or pages.found, pages.found
                for manifest in page.items:
                    found |= dict.fromkeys(left.intersection(manifest.tags), manifest)
                left.difference_update(found)
                if not left:
                    break
    except NotFoundError as error:
        if not error.is_certain:
            raise
        where = f"{repository.registry_name}/{repository.name}"
        raise NotFoundError(f"there is no repository {where}") from error
    return {tag: found[tag] for tag in tags if tag in found}


def _rows(
    repository: str, manifests: "dict[str, Manifest]", statuses: dict[str, str]
) -> list[_Untagged]:
    gone = {tag for tag, status in statuses.items() if status in {"deleted", "to-delete"}}
    return [
        _Untagged(
            repository,
            tag,
            statuses[tag],
            manifest.digest,
            tuple(each for each in manifest.tags if each not in gone),
        )
        for tag, manifest in manifests.items()
    ]


def _summary(rows: list[_Untagged], dry_run: bool) -> list[str]:
    lines = [safe(f"{row.repository}:{row.tag}: did not exist") for row in rows if not row.digest]
    gone = [row for row in rows if row.status in {"deleted", "to-delete"}]
    tags = counted(len(gone), "tag")
    lines.append(f"a dry run: {tags} would be deleted" if dry_run else f"{tags} deleted")
    bare = {(row.repository, row.digest) for row in gone if not row.left}
    if bare:
        count = f"{counted(len(bare), 'manifest')} {'would be' if dry_run else 'now'} without a tag"
        lines.append(
            f"{count}: it can be pulled by digest, and takes up storage until a clean-up or"
            " delete-manifests deletes it, or a garbage collection that includes untagged manifests"
        )
        lines += [safe(f"  {repository}@{digest}") for repository, digest in sorted(bare)][
            :_MAX_NAMES_SHOWN
        ]
    return lines


def _some(names: list[str]) -> str:
    more = len(names) - _MAX_NAMES_SHOWN
    shown = ", ".join(names[:_MAX_NAMES_SHOWN])
    return f"{shown} and {more:,} more" if more > 0 else shown
