"""A policy checked offline, its schema, and the answers of its rules on one tag."""

import json
from datetime import timedelta

import jsonschema_rs
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from aioregistry import NotFoundError, ServerError
from aioregistry.cleanup.in_use.references import InUse
from aioregistry.cleanup.plan.explain import explain_tag
from aioregistry.cleanup.policy.check import check_policy
from aioregistry.cleanup.policy.file import PolicyFileError, PolicyText
from aioregistry.cleanup.policy.patterns import Regex, parts_of
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import PushedTag
from aioregistry.cleanup.policy.rules import (
    Delete,
    DeleteOlderThan,
    Keep,
    KeepNewest,
    KeepReleases,
)
from aioregistry.cleanup.policy.schema import policy_schema
from aioregistry.cleanup.policy.untagged_rules import DeleteOrphaned
from aioregistry.client.repository import RepositoryHandle
from tests.cleanup.registries import NOW, Builder, signature_tag

RULE = "[[rules]]\ndelete = true\n"
MISTAKES = """\
flor = 1
max-fraction = 2
exclude = ["ok", ""]

[[rules]]
keep-newest = "5"
tags = "a"
tags-regex = "("

[[rules]]
keep-pulled-within = "30d"

[[rules]]
delete-untagged-older-than = "1d"
tags = "x"
per = "major"

[[rules]]
keep-releases = 1
tags = "app-*"
"""


FOUND = """\
line 1: error: flor: is no key of a policy; did you mean floor?
line 2: error: max-fraction: must be a number from 0 to 1, not 2
line 3: error: exclude[1]: a glob must be a text, and not empty: ''
line 6: error: rules[0].keep-newest: must be a whole number, 0 or more, not '5'
line 8: error: rules[0].tags-regex: not a regular expression of RE2: missing ): (
line 8: error: rules[0].tags-regex: give either tags or tags-regex
line 11: error: rules[1].keep-pulled-within: the API does not report when images were pulled; \
use keep-within, and --in-use for images that run
line 15: error: rules[2].tags: is not for delete-untagged-older-than, \
which decides on no tags of images
line 16: error: rules[2].per: is for keep-releases, not for delete-untagged-older-than
line 20: error: rules[3].tags: no version begins with 'app-', so that no tag is a release; \
mark the version by a group: tags-regex = 'app-v(?P<version>.*)'
"""


def test_all_mistakes_are_found_at_once():
    assert "".join(f"{one}\n" for one in check_policy(MISTAKES, "p.toml")) == FOUND


def test_what_is_no_document_is_an_error():
    with pytest.raises(PolicyFileError, match="not TOML"):
        check_policy("a =", "p.toml")


@pytest.mark.parametrize(
    "glob", ["v*,latest", "{v*,latest}", "^v.*$", "v* ", "feature/*", "web:v1", "v[12", "v1]", "é*"]
)
def test_a_pattern_that_can_match_no_tag_is_a_mistake(glob):
    # What such a rule was to keep, the next one would delete.
    text = f"[[rules]]\ntags = '{glob}'\nkeep = true\n[[rules]]\ndelete = true\n"
    (found,) = check_policy(text, "p.toml")
    assert found.is_error
    assert found.line == 2
    assert f"rules[0].tags: no tag matches {glob!r}, as none contains" in found.problem
    with pytest.raises(ValueError, match="no tag matches"):
        Keep(tags=glob)


@pytest.mark.parametrize("key", ["tags-regex", "repositories-regex", "group-by"])
@pytest.mark.parametrize("regex", [r"^\\d+\\.\\d+$", r"[\d]+\\-x", r"(a|b\\w)", r"[\\d.]+"])
def test_a_regular_expression_that_asks_for_a_backslash_is_a_mistake(key, regex):
    text = f"[[rules]]\n{key} = '{regex}'\nkeep-newest = 5\n[[rules]]\ndelete = true\n"
    (found,) = check_policy(text, "p.toml")
    assert found.is_error
    assert found.line == 2
    assert found.problem.startswith(f"rules[0].{key}: no name contains the backslash that {regex}")


@pytest.mark.parametrize(
    "regex",
    [
        r"\d+\.\d+",
        r"[\w.\\-]+",
        r"[^\\]*",
        r"[]\\]|\[x\]",
        r"[[:alnum:]\\.]+",
        r"[\\\d]+",
    ],
)
def test_a_backslash_that_a_regular_expression_needs_not_match_is_none(regex):
    assert Regex(regex).regex == regex


