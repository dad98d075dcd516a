"""Every reader of what comes from outside, and what must hold of what it understood."""

from tests.fuzzing.readers import api, cleanup, local
from tests.fuzzing.readers.reader import Reader

__all__ = ["READERS", "Reader"]

READERS = {reader.name: reader for reader in (*api.READERS, *cleanup.READERS, *local.READERS)}
