"""``aioregistry repositories``, ``tags`` and ``manifests``."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import typer
from attrs import frozen

from aioregistry.cli.display.listing import Listing, show
from aioregistry.cli.display.rows import Column
from aioregistry.cli.display.selection import Facts
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, epilog
from aioregistry.cli.options import (
    Access,
    AllRegistries,
    Filters,
    InRegistry,
    OptionalRepository,
    Output,
    RegistryName,
    shows,
    with_groups,
)
from aioregistry.cli.running import run_connected

if TYPE_CHECKING:
    from collections.abc import Callable

    from aioregistry.api.models import Manifest, Repository, Tag
    from aioregistry.cli.connection import Connection, Target
    from aioregistry.client.registry import RegistryHandle
    from aioregistry.client.repository import RepositoryHandle
    from aioregistry.oci.references import Reference
    from aioregistry.paging.pager import Pager

__all__ = ["app"]

app: typer.Typer = typer.Typer(add_completion=False, rich_markup_mode="markdown")

T = TypeVar("T")

_DIGEST = 71


def _updated(repository: "Repository") -> datetime | None:
    latest = repository.latest_manifest
    return None if latest is None else latest.updated_at


def _latest_size(repository: "Repository") -> int | None:
    latest = repository.latest_manifest
    return None if latest is None else latest.compressed_size_bytes


def _latest_tags(repository: "Repository") -> tuple[str, ...] | None:
    latest = repository.latest_manifest
    return None if latest is None else latest.tags


def _names_tag(reference: "Reference", tag: "Tag") -> bool:
    return reference.tag in {None, tag.tag} and reference.digest in {None, tag.manifest_digest}


def _names_manifest(reference: "Reference", manifest: "Manifest") -> bool:
    return (reference.tag is None or reference.tag in manifest.tags) and reference.digest in {
        None,
        manifest.digest,
    }


_REPOSITORIES: "list[Column[Repository]]" = [
    Column("name", lambda item: item.name, width=32),
    Column("tags", lambda item: item.tag_count, kind="count", width=7),
    Column("manifests", lambda item: item.manifest_count, kind="count", width=9),
    Column("updated", _updated, kind="time", width=25),
    Column("latest", _latest_tags, width=24),
    Column("size", _latest_size, kind="bytes", width=12, shown=False),
    Column("registry", lambda item: item.registry_name, width=20, shown=False),
]
_REPOSITORY_FACTS: "Facts[Repository]" = Facts(
    lambda item: (item.name,), _updated, _latest_size, lambda item: item.tag_count == 0
)

_TAGS: "list[Column[Tag]]" = [
    Column("tag", lambda item: item.tag, width=24),
    Column("size", lambda item: item.compressed_size_bytes, kind="bytes", width=12),
    Column("updated", lambda item: item.updated_at, kind="time", width=25),
    Column("digest", lambda item: item.manifest_digest, kind="digest", width=_DIGEST),
    Column("uncompressed", lambda item: item.size_bytes, kind="bytes", width=12, shown=False),
    Column("repository", lambda item: item.repository, width=24, shown=False),
    Column("registry", lambda item: item.registry_name, width=20, shown=False),
]
_TAG_FACTS: "Facts[Tag]" = Facts(
    lambda item: (item.tag,),
    lambda item: item.updated_at,
    lambda item: item.compressed_size_bytes,
)

_MANIFESTS: "list[Column[Manifest]]" = [
    Column("digest", lambda item: item.digest, kind="digest", width=_DIGEST),
    Column("size", lambda item: item.compressed_size_bytes, kind="bytes", width=12),
    Column("updated", lambda item: item.updated_at, kind="time", width=25),
    Column("tags", lambda item: item.tags, width=24),
    Column("uncompressed", lambda item: item.size_bytes, kind="bytes", width=12, shown=False),
    Column("blobs", lambda item: len(item.blobs), kind="count", width=5, shown=False),
    Column("repository", lambda item: item.repository, width=24, shown=False),
    Column("registry", lambda item: item.registry_name, width=20, shown=False),
]
_MANIFEST_FACTS: "Facts[Manifest]" = Facts(
    lambda item: (*item.tags, item.digest),
    lambda item: item.updated_at,
    lambda item: item.compressed_size_bytes,
    lambda item: not item.tags,
)


@frozen
class _Kind(Generic[T]):
    """A kind of item that repositories have: how it is read, and how it is shown."""

    unit: str
    columns: "list[Column[T]]"
    facts: "Facts[T]"
    of: "Callable[[RegistryHandle | RepositoryHandle], Pager[T]]"
    name: "Callable[[T], str]"
    names: "Callable[[Reference, T], bool]"
    has_manifests: bool


@frozen
class _Where:
    """Where items are listed: in a repository, a registry, or all of the account."""

    repo: str | None
    registry: str | None
    all_registries: bool


@app.command(epilog=epilog("aioregistry repositories example --sort size"))
@with_groups
@shows(lambda: _REPOSITORIES)
def repositories(
    registry: RegistryName = None,
    all_registries: AllRegistries = False,
    filters: Filters = Filters(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the repositories of a registry, with time and tags of the latest manifest.

    Its size is shown where `--sort size` or `--larger-than` asks for it; `aioregistry usage` has
    that of whole repositories.
    """

    async def work(to: "Connection") -> int:
        listing = Listing.of(
            *("repositories", _REPOSITORIES, _REPOSITORY_FACTS, filters, output),
            places=("registry",) if all_registries else (),
            name=(lambda item: f"{item.registry_name}/{item.name}") if all_registries else None,
        )
        registries = await to.registries(registry, every=all_registries)
        await show(
            to.display,
            to.client.recent_requests,
            listing,
            [each.repositories() for each in registries],
        )
        return DONE

    run_connected("repositories", access, work)


