"""The documents that digests are taken of: image manifests, configs, indexes."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Without its zone a time is written in two thirds of the time, and a page has 200 of them.
_EPOCH_IN_UTC = datetime(1970, 1, 1)  # noqa: DTZ001


def rfc3339(microseconds: int) -> str:
    """A Unix time in microseconds as the API writes times."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{(_EPOCH_IN_UTC + timedelta(0, seconds, rest)).isoformat()}Z"


def unix_microseconds(at: datetime) -> int:
    """A time with its zone as a Unix time in microseconds, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=64)
def _diff(layer: bytes) -> str:
    return f'"sha256:{layer.hex()}"'


@lru_cache(maxsize=64)
def _layer(layer: tuple[bytes, int]) -> str:
    digest, size = layer
    return f'{{"mediaType":"{OCI_LAYER}","size":{size},"digest":"sha256:{digest.hex()}"}}'


def image_config(at: int, platform: str, layers: Iterable[bytes]) -> bytes:
    """The config of an image made at ``at`` (Unix microseconds) for ``os/architecture``."""
    system, _, architecture = platform.partition("/")
    diffs = ",".join(map(_diff, layers))
    return (
        f'{{"architecture":"{architecture}","created":"{rfc3339(at)}","os":"{system}",'
        f'"config":{{"Env":["PATH=/usr/local/bin:/usr/bin:/bin"],"Cmd":["/app"]}},'
        f'"rootfs":{{"type":"layers","diff_ids":[{diffs}]}}}}'
    ).encode()


def image_manifest(config: tuple[bytes, int], layers: Iterable[tuple[bytes, int]]) -> bytes:
    """The manifest of an image: its config, then its layers, each with its size."""
    digest, size = config
    described = ",".join(map(_layer, layers))
    return (
        f'{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"{OCI_CONFIG}",'
        f'"size":{size},"digest":"sha256:{digest.hex()}"}},"layers":[{described}]}}'
    ).encode()


def descriptor(digest: bytes, size: int, media_type: str, platform: str = "") -> dict[str, Any]:
    """What one document says of another."""
    system, _, architecture = platform.partition("/")
    described: dict[str, Any] = {
        "mediaType": media_type,
        "size": size,
        "digest": f"sha256:{digest.hex()}",
    }
    if platform:
        described["platform"] = {"architecture": architecture, "os": system}
    return described


def image_index(children: Iterable[dict[str, Any]], media_type: str = OCI_INDEX) -> bytes:
    """An index over the manifests described."""
    return compact({"schemaVersion": 2, "mediaType": media_type, "manifests": list(children)})


def compact(value: Any) -> bytes:
    """JSON without spaces, as bytes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
