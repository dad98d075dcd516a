"""``aioregistry repositories``, ``tags`` and ``manifests``."""

from datetime import datetime
from typing import TYPE_CHECKING

import typer

from aioregistry.cli.display.listing import Listing, show
from aioregistry.cli.display.rows import Column
from aioregistry.cli.display.selection import Facts
from aioregistry.cli.exit_codes import DONE, epilog
from aioregistry.cli.options import (
    Access,
    Filters,
    InRegistry,
    Output,
    RegistryName,
    RepositoryReference,
    with_groups,
)
from aioregistry.cli.running import run_connected

if TYPE_CHECKING:
    from aioregistry.api.models import Manifest, Repository, Tag
    from aioregistry.cli.connection import Connection
    from aioregistry.oci.references import Reference

__all__ = ["app"]

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

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


@app.command(epilog=epilog("aioregistry repositories example --sort size"))
@with_groups
def repositories(
    registry: RegistryName = None,
    filters: Filters = Filters(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the repositories of a registry, with size and time of the latest manifest."""

    async def work(to: "Connection") -> int:
        listing = Listing.of("repositories", _REPOSITORIES, _REPOSITORY_FACTS, filters, output)
        await show(to.display, listing, (await to.registry(registry)).repositories())
        return DONE

    run_connected("repositories", access, work)


@app.command(epilog=epilog("aioregistry tags web --older-than 30d"))
@with_groups
def tags(
    repo: RepositoryReference,
    registry: InRegistry = None,
    filters: Filters = Filters(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the tags of a repository."""

    async def work(to: "Connection") -> int:
        listing = Listing.of("tags", _TAGS, _TAG_FACTS, filters, output)
        target = await to.target(repo, registry)
        reference, listed = target.reference, target.repository.tags()
        await show(to.display, listing, listed, lambda item: _names_tag(reference, item))
        return DONE

    run_connected("tags", access, work)


@app.command(epilog=epilog("aioregistry manifests web --untagged"))
@with_groups
def manifests(
    repo: RepositoryReference,
    registry: InRegistry = None,
    filters: Filters = Filters(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the manifests of a repository with their tags; `--match` matches tags and digests."""

    async def work(to: "Connection") -> int:
        listing = Listing.of("manifests", _MANIFESTS, _MANIFEST_FACTS, filters, output)
        target = await to.target(repo, registry)
        reference, listed = target.reference, target.repository.manifests()
        await show(to.display, listing, listed, lambda item: _names_manifest(reference, item))
        return DONE

    run_connected("manifests", access, work)
