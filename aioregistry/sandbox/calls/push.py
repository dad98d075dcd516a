"""Changes by the OCI distribution protocol: uploads of blobs, then a manifest; deletes."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256

from aioregistry.sandbox.calls.answers import (
    Answer,
    ProtocolError,
    digest_invalid,
    name_invalid,
    name_unknown,
    unsupported,
    upload_unknown,
)
from aioregistry.sandbox.calls.paths import ProtocolPath
from aioregistry.sandbox.refusal import Refusal
from aioregistry.sandbox.state import images
from aioregistry.sandbox.state.credentials import BearerToken
from aioregistry.sandbox.state.model import Manifest, Registry
from aioregistry.sandbox.state.names import (
    digest_bytes,
    digest_text,
    is_digest,
    is_repository,
    is_tag,
)
from aioregistry.sandbox.state.state import State

__all__ = [
    "append",
    "begin",
    "cancel",
    "delete_blob",
    "delete_manifest",
    "finish",
    "progress",
    "put_manifest",
]

# What the protocol has registries refuse.
_MAX_MANIFEST = 4 * 2**20
_RANGE = re.compile(r"(?:bytes )?(\d+)-\d+(?:/.*)?")


def begin(
    state: State,
    name: str,
    query: Mapping[str, Sequence[str]],
    body: bytes,
    token: BearerToken,
) -> Answer:
    """``POST …/blobs/uploads/``: begin an upload, send all of a blob at once, or mount one."""
    registry, repository = _split(state, name)
    mounted, source = _value(query, "mount"), _value(query, "from")
    if is_digest(mounted) and (source, "pull") in token.grants:
        digest = digest_bytes(mounted)
        if registry.has_blob(source.partition("/")[2], digest):
            registry.link(repository, digest)
            return _stored(name, digest)
    upload = state.uploads.begin(name)
    if query.get("digest"):
        return finish(state, ProtocolPath("upload", "", name, upload), query, body, {})
    return _progress(202, name, upload, 0)


def progress(state: State, path: ProtocolPath) -> Answer:
    """``GET`` of an upload: how many bytes have arrived."""
    return _progress(204, path.name, path.reference, len(_received(state, path)))


def append(state: State, path: ProtocolPath, body: bytes, headers: Mapping[str, str]) -> Answer:
    """``PATCH`` of an upload: a further piece of the blob."""
    received = _received(state, path)
    if _is_out_of_order(headers, received):
        return _progress(416, path.name, path.reference, len(received))
    received += body
    return _progress(202, path.name, path.reference, len(received))


def finish(
    state: State,
    path: ProtocolPath,
    query: Mapping[str, Sequence[str]],
    body: bytes,
    headers: Mapping[str, str],
) -> Answer:
    """``PUT`` of an upload: its last piece, and the digest that all of it must have."""
    registry, repository = _split(state, path.name)
    received = _received(state, path)
    if _is_out_of_order(headers, received):
        return _progress(416, path.name, path.reference, len(received))
    content = bytes(received) + body
    digest = _checked(_value(query, "digest"), content)
    state.uploads.end(path.reference)
    registry.store_content(content, state.now())
    registry.link(repository, digest)
    return _stored(path.name, digest)


def cancel(state: State, path: ProtocolPath) -> Answer:
    """``DELETE`` of an upload: what has arrived is forgotten."""
    _received(state, path)
    state.uploads.end(path.reference)
    return Answer(204)


def put_manifest(
    state: State, name: str, reference: str, body: bytes, headers: Mapping[str, str]
) -> Answer:
    """``PUT`` of a manifest, under a tag or its digest."""
    registry, repository = _split(state, name)
    tags = (reference,) if is_tag(reference) else ()
    if not tags and not is_digest(reference):
        raise digest_invalid()
    if len(body) > _MAX_MANIFEST:
        raise ProtocolError(413, "SIZE_INVALID", "the manifest is larger than 4 MiB")
    media_type = headers.get("Content-Type", "").partition(";")[0].strip()
    try:
        manifest, blobs = images.described(state.now(), body, media_type)
    except (Refusal, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError(400, "MANIFEST_INVALID", f"manifest invalid: {error}") from None
    if not tags and manifest.digest != digest_bytes(reference):
        raise digest_invalid()
    missing = ", ".join(map(digest_text, _missing(registry, repository, manifest)))
    if missing:
        raise ProtocolError(400, "MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {missing}")
    state.put(registry.name, repository, tags, manifest, blobs)
    digest = digest_text(manifest.digest)
    answer = {"Location": f"/v2/{name}/manifests/{digest}", "Docker-Content-Digest": digest}
    if manifest.form.subject is not None and state.quirks.lists_referrers:
        answer["OCI-Subject"] = digest_text(manifest.form.subject)
    return Answer(201, headers=answer)


def delete_manifest(state: State, name: str, reference: str) -> Answer:
    """``DELETE`` of a manifest by its digest, with its tags, or of a tag alone."""
    registry, repository = _split(state, name)
    held = registry.repositories.get(repository)
    if held is None:
        raise name_unknown()
    if held.find(reference) is None:
        raise ProtocolError(404, "MANIFEST_UNKNOWN", "manifest unknown")
    if is_digest(reference):
        registry.delete_manifest(repository, digest_bytes(reference))
    else:
        held.delete_tag(reference)
    return Answer(202)


def delete_blob(state: State, name: str, reference: str) -> Answer:
    """``DELETE`` of a blob, from its repository alone; one that a manifest needs is kept."""
    registry, repository = _split(state, name)
    if not is_digest(reference):
        raise digest_invalid()
    digest = digest_bytes(reference)
    held = registry.repositories.get(repository)
    if held is not None and any(digest in one.blobs for one in held.manifests.values()):
        raise unsupported()
    if not registry.has_blob(repository, digest):
        raise ProtocolError(404, "BLOB_UNKNOWN", "blob unknown to registry")
    registry.uploaded[repository].discard(digest)
    return Answer(202)


def _is_out_of_order(headers: Mapping[str, str], received: Sequence[int]) -> bool:
    """Whether a piece, which may say where it belongs, is not the next."""
    asked = _RANGE.fullmatch(headers.get("Content-Range", ""))
    return asked is not None and int(asked[1]) != len(received)


def _missing(registry: Registry, repository: str, manifest: Manifest) -> list[bytes]:
    """The parts of a manifest that the repository does not have; a subject may be missing."""
    held = registry.repositories.get(repository)
    known = held.manifests if held is not None else {}
    # An index may name blobs, as caches of builds do.
    parts = (*manifest.blobs, *(one for one in manifest.form.children if one not in known))
    return [part for part in parts if not registry.has_blob(repository, part)]


def _split(state: State, name: str) -> tuple[Registry, str]:
    registry, _, repository = name.partition("/")
    if registry not in state.registries or not is_repository(repository):
        raise name_invalid()
    return state.registries[registry], repository


def _received(state: State, path: ProtocolPath) -> bytearray:
    received = state.uploads.received(path.name, path.reference)
    if received is None:
        raise upload_unknown()
    return received


def _value(query: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(query.get(name, ())), "")


def _checked(digest: str, content: bytes) -> bytes:
    """The digest, if the content has it."""
    if not is_digest(digest) or sha256(content).digest() != digest_bytes(digest):
        raise digest_invalid()
    return digest_bytes(digest)


def _progress(status: int, name: str, upload: str, received: int) -> Answer:
    return Answer(
        status,
        headers={
            "Location": f"/v2/{name}/blobs/uploads/{upload}",
            "Docker-Upload-UUID": upload,
            "Range": f"0-{max(0, received - 1)}",
        },
    )


def _stored(name: str, digest: bytes) -> Answer:
    text = digest_text(digest)
    headers = {"Location": f"/v2/{name}/blobs/{text}", "Docker-Content-Digest": text}
    return Answer(201, headers=headers)
