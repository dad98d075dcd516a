"""One image and all that belongs to it: copied to another repository, inspected.

`copy_image` takes an image over into another repository of its registry, without moving a layer.
`inspect_image` says what an image is made of, what shares it, and what a policy says of it.
"""

from aioregistry.images.config import ImageConfig
from aioregistry.images.copying import copy_image
from aioregistry.images.inspecting import inspect_image
from aioregistry.images.inspection import (
    ImageInspection,
    InspectedLayer,
    InspectedManifest,
)
from aioregistry.images.report import CopyOutcome, CopyReport

__all__ = [
    "CopyOutcome",
    "CopyReport",
    "ImageConfig",
    "ImageInspection",
    "InspectedLayer",
    "InspectedManifest",
    "copy_image",
    "inspect_image",
]
