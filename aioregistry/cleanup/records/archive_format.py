"""The archive's format, and the reading of it."""

import base64
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import msgspec
from attrs import frozen

from aioregistry.api import names
from aioregistry.cleanup.records.store import JournalError
from aioregistry.errors import InvalidNameError
from aioregistry.oci.documents import body_with

__all__ = [
    "ArchiveError",
    "ArchivedManifest",
    "Line",
    "check_archive",
    "encode_lines",
    "head_of",
    "line_of",
    "pack_lines",
    "read_archive",
    "read_archived",
    "registry_of",
    "survey",
    "withdrawal_of",
]

FORMAT = "aioregistry archive"
VERSION = 1
# A manifest has at most 4 MiB; base64 and the escapes of JSON make more of it.
_MAX_LINE_BYTES = 64 * 2**20
_CHUNK_BYTES = 2**16
_WITHDRAWN = b'"withdrawn":true}'
_MAGIC = b"\x1f\x8b\x08"
_GZIP = zlib.MAX_WBITS | 16
# Further levels take twice the time and save an eighth of the space. To set up the usual window
# takes longer than to pack a few documents; with more of them it is the quicker one.
_LEVEL = 1
_SMALL_WINDOW, _SMALL_MEMORY = 12 | 16, 6
_SMALL_BYTES = 2**12


class ArchiveError(JournalError):
    """The archive cannot be used; nothing is deleted without it."""


@frozen(kw_only=True)
class ArchivedManifest:
    """A manifest as it was right before a DELETE of it, or of one of its tags.

    Attributes:
        repository: The repository's name.
        digest: The manifest's digest.
        tags: The tags that the DELETE took away.
        document: The manifest byte for byte; None for the DELETE of a tag, whose manifest stays.
        media_type: The media type it was served with; empty when it was served without.
        at: When it was archived.
    """

    repository: str
    digest: str
    tags: tuple[str, ...] = ()
    document: bytes | None = None
    media_type: str = ""
    at: datetime


_Key = tuple[datetime, str, str, tuple[str, ...]]


class _Head(msgspec.Struct, frozen=True):
    format: str
    version: int
    registry: str


