"""The JSON Schema of a policy file, for editors."""

from collections.abc import Iterable
from typing import Any

from aioregistry.cleanup.policy.file import EXCLUDE, POLICY_KEYS
from aioregistry.cleanup.policy.keys import Key
from aioregistry.cleanup.policy.rule import Rule
from aioregistry.cleanup.policy.rules import RULES

__all__ = ["policy_schema"]


def policy_schema() -> dict[str, Any]:
    """Return a JSON Schema (2020-12) of policies in TOML, YAML and JSON.

    Whatever the parser accepts, the schema accepts. The schema accepts more in a few places: it
    cannot tell whether a regular expression is one of RE2, or whether a pattern for releases can
    match any.

    Example:
        >>> sorted(policy_schema()["properties"])
        ['exclude', 'floor', 'max-deletes', 'max-fraction', 'rules']
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A policy of aioregistry cleanup",
        "type": "object",
        "additionalProperties": False,
        "required": ["rules"],
        "properties": {
            **_properties(POLICY_KEYS),
            EXCLUDE.name: {
                "description": EXCLUDE.help,
                "anyOf": [EXCLUDE.schema, {"type": "array", "items": EXCLUDE.schema}],
            },
            "rules": {
                "description": "The rules, in order: the first that decides on a tag decides.",
                "type": "array",
                "minItems": 1,
                "items": {"oneOf": [_rule(rule) for rule in RULES]},
            },
        },
    }


def _rule(rule: type[Rule]) -> dict[str, Any]:
    known = (rule.key, *rule.options, *rule.common)
    names = {key.name for key in known}
    either = [
        [name, f"{name}-regex"] for name in ("repositories", "tags") if f"{name}-regex" in names
    ]
    return {
        "title": rule.key.name,
        "type": "object",
        "additionalProperties": False,
        "required": [rule.key.name],
        "properties": _properties(known),
        "allOf": [{"not": {"required": both}} for both in either],
    }


def _properties(known: Iterable[Key]) -> dict[str, Any]:
    return {key.name: {"description": key.help, **key.schema} for key in known}
