"""The config of an image: what it runs, and when it was made: pure."""

import json
from datetime import datetime
from typing import Any

from attrs import field, frozen

from aioregistry.images.parts import text_of, texts_of

__all__ = ["IMAGE_CONFIGS", "ImageConfig", "config_of"]

IMAGE_CONFIGS = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)
_MAX_ITEMS = 1_000


@frozen
class ImageConfig:
    """What an image's config says; what it does not say, or says in another way, is None or empty.

    Attributes:
        digest: The config's digest.
        created: When the image was made.
        platform: ``os/architecture``, with the variant if there is one.
        author: Who made it.
        entrypoint: The command that runs.
        cmd: Its arguments.
        env: The environment's variables; the values may be secrets, and are not in the repr.
        user: The user that it runs as.
        working_dir: The folder that it runs in.
        stop_signal: The signal that ends it.
        ports: The ports that it offers.
        volumes: The folders that are volumes.
        labels: The labels.
        layers: How many layers the config names.
        history: How many steps made the image.
        problem: Why the config could not be read; empty if it could.
    """

    digest: str
    created: datetime | None = None
    platform: str | None = None
    author: str | None = None
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[str, str] | None = field(default=None, repr=False)
    user: str | None = None
    working_dir: str | None = None
    stop_signal: str | None = None
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: dict[str, str] | None = None
    layers: int | None = None
    history: int | None = None
    problem: str = ""


def config_of(digest: str, body: bytes) -> ImageConfig:
    """Return what an image's config says. Nothing in it is an error: it is for people to read.

    Args:
        digest: The config's digest.
        body: The document.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        return ImageConfig(digest, problem=f"not JSON: {error}"[:_MAX_ITEMS])
    if not isinstance(document, dict):
        return ImageConfig(digest, problem="it is no JSON object")
    runs = document.get("config")
    runs = runs if isinstance(runs, dict) else {}
    roots = document.get("rootfs")
    layers = roots.get("diff_ids") if isinstance(roots, dict) else None
    history = document.get("history")
    parts = [text_of(document.get(key)) for key in ("os", "architecture", "variant")]
    return ImageConfig(
        digest,
        created=_time(document.get("created")),
        platform="/".join(part for part in parts if part is not None) or None,
        author=text_of(document.get("author")),
        entrypoint=_words(runs.get("Entrypoint")),
        cmd=_words(runs.get("Cmd")),
        env=_env(runs.get("Env")),
        user=text_of(runs.get("User")),
        working_dir=text_of(runs.get("WorkingDir")),
        stop_signal=text_of(runs.get("StopSignal")),
        ports=_keys(runs.get("ExposedPorts")),
        volumes=_keys(runs.get("Volumes")),
        labels=texts_of(runs.get("Labels")),
        layers=len(layers) if isinstance(layers, list) else None,
        history=len(history) if isinstance(history, list) else None,
    )


def _words(value: object) -> tuple[str, ...]:
    # Docker's shell form is one text.
    if isinstance(value, str):
        return (value,)
    items = value[:_MAX_ITEMS] if isinstance(value, list) else []
    return tuple(item for item in items if isinstance(item, str))


def _env(value: object) -> dict[str, str] | None:
    found = dict(item.partition("=")[::2] for item in _words(value))
    return found or None


def _keys(value: object) -> tuple[str, ...]:
    return tuple(list(value)[:_MAX_ITEMS]) if isinstance(value, dict) else ()


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    # Go's zero time means none; without a zone it is not one that can be compared.
    return found if found.year > 1 and found.tzinfo is not None else None
