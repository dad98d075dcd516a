"""Undo of what skopeo and buildah pushed to a real registry: pulled by skopeo, byte for byte."""

import json
import os
import shutil
from pathlib import Path

import pytest

from aioregistry.cleanup.undo.parts import blobs_of
from tests.real.registry import NAMESPACE, RealRegistry, execute
from tests.real.test_cleanup import Filled, filled
from tests.real.test_undo import clean_up_then_undo, state

__all__ = ["filled"]

pytestmark = pytest.mark.exhaustive

# An index in an index is nothing that skopeo pulls: those are read digest by digest.
NESTED = {"nested", "pr-nested"}
PLATFORMS = ("amd64", "arm64")
CONTAINERFILE = "FROM scratch\nCOPY content /content\n"


class Buildah:
    """Builds and pushes images from an empty folder, without root's rights or a daemon."""

    def __init__(self, folder: Path, registry: RealRegistry) -> None:
        self._folder = folder
        self._registry = registry

    async def run(self, *arguments: str) -> None:
        roots = ("--root", self._folder / "root", "--runroot", self._folder / "run")
        code, output = await execute("buildah", "--storage-driver", "vfs", *roots, *arguments)
        assert code == 0, output

    async def build(self, name: str, content: bytes) -> None:
        """Build an index of images for two platforms, each of which has a name as well."""
        context = self._folder / name
        context.mkdir(parents=True)
        (context / "Containerfile").write_text(CONTAINERFILE)
        await self.run("manifest", "create", name)
        for platform in PLATFORMS:
            (context / "content").write_bytes(content + platform.encode() + os.urandom(3000))
            image = f"{name}-{platform}"
            await self.run(
                *("bud", "--isolation", "chroot", "--format", "oci", "--platform"),
                *(f"linux/{platform}", "-t", image, str(context)),
            )
            await self.run("manifest", "add", name, image)

    async def push(self, image: str, tag: str, *options: str, index: bool = False) -> None:
        target = f"docker://{self._registry.host}/{NAMESPACE}/web:{tag}"
        command = ("manifest", "push", "--all") if index else ("push",)
        await self.run(*command, "--tls-verify=false", *options, image, target)


@pytest.fixture
async def pushed(filled, tmp_path) -> Filled:
    """The images of skopeo's, and buildah's: indexes of both kinds, zstd, and schema 1."""
    if shutil.which("buildah") is None:
        pytest.skip("needs buildah: apt-get install buildah")
    buildah = Buildah(tmp_path / "buildah", filled.registry)
    await buildah.build("preview", b"preview ")
    await buildah.build("release", b"release ")
    await buildah.push("release", "v3.0.0", "--format", "oci", index=True)
    await buildah.push("preview", "pr-oci-index", "--format", "oci", index=True)
    await buildah.push("preview", "pr-docker-list", "--format", "v2s2", index=True)
    await buildah.push(
        "preview-amd64", "pr-zstd", "--format", "oci", "--compression-format", "zstd"
    )
    await buildah.push("preview-arm64", "pr-docker", "--format", "v2s2")
    source = f"docker://{filled.registry.host}/{NAMESPACE}/web:pr-docker"
    code, output = await execute(
        *("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false"),
        *("--dest-tls-verify=false", "--format", "v2s1", source),
        source.replace("pr-docker", "pr-schema1"),
    )
    assert code == 0, output
    return filled


def made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def contents_of(folder: Path) -> dict[str, object]:
    return {path.name: content_of(path) for path in sorted(folder.iterdir())}


def content_of(path: Path) -> object:
    content = path.read_bytes()
    if path.name == "manifest.json" and b'"signatures"' in content:
        # The registry signs schema 1 anew each time that it is asked.
        return {**json.loads(content), "signatures": None}
    return content


async def pulled(registry: RealRegistry, tag: str, parent: Path) -> dict[str, object]:
    """Pull every platform of a tag, and return all files."""
    folder = made(parent) / tag
    source = f"docker://{registry.host}/{NAMESPACE}/web:{tag}"
    code, output = await execute(
        *("skopeo", "--insecure-policy", "copy", "--all", "--src-tls-verify=false"),
        *("--preserve-digests", source, f"dir:{folder}"),
    )
    assert code == 0, (tag, output)
    return contents_of(folder)


async def test_every_tag_and_every_platform_pulls_byte_for_byte_as_before(pushed, tmp_path):
    registry = pushed.registry
    before = state(registry)
    images = {
        tag: await pulled(registry, tag, tmp_path / "before")
        for tag in registry.tags("web").keys() - NESTED
    }
    assert {"pr-oci-index", "pr-docker-list", "pr-zstd", "pr-schema1"} <= images.keys()
    media_types = {
        json.loads(registry.blob(digest).read_bytes()).get("mediaType", "signed")
        for digest in registry.revisions("web")
    }
    assert len(media_types) == 5
    report = await clean_up_then_undo(pushed, tmp_path)
    assert report.is_complete, report.failed
    assert len(report.restored) > 20
    assert state(registry) == before
    for tag, image in images.items():
        assert await pulled(registry, tag, tmp_path / "after") == image, tag
    for tag in NESTED:
        assert await registry.is_whole(pushed.store, "web", tag)


async def test_after_a_garbage_collection_it_is_told_exactly_which_blobs_are_gone(pushed, tmp_path):
    registry = pushed.registry
    documents = {digest: registry.blob(digest).read_bytes() for digest in registry.revisions("web")}
    before = set(registry.tags("web"))
    report = await clean_up_then_undo(pushed, tmp_path, collecting=True)
    assert report.lost
    assert not report.failed
    lost = {one.digest for one in report.lost}
    for one in report.lost:
        blobs = blobs_of(documents[one.digest])
        gone = [blob for blob in blobs if not registry.blob(blob).exists()]
        children = [child for child in lost if child.encode() in documents[one.digest]]
        expected = gone or [child for child in children if child != one.digest]
        assert set(one.missing) == set(expected), one
    # What is said to be back can be pulled.
    after = registry.tags("web")
    for tag in after.keys() - NESTED:
        await pulled(registry, tag, tmp_path / "after")
    assert before - set(after) == {one.name for one in report.not_attempted if one.is_tag}
