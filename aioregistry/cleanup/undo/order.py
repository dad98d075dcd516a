"""In which order manifests and tags come back: pure."""

from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter

from attrs import frozen

from aioregistry.cleanup.manifests.content import Content, subject_key, subject_of_tag

__all__ = ["Restoration", "restoration_of", "waves_of"]


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
        wanted: The tags that come back, with all that their manifests need: parts, referrers, and
            signatures and the like by the names of their tags, each with its own. None for
            everything.
    """
    if wanted is not None:
        tags, chosen = _needed(contents, tags, wanted)
        contents = {digest: content for digest, content in contents.items() if digest in chosen}
    needs = {digest: {*one.children, one.subject} for digest, one in contents.items()}
    return Restoration(tuple(waves_of(needs)), tags)


def waves_of(needs: Mapping[str, Collection[str | None]]) -> list[tuple[str, ...]]:
    """Return digests in an order in which none needs one of a later wave, or of its own.

    Args:
        needs: What each needs; others than these, and None, are passed over.

    Raises:
        CycleError: They need each other.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for digest, before in needs.items():
        sorter.add(digest, *(one for one in before if one is not None and one in needs))
    sorter.prepare()
    waves = []
    while sorter.is_active():
        ready = sorter.get_ready()
        waves.append(tuple(sorted(ready)))
        sorter.done(*ready)
    return waves


def _needed(
    contents: Mapping[str, Content], tags: Mapping[str, str], wanted: Collection[str]
) -> tuple[dict[str, str], set[str]]:
    """Return the tags that come back with those wanted, and the digests of what they need."""
    referrers: dict[str, list[str]] = {}
    for digest, content in contents.items():
        if content.subject is not None:
            referrers.setdefault(content.subject, []).append(digest)
    named: dict[str, list[str]] = {}
    for tag in tags:
        if (subject := subject_of_tag(tag)) is not None:
            named.setdefault(subject, []).append(tag)
    found: set[str] = set()
    chosen = {tag: digest for tag, digest in tags.items() if tag in wanted}
    waiting = list(chosen.values())
    while waiting:
        digest = waiting.pop()
        if digest in found:
            continue
        found.add(digest)
        # A manifest that stayed is in no archive, and what names it may be all the same.
        signatures = {tag: tags[tag] for tag in named.get(subject_key(digest), ())}
        chosen |= signatures
        waiting.extend((*referrers.get(digest, ()), *signatures.values()))
        if digest in contents:
            waiting.extend(contents[digest].children)
    return {tag: digest for tag, digest in tags.items() if tag in chosen}, found
