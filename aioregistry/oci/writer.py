"""Writing manifests to the registry itself: to put back what was deleted, and to set tags."""

from typing import ClassVar

from aioregistry.errors import InvalidRequestError, InvalidResponseError, NotFoundError
from aioregistry.oci.distribution import Distribution

__all__ = ["DistributionWriter", "is_part_missing"]

_MISSING_PARTS = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})


class DistributionWriter(Distribution):
    """Reads like `Distribution`, and writes manifests, with docker credentials that let push.

    Takes the same arguments. The credentials need a token with the scopes ``registry:read``,
    ``registry:update`` and ``registry:create``.
    """

    _writes: ClassVar[bool] = True

    async def put_manifest(
        self, repository: str, reference: str, document: bytes, media_type: str
    ) -> None:
        """Store a manifest: ``PUT /v2/{registry}/{repository}/manifests/{reference}``.

        All that it names must be in the repository. A tag that exists is moved without a question:
        the protocol has no conditional ``PUT``.

        Args:
            repository: The repository's name.
            reference: A tag, or the manifest's digest.
            document: The manifest, byte for byte.
            media_type: Its media type.

        Raises:
            InvalidNameError: No repository, tag or digest can be called so; nothing was sent.
            InvalidRequestError: The registry refuses it; `is_part_missing` says whether that is for
                want of a part that it names.
            InvalidResponseError: The registry stored it under another digest.
            RegistryError: Any other of its kinds.
        """
        path = self._path(repository, reference)
        answer = await self._send("PUT", repository, path, document, media_type)
        digest = self._digest_in(answer, repository) or reference
        if ":" in reference and digest != reference:
            raise InvalidResponseError(
                f"the registry stored {reference!r} under another digest, {digest!r}"
            )


def is_part_missing(error: Exception) -> bool:
    """Return whether a registry refuses a manifest because a blob or a child does not exist."""
    return (
        isinstance(error, InvalidRequestError | NotFoundError) and error.error_id in _MISSING_PARTS
    )
