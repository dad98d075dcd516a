"""Secrets are taken out of what servers send back, however they are spelled: pure."""

import json
from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.session.secret import redact

TOKEN = "dop_v1_0123456789abcdef0123456789abcdef"
USER, PASSWORD = "someone@example.com", "made-up/pass+word?~="
PAIR = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
BEARER, BASIC = f"Bearer {TOKEN}", f"Basic {PAIR}"

SPELLINGS = {
    "plain": lambda secret: secret,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "percent-encoded to the last": lambda secret: "".join(f"%{ord(c):02x}" for c in secret),
    "percent-encoded twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "JSON": json.dumps,
    "JSON with slashes": lambda secret: secret.replace("/", r"\/"),
    "JSON in JSON": lambda secret: json.dumps(json.dumps(secret.replace("/", r"\/"))),
    "JSON to the last": lambda secret: "".join(f"\\u{ord(c):04X}" for c in secret),
    "Python": lambda secret: repr(secret.encode()),
    "HTML": lambda secret: "".join(f"&#{ord(c)};" for c in secret),
    "HTML in hexadecimals": lambda secret: "".join(f"&#x{ord(c):X};" for c in secret),
    "lower case": str.lower,
    "upper case": str.upper,
    "cut off": lambda secret: secret[:18],
    "in a form": lambda secret: secret.replace("+", " "),
    "for URLs": lambda secret: secret.replace("+", "-").replace("/", "_").rstrip("="),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", [TOKEN, PAIR, PASSWORD, USER])
def test_no_spelling_of_a_secret_stays(spelling, secret):
    text = f"bad header: {SPELLINGS[spelling](secret)}, sorry"
    shown = redact(text, BEARER, BASIC)
    # An underscore of percent-encoding keeps its place as a letter would.
    assert "<redacted>" in shown
    for end in (secret[:6], secret[-6:], SPELLINGS[spelling](secret)[4:12]):
        assert end.lower() not in shown.lower().replace("<redacted>", "")
    assert shown.startswith("bad header: ")
    assert shown.endswith(", sorry")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic", "BASIC"])
def test_the_authorization_of_somebody_else_does_not_stay(scheme):
    other = b64encode(b"another:password-of-another").decode()
    assert redact(f"bad header {scheme} {other}", BEARER) == f"bad header {scheme} <redacted>"


@pytest.mark.parametrize(
    "text",
    [
        "Basic authentication is not supported",
        "bearer token is missing",
        "repository web, tag v1: unknown",
        "Bearer realm=x",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redact(text, BEARER, BASIC) == text


def test_a_short_secret_is_not_searched_for():
    short = b64encode(b"do:seven77").decode()
    text = "do not use seven77 tags"
    assert redact(text, "Bearer seven77", f"Basic {short}") == text
    assert redact("eight888 tags", "Bearer eight888") == "<redacted> tags"


def test_the_longer_of_two_secrets_goes_first():
    assert redact(f"{TOKEN}-more", f"Bearer {TOKEN}-more", BEARER) == "<redacted>"


PRINTABLE = st.characters(min_codepoint=33, max_codepoint=126)


@given(st.text("αβγ ", max_size=60), st.text(PRINTABLE, min_size=8, max_size=60))
def test_any_secret_is_taken_out_of_any_text(text, secret):
    shown = redact(f"{text} {secret} {text}", f"Bearer {secret}")
    assert secret not in shown.replace("<redacted>", "")
    assert shown.startswith(f"{text} <redacted>")


# A few milliseconds; with a look at the rest of the run from each place in it, minutes.
@pytest.mark.timeout(20)
@pytest.mark.parametrize("run", ["\\", "%25", "&#0", "Bearer ", "d", "\\u006"])
def test_no_text_of_a_server_holds_up_the_event_loop(run):
    text = run * (65_536 // len(run))
    assert redact(text, BEARER, BASIC) == text
