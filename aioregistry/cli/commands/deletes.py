"""``aioregistry delete-tags``, ``delete-manifests`` and ``delete-repository``."""

from typing import TYPE_CHECKING, Annotated

import typer

from aioregistry.cli.asking import ask
from aioregistry.cli.deletes.options import Deleting
from aioregistry.cli.display.text import counted, size_in_words
from aioregistry.cli.exit_codes import DONE, epilog
from aioregistry.cli.options import Access, InRegistry, RepositoryReference, Yes, with_groups
from aioregistry.cli.running import run_connected
from aioregistry.errors import InvalidNameError, NotFoundError

if TYPE_CHECKING:
    from aioregistry.cli.connection import Connection
    from aioregistry.client.repository import RepositoryHandle

__all__ = ["app"]

app: typer.Typer = typer.Typer(add_completion=False, rich_markup_mode="markdown")

_CODES = {
    0: "success; names that did not exist are reported and no failure",
    1: "a delete failed, an image needs a manifest, or the registry or repository does not exist",
}
_NOTHING = "nothing was deleted"

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME...",
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
    access: Access = Access(),
) -> None:
    """Delete a repository with all its tags and manifests. This cannot be undone."""
    command = "delete-repository"

    async def work(to: "Connection") -> int:
        target = await to.target(repo, registry)
        if target.reference.tag or target.reference.digest:
            raise InvalidNameError(f"{repo!r} is one image, not a repository; {_NOTHING}")
        repository = target.repository
        name = f"{repository.registry_name}/{repository.name}"
        if not yes:
            ask(command, f"Delete {name} with {await _size(repository)}, for good?", _NOTHING)
        try:
            await to.client.registry(repository.registry_name).delete_repository(repository.name)
        except NotFoundError:
            await to.client.get_registry(repository.registry_name)
            typer.echo(f"{name}: did not exist", err=True)
        else:
            typer.echo(f"{name}: deleted", err=True)
        return DONE

    run_connected(
        command,
        access,
        work,
        lambda: "the repository may be deleted: check with 'aioregistry repositories'",
    )


async def _size(repository: "RepositoryHandle") -> str:
    """Return the tags, manifests and bytes of a repository, in words."""
    tags = manifests = 0
    blobs: dict[str, int] = {}
    async for manifest in repository.manifests():
        manifests += 1
        tags += len(manifest.tags)
        blobs |= {
            blob.digest: blob.compressed_size_bytes or 0 for blob in manifest.blobs if blob.digest
        }
    size = size_in_words(sum(blobs.values()))
    return f"{counted(tags, 'tag')}, {counted(manifests, 'manifest')} and {size}"
