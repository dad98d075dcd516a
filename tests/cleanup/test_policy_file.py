"""Policies from files, and how mistakes in them are told."""

import json
import sys
import tomllib
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.policy.file import PolicyFileError, load_policy, read_policy
from aioregistry.cleanup.policy.patterns import Glob, Regex
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import (
    Delete,
    DeleteOlderThan,
    Keep,
    KeepNewest,
    KeepReleases,
    KeepWithin,
)
from aioregistry.cleanup.policy.untagged_rules import DeleteUntagged

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
    with pytest.raises(PolicyFileError) as caught:
        load_policy(tmp_path / "policy.toml")
    assert str(caught.value) == f"{tmp_path / 'policy.toml'}: not a text in UTF-8"


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        ("keep = true", Keep()),
        ("keep-newest = 0", KeepNewest(0)),
        ("keep-within = '0s'", KeepWithin(timedelta())),
        ("keep-releases = 2", KeepReleases(2)),
        ("delete = true", Delete()),
        ("delete-older-than = '1w'", DeleteOlderThan(timedelta(weeks=1))),
        ("delete-untagged-older-than = '1d'", DeleteUntagged()),
    ],
)
def test_what_is_left_out_is_as_in_python(action, rule):
    assert read_policy(f"[[rules]]\n{action}", "p.toml") == Policy([rule])


def wrong(text: str, name: str) -> str:
    with pytest.raises(PolicyFileError) as caught:
        read_policy(text, name)
    return str(caught.value)


BOMB = "a0: &a0 [1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
RULE = "[[rules]]\nkeep = true\n"


ACTIONS = (
    "delete, delete-older-than, delete-orphaned-older-than, delete-untagged-older-than, keep, "
    "keep-newest, keep-newest-untagged, keep-releases, keep-within"
)
NO_TAGS = "is not for delete-untagged-older-than, which decides on no tags of images"
WRITE = "write 90s, 15m, 12h, 30d or 1d12h"
NO_TEXT = "no text, or no number: 'utf-8' codec can't encode character '\\ud800'"
KEEP_RELEASES = "[[rules]]\nkeep-releases = 1\n"
UNTAGGED = "[[rules]]\ndelete-untagged-older-than = '1d'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules = 5", ", line 1: rules: must be a list of rules, and not empty"),
        ("", ": rules: must be a list of rules, and not empty"),
        ("rules = []", ", line 1: rules: must be a list of rules, and not empty"),
        ("rules = [5]", ", line 1: rules[0]: must have keys with values"),
        ("floor = -1\n" + RULE, ", line 1: floor: must be a whole number, 0 or more, not -1"),
        (
            "floor = true\n" + RULE,
            ", line 1: floor: must be a whole number, 0 or more, not True",
        ),
        (RULE + "flor = 1\nx = 1", ", line 3: rules[0].flor: is no key of a policy"),
        ("flor = 1\n" + RULE, ", line 1: flor: is no key of a policy; did you mean floor?"),
        (
            RULE + "[[rules]]\nkeep-newst = 5",
            ", line 4: rules[1].keep-newst: is no key of a policy; did you mean keep-newest?",
        ),
        (RULE + "tag = 'x'", ", line 3: rules[0].tag: is no key of a policy; did you mean tags?"),
        (
            RULE + "[[rules]]\ntags = 'x'",
            f", line 3: rules[1]: must have one of {ACTIONS}; it has none",
        ),
        (
            RULE + "delete = true",
            f", line 1: rules[0]: must have one of {ACTIONS}; it has keep and delete",
        ),
        (
            "[[rules]]\nkeep = false",
            ", line 2: rules[0].keep: must be true, or be left out, not False",
        ),
        (
            "[[rules]]\ndelete = 1",
            ", line 2: rules[0].delete: must be true, or be left out, not 1",
        ),
        (
            "[[rules]]\nkeep-newest = '5'",
            ", line 2: rules[0].keep-newest: must be a whole number, 0 or more, not '5'",
        ),
        (
            "[[rules]]\nkeep-within = 30",
            ', line 2: rules[0].keep-within: must be a length of time, such as "30d", not 30',
        ),
        (
            "[[rules]]\nkeep-within = '30 days'",
            f", line 2: rules[0].keep-within: not a length of time: '30 days'; {WRITE}",
        ),
        (RULE + "tags = ''", ", line 3: rules[0].tags: a glob must be a text, and not empty: ''"),
        (
            RULE + "tags = ['a', 1]",
            ", line 3: rules[0].tags: a glob must be a text, and not empty: 1",
        ),
        (
            RULE + "tags-regex = '('",
            ", line 3: rules[0].tags-regex: not a regular expression of RE2: missing ): (",
        ),
        (
            RULE + "tags = 'a'\ntags-regex = 'a'",
            ", line 4: rules[0].tags-regex: give either tags or tags-regex",
        ),
        (
            RULE + "repositories = 'a'\nrepositories-regex = 'a'",
            ", line 4: rules[0].repositories-regex: give either repositories or repositories-regex",
        ),
        (
            RULE + "repositories = 5",
            ", line 3: rules[0].repositories: a glob must be a text, and not empty: 5",
        ),
        (RULE + "per = 'major'", ", line 3: rules[0].per: is for keep-releases, not for keep"),
        (
            RULE + "group-by = '(a)'",
            ", line 3: rules[0].group-by: is for keep-newest, not for keep",
        ),
        (KEEP_RELEASES + "per = 'x'", ", line 3: rules[0].per: must be major or minor, not 'x'"),
        (
            "[[rules]]\nkeep-newest = 1\ngroup-by = 5",
            ", line 3: rules[0].group-by: a regex must be a text, and not empty: 5",
        ),
        (RULE + "name = 5", ", line 3: rules[0].name: must be a text, not 5"),
        (
            RULE + "including-protected = 1",
            ", line 3: rules[0].including-protected: must be true or false, not 1",
        ),
        (UNTAGGED + "tags = 'x'", f", line 3: rules[0].tags: {NO_TAGS}"),
        (
            UNTAGGED + "tags-regex = 'x'",
            f", line 3: rules[0].tags-regex: {NO_TAGS}",
        ),
        (
            UNTAGGED + "including-protected = true",
            f", line 3: rules[0].including-protected: {NO_TAGS}",
        ),
        ("a = " + "[" * 5000, ": not TOML: too deep"),
        ("a." * 100 + "a = 1", ": not TOML: a key of too many parts"),
        (f"a = {'[' * 20}1{']' * 20}", ": too deep"),
        ("x" * (2**20 + 1), ": more than 1,048,576 characters"),
    ],
)
def test_a_mistake_in_toml_is_told_with_its_line_and_key(text, said):
    assert wrong(text, "p.toml") == f"p.toml{said}"


