"""The last look at an item, right before its DELETE is sent."""

import asyncio
from collections.abc import Callable, Sequence

from aioregistry.cleanup.apply.watch import MAX_TAGS_AGE, TagWatch
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.errors import ClientClosedError, RegistryError
from aioregistry.session.exchange import Verdict

__all__ = ["LastLook"]

# A DELETE whose permit comes later than so many seconds after the lists were read, or later than
# so many times what reading them took, is not sent: the lists are read again first.
_MAX_LISTS_AGE = 120.0
_MAX_LISTS_SHARE = 10.0
# After so many failed looks in a row, a registry is taken for unreachable.
_MAX_FAILED_LOOKS = 10


class LastLook:
    """Looks at items of one batch where they are now, by requests that cost none of the quota.

    Args:
        contents: Where tags point is asked there.
        repository: The repository's name.
        watch: The repository's tags.
        listed_at: When the API's lists of this batch were begun, on the clock.
        listed_for: How many seconds reading them took.
        clock: Returns the time, in seconds.
    """

    def __init__(
        self,
        contents: ContentSource,
        repository: str,
        watch: TagWatch,
        listed_at: float,
        listed_for: float,
        clock: Callable[[], float],
    ) -> None:
        # What has to be looked at again by fresh lists, before anything is said of it.
        self.late: set[Condemned] = set()
        self.vanished: set[Condemned] = set()
        # The tags of an item that somebody has deleted, where the item itself exists.
        self.gone_tags: dict[Condemned, Sequence[str]] = {}
        self._contents = contents
        self._repository = repository
        self._watch = watch
        self._listed_at = listed_at
        self._listed_for = listed_for
        self._clock = clock
        self._failed_in_a_row = 0
        self._failure = ""

    async def verdict(self, item: Condemned) -> Verdict | None:
        """Return why an item must not be deleted now; None to delete it.

        Raises:
            ClientClosedError: The client is closed.
        """
        if self._failed_in_a_row >= _MAX_FAILED_LOOKS:
            return Verdict("cannot_tell", f"the registry cannot be asked: {self._failure}")
        try:
            verdict = await self._look(item)
        except ClientClosedError:
            raise
        except RegistryError as error:
            self._failed_in_a_row += 1
            self._failure = str(error)
            return Verdict("cannot_tell", f"the registry cannot be asked: {error}")
        self._failed_in_a_row = 0
        return verdict

    def holds(self, item: Condemned, begun_at: float) -> bool:
        """Return whether a look may still be deleted by that was begun at a time on the clock."""
        is_young = self._clock() - begun_at <= MAX_TAGS_AGE
        if self._is_needed(item):
            # The look at another item has shown it since.
            return False
        return is_young and self._watch.is_current and not self._is_late()

    def _is_needed(self, item: Condemned) -> bool:
        return item.delete == "manifest" and item.digest in self._watch.needed

    def _is_late(self) -> bool:
        # Where the registry does not list its tags, the API's lists have to be as fresh.
        most = _MAX_LISTS_AGE if self._watch.is_served else MAX_TAGS_AGE
        age = self._clock() - self._listed_at
        return age > max(most, _MAX_LISTS_SHARE * self._listed_for)

    def _too_late(self, item: Condemned) -> Verdict:
        self.late.add(item)
        return Verdict("cannot_tell", "the lists are out of date")

    async def _look(self, item: Condemned) -> Verdict | None:
        if self._is_late():
            return self._too_late(item)
        await self._watch.refresh()
        # That took its time, and may have shown that the lists have to be younger.
        if self._is_late():
            return self._too_late(item)
        digests = await asyncio.gather(*map(self._digest, item.tags))
        moved = [
            f"the tag {tag} moved to {digest}"
            for tag, digest in zip(item.tags, digests, strict=True)
            if digest not in {None, item.digest}
        ]
        if moved:
            return Verdict("drifted", moved[0])
        if self._is_needed(item):
            return Verdict("drifted", self._watch.needed[item.digest])
        if None in digests and not await self._exists(item):
            self.vanished.add(item)
            return Verdict("gone")
        if None in digests:
            gone = [tag for tag, digest in zip(item.tags, digests, strict=True) if digest is None]
            self.gone_tags[item] = gone
        return None

    async def _exists(self, item: Condemned) -> bool:
        return item.delete == "manifest" and await self._digest(item.digest) is not None

    async def _digest(self, reference: str) -> str | None:
        return await self._contents.current_digest(self._repository, reference)
