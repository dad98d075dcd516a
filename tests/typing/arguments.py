"""Arguments that are easily given wrong: mypy and pyright refuse them.

A line that both must refuse has ``type: ignore``: without the error, the comment is an error of its
own.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import assert_type

from aioregistry import DeletionReport, RegistryClient, RegistryHandle, RepositoryHandle
from aioregistry.cleanup import (
    ContentReader,
    Delete,
    DistributionWriter,
    InUse,
    ManifestStore,
    Plan,
    Policy,
    apply_plan,
    collect_garbage,
    make_plan,
    read_in_use,
    undo,
)
from aioregistry.images import copy_image
from aioregistry.sandbox import Sandbox
from aioregistry.usage import measure_usage
from aioregistry.web import Job, Jobs


async def several_names_are_not_one(
    registry: RegistryHandle, repo: RepositoryHandle, contents: ContentReader, store: ManifestStore
) -> None:
    await repo.delete_tags("v1.0.0")  # type: ignore[arg-type]
    await repo.delete_manifests("sha256:…")  # type: ignore[arg-type]
    repo.iter_delete_tags("v1.0.0")  # type: ignore[arg-type]
    repo.iter_delete_manifests("sha256:…")  # type: ignore[arg-type]
    await registry.delete("web:v1.0.0")  # type: ignore[arg-type]
    policy = Policy([Delete(tags="pr-*")], exclude="base/*")
    Policy(Delete(tags="pr-*"))  # type: ignore[arg-type]
    Delete(tags=["pr-*", "dev-*"], repositories=("web", "api"))
    Delete(tags=[1])  # type: ignore[list-item]
    await make_plan(registry, policy, contents, repositories="web")  # type: ignore[arg-type]
    await make_plan(registry, policy, contents, in_use="web:v1")  # type: ignore[arg-type]
    await undo(store, Path(), repositories="web")  # type: ignore[arg-type]
    await undo(store, Path(), tags="v1.0.0")  # type: ignore[arg-type]
    InUse("web:v1.0.0")  # type: ignore[arg-type]
    read_in_use("web:v1.0.0", "stdin", ignore_kinds="Service")  # type: ignore[arg-type]
    Sandbox().state.push("example", "web", "v1.0.0")  # type: ignore[arg-type]


async def collections_of_all_kinds_are_several_names(
    repo: RepositoryHandle, given: Collection[str], some: Iterable[str], more: Mapping[str, int]
) -> None:
    for names in (given, more, more.keys(), iter(some), deque(some), (name for name in some)):
        assert_type(await repo.delete_tags(names), DeletionReport)
    assert_type(await repo.delete_tags(map(str, range(9))), DeletionReport)
    assert_type(await repo.delete_tags(frozenset({"v1"})), DeletionReport)
    # This may be one text; iter(some) says that it is none.
    await repo.delete_tags(some)  # type: ignore[arg-type]


async def log_outcome(outcome: object) -> None: ...


async def callbacks_are_not_awaited(
    registry: RegistryHandle,
    repo: RepositoryHandle,
    plan: Plan,
    contents: ContentReader,
    writer: DistributionWriter,
    job: Job,
) -> None:
    seen: list[object] = []
    await repo.delete_tags(["v1"], seen.append, on_progress=lambda step: seen.append(step.done))
    await repo.delete_tags(["v1"], lambda outcome: job.note(tag=outcome.name))
    await repo.delete_tags(["v1"], lambda outcome: len(outcome.name))
    await repo.delete_tags(["v1"], lambda one: asyncio.ensure_future(log_outcome(one)))
    RegistryClient(on_request=log_outcome)  # type: ignore[arg-type]
    await repo.delete_tags(["v1"], log_outcome)  # type: ignore[arg-type]
    await repo.delete_tags(["v1"], on_progress=log_outcome)  # type: ignore[arg-type]
    await repo.delete_manifests([], lambda one: log_outcome(one.name))  # type: ignore[arg-type, return-value]
    await registry.delete([], log_outcome)  # type: ignore[arg-type]
    await registry.wait_for_garbage_collection(on_status=log_outcome)  # type: ignore[arg-type]
    await collect_garbage(registry, on_status=log_outcome)  # type: ignore[arg-type]
    policy = Policy([])
    await make_plan(registry, policy, contents, on_progress=log_outcome)  # type: ignore[arg-type]
    await apply_plan(registry, plan, contents, on_outcome=log_outcome)  # type: ignore[arg-type]
    await apply_plan(registry, plan, contents, on_progress=log_outcome)  # type: ignore[arg-type]
    await undo(writer, Path(), on_outcome=log_outcome)  # type: ignore[arg-type]
    await measure_usage(registry, on_progress=log_outcome)  # type: ignore[arg-type]
    await copy_image(writer, "web", "v1", "old", on_outcome=log_outcome)  # type: ignore[arg-type]
    Jobs().start("plan", lambda job: None)  # type: ignore[arg-type, return-value]
