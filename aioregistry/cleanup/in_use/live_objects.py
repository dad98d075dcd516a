"""What the objects of a cluster name: the images alone are kept of each. Pure."""

from collections.abc import Mapping
from typing import Any

from aioregistry.cleanup.in_use.files import describe
from aioregistry.cleanup.in_use.kinds import ClusterError
from aioregistry.cleanup.in_use.objects import images_of, may_lack_images, without_image
from aioregistry.cleanup.in_use.references import Use
from aioregistry.errors import InvalidNameError
from aioregistry.oci.references import Reference

__all__ = ["LiveObjects"]

_MAX_SHOWN = 3
_MAX_NOTES = 20


class LiveObjects:
    """Takes in objects, one after the other, and keeps none.

    Args:
        source: Where they are from, for reasons.
        ignore_kinds: Kinds of which an object need not name an image.
    """

    def __init__(self, source: str, ignore_kinds: frozenset[str]) -> None:
        self.notes: list[str] = []
        self._source = source
        self._ignore_kinds = ignore_kinds
        self._uses: dict[str, Use] = {}
        self._passed_over: dict[str, str] = {}
        self._lacking: dict[str, list[str]] = {}

    def add(self, item: Mapping[str, Any], kind: str, *, may_lack: bool = False) -> None:
        """Take in an object.

        Args:
            item: The object.
            kind: Its kind.
            may_lack: Whether it runs images only where it names some. False by default.
        """
        where = f"{describe(kind, item)} of {self._source}"
        found = False
        for image in images_of(item):
            found = found or image.is_certain
            if image.name in self._uses:
                continue
            try:
                self._uses[image.name] = Use(Reference.parse(image.name), where)
            except InvalidNameError:
                # No cluster can pull it: else anybody could stop every clean-up by such a pod.
                if image.is_certain:
                    self._passed_over.setdefault(image.name, where)
        may_lack = may_lack or kind in self._ignore_kinds or may_lack_images(kind)
        if not may_lack and (not found or without_image(item, kind) is not None):
            self._lacking.setdefault(kind, []).append(where)

    def uses(self) -> list[Use]:
        """Return what is in use, each image once, and note what was passed over.

        Raises:
            ClusterError: An object names no image that should name one.
        """
        if self._lacking:
            kind, places = next(iter(self._lacking.items()))
            more = f" and {len(places) - _MAX_SHOWN:,} more" if len(places) > _MAX_SHOWN else ""
            raise ClusterError(
                f"no image found in {', '.join(places[:_MAX_SHOWN])}{more}; if these run none,"
                f" give --in-use-ignore {kind}"
            )
        passed = list(self._passed_over.items())
        self.notes = [
            f"{where}: passed over {name[:80]!r}: {_why(name)}"
            for name, where in passed[:_MAX_NOTES]
        ]
        if len(passed) > _MAX_NOTES:
            self.notes.append(f"{self._source}: {len(passed) - _MAX_NOTES:,} more were passed over")
        return list(self._uses.values())


def _why(name: str) -> str:
    if "{{" in name or "$(" in name:
        # As the templates of Argo, Tekton and the like are.
        return "it is filled in when it is used, with values that are unknown before"
    return "no name of an image, so it cannot run"
