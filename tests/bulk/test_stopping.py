"""Answers that every further item would get, too; and items that the list does not have."""

import json

import pytest
from multidict import CIMultiDict

from aioregistry import (
    InvalidNameError,
    NotFoundError,
    PartialListingError,
    RegistryReadOnlyError,
)
from aioregistry.sandbox import Fault, Faults, Phases
from aioregistry.session.answers import Answer
from tests.bulk.registry import Client, names


@pytest.fixture
def repo(sandbox, client):
    for number in range(100):
        sandbox.state.push("example", "web", [f"v{number}"])
    return client.registry("example").repository("web")


def deletes(sandbox):
    return [request for request in sandbox.requests if request.method == "DELETE"]


async def test_a_read_only_registry_stops_a_bulk_delete_at_the_first_answer(sandbox, repo):
    sandbox.state.phases = Phases(requested=600.0)
    sandbox.state.start_collection("example")
    report = await repo.delete_tags(names(100))
    assert len(deletes(sandbox)) == len(report.failed) <= 16
    assert len(report.not_attempted) == 100 - len(report.failed)
    for outcome in (*report.failed, *report.not_attempted):
        assert isinstance(outcome.error, RegistryReadOnlyError)
    assert "Wait for the garbage collection to end" in str(report.not_attempted[0].error)


async def test_one_delete_in_a_read_only_registry_says_to_wait(sandbox, repo):
    sandbox.state.phases = Phases(requested=600.0)
    sandbox.state.start_collection("example")
    with pytest.raises(RegistryReadOnlyError, match="wait_for_garbage_collection"):
        await repo.delete_tag("v1")


def refusal(status, message):
    body = json.dumps({"id": "x", "message": message}).encode()
    return Answer(status, CIMultiDict(), body)


@pytest.mark.parametrize("status", [409, 412, 423])
@pytest.mark.parametrize("message", ["Garbage collection in progress", "registry is READ ONLY"])
async def test_a_garbage_collection_stops_a_bulk_delete_in_whichever_words(
    registry, status, message
):
    registry.seconds = {"v0": 0.01}
    registry.ends = {"v0": [refusal(status, message)]}
    report = await Client(registry).repository.delete_tags(names(100))
    assert registry.count("DELETE") == 4
    assert len(report.not_attempted) == 96
    assert "Wait for the garbage collection" in str(report.not_attempted[0].error)


async def test_another_precondition_stops_nobody_else(registry):
    registry.seconds = dict.fromkeys(names(100), 0.0)
    registry.ends = {"v0": [refusal(412, "not this one")]}
    report = await Client(registry).repository.delete_tags(names(100))
    assert (len(report.failed), len(report.deleted)) == (1, 99)


async def test_what_the_list_does_not_have_is_absent_and_not_sent(sandbox, repo):
    report = await repo.delete_tags(["v1", "typo", "v2"], list_first=True)
    assert [outcome.name for outcome in report.deleted] == ["v1", "v2"]
    assert [(outcome.name, outcome.attempts) for outcome in report.absent] == [("typo", 0)]
    assert len(deletes(sandbox)) == 2


async def test_manifests_can_be_listed_first_as_well(sandbox, repo):
    digest = sandbox.state.push("example", "web", ["new"])
    never = f"sha256:{'0' * 64}"
    report = await repo.delete_manifests([never, digest], list_first=True)
    assert [outcome.name for outcome in report.deleted] == [digest]
    assert [outcome.name for outcome in report.absent] == [never]


async def test_a_name_that_cannot_be_is_an_error_and_not_absent(repo):
    report = await repo.delete_tags(["../v1"], list_first=True)
    assert isinstance(report.failed[0].error, InvalidNameError)


async def test_nothing_is_deleted_without_the_whole_list(sandbox, repo, client):
    with pytest.raises(NotFoundError):
        await client.registry("example").repository("no").delete_tags(["v1"], list_first=True)
    body = json.dumps({"tags": [{"tag": "v1"}], "meta": {"total": 2}})
    sandbox.faults = Faults(Fault(kind="body", method="GET", route="*/tags", body=body))
    with pytest.raises(PartialListingError):
        await repo.delete_tags(["v1"], list_first=True)
    assert not deletes(sandbox)
