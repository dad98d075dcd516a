"""Plain values to models, strictly, by cattrs: what msgspec refuses, or cannot know.

Null counts as absent, Go's zero time as no time, and another spelling of a field as the one that
is described. A wrong type is an error.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, get_origin

import msgspec
from attrs import has
from cattrs import ClassValidationError, Converter, transform_error
from cattrs.gen import make_dict_structure_fn

from aioregistry.api.documents import kind_in_words
from aioregistry.api.models import OTHER_SPELLINGS

__all__ = ["structure"]

T = TypeVar("T")


def structure(value: object, model: type[T]) -> T:
    """Return the model that a value decoded from JSON is.

    Raises:
        ValueError: It is none; the text says what and where.
    """
    try:
        return _converter.structure(value, model)
    except ClassValidationError as error:
        raise ValueError("; ".join(transform_error(error, format_exception=_explain))) from None
    except TypeError as error:
        raise ValueError(str(error)) from None


def _explain(error: BaseException, _: type | None) -> str:
    return str(error)


def _exactly(kind: type[T]) -> Callable[[object, object], T]:
    # type(), not isinstance(): True is an int to the latter.
    def structure(value: object, _: object) -> T:
        if type(value) is not kind:
            raise TypeError(f"expected a {kind.__name__}, got {kind_in_words(value)}")
        return value

    return structure


def _time(value: object, _: object) -> datetime | None:
    if type(value) is not str:
        raise TypeError(f"expected a time, got {kind_in_words(value)}")
    try:
        time = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        raise ValueError(f"not a time: {value[:40]!r}") from None
    if time.tzinfo is None:
        raise ValueError(f"a time without an offset: {value[:40]!r}")
    return None if time == _GO_ZERO_TIME else time


_GO_ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC)


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _tuple_of(kind: Any, converter: Converter) -> Callable[[object, object], tuple[Any, ...]]:
    item = kind.__args__[0]

    def structure(value: object, _: object) -> tuple[Any, ...]:
        if type(value) is not list:
            raise TypeError(f"expected a list, got {kind_in_words(value)}")
        return tuple(converter.structure(element, item) for element in value)

    return structure


def _model(model: type[Any], converter: Converter) -> Callable[[object, object], Any]:
    fill = make_dict_structure_fn(model, converter)
    spellings = OTHER_SPELLINGS.get(model, {})

    def structure(value: object, _: object) -> Any:
        if type(value) is not dict:
            raise TypeError(f"expected an object, got {kind_in_words(value)}")
        given = {key: entry for key, entry in value.items() if entry is not None}
        for other, described in spellings.items():
            if other in given:
                given.setdefault(described, given[other])
        return fill(given, model)

    return structure


def _make_converter() -> Converter:
    converter = Converter()
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(datetime, _time)
    converter.register_structure_hook_factory(_is_tuple, _tuple_of)
    converter.register_structure_hook_factory(has, _model)
    return converter


_converter = _make_converter()
