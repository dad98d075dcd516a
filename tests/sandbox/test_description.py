"""Every answer of the sandbox against the vendor's description."""

import asyncio
import threading
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from aioregistry.sandbox import Phases, Sandbox
from aioregistry.sandbox.seed import generated_state
from tests.drawing import draws

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from schemathesis.core.failures import (
        AcceptedNegativeData,
        FailureGroup,
    )
    from schemathesis.openapi.checks import RejectedPositiveData

DATA_RULES = (AcceptedNegativeData, RejectedPositiveData)

DESCRIPTION = Path(__file__).parents[3] / "shared" / "do-registry-openapi.yaml"
if not DESCRIPTION.exists():
    pytest.skip("the vendor's description is not here", allow_module_level=True)

schema = schemathesis.openapi.from_path(DESCRIPTION)


def filled():
    state = generated_state(60, 3)
    state.phases = Phases(waiting_for_deletes=0)
    return state


@pytest.fixture(scope="module")
def sandbox():
    """A sandbox in a thread of its own: schemathesis blocks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running = Sandbox(filled())
    asyncio.run_coroutine_threadsafe(running.start(), loop).result()
    yield running
    asyncio.run_coroutine_threadsafe(running.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@schema.hook
def map_path_parameters(context, path_parameters):
    """Let every other name be one that is there."""
    there = {"registry_name": "example", "repository_name": "web", "repository_tag": "latest"}
    return {
        name: there.get(name, value) if len(str(value)) % 2 else value
        for name, value in (path_parameters or {}).items()
    }


def is_clamped(case, response):
    """``per_page`` above 200 is clamped rather than refused."""
    return response.status_code == 200 and "per_page" in (case.query or {})


def is_ignored(case, response):
    """Query parameters that the description does not know are ignored."""
    declared = {"page", "per_page", "page_token", "expiry_seconds", "read_write"}
    return response.status_code < 300 and set(case.query or {}) - declared


def is_given_several_times(case, response):
    """Of a query parameter given several times the last counts; to the rules it is a list."""
    several = any(isinstance(value, list) for value in (case.query or {}).values())
    return response.status_code < 300 and several


def is_a_name_that_registries_cannot_have(case, response):
    """A registry's name begins with a letter and ends with a letter or a digit."""
    return response.status_code == 422 and response.json()["message"] == "invalid registry name"


def is_a_token_that_was_never_given(case, response):
    """A page token is any string to the description; a bad one is a 400."""
    return response.status_code == 400 and response.json()["message"] == "invalid page token"


def is_a_tier_that_holds_too_little(case, response):
    """412 has other causes than several registries."""
    return response.status_code == 412 and "not eligible for tier" in response.json()["message"]


def is_a_second_registry_where_there_may_be_one(case, response):
    """Seen since 2021; the description has no 422."""
    text = response.json().get("message") if response.status_code == 422 else ""
    return text == "user already has a registry"


def is_a_subscription_to_nothing(case, response):
    """A move to another tier needs a ``tier_slug``, which the description does not require."""
    named = isinstance(case.body, dict) and "tier_slug" in case.body
    return response.status_code in {400, 422} and case.path.endswith("/subscription") and not named


DIFFERENCES = (
    is_clamped,
    is_ignored,
    is_given_several_times,
    is_a_name_that_registries_cannot_have,
    is_a_token_that_was_never_given,
    is_a_tier_that_holds_too_little,
    is_a_second_registry_where_there_may_be_one,
    is_a_subscription_to_nothing,
)


@pytest.mark.slow(0.3)
@schema.parametrize()
@settings(draws(6), suppress_health_check=list(HealthCheck))
def test_no_answer_is_outside_the_description(case, sandbox):
    sandbox.state = filled()
    headers = {"Authorization": f"Bearer {sandbox.token}"}
    response = case.call(base_url=sandbox.url, headers=headers)
    try:
        case.validate_response(response, headers=headers)
    except FailureGroup as failures:
        # The rules about what is to be accepted and refused; what is answered has to fit always.
        rest = [found for found in failures.exceptions if not isinstance(found, DATA_RULES)]
        if rest or not any(difference(case, response) for difference in DIFFERENCES):
            raise


def test_the_description_does_not_know_one_status_of_garbage_collections():
    described = schema.raw_schema["components"]["schemas"]["garbage_collection"]
    known = set(described["properties"]["status"]["enum"])
    walked = {status for status, _ in Phases().in_order()}
    assert walked - known == {"waiting for delete requests"}
