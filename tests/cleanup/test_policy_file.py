"""Policies from files, and how mistakes in them are told."""

import json
import sys
import tomllib
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.patterns import Glob, Regex
from aioregistry.cleanup.policy import (
    Delete,
    DeleteOlderThan,
    DeleteUntagged,
    Keep,
    KeepNewest,
    KeepReleases,
    KeepWithin,
    Policy,
)
from aioregistry.cleanup.policy_file import PolicyFileError, load_policy, read_policy

TOML = r"""
# Everything that can be said.
floor = 3

[[rules]]
name = "stable"
tags-regex = '''release-\d+'''
keep = true

[[rules]]
repositories = "team/*"
tags = "main-*"
keep-newest = 10
group-by = '(main)-.*'

[[rules]]
keep-releases = 2
per = "major"

[[rules]]
keep-within = "1d12h"

[[rules]]
repositories-regex = "web|api"
delete-older-than = "30d"
including-protected = true

[[rules]]
tags = "pr-*"
delete = true

[[rules]]
delete-untagged-older-than = "2d"
"""

POLICY = Policy(
    [
        Keep(name="stable", tags=Regex(r"release-\d+")),
        KeepNewest(10, repositories="team/*", tags="main-*", group_by="(main)-.*"),
        KeepReleases(2, per="major"),
        KeepWithin(timedelta(hours=36)),
        DeleteOlderThan(
            timedelta(days=30), repositories=Regex("web|api"), including_protected=True
        ),
        Delete(tags=Glob("pr-*")),
        DeleteUntagged(timedelta(days=2)),
    ],
    floor=3,
)


def as_data() -> object:
    return tomllib.loads(TOML)


def test_a_policy_is_read_from_toml():
    assert read_policy(TOML, "policy.toml") == POLICY


@pytest.mark.parametrize("name", ["policy.yaml", "policy.YML"])
def test_a_policy_is_read_from_yaml(name):
    assert read_policy(yaml.safe_dump(as_data(), sort_keys=False), name) == POLICY


def test_a_policy_is_read_from_json():
    assert read_policy(json.dumps(as_data(), indent="\t"), "policy.json") == POLICY


def test_a_policy_is_loaded_from_a_file(tmp_path):
    (tmp_path / "policy.toml").write_bytes(b"\xef\xbb\xbf" + TOML.encode())
    assert load_policy(tmp_path / "policy.toml") == POLICY


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "policy.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(PolicyFileError, match=r"policy\.toml: not a text in UTF-8"):
        load_policy(tmp_path / "policy.toml")


def test_what_is_left_out_is_as_in_python():
    assert read_policy("[[rules]]\ndelete = true", "p.toml") == Policy([Delete()])


def wrong(text: str, name: str) -> str:
    with pytest.raises(PolicyFileError) as caught:
        read_policy(text, name)
    return str(caught.value)


BOMB = "a0: &a0 [1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
RULE = "[[rules]]\nkeep = true\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules = 5", "p.toml, line 1: rules: must be a list of rules"),
        ("", "p.toml: rules: must be a list of rules"),
        ("rules = []", "rules: must be a list of rules, and not empty"),
        ("rules = [5]", "p.toml, line 1: rules[0]: must have keys"),
        ("floor = -1\n" + RULE, "p.toml, line 1: floor: floor must be a whole number"),
        ("floor = true\n" + RULE, "p.toml, line 1: floor: floor must be"),
        (RULE + "flor = 1", "p.toml, line 3: rules[0].flor: is no key of a policy"),
        ("flor = 1\n" + RULE, "p.toml, line 1: flor: is no key of a policy; did you mean floor?"),
        (RULE + "[[rules]]\nkeep-newst = 5", "line 4: rules[1].keep-newst: is no key of a policy"),
        (RULE + "[[rules]]\nkeep-newst = 5", "did you mean keep-newest?"),
        (RULE + "[[rules]]\ntags = 'x'", "p.toml, line 3: rules[1]: must have one of delete, "),
        (RULE + "delete = true", "line 1: rules[0]: must have one of"),
        ("[[rules]]\nkeep = false", "line 2: rules[0].keep: must be true, or not be there"),
        ("[[rules]]\ndelete = 1", "line 2: rules[0].delete: must be true"),
        ("[[rules]]\nkeep-newest = '5'", "rules[0].keep-newest: count must be a whole number"),
        ("[[rules]]\nkeep-within = 30", "rules[0].keep-within: must be a length of time, such"),
        ("[[rules]]\nkeep-within = '30 days'", "rules[0].keep-within: not a length of time"),
        (RULE + "tags = ''", "line 3: rules[0].tags: a glob must be a text, and not empty"),
        (RULE + "tags = ['a']", "rules[0].tags: a glob must be a text"),
        (RULE + "tags-regex = '('", "line 3: rules[0].tags-regex: not a regular expression of RE2"),
        (RULE + "tags = 'a'\ntags-regex = 'a'", "line 4: rules[0].tags-regex: give either tags or"),
        (RULE + "per = 'major'", "line 3: rules[0].per: goes with keep-releases, not with keep"),
        ("[[rules]]\nkeep-releases = 1\nper = 'x'", "line 3: rules[0].per: must be major or minor"),
        ("[[rules]]\nkeep-newest = 1\ngroup-by = 5", "rules[0].group-by: a regex must be a text"),
        (RULE + "name = 5", "line 3: rules[0].name: must be a text, not 5"),
        (RULE + "including-protected = 1", "must be true or false, not 1"),
        ("[[rules]]\ndelete-untagged-older-than = '1d'\ntags = 'x'", "rules[0].tags: untagged"),
        ("floor = ", "p.toml: not TOML: "),
        ("floor = 1\nfloor = 2", "p.toml: not TOML: "),
        ("a = " + "[" * 5000, "p.toml: not TOML: "),
        ("x" * (2**20 + 1), "more than 1,048,576 characters"),
    ],
)  # fmt: skip
def test_a_mistake_in_toml_is_told_with_its_line_and_key(text, said):
    assert said in wrong(text, "p.toml")