@app.command(epilog=epilog("aioregistry tags web --older-than 30d"))
@with_groups
@shows(lambda: _TAGS)
def tags(
    repo: OptionalRepository = None,
    registry: InRegistry = None,
    all_registries: AllRegistries = False,
    filters: Filters = Filters(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the tags of a repository, or of all."""
    kind = _Kind(
        "tags",
        _TAGS,
        _TAG_FACTS,
        lambda place: place.tags(),
        lambda item: f"{item.registry_name}/{item.repository}:{item.tag}",
        _names_tag,
        has_manifests=False,
    )
    _list(kind, _Where(repo, registry, all_registries), filters, output, access)


@app.command(epilog=epilog("aioregistry manifests web --untagged"))
@with_groups
@shows(lambda: _MANIFESTS)
def manifests(
    repo: OptionalRepository = None,
    registry: InRegistry = None,
    all_registries: AllRegistries = False,
    filters: Filters = Filters(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the manifests of a repository, or of all, with their tags.

    `--match` matches tags and digests.
    """
    kind = _Kind(
        "manifests",
        _MANIFESTS,
        _MANIFEST_FACTS,
        lambda place: place.manifests(),
        lambda item: f"{item.registry_name}/{item.repository}@{item.digest}",
        _names_manifest,
        has_manifests=True,
    )
    _list(kind, _Where(repo, registry, all_registries), filters, output, access)


def _list(
    kind: "_Kind[T]", where: "_Where", filters: Filters, output: Output, access: Access
) -> None:
    """List what a repository has, or every repository of a registry or the account."""

    async def work(to: "Connection") -> int:
        if where.repo is not None:
            if where.all_registries:
                raise UsageError(f"{where.repo} and --all-registries exclude each other")
            listing = Listing.of(kind.unit, kind.columns, kind.facts, filters, output)
            target = await to.target(where.repo, where.registry)
            only = partial(kind.names, target.reference)
            missing = _missing(target, kind)
            await show(
                to.display,
                to.client.recent_requests,
                listing,
                [kind.of(target.repository)],
                only,
                missing,
            )
            return DONE
        listing = Listing.of(
            *(kind.unit, kind.columns, kind.facts, filters, output),
            places=("registry", "repository") if where.all_registries else ("repository",),
            name=kind.name,
        )
        registries = await to.registries(where.registry, every=where.all_registries)
        await show(
            to.display, to.client.recent_requests, listing, [kind.of(each) for each in registries]
        )
        return DONE

    run_connected(kind.unit, access, work)


def _missing(target: "Target", kind: "_Kind[T]") -> str:
    """Return the error where what is named does not exist; empty where a list may be empty."""
    tag, digest = target.reference.tag, target.reference.digest
    # A manifest may have no tag.
    if tag is None and (digest is None or not kind.has_manifests):
        return ""
    named = "@".join(filter(None, (tag, digest)))
    where = f"{target.repository.registry_name}/{target.repository.name}"
    return f"there is no image {named!r} in {where!r}"
