"""How old things are: one answer for rules, lists and reasons."""

from datetime import datetime

__all__ = ["tag_time"]


def tag_time(updated_at: datetime | None, pushed_at: datetime | None) -> datetime | None:
    """Return the time from which the age of a tag counts.

    That is the later of when the tag was set and when its manifest was pushed: a tag that was set
    today on an old image is a new tag, and so is an old tag whose image was pushed again.

    Args:
        updated_at: When the tag was set; None when that is unknown.
        pushed_at: When its manifest was pushed; None when that is unknown.

    Returns:
        The later one; None when either is unknown, as that one might be the later.
    """
    if updated_at is None or pushed_at is None:
        return None
    return max(updated_at, pushed_at)
