"""Reading an image with all that belongs to it: children, signatures, attestations, SBOMs."""

from collections.abc import Iterator, Mapping
from functools import partial
from graphlib import CycleError

from attrs import Factory, define

from aioregistry.cleanup.manifests.content import (
    UnreadableContentError,
    subject_key,
    subject_of_tag,
)
from aioregistry.cleanup.undo.order import waves_of
from aioregistry.errors import InvalidResponseError, NotFoundError, RegistryError
from aioregistry.images.parts import Parts, parts_of
from aioregistry.oci.distribution import Distribution
from aioregistry.oci.documents import INDEX, FetchedManifest, referrers_of
from aioregistry.oci.fan_out import for_each

__all__ = ["Image", "Member", "read_image"]

_MAX_MANIFESTS = 5_000
_MAX_BYTES = 256 * 2**20
# The suffixes of cosign's tags; without one it is the protocol's own list of referrers.
_SUFFIXES = ("", ".sig", ".att", ".sbom")


@define
class Member:
    """One manifest of an image.

    Attributes:
        manifest: The document.
        parts: What it is made of.
        refers_to: The manifest that it refers to, by its subject or by its tag; None for a part of
            the image itself.
    """

    manifest: FetchedManifest
    parts: Parts
    refers_to: str | None = None


@define
class Image:
    """An image, and all that belongs to it.

    Attributes:
        repository: The repository that it was read from.
        digest: The digest of the image or index itself.
        members: Every manifest by its digest; the image itself is the first.
        tags: The tags of its referrers that name a digest, as cosign's do, and the manifests that
            they are on.
        lists: The indexes of referrers that clients keep under such a tag, where a registry does
            not list referrers itself.
        missing: Referrers that are listed and do not exist, each with the reason; leniently read,
            children as well.
    """

    repository: str
    digest: str
    members: dict[str, Member] = Factory(dict)
    tags: dict[str, str] = Factory(dict)
    lists: dict[str, FetchedManifest] = Factory(dict)
    missing: dict[str, str] = Factory(dict)

    def waves(self) -> Iterator[tuple[str, ...]]:
        """Yield the digests in an order in which a registry takes them.

        Children come before their index, a subject before its referrers; those of one wave do not
        need each other.
        """
        members = self.members
        needs = {
            digest: {*(child.digest for child in one.parts.children), one.parts.subject}
            for digest, one in members.items()
        }
        by_tag = {digest: {*before, members[digest].refers_to} for digest, before in needs.items()}
        try:
            yield from waves_of(by_tag)
        except CycleError:
            # A tag can name any digest. What documents name cannot lead in a circle.
            yield from waves_of(needs)


async def read_image(
    distribution: Distribution,
    repository: str,
    reference: str,
    *,
    referrers: bool = True,
    lenient: bool = False,
) -> Image:
    """Read an image, its children, and what refers to any of them.

    ``GET /v2/{registry}/{repository}/manifests/…`` for each; for referrers also ``tags/list`` and
    ``GET …/referrers/{digest}``, each if the registry serves it.

    Args:
        distribution: The registry itself.
        repository: The repository's name.
        reference: A tag, or a digest.
        referrers: Whether referrers are looked for; by default they are.
        lenient: Whether children may not exist, and manifests may not be understood; by default
            either is an error.

    Raises:
        NotFoundError: There is no such image, or a child of it does not exist.
        UnreadableContentError: A manifest could not be understood.
        InvalidResponseError: There are more manifests, or larger ones, than any image has.
        RegistryError: Any other of its kinds.
    """
    root = await distribution.get_manifest(repository, reference)
    image = Image(repository, root.digest)
    reading = _Reading(distribution, image, lenient)
    reading.add(root, None)
    tags = await _referrer_tags(distribution, repository) if referrers else None
    waiting = [root.digest]
    while waiting:
        found = {
            child.digest: None for one in waiting for child in image.members[one].parts.children
        }
        before = dict(image.members)
        await for_each(reading.read_child, found, distribution.concurrency)
        new = [digest for digest in image.members if digest not in before]
        if referrers:
            look = partial(reading.read_referrers, tags)
            await for_each(look, [*waiting, *new], distribution.concurrency)
        waiting = [digest for digest in image.members if digest not in before]
    return image


