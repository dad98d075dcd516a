"""Every public coroutine, ended at every single suspension: nothing stays behind."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from aioregistry import RegistryClient, RetryPolicy
from aioregistry.cleanup import (
    ContentReader,
    Delete,
    Distribution,
    Plan,
    Policy,
    apply_plan,
    collect_garbage,
    make_plan,
)
from aioregistry.sandbox import Phases, Sandbox
from tests.faults.suspension import AtSuspension

QUICK = RetryPolicy(attempts=2, backoff=0.001, cap=0.01)
POLICY = Policy([Delete(tags="pr-*")], floor=0)
NAMES = [f"pr-{number}" for number in range(3)]

Work = Callable[[RegistryClient, str, Path], Awaitable[Any]]


async def walk(client: RegistryClient, _: str, __: Path) -> None:
    async for _tag in client.registry("example").tags():
        pass


async def plan(client: RegistryClient, url: str, _: Path) -> Any:
    registry = client.registry("example")
    async with Distribution(registry, base_url=url) as distribution:
        return await make_plan(registry, POLICY, ContentReader(distribution))


async def apply(client: RegistryClient, url: str, folder: Path, *, resume: bool = False) -> Any:
    registry = client.registry("example")
    path = folder / "plan.json"
    async with Distribution(registry, base_url=url) as distribution:
        contents = ContentReader(distribution)
        made = Plan.load(path) if resume else await make_plan(registry, POLICY, contents)
        made.save(path)
        journal = folder / "plan.journal"
        return await apply_plan(
            registry, made, contents, journal=journal, resume=resume, force=True
        )


def handle(client: RegistryClient) -> Any:
    return client.registry("example").repository("web")


WORK: dict[str, Work] = {
    "get_registry": lambda client, *_: client.get_registry(),
    "registries": lambda client, *_: client.registries(),
    "docker_credentials": lambda client, *_: client.docker_credentials(),
    "options": lambda client, *_: client.options(),
    "subscription": lambda client, *_: client.subscription(),
    "validate_name": lambda client, *_: client.is_name_available("other"),
    "collect": lambda client, *_: handle(client).tags().collect(),
    "first": lambda client, *_: handle(client).manifests().first(),
    "walk of a whole registry": walk,
    "delete_tag": lambda client, *_: handle(client).delete_tag("pr-1"),
    "delete_tags": lambda client, *_: handle(client).delete_tags(NAMES),
    "garbage_collection": lambda client, *_: client.registry("example").garbage_collection(),
    "collect_garbage": lambda client, *_: collect_garbage(
        client.registry("example"), interval=0.001
    ),
    "make_plan": plan,
    "apply_plan": apply,
}


async def ended(work: Work, nth: int, how: str, folder: Path) -> tuple[bool, Sandbox]:
    """End it at its n-th suspension, check what is left, and return whether it came so far."""
    sandbox = Sandbox()
    sandbox.state.phases = Phases(*[0.0] * 6)
    for name in [*NAMES, "main"]:
        sandbox.state.push("example", "web", [name])
    await sandbox.start()
    before = asyncio.all_tasks()
    client = await RegistryClient(sandbox.token, base_url=sandbox.url, retry=QUICK).open()

    async def run() -> bool:
        async with asyncio.timeout(None) as deadline:

            def end() -> None:
                if how == "cancelled":
                    asyncio.current_task().cancel()
                else:
                    deadline.reschedule(asyncio.get_running_loop().time())

            at = AtSuspension(work(client, sandbox.url, folder), nth, end)
            try:
                await at
            finally:
                reached.append(at.reached)

    reached: list[bool] = []
    (came,) = await asyncio.gather(asyncio.create_task(run()), return_exceptions=True)
    assert came is None or isinstance(came, asyncio.CancelledError | TimeoutError), came
    # What was under way has a moment to notice.
    await asyncio.sleep(0.02)
    held = {window.in_flight for window in client._limiter._windows}
    waiting = client._limiter.status.waiting
    await client.close()
    assert (held, waiting) == ({0}, 0), f"permits are held at suspension {nth}"
    left = [
        task
        for task in asyncio.all_tasks() - before
        if not task.done() and "/sandbox/" not in repr(task) and "web_protocol" not in repr(task)
    ]
    assert not left, f"tasks are left at suspension {nth}: {left}"
    return reached[0], sandbox


@pytest.mark.parametrize("how", ["cancelled", "timeout"])
@pytest.mark.parametrize("name", WORK)
async def test_nothing_stays_behind_wherever_it_ends(name, how, tmp_path):
    """Ctrl-C is a cancellation by the time that a coroutine sees it: asyncio.run makes it one."""
    for nth in itertools.count(1):
        folder = tmp_path / str(nth)
        folder.mkdir()
        reached, sandbox = await ended(WORK[name], nth, how, folder)
        await sandbox.stop()
        if not reached:
            break
    assert nth > 1


@pytest.mark.parametrize("how", ["cancelled", "timeout"])
async def test_an_apply_that_ended_anywhere_is_resumed_to_the_same_end(how, tmp_path):
    for nth in itertools.count(1):
        folder = tmp_path / str(nth)
        folder.mkdir()
        reached, sandbox = await ended(apply, nth, how, folder)
        if (folder / "plan.journal").exists():
            async with RegistryClient(sandbox.token, base_url=sandbox.url) as client:
                report = await apply(client, sandbox.url, folder, resume=True)
            assert report.done, f"suspension {nth}"
            assert sandbox.state.tag_names("example", "web") == ["main"]
        else:
            assert len(sandbox.state.tag_names("example", "web")) == 4
        deletes = Counter(one.raw_path for one in sandbox.requests if one.method == "DELETE")
        assert all(count == 1 for count in deletes.values()) or reached
        done = [one for one in sandbox.requests if one.method == "DELETE" and one.status == 204]
        assert len({one.raw_path for one in done}) == len(done), "deleted twice"
        await sandbox.stop()
        if not reached:
            break
