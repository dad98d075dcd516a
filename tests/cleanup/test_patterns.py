"""Patterns for names, and that none hangs the process."""

import fnmatch
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.policy.patterns import MAX_GLOBS, Glob, Globs, Regex, matcher_of, pattern
from aioregistry.cleanup.policy.rules import Delete


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("*", "", True),
        ("*", "a/b", True),
        ("pr-*", "pr-17", True),
        ("pr-*", "xpr-17", False),
        ("pr-*", "pr", False),
        ("v?", "v1", True),
        ("v?", "v12", False),
        ("[ab]x", "bx", True),
        ("[!ab]x", "bx", False),
        ("v1.0", "v1x0", False),
        ("A", "a", False),
        ("a", "a\n", False),
    ],
)
def test_a_glob_matches_all_of_a_name(glob, name, matches):
    assert Glob(glob).matches(name) is matches


@given(st.text("ab*?", min_size=1, max_size=8), st.text("ab", max_size=8))
def test_a_glob_matches_what_the_standard_library_says(glob, name):
    assert Glob(glob).matches(name) is fnmatch.fnmatchcase(name, glob)


def in_time(work) -> bool:
    """Whether work that would take a backtracking matcher years ends at all."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(120)
    return not thread.is_alive()


@pytest.mark.parametrize("glob", ["*a" * 400 + "b", "*" * 900 + "b", "?*" * 400 + "b"])
def test_no_glob_hangs(glob):
    assert in_time(lambda: Glob(glob).matches("a" * 2000))


@pytest.mark.parametrize("regex", ["(a+)+b", "(a|a)*b", "(.*)*b", "(a?){500}a{500}b"])
def test_no_regular_expression_hangs(regex):
    assert in_time(lambda: Regex(regex).matches("a" * 2000))


@pytest.mark.parametrize(
    ("regex", "name", "matches"),
    [
        (r"pr-\d+", "pr-17", True),
        (r"pr-\d+", "xpr-17", False),
        (r"pr-\d+", "pr-17x", False),
        ("a|b", "b", True),
        ("a|b", "ax", False),
    ],
)
def test_a_regular_expression_matches_all_of_a_name(regex, name, matches):
    assert Regex(regex).matches(name) is matches


def test_groups_are_what_they_matched():
    assert Regex(r"(\w+)-(\d+)(x)?").groups("main-17") == ("main", "17", None)
    assert Regex(r"(\w+)-(\d+)(x)?").groups("main") is None


@pytest.mark.parametrize("regex", ["(", "(?=a)", r"(a)\1", "a{1000}{1000}"])
def test_what_re2_cannot_match_is_refused_at_once(regex):
    with pytest.raises(ValueError, match="not a regular expression of RE2: "):
        Regex(regex)


@pytest.mark.parametrize(("kind", "called"), [(Glob, "glob"), (Regex, "regex")])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must be a text, and not empty: ''"),
        (5, "must be a text, and not empty: 5"),
        ("a" * 1001, "may have 1000 characters, not 1,001"),
        ("a\ud800", "must be a text: 'a\\ud800'"),
        ("\udfffa", "must be a text: '\\udfffa'"),
    ],
)
def test_a_pattern_is_a_text_and_has_a_length(kind, called, text, problem):
    with pytest.raises(ValueError, match=f"^a {called} ") as caught:
        kind(text)
    assert str(caught.value) == f"a {called} {problem}"


@pytest.mark.parametrize("kind", [Glob, Regex])
@pytest.mark.parametrize("text", ["a" * 1000, "\ud7ff", "\ue000"])
def test_what_is_no_longer_than_allowed_is_a_pattern(kind, text):
    assert kind(text).matches(text)


def test_without_re2_a_regular_expression_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        Regex("a")
    assert str(caught.value) == (
        "regular expressions need google-re2: pip install 'aioregistry-do[cleanup]', or use a glob"
    )


@pytest.mark.parametrize(
    ("given", "literal"),
    [
        (Glob("latest"), "latest"),
        (Glob("v1.0.0"), "v1.0.0"),
        (Glob("l*"), None),
        (Glob("[l]atest"), None),
        (Regex("latest"), "latest"),
        (Regex("v1.0"), None),
        (Regex("a|b"), None),
    ],
)
def test_a_pattern_for_one_name_knows_it(given, literal):
    assert given.literal == literal


def test_patterns_are_written_so_that_they_can_be_told_apart():
    assert (str(Glob("a*")), str(Regex("a.*"))) == ("a*", "/a.*/")
    assert pattern("a*") == Glob("a*")
    assert pattern(Regex("a")) == Regex("a")


# Several.


@given(
    st.lists(st.text("ab*?", min_size=1, max_size=4), min_size=1, max_size=4),
    st.text("ab", max_size=6),
)
def test_several_globs_match_what_one_of_them_matches(globs, name):
    several = pattern(globs)
    expected = any(Glob(one).matches(name) for one in globs)
    assert several.matches(name) is expected
    assert bool(matcher_of(several)(name)) is expected


def test_several_globs_are_told_as_such():
    assert str(pattern(["pr-*", "dev-*"])) == "pr-* or dev-*"
    assert pattern(["a"]) == pattern(("a",)) == Globs((Glob("a"),))


@pytest.mark.parametrize("globs", [[], ["a"] * (MAX_GLOBS + 1), ["a", ""], ["a", 1], [["a"]]])
def test_lists_of_globs_that_are_none_are_refused(globs):
    with pytest.raises(ValueError, match="glob"):
        pattern(globs)


@pytest.mark.parametrize("given", [None, 5, {"pr-*"}, b"pr-*"])
def test_what_is_no_pattern_is_refused_where_the_rule_is_made(given):
    for name in ("tags", "repositories"):
        with pytest.raises(TypeError, match="a pattern is a text, a list of texts"):
            Delete(**{name: given})
