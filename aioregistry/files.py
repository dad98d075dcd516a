"""Files that are written whole or not at all, and texts as any editor leaves them."""

import codecs
import errno
import io
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "NotTextError",
    "in_utf8",
    "open_to_append",
    "read_text",
    "sync_folder",
    "take_lock",
    "user_folder",
    "write_all",
    "write_file",
]

# The process's umask takes away from this.
_NEW_FILE = 0o666
_OWNER_ONLY = 0o600
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NotTextError(ValueError):
    """A file is no text in UTF-8."""


def in_utf8(data: bytes) -> bytes:
    """Return a text in UTF-8 without a byte order mark.

    Editors and shells of Windows write one, or UTF-16, which begins with another.

    Args:
        data: The text as it was read; what is none is returned as it is.
    """
    if data.startswith(_UTF16):
        with suppress(UnicodeDecodeError):
            return data.decode("utf-16").encode()
    return data.removeprefix(codecs.BOM_UTF8)


def read_text(path: Path) -> str:
    """Return the text of a file, without a byte order mark, with the newlines of Unix.

    Args:
        path: The file, in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        NotTextError: It is neither.
        OSError: It cannot be read. Its `filename` is the file, also where the system names none.
    """
    try:
        text = in_utf8(path.read_bytes()).decode()
    except UnicodeDecodeError:
        raise NotTextError(f"{path}: not a text in UTF-8") from None
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
        raise
    return io.StringIO(text, newline=None).read()


def write_file(
    path: Path, content: str | bytes | Iterable[bytes], *, mode: int | None = None
) -> None:
    """Write a file so that readers, and a crash, find either the old content or all of the new.

    The content goes to a temporary file in the same folder, is synced to the disk, and takes the
    place of the old file in one step. A symbolic link is followed and stays; a device or a pipe is
    written to directly.

    Args:
        path: The file; its folder must exist.
        content: The new content, as a whole or in parts; text is written in UTF-8.
        mode: Its permissions; None keeps those of the old file, or takes those of a new one.

    Raises:
        OSError: It cannot be written; the old file is as it was, and no temporary file is left. Its
            `filename` is the file, also where the system names none or the temporary one.
    """
    try:
        _write_whole(path, content, mode)
    except OSError as error:
        # Without a number its text would be lost to the file's name.
        if error.errno is not None:
            error.filename = str(path)
        raise


def _write_whole(path: Path, content: str | bytes | Iterable[bytes], mode: int | None) -> None:
    data = content.encode() if isinstance(content, str) else content
    parts = (data,) if isinstance(data, bytes) else data
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            file.writelines(parts)
        return
    if mode is None and path.exists():
        mode = path.stat().st_mode & 0o777
    temporary = path.with_name(f".{path.name[:40]}-{secrets.token_hex(8)}")
    descriptor = os.open(
        temporary,
        os.O_WRONLY | os.O_CREAT | os.O_EXCL,
        _NEW_FILE if mode is None else _OWNER_ONLY,
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            if mode is not None:
                temporary.chmod(mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def user_folder(kind: Literal["cache", "state"]) -> Path:
    """Return the folder for a user's files of this program.

    Args:
        kind: What files: such as may be deleted, or such as are wanted later.

    Raises:
        ModuleNotFoundError: The package ``platformdirs`` is missing.
    """
    try:
        import platformdirs  # noqa: PLC0415  (who names their own files needs none)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the folders of a user need platformdirs: pip install 'aioregistry-do[cleanup]', or"
            " name a file",
            name="platformdirs",
        ) from None
    folders = platformdirs.PlatformDirs("aioregistry", appauthor=False)
    return folders.user_cache_path if kind == "cache" else folders.user_state_path


def open_to_append(path: Path) -> int:
    """Open a file to read it and to append bytes to it, and return its descriptor.

    Args:
        path: The file, which only its owner may read; it is made where there is none.

    Raises:
        OSError: It cannot be opened.
    """
    # Windows would write two bytes for each line break: archives and journals have offsets.
    as_bytes: int = getattr(os, "O_BINARY", 0)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | as_bytes, _OWNER_ONLY)


def write_all(descriptor: int, data: bytes) -> None:
    """Write some bytes to an open file, all of them.

    A disk with little room left takes a part of them, and tells that by no error.

    Args:
        descriptor: The open file.
        data: The bytes.

    Raises:
        OSError: They cannot be written, or a part of them alone.
    """
    while data:
        data = data[os.write(descriptor, data) :]


def take_lock(lock: Any) -> None:
    """Acquire a lock of the library ``filelock``, whatever becomes of that.

    Args:
        lock: The lock.

    Raises:
        TimeoutError: Somebody else has it.
        OSError: It cannot be taken, also where the file system has no locks: of that, earlier
            versions of the library raise another kind of error.
    """
    try:
        lock.acquire()
    except NotImplementedError:
        raise OSError(errno.ENOSYS, "the file system has no locks") from None


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries to the disk, where the platform can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some file systems, such as those of networks, sync no folders.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
