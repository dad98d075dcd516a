"""Writing to the registry itself: manifests, tags, and blobs mounted from other repositories."""

import logging
from collections.abc import Callable
from typing import Any, ClassVar

from aioregistry.api import names
from aioregistry.arguments import Ignored, plain_callback
from aioregistry.errors import (
    AuthenticationError,
    InvalidRequestError,
    InvalidResponseError,
    MountRefusedError,
    NotFoundError,
    PermissionDeniedError,
    RegistryError,
    TagExistsError,
)
from aioregistry.oci.distribution import Distribution
from aioregistry.oci.documents import FetchedManifest, body_with, upload_path
from aioregistry.oci.fan_out import for_each
from aioregistry.oci.tagging import TagOutcome, outcome_of, refuse_others
from aioregistry.session.answers import Answer, NoAnswer

__all__ = ["DistributionWriter", "is_part_missing"]

logger: logging.Logger = logging.getLogger("aioregistry")
_CREATED = 201
_LEFT_OPEN = ". The upload could not be cancelled: the registry drops it by itself"
_NOT_NOW = (
    "While a garbage collection is under way nobody may push, and the tier may allow no further"
    " repository"
)
_MISSING_PARTS = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})


class DistributionWriter(Distribution):
    """Reads like `Distribution`, and writes manifests, with docker credentials that let push.

    Takes the same arguments. The credentials need a token with the scopes ``registry:read``,
    ``registry:update`` and ``registry:create``. While a garbage collection is under way, registries
    refuse to be written to, by a 401.

    Example:
        ```python
        async with DistributionWriter(client.registry("example")) as writer:
            await writer.tag("web", "v1.0.0", "stable")
        ```
    """

    _writes: ClassVar[bool] = True

    async def put_manifest(
        self,
        repository: str,
        reference: str,
        document: bytes,
        media_type: str,
        *,
        once: bool = False,
    ) -> None:
        """Store a manifest: ``PUT /v2/{registry}/{repository}/manifests/{reference}``.

        All that it names must be in the repository. A tag that exists is moved without a question:
        the protocol has no conditional ``PUT``.

        Args:
            repository: The repository's name.
            reference: A tag, or the manifest's digest.
            document: The manifest, byte for byte.
            media_type: Its media type.
            once: Whether it is sent once, whatever comes of it: who sets a tag may have to look
                first whether somebody else has set it meanwhile. By default it is sent again as the
                `RetryPolicy` says.

        Raises:
            InvalidNameError: No repository, tag or digest can be called so; nothing was sent.
            InvalidRequestError: The registry refuses it; `is_part_missing` says whether that is for
                want of a part that it names.
            InvalidResponseError: The registry stored it under another digest.
            RegistryError: Any other of its kinds.
        """
        await self._put(repository, reference, document, media_type, once=once)

    async def _put(
        self, repository: str, reference: str, document: bytes, media_type: str, **when: Any
    ) -> None:
        path = self._path(repository, reference)
        is_right = ":" not in reference or body_with(reference, document) is not None
        answer = await self._send(
            "PUT", repository, path, document, media_type, is_digest_right=is_right, **when
        )
        digest = self._digest_in(answer, repository)
        is_other = digest is not None and body_with(digest, document) is None
        if is_other or (":" in reference and digest not in {None, reference}):
            raise InvalidResponseError(
                f"the registry stored {reference!r} under another digest, {digest!r}"
            )

    async def put_tag(
        self, repository: str, tag: str, manifest: FetchedManifest, previous: str | None
    ) -> None:
        """Set a tag that has just been looked up, unless somebody else sets it meanwhile.

        ``PUT /v2/{registry}/{repository}/manifests/{tag}``. One without an answer may have been
        carried out, and the tag set anew since: it is sent again, as the `RetryPolicy` says, only
        after another look (``HEAD``) that finds the tag as it was.

        Args:
            repository: The repository's name.
            tag: The tag.
            manifest: What it is to be on; all that it names must be in the repository.
            previous: The digest that it was on when it was looked up; None where there was none.

        Raises:
            InvalidNameError: No repository or tag can be called so; nothing was sent.
            TagExistsError: Somebody else has set it to another manifest meanwhile.
            InvalidRequestError: The registry refuses it; `is_part_missing` says whether that is for
                want of a part that it names.
            RegistryError: Any other of its kinds.
        """
        names.check_tag(tag)
        now = previous

        async def is_unchanged() -> bool:
            nonlocal now
            now = await self.find_manifest(repository, tag)
            return now == previous

        kind = manifest.media_type or ""
        try:
            await self._put(repository, tag, manifest.raw, kind, may_repeat=is_unchanged)
        except RegistryError as error:
            if now == previous:
                raise
            if now != manifest.digest:
                raise _set_meanwhile(repository, tag, now) from error

    async def tag(
        self,
        repository: str,
        reference: str,
        *tags: str,
        force: bool = False,
        dry_run: bool = False,
        on_outcome: Callable[[TagOutcome], Ignored] | None = None,
    ) -> tuple[TagOutcome, ...]:
        """Set further tags on a manifest; no layer is read or sent.

        ``GET /v2/{registry}/{repository}/manifests/{reference}``, then for each tag a ``HEAD``, and
        a ``PUT`` of the manifest where it is needed. All tags are looked up before the first is
        set, and of several each once more right before its ``PUT``; one without an answer is sent
        again only after another look. Between look and ``PUT`` are some milliseconds in which
        somebody else may set it: the protocol has no conditional ``PUT``.

        Args:
            repository: The repository's name.
            reference: A tag, or a digest.
            tags: The tags to set.
            force: Whether tags that are on other manifests are moved; by default that is refused.
            dry_run: Whether nothing is set, and the outcomes are those that would be; by default
                tags are set.
            on_outcome: Called with each `TagOutcome` as soon as it is known; None for nothing.

        Returns:
            What became of each tag, in their order.

        Raises:
            InvalidNameError: No repository, tag or digest can be called so; nothing was sent.
            ValueError: No tag is given.
            NotFoundError: There is no such manifest.
            TagExistsError: A tag is on another manifest, and `force` is not set; none was set. Or
                somebody else has set it while this worked; others may be set by then.
            RegistryError: Any other of its kinds; tags set before it stay set.
        """
        on_outcome = plain_callback("on_outcome", on_outcome)
        if not tags:
            raise ValueError("no tag is given")
        wanted = list(dict.fromkeys(map(names.check_tag, tags)))
        manifest = await self.get_manifest(repository, reference)
        before: dict[str, str | None] = {}
        outcomes: dict[str, TagOutcome] = {}

        async def look(tag: str) -> None:
            before[tag] = await self.find_manifest(repository, tag)

        async def set_tag(tag: str) -> None:
            if len(wanted) > 1 and before[tag] != manifest.digest and not dry_run:
                # Others were looked up and set in between.
                await look(tag)
                if not force and before[tag] not in {None, manifest.digest}:
                    raise _set_meanwhile(repository, tag, before[tag])
            outcome = outcome_of(repository, tag, manifest.digest, before[tag])
            if outcome.status != "present" and not dry_run:
                await self.put_tag(repository, tag, manifest, before[tag])
            outcomes[tag] = outcome
            if on_outcome is not None:
                on_outcome(outcome)

        await for_each(look, wanted, self.concurrency)
        if not force:
            refuse_others(repository, before, manifest.digest)
        await for_each(set_tag, wanted, self.concurrency)
        return tuple(outcomes[tag] for tag in wanted)

    async def mount_blob(self, repository: str, digest: str, source: str) -> None:
        """Let a repository have a blob of another one; no byte of it is read or sent.

        ``POST /v2/{registry}/{repository}/blobs/uploads/?mount={digest}&from={registry}/{source}``.
        A registry that does not mount opens an upload instead; that is cancelled.

        Args:
            repository: The repository that is to have it.
            digest: The blob's digest.
            source: The repository that has it.

        Raises:
            InvalidNameError: No repository or digest can be called so; nothing was sent.
            NotFoundError: The source has no such blob.
            MountRefusedError: The registry does not mount it.
            RegistryError: Any other of its kinds.
        """
        name = f"{self._registry.name}/{names.check_repository(repository)}"
        query = f"mount={names.check_digest(digest)}"
        query += f"&from={self._registry.name}/{names.check_repository(source)}"
        self._authorizer.pull_also(repository, source)
        try:
            answer = await self._send("POST", repository, f"/v2/{name}/blobs/uploads/?{query}")
        except (AuthenticationError, PermissionDeniedError) as error:
            error.hint = (
                f"To mount a blob, the credentials must let push to {repository!r} and pull from"
                f" {source!r}. {_NOT_NOW}"
            )
            raise
        if answer.status == _CREATED:
            return
        left = "" if await self._cancel_upload(repository, answer) else _LEFT_OPEN
        if not await self.has_blob(source, digest):
            raise NotFoundError(f"{source!r} has no blob {digest}{left}")
        raise MountRefusedError(
            f"the registry opened an upload instead of mounting {digest} from {source!r} in"
            f" {repository!r}; nothing was uploaded{left}"
        )

    def _explain(self, error: RegistryError, repository: str) -> None:
        super()._explain(error, repository)
        if error.status in {401, 403}:
            error.hint = f"{error.hint}. {_NOT_NOW}"

    async def _cancel_upload(self, repository: str, answer: Answer) -> bool:
        """``DELETE`` of an upload, tried once: many registries let nobody delete."""
        path = upload_path(answer.headers.get("Location", ""))
        if path is None:
            return False
        base_url = await self._base()
        authorization = await self._authorizer.authorize(repository, base_url)
        ended = await self._transport.attempt("DELETE", f"{base_url}{path}", authorization)
        if isinstance(ended, NoAnswer) or not 200 <= ended.status < 300:
            logger.info("an upload that was opened in %s could not be cancelled", repository)
            return False
        return True


def _set_meanwhile(repository: str, tag: str, now: str | None) -> TagExistsError:
    if now is None:
        return TagExistsError(f"{repository}: {tag!r} was deleted meanwhile; it was not set again")
    return TagExistsError(
        f"{repository}: {tag!r} was set to {now} meanwhile; that is left as it is", tags={tag: now}
    )


def is_part_missing(error: Exception) -> bool:
    """Return whether a registry refuses a manifest because a blob or a child does not exist."""
    return (
        isinstance(error, InvalidRequestError | NotFoundError) and error.error_id in _MISSING_PARTS
    )
