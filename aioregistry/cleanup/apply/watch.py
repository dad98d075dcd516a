"""The tags of a repository while it is cleaned: which are new, and what they need."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.reader import NOT_SERVED, ContentSource
from aioregistry.cleanup.plan.reasons import short
from aioregistry.errors import RegistryError, ResponseError

__all__ = ["MAX_TAGS_AGE", "TagWatch", "likely_to_move"]

# The tags are never known longer than so many seconds; listed more often where that is quick.
MAX_TAGS_AGE = 30.0
_MIN_TAGS_AGE = 1.0
_LISTING_SHARE = 0.05
# So many tags are looked at each time, because they may have moved.
_MAX_WATCHED = 320
_LOOKS_AT_ONCE = 16
# A list that is old by the time that its new tags are read is read again, so many times in all.
_ATTEMPTS = 3
# A list that has more tags than that that do not exist is of no use where they cannot all be asked
# for in time.
_MANY_STALE = 1000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class TagWatch:
    """Finds the tags that are set while a repository is cleaned, by the registry's own list.

    The list costs none of the API's quota. Where the registry does not serve it, `is_served` is
    False, and lists of the API have to do; so they have where its list keeps so many tags that were
    deleted that they cannot all be asked for while it is young.

    Args:
        contents: Where tags are listed and manifests read.
        repository: The repository's name.
        tags: The tags that are known, each with its digest.
        known: Contents that are known, by digest; those that are read are added.
        clock: Returns the time, in seconds.
    """

    def __init__(
        self,
        contents: ContentSource,
        repository: str,
        tags: Mapping[str, str],
        known: dict[str, Content],
        clock: Callable[[], float],
    ) -> None:
        self.is_served: bool = True
        # What tags need that came later, by digest, each with the tag.
        self.needed: dict[str, str] = {}
        # The new tags, each with all that it needs.
        self.new: dict[str, frozenset[str]] = {}
        self._contents = contents
        self._repository = repository
        self._tags = dict(tags)
        # The API may list them for some time, and somebody may set them again.
        self._deleted: set[str] = set()
        self._watched: Sequence[str] = ()
        self._known = known
        self._clock = clock
        self._read_at: float | None = None
        self._listed_for = 0.0
        # How many of the tags of the last list do not exist.
        self._stale = 0
        self._lock = asyncio.Lock()

    @property
    def is_current(self) -> bool:
        """Whether the last list is young enough to delete by, where there are lists."""
        age = 0.0 if self._read_at is None else self._clock() - self._read_at
        return not self.is_served or age <= MAX_TAGS_AGE

    def know(self, tags: Mapping[str, str], watched: Sequence[str] | None = None) -> None:
        """Take in what the API has listed.

        Args:
            tags: All tags, each with its digest; what they need is known.
            watched: Tags that may move, the likeliest first: the first of them are looked at each
                time that the tags are listed. None, the default, for the same as before.
        """
        looked_at = self.new.keys() | self._deleted
        self._tags |= {tag: digest for tag, digest in tags.items() if tag not in looked_at}
        if watched is not None:
            self._watched = watched[:_MAX_WATCHED]

    def forget(self, tags: Collection[str]) -> None:
        """Take in that tags were deleted: one that is listed from now on is a new one."""
        self._deleted.update(tags)
        for tag in tags:
            self._tags.pop(tag, None)

    async def refresh(self, *, at_once: bool = False) -> None:
        """List the tags unless the last list is young enough, and read what the new ones need.

        Args:
            at_once: Whether no list is young enough; then the likeliest of the tags that may have
                moved are looked at, and no more. False by default.

        Raises:
            RegistryError: That is not possible now.
        """
        async with self._lock:
            for _ in range(_ATTEMPTS):
                begun = self._clock()
                if not self.is_served or not (at_once or self._is_due(begun)):
                    return
                await self._list(begun, _LOOKS_AT_ONCE if at_once else _MAX_WATCHED)
                at_once = False
            # Reading what the new tags need took longer than the list of tags stays young.
            if self._is_due(self._clock()):
                if self._stale > _MANY_STALE:
                    # It keeps what was deleted: then the API's lists have to do.
                    self.is_served = False
                    return
                raise RegistryError("tags are set faster than the registry can be asked for them")

    async def _list(self, begun: float, most: int) -> None:
        try:
            tags = set(await self._contents.list_tags(self._repository))
        except ResponseError as error:
            if error.status not in NOT_SERVED or self._read_at is not None:
                raise
            self.is_served = False
            return
        self._stale = await self._look_at(sorted(tags - self._tags.keys()))
        # What the API has just listed need not be looked at again.
        if self._read_at is not None:
            await self._look_at(self._watched[:most])
        self._listed_for = self._clock() - begun
        self._read_at = begun

    def _is_due(self, now: float) -> bool:
        if self._read_at is None:
            return True
        most = max(_MIN_TAGS_AGE, self._listed_for / _LISTING_SHARE)
        return now - self._read_at >= min(MAX_TAGS_AGE, most)

    async def _look_at(self, tags: Sequence[str]) -> int:
        """Take in those of the tags that are new or have moved; return how many do not exist."""
        stale = 0
        for start in range(0, len(tags), _LOOKS_AT_ONCE):
            some = tags[start : start + _LOOKS_AT_ONCE]
            # One that is deleted during its look was there, and is no new one.
            before = [self._tags.get(tag) for tag in some]
            digests = await asyncio.gather(
                *(self._contents.current_digest(self._repository, tag) for tag in some)
            )
            stale += digests.count(None)
            await asyncio.gather(
                *(
                    self._take_in(tag, digest)
                    for tag, digest, was in zip(some, digests, before, strict=True)
                    if digest is not None and digest not in {was, self._tags.get(tag)}
                )
            )
        return stale

    async def _take_in(self, tag: str, digest: str) -> None:
        if digest in self.new.get(tag, ()):
            return
        waiting = [digest]
        needed = {digest: f"the tag {tag} was set on it"}
        while waiting:
            index = waiting.pop()
            for child in await self._children(index):
                if child not in needed:
                    needed[child] = f"part of {short(digest)} ({tag}), which is new"
                    waiting.append(child)
        for needed_digest, why in needed.items():
            self.needed.setdefault(needed_digest, why)
        self.new[tag] = frozenset(needed)

    async def _children(self, digest: str) -> tuple[str, ...]:
        if digest not in self._known:
            found = (await self._contents.read(self._repository, [digest])).get(digest)
            if not isinstance(found, Content):
                raise RegistryError(
                    f"{digest}, which is new, could not be read, and might need what would be"
                    f" deleted: {found or 'it was not read'}"
                )
            self._known[digest] = found
        return self._known[digest].children


def likely_to_move(inventory: RepositoryInventory, condemned: Collection[str]) -> list[str]:
    """Return the tags, those kept before the condemned, and those set last before older ones."""
    times = [
        (tag not in condemned, inventory.set_time(tag, manifest) or _LONG_AGO, tag)
        for manifest in inventory.manifests
        for tag in manifest.tags
    ]
    return [tag for *_, tag in sorted(times, reverse=True)]
