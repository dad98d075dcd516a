"""Registries for clean-ups: made by hand, or at random."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random

from aioregistry.sandbox import State

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"


def ago(days: float) -> datetime:
    """The time so many days before `NOW`."""
    return NOW - timedelta(days=days)


def digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def document(what: str, subject: str | None = None) -> dict:
    """A manifest of one small layer: a signature, an SBOM."""
    written = {
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": {"mediaType": EMPTY, "digest": digest_of("{}"), "size": 2},
        "layers": [{"mediaType": "text/plain", "digest": digest_of(what), "size": 100 + len(what)}],
    }
    if subject is not None:
        written["subject"] = {"mediaType": OCI_IMAGE, "digest": subject, "size": 500}
    return written


def signature_tag(digest: str, suffix: str = ".sig") -> str:
    return digest.replace(":", "-") + suffix


class Builder:
    """Pushes to one repository of a sandbox's state."""

    def __init__(self, state: State, repository: str = "web") -> None:
        self.state = state
        self.repository = repository
        if "example" not in state.registries:
            state.add_registry("example")
        self._count = 0

    def image(
        self,
        *tags: str,
        days: float = 100,
        platform: str = "linux/amd64",
        blobs: Iterable[tuple[str, int]] | None = None,
    ) -> str:
        return self.state.push(
            "example", self.repository, tags, at=ago(days), platform=platform, blobs=blobs
        )

    def index(self, *tags: str, children: Iterable[str], days: float = 100) -> str:
        return self.state.push_index("example", self.repository, children, tags, at=ago(days))

    def referrer(self, subject: str, *tags: str, days: float = 100) -> str:
        self._count += 1
        what = f"{self.repository} referrer {self._count}"
        return self.state.push_document(
            "example", self.repository, document(what, subject), tags, at=ago(days)
        )

    def signature(self, of: str, suffix: str = ".sig", days: float = 100) -> str:
        self._count += 1
        what = f"{self.repository} signature {self._count}"
        return self.state.push_document(
            "example", self.repository, document(what), [signature_tag(of, suffix)], at=ago(days)
        )


def random_registry(random: Random, repositories: int = 3, size: int = 12) -> State:
    """A registry with all kinds of manifests that need each other, at random."""
    state = State()
    state.add_registry("example")
    layers = [(digest_of(f"layer {number}"), random.randint(1, 9_999)) for number in range(6)]
    for number in range(repositories):
        builder = Builder(state, f"app{number}")
        pushed: list[str] = []
        for nth in range(random.randint(1, size)):
            days = random.choice([1, 5, 20, 50, 100])
            tags = [f"t{number}-{nth}-{extra}" for extra in range(random.choice([0, 1, 1, 2]))]
            if random.random() < 0.1:
                tags.append(random.choice(["latest", "v1.0.0", "v1.0.1", "v1.1.0"]))
            kind = random.choice(["image", "image", "index", "referrer", "signature"])
            if kind == "image" or not pushed:
                own = digest_of(f"config {number} {nth}"), random.randint(1, 999)
                blobs = [own, *random.sample(layers, random.randint(0, 3))]
                pushed.append(builder.image(*tags, days=days, blobs=blobs))
            elif kind == "index":
                children = random.sample(pushed, min(len(pushed), random.randint(1, 3)))
                pushed.append(builder.index(*tags, children=children, days=days))
            elif kind == "referrer":
                pushed.append(builder.referrer(random.choice(pushed), *tags, days=days))
            else:
                pushed.append(builder.signature(random.choice(pushed), days=days))
    return state