@pytest.mark.parametrize("glob", ["Web", "web:v1", "a b", "web,api", "https:*"])
def test_a_pattern_that_can_match_no_repository_is_a_mistake(glob):
    rule = f"[[rules]]\nrepositories = '{glob}'\ndelete = true\n"
    (of_rule,) = check_policy(rule, "p.toml")
    (of_exclude,) = check_policy(
        f"exclude = ['ok', '{glob}']\n[[rules]]\ndelete = true\n", "p.toml"
    )
    assert of_rule.problem.startswith(f"rules[0].repositories: no repository matches {glob!r}")
    assert of_exclude.problem.startswith(f"exclude[1]: no repository matches {glob!r}")
    with pytest.raises(ValueError, match="no repository matches"):
        Policy([Delete()], exclude=[glob])
    with pytest.raises(ValueError, match="no repository matches"):
        Delete(repositories=glob)


@pytest.mark.parametrize("glob", ["*", "v?.*", "[!a-z]*", "[]]x", "[ ,/]*", "A_b-C.9"])
def test_a_pattern_that_may_match_a_tag_is_taken(glob):
    assert Keep(tags=glob).tags.glob == glob


@pytest.mark.parametrize(
    "key", ["keep-pulled-within", "keep_pulled_within", "delete-not-pulled-for", "keepPulledWithin"]
)
@pytest.mark.parametrize("head", ["", "[[rules]]\n"])
def test_a_key_about_pulls_is_answered_wherever_it_stands(key, head):
    (found,) = check_policy(f"{head}{key} = '30d'\n{RULE if not head else ''}", "p.toml")
    assert "does not report when images were pulled" in found.problem


def notes(*rules: str, head: str = "") -> list[str]:
    text = head + "".join(f"[[rules]]\n{rule}\n" for rule in rules)
    return [one.problem for one in check_policy(text, "p.toml")]


OLDER_STAY = (
    "rule 1 keeps the newest releases, and the older ones are kept, too, as releases are"
    ' protected; older = "delete" deletes them'
)
NO_EFFECT = "has no effect: rule 1 decides on all that it matches"


@pytest.mark.parametrize(
    ("rules", "note"),
    [
        (["keep = true"], "no rule deletes anything, and tags that match no rule are kept"),
        (["delete = true", "tags = 'v*'\ndelete = true"], f"rule 2 {NO_EFFECT}"),
        (["tags = 'pr-*'\nkeep = true", "tags = 'pr-1*'\ndelete = true"], f"rule 2 {NO_EFFECT}"),
        (["tags = ['v*', 'pr-*']\ndelete = true"] * 2, f"rule 2 {NO_EFFECT}"),
        (["delete-older-than = '30d'", "delete-older-than = '60d'"], f"rule 2 {NO_EFFECT}"),
        (
            ["keep-within = '9d'", "name = 'b'\nkeep-within = '1d'", "delete = true"],
            f"rule 2 (b) {NO_EFFECT}",
        ),
        (["keep-within = '1d'", "keep-within = '1d'", "delete = true"], f"rule 2 {NO_EFFECT}"),
        (
            ["delete-orphaned-older-than = '1d'", "delete-orphaned-older-than = '1d'"],
            f"rule 2 {NO_EFFECT}",
        ),
        (
            ["delete-untagged-older-than = '1d'", "keep-newest-untagged = 3"],
            f"rule 2 {NO_EFFECT}",
        ),
        (["delete = true", "keep-newest = 3"], f"rule 2 {NO_EFFECT}"),
        (
            ["delete-untagged-older-than = '1d'", "keep-newest = 3"],
            "rule 2 has no effect: no later rule deletes such",
        ),
        (
            ["keep-releases = 3", "delete = true"],
            OLDER_STAY,
        ),
    ],
)
def test_a_rule_without_effect_is_found(rules, note):
    assert note in notes(*rules)


def test_a_rule_for_excluded_repositories_is_found():
    rules = ["repositories = 'prod-*'\ndelete = true", "delete = true"]
    assert notes(*rules, head="exclude = 'prod*'\n") == [
        "rule 1 has no effect: exclude names all of its repositories"
    ]


