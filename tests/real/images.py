"""Images made by hand: layouts that skopeo pushes, and documents that are put."""

import gzip
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from random import Random

from attrs import define, field

INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
IN_TOTO = "application/vnd.in-toto+json"
COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@define
class Store:
    """Blobs and manifests by digest; descriptors come out, as they go into documents."""

    contents: dict[str, bytes] = field(factory=dict)

    def add(self, content: bytes, media_type: str, **more: object) -> dict[str, object]:
        digest = digest_of(content)
        self.contents[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def document(self, document: dict[str, object], **more: object) -> dict[str, object]:
        return self.add(json.dumps(document).encode(), str(document["mediaType"]), **more)

    def layer(self, name: str, size: int = 2_000) -> dict[str, object]:
        """A layer: a tar archive with one file, which gzip cannot make much smaller."""
        content = Random(name).randbytes(size)
        header = bytearray(512)
        header[:8] = b"file.bin"
        header[100:108] = b"0000644\0"
        header[124:136] = b"%011o\0" % size
        header[156:157] = b"0"
        header[257:265] = b"ustar\x0000"
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        tar = bytes(header) + content + bytes(-size % 512) + bytes(1024)
        return self.add(gzip.compress(tar, mtime=0), LAYER, annotations={"diff": digest_of(tar)})

    def image(
        self, name: str, layers: Iterable[dict[str, object]], architecture: str = "amd64"
    ) -> dict[str, object]:
        layers = list(layers)
        diffs = [layer["annotations"]["diff"] for layer in layers]
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Labels": {"name": name}},
            "rootfs": {"type": "layers", "diff_ids": diffs},
        }
        plain = [{key: layer[key] for key in ("mediaType", "digest", "size")} for layer in layers]
        document = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": self.add(json.dumps(config).encode(), CONFIG),
            "layers": plain,
        }
        return self.document(document, platform={"architecture": architecture, "os": "linux"})

    def attestation(self, of: dict[str, object]) -> dict[str, object]:
        """What BuildKit puts into an index beside an image."""
        diff = digest_of(b"attestation")
        config = {
            "architecture": "unknown",
            "os": "unknown",
            "rootfs": {"type": "layers", "diff_ids": [diff]},
        }
        statement = json.dumps({"subject": [of["digest"]]}).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": self.add(json.dumps(config).encode(), CONFIG),
            "layers": [self.add(statement, IN_TOTO)],
        }
        notes = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": of["digest"],
        }
        unknown = {"architecture": "unknown", "os": "unknown"}
        return self.document(document, annotations=notes, platform=unknown)

    def index(self, *members: dict[str, object]) -> dict[str, object]:
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(members)}
        return self.document(document)

    def signature(self, of: dict[str, object]) -> dict[str, object]:
        """What cosign pushes under a tag made of the digest."""
        document = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": self.add(b'{"rootfs": {}, "of": "%s"}' % of["digest"].encode(), CONFIG),
            "layers": [self.add(b"signature of " + of["digest"].encode(), COSIGN)],
        }
        return self.document(document)

    def referrer(self, subject: dict[str, object], what: str) -> dict[str, object]:
        document = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": self.add(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [self.add(f"{what} {subject['digest']}".encode(), "text/plain")],
            "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
        }
        return self.document(document)

    def members(self, digest: str) -> list[str]:
        """The digests of everything that a manifest names, itself the last."""
        document = json.loads(self.contents[digest])
        found: list[str] = []
        for child in document.get("manifests", []):
            found += self.members(child["digest"])
        found += [part["digest"] for part in document.get("layers", [])]
        if "config" in document:
            found.append(document["config"]["digest"])
        return [*found, digest]

    def as_layout(self, folder: Path, root: dict[str, object]) -> None:
        """Write an image or an index as an OCI layout."""
        blobs = folder / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for digest in self.members(root["digest"]):
            (blobs / digest[7:]).write_bytes(self.contents[digest])
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        top = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [root]}
        (folder / "index.json").write_text(json.dumps(top))
