"""Copying an image to another repository of its registry, without moving a layer."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from aioregistry.api import names
from aioregistry.arguments import Ignored, plain_callback
from aioregistry.errors import TagExistsError
from aioregistry.images.report import CopyOutcome, CopyReport, CopyStatus
from aioregistry.images.survey import Image, Member, read_image
from aioregistry.oci.documents import INDEX, FetchedManifest, referrers_of
from aioregistry.oci.fan_out import for_each
from aioregistry.oci.tagging import refuse_others
from aioregistry.oci.writer import DistributionWriter

__all__ = ["copy_image"]

_MERGES = 3


async def copy_image(
    writer: DistributionWriter,
    source: str,
    reference: str,
    target: str,
    tag: str | None = None,
    *,
    force: bool = False,
    referrers: bool = True,
    dry_run: bool = False,
    on_read: Callable[[int], Ignored] | None = None,
    on_outcome: Callable[[CopyOutcome], Ignored] | None = None,
) -> CopyReport:
    """Copy an image to another repository of its registry; no layer is read or sent.

    The blobs are mounted (``POST /v2/{registry}/{target}/blobs/uploads/?mount=…&from=…``), then the
    manifests are stored (``PUT /v2/{registry}/{target}/manifests/…``): all children of an index
    before the index, a subject before its signatures, attestations and SBOMs, and the tag last.
    What the target has already is not sent again: one that was interrupted is simply started again.
    Where signatures in the target differ from those of the source, the target's are kept.

    Example:
        ```python
        async with DistributionWriter(client.registry("example")) as writer:
            report = await copy_image(writer, "web", "v1.0.0", "production/web")
            print(report.digest, report.mounted_blobs, report.mounted_bytes)
        ```

    Args:
        writer: The registry itself, opened with credentials that may push.
        source: The repository that has the image.
        reference: A tag, or a digest.
        target: The repository that gets it; made by the registry if it is new.
        tag: The tag in the target; None, the default, for the same one, or for none if `reference`
            is a digest.
        force: Whether tags of the target that are on other manifests are moved: `tag`, and those of
            signatures; by default they are not.
        referrers: Whether signatures, attestations and SBOMs that refer to the image are copied as
            well; by default they are.
        dry_run: Whether nothing is written; what would be copied is then reported as copied. By
            default it is written.
        on_read: Called with the number of manifests and tags, once they are known; None, the
            default, for no call.
        on_outcome: Called with each `CopyOutcome` as soon as it is known; None, the default, for no
            call.

    Returns:
        What became of each manifest and tag.

    Raises:
        InvalidNameError: No repository, tag or digest can be called so; nothing was sent.
        ValueError: Source and target are the same repository; nothing was sent.
        NotFoundError: There is no such image, or a child or blob of it does not exist.
        TagExistsError: `tag` is on another manifest, and `force` is not set; nothing was written.
        UnreadableContentError: A manifest is of a kind of which nobody can say what it needs.
        MountRefusedError: The registry does not mount; nothing was uploaded.
        RegistryError: Any other of its kinds. What was copied until then stays in the target.
    """
    on_read = plain_callback("on_read", on_read)
    on_outcome = plain_callback("on_outcome", on_outcome)
    if names.check_repository(source) == names.check_repository(target):
        raise ValueError(f"source and target are both {source!r}: set a tag instead")
    if tag is None and ":" not in reference:
        tag = reference
    if tag is not None:
        names.check_tag(tag)
    image = await read_image(writer, source, reference, referrers=referrers)
    copying = _Copying(writer, image, target, force, dry_run, on_outcome)
    if tag is not None and not force:
        refuse_others(target, {tag: await writer.find_manifest(target, tag)}, image.digest)
    if on_read is not None:
        manifests = len(image.members) + len(image.missing)
        on_read(manifests + len(image.tags) + len(image.lists) + (tag is not None))
    return await copying.run(tag)


class _Copying:
    """One copy."""

    def __init__(
        self,
        writer: DistributionWriter,
        image: Image,
        target: str,
        force: bool,
        dry_run: bool,
        on_outcome: Callable[[CopyOutcome], Ignored] | None,
    ) -> None:
        self._writer = writer
        self._image = image
        self._target = target
        self._force = force
        self._dry_run = dry_run
        self._on_outcome = on_outcome
        self._outcomes: list[CopyOutcome] = []
        # The blobs that the target was given, or has, with their sizes.
        self._mounted: dict[str, int] = {}
        self._present: set[str] = set()

    async def run(self, tag: str | None) -> CopyReport:
        for digest, reason in self._image.missing.items():
            self._report(digest, digest, "missing", reason=reason)
        concurrency = self._writer.concurrency
        for wave in self._image.waves():
            await for_each(self._look, wave, concurrency)
            new = [self._image.members[digest] for digest in wave if digest not in self._present]
            sizes = [(len(one.parts.blobs), await self._mount(one)) for one in new]
            await for_each(self._put, zip(new, sizes, strict=True), concurrency)
        await for_each(self._set_tag, self._image.tags.items(), concurrency)
        await for_each(self._merge_list, self._image.lists.items(), concurrency)
        if tag is not None:
            await self._set_own_tag(tag)
        return CopyReport(
            self._image.digest,
            tuple(self._outcomes),
            len(self._mounted),
            sum(self._mounted.values()),
        )

    def _report(self, name: str, digest: str, status: CopyStatus, **more: Any) -> None:
        outcome = CopyOutcome(name, digest, status, **more)
        self._outcomes.append(outcome)
        if self._on_outcome is not None:
            self._on_outcome(outcome)

    async def _look(self, digest: str) -> None:
        if await self._writer.find_manifest(self._target, digest) is not None:
            self._present.add(digest)
            self._report(digest, digest, "present")

    async def _mount(self, member: Member) -> int:
        """Mount the blobs of a manifest that are not mounted yet, and return their bytes."""
        new = {one.digest: one for one in member.parts.blobs if one.digest not in self._mounted}

        async def mount(digest: str) -> None:
            # A layer that is to be had elsewhere may not be stored here at all.
            if new[digest].is_elsewhere and not await self._writer.has_blob(
                self._image.repository, digest
            ):
                return
            if not self._dry_run:
                await self._writer.mount_blob(self._target, digest, self._image.repository)
            self._mounted[digest] = new[digest].size or 0

        await for_each(mount, new, self._writer.concurrency)
        return sum(self._mounted.get(digest, 0) for digest in new)

    async def _put(self, work: tuple[Member, tuple[int, int]]) -> None:
        member, (blobs, size) = work
        digest = member.manifest.digest
        if not self._dry_run:
            kind = member.manifest.media_type or ""
            await self._writer.put_manifest(self._target, digest, member.manifest.raw, kind)
        self._report(digest, digest, "copied", blobs=blobs, size_bytes=size)

    async def _store_tag(self, tag: str, manifest: FetchedManifest, previous: str | None) -> None:
        if not self._dry_run:
            await self._writer.put_tag(self._target, tag, manifest, previous)

    async def _set_tag(self, item: tuple[str, str]) -> None:
        """Set a tag as cosign's, which belongs to a signature or the like."""
        tag, digest = item
        now = await self._writer.find_manifest(self._target, tag)
        if now == digest:
            self._report(tag, digest, "present")
            return
        if now is not None and not self._force:
            reason = f"it is on {now} in {self._target}"
            self._report(tag, digest, "kept", reason=reason)
            return
        try:
            await self._store_tag(tag, self._image.members[digest].manifest, now)
        except TagExistsError as error:
            self._report(tag, digest, "kept", reason=str(error))
        else:
            self._report(tag, digest, "copied" if now is None else "moved")

    async def _merge_list(self, item: tuple[str, FetchedManifest]) -> None:
        """Set the tag of a list of referrers, with those that the target's own list has."""
        # Who sets a list meanwhile has added to it: theirs is merged in turn.
        for _ in range(_MERGES):
            try:
                await self._merge_once(*item)
            except TagExistsError as error:
                changed = error
            else:
                return
        tag, manifest = item
        self._report(tag, manifest.digest, "kept", reason=str(changed))

    async def _merge_once(self, tag: str, manifest: FetchedManifest) -> None:
        now = await self._writer.find_manifest(self._target, tag)
        known = None if now is None else await self._writer.get_manifest(self._target, now)
        if known is not None and known.media_type != INDEX:
            reason = f"it is on {now} in {self._target}, which lists no referrers"
            self._report(tag, manifest.digest, "kept", reason=reason)
            return
        merged = _merged(manifest, known, self._image.missing)
        if merged.digest != now:
            await self._store_tag(tag, merged, now)
        status: CopyStatus = "copied" if now is None else "moved"
        self._report(tag, merged.digest, "present" if merged.digest == now else status)

    async def _set_own_tag(self, tag: str) -> None:
        digest = self._image.digest
        if self._dry_run:
            now = await self._writer.find_manifest(self._target, tag)
            status: CopyStatus = "copied" if now is None else "moved"
            self._report(tag, digest, "present" if now == digest else status)
            return
        (outcome,) = await self._writer.tag(self._target, digest, tag, force=self._force)
        self._report(tag, digest, "copied" if outcome.status == "set" else outcome.status)


def _merged(
    ours: FetchedManifest, theirs: FetchedManifest | None, missing: dict[str, str]
) -> FetchedManifest:
    """Return a list of referrers with the entries of both, without those that are missing.

    One of the two is returned as it is, where it has all of them.
    """
    document = json.loads(ours.body)
    entries = {one["digest"]: one for one in document["manifests"] or ()}
    wanted = {digest: one for digest, one in entries.items() if digest not in missing}
    if theirs is not None:
        referrers_of(theirs.body)
        known = {one["digest"]: one for one in json.loads(theirs.body)["manifests"] or ()}
        if known.keys() >= wanted.keys():
            return theirs
        wanted = known | wanted
    if wanted.keys() == entries.keys():
        return ours
    body = json.dumps({**document, "manifests": list(wanted.values())}).encode()
    return FetchedManifest(_digest_of(body), INDEX, body, body)


def _digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
