"""What became of the latest requests."""

import pytest

from aioregistry.session.exchange import RecentRequests


@pytest.mark.parametrize(
    ("error", "status", "newest"),
    [
        (None, 200, "answered"),
        (None, 404, "answered"),
        ("PermissionDeniedError", 403, "answered"),
        ("NotFoundError", 404, "answered"),
        ("InvalidResponseError", 302, "answered"),
        ("AuthenticationError", 401, "refused"),
        ("InvalidTokenError", None, "refused"),
        ("ServerError", 500, "failed"),
        ("RegistryConnectionError", None, "failed"),
        ("RegistryTimeoutError", None, "failed"),
        ("RegistryConnectionError", 503, "failed"),
        ("RateLimitedError", None, None),
        ("RateLimitedError", 429, None),
        ("CancelledError", None, None),
        ("ClientClosedError", None, None),
    ],
)
def test_each_end_of_a_request_has_its_result(error, status, newest):
    recent = RecentRequests()
    recent.record(error, status, 7.0)
    assert recent.newest == newest
    assert recent.newest_at == (0.0 if newest is None else 7.0)
    assert recent.answered_at == (7.0 if newest == "answered" else None)


def test_failures_are_counted_until_another_result():
    recent = RecentRequests()
    for now in range(3):
        recent.record("ServerError", 503, now)
    recent.record("CancelledError", None, 4)
    assert recent.failures == 3
    recent.record(None, 200, 5)
    assert recent.failures == 0
