"""Looking at an image: its manifests, its configs, and who shares its layers."""

from collections.abc import Callable, Mapping
from datetime import datetime

from attrs import define, field, frozen

from aioregistry.arguments import Ignored, plain_callback
from aioregistry.cleanup.in_use.references import InUse
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.explain import Explanation, explain_image
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import ClientClosedError, NotFoundError, RegistryError
from aioregistry.images.config import IMAGE_CONFIGS, ImageConfig, config_of
from aioregistry.images.inspection import ImageInspection, InspectedLayer, InspectedManifest
from aioregistry.images.kinds import is_attestation, kind_of
from aioregistry.images.parts import Descriptor, Parts
from aioregistry.images.survey import Image, Member, read_image
from aioregistry.oci.distribution import Distribution
from aioregistry.oci.fan_out import for_each

__all__ = ["inspect_image"]

_MAX_CONFIG = 4 * 2**20
_MAX_NAMES = 5


async def inspect_image(
    registry: RegistryHandle,
    distribution: Distribution,
    repository: str,
    reference: str,
    *,
    all_repositories: bool = False,
    policy: Policy | None = None,
    contents: ContentReader | None = None,
    in_use: InUse | None = None,
    leave: Mapping[str, str] | None = None,
    now: datetime | None = None,
    on_progress: Callable[[int], Ignored] | None = None,
) -> ImageInspection:
    """Return what an image is made of, what shares its layers, and what a policy says of it.

    Manifests and configs are read from the registry itself (``GET /v2/{registry}/{repository}/
    manifests/…`` and ``…/blobs/…``); whose layers are shared is told by the API's list of manifests
    (``GET …/repositories/{repository}/digests``, a request for 200). What cannot be read or
    understood is said to be so, and is no error, unless it is the image itself.

    Example:
        ```python
        async with Distribution(registry) as distribution:
            image = await inspect_image(registry, distribution, "web", "v1.0.0")
            for manifest in image.manifests:
                print(manifest.kind, manifest.platform, manifest.size_bytes)
        ```

    Args:
        registry: The registry.
        distribution: The registry itself.
        repository: The repository's name.
        reference: A tag, or a digest.
        all_repositories: Whether shared layers are looked for in all repositories of the registry;
            by default in this one alone.
        policy: A policy to explain; None, the default, for none. It needs all manifests of the
            repository.
        contents: Where those are read; None, the default, for `distribution` without a cache.
        in_use: What is in use; None, the default, when that is not to be asked.
        leave: Repositories that clean-ups leave alone, each with the reason, as `make_plan` takes
            them; None, the default, for none.
        now: The time up to which ages are counted; None for now.
        on_progress: Called with how many manifests of lists were read so far; None, the default,
            for no call.

    Raises:
        InvalidNameError: No repository, tag or digest can be called so; nothing was sent.
        NotFoundError: There is no such image.
        RegistryError: Any other of its kinds.
    """
    on_progress = plain_callback("on_progress", on_progress)
    image = await read_image(distribution, repository, reference, lenient=True)
    configs = await _configs(distribution, image)
    sharing = _Sharing(image, on_progress)
    await sharing.look(registry, repository)
    if all_repositories:
        async for other in registry.repositories():
            if other.name != repository:
                await sharing.look(registry, other.name)
    decisions: tuple[Explanation, ...] = ()
    if policy is not None:
        source = ContentReader(distribution) if contents is None else contents
        decisions = await explain_image(
            registry,
            policy,
            source,
            repository,
            image.digest,
            in_use=in_use,
            leave=leave,
            now=now,
        )
    return ImageInspection(
        registry.name,
        repository,
        image.digest,
        sharing.tags,
        sharing.pushed_at,
        tuple(_inspected(image, configs, sharing)),
        sharing.listed,
        decisions,
    )


async def _configs(distribution: Distribution, image: Image) -> dict[str, ImageConfig]:
    """Return the configs of images by their digests, each read or with the reason why not."""
    wanted: dict[str, Descriptor] = {}
    for member in image.members.values():
        config = member.parts.config
        if config is not None and config.media_type in IMAGE_CONFIGS and not _is_about(member):
            wanted[config.digest] = config
    found: dict[str, ImageConfig] = {}

    async def read(digest: str) -> None:
        size = wanted[digest].size
        if size is not None and size > _MAX_CONFIG:
            found[digest] = ImageConfig(digest, problem=f"too large to read: {size:,} bytes")
            return
        try:
            body = await distribution.get_blob(image.repository, digest, max_bytes=_MAX_CONFIG)
        except ClientClosedError:
            raise
        except RegistryError as error:
            found[digest] = ImageConfig(digest, problem=f"it could not be read: {error}")
        else:
            found[digest] = config_of(digest, body)

    await for_each(read, wanted, distribution.concurrency)
    return found