@pytest.mark.parametrize("text", ["floor = ", "floor = 1\nfloor = 2"])
def test_what_is_no_toml_is_told_as_the_parser_tells_it(text):
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    assert wrong(text, "p.toml") == f"p.toml: not TOML: {caught.value}"


def test_a_text_of_the_greatest_length_is_read():
    assert read_policy(RULE.ljust(2**20, "\n"), "p.toml") == Policy([Keep()])


def test_a_document_of_the_greatest_depth_is_told_by_its_key():
    text = f"a = {'[' * 19}1{']' * 19}"
    assert wrong(text, "p.toml") == "p.toml, line 1: a: is no key of a policy"


@pytest.mark.parametrize("per", ["major", "minor"])
def test_a_line_of_releases_is_a_major_or_a_minor(per):
    text = f"{KEEP_RELEASES}per = '{per}'"
    assert read_policy(text, "p.toml") == Policy([KeepReleases(1, per=per)])


def test_a_rule_for_untagged_manifests_has_repositories_and_a_name():
    text = f"{UNTAGGED}repositories = 'x'\nname = 'y'"
    rule = DeleteUntagged(timedelta(days=1), repositories="x", name="y")
    assert read_policy(text, "p.toml") == Policy([rule])


@pytest.mark.parametrize("value", ['"""\n[[rules]]\n"""', "'''\nkeep = 5\n'''", "[\n  [],\n]"])
def test_lines_are_right_after_a_statement_of_several_lines(value):
    text = f"floor = 1\n\n[[rules]]\nname = {value}\nflor = 1\nkeep = true\n"
    assert wrong(text, "p.toml") == "p.toml, line 7: rules[0].flor: is no key of a policy"


