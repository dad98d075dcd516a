"""What failed once is not tried again by all who wait, and by nobody when it is for good."""

import pytest

from aioregistry import AuthenticationError, InvalidResponseError, RegistryError, ServerError
from aioregistry.oci.credentials import _REFUSAL_SECONDS, Failures


def failed(error: RegistryError) -> Failures:
    failures = Failures()
    failures.record(error, 100.0)
    return failures


@pytest.mark.parametrize(
    ("error", "is_for_good"),
    [
        (AuthenticationError("no", status=400), True),
        (AuthenticationError("no", status=401), True),
        (AuthenticationError("no", status=499), True),
        (AuthenticationError("later", status=429), False),
        (ServerError("away", status=500), False),
        (ServerError("away"), False),
        (InvalidResponseError("no token"), True),
    ],
)
def test_a_refusal_holds_for_a_while_and_an_outage_for_those_who_waited(error, is_for_good):
    failures = failed(error)
    with pytest.raises(type(error)):
        failures.raise_if_failed(99.0, 1000.0)
    failures.raise_if_failed(100.0, 100.0 + _REFUSAL_SECONDS)
    before_its_end = 100.0 + _REFUSAL_SECONDS - 0.1
    if is_for_good:
        with pytest.raises(type(error)):
            failures.raise_if_failed(100.0, before_its_end)
    else:
        failures.raise_if_failed(100.0, before_its_end)


def test_what_was_done_is_no_failure_any_more():
    failures = failed(InvalidResponseError("no token"))
    failures.forget()
    failures.raise_if_failed(0.0, 100.0)
