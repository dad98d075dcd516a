"""Figures over time: a line of JSON for each record, in the registry's state folder."""

import json
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from attrs import asdict, frozen

from aioregistry.api.documents import Document
from aioregistry.cleanup.state_folder import StateFolder
from aioregistry.files import open_to_append, write_all

__all__ = ["RESULTS", "UsageRecord", "read_records", "record_usage"]

RESULTS: Sequence[str] = ("deleted", "absent", "drift", "failed", "unknown", "not_attempted")
"""What becomes of the items of a plan."""


@frozen(kw_only=True)
class UsageRecord(Document):
    """The figures of a registry at one time; None where nobody counted.

    Attributes:
        at: When they were recorded.
        cause: ``usage`` or ``cleanup``: what recorded them.
        stored_bytes: What the API reports as stored.
        bytes: The bytes of all blobs that a manifest has, each counted once.
        untagged_bytes: What of these only manifests have that no tag needs.
        tags: How many tags there are.
        manifests: How many manifests there are.
        deleted: How many DELETEs the clean-up sent with success.
        absent: How many items no longer existed.
        drift: How many it kept, as they had changed.
        failed: How many DELETEs failed.
        unknown: How many may have taken effect.
        not_attempted: How many DELETEs it did not send.
        seconds: How long counting, or deleting, took.
        freed_bytes: The bytes that a garbage collection frees after it, as its plan estimates.
        plan: What sets the clean-up's plan apart. Of a plan that was resumed, each record has all
            that became of its items until then.
    """

    at: datetime
    cause: str
    stored_bytes: int | None = None
    bytes: int | None = None
    untagged_bytes: int | None = None
    tags: int | None = None
    manifests: int | None = None
    deleted: int | None = None
    absent: int | None = None
    drift: int | None = None
    failed: int | None = None
    unknown: int | None = None
    not_attempted: int | None = None
    seconds: int | None = None
    freed_bytes: int | None = None
    plan: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether nothing was left to do."""
        return not (self.failed or self.unknown or self.not_attempted)

    def results(self) -> dict[str, int]:
        """Return how many items of a plan ended how, as far as that was recorded."""
        found = {result: getattr(self, result) for result in RESULTS}
        return {result: count for result, count in found.items() if count is not None}


def record_usage(folder: StateFolder, record: UsageRecord) -> None:
    """Add a record to those of a registry.

    Args:
        folder: The registry's folder in the state directory.
        record: The figures.

    Raises:
        OSError: It cannot be written.
    """
    found = {key: value for key, value in asdict(record).items() if value is not None}
    found["at"] = record.at.astimezone(UTC).isoformat(timespec="seconds")
    folder.make()
    # In one write: a line of a process that ends, or runs beside this one, is whole or absent.
    # What a crash may have cut off before ends with the line break.
    line = f"{json.dumps(found)}\n".encode()
    descriptor = open_to_append(folder.usage)
    try:
        if os.lseek(descriptor, 0, os.SEEK_END):
            # Windows reads at no place without going there; what is written is appended anyway.
            os.lseek(descriptor, -1, os.SEEK_END)
            if os.read(descriptor, 1) != b"\n":
                line = b"\n" + line
        write_all(descriptor, line)
    finally:
        os.close(descriptor)


def read_records(folder: StateFolder) -> list[UsageRecord]:
    """Return the records of a registry, the oldest first; lines that are none are left out.

    Args:
        folder: The registry's folder in the state directory.

    Raises:
        OSError: They cannot be read.
    """
    try:
        lines = folder.usage.read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return sorted(_records(lines), key=lambda record: record.at)


def _records(lines: Iterable[str]) -> Iterable[UsageRecord]:
    for line in lines:
        try:
            found = json.loads(line)
            at = datetime.fromisoformat(found.pop("at"))
            cause = found.pop("cause")
            plan = found.pop("plan", None)
            numbers = {key: value for key, value in found.items() if type(value) is int}
            if at.tzinfo is not None and isinstance(cause, str):
                known = plan if isinstance(plan, str) else None
                yield UsageRecord(at=at, cause=cause, plan=known, **numbers)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            # A line that was cut off, or of a later version.
            continue
