"""``aioregistry delete-tags``, ``delete-manifests`` and ``delete-repository``."""

from typing import Annotated

import typer

from aioregistry.cli.deletes.options import Deleting, Keeping
from aioregistry.cli.exit_codes import epilog
from aioregistry.cli.options import Access, InRegistry, RepositoryReference, Yes, with_groups

__all__ = ["app"]

app: typer.Typer = typer.Typer(add_completion=False, rich_markup_mode="markdown")

_CODES = {
    0: "success; names that did not exist are reported and no failure",
    1: "a delete failed, an image needs a manifest, or the registry or repository does not exist",
}

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        show_default=False,
        help="Names to delete; `-` reads them from stdin, one per line.",
    ),
]


@app.command(epilog=epilog("aioregistry delete-tags web v1.0 v1.1", _CODES, asks=True))
@with_groups
def delete_tags(
    repo: RepositoryReference,
    tags: Names = None,
    registry: InRegistry = None,
    deleting: Deleting = Deleting(),
    access: Access = Access(),
) -> None:
    """Delete tags. The manifests that they point to stay.

    Until the next garbage collection `aioregistry cleanup undo` restores them from the archive
    that is named at the end. To delete by age, by number or by need, use `aioregistry cleanup`.
    """
    from aioregistry.cli.deletes import jobs

    jobs.delete_tags(repo, registry, tags, deleting, access)


@app.command(
    epilog=epilog(
        "aioregistry delete-manifests web sha256:0123…",
        _CODES,
        asks=True,
    )
)
@with_groups
def delete_manifests(
    repo: RepositoryReference,
    digests: Names = None,
    registry: InRegistry = None,
    deleting: Deleting = Deleting(),
    access: Access = Access(),
) -> None:
    """Delete manifests with all their tags.

    An untagged manifest may be part of a multi-platform image, which cannot be pulled without it:
    manifests that an image needs are kept, with a word. To find out, all manifests of the
    repository are read from the registry itself. Until the next garbage collection `aioregistry
    cleanup undo` restores what was deleted from the archive that is named at the end.
    """
    from aioregistry.cli.deletes import jobs

    jobs.delete_manifests(repo, registry, digests, deleting, access)


@app.command(epilog=epilog("aioregistry delete-repository web", asks=True))
@with_groups
def delete_repository(
    repo: RepositoryReference,
    registry: InRegistry = None,
    yes: Yes = False,
    keeping: Keeping = Keeping(),
    access: Access = Access(),
) -> None:
    """Delete a repository with all its tags and manifests.

    All manifests are read from the registry itself before, and archived: until the next garbage
    collection `aioregistry cleanup undo` restores the repository from the archive that is named at
    the end.
    """
    from aioregistry.cli.deletes import repository

    repository.delete_repository(repo, registry, yes, keeping, access)
