"""What a model must hold after an answer was decoded, said in the answer's own words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any


def decoded(example: Any) -> Any:
    """An example with its times as datetimes and its one misspelt field put right."""
    match example:
        case dict():
            spelt = {"compressed_size_byte": "compressed_size_bytes"}
            return {
                spelt.get(key, key): (
                    datetime.fromisoformat(value) if key.endswith("_at") else decoded(value)
                )
                for key, value in example.items()
            }
        case list():
            return [decoded(item) for item in example]
        case _:
            return example


def assert_holds(value: Any, expected: Any, where: str = "answer") -> None:
    """Compare attribute by attribute; a model may have more than is expected, never less."""
    match expected:
        case dict():
            for name, part in expected.items():
                assert_holds(getattr(value, name), part, f"{where}.{name}")
        case list():
            assert isinstance(value, Sequence), where
            assert len(value) == len(expected), where
            for number, (item, part) in enumerate(zip(value, expected, strict=True)):
                assert_holds(item, part, f"{where}[{number}]")
        case _:
            assert value == expected, where
            assert isinstance(value, type(expected)), where
            assert isinstance(value, bool) == isinstance(expected, bool), where