@pytest.mark.parametrize(
    "rules",
    [
        ["keep-newest = 1", "delete = true"],
        ["delete = true", "tags = 'latest'\ndelete = true"],
        ["delete = true", "tags = ['pr-*', 'latest']\ndelete = true"],
        ["delete = true", "delete = true\nincluding-protected = true"],
        ["delete = true", "tags = 'sha256-*'\ndelete = true"],
        ["delete = true", "keep-releases = 1\nolder = 'delete'"],
        ["repositories = 'a'\ndelete = true", "delete = true"],
        ["delete-older-than = '60d'", "delete-older-than = '30d'"],
        ["delete-untagged-older-than = '1d'", "delete-orphaned-older-than = '1d'"],
        ["keep-releases = 3", "delete = true\nincluding-protected = true"],
        ["tags = '[ab]*'\nkeep = true", "tags = 'a*'\ndelete = true"],
    ],
)
def test_a_rule_with_an_effect_is_not_complained_of(rules):
    assert notes(*rules) == []


globs = st.sampled_from(["*", "a*", "v*", "latest", "pr-1", "sha256-*", "*.sig"])
tags = globs | st.lists(globs, min_size=1, max_size=3)
ages = st.integers(0, 4).map(lambda days: timedelta(days=days))
some_rules = st.one_of(
    st.builds(Keep, tags=tags, including_protected=st.booleans()),
    st.builds(Delete, tags=tags, including_protected=st.booleans()),
    st.builds(DeleteOlderThan, ages, tags=tags, including_protected=st.booleans()),
    st.builds(KeepNewest, st.integers(0, 2), tags=tags, including_protected=st.booleans()),
    st.builds(KeepReleases, st.integers(0, 2), older=st.sampled_from(["leave", "delete"])),
)
SHOWN = {Keep: "keep = true", Delete: "delete = true"}


def as_toml(rule) -> str:
    lines = [SHOWN.get(type(rule), "")]
    if isinstance(rule, DeleteOlderThan):
        lines.append(f"delete-older-than = '{rule.age.days * 86400}s'")
    if isinstance(rule, KeepNewest):
        lines.append(f"keep-newest = {rule.count}")
    if isinstance(rule, KeepReleases):
        lines.append(f"keep-releases = {rule.count}\nolder = '{rule.older}'")
    lines.append(f"tags = {[str(part) for part in parts_of(rule.tags)]}")
    lines.append(f"including-protected = {str(rule.including_protected).lower()}")
    return "\n".join(lines)


@given(st.lists(some_rules, min_size=2, max_size=3), st.data())
def test_a_rule_that_is_called_shadowed_changes_no_decision(some, data):
    found = [one for one in notes(*map(as_toml, some)) if "decides on all" in one]
    for note in found:
        number = int(note.split()[1]) - 1
        names = ["a1", "latest", "pr-1", "v1.0.0", "v1.0.1"]
        given_tags = data.draw(st.permutations(names))
        tagged = [PushedTag(name, NOW - timedelta(days=n)) for n, name in enumerate(given_tags)]
        signed = [PushedTag(f"sha256-{'0' * 64}.sig", NOW - timedelta(days=2))]
        without = [rule for nth, rule in enumerate(some) if nth != number]
        whole, less = Policy(some, floor=0), Policy(without, floor=0)
        kept = [one.keep for one in whole.decide_tags("web", tagged, NOW)]
        assert kept == [one.keep for one in less.decide_tags("web", tagged, NOW)]
        kept_signed = {
            name: one.keep for name, one in whole.decide_referrers("web", signed, NOW).items()
        }
        assert kept_signed == {
            name: one.keep for name, one in less.decide_referrers("web", signed, NOW).items()
        }


VALIDATOR = jsonschema_rs.validator_for(policy_schema())
# What the schema cannot know.
BEYOND = (
    "not a regular expression",
    "no version begins",
    "one of several groups",
    "too long a time",
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.floats(0.1, 0.9),
    st.sampled_from(
        [
            "",
            "*",
            "a*",
            "v1.*",
            "(",
            "30d",
            "1d12h",
            "12h1d",
            "0s",
            "d",
            "images",
            "tags",
            "major",
            "leave",
            "delete",
            "x" * 1001,
        ]
    ),
)
KEYS = sorted(
    {
        key
        for rule in policy_schema()["properties"]["rules"]["items"]["oneOf"]
        for key in rule["properties"]
    }
    | {"keep-pulled-within", "x"}
)
rule_values = st.dictionaries(st.sampled_from(KEYS), scalars, max_size=3)


