"""Counting the bytes of a registry, one repository after the other: pure."""

from collections.abc import Callable, Mapping
from datetime import datetime

from attrs import frozen

from aioregistry.api.models import Manifest
from aioregistry.usage.blobs import BlobSizes
from aioregistry.usage.columns import Columns, Described, Needs
from aioregistry.usage.groups import Counts, Layers, Rows, row_of
from aioregistry.usage.model import By, RegistryUsage, UsageRow, UsageRows
from aioregistry.usage.owners import Kinds

__all__ = ["Tally"]

GROWTH_DAYS = 56
_DAY = 86_400
_ALL = 2**31


@frozen(eq=False)
class _Wanted:
    """What rows are wanted: by what, how many, of which names."""

    by: By
    top: int
    matches: Callable[[str], bool] = lambda _: True


class Tally:
    """Counts a registry. Its repositories come one after the other, each whole.

    Args:
        by: What the rows are.
        now: The time that ages count from.
        top: How many rows are kept; None keeps all.
        matches: Returns whether a row of this name is wanted.
        also: What else is counted by, and how many rows of each are kept, of whatever name.
    """

    def __init__(
        self,
        by: By,
        now: datetime,
        top: int | None = None,
        matches: Callable[[str], bool] = lambda _: True,
        also: Mapping[By, int | None] | None = None,
    ) -> None:
        self._at = now
        self._now = now.timestamp()
        self._sizes = BlobSizes()
        self._kinds = Kinds(self._sizes)
        self._counts = Counts()
        self._wanted = _Wanted(by, _ALL if top is None else top, matches)
        self._also = [
            _Wanted(each, _ALL if most is None else most) for each, most in (also or {}).items()
        ]
        every = [self._wanted, *self._also]
        self._rows = {
            each.by: Rows(each.by, self._sizes, self._kinds, self._now)
            for each in every
            if each.by is not By.LAYER
        }
        # A layer is forgotten as soon as larger ones are known: each wish has its own.
        self._layers = {
            each: Layers(each.top, self._sizes, each.matches)
            for each in every
            if each.by is By.LAYER
        }
        self._image_bytes = 0
        self._columns = Columns(self._sizes)

    def add(self, manifest: Manifest) -> None:
        """Take in a manifest of the current repository."""
        self._columns.add(manifest)
        for layers in self._layers.values():
            for blob in manifest.blobs:
                if blob.digest != manifest.digest:
                    layers.see(blob.digest, blob.compressed_size_bytes)

    def naming(self) -> dict[int, str]:
        """Return the manifests of the repository that may be indexes or artifacts, by number."""
        return self._columns.naming

    def unneeded(self, described: Mapping[int, Described]) -> dict[int, str]:
        """Return the manifests without a tag that no index names: each may be a referrer.

        Args:
            described: What the indexes say.
        """
        without = self._columns.without_tags
        named = {digest for one in described.values() for digest, _ in one.children}
        return {
            node: digest
            for node, digest in without.items()
            if digest not in named and node not in described
        }

    def end(self, repository: str, described: Mapping[int, Described]) -> None:
        """End a repository.

        Args:
            repository: Its name.
            described: What the documents of its manifests say, by their numbers.
        """
        columns = self._columns
        for node, one in described.items():
            self._sizes.numbers_of([self._digest_of(node)], [one.size])
        needs = Needs.of(columns, described, self._sizes)
        for node in range(len(columns)):
            pushed, label = columns.pushed[node], needs.labels[node]
            kind = Kinds.REFERRER if node in needs.referrers else Kinds.IMAGE
            self._kinds.note(
                needs.blobs(columns, node),
                kind if label else Kinds.UNTAGGED,
                int(pushed // _DAY) if pushed == pushed else None,  # noqa: PLR0124  (no number)
            )
            tags = len(columns.tags(node))
            self._counts.add(tags, untagged=not label, pushed=pushed, now=self._now)
        for rows in self._rows.values():
            rows.note(repository, columns, needs)
        for layers in self._layers.values():
            layers.note(columns)
        self._image_bytes += columns.sized_bytes
        self._columns = Columns(self._sizes)

    def _digest_of(self, node: int) -> str:
        known = self._columns.naming.get(node)
        return self._columns.without_tags[node] if known is None else known

    def usage(self, registry: str, *, unread: int, complete: bool) -> RegistryUsage:
        """Return what was counted.

        Args:
            registry: The registry's name.
            unread: How many manifests could not be read.
            complete: Whether all of the lists was shown to be read.
        """
        largest = self._largest(self._wanted)
        return RegistryUsage(
            registry=registry,
            by=self._wanted.by,
            at=self._at,
            total=self._total(registry),
            rows=largest.rows,
            left_out=largest.left_out,
            groups={each.by: self._largest(each) for each in self._also},
            image_bytes=self._image_bytes,
            grown=self._kinds.grown(int(self._now // _DAY), GROWTH_DAYS),
            pushed=self._kinds.pushed(),
            unread=unread,
            complete=complete,
        )

    def _largest(self, wanted: "_Wanted") -> UsageRows:
        if wanted.by is By.LAYER:
            return self._layers[wanted].largest()
        return self._rows[wanted.by].largest(wanted.top, wanted.matches)

    def _total(self, registry: str) -> UsageRow:
        by_kind = dict.fromkeys(range(8), 0)
        unknown = False
        for number, kinds in enumerate(self._kinds.masks):
            size = self._sizes.size_of(number)
            unknown |= size is None and kinds > 0
            by_kind[kinds] += size or 0
        total = sum(by_kind.values())
        return row_of(
            registry,
            self._counts,
            bytes=total,
            exclusive_bytes=total,
            untagged_bytes=by_kind[Kinds.UNTAGGED],
            referrer_bytes=by_kind[Kinds.REFERRER],
            at_least=unknown,
        )
