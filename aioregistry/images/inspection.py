"""What an image is made of, what shares it, and what a policy says of it."""

from datetime import datetime

from attrs import frozen

from aioregistry.api.documents import Document
from aioregistry.cleanup.plan.explain import Explanation
from aioregistry.images.config import ImageConfig

__all__ = ["ImageInspection", "InspectedLayer", "InspectedManifest"]


@frozen
class InspectedLayer:
    """A layer, and who else has it.

    Attributes:
        digest: The digest.
        media_type: The media type; None when the manifest does not say.
        size_bytes: Compressed bytes; None when the manifest does not say.
        shared_count: How many other manifests have it, of those that were listed.
        shared_with: The first of them, as ``web:v1``, or ``web@sha256:…`` without a tag.
        is_elsewhere: Whether it may be stored elsewhere alone.
    """

    digest: str
    media_type: str | None = None
    size_bytes: int | None = None
    shared_count: int = 0
    shared_with: tuple[str, ...] = ()
    is_elsewhere: bool = False


@frozen
class InspectedManifest:
    """One manifest of an image.

    Attributes:
        digest: The digest.
        kind: ``image``, ``index``, ``attestation``, ``signature``, ``SBOM``, ``artifact`` or
            ``schema1``; ``unreadable`` or ``missing`` where `problem` says why.
        media_type: The media type; None when nobody says.
        artifact_type: What an artifact is; None when it does not say.
        platform: ``os/architecture``; None when it has none.
        size_bytes: Compressed bytes of config and layers, as far as the manifest says.
        config: The config of an image; None for others.
        layers: The layers.
        children: The digests of the manifests that an index names.
        refers_to: The manifest that an attestation, signature, SBOM or other referrer is about;
            None for a part of the image itself.
        tag: The tag of a referrer that names its subject; None for none.
        predicates: What an attestation states.
        annotations: Its annotations.
        problem: Why it is unreadable or missing; otherwise empty.
    """

    digest: str
    kind: str
    media_type: str | None = None
    artifact_type: str | None = None
    platform: str | None = None
    size_bytes: int = 0
    config: ImageConfig | None = None
    layers: tuple[InspectedLayer, ...] = ()
    children: tuple[str, ...] = ()
    refers_to: str | None = None
    tag: str | None = None
    predicates: tuple[str, ...] = ()
    annotations: dict[str, str] | None = None
    problem: str = ""


@frozen
class ImageInspection(Document):
    """An image.

    Attributes:
        registry: The registry's name.
        repository: The repository's name.
        digest: The digest of the image or index itself.
        tags: The tags that are on it, as the API lists them.
        pushed_at: When it was pushed; None when the API does not list it.
        manifests: Every manifest of it, the image or index itself first; then those it names, and
            last what refers to any of them.
        listed_manifests: How many other manifests of the registry were looked at for shared layers.
        decisions: What a policy says of each tag, or of the manifest if it has none; empty without
            a policy.
    """

    registry: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime | None
    manifests: tuple[InspectedManifest, ...]
    listed_manifests: int = 0
    decisions: tuple[Explanation, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Compressed bytes of all layers, each once."""
        sizes = {
            layer.digest: layer.size_bytes or 0
            for manifest in self.manifests
            for layer in manifest.layers
        }
        return sum(sizes.values())
