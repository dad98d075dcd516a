"""Releases: tags that are semantic versions."""

import re

from attrs import frozen

__all__ = ["Release"]

_RELEASE = re.compile(r"v?(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})")


@frozen(order=True)
class Release:
    """A release's version, in the order of versions."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, tag: str) -> "Release | None":
        """Return the version of a tag such as ``v1.2.3`` or ``1.2.3``.

        None for all else: a pre-release, or a build, is no release.
        """
        found = _RELEASE.fullmatch(tag)
        return cls(*map(int, found.groups())) if found else None
