"""The rows and the sentences of ``aioregistry usage``: pure."""

from collections.abc import Iterator
from datetime import datetime

from attrs import frozen

from aioregistry.api.models import Registry
from aioregistry.cli.display.rows import Column
from aioregistry.cli.display.text import counted, size_in_words
from aioregistry.usage.difference import difference
from aioregistry.usage.model import RegistryUsage, UsageRow

__all__ = ["Shown", "columns_by", "rows_of", "sentences"]


@frozen
class Shown:
    """A row, with the registry that it is of.

    Attributes:
        row: The row.
        registry: The registry's name.
        at: When it was counted.
        reported: What the API says of the registry; None where it says nothing.
    """

    row: UsageRow
    registry: str
    at: datetime
    reported: Registry | None = None

    @property
    def pushes(self) -> str | None:
        """The pushes a day."""
        found = self.row.pushes_a_day(self.at)
        return None if found is None else f"{found:.1f}"


_SHOWN = {
    "registry": "name tags manifests untagged bytes reported newest",
    "repository": "name tags untagged bytes exclusive shared newest",
    "tag": "name bytes exclusive shared newest",
    "age": "name tags manifests untagged bytes exclusive",
    "platform": "name manifests bytes exclusive shared",
    "layer": "name manifests bytes",
}


def columns_by(by: str, *, several: bool = False) -> list[Column[Shown]]:
    """Return the columns of rows.

    Args:
        by: What the rows are.
        several: Whether rows are of several registries.
    """
    shown = [*_SHOWN[by].split(), *(["registry"] if several and by != "registry" else [])]
    is_layer = by == "layer"

    def column(name: str, value: object, kind: str = "text", width: int = 0) -> Column[Shown]:
        return Column(name, value, kind, width, name in shown)  # type: ignore[arg-type]

    return [
        column("name", lambda each: each.row.name, "digest" if is_layer else "text", 30),
        column("tags", lambda each: each.row.tags, "count", 9),
        column("manifests", lambda each: each.row.manifests, "count", 9),
        column("untagged", lambda each: each.row.untagged, "count", 9),
        column("bytes", lambda each: each.row.bytes, "bytes", 15),
        column("exclusive", lambda each: each.row.exclusive_bytes, "bytes", 15),
        column("shared", lambda each: each.row.shared_bytes, "bytes", 15),
        column("untagged_bytes", lambda each: each.row.untagged_bytes, "bytes", 15),
        column("referrer_bytes", lambda each: each.row.referrer_bytes, "bytes", 15),
        column("sizes", lambda each: "at least" if each.row.at_least else "exact", width=8),
        column("pushes_a_day", lambda each: each.pushes, width=12),
        column("oldest", lambda each: each.row.oldest, "time", 25),
        column("newest", lambda each: each.row.newest, "time", 25),
        column("registry", lambda each: each.registry, width=20),
        column("reported", lambda each: _reported(each).storage_usage_bytes, "bytes", 15),
        column("measured", lambda each: _reported(each).storage_usage_bytes_updated_at, "time", 25),
    ]


def _reported(each: Shown) -> Registry:
    return each.reported or Registry()


def rows_of(usage: RegistryUsage, reported: Registry | None, by: str) -> list[Shown]:
    """Return the rows of a registry."""
    rows = (usage.total,) if by == "registry" else usage.rows
    return [Shown(row, usage.registry, usage.at, reported) for row in rows]


def sentences(usage: RegistryUsage, reported: Registry | None, *, read: bool) -> Iterator[str]:
    """Yield what is said of a registry besides its rows.

    Args:
        usage: What was counted.
        reported: What the API says of the registry.
        read: Whether indexes were read.
    """
    total, name = usage.total, usage.registry
    least = "at least " if total.at_least else ""
    yield (
        f"{name}: {least}{size_in_words(total.bytes)} in {counted(total.tags, 'tag')} and"
        f" {counted(total.manifests, 'manifest')}, each blob counted once; the sizes of all"
        f" manifests sum up to {size_in_words(usage.image_bytes)}, as shared layers count in each"
    )
    if total.untagged:
        what = "no tag needs" if read else "have no tag"
        yield (
            f"{name}: {counted(total.untagged, 'manifest')} that {what}; to delete them would free"
            f" {least}{size_in_words(total.untagged_bytes or 0)}"
        )
    if total.referrer_bytes:
        yield (
            f"{name}: signatures, attestations and SBOMs alone take"
            f" {least}{size_in_words(total.referrer_bytes)}"
        )
    if reported is not None and reported.storage_usage_bytes is not None:
        yield f"{name}: {difference(total, reported.storage_usage_bytes, reported)}"
    if usage.left_out:
        yield f"{name}: {counted(usage.left_out, 'further row')}; to print more: --top"
    if usage.unread:
        yield (
            f"{name}: {counted(usage.unread, 'manifest')} could not be read: what only they need"
            " counts as untagged"
        )
    if not usage.complete:
        yield f"{name}: the lists changed while they were read: the figures are near, not exact"