@pytest.mark.slow(0.8)
@pytest.mark.parametrize(("tags", "line"), [("v1", ", line 2003"), ("v[1]", "")])
def test_rules_in_many_lines_are_read_once_and_for_a_mistake_a_bounded_time_more(
    monkeypatch, tags, line
):
    read, loads = [], tomllib.loads
    monkeypatch.setattr(tomllib, "loads", lambda text: read.append(len(text)) or loads(text))
    text = "rules = [\n" + f"  {{keep = true, tags = '{tags}'}},\n" * 2_000 + "]\n"
    assert read_policy(text, "p.toml")
    assert read == [len(text)]
    said = "flor: is no key of a policy; did you mean floor?"
    assert wrong(f"{text}flor = 1\n", "p.toml") == f"p.toml{line}: {said}"
    assert sum(read) < 5 * 2**20


@pytest.mark.parametrize(
    "mistake", [f"tags = {['v1'] * 5000}", f"{'k' * 5000} = 1", f"keep-within = '{'9' * 5000}d'"]
)
def test_however_much_is_wrong_a_mistake_is_told_in_short(mistake):
    assert len(wrong(f"{RULE}{mistake}\n", "p.toml")) < 700


@pytest.mark.parametrize(("key", "shown"), [("k" * 300, "k" * 300), ("k" * 301, "k" * 300 + "…")])
def test_a_long_key_is_shown_by_its_beginning(key, shown):
    assert wrong(f"{key} = 1", "p.toml") == f"p.toml, line 1: {shown}: is no key of a policy"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[x]\ny = 1", ", line 1: x: is no key of a policy"),
        ("  [[rules]]\n  keep = true\n  x = 1", ", line 3: rules[0].x: is no key of a policy"),
        (f"{RULE}\n[x]\ny = 1", ", line 4: x: is no key of a policy"),
        (f"{RULE}\n[rules.x]\ny = 1", ", line 4: rules[0].x: is no key of a policy"),
        (f"{RULE * 2}\n[rules.x]\ny = 1", ", line 6: rules[1].x: is no key of a policy"),
        (f"{RULE}x.y = 1", ", line 3: rules[0].x: is no key of a policy"),
        (
            f"{RULE}tags.y = 1",
            ", line 3: rules[0].tags: a glob must be a text, and not empty: {'y': 1}",
        ),
    ],
)
def test_lines_are_right_in_tables_of_any_form(text, said):
    assert wrong(text, "p.toml") == f"p.toml{said}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"{RULE}flor = 1\n", "p.toml"),
        ("rules:\n- keep: true\n  flor: 1\n", "p.yaml"),
        ('{"rules": [\n{"keep": true,\n"flor": 1}]}', "p.json"),
    ],
)
def test_lines_are_right_whatever_ends_them(text, name):
    said = f"{name}, line 3: rules[0].flor: is no key of a policy"
    assert wrong(text.replace("\n", "\r\n"), name) == said


def test_lines_are_right_in_tables_within_a_line():
    text = "rules = [\n  {keep = true},\n  {keep = false},\n]\n"
    assert "line 1: rules[1].keep" in wrong(text, "p.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "rules:\n- keep: true\n  flor: 1\n",
            ", line 3: rules[0].flor: is no key of a policy",
        ),
        (
            "rules:\n- keep: true\n- keep-newest: many\n",
            ", line 3: rules[1].keep-newest: must be a whole number, 0 or more, not 'many'",
        ),
        ("- 5", ", line 1: the policy: must have keys with values"),
        ("", ": the policy: must have keys with values"),
        ("floor: 1\nfloor: 2\n", ": line 2: 'floor' appears twice"),
        ("1: 2\n", ": line 1: the key 1 is no text"),
        ("floor: 1\n? [a]\n: 2\n", ": line 2: a key that is no text"),
        ("a: &a [*a]", ": line 1: too much, or too deep"),
        (f"a: {'[' * 20}1{']' * 20}", ": line 1: too much, or too deep"),
        (f"a: {'[' * 19}1{']' * 19}", ", line 1: a: is no key of a policy"),
        (f"a: [{'1, ' * 9_998}]", ", line 1: a: is no key of a policy"),
        (f"a: [{'1, ' * 9_999}]", ": line 1: too much, or too deep"),
        (BOMB, ": line 1: too much, or too deep"),
        ("a: !!int x", ": not YAML: invalid literal for int() with base 10: 'x'"),
        ("a: !!bool x", ": not YAML: 'x'"),
    ],
)
def test_a_mistake_in_yaml_is_told_with_its_line_and_key(text, said):
    assert wrong(text, "p.yaml") == f"p.yaml{said}"


