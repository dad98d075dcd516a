"""What registries ask for, and to whom credentials may go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.oci.challenges import Challenge, may_learn_credentials, parse_challenges

REALM = "https://api.digitalocean.com/v2/registry/auth"
OWN = "https://registry.digitalocean.com"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic", [Challenge("basic")]),
        ('Basic realm="it"', [Challenge("basic", {"realm": "it"})]),
        (
            'Bearer realm="https://a/t",service="a",scope="repository:x/y:pull,push"',
            [
                Challenge(
                    "bearer",
                    {"realm": "https://a/t", "service": "a", "scope": "repository:x/y:pull,push"},
                )
            ],
        ),
        (
            'Basic realm="a", Bearer realm = "b" , service=c',
            [
                Challenge("basic", {"realm": "a"}),
                Challenge("bearer", {"realm": "b", "service": "c"}),
            ],
        ),
        (r'Bearer realm="a \"b\" \\c"', [Challenge("bearer", {"realm": 'a "b" \\c'})]),
        ('Bearer REALM="a",realm="b"', [Challenge("bearer", {"realm": "a"})]),
        ('Bearer realm="never closed', [Challenge("bearer")]),
    ],
)
def test_a_header_is_read(header, expected):
    assert parse_challenges(header) == expected


@given(st.text())
def test_any_header_is_read_without_an_error(header):
    parse_challenges(header)


@pytest.mark.parametrize(
    ("realm", "own", "may"),
    [
        (REALM, OWN, True),
        ("http://127.0.0.1:5000/token", "http://127.0.0.1:5000", True),
        ("http://127.0.0.1:5001/token", "http://127.0.0.1:5000", False),
        ("https://evil.test/token", OWN, False),
        ("https://digitalocean.com.evil.test/token", OWN, False),
        ("https://evildigitalocean.com/token", OWN, False),
        ("http://api.digitalocean.com/token", OWN, False),
        ("https://api.digitalocean.com:8443/token", OWN, False),
        ("https://user@api.digitalocean.com/token", OWN, False),
        (REALM, "https://registry.test", False),
        ("https://[::1/token", OWN, False),
        ("", OWN, False),
    ],
)
def test_credentials_go_to_the_registry_and_the_vendor_alone(realm, own, may):
    assert may_learn_credentials(realm, own) is may
