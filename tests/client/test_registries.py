"""Registries of an account: what the API answers of them, and how one is created."""

import json

import pytest

from aioregistry import ConflictError, InvalidRequestError, RegistryClient
from aioregistry.sandbox import Fault, Faults, Phases
from tests.conftest import QUICK


def answering(sandbox, body, route):
    sandbox.faults = Faults(Fault(kind="body", method="GET", route=route, body=json.dumps(body)))


async def test_the_list_of_registries_has_the_bytes_that_all_of_them_store(sandbox, client):
    sandbox.state.push("example", "web", ["v1"])
    registries = await client.registries()
    assert [registry.name for registry in registries] == ["example"]
    assert registries == [*registries]
    assert registries.total_storage_usage_bytes == registries[0].storage_usage_bytes > 0


async def test_a_list_of_registries_without_their_bytes_has_none(sandbox, client):
    answering(sandbox, {"registries": [{"name": "example"}]}, "*/registries")
    assert (await client.registries()).total_storage_usage_bytes is None


async def test_a_registry_is_read_only_during_a_garbage_collection(sandbox, client):
    assert (await client.get_registry()).read_only is False
    sandbox.state.phases = Phases(requested=600.0)
    sandbox.state.start_collection("example")
    assert (await client.get_registry()).read_only is True


@pytest.mark.parametrize("field", ["storage_usage_bytes_updated_at", "storage_usage_updated_at"])
async def test_the_time_of_the_stored_bytes_is_known_by_both_its_names(sandbox, client, field):
    body = {"registry": {"name": "example", field: "2026-01-01T10:00:00Z"}}
    answering(sandbox, body, "*/registry")
    assert (await client.get_registry()).storage_usage_bytes_updated_at.year == 2026


async def test_both_names_at_once_mean_the_described_one(sandbox, client):
    body = {
        "name": "example",
        "storage_usage_updated_at": "2023-01-01T10:00:00Z",
        "storage_usage_bytes_updated_at": "2026-01-01T10:00:00Z",
    }
    answering(sandbox, {"registry": body}, "*/registry")
    assert (await client.get_registry()).storage_usage_bytes_updated_at.year == 2026


@pytest.mark.parametrize("api", ["registry", "registries"])
async def test_a_registry_is_created_by_the_second_family(sandbox, api):
    sandbox.state.subscribe("professional")
    async with RegistryClient(sandbox.token, base_url=sandbox.url, api=api, retry=QUICK) as client:
        created = await client.create_registry("second", region="ams3")
    assert (created.name, created.region) == ("second", "ams3")
    assert created.subscription.tier.slug == "professional"
    assert [request.raw_path for request in sandbox.requests] == ["/v2/registries"]


async def test_a_tier_is_sent_where_one_is_given(sandbox, client):
    sandbox.state.delete_registry("example")
    created = await client.create_registry("fresh", subscription_tier="basic")
    assert created.subscription.tier.slug == "basic"


async def test_a_taken_name_and_a_registry_too_many_are_told_apart(sandbox, client):
    with pytest.raises(ConflictError, match="unique among all accounts: choose another"):
        await client.create_registry("example")
    with pytest.raises(InvalidRequestError, match="allows no further registry"):
        await client.create_registry("second")
    with pytest.raises(InvalidRequestError, match="invalid region") as caught:
        await client.create_registry("third", region="moon")
    assert caught.value.hint == ""


async def test_items_say_of_which_repository_they_are_where_the_api_does_not(sandbox, client):
    for name in ("web", "team/api"):
        sandbox.state.push("example", name, ["v1"])
    registry, digest = client.registry("example"), f"sha256:{'a' * 64}"
    answering(sandbox, {"tags": [{"tag": "v1", "manifest_digest": digest}]}, "*/tags")
    found = [(tag.registry_name, tag.repository) async for tag in registry.tags()]
    assert sorted(found) == [("example", "team/api"), ("example", "web")]
    tags = await registry.repository("web").tags().collect()
    assert [(tag.registry_name, tag.repository) for tag in tags] == [("example", "web")]
    some = {"digest": digest}, {"digest": digest, "repository": "web", "registry_name": "example"}
    for one in some:
        answering(sandbox, {"manifests": [one]}, "*web/digests")
        manifests = await registry.repository("web").manifests().collect()
        assert [(one.registry_name, one.repository) for one in manifests] == [("example", "web")]
