"""Models as what other libraries take: plain values, and schemas of pydantic."""

from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec
from attrs import Attribute, fields, has

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["Document", "json_default", "kind_in_words"]


class Document:
    """What models and reports have in common: `to_dict`, and a schema for pydantic and FastAPI."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values: times are text in ISO 8601, tuples are lists.

        Example:
            ```python
            async for tag in repo.tags():
                print(tag.to_dict())
            ```
        """
        return {name: _plain(value) for name, value in self._values().items()}

    @classmethod
    def __get_pydantic_core_schema__(
        cls,
        source: Any,
        handler: "GetCoreSchemaHandler",
    ) -> "CoreSchema":
        """Return the schema by which pydantic validates, serializes and describes the model."""
        from pydantic_core import core_schema  # noqa: PLC0415, only pydantic calls this

        kinds = get_type_hints(cls, include_extras=True)
        read, written = [], {}
        for field in _fields(cls):
            kind = handler.generate_schema(kinds[field.name])
            default = core_schema.with_default_schema(kind, default=field.default)
            read.append(core_schema.dataclass_field(field.name, default))
            written[field.name] = core_schema.typed_dict_field(kind)
        return core_schema.dataclass_schema(
            cls,
            core_schema.dataclass_args_schema(cls.__name__, read),
            [*written],
            slots=True,
            frozen=True,
            ref=f"{cls.__module__}.{cls.__qualname__}",
            serialization=core_schema.plain_serializer_function_ser_schema(
                cls._values,
                return_schema=core_schema.typed_dict_schema(
                    written, config={"title": cls.__name__}
                ),
            ),
        )

    def _values(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in _fields(type(self))}


def _fields(model: Any) -> tuple["Attribute[Any]", ...]:
    return tuple(fields(model))


def _plain(value: object) -> Any:
    if isinstance(value, Document):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if has(type(value)):
        # A part of a report.
        return {field.name: _plain(getattr(value, field.name)) for field in _fields(type(value))}
    return msgspec.to_builtins(value)


def json_default(value: object) -> Any:
    """Return a model as JSON values: the ``default`` of `json.dumps` and ``orjson.dumps``.

    Example:
        ```python
        import json

        from aioregistry import json_default

        print(json.dumps(await client.get_registry(), default=json_default))
        ```

    Args:
        value: A model, a report or an outcome of this package; or what both libraries refuse and
            msgspec has a form for, such as a set.

    Raises:
        TypeError: It is something else; credentials are refused, too: name their fields.
    """
    to_dict = getattr(value, "to_dict", None)
    if to_dict is not None:
        return to_dict()
    if has(type(value)):
        raise TypeError(f"{type(value).__name__} has no form in JSON here")
    return msgspec.to_builtins(value)


def kind_in_words(value: object) -> str:
    """Return what kind a value decoded from JSON is of, for errors: ``null``, ``a list``."""
    return "null" if value is None else f"a {type(value).__name__}"
