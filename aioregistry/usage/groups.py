"""What rows count: repositories, tags, ages, platforms, and the largest layers: pure."""

import heapq
from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from attrs import define

from aioregistry.usage.blobs import BlobSizes
from aioregistry.usage.columns import SHARED, Columns, Needs
from aioregistry.usage.model import By, UsageRow, UsageRows
from aioregistry.usage.owners import Kinds, Masks, SoleOwners

__all__ = ["AGES", "Counts", "Layers", "Rows", "row_of"]

_DAY = 86_400.0
_RECENT = 30 * _DAY
_AGES = (
    (1.0, "up to a day"),
    (7.0, "1 to 7 days"),
    (30.0, "7 to 30 days"),
    (90.0, "30 to 90 days"),
    (365.0, "90 to 365 days"),
    (float("inf"), "over a year"),
)
_UNKNOWN_AGE = "unknown age"
AGES: Sequence[str] = (*(name for _, name in _AGES), _UNKNOWN_AGE)
_NO_PLATFORM = "not in an index"
_OTHER_PLATFORMS = "other platforms"
_NO_SIZE = 0
_ENCODING = ("utf-8", "surrogatepass")


@define
class Counts:
    """The counts of a row; times are in seconds since 1970."""

    tags: int = 0
    manifests: int = 0
    untagged: int = 0
    oldest: float = float("inf")
    newest: float = float("-inf")
    recent: int = 0

    def add(self, tags: int, *, untagged: bool, pushed: float, now: float) -> None:
        """Count a manifest, its tags, and the time of its push, which may be no number."""
        self.tags += tags
        self.manifests += 1
        self.untagged += untagged
        self.oldest = min(self.oldest, pushed)
        self.newest = max(self.newest, pushed)
        self.recent += now - pushed <= _RECENT


def row_of(name: str, counts: Counts, **sizes: int | None) -> UsageRow:
    """Return a row."""
    return UsageRow(
        name=name,
        tags=counts.tags,
        manifests=counts.manifests,
        untagged=counts.untagged,
        oldest=_time(counts.oldest),
        newest=_time(counts.newest),
        recent_pushes=counts.recent,
        **sizes,  # type: ignore[arg-type]
    )


def _time(seconds: float) -> datetime | None:
    return (
        None if seconds in {float("inf"), float("-inf")} else datetime.fromtimestamp(seconds, UTC)
    )


