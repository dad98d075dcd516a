"""What others are told in a form of their own: JSON whose texts are filled in. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aioregistry.cli.errors import UsageError

__all__ = ["fill_template", "parse_template"]

_PLACE = re.compile(r"\{(text|command|exit_code|problem)\}")
# Some chats refuse messages of more than 2,000.
_MAX_CHARACTERS = 1900


def parse_template(text: str) -> Any:
    """Return a template.

    Raises:
        UsageError: It is not JSON, or no text of it has the place for what people are told.
    """
    try:
        template = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--notify-template: not JSON: {error}") from None
    if not any("{text}" in each for each in _texts(template)):
        raise UsageError(
            "--notify-template: no {text} in a text of it, which is what people are told"
        )
    return template


def fill_template(
    template: Any, document: Mapping[str, Any], escapes: Mapping[int, str] | None = None
) -> Any:
    """Return a template with what is told in its places: what is filled in stays a text of JSON.

    Args:
        template: The template.
        document: What is told; of it ``text``, ``command``, ``exit_code`` and ``problem``.
        escapes: What stands for a character in what is filled in, as for `str.translate`. None by
            default.
    """
    escapes = escapes or {}
    match template:
        case str():
            return _PLACE.sub(lambda found: _shown(document[found[1]], escapes), template)
        case dict():
            return {key: fill_template(value, document, escapes) for key, value in template.items()}
        case list():
            return [fill_template(value, document, escapes) for value in template]
    return template


def _texts(template: Any) -> Iterator[str]:
    """Yield the texts of a template that are filled in: no key is."""
    match template:
        case str():
            yield template
        case dict():
            for value in template.values():
                yield from _texts(value)
        case list():
            for value in template:
                yield from _texts(value)


def _shown(value: object, escapes: Mapping[int, str]) -> str:
    text = "" if value is None else str(value)
    whole = text.translate(escapes)
    if len(whole) <= _MAX_CHARACTERS:
        return whole
    # Half of what stands for a character would be shown as it is.
    length, shown = 1, []
    for piece in (letter.translate(escapes) for letter in text):
        length += len(piece)
        if length > _MAX_CHARACTERS:
            break
        shown.append(piece)
    return f"{''.join(shown)}…"