@st.composite
def likely_rules(draw):
    """Rules that are often right: the keys of one rule, and values of their kinds."""
    schema = draw(st.sampled_from(policy_schema()["properties"]["rules"]["items"]["oneOf"]))
    good = {
        "boolean": st.booleans(),
        "integer": st.integers(0, 5),
        "string": st.sampled_from(["30d", "v1.*", "*", "1w2d", "a", "A,b", "[ ]", "x]", "a/B"]),
    }
    rule = {}
    for key, given_schema in schema["properties"].items():
        # One text, or a list of them.
        one = given_schema.get("anyOf", [given_schema])[0]
        if key in schema["required"] or draw(st.integers(0, 4)) == 0:
            if "anyOf" in given_schema and draw(st.booleans()):
                rule[key] = draw(st.lists(good["string"] | scalars, max_size=3))
            elif draw(st.integers(0, 9)) == 0:
                rule[key] = draw(scalars)
            elif "enum" in one or "const" in one:
                rule[key] = draw(st.sampled_from(one.get("enum", [True])))
            else:
                rule[key] = draw(good[one["type"]])
    return rule


documents = st.fixed_dictionaries(
    {"rules": st.lists(st.one_of(likely_rules(), rule_values), max_size=2) | scalars},
    optional={
        "floor": scalars,
        "max-fraction": scalars,
        "max-deletes": scalars,
        "exclude": scalars | st.lists(scalars, max_size=2),
        "x": scalars,
    },
)


@given(documents)
def test_the_schema_takes_what_the_parser_takes(document):
    read = PolicyText.read(json.dumps(document), "p.json")
    if read.policy is not None:
        VALIDATOR.validate(document)
    elif VALIDATOR.is_valid(document):
        assert all(any(known in one.problem for known in BEYOND) for one in read.mistakes)


@pytest.mark.parametrize(
    "document",
    [
        {"x": 1, "rules": [{"delete": True}]},
        {"rules": [{"delete": True, "x": 1}]},
        {"rules": [{"delete": True, "keep": True}]},
        {"rules": [{"delete": True, "tags": "a", "tags-regex": "a"}]},
        {"rules": [{"delete": True, "repositories": "a", "repositories-regex": "a"}]},
        {"rules": [{"delete-untagged-older-than": "1d", "tags": "a"}]},
        {"rules": [{"keep-newest": 1, "per": "major"}]},
        {"rules": [{"tags": "a"}]},
        {"rules": [{"delete": True, "tags": "v*,latest"}]},
        {"rules": [{"delete": True, "tags": ["v*,latest"]}]},
        {"rules": [{"delete": True, "tags": []}]},
        {"rules": [{"delete": True, "tags-regex": ["a"]}]},
        {"rules": [{"delete": True, "repositories": ["a", ["b"]]}]},
        {"rules": [{"delete": True}], "exclude": [["web"]]},
        {"rules": [{"delete": True, "repositories": "Web"}]},
        {"rules": [{"delete": True}], "exclude": ["Web"]},
        {"rules": [{"delete": True}], "exclude": ""},
        {"rules": []},
        {"rules": {"delete": True}},
        {},
        [],
    ],
)
def test_the_schema_refuses_what_the_parser_refuses(document):
    assert not VALIDATOR.is_valid(document)
    assert PolicyText.read(json.dumps(document), "p.json").mistakes


def test_the_schema_takes_a_policy_with_every_key():
    document = {
        "floor": 1,
        "max-fraction": 0.5,
        "max-deletes": 3,
        "exclude": "production/*",
        "rules": [
            {"keep-newest": 1, "count": "tags", "group-by": "(.*)-.*", "name": "x"},
            {"keep-releases": 1, "per": "major", "older": "delete", "tags-regex": "(.*)"},
            {"delete": True, "tags": "v[0-9]*", "including-protected": True},
            {"delete-orphaned-older-than": "1d", "repositories": "a/b-*"},
        ],
    }
    VALIDATOR.validate(document)
    assert PolicyText.read(json.dumps(document), "p.json").policy is not None


def test_the_schema_describes_every_key():
    assert jsonschema_rs.meta.is_valid(policy_schema())
    for rule in policy_schema()["properties"]["rules"]["items"]["oneOf"]:
        assert all(one["description"].endswith(".") for one in rule["properties"].values())


