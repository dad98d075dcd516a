"""What tools leave in a registry, made by hand: each shape once to be kept, once to be deleted."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator

from attrs import define, field, frozen

from tests.real.images import CONFIG, COSIGN, IMAGE, INDEX, Store
from tests.real.schema1 import MEDIA_TYPE as SCHEMA_1
from tests.real.schema1 import signed_manifest

Descriptor = dict[str, object]

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
EMPTY = "application/vnd.oci.empty.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
CACHE = "application/vnd.buildkit.cacheconfig.v0"
CHART = "application/vnd.cncf.helm.config.v1+json"
CHART_CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
NOTATION = "application/vnd.cncf.notary.signature"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
# As much as registries have to take, and distribution takes no more.
LARGEST = 4 * 2**20


@frozen(repr=False)
class Put:
    """One manifest to be put: its bytes, its type, and its tag, if it has one."""

    body: bytes
    media_type: str
    digest: str
    tag: str | None = None


# pytest shows what fixtures return, and some of these have megabytes.
@define(repr=False)
class Shape:
    """What one shape is made of, in the order in which it is pushed."""

    store: Store
    name: str
    tag: str
    puts: list[Put] = field(factory=list)
    blobs: list[str] = field(factory=list)

    def blob(self, content: bytes, media_type: str) -> Descriptor:
        described = self.store.add(content, media_type)
        self.blobs.append(str(described["digest"]))
        return described

    def layer(self, media_type: str = LAYER, what: str = "layer", size: int = 1_000) -> Descriptor:
        content = f"{what} of {self.tag}".encode()
        return self.blob(content.ljust(size, b"."), media_type)

    def config(self, media_type: str, **more: object) -> Descriptor:
        return self.blob(json.dumps({"of": self.tag, **more}).encode(), media_type)

    def put(self, document: Descriptor, media_type: str, tag: str | None = None) -> Descriptor:
        body = json.dumps(document).encode()
        described = self.store.add(body, media_type)
        self.puts.append(Put(body, media_type, str(described["digest"]), tag))
        return described

    def image(self, tag: str | None = None, media_type: str = IMAGE, **more: object) -> Descriptor:
        """An image, or with other keys something that looks like one."""
        document = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": more.pop("config", None)
            or self.config("application/vnd.oci.image.config.v1+json", n=len(self.puts)),
            "layers": more.pop("layers", None) or [self.layer(what=f"layer {len(self.puts)}")],
            **more,
        }
        return self.put({k: v for k, v in document.items() if v != ""}, media_type, tag)

    def index(
        self, members: list[Descriptor], tag: str | None = None, media_type: str = INDEX, **more
    ) -> Descriptor:
        document = {"schemaVersion": 2, "mediaType": media_type, "manifests": members, **more}
        return self.put({k: v for k, v in document.items() if v != ""}, media_type, tag)

    def referrer(self, subject: Descriptor, kind: str, tag: str | None = None) -> Descriptor:
        """A manifest with a subject, listed under the fallback tag, as 2.8 has no other list."""
        empty = self.blob(b"{}", EMPTY)
        described = self.image(
            tag, artifactType=kind, config=empty, layers=[self.layer(kind)], subject=subject
        )
        fallback = str(subject["digest"]).replace(":", "-")
        self.index([{**described, "artifactType": kind}], fallback)
        return described


def _plain(shape: Shape) -> None:
    layer = shape.layer()
    shape.image(shape.tag, layers=[layer, layer])


def _without_media_type(shape: Shape) -> None:
    """As umoci writes it."""
    shape.image(shape.tag, mediaType="")


def _index_without_media_type(shape: Shape) -> None:
    shape.index([shape.image(), shape.image(mediaType="")], shape.tag, mediaType="")


def _docker_list(shape: Shape) -> None:
    """As Docker's manifest command has it, with an image of OCI among them."""
    shape.index([shape.image(media_type=DOCKER), shape.image()], shape.tag, DOCKER_LIST)


def _nested(shape: Shape) -> None:
    shape.index([shape.index([shape.image()]), shape.image()], shape.tag)


def _empty_index(shape: Shape) -> None:
    """As `podman manifest create` and a push leave it."""
    shape.index([], shape.tag, annotations={"of": shape.tag})


def _zstd(shape: Shape) -> None:
    shape.image(shape.tag, layers=[shape.layer(ZSTD)])


