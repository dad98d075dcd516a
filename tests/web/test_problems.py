"""Errors of the client as answers of a service."""

import json

import pytest

from aioregistry import errors
from aioregistry.cleanup import CapExceededError
from aioregistry.errors import RateLimitedError, RegistryError
from aioregistry.web import Problem


def limited(seconds: float | None) -> RateLimitedError:
    error = RateLimitedError("no quota")
    error.retry_after = seconds
    return error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.RateLimitedError("x"), 503),
        (errors.ClientClosedError("x"), 503),
        (errors.RegistryTimeoutError("x"), 504),
        (errors.RegistryConnectionError("x"), 502),
        (errors.ServerError("x", status=500), 502),
        (errors.InvalidResponseError("x"), 502),
        (errors.PartialListingError("x"), 502),
        (errors.AuthenticationError("x", status=401), 502),
        (errors.PermissionDeniedError("x", status=403), 502),
        (errors.InvalidTokenError("x"), 502),
        (errors.NotFoundError("x", status=404), 404),
        (errors.ConflictError("x", status=409), 409),
        (errors.PreconditionFailedError("x", status=412), 409),
        (CapExceededError("x"), 409),
        (errors.InvalidNameError("x"), 400),
        (errors.InvalidRequestError("x", status=422), 400),
        (RegistryError("x"), 502),
    ],
)
def test_each_error_has_its_status(error, status):
    problem = Problem.of(error)
    assert problem.status == status
    document = json.loads(problem.body())
    assert document["status"] == status
    assert document["title"]
    assert document["error"] == type(error).__name__
    assert problem.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("seconds", "header"), [(None, "1"), (0.2, "1"), (59.1, "60")])
def test_who_finds_no_quota_is_told_when_to_come_again(seconds, header):
    assert Problem.of(limited(seconds)).headers["Retry-After"] == header


def test_no_url_is_told_and_the_requests_id_is():
    error = errors.NotFoundError(
        "gone", status=404, url="http://internal/v2", request_id="r-1", method="GET"
    )
    body = Problem.of(error).body().decode()
    assert "internal" not in body
    assert json.loads(body)["request_id"] == "r-1"
