"""Bytes to models, strictly: cattrs is the converter, msgspec its fast way for what is common.

msgspec fills the attrs classes straight from the bytes, and refuses what it does not expect. What
it refuses, or cannot know (Go's zero time, other spellings of a field), goes to the converter,
which takes null for absent and refuses wrong types. So both agree on all that both accept, and a
wrong type is an error in either.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast, get_args

import msgspec
from attrs import define, fields, has

from aioregistry.api.documents import kind_in_words
from aioregistry.api.models import OTHER_SPELLINGS

__all__ = [
    "DecodeError",
    "ObjectDecoder",
    "PageDecoder",
    "RawPage",
    "decode_beside",
    "decode_error",
    "json_object",
]

T = TypeVar("T")

_ZERO_TIME = b'"0001-01-01'


class DecodeError(ValueError):
    """A body that is not what the API promises; the text says what and where."""


@define
class RawPage(Generic[T]):
    """A page as the server gave it; `next_link` and `last_link` are never called.

    Nobody changes one; to freeze it would double its cost.
    """

    items: tuple[T, ...]
    total: int | None
    next_link: str | None
    last_link: str | None


class _Meta(msgspec.Struct, gc=False):
    total: int | None = None


class _Pages(msgspec.Struct, gc=False):
    next: str | None = None
    last: str | None = None


class _Links(msgspec.Struct, gc=False):
    pages: _Pages | None = None


class ObjectDecoder(Generic[T]):
    """Decodes an answer that holds one object under a key."""

    def __init__(self, key: str, model: type[T]) -> None:
        self._key = key
        self._model = model
        self._fast = msgspec.json.Decoder(msgspec.defstruct("Body", [(key, model)]))
        self._traps = _traps_for(model)

    def decode(self, body: bytes) -> T:
        """Return the object.

        Raises:
            DecodeError: The body is not JSON, lacks the key, or holds a wrong type.
        """
        if _plain(body, self._traps):
            try:
                return cast("T", getattr(self._fast.decode(body), self._key))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
        value = json_object(body).get(self._key)
        if value is None:
            raise DecodeError(f"no {self._key!r} in the answer")
        return _structure(value, self._model)


class PageDecoder(Generic[T]):
    """Decodes the pages of a list, whose items stand under a key.

    Args:
        key: The key.
        model: What an item is.
        lean: A class of msgspec's with the attributes of `model`, for items that are read by the
            million: those of the usual kind are of that class. None, the default, for `model`.
        is_usual: Returns whether items of `lean` are of the usual kind, where that class refuses
            other spellings by itself: no body is searched for these then. None, the default, for a
            search.
    """

    def __init__(
        self,
        key: str,
        model: type[T],
        lean: type[Any] | None = None,
        is_usual: Callable[[Sequence[Any]], bool] | None = None,
    ) -> None:
        self._key = key
        self._items = tuple[model, ...]  # type: ignore[valid-type]
        usual = self._items if lean is None else tuple[lean, ...]  # type: ignore[valid-type]
        envelope = msgspec.defstruct(
            "Body",
            [(key, usual), ("meta", _Meta | None, None), ("links", _Links | None, None)],
            gc=False,
        )
        self._fast = msgspec.json.Decoder(envelope)
        self._traps = _traps_for(model) if is_usual is None else ()
        self._is_usual = is_usual

    def decode(self, body: bytes) -> RawPage[T]:
        """Return the page.

        Raises:
            DecodeError: The body is not JSON, lacks the key, or holds a wrong type.
        """
        if _plain(body, self._traps):
            try:
                answer: Any = self._fast.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
            else:
                items = getattr(answer, self._key)
                if self._is_usual is None or self._is_usual(items):
                    return _raw_page(items, answer.meta, answer.links)
        raw = json_object(body)
        try:
            meta = msgspec.convert(raw.get("meta"), _Meta | None)
            links = msgspec.convert(raw.get("links"), _Links | None)
        except msgspec.ValidationError as error:
            raise DecodeError(str(error)) from None
        # Go leaves an empty list out or writes null; an answer with neither list nor total is
        # something else, and must not pass for an empty list.
        if self._key not in raw and (meta is None or meta.total != 0):
            raise DecodeError(f"no {self._key!r} in the answer")
        value = raw.get(self._key)
        items = () if value is None else _structure(value, self._items)
        return _raw_page(items, meta, links)


def _raw_page(items: tuple[T, ...], meta: _Meta | None, links: _Links | None) -> RawPage[T]:
    pages = links.pages if links is not None else None
    return RawPage(
        items,
        meta.total if meta is not None else None,
        (pages.next or None) if pages is not None else None,
        (pages.last or None) if pages is not None else None,
    )


def _traps_for(model: Any) -> tuple[bytes, ...]:
    """Return what msgspec would take for something else than it is, where such a model comes."""
    return (_ZERO_TIME, *(f'"{name}"'.encode() for name in sorted(_other_spellings(model))))


def _other_spellings(kind: Any) -> set[str]:
    parts = [field.type for field in fields(kind)] if has(kind) else get_args(kind)
    return set(OTHER_SPELLINGS.get(kind, ())).union(*map(_other_spellings, parts))


def _plain(body: bytes, traps: tuple[bytes, ...]) -> bool:
    for trap in traps:  # noqa: SIM110, any() would cost half as much again
        if trap in body:
            return False
    return True


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        DecodeError: It is none.
    """
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise DecodeError("JSON nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise DecodeError(f"expected a JSON object, got {kind_in_words(value)}")
    return value


def decode_beside(body: bytes, key: str, kind: type[T]) -> T | None:
    """Return the value that stands under a key beside the answer's object; None when absent.

    Raises:
        DecodeError: The body is not JSON, or the value is of a wrong type.
    """
    value = json_object(body).get(key)
    return None if value is None else _structure(value, kind)


def decode_error(body: bytes) -> tuple[str | None, str | None, str | None]:
    """Return id, message and request id of an error's body; None for what it does not say."""
    try:
        raw = json_object(body)
    except DecodeError:
        return None, None, None
    values = (raw.get(key) for key in ("id", "message", "request_id"))
    error_id, message, request_id = (v if isinstance(v, str) else None for v in values)
    return error_id, message, request_id


def _structure(value: object, model: type[T]) -> T:
    # What is common needs no converter, and to import it takes a tenth of the time of aiohttp.
    from aioregistry.api.conversion import structure  # noqa: PLC0415

    try:
        return structure(value, model)
    except ValueError as error:
        raise DecodeError(str(error)) from None
