"""What others are told in a form of their own: JSON whose texts are filled in. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from aioregistry.cli.errors import UsageError

__all__ = ["fill_template", "parse_template"]

_PLACE = re.compile(r"\{(text|command|exit_code|problem)\}")
# Some chats refuse messages of more than 2,000.
_MAX_CHARACTERS = 1900


def parse_template(text: str) -> Any:
    """Return a template.

    Raises:
        UsageError: It is not JSON, or has no place for what is told.
    """
    try:
        template = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--notify-template: not JSON: {error}") from None
    if not _PLACE.search(text):
        raise UsageError("--notify-template: no {text} in it, which is what people are told")
    return template


def fill_template(template: Any, document: Mapping[str, Any]) -> Any:
    """Return a template with what is told in its places: what is filled in stays a text of JSON.

    Args:
        template: The template.
        document: What is told; of it ``text``, ``command``, ``exit_code`` and ``problem``.
    """
    match template:
        case str():
            return _PLACE.sub(lambda found: _shown(document[found[1]]), template)
        case dict():
            return {key: fill_template(value, document) for key, value in template.items()}
        case list():
            return [fill_template(value, document) for value in template]
    return template


def _shown(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 1]}…"
