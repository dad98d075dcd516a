"""Reading what a registry has, in one pass over its lists."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from attrs import define, field

from aioregistry.arguments import Ignored, plain_callback
from aioregistry.cleanup.manifests.content import UnreadableContentError
from aioregistry.cleanup.manifests.reader import ContentReader, ContentSource
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import (
    ClientClosedError,
    RegistryConnectionError,
    RegistryError,
    RegistryTimeoutError,
)
from aioregistry.images.parts import parts_of
from aioregistry.oci.fan_out import for_each
from aioregistry.usage.columns import Described
from aioregistry.usage.model import By, RegistryUsage
from aioregistry.usage.tally import Tally

__all__ = ["measure_usage"]

_AT_ONCE = 1_000
_CONCURRENCY = 32
_TOP = 20
_UNREACHED = (RegistryConnectionError, RegistryTimeoutError)


async def measure_usage(
    registry: RegistryHandle,
    contents: ContentSource | None = None,
    *,
    by: By | str = By.REPOSITORY,
    top: int | None = _TOP,
    matches: Callable[[str], bool] = lambda _: True,
    also: Mapping[By, int | None] | None = None,
    now: datetime | None = None,
    on_progress: Callable[[int], Ignored] | None = None,
) -> RegistryUsage:
    """Count where the bytes of a registry are.

    ``GET …/{registry}/repositoriesV2`` and, for each repository, ``GET
    …/repositories/{repository}/digests``, each page once. The lists do not say which manifests an
    index names, nor what a signature signs: with `contents`, these documents are read from the
    registry itself, which costs none of the quota. Without it every manifest without a tag counts
    as untagged, and an image of several platforms counts without its platforms.

    Example:
        ```python
        async with Distribution(registry) as distribution:
            usage = await measure_usage(registry, ContentReader(distribution), by="tag")
        for row in usage.rows:
            print(row.name, row.bytes, row.exclusive_bytes)
        ```

    Args:
        registry: The registry.
        contents: Reads manifests; None, the default, reads none.
        by: What the rows are: ``repository``, the default, ``tag``, ``age``, ``platform`` or
            ``layer``.
        top: How many rows to return, the largest; 20 by default, None for all.
        matches: Returns whether a row of this name is wanted; by default each is.
        also: What else to count by in the same pass, and how many rows of each to return, of
            whatever name: they are in ``groups``. None, the default, for nothing else.
        now: The time that ages count from; None, the default, is now.
        on_progress: Called with how many manifests were listed so far; None for no call.

    Raises:
        ValueError: There are no such rows, or ``top`` is less than 1.
        NotFoundError: The registry does not exist.
        RegistryError: Any other of its kinds.
    """
    if top is not None and top < 1:
        raise ValueError(f"top must be at least 1: {top}")
    on_progress = plain_callback("on_progress", on_progress)
    tally = Tally(By(by), now or datetime.now(UTC), top, matches, also)
    reading = _Reading(tally, contents)
    async with registry.manifests().pages() as pages:
        async for page in pages:
            for manifest in page.items:
                if manifest.repository != reading.repository:
                    await reading.end()
                    reading.repository = manifest.repository
                tally.add(manifest)
            if on_progress is not None:
                on_progress(pages.found)
        await reading.end()
        return tally.usage(registry.name, unread=reading.unread, complete=bool(pages.complete))


@define
class _Reading:
    """The reading of one repository after the other."""

    tally: Tally
    contents: ContentSource | None
    repository: str | None = None
    unread: int = 0
    _found: dict[int, Described] = field(factory=dict)

    async def end(self) -> None:
        """Read what may name other manifests of the repository, and count it."""
        if self.repository is None:
            return
        self._found = {}
        await self._read(self.tally.naming())
        await self._read(self.tally.unneeded(self._found))
        self.tally.end(self.repository, self._found)

    async def _read(self, wanted: Mapping[int, str]) -> None:
        if self.contents is None or self.repository is None:
            return
        items = list(wanted.items())
        for begin in range(0, len(items), _AT_ONCE):
            some = items[begin : begin + _AT_ONCE]
            await _read_some(self.contents, self.repository, some, self._found)
            self.unread += sum(node not in self._found for node, _ in some)


async def _read_some(
    contents: ContentSource,
    repository: str,
    wanted: Iterable[tuple[int, str]],
    found: dict[int, Described],
) -> None:
    nodes = {digest: node for node, digest in wanted}
    at_hand = {}
    if isinstance(contents, ContentReader) and contents.cache is not None:
        # Whatever is read now is at hand the next time.
        await contents.read(repository, nodes)
        at_hand = await contents.documents_at_hand(nodes)

    async def read(digest: str) -> None:
        try:
            document = at_hand.get(digest) or await contents.document(repository, digest)
            parts = parts_of(document.body, document.media_type)
        except ClientClosedError:
            raise
        except UnreadableContentError:
            return
        except RegistryError as error:
            if isinstance(error, _UNREACHED):
                raise
            return
        children = tuple((child.digest, child.platform) for child in parts.children)
        found[nodes[digest]] = Described(len(document.body), children, parts.subject)

    await for_each(read, nodes, _CONCURRENCY)
