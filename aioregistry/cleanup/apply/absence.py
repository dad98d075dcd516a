"""What is gone, and which images lack it: a 404 may pass, so the API and the registry are asked."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from attrs import evolve

from aioregistry.cleanup.apply.watch import TagWatch
from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.plan.items import Condemned, RepositoryPlan
from aioregistry.cleanup.records.report import Incomplete
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import ClientClosedError, NotFoundError, RegistryError

__all__ = [
    "LackingImages",
    "but",
    "exist",
    "is_gone",
    "lacking",
    "repository_remains",
    "why_it_may_remain",
    "without_deleted",
]

_LOOKS_AT_ONCE = 16
# After so many failed looks in a row, a registry is taken for unreachable.
_MAX_FAILED_LOOKS = 10
# So many references of a repository are looked for before it is taken for gone.
_MAX_SAMPLE = 16


async def exist(
    contents: ContentSource, repository: str, references: Sequence[str]
) -> dict[str, bool | RegistryError]:
    """Return for each tag or digest whether the registry has it, or why that is unknown.

    Raises:
        ClientClosedError: The client is closed.
    """
    found: dict[str, bool | RegistryError] = {}
    waiting = iter(references)
    failed_in_a_row: list[RegistryError] = []

    async def work() -> None:
        for reference in waiting:
            if len(failed_in_a_row) >= _MAX_FAILED_LOOKS:
                found[reference] = failed_in_a_row[-1]
                continue
            try:
                found[reference] = await contents.current_digest(repository, reference) is not None
                failed_in_a_row.clear()
            except ClientClosedError:
                raise
            except RegistryError as error:
                found[reference] = error
                failed_in_a_row.append(error)

    await asyncio.gather(*(work() for _ in range(min(_LOOKS_AT_ONCE, len(references)))))
    return found


async def repository_remains(
    contents: ContentSource, repository: str, references: Iterable[str]
) -> bool:
    """Return whether the registry has a repository, by its list of tags and by some of its parts.

    Args:
        contents: The registry.
        repository: The repository's name.
        references: Tags and digests that it had. The registry may not serve its list of tags, and
            answers as it does for a repository that does not exist: then some of them are asked
            for.

    Raises:
        RegistryError: That cannot be found out.
    """
    try:
        if await contents.list_tags(repository):
            return True
    except NotFoundError:
        pass
    some = [one for one, _ in zip(references, range(_MAX_SAMPLE), strict=False)]
    looks = (await exist(contents, repository, some)).values()
    for look in looks:
        if isinstance(look, RegistryError):
            raise look
    return any(looks)


async def why_it_may_remain(
    contents: ContentSource, repository: str, references: Iterable[str]
) -> str | None:
    """Return why a repository that the API does not have may remain; None where it is gone.

    Raises:
        ClientClosedError: The client is closed.
    """
    try:
        remains = await repository_remains(contents, repository, references)
    except ClientClosedError:
        raise
    except RegistryError as unsure:
        return f"whether the registry has the repository: {unsure}"
    return "the registry has the repository all the same" if remains else None


async def is_gone(registry: RegistryHandle, repository: str, contents: ContentSource) -> bool:
    """Return whether a list of the API without the repository, and the registry, prove that.

    Raises:
        ClientClosedError: The client is closed.
    """
    try:
        listed = await registry.repositories().collect(require_complete=True)
        if any(one.name == repository for one in listed):
            return False
        return not await repository_remains(contents, repository, ())
    except ClientClosedError:
        raise
    except RegistryError:
        return False


async def lacking(
    contents: ContentSource,
    repository: str,
    listed: Collection[str],
    known: Mapping[str, Content],
    gone: Collection[str],
) -> dict[str, tuple[str, ...]]:
    """Return the manifests that lack a part that was deleted, each with these parts, sorted.

    Args:
        contents: The registry.
        repository: The repository's name.
        listed: The digests of the manifests that the API lists.
        known: What manifests say, by digest.
        gone: What was deleted. A part that is listed, and that the registry has, is back: it was
            pushed again.

    Raises:
        ClientClosedError: The client is closed.
    """
    lacks = {
        digest: missing
        for digest in listed
        if digest in known and (missing := {one for one in known[digest].children if one in gone})
    }
    looks = await exist(
        contents, repository, sorted(set[str]().union(*lacks.values()).intersection(listed))
    )
    back = {one for one, look in looks.items() if look is True}
    return {digest: tuple(sorted(some - back)) for digest, some in lacks.items() if some - back}


async def without_deleted(
    contents: ContentSource,
    inventory: RepositoryInventory,
    deleted: Mapping[str, datetime | None],
) -> RepositoryInventory:
    """Return an inventory without what was deleted and is listed all the same.

    Lists may be behind the DELETEs for some seconds: what they still show would need its parts, or
    lack them. What the registry has, or was pushed again by its time, is there.

    Args:
        contents: The registry.
        inventory: All that the API lists.
        deleted: The manifests that were deleted, each with when it was pushed before.

    Raises:
        ClientClosedError: The client is closed.
    """
    listed = [
        one.digest
        for one in inventory.manifests
        if one.digest in deleted and one.pushed_at in {None, deleted[one.digest]}
    ]
    if not listed:
        return inventory
    looks = await exist(contents, inventory.repository, listed)
    gone = {digest for digest, look in looks.items() if look is False}
    if not gone:
        return inventory
    left = tuple(one for one in inventory.manifests if one.digest not in gone)
    unsure = {digest: why for digest, why in inventory.uncertain.items() if digest not in gone}
    return evolve(inventory, manifests=left, uncertain=unsure)


class LackingImages:
    """The images of one repository that were pushed while a part of them was deleted.

    Args:
        contents: The registry.
        plan: What is to be deleted of the repository.
        known: What manifests say, by digest; it grows.
        gone: What was deleted, or may have been; it grows.
    """

    def __init__(
        self,
        contents: ContentSource,
        plan: RepositoryPlan,
        known: Mapping[str, Content],
        gone: Collection[str],
    ) -> None:
        # By digest, or by tag where the digest is not listed.
        self.found: dict[str, Incomplete] = {}
        self._contents = contents
        self._repository = plan.name
        self._known = known
        self._gone = gone
        self._leaving = {tag for item in plan.condemned for tag in item.tags}
        # The tags that are to stay where the last list had them.
        self._staying: dict[str, str] = {}

    @property
    def lost_tags(self) -> set[str]:
        """The tags that were to stay, and no longer exist."""
        return {one for one, image in self.found.items() if not image.missing}

    def recall(self, lost_tags: Iterable[str]) -> None:
        """Take in the tags of which an earlier process found that they no longer exist."""
        self.found |= {tag: Incomplete(self._repository, tag, ()) for tag in lost_tags}

    async def note(
        self, inventory: RepositoryInventory, pending: Iterable[Condemned], *, is_after: bool
    ) -> None:
        """Take in the API's lists.

        Args:
            inventory: All that the API lists.
            pending: What is still to be deleted.
            is_after: Whether any was deleted since the last lists.

        Raises:
            RegistryError: The registry does not answer.
        """
        tags, here = dict(inventory.tags), {one.digest: one for one in inventory.manifests}
        lost = [tag for tag, on in self._staying.items() if tag not in tags and on in here]
        for tag in lost if is_after else ():
            if await self._contents.current_digest(self._repository, tag) is None:
                self.found[tag] = Incomplete(self._repository, tag, ())
        self._staying = {tag: on for tag, on in tags.items() if tag not in self._leaving}
        lacks = await lacking(self._contents, self._repository, here, self._known, self._gone)
        for one in (self.found.keys() & here) | (self.lost_tags & tags.keys()):
            del self.found[one]
        for one in sorted(lacks.keys() - {item.digest for item in pending}):
            image = (*here[one].tags, one)[0]
            self.found[one] = Incomplete(self._repository, image, lacks[one])

    async def note_unlisted(self, tags: Mapping[str, str], watch: TagWatch) -> None:
        """Take in the tags that the registry lists, and the API does not list there yet.

        Args:
            tags: The tags that the API lists, each with its digest.
            watch: Finds the others.

        Raises:
            RegistryError: The registry does not answer.
        """
        watch.know(tags)
        try:
            await watch.refresh(at_once=True)
        except NotFoundError:
            if tags:
                raise
            # A repository without tags, or no repository.
            return
        lacks = {
            tag: some
            for tag, needs in watch.new.items()
            if tags.get(tag) not in needs and (some := needs.intersection(self._gone))
        }
        looks = await exist(
            self._contents, self._repository, sorted({*lacks}.union(*lacks.values()))
        )
        back = {one for one, look in looks.items() if look is True}
        for tag in sorted(lacks):
            if looks[tag] is not False and (missing := lacks[tag] - back):
                self.found[tag] = Incomplete(self._repository, tag, tuple(sorted(missing)))


def but(look: bool | RegistryError) -> str:
    """Return what the registry says of a thing that does not exist by the API."""
    if isinstance(look, RegistryError):
        return f"and whether the registry has it could not be found out: {look}"
    return "and the registry has it" if look else "and the registry lacks it"
