"""In which order manifests and tags come back: pure."""

from collections.abc import Collection, Iterable, Mapping
from graphlib import TopologicalSorter

from attrs import frozen

from aioregistry.cleanup.manifests.content import Content, subject_of_tag

__all__ = ["Restoration", "restoration_of"]


@frozen
class Restoration:
    """What comes back to one repository.

    Attributes:
        waves: Digests of manifests; none needs one of a later wave. Children come before their
            index, and a subject before its referrers.
        tags: The digest that each tag pointed to when it was last deleted.
    """

    waves: tuple[tuple[str, ...], ...]
    tags: Mapping[str, str]


def restoration_of(
    contents: Mapping[str, Content],
    tags: Mapping[str, str],
    wanted: Collection[str] | None = None,
) -> Restoration:
    """Return what comes back, and in which order.

    Args:
        contents: What each archived manifest names, by digest.
        tags: The digest that each archived tag pointed to.
        wanted: The tags that come back, with all that their manifests need and with their
            referrers; None for everything.
    """
    if wanted is not None:
        tags = {tag: digest for tag, digest in tags.items() if tag in wanted}
        chosen = _needed(contents, tags.values())
        # Signatures and the like come back with their subject, under the tags they had.
        contents = {digest: content for digest, content in contents.items() if digest in chosen}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for digest, content in contents.items():
        before = {*content.children, content.subject}
        sorter.add(digest, *(one for one in before if one is not None and one in contents))
    sorter.prepare()
    waves = []
    while sorter.is_active():
        ready = sorter.get_ready()
        waves.append(tuple(sorted(ready)))
        sorter.done(*ready)
    return Restoration(tuple(waves), tags)


def signatures_of(tags: Mapping[str, str], wanted: Iterable[str]) -> set[str]:
    """Return the archived tags that name the digest of a wanted tag, as cosign's do.

    Args:
        tags: The digest that each archived tag pointed to.
        wanted: The tags that come back.
    """
    digests = {tags[tag] for tag in wanted if tag in tags}
    return {tag for tag in tags if subject_of_tag(tag) in digests}


def _needed(contents: Mapping[str, Content], roots: Iterable[str]) -> set[str]:
    referrers: dict[str, list[str]] = {}
    for digest, content in contents.items():
        if content.subject is not None:
            referrers.setdefault(content.subject, []).append(digest)
    found: set[str] = set()
    waiting = [digest for digest in roots if digest in contents]
    while waiting:
        digest = waiting.pop()
        if digest in found:
            continue
        found.add(digest)
        near = (*contents[digest].children, *referrers.get(digest, ()))
        waiting.extend(one for one in near if one in contents)
    return found
