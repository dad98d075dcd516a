"""Docker's signed manifests of schema 1, as an old client pushes them."""

import hashlib
import json
from base64 import b32encode, urlsafe_b64encode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def signed_manifest(name: str, layer: str) -> tuple[bytes, str]:
    """Return a signed manifest of one layer, and its digest, that of the payload."""
    document = {
        "schemaVersion": 1,
        "name": name,
        "tag": "old",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": layer}],
        "history": [{"v1Compatibility": json.dumps({"id": "1" * 64, "os": "linux"})}],
    }
    payload = json.dumps(document, indent=3).encode()
    head, tail = payload[:-2], payload[-2:]
    protected = _url_safe(
        json.dumps({"formatLength": len(head), "formatTail": _url_safe(tail)}).encode()
    )
    key = ec.generate_private_key(ec.SECP256R1())
    signing = f"{protected}.{_url_safe(payload)}".encode()
    r, s = decode_dss_signature(key.sign(signing, ec.ECDSA(hashes.SHA256())))
    signature = {
        "header": {"jwk": _jwk(key.public_key()), "alg": "ES256"},
        "signature": _url_safe(r.to_bytes(32, "big") + s.to_bytes(32, "big")),
        "protected": protected,
    }
    body = head + b',\n   "signatures": ' + json.dumps([signature]).encode() + tail
    return body, f"sha256:{hashlib.sha256(payload).hexdigest()}"


def _jwk(public: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = public.public_numbers()
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    name = b32encode(hashlib.sha256(der).digest()[:30]).decode().rstrip("=")
    return {
        "kty": "EC",
        "crv": "P-256",
        "kid": ":".join(name[at : at + 4] for at in range(0, len(name), 4)),
        "x": _url_safe(numbers.x.to_bytes(32, "big")),
        "y": _url_safe(numbers.y.to_bytes(32, "big")),
    }


def _url_safe(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