def _is_about(member: Member) -> bool:
    """Return whether a manifest is about another one, and so no image that runs."""
    return member.refers_to is not None or is_attestation(member.parts)


@define
class _Others:
    count: int = 0
    names: list[str] = field(factory=list)


class _Sharing:
    """Who else has the layers of an image, by the API's lists."""

    def __init__(self, image: Image, on_progress: Callable[[int], Ignored] | None) -> None:
        self._image = image
        self._on_progress = on_progress
        self._others = {
            blob.digest: _Others() for one in image.members.values() for blob in one.parts.blobs
        }
        self.listed = 0
        self.tags: tuple[str, ...] = ()
        self.pushed_at: datetime | None = None

    async def look(self, registry: RegistryHandle, repository: str) -> None:
        try:
            async for page in registry.repository(repository).manifests().pages():
                for manifest in page.items:
                    own = repository == self._image.repository
                    if own and manifest.digest == self._image.digest:
                        self.tags, self.pushed_at = manifest.tags, manifest.updated_at
                    if own and manifest.digest in self._image.members:
                        continue
                    self.listed += 1
                    tag = f":{manifest.tags[0]}" if manifest.tags else f"@{manifest.digest}"
                    for digest in {blob.digest for blob in manifest.blobs} & self._others.keys():
                        others = self._others[digest]
                        others.count += 1
                        if len(others.names) < _MAX_NAMES:
                            others.names.append(f"{repository}{tag}")
                if self._on_progress is not None:
                    self._on_progress(self.listed)
        except NotFoundError as error:
            if not error.is_certain:
                raise
            # Deleted meanwhile; or the API does not list what the registry itself has.
            return

    def layer(self, blob: Descriptor) -> InspectedLayer:
        others = self._others[blob.digest]
        return InspectedLayer(
            blob.digest,
            blob.media_type,
            blob.size,
            others.count,
            tuple(others.names),
            blob.is_elsewhere,
        )


@frozen
class _Entry:
    """What an index says of a child."""

    platform: str | None
    about: str | None


def _inspected(
    image: Image, configs: dict[str, ImageConfig], sharing: _Sharing
) -> list[InspectedManifest]:
    entries: dict[str, _Entry] = {}
    for member in image.members.values():
        for child in member.parts.children:
            notes = child.annotations or {}
            about = notes.get("vnd.docker.reference.digest")
            entries.setdefault(child.digest, _Entry(child.platform, about))
    tags: dict[str, str] = {digest: tag for tag, digest in image.tags.items()}
    found = [
        _one(member, entries.get(digest, _Entry(None, None)), tags.get(digest), configs, sharing)
        for digest, member in image.members.items()
    ]
    found.sort(key=lambda one: one.refers_to is not None and one.digest not in entries)
    for digest, reason in image.missing.items():
        platform = entries[digest].platform if digest in entries else None
        found.append(InspectedManifest(digest, "missing", platform=platform, problem=reason))
    return found


def _one(
    member: Member,
    entry: _Entry,
    tag: str | None,
    configs: dict[str, ImageConfig],
    sharing: _Sharing,
) -> InspectedManifest:
    parts: Parts = member.parts
    config = None if parts.config is None else configs.get(parts.config.digest)
    platform = entry.platform or (None if config is None else config.platform)
    predicates = (one.annotations or {} for one in parts.layers)
    return InspectedManifest(
        member.manifest.digest,
        kind_of(parts, tag, is_referrer=member.refers_to is not None or entry.about is not None),
        parts.media_type,
        parts.artifact_type,
        platform,
        sum(blob.size or 0 for blob in {blob.digest: blob for blob in parts.blobs}.values()),
        config,
        tuple(map(sharing.layer, parts.layers)),
        tuple(child.digest for child in parts.children),
        member.refers_to or entry.about,
        tag,
        tuple(
            dict.fromkeys(
                notes["in-toto.io/predicate-type"]
                for notes in predicates
                if "in-toto.io/predicate-type" in notes
            )
        ),
        parts.annotations,
        parts.problem,
    )
