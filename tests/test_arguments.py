"""Arguments that are easily given wrong are refused before anything is sent."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from aioregistry import RegistryClient
from aioregistry.arguments import plain_callback
from aioregistry.cleanup import (
    ContentReader,
    Delete,
    Distribution,
    DistributionWriter,
    InUse,
    Policy,
    apply_plan,
    collect_garbage,
    make_plan,
    read_in_use,
    undo,
)
from aioregistry.images import copy_image, inspect_image
from aioregistry.sandbox import Sandbox
from aioregistry.usage import measure_usage

POLICY = Policy([Delete(tags="pr-*")])


@pytest.fixture
async def at():
    """A sandbox, a handle, and what reads and writes beside it."""
    async with (
        Sandbox() as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url) as client,
        DistributionWriter(client.registry("example"), base_url=sandbox.url) as writer,
        Distribution(client.registry("example"), base_url=sandbox.url) as distribution,
    ):
        yield sandbox, client.registry("example"), writer, distribution


async def log(*_):
    raise AssertionError("this is never awaited")


class Logger:
    async def __call__(self, *_):
        raise AssertionError("this is never awaited")


ONE_TEXT = {
    "delete_tags": lambda registry, repo, reader: repo.delete_tags("v1"),
    "delete_tags, bytes": lambda registry, repo, reader: repo.delete_tags(b"v1"),
    "delete_manifests": lambda registry, repo, reader: repo.delete_manifests("sha256:abc"),
    "list_first": lambda registry, repo, reader: repo.delete_tags("v1", list_first=True),
    "delete": lambda registry, repo, reader: registry.delete("web:v1"),
    "repositories": lambda registry, repo, reader: make_plan(
        registry, POLICY, reader, repositories="web"
    ),
    "in_use": lambda registry, repo, reader: make_plan(registry, POLICY, reader, in_use="web:v1"),
    "undo": lambda registry, repo, reader: undo(None, Path("x"), repositories="web"),
    "undo, tags": lambda registry, repo, reader: undo(None, Path("x"), tags="web"),
}


@pytest.mark.parametrize("call", ONE_TEXT.values(), ids=ONE_TEXT)
async def test_one_text_where_several_are_meant_is_refused_unsent(at, call):
    sandbox, registry, _, distribution = at
    with pytest.raises(TypeError, match=r"\[.*\]|give Tag and Manifest objects"):
        await call(registry, registry.repository("web"), ContentReader(distribution))
    assert sandbox.request_count == 0


def test_one_text_where_several_are_meant_is_refused_at_once():
    for call in (
        partial(InUse, "web:v1"),
        partial(read_in_use, "web:v1", "stdin", ignore_kinds="Service"),
        partial(Sandbox().state.push, "example", "web", "v1"),
        partial(Sandbox().state.push_index, "example", "web", "sha256:abc"),
    ):
        with pytest.raises(TypeError, match="put a single one into a list"):
            call()


CALLBACKS = {
    "on_outcome": lambda registry, repo, reader, writer, call: repo.delete_tags(["v1"], call),
    "on_progress": lambda registry, repo, reader, writer, call: repo.delete_tags(
        ["v1"], on_progress=call
    ),
    "list_first": lambda registry, repo, reader, writer, call: repo.delete_tags(
        ["v1"], call, list_first=True
    ),
    "delete": lambda registry, repo, reader, writer, call: registry.delete([], call),
    "wait": lambda registry, repo, reader, writer, call: registry.wait_for_garbage_collection(
        on_status=call
    ),
    "collect_garbage": lambda registry, repo, reader, writer, call: collect_garbage(
        registry, on_status=call
    ),
    "make_plan": lambda registry, repo, reader, writer, call: make_plan(
        registry, POLICY, reader, on_progress=call
    ),
    "apply_plan": lambda registry, repo, reader, writer, call: apply_plan(
        registry, None, reader, on_outcome=call
    ),
    "undo": lambda registry, repo, reader, writer, call: undo(writer, Path("x"), on_outcome=call),
    "tag": lambda registry, repo, reader, writer, call: writer.tag(
        "web", "v1", "v2", on_outcome=call
    ),
    "copy_image": lambda registry, repo, reader, writer, call: copy_image(
        writer, "web", "v1", "old", on_outcome=call
    ),
    "inspect_image": lambda registry, repo, reader, writer, call: inspect_image(
        registry, writer, "web", "v1", on_progress=call
    ),
    "measure_usage": lambda registry, repo, reader, writer, call: measure_usage(
        registry, on_progress=call
    ),
}


@pytest.mark.parametrize("call", CALLBACKS.values(), ids=CALLBACKS)
async def test_a_callback_that_would_have_to_be_awaited_is_refused_unsent(at, call):
    sandbox, registry, writer, distribution = at
    repo, reader = registry.repository("web"), ContentReader(distribution)
    for callback in (log, partial(log, 1), Logger()):
        with pytest.raises(TypeError, match="it is called, not awaited"):
            await call(registry, repo, reader, writer, callback)
    assert sandbox.request_count == 0


async def test_a_client_refuses_a_callback_that_would_have_to_be_awaited():
    with pytest.raises(TypeError, match="on_request must be a plain function"):
        RegistryClient("token", on_request=log)


async def test_a_function_that_returns_a_coroutine_is_found_out_when_it_is_called(at):
    sandbox, registry, _, _ = at
    sandbox.state.push("example", "web", ["v1"])
    repo = registry.repository("web")
    with pytest.raises(TypeError, match="on_outcome must be a plain function"):
        await repo.delete_tags(["v1"], lambda outcome: log(outcome.name))
    tasks = []
    await repo.delete_tags(["v1"], lambda _: tasks.append(asyncio.ensure_future(asyncio.sleep(0))))
    await asyncio.gather(*tasks)


def test_what_cannot_be_called_is_no_callback():
    with pytest.raises(TypeError, match="on_outcome must be a function, not 3"):
        plain_callback("on_outcome", 3)
    assert plain_callback("on_outcome", None) is None
