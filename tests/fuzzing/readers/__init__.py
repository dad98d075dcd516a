"""Every reader of what comes from outside, and what must hold of what it understood."""

from tests.fuzzing.readers import api, cleanup, images, local
from tests.fuzzing.readers.reader import Reader

__all__ = ["READERS", "Reader"]

_ALL = (*api.READERS, *cleanup.READERS, *images.READERS, *local.READERS)
READERS = {reader.name: reader for reader in _ALL}
