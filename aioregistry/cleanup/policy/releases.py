"""Releases: tags that are versions."""

import re
from collections.abc import Iterable

from attrs import field, frozen

__all__ = ["Release"]

_NUMBER = r"([0-9]+)"
# Helm writes the + before build metadata as _, because a tag cannot contain +.
_BUILD = r"(?:[_+]([0-9A-Za-z.-]+))?"
_RELEASE = re.compile(rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}{_BUILD}")
# Of two numbers, or four, or one after a v; a date or a build's number is none.
_NEARLY = re.compile(r"^(?:v\d+|v?\d+\.\d+(?:\.\d+\.\d+)?)$", re.MULTILINE | re.ASCII)
_BEGINNING = re.compile(r"v?(?:[0-9]+(?:\.(?:[0-9]+(?:\.(?:[0-9]+(?:[_+][0-9A-Za-z.-]*)?)?)?)?)?)?")


@frozen(order=True)
class Release:
    """The version of a release, in the order of versions.

    Builds of one version are equal: build metadata has no part in the order of versions.

    Attributes:
        major: The first number; the year of a calendar version.
        minor: The second number.
        patch: The third number.
        build: The build metadata; empty where there is none.
    """

    major: int
    minor: int
    patch: int
    build: str = field(default="", eq=False, order=False)

    @classmethod
    def parse(cls, tag: str) -> "Release | None":
        """Return the version of a tag such as ``v1.2.3``, ``1.2.3_build.5`` or ``2024.09.01``.

        Numbers may begin with zeros, as those of calendar versions do.

        Returns:
            The version; None for any other tag. A pre-release, such as ``1.2.3-rc1``, is no
            release.
        """
        found = _RELEASE.fullmatch(tag)
        if found is None:
            return None
        return cls(int(found[1]), int(found[2]), int(found[3]), found[4] or "")

    @staticmethod
    def nearly(tags: Iterable[str]) -> frozenset[str]:
        """Return the tags that look like versions and are no releases: ``v1``, ``1.2``."""
        # All at once: of a million tags, one after the other takes three times as long. And most
        # are commits or builds, which show that without a pattern.
        text = "\n".join(tags)
        return frozenset(_NEARLY.findall(text) if "v" in text or "." in text else ())

    @staticmethod
    def may_begin_with(text: str) -> bool:
        """Return whether there are releases whose tags begin with a text."""
        return _BEGINNING.fullmatch(text) is not None
