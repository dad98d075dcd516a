"""What a reader is: it understands what it is given, or refuses it in the one documented way."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen


@frozen
class Reader:
    """A reader of what comes from outside.

    Attributes:
        name: What it is called, and the folder of its seeds.
        read: Reads bytes, and asserts what must hold of what it understood.
        refusals: The exact classes of the errors with which it may refuse.
        samples: Documents that it understands.
    """

    name: str
    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    samples: tuple[bytes, ...]

    @property
    def seeds(self) -> list[Path]:
        """Files with what it once read wrongly."""
        folder = Path(__file__).parents[1] / "seeds" / self.name
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def understands(self, document: bytes) -> bool:
        """Return whether it understands a document; any error but a refusal is raised."""
        try:
            self.read(document)
        except self.refusals as error:
            if type(error) not in self.refusals:
                raise
            return False
        return True


def text_of(document: bytes) -> str:
    """Return a document as a text, whatever it is."""
    try:
        return document.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return document.decode("latin-1")


def header_of(document: bytes) -> str:
    """Return a document as aiohttp gives a header's value."""
    return document.decode("utf-8", "surrogateescape")


@contextmanager
def file_of(document: bytes, ending: str = "") -> Iterator[Path]:
    """Give a file that holds a document, in a folder of its own."""
    # In memory where that can be: a journal is synced for each line.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        path = Path(folder) / f"document{ending}"
        path.write_bytes(document)
        yield path


def is_sound(text: str) -> bool:
    """Return whether a text can be written to a file or a terminal."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
