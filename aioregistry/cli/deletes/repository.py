"""The work of ``delete-repository``."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import typer

from aioregistry.cli.asking import ask
from aioregistry.cli.deletes.options import Keeping
from aioregistry.cli.display.text import counted, how_to_undo, size_in_words
from aioregistry.cli.exit_codes import DONE
from aioregistry.cli.options import Access
from aioregistry.cli.running import run_connected
from aioregistry.errors import InvalidNameError, NotFoundError
from aioregistry.oci.references import Reference

if TYPE_CHECKING:
    from aioregistry.cli.connection import Connection
    from aioregistry.client.repository import RepositoryHandle

__all__ = ["delete_repository"]

_COMMAND = "delete-repository"
_NOTHING = "nothing was deleted"


def delete_repository(
    repo: str, registry: str | None, yes: bool, keeping: Keeping, access: Access
) -> None:
    """Delete a repository after everything in it is archived, and exit."""

    async def work(to: "Connection") -> int:
        reference = Reference.parse(repo)
        if reference.tag or reference.digest:
            raise InvalidNameError(f"{repo!r} is one image, not a repository; {_NOTHING}")
        target = await to.target(repo, registry)
        name = f"{target.repository.registry_name}/{target.repository.name}"
        if not yes:
            for_good = ", for good" if keeping.no_archive else ""
            size = await _size(target.repository)
            question = f"Delete {name} with {size}{for_good}?"
            ask(_COMMAND, question, _NOTHING, api_url=to.settings.api_url)
        try:
            await _delete(to, target.repository, keeping)
        except NotFoundError as error:
            if not error.is_certain:
                raise
            await to.client.get_registry(target.repository.registry_name)
            typer.echo(f"{name}: did not exist", err=True)
        return DONE

    run_connected(
        _COMMAND,
        access,
        work,
        lambda: "the repository may be deleted: check with 'aioregistry repositories'",
    )


async def _delete(to: "Connection", repository: "RepositoryHandle", keeping: Keeping) -> None:
    handle = to.client.registry(repository.registry_name)
    archive = path = None
    async with AsyncExitStack() as stack:
        if not keeping.no_archive:
            # No archive is begun of a repository that does not exist.
            await repository.manifests().first()
            opening = to.archive(handle.name, keeping.archive)
            archive, path = await stack.enter_async_context(opening)
        await stack.enter_async_context(to.display.stage("Delete", 1, "repositories"))
        await handle.delete_repository(repository.name, archive=archive)
    typer.echo(f"{handle.name}/{repository.name}: deleted", err=True)
    if path is not None:
        typer.echo(how_to_undo(path), err=True)


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