async def explained(job, tag: str, *rules, in_use=None):
    policy = Policy(rules, floor=0)
    return await explain_tag(job.registry, policy, job.contents, "web", tag, in_use=in_use, now=NOW)


RULES = (
    Keep(tags="main", name="trunk"),
    KeepNewest(1, tags="pr-*"),
    DeleteOlderThan(timedelta(days=14), tags="pr-*"),
    Delete(repositories="api"),
    Delete(),
)


async def test_each_rule_answers_and_the_first_decides(job):
    job.builder.image("pr-2", days=50)
    job.builder.image("pr-1", days=60)
    told = await explained(job, "pr-1", *RULES)
    assert [str(one) for one in told.rules] == [
        "rule 1 (trunk) does not match it",
        "rule 2 matches it, and leaves it to later rules",
        "rule 3 deletes it: older than 14d",
        "rule 4 is for the repositories api",
        "rule 5 would delete it: matches *, and no earlier rule keeps it",
    ]
    assert [one.decides for one in told.rules] == [False, False, True, False, False]
    assert (told.deleted, told.reason) == (True, "older than 14d")
    assert not (await explained(job, "pr-2", *RULES)).deleted


async def test_what_overrules_the_rules_is_the_reason(job):
    job.builder.image("pr-1", days=60)
    job.builder.image("v1.0.0", days=60)
    told = await explained(job, "pr-1", *RULES[2:], in_use=InUse(["example/web:pr-1"]))
    assert (told.deleted, told.reason) == (False, "in use: given as in use")
    protected = await explained(job, "v1.0.0", *RULES)
    assert str(protected.rules[-1]) == (
        "rule 5 does not match it: latest and releases need including-protected"
    )
    assert protected.reason == "protected: latest and releases are kept"


SIGNATURE_RULE = DeleteOrphaned(timedelta(days=1))
SUBJECT_ELSEWHERE = (False, "its subject is, or may be, in another repository")


async def test_a_signature_of_an_image_elsewhere_is_explained_as_it_is_planned(job):
    orphan = f"sha256-{'5' * 64}.sig"
    subject = Builder(job.sandbox.state, "images").image("v1", days=60)
    job.builder.signature(subject, days=60)
    job.builder.referrer(subject, "tagged", days=60)
    job.builder.image(orphan, days=60)
    assert (await explained(job, orphan, SIGNATURE_RULE)).deleted
    told = await explained(job, signature_tag(subject), SIGNATURE_RULE)
    assert (told.deleted, told.reason) == SUBJECT_ELSEWHERE
    assert not (await explained(job, "tagged", SIGNATURE_RULE)).deleted


async def test_a_signature_of_a_longer_digest_is_explained_by_the_lists(job, monkeypatch):
    tag = f"sha512-{'5' * 64}.sig"
    job.builder.image(tag, days=60)
    assert (await explained(job, tag, SIGNATURE_RULE)).deleted
    other = Builder(job.sandbox.state, "images").image("v1", days=60)
    listed = RepositoryHandle.manifests

    class Longer:
        def __init__(self, pager):
            self._pager = pager

        async def collect(self, *, require_complete):
            found = await self._pager.collect(require_complete=require_complete)
            longer = {other: f"sha512:{'5' * 128}"}
            return [evolve(one, digest=longer.get(one.digest, one.digest)) for one in found]

    def manifests(repository, **options):
        pager = listed(repository, **options)
        return Longer(pager) if repository.name == "images" else pager

    monkeypatch.setattr(RepositoryHandle, "manifests", manifests)
    told = await explained(job, tag, SIGNATURE_RULE)
    assert (told.deleted, told.reason) == SUBJECT_ELSEWHERE


async def test_a_subject_that_cannot_be_looked_for_may_be_elsewhere(job, monkeypatch):
    tag = f"sha256-{'5' * 64}.sig"
    job.builder.image(tag, days=60)

    async def refuse(repository, reference):
        raise ServerError("away")

    monkeypatch.setattr(job.contents, "current_digest", refuse)
    told = await explained(job, tag, SIGNATURE_RULE)
    assert (told.deleted, told.reason) == SUBJECT_ELSEWHERE


async def test_a_tag_that_does_not_exist_is_an_error(job):
    job.builder.image("pr-1")
    with pytest.raises(NotFoundError, match="no tag 'gone' in example/web"):
        await explained(job, "gone", *RULES)