@pytest.mark.parametrize(
    "text", ["floor: 1\na: [", "a: !!python/object:os.system x", "---\na: 1\n---\nb: 1\n"]
)
def test_what_is_no_yaml_is_told_as_the_parser_tells_it(text):
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    line, said = caught.value.problem_mark.line + 1, caught.value.problem
    assert wrong(text, "p.yaml") == f"p.yaml: not YAML: line {line}: {said}"


@pytest.mark.parametrize("text", ["a\x00: 1", "a: 2001-99-99", "[" * 5000])
def test_what_yaml_cannot_hold_is_refused(text):
    assert wrong(text, "p.yaml").startswith("p.yaml: not YAML: ")


@pytest.mark.slow(1)
def test_yaml_is_read_without_libyaml_too(monkeypatch):
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert read_policy("rules: [{delete: true}]", "p.yaml") == Policy([Delete()])
    assert wrong("[" * 5000, "p.yaml") == "p.yaml: not YAML: too deep"
    said = "line 2: floor: must be a whole number, 0 or more, not -1"
    assert wrong('{\n\t"floor": -1, "rules": [{"keep": true}]}', "p.json") == f"p.json, {said}"


@pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="this PyYAML is without libyaml")
def test_yaml_is_read_by_libyaml_where_it_is_there(monkeypatch):
    monkeypatch.setattr(yaml, "SafeLoader", None)
    assert read_policy("rules: [{delete: true}]", "p.yaml") == Policy([Delete()])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{\n "rules": [\n\t{"keep": true,\n\t "flor": 1}]}',
            ", line 4: rules[0].flor: is no key of a policy",
        ),
        ('{"floor": 1, "floor": 2}', ": 'floor' appears twice"),
        ('\t{"flor": 1}', ", line 1: flor: is no key of a policy; did you mean floor?"),
        ("[" * 100_000, ": not JSON: too deep"),
        ("[" * 22 + "]" * 22, ": too deep"),
        ("[" * 21 + "]" * 21, ", line 1: the policy: must have keys with values"),
        (f'{{"a": {"[" * 20}1{"]" * 20}}}', ": too deep"),
        ('{"rules": "\x7f"}', ": rules: must be a list of rules, and not empty"),
        ('{"rules": "\\ud800"}', f": {NO_TEXT} in position 0: surrogates not allowed"),
        ('{"\\ud800": 1}', f": {NO_TEXT} in position 0: surrogates not allowed"),
    ],
)
def test_a_mistake_in_json_is_told_with_its_line_and_key(text, said):
    assert wrong(text, "p.json") == f"p.json{said}"


def test_what_is_no_json_is_told_as_the_parser_tells_it():
    text = '{"floor": 1,\n}'
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    line, said = caught.value.lineno, caught.value.msg
    assert wrong(text, "p.json") == f"p.json: not JSON: line {line}: {said}"


def test_a_number_too_long_to_be_read_is_refused():
    text = f'{{"floor": {"1" * 5000}}}'
    with pytest.raises(ValueError, match="digits") as caught:
        json.loads(text)
    assert wrong(text, "p.json") == f"p.json: not JSON: {caught.value}"


@pytest.mark.parametrize(("text", "name"), [("a = 0x{}", "p.toml"), ("a: 0x{}", "p.yaml")])
def test_a_number_too_long_to_be_told_is_refused(text, name):
    said = wrong(text.format("f" * 5000), name)
    assert said.startswith(f"{name}: no text, or no number: Exceeds the limit")


@pytest.mark.parametrize("name", ["p.txt", "p", "p.toml.bak"])
def test_a_name_must_tell_what_the_file_is(name):
    said = "its name must end in .toml, .yaml, .yml or .json"
    assert wrong(TOML, name) == f"{name}: {said}"


def test_without_pyyaml_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        read_policy("", "p.yaml")
    assert str(caught.value) == (
        "YAML needs PyYAML: pip install 'aioregistry-do[cleanup]', or write TOML or JSON"
    )
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
