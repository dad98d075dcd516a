"""What images are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry import InvalidNameError
from aioregistry.oci.references import Reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", Reference("web")),
        ("web:v1", Reference("web", "v1")),
        (f"web@{DIGEST}", Reference("web", digest=DIGEST)),
        (f"web:v1@{DIGEST}", Reference("web", "v1", DIGEST)),
        ("example/web:v1", Reference("example/web", "v1")),
        (
            "registry.digitalocean.com/example/web:v1",
            Reference("example/web", "v1", host="registry.digitalocean.com"),
        ),
        ("localhost/example/web", Reference("example/web", host="localhost")),
        ("localhost:5000/web", Reference("web", host="localhost:5000")),
        ("[::1]:5000/web:v1", Reference("web", "v1", host="[::1]:5000")),
        ("MIRROR/example/web:v1", Reference("example/web", "v1", host="MIRROR")),
        ("a_mirror.test/example/web:v1", Reference("example/web", "v1", host="a_mirror.test")),
        ("mirror.test:005000/web", Reference("web", host="mirror.test:005000")),
        ("docker://example/web:v1", Reference("example/web", "v1")),
        (f"docker-pullable://example/web@{DIGEST}", Reference("example/web", digest=DIGEST)),
        (DIGEST, Reference("", digest=DIGEST)),
        (f"docker://{DIGEST}", Reference("", digest=DIGEST)),
    ],
)
def test_a_reference_is_read(text, expected):
    assert Reference.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "''"),
        ("web:", "''"),
        ("web@sha256:short", "sha256:short"),
        ("bad!.host/web", "is no host"),
        ("web:" + "t" * 200, "not a reference"),
        ("w" * 2000, "has 2,000 characters"),
        ("a b", "'a b'"),
    ],
)
def test_what_is_no_reference_is_refused_with_what_is_wrong(text, problem):
    with pytest.raises(InvalidNameError) as caught:
        Reference.parse(text)
    assert str(caught.value).startswith("not a reference")
    assert problem in str(caught.value)


names = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,4})?", fullmatch=True)
references = st.builds(
    Reference,
    st.lists(names, min_size=1, max_size=3).map("/".join),
    st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,10}", fullmatch=True),
    st.none() | st.just(DIGEST),
    st.none() | st.sampled_from(["registry.digitalocean.com", "localhost:5000"]),
).filter(lambda reference: reference.host or not reference.path.startswith("localhost/"))


@given(references)
def test_a_reference_is_written_as_it_is_read(reference):
    assert Reference.parse(str(reference)) == reference


def test_a_digest_alone_is_written_as_it_is_read():
    assert str(Reference.parse(DIGEST)) == DIGEST
    assert str(Reference("")) == ""


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("registry.digitalocean.com/example/web:v1", True),
        ("mirror.test/example/web:v1", True),
        ("mirror.test/cache/example/web:v1", True),
        ("MIRROR/cache/example/web:v1", True),
        ("example/web", True),
        ("web", True),
        (DIGEST, True),
        ("registry.digitalocean.com/example/api", False),
        ("registry.digitalocean.com/other/web", False),
        ("cache/example/web", False),
        ("xexample/web", False),
        ("mirror.test/xexample/web", False),
    ],
)
def test_what_may_mean_a_repository(text, may):
    assert Reference.parse(text).names("example", "web") is may
