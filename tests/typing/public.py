"""The types that users see. Nothing runs here: mypy and pyright alone read it.

A line that both must refuse has ``type: ignore`` with its code: without the error, the comment is
an error of its own.
"""

from collections.abc import AsyncIterator
from typing import Any, assert_type

from aioregistry import (
    DeletionReport,
    DockerCredentials,
    GarbageCollection,
    Manifest,
    Outcome,
    OutcomeIterator,
    Page,
    PageIterator,
    Pager,
    RateLimitStatus,
    Registry,
    RegistryClient,
    RegistryHandle,
    RegistryList,
    RegistryOptions,
    Repository,
    RepositoryHandle,
    RepositoryV1,
    Subscription,
    Tag,
    TagOutcome,
)
from aioregistry.errors import RegistryError


async def clients() -> None:
    async with RegistryClient() as client:
        assert_type(client, RegistryClient)
    assert_type(await client.open(), RegistryClient)
    assert_type(client.closed, bool)
    assert_type(client.rate_limit_status, RateLimitStatus | None)
    assert_type(client.registry("example"), RegistryHandle)
    assert_type(client.registry(Registry("example")), RegistryHandle)
    assert_type(await client.registry(), RegistryHandle)
    client.registry().tags()  # type: ignore[attr-defined]
    assert_type(await client.registries(), RegistryList)
    assert_type((await client.registries()).total_storage_usage_bytes, int | None)
    assert_type(await client.get_registry(), Registry)
    assert_type(await client.create_registry("example"), Registry)
    assert_type(await client.options(), RegistryOptions)
    assert_type(await client.subscription(), Subscription)
    assert_type(await client.update_subscription("basic"), Subscription)
    assert_type(await client.is_name_available("example"), bool)
    assert_type(await client.docker_credentials(), DockerCredentials)
    RegistryClient(api="registrys")  # type: ignore[arg-type]
    RegistryClient(retry=None)  # type: ignore[arg-type]
    RegistryClient("token", "https://api.test")  # type: ignore[call-arg]


async def lists(registry: RegistryHandle, repo: RepositoryHandle) -> None:
    assert_type(registry.repository("web"), RepositoryHandle)
    assert_type(registry.repositories(), Pager[Repository])
    assert_type(registry.repositories_v1(), Pager[RepositoryV1])
    assert_type(registry.tags(), Pager[Tag])
    assert_type(registry.manifests(), Pager[Manifest])
    assert_type(registry.repository(Tag("example", "web", "v1")), RepositoryHandle)
    assert_type(await repo.get_tag("v1"), Tag)
    assert_type(registry.garbage_collections(), Pager[GarbageCollection])
    assert_type(repo.manifests(), Pager[Manifest])
    async for tag in repo.tags():
        assert_type(tag, Tag)
        assert_type(tag.size_bytes, int | None)
    async for page in repo.tags().pages():
        assert_type(page, Page[Tag])
        assert_type(page.items, tuple[Tag, ...])
    async with repo.tags().pages() as pages:
        assert_type(pages, PageIterator[Tag])
        assert_type(pages.complete, bool | None)
    assert_type(await repo.tags().collect(limit=10), list[Tag])
    assert_type(await repo.tags().first(), Tag | None)
    str((await repo.tags().first()).tag)  # type: ignore[union-attr]


async def deletes(repo: RepositoryHandle, names: AsyncIterator[str]) -> None:
    report = await repo.delete_tags(["v1"], print, on_progress=print, list_first=True)
    assert_type(report, DeletionReport)
    assert_type(report.failed, tuple[Outcome, ...])
    assert_type(report.failed[0].error, RegistryError | None)
    assert_type(await repo.delete_manifests(names), DeletionReport)
    assert_type(await repo.delete_tags(name for name in ("v1", "v2")), DeletionReport)
    assert_type(repo.iter_delete_tags(names), OutcomeIterator)
    async with repo.iter_delete_manifests({"sha256:…"}) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome)
            assert_type(outcome.status == "deleted", bool)
    assert_type(await repo.tag("v1", "stable", force=True), tuple[TagOutcome, ...])
    await repo.delete_tags([1])  # type: ignore[list-item]


async def deletes_of_models(registry: RegistryHandle) -> None:
    assert_type(await registry.delete(registry.tags()), DeletionReport)
    assert_type(await registry.delete([Tag("example", "web", "v1"), Manifest()]), DeletionReport)
    await registry.delete(["web:v1"])  # type: ignore[list-item]


async def collections(registry: RegistryHandle) -> None:
    started = await registry.start_garbage_collection("unreferenced blobs only")
    assert_type(started, GarbageCollection)
    assert_type(await registry.garbage_collection(), GarbageCollection | None)
    waited = await registry.wait_for_garbage_collection(started.uuid)
    assert_type(waited, GarbageCollection)
    assert_type(await registry.wait_for_garbage_collection(), GarbageCollection | None)
    await registry.start_garbage_collection("unreferenced blob only")  # type: ignore[arg-type]
    credentials = await registry.docker_credentials(expiry_seconds=3600)
    assert_type(credentials.config, dict[str, Any])


async def of_either_kind(pager: Pager[Tag | Manifest]) -> Page[Tag | Manifest]:
    return await anext(pager.pages())


async def a_pager_of_one_kind_is_one_of_either(repo: RepositoryHandle) -> None:
    assert_type(await of_either_kind(repo.tags()), Page[Tag | Manifest])
    some: Pager[Tag | Manifest] = repo.manifests()
    await of_either_kind(some)
