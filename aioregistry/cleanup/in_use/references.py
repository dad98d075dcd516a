"""What runs somewhere: references to images that a clean-up must leave alone."""

import json
import re
from collections import defaultdict
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen

from aioregistry.cleanup.policy.documents import without_duplicates
from aioregistry.errors import InvalidNameError, RegistryError
from aioregistry.oci.references import Reference

__all__ = ["InUse", "InUseError", "InUseSource", "Use", "collect_in_use", "read_in_use"]

# docker://sha256:… names an image of the node's own store; it does no harm to keep what has it.
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_NAME = re.compile(r"[A-Za-z0-9:._-]{1,253}")


class InUseError(RegistryError, ValueError):
    """What is in use cannot be read, so nothing is known to be unused; the message says where."""


@frozen
class Use:
    """An image that is in use, and where: ``pod default/web-1``, ``line 3 of running.txt``."""

    reference: Reference
    where: str = "given as in use"


InUseSource = Iterable[Use | Reference | str] | AsyncIterable[Use | Reference | str]


class InUse:
    """All that is in use, to be asked for by repository.

    Args:
        uses: References, as texts or read; a text that is no reference is refused.

    Raises:
        InUseError: One of them is no reference.
    """

    def __init__(self, uses: Iterable[Use | Reference | str] = ()) -> None:
        # By the last part of the path: what may be this repository is looked at more closely.
        self._uses: dict[str, list[Use]] = defaultdict(list)
        for use in map(_use, uses):
            self._uses[use.reference.path.rpartition("/")[2]].append(use)

    def tags_of(self, registry: str, repository: str) -> Mapping[str, str]:
        """Return the tags of a repository that are in use, each with where."""
        return {
            use.reference.tag or "latest": use.where
            for use in self._of(registry, repository)
            if use.reference.tag is not None or use.reference.digest is None
        }

    def digests_of(self, registry: str, repository: str) -> Mapping[str, str]:
        """Return the digests in use that may be of a repository, each with where."""
        return {
            use.reference.digest: use.where
            for use in self._of(registry, repository)
            if use.reference.digest is not None
        }

    def _of(self, registry: str, repository: str) -> Iterator[Use]:
        for last in ("", repository.rpartition("/")[2]):
            for use in self._uses.get(last, ()):
                if use.reference.names(registry, repository):
                    yield use


def _use(given: Use | Reference | str) -> Use:
    if isinstance(given, Use):
        return given
    if isinstance(given, Reference):
        return Use(given)
    try:
        return Use(Reference.parse(given))
    except InvalidNameError as error:
        raise InUseError(f"in use: {error.message}") from None


async def collect_in_use(source: InUse | InUseSource | None) -> InUse:
    """Return all that a source says is in use.

    Raises:
        InUseError: One of it is no reference.
    """
    if source is None:
        return InUse()
    if isinstance(source, InUse):
        return source
    if isinstance(source, str):
        raise TypeError("in_use takes many references; a single one goes into a list")
    if isinstance(source, AsyncIterable):
        return InUse([use async for use in source])
    return InUse(source)


def read_in_use(text: str, name: str) -> list[Use]:
    """Return what a file says is in use.

    Args:
        text: What ``kubectl get pods -A -o json`` prints, or any other list of objects with pods
            in them; or references, one a line, with comments after ``#``.
        name: What the file is called in errors.

    Raises:
        InUseError: It is neither, or anything in it is no reference.
    """
    # A file may be called what no plan can hold.
    name = name.encode("utf-8", "backslashreplace").decode()
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return list(_of_objects(text, name))
    return list(_of_lines(text, name))


def _of_lines(text: str, name: str) -> Iterator[Use]:
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        said = line.partition("#")[0].strip()
        if said:
            try:
                yield Use(Reference.parse(said), f"line {number} of {name}")
            except InvalidNameError as error:
                raise InUseError(f"{name}, line {number}: {error.message}") from None


def _of_objects(text: str, name: str) -> Iterator[Use]:
    try:
        document = json.loads(text.lstrip("\ufeff"), object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise InUseError(f"{name}: not JSON: {error}") from None
    objects = document.get("items", [document]) if isinstance(document, dict) else document
    if not isinstance(objects, list):
        raise InUseError(f"{name}: its items are no list")
    for number, item in enumerate(objects):
        if not isinstance(item, dict) or not isinstance(item.get("kind"), str):
            raise InUseError(
                f"{name}, items[{number}]: no object of Kubernetes; give what "
                "'kubectl get pods -A -o json' prints"
            )
        where = _called(item)
        for image in _images(item):
            try:
                yield Use(Reference.parse(image), where)
            except InvalidNameError as error:
                raise InUseError(f"{name}, {where}: {error.message}") from None


def _called(item: Mapping[str, Any]) -> str:
    metadata = item.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    namespace = f"{_name(metadata['namespace'])}/" if "namespace" in metadata else ""
    return f"{_name(item['kind']).lower()} {namespace}{_name(metadata.get('name'))}"


def _name(value: object) -> str:
    # It goes into plans and journals, and what is no name can be anything.
    return value if isinstance(value, str) and _NAME.fullmatch(value) else "?"


def _images(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield the images of all containers anywhere in an object, a pod or what makes pods."""
    waiting: list[Any] = [item]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
            for key in _CONTAINERS:
                yield from _said(value.get(key), "image")
            for key in _STATUSES:
                yield from _said(value.get(key), "image")
                yield from _said(value.get(key), "imageID")


def _said(containers: object, key: str) -> Iterator[str]:
    for container in containers if isinstance(containers, list) else ():
        image = container.get(key) if isinstance(container, dict) else None
        # Empty while a pod has not been scheduled yet: then its spec says what it will run.
        if isinstance(image, str) and image:
            yield image
