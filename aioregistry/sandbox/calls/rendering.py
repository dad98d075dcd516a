"""Tags, manifests and repositories as the API writes them, straight to text.

Names are checked when they come in and need no escaping; a page of 200 must cost little.
"""

from collections.abc import Iterable

from aioregistry.sandbox.state.documents import rfc3339
from aioregistry.sandbox.state.model import Manifest, Registry, Repository, Tag

# Sizes of what is unpacked are made up: no layer here has content to unpack.
_UNPACKED = 2.1
# Lists are asked for again and again, while little in them changes: some 15 MB.
_KEPT = 32_768


def tags_json(registry: Registry, repository: str, tags: Iterable[Tag]) -> list[str]:
    """Tags, as a list has them."""
    texts = _texts(registry)
    return [
        texts.get(tag) or texts.setdefault(tag, tag_json(registry, repository, tag)) for tag in tags
    ]


def manifests_json(registry: Registry, repository: str, manifests: Iterable[Manifest]) -> list[str]:
    """Manifests, as a list has them."""
    texts, found = _texts(registry), []
    for manifest in manifests:
        key = manifest, manifest.tags
        text = texts.get(key)
        if text is None:
            text = texts[key] = manifest_json(registry, repository, manifest)
        found.append(text)
    return found


def _texts(registry: Registry) -> dict[Tag | tuple[Manifest, tuple[str, ...]], str]:
    """What was written lately."""
    if len(registry.texts) > _KEPT:
        registry.texts.clear()
    return registry.texts


def tag_json(registry: Registry, repository: str, tag: Tag) -> str:
    """A tag."""
    manifest = tag.manifest
    size = registry.size_of(manifest)
    return (
        f'{{"registry_name":"{registry.name}","repository":"{repository}","tag":"{tag.name}",'
        f'"manifest_digest":"sha256:{manifest.digest.hex()}",'
        f'"compressed_size_bytes":{size},"size_bytes":{int(size * _UNPACKED)},'
        f'"updated_at":"{rfc3339(tag.at)}"}}'
    )


def manifest_json(registry: Registry, repository: str, manifest: Manifest) -> str:
    """A manifest, with its blobs; its own document is the last of them."""
    sizes = registry.blobs
    size = registry.size_of(manifest)
    tags = ",".join([f'"{tag}"' for tag in manifest.tags])
    blobs = "},{".join(
        [
            f'"digest":"sha256:{digest.hex()}","compressed_size_bytes":{sizes[digest]}'
            for digest in (*manifest.blobs, manifest.digest)
        ]
    )
    return (
        f'{{"registry_name":"{registry.name}","repository":"{repository}",'
        f'"digest":"sha256:{manifest.digest.hex()}",'
        f'"compressed_size_bytes":{size},"size_bytes":{int(size * _UNPACKED)},'
        f'"updated_at":"{rfc3339(manifest.at)}",'
        f'"tags":[{tags}],"blobs":[{{{blobs}}}]}}'
    )


def repository_json(registry: Registry, repository: Repository) -> str:
    """A repository, as the listing with page tokens has it."""
    latest = repository.newest_manifests.first()
    manifest = (
        f'"latest_manifest":{manifest_json(registry, repository.name, latest)},' if latest else ""
    )
    return (
        f'{{"registry_name":"{registry.name}","name":"{repository.name}",{manifest}'
        f'"tag_count":{len(repository.tags)},"manifest_count":{len(repository.manifests)}}}'
    )


def old_repository_json(registry: Registry, repository: Repository) -> str:
    """A repository, as the deprecated listing has it."""
    latest = repository.newest_tags.first()
    tag = f'"latest_tag":{tag_json(registry, repository.name, latest)},' if latest else ""
    return (
        f'{{"registry_name":"{registry.name}","name":"{repository.name}",{tag}'
        f'"tag_count":{len(repository.tags)}}}'
    )
