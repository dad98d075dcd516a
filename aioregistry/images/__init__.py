"""One image and all that belongs to it: copied to another repository, inspected.

`copy_image` takes an image over into another repository of its registry, without moving a layer.
"""

from aioregistry.images.copying import copy_image
from aioregistry.images.report import CopyOutcome, CopyReport

__all__ = ["CopyOutcome", "CopyReport", "copy_image"]
