"""What an answer means: pure."""

import pytest
from multidict import CIMultiDict

from aioregistry.errors import (
    InvalidResponseError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
)
from aioregistry.session.answers import (
    Answer,
    ErrorBody,
    classify,
    is_ambiguous,
    is_success,
    parse_error_body,
)

TOKEN = "dop_v1_0123456789abcdef"


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, CIMultiDict(named), body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"id": "x", "message": "y", "request_id": "z"}', ("x", "y", "z")),
        (b'{"message": "y"}', (None, "y", None)),
        (
            b'{"errors": [{"code": "DENIED", "message": "not yours"}]}',
            ("DENIED", "not yours", None),
        ),
        (b'{"errors": [{"code": "A"}, {"code": "B", "message": "b"}]}', ("A", None, None)),
        (b'{"errors": [{"code": 1, "message": ["no"]}]}', (None, None, None)),
        (b'{"errors": []}', (None, None, None)),
        (b'{"errors": ["no"]}', (None, None, None)),
        (b'{"id": 5, "errors": [{"message": "b"}]}', (None, "b", None)),
        (b"[]", (None, None, None)),
        (b"<html>", (None, None, None)),
        (b"\xff", (None, None, None)),
        (b'{"errors": ' + b"[" * 100_000, (None, None, None)),
    ],
)
def test_errors_are_read_in_the_apis_form_and_in_the_protocols(body, said):
    assert parse_error_body(body) == ErrorBody(*said)


def test_the_message_of_an_error_is_bounded():
    error, _ = classify(answer(500, b'{"message": "%s"}' % (b"x" * 5000)), now=0.0)
    assert len(error.message) == 1001
    assert error.message.endswith("x…")


@pytest.mark.parametrize("place", ["id", "message", "request_id", "errors", "header"])
def test_no_part_of_an_error_repeats_the_authorization(place):
    told = f"Bearer {TOKEN}".encode()
    body = b'{"%s": "%s"}' % (place.encode(), told)
    if place == "errors":
        body = b'{"errors": [{"code": "%s", "message": "%s"}]}' % (told, told)
    error, _ = classify(answer(403, body, x_request_id=told.decode()), f"Bearer {TOKEN}", now=0.0)
    assert TOKEN not in str(error) + str(vars(error))
    assert "<redacted>" in str(error)


def test_a_secret_at_the_end_of_what_is_shown_is_not_cut_in_two():
    said = "x" * 990 + TOKEN
    error, _ = classify(answer(403, b'{"message": "%s"}' % said.encode()), f"Bearer {TOKEN}", now=0)
    assert TOKEN[:7] not in error.message


def test_an_answer_does_not_show_what_it_repeats():
    told = answer(200, TOKEN.encode(), echo=TOKEN)
    assert TOKEN not in repr(told)


@pytest.mark.parametrize(
    ("status", "too_large", "problem"),
    [(302, False, "a redirect"), (200, True, "too large a body"), (200, False, "a page")],
)
def test_what_no_further_attempt_would_mend_is_an_invalid_response(status, too_large, problem):
    told = Answer(status, CIMultiDict(), b"", too_large=too_large)
    error, failure = classify(told, now=0.0, server="registry")
    assert isinstance(error, InvalidResponseError)
    assert error.message.startswith(f"the registry answered with {problem}")
    assert failure.status == status


def test_an_error_without_words_is_said_to_be_the_servers():
    error, _ = classify(answer(502), now=0.0, server="token service")
    assert isinstance(error, ServerError)
    assert error.message == "the token service answered with status 502"


def test_a_429_says_when_to_come_again():
    error, failure = classify(answer(429, retry_after="7"), now=0.0)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == failure.retry_after == 7
    error, failure = classify(answer(429, ratelimit_reset="107"), now=100.0)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == failure.retry_after == 7
    error, failure = classify(answer(503, ratelimit_reset="107"), now=100.0)
    assert failure.retry_after is None


def test_a_403_is_a_permission_denied():
    error, failure = classify(answer(403), now=0.0)
    assert isinstance(error, PermissionDeniedError)
    assert failure.status == 403


@pytest.mark.parametrize(
    ("status", "ambiguous"),
    [(200, True), (404, False), (429, False), (500, True), (502, True), (503, False), (520, True)],
)
def test_which_errors_leave_open_whether_a_request_was_carried_out(status, ambiguous):
    assert is_ambiguous(answer(status)) is ambiguous


@pytest.mark.parametrize(
    ("status", "is_delete", "before", "success"),
    [
        (200, False, False, True),
        (204, True, False, True),
        (202, True, False, True),
        (404, True, False, False),
        (404, True, True, True),
        (404, False, True, False),
        (500, True, True, False),
    ],
)
def test_what_counts_as_success(status, is_delete, before, success):
    told = answer(status)
    assert is_success(told, is_delete=is_delete, may_have_taken_effect=before) is success


@pytest.mark.parametrize("media_type", ["text/html; charset=utf-8", "Text/HTML"])
def test_a_page_is_no_success_of_a_delete(media_type):
    told = answer(200, content_type=media_type)
    assert not is_success(told, is_delete=True, may_have_taken_effect=False)


def test_a_body_that_is_too_large_is_no_success():
    told = Answer(200, CIMultiDict(), b"", too_large=True)
    assert not is_success(told, is_delete=False, may_have_taken_effect=False)


def test_no_part_of_an_error_takes_over_a_terminal():
    body = b'{"id": "\\u001b[2J", "message": "a\\nb", "request_id": "\\u001b[31m\\u202e"}'
    error, _ = classify(answer(403, body), now=0.0)
    error.hint = "see\x1b[0m"
    assert str(error).isprintable()
