"""Errors of the client as answers of a service."""

import importlib
import json
from contextlib import suppress

import pytest

from aioregistry import BulkDeleteError, errors
from aioregistry.cleanup import CapExceededError, InUseError
from aioregistry.cleanup.state_folder import CleanupUnderWayError
from aioregistry.errors import RateLimitedError, RegistryError
from aioregistry.web import JobStoreError, JobStoreRefusedError, Problem
from aioregistry.web.problems import describe
from tests.test_layers import MODULES


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
        # To wait cannot help: a password, a right, TLS or a name is wrong.
        (errors.SharedQuotaError("x"), 502),
        (JobStoreRefusedError("x"), 502),
        (JobStoreError("x"), 503),
        (errors.NotFoundError("x", status=404), 404),
        (errors.ConflictError("x", status=409), 409),
        (errors.PreconditionFailedError("x", status=412), 409),
        (CapExceededError("x"), 409),
        (CleanupUnderWayError("x"), 409),
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


def every_error() -> list[type[RegistryError]]:
    """All kinds of errors of the package, which are known once its modules are loaded."""
    for name in MODULES:
        elsewhere = name.startswith(("aioregistry.cli", "aioregistry.fleet"))
        if not elsewhere and not name.endswith("__main__"):
            # What an extra that is not installed would bring has no errors here.
            with suppress(ImportError):
                importlib.import_module(name)
    found, left = [], [RegistryError]
    while left:
        found.append(left.pop())
        left += found[-1].__subclasses__()
    # A fleet is worked on by a command, not by a service.
    ours = [kind for kind in found if kind.__module__.startswith("aioregistry.")]
    return [kind for kind in ours if not kind.__module__.startswith("aioregistry.fleet.")]


def test_a_kind_that_is_a_modules_own_is_told_as_the_one_that_it_is_of():
    class _OwnError(InUseError):
        pass

    problem = Problem.of(_OwnError("x"))
    assert (problem.status, problem.error) == (409, "InUseError")
    assert problem.detail == "what is in use is not known"


def test_each_kind_of_error_says_what_it_is():
    general = {"RegistryError", "ResponseError", "InvalidResponseError"}
    vague = set()
    for kind in every_error():
        error = kind("x", [RegistryError("x")]) if kind is BulkDeleteError else kind("x")
        if "otherwise than it promises" in describe(error):
            vague.add(kind.__name__)
    assert vague == general
