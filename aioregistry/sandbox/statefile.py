"""A state as a JSON file, to keep it or to write one by hand."""

import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aioregistry.sandbox.refusal import Refusal
from aioregistry.sandbox.state.documents import OCI_MANIFEST, rfc3339
from aioregistry.sandbox.state.model import Form, Manifest, Registry
from aioregistry.sandbox.state.names import check_tag, digest_bytes, digest_text
from aioregistry.sandbox.state.state import State
from aioregistry.sandbox.state.tiers import TIERS

_FORMAT = 1
_LARGEST = 2**53


def save_state(state: State, path: str | Path) -> None:
    """Write a state to a file: registries with their content, the subscription, and what runs.

    Credentials and garbage collections are not written.

    Raises:
        OSError: The file cannot be written.
    """
    Path(path).write_text(json.dumps(state_to_json(state)), encoding="utf-8")


def load_state(path: str | Path) -> State:
    """Read a state from a file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not the file of a state.
    """
    try:
        return state_from_json(json.loads(Path(path).read_bytes()))
    except RecursionError:
        raise ValueError("no state: too deep") from None


def state_to_json(state: State) -> dict[str, Any]:
    """A state as JSON values; times are Unix microseconds, sizes bytes."""
    return {
        "format": _FORMAT,
        "tier": state.tier.slug,
        "registries": [_registry_to_json(registry) for registry in state.registries.values()],
        "clusters": [
            {"name": cluster.name, "state": cluster.state, "objects": cluster.objects}
            for cluster in state.clusters.values()
        ],
        "apps": state.apps,
    }


def state_from_json(content: Any, clock: Callable[[], float] | None = None) -> State:
    """A state from what ``state_to_json`` made.

    Args:
        content: The JSON values.
        clock: The state's clock; by default the real one.

    Raises:
        ValueError: They are not those of a state.
    """
    state = State() if clock is None else State(clock)
    try:
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']} is unknown")
        state.tier = TIERS[content["tier"]]
        for registry in content["registries"]:
            _fill(state.add_registry(registry["name"], registry["region"]), registry)
        for described in content.get("clusters", ()):
            cluster = state.add_cluster(_text(described["name"]))
            cluster.state = _text(described["state"])
            cluster.objects = {path: [*some] for path, some in described["objects"].items()}
        state.apps = [dict(app) for app in content.get("apps", ())]
    except (KeyError, TypeError, AttributeError, OverflowError, Base64Error, Refusal) as error:
        raise ValueError(f"no state: {error!r}") from error
    return state


def _registry_to_json(registry: Registry) -> dict[str, Any]:
    return {
        "name": registry.name,
        "region": registry.region,
        "created_at": registry.created_at,
        "storage_at": registry.storage_at,
        "blobs": {digest_text(digest): size for digest, size in registry.blobs.items()},
        "layers_made": registry.layers_made,
        "contents": [b64encode(content).decode() for content in registry.contents.values()],
        "repositories": [
            {
                "name": repository.name,
                "manifests": [
                    _manifest_to_json(manifest)
                    | {"tags": [[tag, repository.tags[tag].at] for tag in manifest.tags]}
                    for manifest in repository.manifests.values()
                ],
            }
            for repository in registry.repositories.values()
        ],
    }


def _manifest_to_json(manifest: Manifest) -> dict[str, Any]:
    form = manifest.form
    return {
        "digest": digest_text(manifest.digest),
        "at": manifest.at,
        "blobs": [digest_text(digest) for digest in manifest.blobs],
        "media_type": form.media_type,
        "platform": form.platform,
        "document": None if form.document is None else form.document.decode(),
        "children": [digest_text(digest) for digest in form.children],
        "subject": None if form.subject is None else digest_text(form.subject),
    }


def _fill(registry: Registry, content: Mapping[str, Any]) -> None:
    registry.created_at = _time(content["created_at"])
    blobs = [(digest_bytes(digest), _size(size)) for digest, size in content["blobs"].items()]
    registry.store(blobs, _time(content["storage_at"]))
    registry.layers_made = _size(content.get("layers_made", 0))
    for pushed in content.get("contents", ()):
        registry.store_content(b64decode(pushed, validate=True), registry.storage_at)
    for repository in content["repositories"]:
        name = repository["name"]
        for described in repository["manifests"]:
            manifest = registry.put(name, _manifest_from_json(described), ())
            missing = {manifest.digest, *manifest.blobs} - registry.blobs.keys()
            if missing:
                raise ValueError(f"blobs are missing: {sorted(map(digest_text, missing))}")
            for tag, at in described["tags"]:
                registry.repositories[name].point(check_tag(tag), manifest, _time(at))


def _manifest_from_json(content: Mapping[str, Any]) -> Manifest:
    document, subject = content.get("document"), content.get("subject")
    form = Form(
        _text(content.get("media_type", OCI_MANIFEST)),
        _text(content.get("platform", "")),
        None if document is None else _text(document).encode(),
        tuple(digest_bytes(child) for child in content.get("children", ())),
        None if subject is None else digest_bytes(subject),
    )
    parts = tuple(digest_bytes(digest) for digest in content["blobs"])
    if not parts and document is None:
        raise ValueError("no state: a manifest with neither blobs nor a document")
    return Manifest(digest_bytes(content["digest"]), _time(content["at"]), parts, form)


def _time(value: object) -> int:
    if type(value) is not int:
        raise TypeError("a time is no whole number")
    rfc3339(value)
    return value


def _size(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise TypeError("a size is no number of bytes")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or any("\ud800" <= sign <= "\udfff" for sign in value):
        raise TypeError("not a text")
    return value
