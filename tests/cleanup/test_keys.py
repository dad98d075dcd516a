"""The keys of policy files: what each reads and refuses, and how its schema describes that."""

import re
from datetime import timedelta

import pytest

from aioregistry.cleanup.policy import keys
from aioregistry.cleanup.policy.patterns import REPOSITORY_GLOB, TAG_GLOB, Glob, Regex

NAN = float("nan")
PATTERN = {"type": "string", "minLength": 1, "maxLength": 1000}


def one_or_more(glob):
    one = PATTERN | {"pattern": glob}
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": 1000}]}


def count_key():
    return keys.count("floor", "least", "How many.")


def fraction_key():
    return keys.fraction("max-fraction", "most", "How much.")


def age_key():
    return keys.age("older-than", "How old.")


def true_key():
    return keys.true("delete", "Delete.")


def boolean_key():
    return keys.boolean("including", "include", "Whether.")


def text_key():
    return keys.text("name", "called", "What it is called.")


def choice_key():
    return keys.choice("per", "line", ("major", "minor"), "What a line is.")


def tags_key():
    return keys.tags("tags", "pattern", "Which tags.")


def repositories_key():
    return keys.repositories("exclude", "left", "Which repositories.")


def regex_key():
    return keys.regex("tags-regex", "pattern", "Which tags.")


@pytest.mark.parametrize(
    ("key", "called", "schema"),
    [
        (count_key, ("floor", "least", "How many."), {"type": "integer", "minimum": 0}),
        (
            fraction_key,
            ("max-fraction", "most", "How much."),
            {"type": "number", "minimum": 0, "maximum": 1},
        ),
        (true_key, ("delete", "", "Delete."), {"const": True}),
        (boolean_key, ("including", "include", "Whether."), {"type": "boolean"}),
        (text_key, ("name", "called", "What it is called."), {"type": "string"}),
        (choice_key, ("per", "line", "What a line is."), {"enum": ["major", "minor"]}),
        (tags_key, ("tags", "pattern", "Which tags."), one_or_more(TAG_GLOB)),
        (
            repositories_key,
            ("exclude", "left", "Which repositories."),
            one_or_more(REPOSITORY_GLOB),
        ),
        (regex_key, ("tags-regex", "pattern", "Which tags."), PATTERN),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_key_has_a_name_an_attribute_a_help_and_a_schema(key, called, schema):
    made = key()
    assert (made.name, made.attribute, made.help) == called
    assert made.schema == schema


@pytest.mark.parametrize(
    ("key", "written", "read"),
    [
        (count_key, 0, 0),
        (count_key, 7, 7),
        (fraction_key, 0, 0.0),
        (fraction_key, 1, 1.0),
        (fraction_key, 0.25, 0.25),
        (age_key, "1d12h", timedelta(days=1.5)),
        (true_key, True, None),
        (boolean_key, False, False),
        (boolean_key, True, True),
        (text_key, "", ""),
        (choice_key, "minor", "minor"),
        (tags_key, "V*", Glob("V*")),
        (repositories_key, "a/*", Glob("a/*")),
        (regex_key, "v.*", Regex("v.*")),
    ],
)
def test_a_key_reads_its_value(key, written, read):
    found = key().read(written)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("key", "written", "problem"),
    [
        *((count_key, one, "a whole number, 0 or more") for one in (-1, 1.0, True, "5", None)),
        *(
            (fraction_key, one, "a number from 0 to 1")
            for one in (-0.1, 1.1, float("nan"), True, "1")
        ),
        *((age_key, one, "a length of time") for one in (30, None, "30", "1h1d")),
        *((true_key, one, "must be true, or be left out") for one in (False, 1, "true")),
        *((boolean_key, one, "must be true or false") for one in (1, "yes", None)),
        *((text_key, one, "must be a text") for one in (1, None, ["a"])),
        *((choice_key, one, "must be major or minor") for one in ("patch", 1, ["major"])),
        (tags_key, 1, "must be a text"),
        (tags_key, "a/b", "no tag matches"),
        (repositories_key, "A", "no repository matches"),
        (regex_key, "(", "not a regular expression"),
    ],
)
def test_a_key_refuses_anything_else(key, written, problem):
    with pytest.raises(ValueError, match=problem):
        key().read(written)


@pytest.mark.parametrize("text", ["90s", "15m", "12h", "30d", "2w", "1d12h", "1w1d1h1m1s"])
def test_the_schema_of_an_age_takes_what_is_read(text):
    made = age_key()
    assert (made.name, made.attribute, made.help) == ("older-than", "age", "How old.")
    assert made.schema["type"] == "string"
    made.read(text)
    assert re.search(made.schema["pattern"], text)


@pytest.mark.parametrize("text", ["", "d", "30", "1h1d", "-1d", "1.5d", "30 days"])
def test_the_schema_of_an_age_refuses_what_is_not_read(text):
    with pytest.raises(ValueError, match="not a length of time"):
        age_key().read(text)
    assert not re.search(age_key().schema["pattern"], text)