def test_lines_are_right_after_a_statement_of_several_lines():
    text = 'floor = 1\n\n[[rules]]\nname = """\n[[rules]]\nkeep = 5\n"""\nkeep = true\ntags = ""\n'
    assert "line 9: rules[0].tags" in wrong(text, "p.toml")


@pytest.mark.parametrize("tags", ["v1", "v[1]"])
def test_rules_in_many_lines_are_read_once_and_for_a_mistake_a_bounded_time_more(monkeypatch, tags):
    read, loads = [], tomllib.loads
    monkeypatch.setattr(tomllib, "loads", lambda text: read.append(len(text)) or loads(text))
    text = "rules = [\n" + f"  {{keep = true, tags = '{tags}'}},\n" * 2_000 + "]\n"
    assert read_policy(text, "p.toml")
    assert read == [len(text)]
    with pytest.raises(PolicyFileError, match="flor: is no key"):
        read_policy(f"{text}flor = 1\n", "p.toml")
    assert sum(read) < 5 * 2**20


@pytest.mark.parametrize(
    "mistake", [f"tags = {['v1'] * 5000}", f"{'k' * 5000} = 1", f"keep-within = '{'9' * 5000}d'"]
)
def test_however_much_is_wrong_a_mistake_is_told_in_short(mistake):
    assert len(wrong(f"{RULE}{mistake}\n", "p.toml")) < 700


def test_lines_are_right_in_tables_within_a_line():
    text = "rules = [\n  {keep = true},\n  {keep = false},\n]\n"
    assert "line 1: rules[1].keep" in wrong(text, "p.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules:\n- keep: true\n  flor: 1\n", "p.yaml, line 3: rules[0].flor: is no key"),
        ("rules:\n- keep: true\n- keep-newest: many\n", "line 3: rules[1].keep-newest: count"),
        ("- 5", "p.yaml, line 1: the policy: must have keys"),
        ("", "p.yaml: the policy: must have keys"),
        ("floor: 1\nfloor: 2\n", "line 2: 'floor' is there twice"),
        ("1: 2\n", "line 1: the key 1 is no text"),
        ("a: [", "p.yaml: not YAML: line "),
        ("a: &a [*a]", "too much, or too deep"),
        ("a: !!python/object:os.system x", "not YAML: line 1: could not determine a constructor"),
        ("rules: 2001-99-99", "not YAML: "),
        ("a\x00: 1", "not YAML: "),
        ("---\na: 1\n---\nb: 1\n", "not YAML: line 3: "),
        ("[" * 5000, "not YAML: "),
        (BOMB, "too much"),
    ],
)
def test_a_mistake_in_yaml_is_told_with_its_line_and_key(text, said):
    assert said in wrong(text, "p.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n "rules": [\n\t{"keep": true,\n\t "flor": 1}]}', "p.json, line 4: rules[0].flor"),
        ('{"floor": 1, "floor": 2}', "p.json: 'floor' is there twice"),
        ('{"floor": 1,}', "p.json: not JSON: line 1: "),
        ("[" * 100_000, "not JSON: "),
        ('{"rules": "\x7f"}', "p.json: rules: must be"),
    ],
)
def test_a_mistake_in_json_is_told_with_its_line_and_key(text, said):
    assert said in wrong(text, "p.json")


def test_a_name_must_tell_what_the_file_is():
    assert "p.txt: its name must end in .toml" in wrong(TOML, "p.txt")


def test_without_pyyaml_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ModuleNotFoundError, match=r"aioregistry-do\[cleanup\]"):
        read_policy("", "p.yaml")
    assert "p.json: rules[0].flor: is no key" in wrong('{"rules": [{"flor": 1}]}', "p.json")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["30d", "x", "(", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["floor", "rules", "keep", "delete", "tags", "keep-newest", "per", "x"]
            ),
            inner,
        )
    ),
    max_leaves=15,
)


@given(values, st.sampled_from([".json", ".yaml"]))
def test_any_document_is_a_policy_or_is_refused(value, ending):
    try:
        read_policy(json.dumps(value, indent=1), "p" + ending)
    except PolicyFileError as error:
        assert str(error).startswith("p.")  # noqa: PT017


@given(st.text(), st.sampled_from([".json", ".yaml", ".toml"]))
def test_any_text_is_a_policy_or_is_refused(text, ending):
    try:
        read_policy(text, "p" + ending)
    except PolicyFileError as error:
        assert str(error).startswith("p.")  # noqa: PT017
