"""Turns: of several processes that would change the same files, one at a time does."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

__all__ = ["one_at_a_time"]

_PATIENCE_SECONDS = 30
_OWNER_ONLY = 0o600


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Keep other processes from what is done here meanwhile, for 30 s at most.

    Where that cannot be, as on a disk that is read-only, all go on at once.

    Args:
        folder: Where the files are; it is made if it does not exist.
    """
    # Most calls of Docker's credential helper need none.
    from filelock import FileLock

    with ExitStack() as stack:
        with suppress(OSError, NotImplementedError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(folder / ".turn.lock", timeout=_PATIENCE_SECONDS, mode=_OWNER_ONLY)
            stack.enter_context(lock)
        yield
