"""The keys of policy files: what each reads and refuses, and how its schema describes that."""

import re
from datetime import timedelta

import pytest

from aioregistry.cleanup.policy import keys
from aioregistry.cleanup.policy.patterns import REPOSITORY_GLOB, TAG_GLOB, Glob, Regex

PATTERN = {"type": "string", "minLength": 1, "maxLength": 1000}


COUNT = keys.count("floor", "least", "How many.")
FRACTION = keys.fraction("max-fraction", "most", "How much.")
AGE = keys.age("older-than", "How old.")
TRUE = keys.true("delete", "Delete.")
BOOLEAN = keys.boolean("including", "include", "Whether.")
TEXT = keys.text("name", "called", "What it is called.")
CHOICE = keys.choice("per", "line", ("major", "minor"), "What a line is.")
TAGS = keys.tags("tags", "pattern", "Which tags.")
REPOSITORIES = keys.repositories("exclude", "left", "Which repositories.")
REGEX = keys.regex("tags-regex", "pattern", "Which tags.")


@pytest.mark.parametrize(
    ("key", "called", "schema"),
    [
        (COUNT, ("floor", "least", "How many."), {"type": "integer", "minimum": 0}),
        (
            FRACTION,
            ("max-fraction", "most", "How much."),
            {"type": "number", "minimum": 0, "maximum": 1},
        ),
        (TRUE, ("delete", "", "Delete."), {"const": True}),
        (BOOLEAN, ("including", "include", "Whether."), {"type": "boolean"}),
        (TEXT, ("name", "called", "What it is called."), {"type": "string"}),
        (CHOICE, ("per", "line", "What a line is."), {"enum": ["major", "minor"]}),
        (TAGS, ("tags", "pattern", "Which tags."), PATTERN | {"pattern": TAG_GLOB}),
        (
            REPOSITORIES,
            ("exclude", "left", "Which repositories."),
            PATTERN | {"pattern": REPOSITORY_GLOB},
        ),
        (REGEX, ("tags-regex", "pattern", "Which tags."), PATTERN),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_key_has_a_name_an_attribute_a_help_and_a_schema(key, called, schema):
    assert (key.name, key.attribute, key.help) == called
    assert key.schema == schema


@pytest.mark.parametrize(
    ("key", "written", "read"),
    [
        (COUNT, 0, 0),
        (COUNT, 7, 7),
        (FRACTION, 0, 0.0),
        (FRACTION, 1, 1.0),
        (FRACTION, 0.25, 0.25),
        (AGE, "1d12h", timedelta(days=1.5)),
        (TRUE, True, None),
        (BOOLEAN, False, False),
        (BOOLEAN, True, True),
        (TEXT, "", ""),
        (CHOICE, "minor", "minor"),
        (TAGS, "V*", Glob("V*")),
        (REPOSITORIES, "a/*", Glob("a/*")),
        (REGEX, "v.*", Regex("v.*")),
    ],
)
def test_a_key_reads_its_value(key, written, read):
    found = key.read(written)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("key", "written", "problem"),
    [
        *((COUNT, one, "a whole number, 0 or more") for one in (-1, 1.0, True, "5", None)),
        *((FRACTION, one, "a number from 0 to 1") for one in (-0.1, 1.1, float("nan"), True, "1")),
        *((AGE, one, "a length of time") for one in (30, None, "30", "1h1d")),
        *((TRUE, one, "must be true, or be left out") for one in (False, 1, "true")),
        *((BOOLEAN, one, "must be true or false") for one in (1, "yes", None)),
        *((TEXT, one, "must be a text") for one in (1, None, ["a"])),
        *((CHOICE, one, "must be major or minor") for one in ("patch", 1, ["major"])),
        (TAGS, 1, "must be a text"),
        (TAGS, "a/b", "no tag matches"),
        (REPOSITORIES, "A", "no repository matches"),
        (REGEX, "(", "not a regular expression"),
    ],
)
def test_a_key_refuses_anything_else(key, written, problem):
    with pytest.raises(ValueError, match=problem):
        key.read(written)


@pytest.mark.parametrize("text", ["90s", "15m", "12h", "30d", "2w", "1d12h", "1w1d1h1m1s"])
def test_the_schema_of_an_age_takes_what_is_read(text):
    assert (AGE.name, AGE.attribute, AGE.help) == ("older-than", "age", "How old.")
    assert AGE.schema["type"] == "string"
    AGE.read(text)
    assert re.search(AGE.schema["pattern"], text)


@pytest.mark.parametrize("text", ["", "d", "30", "1h1d", "-1d", "1.5d", "30 days"])
def test_the_schema_of_an_age_refuses_what_is_not_read(text):
    with pytest.raises(ValueError, match="not a length of time"):
        AGE.read(text)
    assert not re.search(AGE.schema["pattern"], text)
