"""Documents that are read for what they need, and held until they are archived."""

from collections.abc import Hashable, Iterable, Mapping, Sequence

from aioregistry.cleanup.manifests.content import (
    Content,
    Document,
    UnreadableContentError,
    parse_content,
)
from aioregistry.cleanup.manifests.reader import ContentSource, DocumentStore

__all__ = ["MOST_HELD_BYTES", "HeldDocuments"]

MOST_HELD_BYTES = 8 * 2**20
_READ_AT_ONCE = 256


class HeldDocuments:
    """Reads the contents of a repository, and has the documents of some of them for the archive.

    To read a document from a cache takes longer than to archive it: what is deleted soon is read
    once for both. It is a `DocumentStore` of what it holds, and of what its source has at hand.

    Args:
        contents: Where manifests are read.
        most_bytes: How many bytes of documents it may hold, besides those that it is handing out;
            0 holds none.
    """

    def __init__(self, contents: ContentSource, most_bytes: int = MOST_HELD_BYTES) -> None:
        self._contents = contents
        self._store = contents if isinstance(contents, DocumentStore) else None
        self._room = most_bytes
        # There was no room for some document.
        self._is_full = most_bytes == 0
        self._held: dict[str, Document] = {}
        self._same: dict[Hashable, Content] = {}

    async def read(
        self, repository: str, digests: Sequence[str], soon: Iterable[str]
    ) -> Mapping[str, Content | UnreadableContentError]:
        """Return the contents of manifests; see `ContentSource.read`.

        Args:
            repository: The repository's name.
            digests: Which manifests.
            soon: Those that are archived soon, the next first, with others among them.
        """
        found: dict[str, Content | UnreadableContentError] = {}
        if self._store is not None and not self._is_full:
            wanted = frozenset(digests)
            found.update(await self._hold([one for one in soon if one in wanted], self._store))
        left = [digest for digest in digests if digest not in found]
        if left:
            found.update(await self._contents.read(repository, left))
        return found

    async def documents_at_hand(self, digests: Iterable[str]) -> dict[str, Document]:
        """See `DocumentStore`: what it holds is handed out, and held no longer."""
        wanted = list(digests)
        held = self._held
        found = {digest: held.pop(digest) for digest in wanted if digest in held}
        if found:
            self._room += sum([len(one.body) for one in found.values()])
            self._is_full = False
        left = [digest for digest in wanted if digest not in found]
        if left and self._store is not None:
            found.update(await self._store.documents_at_hand(left))
        return found

    def clear(self) -> None:
        """Hold nothing any longer."""
        self._room += sum(len(one.body) for one in self._held.values())
        self._is_full = self._room == 0
        self._held.clear()

    async def _hold(self, digests: list[str], store: DocumentStore) -> dict[str, Content]:
        found: dict[str, Content] = {}
        for start in range(0, len(digests), _READ_AT_ONCE):
            documents = await store.documents_at_hand(digests[start : start + _READ_AT_ONCE])
            for digest, document in documents.items():
                try:
                    content = parse_content(document.body, document.media_type, same=self._same)
                except UnreadableContentError:
                    continue
                found[digest] = content
                if digest in self._held:
                    continue
                if len(document.body) <= self._room:
                    self._held[digest] = document
                    self._room -= len(document.body)
                else:
                    self._is_full = True
            self._is_full |= self._room == 0
            # Where nothing is at hand, the source is not asked for everything twice.
            if self._is_full or not documents:
                break
        return found
