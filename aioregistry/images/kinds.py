"""What a manifest is for: an image, a signature, an attestation, an SBOM: pure."""

from aioregistry.images.parts import Parts

__all__ = ["is_attestation", "kind_of"]

_BY_SUFFIX = {".sig": "signature", ".att": "attestation", ".sbom": "SBOM"}
# The first that is a part of a type decides.
_BY_TYPE = (
    ("in-toto", "attestation"),
    ("dsse", "attestation"),
    ("attestation", "attestation"),
    ("spdx", "SBOM"),
    ("cyclonedx", "SBOM"),
    ("sbom", "SBOM"),
    ("simplesigning", "signature"),
    ("signature", "signature"),
    ("sigstore", "signature"),
    ("notary", "signature"),
)


def is_attestation(parts: Parts) -> bool:
    """Return whether a manifest states something about an image, as BuildKit's do."""
    return bool(parts.layers) and all("in-toto" in (one.media_type or "") for one in parts.layers)


def kind_of(parts: Parts, tag: str | None, *, is_referrer: bool) -> str:
    """Return what a manifest is for.

    Args:
        parts: What it is made of.
        tag: The tag that names its subject; None for none.
        is_referrer: Whether it refers to another one.
    """
    if not is_referrer and not is_attestation(parts):
        return parts.kind
    for suffix, kind in _BY_SUFFIX.items():
        if tag is not None and tag.endswith(suffix):
            return kind
    config = None if parts.config is None else parts.config.media_type
    types = (parts.artifact_type, config, *(layer.media_type for layer in parts.layers))
    for part, kind in _BY_TYPE:
        if any(part in (one or "").lower() for one in types):
            return kind
    return "artifact" if parts.kind == "image" else parts.kind
