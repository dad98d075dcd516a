"""Which names are let through, and that none leads to another route."""

import string
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry import InvalidNameError
from aioregistry.api.endpoints import FIRST_FAMILY, repository_path
from aioregistry.api.names import (
    check_digest,
    check_garbage_collection_uuid,
    check_registry,
    check_repository,
    check_tag,
    quote_segment,
)

SHA = "sha256:" + "0123456789abcdef" * 4
UUID = "eff0feee-49c7-4e8f-ba5c-a320c109c8a8"

GOOD = {
    check_registry: ["a", "a1", "example", "a-b", "a" * 63],
    check_repository: ["a", "0", "my/repo", "a.b_c__d-e--f/g", "a" * 255],
    check_tag: ["v1", "_", "V1.0-rc.1_x", "0", "a" * 128, "sha256-abc.sig"],
    check_digest: [SHA, "sha512:" + "a" * 128],
    check_garbage_collection_uuid: [UUID, UUID.upper()],
}
KINDS = {
    check_registry: "registry",
    check_repository: "repository",
    check_tag: "tag",
    check_digest: "digest",
    check_garbage_collection_uuid: "garbage collection UUID",
}
BAD = {
    check_registry: ["", "-a", "a-", "1a", "A", "a_b", "a.b", "a/b", "a" * 64, "a\n"],
    check_repository: ["", "/a", "a/", "a//b", "A", "a..b", "a._b", "a___b", "-a", "a" * 256],
    check_tag: ["", ".", "..", ".a", "-a", "a" * 129, "a/b", "a:b", "a\n", "ä"],
    check_digest: ["", "sha256:", SHA[:-1], SHA + "0", SHA.upper(), "md5:" + "a" * 32, SHA[7:]],
    check_garbage_collection_uuid: ["", "x", UUID[:-1], UUID + "0", UUID.replace("-", "")],
}
HOSTILE = [
    ".", "..", "a/../b", "%2e%2e", "%2F", "a?b", "a#b", "a;b", "a b", "a\\b", "a\0b", "a\r\nb",
    "\x1b[2J",
    "a%00", "\uff0f", "\u200b", "a" * 10_240, "../" * 100, "x/../../../../v2/account",
]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "name"), [(check, name) for check, names in GOOD.items() for name in names]
)
def test_what_a_registry_can_hold_passes_unchanged(check, name):
    assert check(name) == name


@pytest.mark.parametrize(
    ("check", "name"),
    [(check, name) for check, names in BAD.items() for name in (*names, *HOSTILE)]
    + [(check, value) for check in BAD for value in (None, 1, b"a", ["a"], True)],
)
def test_everything_else_is_refused_as_a_name_and_as_a_value(check, name):
    with pytest.raises(InvalidNameError) as caught:
        check(name)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("check", "name", "rule"),
    [
        (check_registry, "1a", "1-63 of a-z 0-9 -, first a letter, last no -"),
        (
            check_repository,
            "A",
            "lowercase letters and digits, inside also . _ -, in parts divided by /",
        ),
        (check_repository, "a" * 256, "at most 255 characters"),
        (check_tag, ".a", "1-128 of A-Z a-z 0-9 _ . -, first not . or -"),
        (check_digest, SHA[:-1], "sha256: and 64 hexadecimal digits in lower case"),
        (check_garbage_collection_uuid, "latest", "8-4-4-4-12 hexadecimal digits"),
    ],
)
def test_a_refusal_shows_the_name_and_tells_the_rule(check, name, rule):
    with pytest.raises(InvalidNameError) as caught:
        check(name)
    kind = KINDS[check]
    assert str(caught.value) == f"not a valid {kind}: '{name[:80]}' (a {kind} is {rule})"


@pytest.mark.parametrize("name", ["options", "subscription", "validate-name"])
def test_a_registry_is_not_called_like_a_route_of_the_api(name):
    with pytest.raises(InvalidNameError) as caught:
        check_registry(name)
    assert str(caught.value) == f"not a valid registry: {name!r} is a route of the API"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b", "'a b'"),
        ("é" * 200, f"'{'é' * 80}'"),
        # What is written with escapes is cut once more: the message stays a short one.
        ("\x1b" * 200, ("'" + "\\x1b" * 80)[:160]),
        (None, "a NoneType, not a str: None"),
        (b"a", "a bytes, not a str: b'a'"),
        (["a"] * 100, "a list, not a str: ['a', 'a', 'a', 'a', 'a', 'a', ...]"),
    ],
)
def test_a_refusal_shows_in_short_what_was_given(name, shown):
    with pytest.raises(InvalidNameError) as caught:
        check_tag(name)
    told = str(caught.value).removeprefix("not a valid tag: ").partition(" (a tag is ")[0]
    assert told == shown


@given(name=st.text())
def test_a_quoted_name_is_one_segment_and_comes_back_the_same(name):
    quoted = quote_segment(name)
    assert set(quoted) <= set(string.ascii_letters + string.digits + "-._~%:")
    assert unquote(quoted, errors="strict") == name


SEGMENT = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="abAB019._-/%?#:\\ \n", max_size=20),
    st.sampled_from(HOSTILE),
    st.sampled_from([name for names in GOOD.values() for name in names]),
)


@given(registry=SEGMENT, repository=SEGMENT, tag=SEGMENT)
def test_whatever_is_given_the_path_keeps_its_shape(registry, repository, tag):
    try:
        request = FIRST_FAMILY.delete_tag(repository_path(registry, repository), tag)
    except InvalidNameError:
        return
    parts = request.target.split("/")
    assert parts[:3] == ["", "v2", "registry"]
    assert [unquote(part) for part in parts[3:]] == [
        registry,
        "repositories",
        repository,
        "tags",
        tag,
    ]
    assert not set(parts) & {".", ".."}