class _Names:
    """Names by number, in a fifth of the memory that a list of texts takes."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._ends = array("Q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        return self._text[self._ends[number] : self._ends[number + 1]].decode(*_ENCODING)

    def append(self, name: str) -> None:
        self._text += name.encode(*_ENCODING)
        self._ends.append(len(self._text))


class Rows:
    """Rows of repositories, tags, ages or platforms.

    Args:
        by: Which of them.
        sizes: The blobs of the registry.
        kinds: Which kinds of manifests have each.
        now: Seconds since 1970.
    """

    def __init__(self, by: By, sizes: BlobSizes, kinds: Kinds, now: float) -> None:
        self._by = by
        self._sizes = sizes
        self._kinds = kinds
        self._now = now
        self._names = _Names()
        self._known: dict[str, int] = {}
        self._counts: dict[int, Counts] = {}
        # Of tags, which have one manifest each: numbers of repositories, and times.
        self._places = array("I")
        self._repositories: list[str] = []
        self._times = array("d")
        self._manifests = array("I")
        in_turn = by in {By.REPOSITORY, By.TAG}
        self._owners: SoleOwners | Masks = SoleOwners(sizes) if in_turn else Masks(sizes)

    def note(self, repository: str, columns: Columns, needs: Needs) -> None:
        """Count the manifests of a repository."""
        if self._by is By.TAG:
            self._note_tags(repository, columns, needs)
            return
        for node in range(len(columns)):
            row = self._row(self._name(repository, columns, needs, node))
            counts = self._counts.setdefault(row, Counts())
            counts.add(
                len(columns.tags(node)),
                untagged=not needs.labels[node],
                pushed=columns.pushed[node],
                now=self._now,
            )
            self._owners.note(needs.blobs(columns, node), row)

    def _name(self, repository: str, columns: Columns, needs: Needs, node: int) -> str:
        if self._by is By.REPOSITORY:
            return repository
        if self._by is By.PLATFORM:
            return needs.platforms.get(node, _NO_PLATFORM)
        days = (self._now - columns.pushed[node]) / _DAY
        return next((name for most, name in _AGES if days <= most), _UNKNOWN_AGE)

    def _row(self, name: str) -> int:
        row = self._known.get(name)
        if row is None:
            if isinstance(self._owners, Masks) and len(self._names) >= Masks.MAX_OWNERS - 1:
                name = _OTHER_PLATFORMS
                if name in self._known:
                    return self._known[name]
            row = self._known[name] = len(self._names)
            self._names.append(name)
        return row

    def _note_tags(self, repository: str, columns: Columns, needs: Needs) -> None:
        place = len(self._repositories)
        self._repositories.append(repository)
        for node in range(len(columns)):
            if needs.labels[node] <= SHARED:
                # No tag's alone.
                self._owners.note(needs.blobs(columns, node), None)
            tags = columns.tags(node)
            if not tags:
                continue
            reached = needs.reached(node)
            numbers = {number for each in reached for number in columns.blobs(each)}
            for tag in tags:
                self._owners.note(numbers, len(self._names))
                self._names.append(tag)
                self._places.append(place)
                self._times.append(columns.pushed[node])
                self._manifests.append(len(reached))

    def largest(self, most: int, matches: Callable[[str], bool]) -> UsageRows:
        """Return the rows of the largest exclusive bytes, of those whose name is wanted.

        Args:
            most: How many rows are returned.
            matches: Returns whether a row of this name is wanted.
        """
        sizes, unknown = self._owners.bytes()
        exclusive, untagged, referrers = self._exclusive()
        has_kinds = self._by is not By.TAG
        # Numbers: of a million rows, all but some are never made.
        wanted = array("I", (row for row in range(len(self._names)) if matches(self._called(row))))
        kept = heapq.nlargest(
            most, wanted, key=lambda row: (exclusive[row], sizes[row], self._called(row))
        )
        rows = tuple(
            row_of(
                self._called(row),
                self._counts[row] if has_kinds else self._counts_of_tag(row),
                bytes=sizes[row],
                exclusive_bytes=exclusive[row],
                untagged_bytes=untagged[row] if has_kinds else None,
                referrer_bytes=referrers[row] if has_kinds else None,
                at_least=row in unknown,
            )
            for row in kept
        )
        return UsageRows(rows, len(wanted) - len(rows))

    def _called(self, row: int) -> str:
        short = self._names[row]
        if self._by is not By.TAG:
            return short
        return f"{self._repositories[self._places[row]]}:{short}"

    def _counts_of_tag(self, row: int) -> Counts:
        counts = Counts(tags=1, manifests=self._manifests[row])
        pushed = self._times[row]
        counts.oldest, counts.newest = min(counts.oldest, pushed), max(counts.newest, pushed)
        counts.recent = int(self._now - pushed <= _RECENT)
        return counts

    def _exclusive(self) -> "tuple[array[int], array[int], array[int]]":
        exclusive = array("q", bytes(8 * len(self._names)))
        untagged, referrers = array("q", exclusive), array("q", exclusive)
        masks, owner_of, size_of = self._kinds.masks, self._owners.owner_of, self._sizes.size_of
        for number, kinds in enumerate(masks):
            owner = owner_of(number)
            if owner is None:
                continue
            size = size_of(number) or _NO_SIZE
            exclusive[owner] += size
            if kinds == Kinds.UNTAGGED:
                untagged[owner] += size
            elif kinds == Kinds.REFERRER:
                referrers[owner] += size
        return exclusive, untagged, referrers


class Layers:
    """The largest blobs, and how many manifests have them.

    Args:
        most: How many are wanted.
        sizes: The blobs of the registry.
        matches: Returns whether a blob of this digest is wanted.
    """

    def __init__(self, most: int, sizes: BlobSizes, matches: Callable[[str], bool]) -> None:
        self._most = most
        self._sizes = sizes
        self._matches = matches
        self._manifests = array("I")
        # Sizes and digests, the smallest of them first; the blobs that are in it, by number.
        self._largest: list[tuple[int, str]] = []
        self._digests: dict[int, str] = {}

    def see(self, digest: str, size: int | None) -> None:
        """Look at a blob of a manifest, which may be one of the largest."""
        if not size or size < 0:
            return
        largest = self._largest
        if len(largest) >= self._most and (size, digest) <= largest[0]:
            return
        number = self._sizes.number_of(digest)
        if number in self._digests or not self._matches(digest):
            return
        self._digests[number] = digest
        heapq.heappush(largest, (size, digest))
        if len(largest) > self._most:
            _, dropped = heapq.heappop(largest)
            del self._digests[self._sizes.number_of(dropped)]

    def note(self, columns: Columns) -> None:
        """Count the manifests of a repository."""
        manifests = self._manifests
        manifests.extend(array("I", bytes(4 * (len(self._sizes) - len(manifests)))))
        for node in range(len(columns)):
            for number in columns.blobs(node):
                manifests[number] += 1

    def largest(self) -> UsageRows:
        """Return the rows, the largest first."""
        rows = []
        for number, digest in self._digests.items():
            size = self._sizes.size_of(number) or _NO_SIZE
            count = self._manifests[number]
            alone = size if count == 1 else 0
            row = UsageRow(name=digest, manifests=count, bytes=size, exclusive_bytes=alone)
            rows.append(row)
        return UsageRows(tuple(sorted(rows, key=lambda row: (row.bytes, row.name), reverse=True)))
