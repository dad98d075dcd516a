"""Times of tags that are known from a list of tags that was read before: pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import evolve, frozen

from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedTag
from aioregistry.cleanup.policy.ages import tag_time

__all__ = ["RememberedTimes", "with_remembered_times"]

_MOMENT = timedelta(microseconds=1)


@frozen
class RememberedTimes:
    """A fresh list of manifests, with the times of tags from an older list of tags.

    Attributes:
        inventory: The inventory.
        until: When the last tag of the older list was set; None for a list without any.
        assumed: The tags that are not in the older list on the same manifest: they were set later
            than all that are, and no earlier than the inventory says.
    """

    inventory: RepositoryInventory
    until: datetime | None
    assumed: frozenset[str]


def with_remembered_times(
    inventory: RepositoryInventory, remembered: Sequence[ListedTag]
) -> RememberedTimes:
    """Return an inventory of manifests with the times of tags that an older list shows.

    Args:
        inventory: The manifests, with their tags.
        remembered: All tags that the repository had when they were listed.
    """
    known = {tag.tag: tag for tag in remembered}
    times = [tag.updated_at for tag in remembered if tag.updated_at is not None]
    until = max(times, default=None)
    set_at: dict[str, datetime | None] = {}
    assumed: set[str] = set()
    for manifest in inventory.manifests:
        for name in manifest.tags:
            tag, time = known.get(name), manifest.pushed_at
            if tag is not None and tag.manifest_digest == manifest.digest:
                time = tag_time(tag.updated_at, manifest.pushed_at)
            else:
                assumed.add(name)
                if time is not None and until is not None:
                    time = max(time, until + _MOMENT)
            if time != manifest.pushed_at:
                set_at[name] = time
    return RememberedTimes(
        evolve(inventory, tags_read=True, set_at=set_at), until, frozenset(assumed)
    )
