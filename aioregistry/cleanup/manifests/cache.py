"""Manifests that were read, kept on disk between runs."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

import platformdirs

from aioregistry.cleanup.manifests.content import (
    Content,
    Document,
    UnreadableContentError,
    parse_content,
)
from aioregistry.cleanup.manifests.database import OwnedDatabase

__all__ = ["ContentCache", "default_cache_path"]

_SCHEMA = 2
_COLUMNS = "(digest TEXT PRIMARY KEY, type TEXT, body BLOB NOT NULL) WITHOUT ROWID"
_BATCH_SIZE = 500
_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


def default_cache_path() -> Path:
    """Return the usual path of a `ContentCache`: ``manifests.sqlite`` in the user's cache folder.

    That is ``~/.cache/aioregistry`` on Linux, or below ``XDG_CACHE_HOME``.
    """
    return platformdirs.user_cache_path("aioregistry", appauthor=False) / "manifests.sqlite"


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
        # Most images say the same, but for their size: of a million few hundred are different.
        same: dict[Content, Content] = {}
        for digest, media_type, body in self._rows(digests):
            content = _checked(digest, media_type, body)
            if content is not None:
                found[digest] = same.setdefault(content, content)
        return found

    def document(self, digest: str) -> Document | None:
        """Return the document of a manifest; None where it is not in the cache."""
        return self.documents([digest]).get(digest)

    def documents(self, digests: Iterable[str]) -> dict[str, Document]:
        """Return the documents of those digests that are in the cache."""
        rows = self._rows(digests)
        found = ((digest, _document(digest, media_type, body)) for digest, media_type, body in rows)
        return {digest: document for digest, document in found if document is not None}

    def put(self, contents: Mapping[str, Content]) -> None:
        """Keep contents, those that still have their document."""
        rows = [
            (digest, content.document.media_type, content.document.body)
            for digest, content in contents.items()
            if content.document is not None
        ]
        statement = "INSERT OR REPLACE INTO documents (digest, type, body) VALUES (?, ?, ?)"
        self._kept.write((statement, rows))

    def _rows(self, digests: Iterable[str]) -> Iterator[tuple[str, object, object]]:
        for some in _batches(digests):
            marks = ",".join("?" * len(some))
            query = f"SELECT digest, type, body FROM documents WHERE digest IN ({marks})"  # noqa: S608
            # The caller's own texts: those of the file would be kept beside them.
            own = {digest: digest for digest in some}
            for digest, media_type, body in self._kept.select(query, some):
                yield own[digest], media_type, body


def _batches(digests: Iterable[str]) -> Iterator[list[str]]:
    # In the order of the file: neighbours are read together.
    waiting = sorted(digests)
    for start in range(0, len(waiting), _BATCH_SIZE):
        yield waiting[start : start + _BATCH_SIZE]


def _document(digest: str, media_type: object, body: object) -> Document | None:
    """Return a document that was read; None for one without the digest."""
    if not isinstance(body, bytes) or not (media_type is None or isinstance(media_type, str)):
        return None
    algorithm, _, expected = digest.partition(":")
    new_hash = _HASHES.get(algorithm)
    if new_hash is None or new_hash(body).hexdigest() != expected:
        return None
    return Document(body, media_type)


def _checked(digest: str, media_type: object, body: object) -> Content | None:
    """Return the content of a document; None for one without the digest, which is read anew."""
    document = _document(digest, media_type, body)
    if document is None:
        return None
    try:
        return parse_content(document.body, document.media_type, keep=False)
    except UnreadableContentError:
        return None
