"""The vendor's own client against the sandbox: it gets what the vendor's description promises."""

import asyncio
import functools
import warnings
from contextlib import closing

import pytest

from aioregistry.sandbox import Sandbox
from aioregistry.sandbox.seed import generated_state

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pydo = pytest.importorskip("pydo", reason="pydo is not installed")
    pydo_aio = pytest.importorskip("pydo.aio", reason="pydo's asyncio client is not installed")

TAGS = 130


@pytest.fixture
async def sandbox():
    async with Sandbox(generated_state(TAGS, 4)) as running:
        yield running


def options(sandbox):
    return {"token": sandbox.token, "endpoint": sandbox.url}


def walked(fetch, key):
    """Every item of a listing, by page numbers; each call insists that it need not be TLS."""
    number, items = 1, []
    while True:
        page = fetch(page=number, per_page=50, enforce_https=False)
        items += page[key]
        if "next" not in page["links"].get("pages", {}):
            assert len(items) == page["meta"]["total"]
            return items
        number += 1


async def walked_async(fetch, key):
    number, items = 1, []
    while True:
        page = await fetch(page=number, per_page=50, enforce_https=False)
        items += page[key]
        if "next" not in page["links"].get("pages", {}):
            assert len(items) == page["meta"]["total"]
            return items
        number += 1


@pytest.mark.parametrize("family", ["registry", "registries"])
async def test_the_synchronous_client_walks_and_deletes(sandbox, family):
    def use():
        with closing(pydo.Client(**options(sandbox))) as client:
            calls = getattr(client, family)
            names = [
                repository["name"]
                for repository in walked(
                    functools.partial(calls.list_repositories_v2, "example"), "repositories"
                )
            ]
            tags = {
                name: walked(functools.partial(calls.list_repository_tags, "example", name), "tags")
                for name in names
            }
            for tag in tags["platform/auth"]:
                calls.delete_repository_tag(
                    "example", "platform/auth", tag["tag"], enforce_https=False
                )
            gone = calls.delete_repository_tag(
                "example", "platform/auth", tags["platform/auth"][0]["tag"], enforce_https=False
            )
            manifests = walked(
                functools.partial(calls.list_repository_manifests, "example", "web"), "manifests"
            )
            for manifest in manifests:
                calls.delete_repository_manifest(
                    "example", "web", manifest["digest"], enforce_https=False
                )
            return names, tags, gone

    names, tags, gone = await asyncio.to_thread(use)
    assert names == ["api", "platform/auth", "web", "worker"]
    assert sum(map(len, tags.values())) == TAGS
    assert gone["id"] == "not_found"
    assert sandbox.state.registry("example").repository_names == ["api", "platform/auth", "worker"]
    assert sandbox.state.tag_names("example", "platform/auth") == []


async def test_the_asynchronous_client_walks_and_deletes(sandbox):
    async with pydo_aio.Client(**options(sandbox)) as client:
        repositories = await walked_async(
            functools.partial(client.registries.list_repositories_v2, "example"), "repositories"
        )
        for repository in repositories:
            name = repository["name"]
            tags = await walked_async(
                functools.partial(client.registries.list_repository_tags, "example", name), "tags"
            )
            assert len(tags) == repository["tag_count"]
            for tag in tags:
                await client.registries.delete_repository_tag(
                    "example", name, tag["tag"], enforce_https=False
                )
            assert sandbox.state.tag_names("example", name) == []


async def test_the_other_calls_answer_what_is_promised(sandbox):
    sandbox.state.delete_registry("example")
    plain = {"enforce_https": False}

    def use():
        with closing(pydo.Client(**options(sandbox))) as client:
            calls = client.registry
            body = {"name": "fresh", "subscription_tier_slug": "basic", "region": "ams3"}
            assert calls.create(body=body, **plain)["registry"]["name"] == "fresh"
            assert calls.get(**plain)["registry"]["region"] == "ams3"
            assert calls.validate_name(body={"name": "free"}, **plain) is None
            assert "auths" in calls.get_docker_credentials(read_write=True, **plain)
            assert calls.get_options(**plain)["options"]["subscription_tiers"]
            moved = calls.update_subscription(body={"tier_slug": "professional"}, **plain)
            assert moved["subscription"]["tier"]["slug"] == "professional"
            started = calls.run_garbage_collection("fresh", **plain)["garbage_collection"]
            active = calls.get_garbage_collection("fresh", **plain)["garbage_collection"]
            assert active["uuid"] == started["uuid"]
            cancelled = calls.update_garbage_collection(
                "fresh", started["uuid"], body={"cancel": True}, **plain
            )
            assert cancelled["garbage_collection"]["status"] == "cancelling"
            listed = calls.list_garbage_collections("fresh", **plain)
            assert len(listed["garbage_collections"]) == 1
            assert len(client.registries.list(**plain)["registries"]) == 1

    await asyncio.to_thread(use)


async def test_over_tls_nothing_needs_to_be_relaxed(tmp_path):
    pytest.importorskip("trustme", reason="trustme is not installed")
    async with Sandbox(tls=True) as sandbox:
        sandbox.state.push("example", "repo", ["v1"])
        authority = tmp_path / "authority.pem"
        authority.write_bytes(sandbox.certificates.authority)

        def use():
            client = pydo.Client(**options(sandbox), connection_verify=str(authority))
            with closing(client):
                return client.registry.list_repository_tags("example", "repo")

        body = await asyncio.to_thread(use)
        assert [tag["tag"] for tag in body["tags"]] == ["v1"]
