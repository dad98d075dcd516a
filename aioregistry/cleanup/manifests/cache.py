"""Manifests that were read, kept on disk between runs."""

import hashlib
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Self

from aioregistry.cleanup.manifests.blobs import pack_digests
from aioregistry.cleanup.manifests.content import Content, Document, parse_contents
from aioregistry.cleanup.manifests.database import OwnedDatabase
from aioregistry.files import user_folder

__all__ = ["ContentCache", "default_cache_path", "has_digest"]

_SCHEMA = 3
# In the order in which they were read, so that those of one repository are neighbours.
_COLUMNS = "(digest BLOB NOT NULL UNIQUE, type TEXT, body BLOB NOT NULL)"
_BATCH_SIZE = 500
_DIGESTS_AT_ONCE = 5_000
# Of a stretch of the file, one row in so many at least is wanted, or the index is quicker.
_NEIGHBOURS = 8
_FIRST_STRETCH = 32
_SHORTEST_STRETCH = 4
_STRETCH = (
    "WITH found AS (SELECT rowid AS place FROM documents WHERE digest = ?)"
    " SELECT digest, type, body FROM found, documents"
    " WHERE documents.rowid BETWEEN found.place - ? AND found.place + ?"
)
_SHA256 = "sha256:"
_BYTES = 32
_LONGER = {"sha384": hashlib.sha384, "sha512": hashlib.sha512}


def default_cache_path() -> Path:
    """Return the usual path of a `ContentCache`: ``manifests.sqlite`` in the user's cache folder.

    That is ``~/.cache/aioregistry`` on Linux, or below ``XDG_CACHE_HOME``.
    """
    return user_folder("cache") / "manifests.sqlite"