async def _referrer_tags(
    distribution: Distribution, repository: str
) -> dict[str, list[str]] | None:
    """Return the tags that name digests, by `subject_key`: ``GET …/tags/list``.

    Returns:
        The tags; None where the registry does not serve the call.
    """
    try:
        listed = await distribution.list_tags(repository)
    except NotFoundError:
        return None
    found: dict[str, list[str]] = {}
    for tag in listed:
        subject = subject_of_tag(tag)
        if subject is not None:
            found.setdefault(subject, []).append(tag)
    return found


class _Reading:
    """One reading of an image."""

    def __init__(self, distribution: Distribution, image: Image, lenient: bool) -> None:
        self._lenient = lenient
        self._distribution = distribution
        self._image = image
        self._bytes = 0
        self._looked: set[str] = set()

    def add(self, manifest: FetchedManifest, refers_to: str | None) -> Parts:
        self._bytes += len(manifest.raw)
        if len(self._image.members) >= _MAX_MANIFESTS or self._bytes > _MAX_BYTES:
            raise InvalidResponseError(
                f"{self._image.digest} has more than {_MAX_MANIFESTS:,} manifests, or more than"
                f" {_MAX_BYTES // 2**20} MiB of them"
            )
        try:
            parts = parts_of(manifest.body, manifest.media_type)
        except UnreadableContentError as error:
            if not self._lenient:
                raise UnreadableContentError(f"{manifest.digest}: {error.message}") from None
            parts = Parts("unreadable", manifest.media_type, problem=error.message)
        self._image.members[manifest.digest] = Member(manifest, parts, refers_to)
        return parts

    async def read_child(self, digest: str) -> None:
        if digest in self._image.members:
            return
        try:
            manifest = await self._distribution.get_manifest(self._image.repository, digest)
        except NotFoundError as error:
            if self._lenient:
                self._image.missing[digest] = "the index names it, and it does not exist"
                return
            raise NotFoundError(
                f"the index names {digest}, which {self._image.repository!r} does not have"
            ) from error
        self.add(manifest, None)

    async def read_referrers(self, tags: Mapping[str, list[str]] | None, digest: str) -> None:
        """Read what refers to a manifest, by the registry's list and by tags; None: the usual."""
        if digest in self._looked:
            return
        self._looked.add(digest)
        repository = self._image.repository
        for one in await self._distribution.list_referrers(repository, digest) or ():
            await self._read_referrer(one, digest)
        key = subject_key(digest)
        usual = [f"{key.replace(':', '-')}{suffix}" for suffix in _SUFFIXES]
        for tag in usual if tags is None else tags.get(key, ()):
            on = await self._distribution.find_manifest(repository, tag)
            if on is None:
                continue
            if "." not in tag:
                manifest = await self._distribution.get_manifest(repository, on)
                if manifest.media_type == INDEX:
                    self._image.lists[tag] = manifest
                    for one in referrers_of(manifest.body):
                        await self._read_referrer(one, digest)
                    continue
            if await self._read_referrer(on, digest) is not None:
                self._image.tags[tag] = on

    async def _read_referrer(self, digest: str, subject: str) -> Parts | None:
        known = self._image.members.get(digest)
        if known is not None:
            return known.parts
        try:
            manifest = await self._distribution.get_manifest(self._image.repository, digest)
            return self.add(manifest, subject)
        except (NotFoundError, UnreadableContentError) as error:
            self._image.missing[digest] = _reason(error)
            return None


def _reason(error: RegistryError) -> str:
    if isinstance(error, NotFoundError):
        return "it is listed as a referrer, and does not exist"
    return f"it is listed as a referrer, and cannot be understood: {error.message}"
