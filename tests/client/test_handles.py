"""From what lists yield to handles and deletes, and one tag by name."""

import pytest

from aioregistry import (
    InvalidNameError,
    Manifest,
    NotFoundError,
    PartialListingError,
    PreconditionFailedError,
    Registry,
    Repository,
    Tag,
)
from tests.conftest import push_tags


async def test_the_only_registry_needs_no_name(client, sandbox):
    sandbox.state.push("example", "web", ["v1"])
    registry = await client.registry()
    assert registry == client.registry("example")
    assert registry == client.registry(Registry("example"))
    sandbox.state.add_registry("other")
    with pytest.raises(PreconditionFailedError):
        await client.registry()


async def test_what_a_list_yielded_has_its_handle(client, sandbox):
    sandbox.state.push("example", "team/web", ["v1"])
    registry = client.registry("example")
    handle = registry.repository("team/web")
    assert registry.repository(await registry.repositories().first()) == handle
    assert registry.repository(await registry.tags().first()) == handle
    assert registry.repository(await registry.manifests().first()) == handle
    with pytest.raises(ValueError, match="registry 'other'"):
        registry.repository(Repository("other", "web"))


async def test_tags_and_manifests_of_any_repository_are_deleted_at_once(client, sandbox):
    state = sandbox.state
    state.push("example", "web", ["v1", "v2"])
    state.push("example", "team/api", ["v1"])
    digest = state.push("example", "team/api", ["old"])
    registry = client.registry("example")
    tags = [tag async for tag in registry.tags() if tag.tag == "v1"]
    manifest = Manifest("example", "team/api", digest)
    report = await registry.delete([*tags, manifest, Tag("example", "web", "none")])
    deleted = {outcome.name for outcome in (*report.deleted, *report.absent)}
    assert deleted == {"web:v1", "web:none", "team/api:v1", f"team/api@{digest}"}
    assert state.tag_names("example", "web") == ["v2"]
    assert state.tag_names("example", "team/api") == []


async def test_a_walk_is_deleted_as_it_goes(client, sandbox):
    push_tags(sandbox.state, 30)
    registry = client.registry("example")
    seen = []
    report = await registry.delete(registry.tags(), seen.append, on_progress=print)
    assert len(report.deleted) == len(seen) == 30
    assert await registry.tags().collect() == []


async def test_an_item_of_another_registry_is_refused_before_anything_is_sent(client, sandbox):
    sandbox.state.push("example", "web", ["v1"])
    registry = client.registry("example")
    with pytest.raises(ValueError, match="other"):
        await registry.delete([Tag("example", "web", "v1"), Tag("other", "web", "v1")])
    for wrong in (["web:v1"], "web"):
        with pytest.raises(TypeError, match="Tag and Manifest"):
            await registry.delete(wrong)
    assert sandbox.request_count == 0


async def test_a_tag_is_found_by_its_name(client, sandbox):
    push_tags(sandbox.state, 250)
    repo = client.registry("example").repository("repo")
    assert (await repo.get_tag("v249")).tag == "v249"
    with pytest.raises(NotFoundError, match="'none'"):
        await repo.get_tag("none")
    before = sandbox.request_count
    with pytest.raises(InvalidNameError):
        await repo.get_tag("not a tag")
    assert sandbox.request_count == before


async def test_a_tag_is_not_said_to_be_absent_by_a_list_that_moves(client, sandbox, monkeypatch):
    push_tags(sandbox.state, 3)
    repo = client.registry("example").repository("repo")
    monkeypatch.setattr("aioregistry.paging.pager.PageIterator._end", _incomplete)
    with pytest.raises(PartialListingError, match="'none'"):
        await repo.get_tag("none")


def _incomplete(pages, *, complete):
    pages._ended, pages.complete = True, False
