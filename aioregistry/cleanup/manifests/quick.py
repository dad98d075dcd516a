"""Reading a manifest of the usual kind without looking at each of its values: pure.

msgspec takes the last of two equal keys without a word. But every string is between two quotation
marks: a document with as many of them as the keys and texts that were read has no key twice.
"""

from collections.abc import Iterable, Sequence

import msgspec

__all__ = ["PlainImage", "QuickDocument", "read_plain_images", "read_quickly"]

_BRACES = {ord("{")}, {ord("}")}

_Texts = dict[str, str] | msgspec.UnsetType


class _Descriptor(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    digest: str
    size: int
    # The key and the text of what is there.
    mediaType: str | msgspec.UnsetType = msgspec.UNSET  # noqa: N815
    platform: _Texts = msgspec.UNSET
    annotations: _Texts = msgspec.UNSET

    @property
    def strings(self) -> int:
        """How many keys and texts it has."""
        count = 3 if self.mediaType is msgspec.UNSET else 5
        if self.platform is not msgspec.UNSET:
            count += 1 + 2 * len(self.platform)
        if self.annotations is not msgspec.UNSET:
            count += 1 + 2 * len(self.annotations)
        return count


class QuickDocument(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A manifest of an image, or an index, with nothing but the usual fields."""

    schemaVersion: int  # noqa: N815
    mediaType: str | msgspec.UnsetType = msgspec.UNSET  # noqa: N815
    config: _Descriptor | msgspec.UnsetType = msgspec.UNSET
    layers: list[_Descriptor] | msgspec.UnsetType = msgspec.UNSET
    manifests: list[_Descriptor] | msgspec.UnsetType = msgspec.UNSET
    subject: _Descriptor | msgspec.UnsetType = msgspec.UNSET
    artifactType: str | msgspec.UnsetType = msgspec.UNSET  # noqa: N815
    annotations: _Texts = msgspec.UNSET

    @property
    def needs_nothing(self) -> bool:
        """Whether it names no other manifest, if it is an image."""
        return self.manifests is msgspec.UNSET and self.subject is msgspec.UNSET

    @property
    def strings(self) -> int:
        """How many keys and texts it has."""
        count = 1
        for text in (self.mediaType, self.artifactType):
            if text is not msgspec.UNSET:
                count += 2
        for one in (self.config, self.subject):
            if one is not msgspec.UNSET:
                count += 1 + one.strings
        for some in (self.layers, self.manifests):
            if some is not msgspec.UNSET:
                count += 1 + _strings(some)
        if self.annotations is not msgspec.UNSET:
            count += 1 + 2 * len(self.annotations)
        return count


def _strings(descriptors: Iterable[_Descriptor]) -> int:
    return sum([one.strings for one in descriptors])


class _PlainDescriptor(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    mediaType: str  # noqa: N815
    size: int
    digest: str


class PlainImage(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An image as most are: each of its strings is counted without a look at it."""

    schemaVersion: int  # noqa: N815
    mediaType: str  # noqa: N815
    config: _PlainDescriptor
    layers: list[_PlainDescriptor]
    # As signatures and SBOMs have.
    artifactType: str | msgspec.UnsetType = msgspec.UNSET  # noqa: N815

    @property
    def needs_nothing(self) -> bool:
        """Whether it names no other manifest, if it is an image: True."""
        return True

    @property
    def strings(self) -> int:
        """How many keys and texts it has."""
        own = 10 if self.artifactType is msgspec.UNSET else 12
        return own + 5 * len(self.layers)


_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_PLAIN = msgspec.json.Decoder(PlainImage)
_ANY = msgspec.json.Decoder(QuickDocument)


def read_quickly(body: bytes) -> PlainImage | QuickDocument | None:
    """Return a document of the usual kind in which no key comes twice; None for any other."""
    # A backslash can stand for a quotation mark, or for any character of a key.
    if b"\\" in body:
        return None
    document: PlainImage | QuickDocument
    try:
        # To find out by an error what is no plain image takes as long as to read it.
        is_other = b'"manifests"' in body or b'"subject"' in body
        document = _ANY.decode(body) if is_other else _PLAIN.decode(body)
    except _ERRORS:
        try:
            document = _ANY.decode(body)
        except _ERRORS:
            return None
    return document if body.count(b'"') == 2 * document.strings else None


def read_plain_images(bodies: Sequence[bytes]) -> list[PlainImage] | None:
    """Return documents that are plain images without a key twice; None where one is anything else.

    They are read as lines. Nowhere within JSON is the end of a line between a brace that closes and
    one that opens: so each line has whole values, and as many values as lines are one in each. No
    document has fewer quotation marks than its strings have: as many in all are as many in each.
    """
    if not all(bodies) or ({body[0] for body in bodies}, {body[-1] for body in bodies}) != _BRACES:
        return None
    lines = b"\n".join(bodies)
    if b"\\" in lines:
        return None
    try:
        images = _PLAIN.decode_lines(lines)
    except _ERRORS:
        return None
    # As `PlainImage.strings`, for all at once.
    strings = 12 * len(images) + 5 * sum([len(one.layers) for one in images])
    strings -= 2 * [one.artifactType for one in images].count(msgspec.UNSET)
    if len(images) != len(bodies) or lines.count(b'"') != 2 * strings:
        return None
    return images