class ContentCache:
    """The documents of manifests on disk, by digest; several processes may share it.

    The digest of each document is checked when it is read back. A file that another user owns or
    may write to is not used. A cache that cannot be used is logged as a warning, and the work goes
    on without it: it saves time, nothing more.

    Args:
        path: The file, which is made if it does not exist.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept = OwnedDatabase(path, _SCHEMA, {"documents": _COLUMNS}, "manifests")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._kept.close()

    def get(self, digests: Iterable[str]) -> dict[str, Content]:
        """Return the contents of those digests that are in the cache."""
        found: dict[str, Content] = {}
        same: dict[Hashable, Content] = {}
        for some, media_types, bodies in self._documents(digests):
            found.update(parse_contents(some, media_types, bodies, same))
        return found

    def document(self, digest: str) -> Document | None:
        """Return the document of a manifest; None where it is not in the cache."""
        return self.documents([digest]).get(digest)

    def documents(
        self, digests: Iterable[str], most_bytes: int | None = None
    ) -> dict[str, Document]:
        """Return the documents of those digests that are in the cache.

        Args:
            digests: The digests.
            most_bytes: Larger documents are left out; None, the default, for none.
        """
        return {
            digest: Document(body, media_type)
            for some in self._documents(digests, most_bytes)
            for digest, media_type, body in zip(*some, strict=True)
        }

    def put(self, contents: Mapping[str, Content]) -> None:
        """Keep contents, those that still have their document."""
        documents = {digest: content.document for digest, content in contents.items()}
        self.put_documents({digest: one for digest, one in documents.items() if one is not None})

    def put_documents(self, documents: Mapping[str, Document]) -> None:
        """Keep documents."""
        rows = [(_key(digest), one.media_type, one.body) for digest, one in documents.items()]
        statement = "INSERT OR REPLACE INTO documents (digest, type, body) VALUES (?, ?, ?)"
        self._kept.write((statement, rows))

    def _documents(
        self, digests: Iterable[str], most_bytes: int | None = None
    ) -> Iterator[tuple[Sequence[str], Sequence[str | None], Sequence[bytes]]]:
        """Yield what is kept of the digests, many at a time: digests, media types and documents.

        One without the digest that it is kept by is left out: it is read anew.
        """
        waiting = iter(digests)
        while some := list(islice(waiting, _DIGESTS_AT_ONCE)):
            wanted = _by_key(some)
            # In the order of a plan, or of nothing at all, few are neighbours.
            found = self._rows(wanted) if most_bytes is None else self._by_index(wanted, most_bytes)
            for rows in filter(None, found):
                keys, media_types, bodies = zip(*rows, strict=True)
                if not _are_right(keys, media_types, bodies):
                    right = [row for row in rows if _is_right(wanted[row[0]], *row)]
                    if not right:
                        continue
                    keys, media_types, bodies = zip(*right, strict=True)
                yield [wanted[key] for key in keys], media_types, bodies

    def _rows(self, keys: Collection[bytes]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of some keys: many with each query, by their place or by the index.

        Those of one repository were written one after the other, mostly, in this order or the
        other way round.
        """
        left = set(keys)
        before = after = _FIRST_STRETCH
        # What is found meanwhile is no longer there when its turn comes.
        for key in filter(left.__contains__, keys) if len(left) > _FIRST_STRETCH else ():
            found = self._kept.select(_STRETCH, (key, before, after))
            here = [row for row in found if row[0] in left]
            known = [row[0] for row in here]
            place = known.index(key) if key in known else 0
            left.difference_update(known)
            yield here
            if len(here) * _NEIGHBOURS < before + after:
                break
            before = _next_stretch(before, place)
            after = _next_stretch(after, len(here) - place)
        yield from self._by_index(left)

    def _by_index(
        self, keys: Iterable[bytes], most_bytes: int | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        waiting = sorted(keys)
        for start in range(0, len(waiting), _BATCH_SIZE):
            some: list[bytes | int] = [*waiting[start : start + _BATCH_SIZE]]
            marks = ",".join("?" * len(some))
            query = f"SELECT digest, type, body FROM documents WHERE digest IN ({marks})"  # noqa: S608
            if most_bytes is not None:
                # SQLite knows how long a body is without reading it.
                query += " AND length(body) <= ?"
                some.append(most_bytes)
            yield self._kept.select(query, some)


def _next_stretch(length: int, wanted: int) -> int:
    """Return how many rows to read on a side on which so many of the last ones were wanted."""
    if wanted * _NEIGHBOURS < length:
        return max(_SHORTEST_STRETCH, length // 2)
    return min(2 * length, _BATCH_SIZE)


def _by_key(digests: Sequence[str]) -> dict[bytes, str]:
    """Return digests by what they are kept by."""
    with suppress(ValueError):
        packed = pack_digests(digests)
        keys = [packed[start : start + _BYTES] for start in range(0, len(packed), _BYTES)]
        return dict(zip(keys, digests, strict=True))
    return {_key(digest): digest for digest in digests}


def _key(digest: str) -> bytes:
    """Return what a digest is kept by: the bytes of one of SHA-256, the text of any other."""
    if digest.startswith(_SHA256):
        with suppress(ValueError):
            key = bytes.fromhex(digest[len(_SHA256) :])
            if key.hex() == digest[len(_SHA256) :]:
                return key
    return digest.encode()


def _are_right(keys: Sequence[bytes], media_types: Sequence[Any], bodies: Sequence[Any]) -> bool:
    """Return whether rows are documents with the digests of SHA-256 that they are kept by."""
    if {*map(type, bodies)} != {bytes} or not {*map(type, media_types)} <= {str, type(None)}:
        return False
    return [sha256(body).digest() for body in bodies] == list(keys)


def _is_right(digest: str, key: bytes, media_type: Any, body: Any) -> bool:
    """Return whether a row is a document with the digest that it is kept by."""
    if type(body) is not bytes or not (media_type is None or type(media_type) is str):
        return False
    return sha256(body).digest() == key or _is_longer(digest, body)


def has_digest(body: bytes, digest: str) -> bool:
    """Return whether a document has a digest, of SHA-256 or longer."""
    return sha256(body).digest() == _key(digest) or _is_longer(digest, body)


def _is_longer(digest: str, body: bytes) -> bool:
    """Return whether a document has a digest that is not one of SHA-256."""
    algorithm, _, expected = digest.partition(":")
    new_hash = _LONGER.get(algorithm)
    return new_hash is not None and new_hash(body).hexdigest() == expected