class Line(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One DELETE, or that it was withdrawn, as it is written."""

    at: datetime
    repository: Annotated[str, msgspec.Meta(max_length=1024)]
    digest: Annotated[str, msgspec.Meta(max_length=1024)]
    tags: tuple[str, ...] = ()
    media_type: str = ""
    encoding: Literal["utf-8", "base64"] = "utf-8"
    document: str | None = None
    # The last key: so it is seen without a line being read.
    withdrawn: bool = False


_encode = msgspec.json.Encoder().encode
encode_lines: Callable[[Iterable[Line]], bytes] = msgspec.json.Encoder().encode_lines


def read_archive(path: Path, registry: str | None = None) -> Iterator[ArchivedManifest]:
    """Yield what an archive has, in the order in which it was deleted.

    What was archived and then not deleted is left out.

    One part of the file, 64 MiB at most, is in memory at a time. A part that was cut off at the end
    is passed over.

    Args:
        path: The file.
        registry: The registry that it must belong to; None for any.

    Raises:
        ArchiveError: It cannot be read, is no archive, or belongs to another registry; or a
            document does not have its digest.
    """
    for archived, _ in survey(path, registry):
        yield archived


def registry_of(path: Path) -> str:
    """Return the name of the registry that an archive belongs to.

    Raises:
        ArchiveError: It cannot be read, or is no archive.
    """
    try:
        with path.open("rb") as file:
            for lines, _, _ in _members(path, file):
                return _check_head(path, lines[0] if lines else b"", None)
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from None
    raise ArchiveError(f"{path}: not an archive of a clean-up, or an empty one")


def survey(path: Path, registry: str | None = None) -> Iterator[tuple[ArchivedManifest, int]]:
    """Yield what `read_archive` yields, each with its place in the file, for `read_archived`."""
    try:
        with path.open("rb") as file:
            withdrawn = _withdrawn(path, file, registry)
            file.seek(0)
            head = b""
            for lines, start, _ in _members(path, file):
                head = head or lines[0]
                for line in lines:
                    # The head comes again where the answer of a server to its writing was lost.
                    if line == head or line.endswith(_WITHDRAWN):
                        continue
                    archived = _parse(f"{path}, at byte {start}", line)
                    if not withdrawn or _key(archived) not in withdrawn:
                        yield archived, start
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from None


def _withdrawn(path: Path, file: IO[bytes], registry: str | None) -> set[_Key]:
    """Check the first line, and return what was archived and then not deleted."""
    found: set[_Key] = set()
    head_is_read = False
    for lines, start, _ in _members(path, file):
        if not head_is_read:
            _check_head(path, lines[0] if lines else b"", registry)
            head_is_read = True
        where = f"{path}, at byte {start}"
        found.update(_key(_parse(where, line)) for line in lines if line.endswith(_WITHDRAWN))
    if not head_is_read:
        raise ArchiveError(f"{path}: not an archive of a clean-up, or an empty one")
    return found


def _key(one: ArchivedManifest) -> _Key:
    return one.at, one.repository, one.digest, one.tags


def read_archived(path: Path, place: int, digest: str) -> ArchivedManifest:
    """Return a manifest with its document from its place in an archive, as `survey` gave it.

    Raises:
        ArchiveError: It is not there: the file was changed since.
    """
    try:
        with path.open("rb") as file:
            file.seek(place)
            for lines, _, _ in _members(path, file):
                for line in lines:
                    if digest.encode() in line and b'"format"' not in line[:10]:
                        archived = _parse(f"{path}, at byte {place}", line)
                        if archived.digest == digest and archived.document is not None:
                            return archived
                break
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from None
    raise ArchiveError(f"{path}: {digest} is not at byte {place} any more")


def check_archive(path: str, file: IO[bytes], registry: str) -> int:
    """Return where the last whole member ends; 0 when nothing was written yet."""
    last = 0
    for lines, start, end in _members(path, file):
        if not start:
            _check_head(path, lines[0] if lines else b"", registry)
        last = end
    if not last:
        # Nothing but a first member that was cut off may be written over.
        file.seek(0)
        first = pack_lines([head_of(registry)])
        if not first.startswith(file.read(len(first) + 1)):
            raise ArchiveError(f"{path}: not an archive of a clean-up")
    return last


def head_of(registry: str) -> bytes:
    """Return the first line of every archive of a registry."""
    return _encode(_Head(FORMAT, VERSION, registry)) + b"\n"


def _check_head(path: Path | str, line: bytes, registry: str | None) -> str:
    try:
        head = msgspec.json.decode(line, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ArchiveError(f"{path}: not an archive of a clean-up") from None
    if (head.format, head.version) != (FORMAT, VERSION):
        raise ArchiveError(f"{path}: not an archive that this version reads")
    if registry is not None and head.registry != registry:
        raise ArchiveError(
            f"{path}: an archive of the registry {head.registry!r}, not of {registry!r}"
        )
    return head.registry


def _members(path: Path | str, file: IO[bytes]) -> Iterator[tuple[list[bytes], int, int]]:
    """Yield the lines of each whole member, where it begins and where it ends.

    A member that was cut off ends the iteration: it is the last one.

    Raises:
        ArchiveError: The file was damaged or edited: whole members follow one that is not.
    """
    place, rest = file.tell(), b""
    while True:
        start = place
        unzip = zlib.decompressobj(_GZIP)
        text: list[bytes] = []
        size = 0
        try:
            while not unzip.eof:
                data = rest or file.read(_CHUNK_BYTES)
                if not data:
                    if _whole_members_follow(file, start):
                        raise _damaged(path, start, "its end is missing")
                    return
                rest = b""
                text.append(unzip.decompress(data, _MAX_LINE_BYTES))
                size += len(text[-1])
                place += len(data)
                if unzip.unconsumed_tail or size > _MAX_LINE_BYTES:
                    raise ArchiveError(f"{path}: a part of more than {_MAX_LINE_BYTES:,} bytes")
        except zlib.error as error:
            # The end of a file that a machine left when it died may be of any bytes.
            if _whole_members_follow(file, start):
                raise _damaged(path, start, str(error)) from None
            return
        rest = unzip.unused_data
        place -= len(rest)
        lines = b"".join(text).split(b"\n")
        if lines.pop():
            raise _damaged(path, start, "the last line has no end")
        yield lines, start, place


def _whole_members_follow(file: IO[bytes], start: int) -> bool:
    """Return whether a whole member begins anywhere after the beginning of a bad one."""
    file.seek(start + 1)
    place, known = start + 1, b""
    while data := file.read(_CHUNK_BYTES):
        known += data
        at = known.find(_MAGIC)
        while at >= 0:
            if _is_whole(file, place + at):
                return True
            at = known.find(_MAGIC, at + 1)
        place += len(known) - len(_MAGIC) + 1
        known = known[1 - len(_MAGIC) :]
        file.seek(place + len(known))
    return False


def _is_whole(file: IO[bytes], place: int) -> bool:
    file.seek(place)
    unzip = zlib.decompressobj(_GZIP)
    try:
        while not unzip.eof:
            data = unzip.unconsumed_tail or file.read(_CHUNK_BYTES)
            if not data:
                return False
            unzip.decompress(data, _MAX_LINE_BYTES)
    except zlib.error:
        return False
    return True


def _damaged(path: Path | str, place: int, why: str) -> ArchiveError:
    return ArchiveError(
        f"{path}: damaged at byte {place:,} ({why}), with more behind it; it is left as it is."
        " What comes before can be restored from a copy of the file that ends there"
    )


def pack_lines(lines: list[bytes]) -> bytes:
    """Return gzip members with some lines, none of them larger than what is read back."""
    packed: list[bytes] = []
    some: list[bytes] = []
    size = 0
    for line in lines:
        if some and size + len(line) > _MAX_LINE_BYTES:
            packed.append(_compress(some))
            some, size = [], 0
        some.append(line)
        size += len(line)
    packed.append(_compress(some))
    return b"".join(packed)


def _compress(lines: list[bytes]) -> bytes:
    text = lines[0] if len(lines) == 1 else b"".join(lines)
    if len(text) > _SMALL_BYTES:
        # In one call: a thread waits for the interpreter after each.
        return zlib.compress(text, _LEVEL, _GZIP)
    packing = zlib.compressobj(_LEVEL, zlib.DEFLATED, _SMALL_WINDOW, _SMALL_MEMORY)
    return packing.compress(text) + packing.flush()


def line_of(
    at: datetime,
    repository: str,
    digest: str,
    tags: tuple[str, ...],
    document: bytes | None,
    media_type: str,
) -> Line:
    """Return the line of one DELETE."""
    if document is None:
        return Line(at, repository, digest, tags, media_type)
    try:
        text = document.decode()
    except UnicodeDecodeError:
        text = None
    # Escapes may make six bytes of one.
    if text is None or 6 * len(document) > _MAX_LINE_BYTES:
        text = base64.b64encode(document).decode()
        return Line(at, repository, digest, tags, media_type, "base64", text)
    return Line(at, repository, digest, tags, media_type, "utf-8", text)


def withdrawal_of(at: datetime, repository: str, digest: str, tags: tuple[str, ...]) -> bytes:
    """Return the line that says of another that its DELETE was not sent, or had no effect."""
    return encode_lines([Line(at, repository, digest, tags, withdrawn=True)])


def _parse(where: str, line: bytes) -> ArchivedManifest:
    try:
        read = msgspec.json.decode(line, type=Line)
        names.check_digest(read.digest)
        document: Any = read.document
        if document is not None:
            encoded = read.encoding == "base64"
            document = base64.b64decode(document, validate=True) if encoded else document.encode()
    except (
        msgspec.DecodeError,
        UnicodeError,
        RecursionError,
        ValueError,
        InvalidNameError,
    ) as error:
        raise ArchiveError(f"{where}: {error}") from None
    if document is not None and body_with(read.digest, document) is None:
        raise ArchiveError(f"{where}: the document does not have the digest {read.digest}")
    return ArchivedManifest(
        repository=read.repository,
        digest=read.digest,
        tags=read.tags,
        document=document,
        media_type=read.media_type,
        at=read.at,
    )
