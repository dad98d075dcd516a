"""The images that objects of Kubernetes and specifications of App Platform name: pure."""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from attrs import frozen

__all__ = [
    "Image",
    "images_of",
    "invalid_images_of",
    "is_app",
    "kind_of",
    "may_lack_images",
    "without_image",
]

# Kinds that run no image. An image that one of them names all the same is read.
_WITHOUT_IMAGES = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "ComponentStatus",
        "ConfigMap",
        "CSIDriver",
        "CSINode",
        "CSIStorageCapacity",
        "CustomResourceDefinition",
        "EndpointSlice",
        "Endpoints",
        "Event",
        "FlowSchema",
        "Gateway",
        "GatewayClass",
        "HTTPRoute",
        "HorizontalPodAutoscaler",
        "Ingress",
        "IngressClass",
        "Lease",
        "LimitRange",
        "MutatingWebhookConfiguration",
        "Namespace",
        "NetworkPolicy",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceQuota",
        "Role",
        "RoleBinding",
        "RuntimeClass",
        "Secret",
        "Service",
        "ServiceAccount",
        "StorageClass",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    }
)
# Kinds in which each container has to name its image.
_POD_MAKERS = frozenset(
    {
        "CronJob",
        "DaemonSet",
        "Deployment",
        "Job",
        "Pod",
        "PodTemplate",
        "ReplicaSet",
        "ReplicationController",
        "StatefulSet",
    }
)
_CONTAINERS = ("containers", "initContainers")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_COMPONENTS = ("services", "workers", "jobs", "functions", "static_sites")
# Beside an image without a tag, as operators write it.
_TAG_KEYS = ("tag", "newTag", "imageTag", "version")
_DIGEST_KEYS = ("digest", "imageDigest")
_REPOSITORY_KEYS = ("repository", "imageRepository", "newName", "name")
_SIGNS = frozenset("/:@")
_HEX_ID = re.compile(r"[0-9a-f]{64}")
_VENDOR = "registry.digitalocean.com"
_OF_VENDOR = re.compile(
    r"(?i:registry\.digitalocean\.com)(?::[0-9]{1,5})?/[a-z0-9][a-z0-9._/-]*/[a-z0-9][a-z0-9._/-]*"
    r"(?:(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})(?:@sha[0-9]{3}:[0-9a-f]{64,128})?"
    r"|@sha[0-9]{3}:[0-9a-f]{64,128})"
)


@frozen
class Image:
    """An image that an object names.

    Attributes:
        name: The image as it is written.
        is_certain: Whether the field is known to be an image: then it must be a reference.
    """

    name: str
    is_certain: bool = True


def kind_of(item: Mapping[str, Any], default: str | None = None) -> str | None:
    """Return the kind of an object; None for what is no object of Kubernetes or App Platform.

    Args:
        item: The object.
        default: The kind of the objects of its list, which then have none of their own.
    """
    kind = item.get("kind", default)
    if isinstance(kind, str) and kind:
        return kind
    return "App" if kind is None and is_app(item) else None


def is_app(item: Mapping[str, Any]) -> bool:
    """Return whether an object is an app of App Platform, or the specification of one."""
    spec = item.get("spec", item)
    return isinstance(spec, dict) and any(isinstance(spec.get(key), list) for key in _COMPONENTS)


def may_lack_images(kind: str) -> bool:
    """Return whether objects of a kind run no image."""
    return kind in _WITHOUT_IMAGES


def without_image(item: Mapping[str, Any], kind: str) -> str | None:
    """Return the name of a container that must have an image and has none; None if all have."""
    if kind not in _POD_MAKERS:
        return None
    for value in _dicts(item):
        for key in _CONTAINERS:
            containers = value.get(key)
            for container in containers if isinstance(containers, list) else ():
                if not isinstance(container, dict) or not container.get("image"):
                    name = container.get("name") if isinstance(container, dict) else None
                    return name if isinstance(name, str) else "?"
    return None


