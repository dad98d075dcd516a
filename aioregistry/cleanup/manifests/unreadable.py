"""Manifests that cannot be read, and others that may be needed by them: pure."""

from collections.abc import Iterable, Mapping
from typing import cast

from attrs import evolve

from aioregistry.cleanup.manifests.blobs import count_of
from aioregistry.cleanup.manifests.content import (
    Content,
    MissingContentError,
    UnreadableContentError,
)
from aioregistry.cleanup.manifests.inventory import RepositoryInventory

__all__ = ["keep_unreadable", "parted", "readable", "tags_on", "unlisted_children", "unreadable"]

_DIGEST_CHARACTERS = len("sha256:") + 12
_SEPARATORS = ("-", "_", ".")


def unreadable(
    inventory: RepositoryInventory, contents: Mapping[str, Content | UnreadableContentError]
) -> dict[str, UnreadableContentError]:
    """Return the manifests that could not be read, by digest, each with the reason."""
    unread: dict[str, UnreadableContentError] = {}
    if _are_all_read(contents) and all(map(contents.__contains__, inventory.by_digest)):
        return unread
    for manifest in inventory.manifests:
        found = contents.get(manifest.digest)
        if not isinstance(found, Content):
            unread[manifest.digest] = found or UnreadableContentError("it was not read")
    return unread


def parted(
    contents: Mapping[str, Content | UnreadableContentError],
) -> tuple[dict[str, Content], dict[str, UnreadableContentError]]:
    """Return the contents that could be read, and why the others could not."""
    read: dict[str, Content] = {}
    unread: dict[str, UnreadableContentError] = {}
    for digest, content in contents.items():
        if isinstance(content, Content):
            read[digest] = content
        else:
            unread[digest] = content
    return read, unread


def readable(
    contents: Mapping[str, Content | UnreadableContentError],
) -> Mapping[str, Content]:
    """Return contents, with empty ones for those that could not be read."""
    if not _are_all_read(contents):
        return {
            digest: content if isinstance(content, Content) else Content("", 0)
            for digest, content in contents.items()
        }
    # No second dict of a million.
    return cast("Mapping[str, Content]", contents)


def _are_all_read(contents: Mapping[str, Content | UnreadableContentError]) -> bool:
    return all(issubclass(kind, Content) for kind in set(map(type, contents.values())))


def keep_unreadable(
    inventory: RepositoryInventory,
    unread: Mapping[str, UnreadableContentError],
    order: Iterable[str] = (),
) -> RepositoryInventory:
    """Return an inventory in which unreadable manifests are uncertain, with all they may need.

    A manifest that cannot be read may be an index of any untagged manifest, and of tagged ones
    whose tags continue one of its own, as ``1.0-amd64`` continues ``1.0``. One that the registry
    has, and that is listed without layers as an index is, may need any other.

    Args:
        inventory: All manifests of the repository.
        unread: Those that cannot be read, by digest, each with the reason.
        order: Manifests that could be read before, none of them before one that needs it: those
            after the first that cannot be read now are uncertain. None by default.
    """
    if not unread:
        return inventory
    uncertain = dict(inventory.uncertain)
    own = [manifest for manifest in inventory.manifests if manifest.digest in unread]
    stems = {
        tag + separator: index.digest
        for index in own
        for tag in index.tags
        for separator in _SEPARATORS
    }
    # The listing of an image has its config and its layers beside its own document.
    indexes = [
        one.digest
        for one in own
        if count_of(one.blobs) <= 1 and not isinstance(unread[one.digest], MissingContentError)
    ][:1]
    for manifest in inventory.manifests:
        if manifest.digest in unread:
            continue
        needing = [
            index
            for stem, index in stems.items()
            if any(tag.startswith(stem) for tag in manifest.tags)
        ]
        if not manifest.tags:
            needing.append(own[0].digest)
        needing += indexes
        if needing:
            why = f"it may be a part of {needing[0][:_DIGEST_CHARACTERS]}, which cannot be read"
            uncertain.setdefault(manifest.digest, why)
    here = {manifest.digest for manifest in inventory.manifests}
    first = None
    for digest in order:
        if first is not None and digest in here:
            why = f"it may be a part of {first[:_DIGEST_CHARACTERS]}, which cannot be read"
            uncertain.setdefault(digest, why)
        elif digest in unread:
            first = digest
    for digest, problem in unread.items():
        uncertain[digest] = (
            f"{digest} cannot be read ({problem}) and may need others; if nobody needs it, run:"
            f" aioregistry delete-manifests {inventory.repository} {digest}"
        )
    return evolve(inventory, uncertain=uncertain)


def unlisted_children(
    inventory: RepositoryInventory, naming: Mapping[str, Content]
) -> dict[str, str]:
    """Return the manifests that a listed one names and that are not listed, each with that one.

    Those that an uncertain manifest names may be as new as that one. What an index names as a blob
    is no manifest.

    Args:
        inventory: All manifests of the repository.
        naming: What those say that name others, by digest.
    """
    here = inventory.by_digest
    # Of all manifests few are indexes, and of these hardly any names one that is not listed.
    indexes = {
        digest: content
        for digest, content in naming.items()
        if not all(map(here.__contains__, content.children))
    }
    if not indexes:
        return {}
    return {
        child: digest
        for digest in filter(indexes.__contains__, here)
        if digest not in inventory.uncertain
        for child in indexes[digest].children
        if child not in here and child not in indexes[digest].blobs
    }


def tags_on(inventory: RepositoryInventory, digests: Iterable[str]) -> list[str]:
    """Return the tags that are on some listed manifests, each with its repository.

    Args:
        inventory: All manifests of the repository.
        digests: The manifests; those without a tag have none.
    """
    tags = {tag for digest in digests for tag in inventory.by_digest[digest].tags}
    return [f"{inventory.repository}:{tag}" for tag in sorted(tags)]
