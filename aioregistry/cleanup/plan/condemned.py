"""The DELETEs of a repository in columns: a plan of a million items in little memory."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, chain, groupby, islice
from operator import attrgetter, eq
from typing import Literal, NamedTuple, Self, overload

from attrs import frozen

from aioregistry.api.models import Time
from aioregistry.cleanup.manifests.blobs import pack_digests
from aioregistry.cleanup.manifests.content import subject_of_tag

__all__ = ["Batch", "Condemned", "CondemnedItems", "Row", "in_columns", "time_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY, _SECOND = 86_400, 1_000_000
_FIRST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_PREFIX = "sha256:"
_DIGEST_BYTES = 32
_DIGITS = 2 * _DIGEST_BYTES
_ITEMS_AT_ONCE = 1000
# How a tag begins that names its subject.
_REFERRER = "sha"
# In place of None: no time and no size is so small.
_NONE = -(2**63)
# Most items share few reasons. Beyond so many, a reason stands beside its item.
_MAX_SHARED_REASONS = 4096
_OWN_REASON = 2**32 - 1
_TAG_END, _TAGS_END = "\n", "\0"
_NO_DIGEST = bytes(_DIGEST_BYTES)

Delete = Literal["manifest", "tag"]
# The attributes of a `Condemned`, in their order, with times in microseconds since 1970.
Row = tuple[Delete, str, Sequence[str], str, int | None, int | None, int | None]
# The attributes of a `Condemned` but for the first.
_Rest = tuple[str, tuple[str, ...], str, datetime | None, datetime | None, int | None]
_rest_of = attrgetter("digest", "tags", "reason", "pushed_at", "set_at", "size_bytes")


@frozen(kw_only=True)
class Condemned:
    """One DELETE of a plan.

    Attributes:
        delete: ``manifest``: the manifest goes, and all of its tags with it; ``tag``: one tag
            goes, its manifest stays.
        digest: The manifest, or the manifest that the tag is on.
        tags: All tags of the manifest, none for an untagged one; or the one tag.
        reason: Why, in words.
        pushed_at: When the manifest was pushed.
        set_at: When the last of the tags was set, or the manifest pushed if that was later; None
            where that is unknown.
        size_bytes: Its compressed size, of which other manifests may share a part.
    """

    delete: Literal["manifest", "tag"]
    digest: str
    tags: tuple[str, ...] = ()
    reason: str = ""
    pushed_at: Time | None = None
    set_at: Time | None = None
    size_bytes: int | None = None

    @property
    def name(self) -> str:
        """What the DELETE names: the digest, or the tag."""
        return self.digest if self.delete == "manifest" else self.tags[0]


class Batch(NamedTuple):
    """Some DELETEs of one kind, by the attributes of `Condemned`: each of all of them."""

    delete: Delete
    digests: Sequence[str]
    tags: Sequence[tuple[str, ...]]
    reasons: Sequence[str]
    pushed_at: Sequence[datetime | None]
    set_at: Sequence[datetime | None]
    sizes: Sequence[int | None]


class CondemnedItems(Sequence[Condemned]):
    """The DELETEs of a repository, in order: equal to a tuple of them, in a tenth of its memory.

    Each `Condemned` is made when it is asked for, and nobody keeps it.

    Attributes:
        manifests: How many are of whole manifests.
        tags: How many tags go with them all.
        image_tags: The same without those of signatures, attestations and SBOMs.
    """

    __slots__ = (
        "_digests",
        "_ends",
        "_kinds",
        "_odd",
        "_pushed",
        "_reasons",
        "_set",
        "_sizes",
        "_texts",
        "_words",
        "image_tags",
        "manifests",
        "tags",
    )

    def __init__(self, items: Iterable[Condemned] = ()) -> None:
        self.manifests: int = 0
        self.tags: int = 0
        self.image_tags: int = 0
        self._kinds = bytearray()
        self._digests = bytearray()
        self._pushed = array("q")
        self._set = array("q")
        self._sizes = array("q")
        # The tags of each item and the reasons of its own, as one text.
        self._texts = bytearray()
        self._ends = array("Q")
        self._reasons = array("I")
        self._words: list[str] = []
        # What does not fit in columns, such as a digest of SHA-512.
        self._odd: dict[int, Condemned] = {}
        self._extend(_batches_of(items))

    @classmethod
    def of_batches(cls, batches: Iterable[Batch]) -> Self:
        """Return items that were never made."""
        items = cls()
        items._extend(batches)
        return items

    def _extend(self, batches: Iterable[Batch]) -> None:
        numbers: dict[str, int] = {}
        for batch in batches:
            try:
                self._extend_quickly(batch, numbers)
            except (ValueError, TypeError, OverflowError):
                for rest in zip(*batch[1:], strict=True):
                    self._add(batch.delete, rest, numbers)

    def _extend_quickly(self, batch: Batch, numbers: dict[str, int]) -> None:
        """Add items that all fit in columns; for any others raise an error, and add none."""
        delete, digests, named, reasons, pushed_at, set_at, sizes = batch
        texts = list(map(_TAG_END.join, named))
        text, tags = "".join(texts), sum(map(len, named))
        if not text.isascii() or _TAGS_END in text:
            raise ValueError(text)
        if text.count(_TAG_END) != tags - len(named) + named.count(()):
            raise ValueError(text)
        if "" in texts and texts.count("") != named.count(()):
            raise ValueError(texts)
        packed = pack_digests(digests)
        pushed = _microseconds_of(pushed_at)
        was_set = [
            micros if one is other else _microseconds(other)
            for one, other, micros in zip(pushed_at, set_at, pushed, strict=True)
        ]
        if _NONE in sizes:
            raise ValueError(sizes)
        sized = array("q", [_NONE if size is None else size for size in sizes])
        new = [reason for reason in dict.fromkeys(reasons) if reason not in numbers]
        if len(self._words) + len(new) > _MAX_SHARED_REASONS:
            raise ValueError(new)
        for reason in new:
            numbers[reason] = len(self._words)
            self._words.append(reason)
        kinds = bytes([delete == "manifest"]) * len(named)
        self.manifests += sum(kinds)
        self.tags += tags
        self.image_tags += tags
        if _REFERRER in text:
            self.image_tags -= sum(map(_is_referrer, chain.from_iterable(named)))
        self._kinds += kinds
        self._digests += packed
        self._pushed.extend(pushed)
        self._set.extend(was_set)
        self._sizes.extend(sized)
        self._reasons.extend(map(numbers.__getitem__, reasons))
        ends = accumulate(map(len, texts), initial=len(self._texts))
        self._ends.extend(islice(ends, 1, None))
        self._texts += text.encode()

    def _add(self, delete: Delete, rest: _Rest, numbers: dict[str, int]) -> None:
        digest, tags, reason, pushed_at, set_at, size_bytes = rest
        is_manifest = delete == "manifest"
        self.manifests += is_manifest
        self.tags += len(tags)
        self.image_tags += len(tags) - sum(map(_is_referrer, tags))
        try:
            packed = pack_digests((digest,))
            pushed = _microseconds(pushed_at)
            was_set = pushed if set_at is pushed_at else _microseconds(set_at)
            text = _joined(tags)
            number = numbers.get(reason)
            if number is None:
                number = len(self._words)
                if number < _MAX_SHARED_REASONS:
                    numbers[reason] = number
                    self._words.append(reason)
                else:
                    number, text = _OWN_REASON, f"{text}{_TAGS_END}{reason}"
            written = text.encode()
            self._sizes.append(_size(size_bytes))
        except (ValueError, TypeError, OverflowError):
            self._odd[len(self._kinds)] = _condemned_of(delete, rest)
            packed, pushed, was_set, number, written = _NO_DIGEST, _NONE, _NONE, 0, b""
            self._sizes.append(_NONE)
        self._kinds.append(is_manifest)
        self._digests += packed
        self._pushed.append(pushed)
        self._set.append(was_set)
        self._reasons.append(number)
        self._texts += written
        self._ends.append(len(self._texts))

    def rows(self) -> Iterator[Row | Condemned]:
        """Yield each item in the columns' own terms, and as itself where it does not fit in them.

        A row has the attributes of `Condemned` in their order, times in microseconds since 1970.
        """
        for start in range(0, len(self), _ITEMS_AT_ONCE):
            yield from self._rows(start, min(start + _ITEMS_AT_ONCE, len(self)))

    def _rows(self, start: int, stop: int) -> Iterator[Row | Condemned]:
        words, odd = self._words, self._odd
        digits = self._digests[start * _DIGEST_BYTES : stop * _DIGEST_BYTES].hex()
        begin = self._ends[start - 1] if start else 0
        written = self._texts[begin : self._ends[stop - 1]]
        texts = written.decode() if written.isascii() else ""
        at = position = 0
        columns = zip(
            self._kinds[start:stop],
            self._pushed[start:stop],
            self._set[start:stop],
            self._sizes[start:stop],
            self._ends[start:stop],
            self._reasons[start:stop],
            strict=True,
        )
        for nth, (is_manifest, pushed, was_set, size, end, number) in enumerate(columns, start):
            before, at = at, end - begin
            digest_at, position = position, position + _DIGITS
            if nth in odd:
                yield odd[nth]
                continue
            text = texts[before:at] or written[before:at].decode()
            if number == _OWN_REASON:
                text, _, reason = text.partition(_TAGS_END)
            else:
                reason = words[number]
            yield (
                "manifest" if is_manifest else "tag",
                _PREFIX + digits[digest_at:position],
                text.split(_TAG_END) if text else (),
                reason,
                None if pushed == _NONE else pushed,
                None if was_set == _NONE else was_set,
                None if size == _NONE else size,
            )

    def digests_of_manifests(self) -> Iterator[str]:
        """Yield the digest of each whole manifest, without making the item."""
        for nth, is_manifest in enumerate(self._kinds):
            if is_manifest:
                yield self._odd[nth].digest if nth in self._odd else self._digest(nth)

    def _digest(self, nth: int) -> str:
        at = nth * _DIGEST_BYTES
        return _PREFIX + self._digests[at : at + _DIGEST_BYTES].hex()

    def _make(self, nth: int) -> Condemned:
        if nth in self._odd:
            return self._odd[nth]
        start = self._ends[nth - 1] if nth else 0
        text = self._texts[start : self._ends[nth]].decode()
        number = self._reasons[nth]
        if number == _OWN_REASON:
            text, _, reason = text.partition(_TAGS_END)
        else:
            reason = self._words[number]
        size = self._sizes[nth]
        pushed, was_set = self._pushed[nth], self._set[nth]
        return Condemned(
            delete="manifest" if self._kinds[nth] else "tag",
            digest=self._digest(nth),
            tags=tuple(text.split(_TAG_END)) if text else (),
            reason=reason,
            pushed_at=None if pushed == _NONE else time_of(pushed),
            set_at=None if was_set == _NONE else time_of(was_set),
            size_bytes=None if size == _NONE else size,
        )

    def __len__(self) -> int:
        return len(self._kinds)

    def __iter__(self) -> Iterator[Condemned]:
        return map(self._make, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Condemned: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Condemned, ...]: ...

    def __getitem__(self, index: int | slice) -> Condemned | tuple[Condemned, ...]:
        places = range(len(self))[index]
        return self._make(places) if isinstance(places, int) else tuple(map(self._make, places))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CondemnedItems | tuple):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


def in_columns(items: Iterable[Condemned]) -> CondemnedItems:
    """Return items in columns; those that are in columns already, as they are."""
    return items if isinstance(items, CondemnedItems) else CondemnedItems(items)


def _is_referrer(tag: str) -> bool:
    return tag[:3] == _REFERRER and subject_of_tag(tag) is not None


def _joined(tags: Sequence[str]) -> str:
    """Return tags as one text; raise `ValueError` for those that it cannot be split into."""
    text = _TAG_END.join(tags)
    if not tags:
        return ""
    if not text or text.count(_TAG_END) != len(tags) - 1 or _TAGS_END in text:
        raise ValueError(text)
    return text


def _size(size: int | None) -> int:
    if size == _NONE:
        raise ValueError(size)
    return _NONE if size is None else size


def _microseconds(time: datetime | None) -> int:
    if time is None:
        return _NONE
    if time.tzinfo is None:
        raise ValueError(time)
    past = (time - _EPOCH) // _MICROSECOND
    if not _FIRST <= past <= _LAST:
        # UTC has no year for it.
        raise ValueError(time)
    return past


def _microseconds_of(times: Sequence[datetime | None]) -> list[int]:
    """Return what `_microseconds` returns of each time."""
    if None in times:
        return [_microseconds(time) for time in times]
    past = [time - _EPOCH for time in times if time is not None]
    # A division of each would take as long again.
    found = [(one.days * _DAY + one.seconds) * _SECOND + one.microseconds for one in past]
    if found and not _FIRST <= min(found) <= max(found) <= _LAST:
        raise ValueError(times)
    return found


def time_of(microseconds: int) -> datetime:
    """Return the time that is so many microseconds after the beginning of 1970."""
    return _EPOCH + microseconds * _MICROSECOND


def _batches_of(items: Iterable[Condemned]) -> Iterator[Batch]:
    for delete, some in groupby(items, attrgetter("delete")):
        while rest := list(map(_rest_of, islice(some, _ITEMS_AT_ONCE))):
            yield Batch(delete, *zip(*rest, strict=True))


def _condemned_of(delete: Delete, rest: _Rest) -> Condemned:
    digest, tags, reason, pushed_at, set_at, size_bytes = rest
    return Condemned(
        delete=delete,
        digest=digest,
        tags=tags,
        reason=reason,
        pushed_at=pushed_at,
        set_at=set_at,
        size_bytes=size_bytes,
    )