def invalid_images_of(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield the images of a pod that never ran, as Kubernetes found their names invalid."""
    for value in _dicts(item):
        for key in _STATUSES:
            statuses = value.get(key)
            for status in statuses if isinstance(statuses, list) else ():
                match status:
                    case {
                        "image": str(image),
                        "state": {"waiting": {"reason": "InvalidImageName"}},
                    }:
                        yield image


def images_of(item: Mapping[str, Any]) -> Iterator[Image]:
    """Yield the images that an object names, in whatever field.

    All fields but the metadata are read, as everybody can define kinds that run images: fields
    called ``image``, ``imageID`` and the like, and texts with an image of the vendor's registry. Of
    the metadata those annotations are read that are called for images: what gives a pod the image
    of a mirror notes there which one it had.
    """
    yield from _of_annotations(item.get("metadata"))
    for value in _dicts({key: part for key, part in item.items() if key != "metadata"}):
        fields = (_of_field(key, part, value) for key, part in value.items())
        for image in chain(chain.from_iterable(fields), _of_parts(value)):
            # A word by itself, in a field that may be anything, is no image.
            if image.is_certain or _SIGNS & {*image.name}:
                yield image


def _of_annotations(metadata: Any) -> Iterator[Image]:
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    for key, text in annotations.items() if isinstance(annotations, dict) else ():
        if "image" in key.lower() and isinstance(text, str):
            yield from _of_vendor(text)


def _of_field(key: str, part: Any, around: Mapping[str, Any]) -> Iterator[Image]:
    if isinstance(part, str) and part:
        yield from _of_text(key, part, around)
    elif isinstance(part, dict) and key == "image":
        for name in ("reference", "imageRef"):
            if isinstance(part.get(name), str) and part[name]:
                yield Image(part[name])
        if isinstance(part.get("name"), str) and "repository" not in part:
            yield from _of_parts({**part, "repository": part["name"]})
    elif isinstance(part, list):
        for one in part:
            if isinstance(one, str) and one:
                # Argo CD's status, and the names that a node has for an image.
                if key in {"images", "names"}:
                    yield Image(one, is_certain=False)
                yield from _of_vendor(one)


def _of_text(key: str, text: str, around: Mapping[str, Any]) -> Iterator[Image]:
    if key == "image":
        yield Image(text)
        yield from _with_parts_beside(text, around)
    elif key == "imageID":
        yield Image(f"sha256:{text}" if _HEX_ID.fullmatch(text) else text)
    elif key.endswith(("Image", "ImageName")) or key in {"imageName", "source_image_digest"}:
        yield Image(text, is_certain=False)
        yield from _with_parts_beside(text, around)
    elif key == "value" and "image" in str(around.get("name")).lower() and _is_pinned(text):
        # A variable of a container, such as RELATED_IMAGE_WEB.
        yield Image(text, is_certain=False)
    else:
        yield from _of_vendor(text)


def _with_parts_beside(text: str, around: Mapping[str, Any]) -> Iterator[Image]:
    """Yield an image without a tag with each tag and digest that stands beside it."""
    if _is_pinned(text):
        return
    for tag in _given(around, _TAG_KEYS):
        yield Image(f"{text}:{tag}", is_certain=False)
    for digest in _given(around, _DIGEST_KEYS):
        yield Image(f"{text}@{digest}", is_certain=False)


def _is_pinned(text: str) -> bool:
    """Return whether an image has a tag or a digest."""
    return ":" in text.rpartition("/")[2] or "@" in text


def _given(value: Mapping[str, Any], keys: tuple[str, ...]) -> list[str]:
    """Return the texts and numbers under some keys, in their order."""
    found = (value.get(key) for key in keys)
    return [
        str(one)
        for one in found
        if isinstance(one, str | int | float) and not isinstance(one, bool) and one != ""
    ]


def _of_vendor(text: str) -> Iterator[Image]:
    for found in _OF_VENDOR.finditer(text):
        yield Image(found[0], is_certain=False)
        if found[0].endswith("."):
            # The end of a sentence.
            yield Image(found[0].rstrip("."), is_certain=False)


def _of_parts(value: Mapping[str, Any]) -> Iterator[Image]:
    """Yield the image that is written in parts: a repository, and a tag or a digest."""
    name = next((value[key] for key in _REPOSITORY_KEYS if key in value), None)
    # The version of what else has a name is no tag.
    tags, digests = _given(value, _TAG_KEYS[:-1]), _given(value, _DIGEST_KEYS)
    of_app = "registry_type" in value
    if not isinstance(name, str) or not name or not (tags or digests or of_app):
        return
    known = {"repository", "imageRepository", "newTag", "registry"}
    if not known & {*value} and "/" not in name:
        # The name of anything; that of an image, as Flux writes it, has its registry in it.
        return
    registry = value.get("registry")
    path = f"{registry}/{name}" if isinstance(registry, str) and registry else name
    if of_app and value["registry_type"] != "DOCR":
        path = f"docker.io/{path}"
    elif of_app and path != name:
        path = f"{_VENDOR}/{path}"
    for digest in digests:
        yield Image(f"{path}@{digest}", is_certain=of_app)
    for tag in tags:
        yield Image(f"{path}:{tag}", is_certain=of_app)
    if of_app and not tags and not digests:
        yield Image(f"{path}:latest")


def _dicts(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield all objects of JSON in a value."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
