"""Made-up content that resembles what continuous integration leaves in a registry."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from random import Random

import attrs

from aioregistry.sandbox.state import documents, images
from aioregistry.sandbox.state.documents import unix_microseconds
from aioregistry.sandbox.state.model import Manifest, Registry
from aioregistry.sandbox.state.state import State

_NAMES = ("web", "api", "worker", "platform/auth", "platform/billing", "tools/migrate", "cron")
_PLATFORMS = ("linux/amd64", "linux/arm64")
_COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"
_IN_TOTO = "application/vnd.in-toto+json"
_SPDX = "application/spdx+json"
_UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
_BETWEEN_BUILDS = 37 * 60 * 1_000_000

# One in this many builds is a release, has no tag left, or has new base layers.
_RELEASE_EVERY = 40
_LEFT_OVER_EVERY = 20
_BASE_EVERY = 500
# How many tags a release may take at once: the sha's, the version and its signature's.
_RELEASE_TAGS = 3
# Of builds, the share that gives the image of the one before; of other images, the share that
# differs from the one before in no layer.
_SAME_IMAGE = 0.25
_SAME_LAYERS = 0.5
_MOVING = ("latest", "main")


def generate(
    tags: int, repositories: int, seed: int, registry: str, until: datetime | None = None
) -> State:
    """A state with one registry of made-up content, the same for the same arguments.

    Builds are tagged with a commit's sha; some are releases: indexes over two platforms with
    attestations, tagged with a version, signed under a tag and with a bill of materials that
    refers to them; ``latest`` and ``main`` are on the newest build; some manifests have lost
    their tags.

    Args:
        tags: How many tags there are in all.
        repositories: How many repositories share them, the first having the most; at least one
            tag is in each.
        seed: Of the random choices.
        registry: The registry's name.
        until: When the last build came.

    Raises:
        ValueError: There are fewer tags than repositories, or no repository.
    """
    if not 1 <= repositories <= tags:
        raise ValueError("there must be a repository, and a tag for each")
    random = Random(seed)  # noqa: S311  (content, not a secret)
    last = unix_microseconds(until or _UNTIL)
    state = State(random=Random(seed))  # noqa: S311
    held = state.add_registry(registry)
    with _no_collector():
        for number, share in enumerate(_shares(tags, repositories)):
            round_, place = divmod(number, len(_NAMES))
            name = f"{_NAMES[place]}-{round_}" if round_ else _NAMES[place]
            _Builds(held, name, random).fill(share, last)
    return state


@contextmanager
def _no_collector() -> Iterator[None]:
    """Keep Python's collector from going through millions of new objects again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _shares(tags: int, repositories: int) -> Iterator[int]:
    """Divide the tags, the first repository getting the most."""
    weights = [1 / (number + 1) for number in range(repositories)]
    spare, rest = tags - repositories, sum(weights)
    for weight in weights:
        share = round(spare * weight / rest)
        spare, rest = spare - share, rest - weight
        yield share + 1


@attrs.define
class _Builds:
    """The builds of one repository, oldest first."""

    held: Registry
    repository: str
    random: Random
    latest: Manifest | None = None
    bases: dict[str, list[images.Sized]] = attrs.field(factory=dict)
    application: images.Sized = (b"", 0)

    def fill(self, tags: int, last: int) -> None:
        """Push builds until the repository has this many tags, the last shortly before ``last``."""
        moving = len(_MOVING) if tags > len(_MOVING) * 2 else 0
        left, build, release = tags - moving, 0, 0
        newest = ""
        while left > 0:
            at = last - left * _BETWEEN_BUILDS + self.random.randrange(_BETWEEN_BUILDS)
            if build % _BASE_EVERY == 0:
                self._new_bases()
            build += 1
            if build % _LEFT_OVER_EVERY == 0:
                self._put((), *self._image(at))
            newest = f"{self.random.getrandbits(48):012x}"
            if build % _RELEASE_EVERY == 0 and left >= _RELEASE_TAGS:
                release += 1
                self._release(at, newest, f"v{release // 100}.{release // 10 % 10}.{release % 10}")
                left -= _RELEASE_TAGS
            else:
                self._build(at, newest)
                left -= 1
        if moving:
            repository = self.held.repositories[self.repository]
            build_on = repository.tags[newest]
            for name in _MOVING:
                repository.point(name, build_on.manifest, build_on.at)

    def _build(self, at: int, sha: str) -> None:
        """Push what a commit came to: often the image of the commit before, again."""
        if self.latest is not None and self.random.random() < _SAME_IMAGE:
            self.held.repositories[self.repository].point(sha, self.latest, at)
        else:
            self.latest = self._put((sha,), *self._image(at))

    def _new_bases(self) -> None:
        for platform in _PLATFORMS:
            self.bases[platform] = [self._layer(28_000_000), self._layer(9_000_000)]

    def _layer(self, about: int) -> images.Sized:
        # Few different sizes: each is an object, and there may be a million layers.
        return self.held.make_layer(about // 256 * (128 + self.random.getrandbits(8)))

    def _image(self, at: int, platform: str = _PLATFORMS[0]) -> tuple[Manifest, list[images.Sized]]:
        if not self.application[1] or self.random.random() >= _SAME_LAYERS:
            self.application = self._layer(6_000_000)
        return images.image(at, platform, [*self.bases[platform], self.application])

    def _put(
        self, tags: tuple[str, ...], manifest: Manifest, blobs: list[images.Sized]
    ) -> Manifest:
        self.held.store(blobs, manifest.at)
        return self.held.put(self.repository, manifest, tags)

    def _release(self, at: int, sha: str, version: str) -> None:
        platforms = [self._put((), *self._image(at, platform)) for platform in _PLATFORMS]
        attestations = [self._put((), *self._statement(at, _IN_TOTO, it)) for it in platforms]
        index = self._put((sha, version), *images.index(self.held, at, [*platforms, *attestations]))
        self._put((f"sha256-{index.digest.hex()}.sig",), *self._statement(at, _COSIGN, index))
        self._put((), *self._statement(at, _SPDX, index, refers=True))

    def _statement(
        self, at: int, media_type: str, about: Manifest, *, refers: bool = False
    ) -> tuple[Manifest, list[images.Sized]]:
        """A manifest that says something about another one."""
        text = f"{media_type} {about.digest.hex()}".encode()
        document = {
            "schemaVersion": 2,
            "mediaType": documents.OCI_MANIFEST,
            "artifactType": media_type,
            "config": documents.descriptor(sha256(b"{}").digest(), 2, documents.OCI_EMPTY),
            "layers": [documents.descriptor(sha256(text).digest(), len(text), media_type)],
        }
        if refers:
            document["subject"] = documents.descriptor(
                about.digest, self.held.blobs[about.digest], about.form.media_type
            )
        return images.described(at, documents.compact(document))