def _chart(shape: Shape) -> None:
    """As `helm push` does."""
    provenance = shape.layer("application/vnd.cncf.helm.chart.provenance.v1.prov", "provenance")
    layers = [shape.layer(CHART_CONTENT), provenance]
    shape.image(shape.tag, config=shape.config(CHART), layers=layers)


def _cache_index(shape: Shape) -> None:
    """As buildx exports a cache by default: an index whose members are blobs."""
    shape.index([shape.layer(), shape.layer(what="other"), shape.config(CACHE)], shape.tag)


def _cache_image(shape: Shape) -> None:
    """As buildx does with `image-manifest=true`."""
    shape.image(shape.tag, config=shape.config(CACHE))


def _artifact(shape: Shape) -> None:
    """As `oras push` does: of nothing but a type, with a bill of materials attached."""
    empty = shape.blob(b"{}", EMPTY)
    kind = "application/example"
    artifact = shape.image(
        shape.tag, artifactType=kind, config=empty, layers=[empty], annotations={"of": shape.tag}
    )
    shape.referrer(artifact, "application/spdx+json")


def _cosign_tags(shape: Shape) -> None:
    """As cosign 2 does."""
    name = str(shape.index([shape.image(), shape.image()], shape.tag)["digest"])
    for suffix in ("sig", "att", "sbom"):
        shape.image(f"{name.replace(':', '-')}.{suffix}", layers=[shape.layer(COSIGN, suffix)])


def _cosign_bundle(shape: Shape) -> None:
    """As cosign 3 does."""
    shape.referrer(shape.image(shape.tag), BUNDLE)


def _tagged_as_its_own_list(shape: Shape) -> None:
    """As `cosign copy` of version 3 leaves it."""
    body = shape.store.contents[str(shape.image(shape.tag)["digest"])]
    digest = shape.puts[-1].digest
    shape.puts.append(Put(body, IMAGE, digest, digest.replace(":", "-")))


def _attached_in_place_of_its_list(shape: Shape) -> None:
    """As `skopeo sync` leaves it."""
    subject = shape.image(shape.tag)
    fallback = str(subject["digest"]).replace(":", "-")
    shape.image(fallback, artifactType="text/plain", subject=subject)


def _notation(shape: Shape) -> None:
    """A signature of a signature's subject, an index; and one of an image in it."""
    image = shape.image()
    shape.referrer(shape.index([image], shape.tag), NOTATION)
    shape.referrer(image, NOTATION)


def _subject_by_sha512(shape: Shape) -> None:
    """A referrer to what this registry cannot have."""
    subject = {"mediaType": IMAGE, "digest": "sha512:" + "1" * 128, "size": 7}
    shape.image(shape.tag, subject=subject)


def _largest(shape: Shape) -> None:
    document = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": shape.config(CONFIG),
        "layers": [shape.layer()],
        "annotations": {"of": shape.tag, "filling": ""},
    }
    document["annotations"]["filling"] = "x" * (LARGEST - len(json.dumps(document)))
    shape.put(document, IMAGE, shape.tag)


def _data(shape: Shape) -> None:
    """A descriptor that carries its own bytes."""
    content = f"of {shape.tag}".encode()
    layer = {**shape.blob(content, LAYER), "data": b64encode(content).decode()}
    shape.image(shape.tag, layers=[layer])


def _signed_schema_1(shape: Shape) -> None:
    body, digest = signed_manifest("example/web", str(shape.layer()["digest"]))
    shape.store.contents[digest] = body
    shape.puts.append(Put(body, SCHEMA_1, digest, shape.tag))


SHAPES: dict[str, Callable[[Shape], None]] = {
    make.__name__.strip("_").replace("_", "-"): make
    for make in (
        *(_plain, _without_media_type, _index_without_media_type, _docker_list, _nested),
        *(_empty_index, _zstd, _chart, _cache_index, _cache_image, _artifact, _cosign_tags),
        *(
            _cosign_bundle,
            _tagged_as_its_own_list,
            _attached_in_place_of_its_list,
            _notation,
            _subject_by_sha512,
            _largest,
            _data,
            _signed_schema_1,
        ),
    )
}


def make_shapes(store: Store, prefix: str) -> Iterator[Shape]:
    """Make all of them, each with a tag of this prefix."""
    for name, make in SHAPES.items():
        shape = Shape(store, name, f"{prefix}-{name}")
        make(shape)
        yield shape
