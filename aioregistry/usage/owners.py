"""Whom each blob of a registry belongs to, in arrays: pure."""

from array import array
from collections.abc import Iterable
from datetime import date, timedelta

from aioregistry.usage.blobs import BlobSizes

__all__ = ["Kinds", "Masks", "SoleOwners"]

_EPOCH = date(1970, 1, 1)
_NOBODY, _SEVERAL = 0, 2**32 - 1


class Kinds:
    """Which kinds of manifests have each blob, and when it was first pushed.

    Args:
        sizes: The blobs of the registry.
    """

    IMAGE, UNTAGGED, REFERRER = 1, 2, 4
    _NEVER = 2**31 - 1

    def __init__(self, sizes: BlobSizes) -> None:
        self._sizes = sizes
        self.masks: bytearray = bytearray()
        # In days since 1970.
        self._first = array("i")

    def note(self, numbers: Iterable[int], kind: int, day: int | None) -> None:
        """Note a manifest with some blobs, and the day of its push."""
        masks, first = self.masks, self._first
        missing = len(self._sizes) - len(masks)
        if missing:
            masks.extend(bytes(missing))
            first.extend(array("i", [self._NEVER]) * missing)
        day = self._NEVER if day is None else day
        for number in numbers:
            masks[number] |= kind
            first[number] = min(first[number], day)

    def grown(self, today: int, days: int) -> tuple[int, ...]:
        """Return the bytes of the blobs first pushed on each of the last days, the oldest first."""
        found = [0] * days
        begin = today - days + 1
        for number, day in enumerate(self._first):
            if begin <= day <= today:
                found[day - begin] += self._sizes.size_of(number) or 0
        return tuple(found)

    def pushed(self) -> tuple[tuple[date | None, int], ...]:
        """Return the bytes of the blobs first pushed on each day, the oldest first, None last."""
        found: dict[int, int] = {}
        for number, day in enumerate(self._first):
            found[day] = found.get(day, 0) + (self._sizes.size_of(number) or 0)
        return tuple(
            (None if day == self._NEVER else _EPOCH + timedelta(days=day), found[day])
            for day in sorted(found)
            if found[day]
        )


class SoleOwners:
    """For each blob its only owner, of any number of owners that come one after the other.

    Args:
        sizes: The blobs of the registry.
    """

    def __init__(self, sizes: BlobSizes) -> None:
        self._sizes = sizes
        self._owners = array("I")
        self._latest = array("I")
        # By owner: the blobs it has. Those of unknown size are looked at again at the end.
        self._bytes = array("q")
        self._unsized = array("I")
        self._unsized_owners = array("I")

    def note(self, numbers: Iterable[int], owner: int | None) -> None:
        """Note who has some blobs; None means somebody who is not counted."""
        owners, latest, size_of = self._owners, self._latest, self._sizes.size_of
        missing = len(self._sizes) - len(owners)
        if missing:
            owners.extend(array("I", bytes(4 * missing)))
            latest.extend(array("I", bytes(4 * missing)))
        if owner is None:
            for number in numbers:
                owners[number] = _SEVERAL
            return
        key, total = owner + 1, 0
        if owner >= len(self._bytes):
            self._bytes.extend(array("q", bytes(8 * (owner + 1 - len(self._bytes)))))
        for number in numbers:
            if latest[number] == key:
                continue
            latest[number] = key
            owners[number] = key if owners[number] in {_NOBODY, key} else _SEVERAL
            size = size_of(number)
            if size is None:
                self._unsized.append(number)
                self._unsized_owners.append(owner)
            else:
                total += size
        self._bytes[owner] += total

    def owner_of(self, number: int) -> int | None:
        """Return the only owner of a blob; None for several, or none."""
        key = self._owners[number] if number < len(self._owners) else _NOBODY
        return None if key in {_NOBODY, _SEVERAL} else key - 1

    def bytes(self) -> "tuple[array[int], set[int]]":
        """Return the bytes of each owner's blobs, and the owners of blobs of unknown size."""
        found, unknown = self._bytes[:], set()
        for number, owner in zip(self._unsized, self._unsized_owners, strict=True):
            size = self._sizes.size_of(number)
            if size is None:
                unknown.add(owner)
            else:
                found[owner] += size
        return found, unknown


class Masks:
    """For each blob its owners, of at most 63 owners that come in any order.

    Args:
        sizes: The blobs of the registry.
    """

    MAX_OWNERS = 63

    def __init__(self, sizes: BlobSizes) -> None:
        self._sizes = sizes
        self._masks = array("Q")

    def note(self, numbers: Iterable[int], owner: int | None) -> None:
        """Note who has some blobs; None means somebody who is not counted."""
        masks = self._masks
        missing = len(self._sizes) - len(masks)
        if missing:
            masks.extend(array("Q", bytes(8 * missing)))
        bit = 1 << (self.MAX_OWNERS if owner is None else owner)
        for number in numbers:
            masks[number] |= bit

    def owner_of(self, number: int) -> int | None:
        """Return the only owner of a blob; None for several, or none."""
        mask = self._masks[number] if number < len(self._masks) else 0
        if not mask or mask & (mask - 1):
            return None
        owner = mask.bit_length() - 1
        return None if owner == self.MAX_OWNERS else owner

    def bytes(self) -> "tuple[array[int], set[int]]":
        """Return the bytes of each owner's blobs, and the owners of blobs of unknown size."""
        by_mask: dict[int, int] = {}
        unsized = 0
        for number, mask in enumerate(self._masks):
            size = self._sizes.size_of(number)
            if size is None:
                unsized |= mask
            else:
                by_mask[mask] = by_mask.get(mask, 0) + size
        found = array("q", bytes(8 * self.MAX_OWNERS))
        for mask, total in by_mask.items():
            for owner in range(self.MAX_OWNERS):
                if mask >> owner & 1:
                    found[owner] += total
        return found, {owner for owner in range(self.MAX_OWNERS) if unsized >> owner & 1}
