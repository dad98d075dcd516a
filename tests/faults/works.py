"""Everything public that awaits: how it is set going, and what must hold once it has ended."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import redis.asyncio
from aiohttp import web
from attrs import frozen

from aioregistry import (
    NotFoundError,
    Outcome,
    RateLimit,
    RateLimitHeaders,
    RegistryClient,
    WindowLimiter,
)
from aioregistry.cleanup import (
    ContentCache,
    ContentReader,
    Delete,
    Plan,
    Policy,
    apply_plan,
    collect_garbage,
    make_plan,
    newest_collection,
)
from aioregistry.redis import RedisLimiter
from aioregistry.sandbox import Fault, Faults, Phases, Sandbox
from aioregistry.usage import measure_usage
from aioregistry.web import Health, Job, Jobs
from aioregistry.web import aiohttp as on_aiohttp
from aioregistry.web import fastapi as on_fastapi
from tests.faults.stage import NAMES, Stage, Work

POLICY = Policy([Delete(tags="pr-*")], floor=0)
LIMIT = RateLimit(windows=((3, 0.01), (1000, 60.0)), burst=1000)
# No window of it ends before a test does.
SHARED = RateLimit(windows=((4, 600.0),), burst=1000)

HEALTH = ("alive", "health", "ready")
# What they answer with is at hand: a registry that was counted.
FIGURES = Mock(page=lambda _: b"", metrics=lambda *_: (b"", "text/plain"), document=lambda _: {})
PLAN = Plan(registry="example", made_at=datetime(2026, 1, 1, tzinfo=UTC))

# By what is covered; nothing is set up for these, and nothing more is checked.
CALLS: dict[str, Callable[[Stage], Awaitable[Any]]] = {
    "aioregistry.RegistryClient.open": lambda at: at.another_client().open(),
    "aioregistry.RegistryClient.registries": lambda at: at.client.registries(),
    "aioregistry.RegistryClient.get_registry": lambda at: at.client.get_registry(),
    "aioregistry.RegistryClient.docker_credentials": lambda at: at.client.docker_credentials(),
    "aioregistry.RegistryClient.options": lambda at: at.client.options(),
    "aioregistry.RegistryClient.subscription": lambda at: at.client.subscription(),
    "aioregistry.RegistryClient.update_subscription": lambda at: at.client.update_subscription(
        "professional"
    ),
    "aioregistry.RegistryClient.validate_name": lambda at: at.client.validate_name("other"),
    "aioregistry.RegistryClient.is_name_available": lambda at: at.client.is_name_available(
        "example"
    ),
    "aioregistry.RegistryHandle.docker_credentials": lambda at: at.registry.docker_credentials(),
    "aioregistry.RegistryHandle.start_garbage_collection": lambda at: (
        at.registry.start_garbage_collection()
    ),
    "aioregistry.RegistryHandle.garbage_collection": lambda at: at.registry.garbage_collection(),
    "aioregistry.Pager.__aiter__": lambda at: walk(at.registry.repositories()),
    "aioregistry.RegistryHandle.repositories": lambda at: walk(at.registry.repositories()),
    "aioregistry.RegistryHandle.repositories_v1": lambda at: walk(at.registry.repositories_v1()),
    "aioregistry.RegistryHandle.tags": lambda at: walk(at.registry.tags()),
    "aioregistry.RegistryHandle.manifests": lambda at: walk(at.registry.manifests()),
    "aioregistry.RegistryHandle.garbage_collections": lambda at: walk(
        at.registry.garbage_collections()
    ),
    "aioregistry.RepositoryHandle.tags": lambda at: walk(at.web.tags()),
    "aioregistry.RepositoryHandle.manifests": lambda at: walk(at.web.manifests()),
    "aioregistry.RepositoryHandle.get_tag": lambda at: at.web.get_tag("main"),
    "aioregistry.Pager.collect": lambda at: at.web.tags().collect(require_complete=True),
    "aioregistry.Pager.first": lambda at: at.web.manifests().first(),
    "aioregistry.Pager.pages": lambda at: walk(at.web.tags().pages()),
    "aioregistry.cleanup.Distribution.open": lambda at: at.another_distribution().open(),
    "aioregistry.cleanup.Distribution.find_manifest": lambda at: at.distribution.find_manifest(
        "web", "main"
    ),
    "aioregistry.cleanup.Distribution.get_manifest": lambda at: at.distribution.get_manifest(
        "web", "main"
    ),
    "aioregistry.RegistryHandle.get": lambda at: at.registry.get(),
    "aioregistry.cleanup.Distribution.list_tags": lambda at: at.distribution.list_tags("web"),
    "aioregistry.cleanup.ContentReader.list_tags": lambda at: ContentReader(
        at.distribution
    ).list_tags("web"),
    "aioregistry.cleanup.ContentReader.current_digest": lambda at: ContentReader(
        at.distribution
    ).current_digest("web", "main"),
    "aioregistry.cleanup.collect_garbage": lambda at: collect_garbage(at.registry, interval=0.001),
    "aioregistry.cleanup.newest_collection": lambda at: newest_collection(at.registry),
    "aioregistry.web.aiohttp.problems": lambda at: on_aiohttp.problems(
        None, lambda _: at.client.get_registry("other")
    ),
    **{
        f"aioregistry.web.aiohttp.{name}": lambda at, name=name: getattr(on_aiohttp, name)(
            SimpleNamespace(config_dict={on_aiohttp.CLIENT: at.client})
        )
        for name in HEALTH
    },
    **{
        f"aioregistry.web.fastapi.{name}": lambda at, name=name: getattr(on_fastapi, name)(
            Health.of(at.client)
        )
        for name in HEALTH
    },
    "aioregistry.web.aiohttp.page": lambda _: on_aiohttp.page(None),
    "aioregistry.web.fastapi.page": lambda _: on_fastapi.page(),
    "aioregistry.web.fastapi.get_health": lambda at: on_fastapi.get_health(
        SimpleNamespace(
            state=SimpleNamespace(registry_client=at.client, registry_clients={"main": at.client})
        )
    ),
    **{
        f"aioregistry.web.aiohttp.{name}": lambda at, name=name: getattr(on_aiohttp, name)(
            SimpleNamespace(
                config_dict={on_aiohttp.CLIENT: at.client, on_aiohttp.FIGURES: FIGURES},
                headers={},
                match_info={"registry": "example"},
            )
        )
        for name in ("metrics", "usage")
    },
    "aioregistry.web.fastapi.metrics": lambda at: on_fastapi.metrics(_asgi(at), FIGURES),
    "aioregistry.web.fastapi.usage": lambda at: on_fastapi.usage("example", _asgi(at), FIGURES),
    "aioregistry.web.aiohttp.plan_page": lambda _: on_aiohttp.plan_page(PLAN),
    "aioregistry.web.fastapi.plan_page": lambda _: on_fastapi.plan_page(PLAN),
    "aioregistry.usage.measure_usage": lambda at: measure_usage(
        at.registry, ContentReader(at.distribution)
    ),
    "aioregistry.web.fastapi.answer_problem": lambda _: on_fastapi.answer_problem(
        None, NotFoundError("gone")
    ),
}


def _asgi(at: Stage) -> Any:
    state = SimpleNamespace(registry_client=at.client, registry_clients={})
    return SimpleNamespace(state=state, headers={})


@frozen
class Covered:
    """A work, and the names of all that it covers."""

    work: Work
    names: tuple[str, ...] = ()


async def walk(items: Any) -> list[Any]:
    return [item async for item in items]


def _simple(call: Callable[[Stage], Awaitable[Any]]) -> Work:
    async def work(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
        yield call(at)

    return work


WORKS: dict[str, Covered] = {name: Covered(_simple(call), (name,)) for name, call in CALLS.items()}


def covers(*names: str) -> Callable[[Work], Work]:
    """Enter a work under its own name."""

    def enter(work: Work) -> Work:
        WORKS[work.__name__.replace("_", " ")] = Covered(work, names)
        return work

    return enter


@covers(
    "aioregistry.RegistryClient.__aenter__",
    "aioregistry.RegistryClient.__aexit__",
)
async def client_in_a_block(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    client = at.another_client()

    async def use() -> None:
        async with client:
            walking = aiter(client.registry("example").tags())
            await anext(walking)
            await anext(walking)
            # What it reads ahead is under way when the block ends.
            await anext(walking)

    yield use()
    assert client.closed


@covers("aioregistry.RegistryClient.close")
async def close_while_others_wait(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    client = await at.another_client(rate_limit=RateLimit(windows=((2, 60.0),))).open()
    waiting = [asyncio.create_task(client.registries()) for _ in range(4)]
    await asyncio.sleep(0)
    yield client.close()
    assert client.closed
    await asyncio.gather(*waiting, return_exceptions=True)


@covers()
async def request_that_waits_for_quota(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    client = await at.another_client(rate_limit=LIMIT).open()

    async def use() -> None:
        for _ in range(4):
            await client.options()

    yield use()


@covers()
async def request_that_is_sent_again(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    at.sandbox.faults = Faults(Fault(kind="status", times=1))
    yield at.client.options()


@covers()
async def answer_that_comes_in_pieces(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    at.sandbox.faults = Faults(Fault(kind="drip", seconds=0.004))
    yield at.client.options()


@covers()
async def request_in_the_other_family(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    at.sandbox.state.subscribe("professional")
    at.sandbox.state.add_registry("second")
    yield at.registry.docker_credentials()


@covers()
async def token_that_is_asked_for(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    async def token() -> str:
        await asyncio.sleep(0)
        return at.sandbox.token

    client = await at.another_client(token=token).open()
    yield client.options()


@covers("aioregistry.RegistryClient.create_registry")
async def create_registry(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    at.sandbox.state.delete_registry("example")
    yield at.client.create_registry("other", subscription_tier="basic")
    if at.sandbox.state.registries:
        assert (await at.client.get_registry()).name == "other"


@covers("aioregistry.RegistryClient.delete_registry")
async def delete_registry(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    await at.client.get_registry()
    yield at.client.delete_registry("example")
    assert [one.name for one in await at.client.registries()] == [*at.sandbox.state.registries]


@covers("aioregistry.RegistryHandle.delete_repository")
async def delete_repository(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    yield at.registry.delete_repository("web")


@covers("aioregistry.RegistryHandle.cancel_garbage_collection")
async def cancel_garbage_collection(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    run = await _long_garbage_collection(at)
    yield at.registry.cancel_garbage_collection(run.uuid)


@covers("aioregistry.RegistryHandle.wait_for_garbage_collection")
async def wait_for_garbage_collection(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    await _long_garbage_collection(at, seconds=0.004)
    yield at.registry.wait_for_garbage_collection(timeout=60.0, interval=0.003)


async def _long_garbage_collection(at: Stage, seconds: float = 60.0) -> Any:
    at.sandbox.state.phases = Phases(seconds, *[0.0] * 5)
    return await at.registry.start_garbage_collection()


@covers("aioregistry.RepositoryHandle.delete_tag")
async def delete_tag(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    yield at.web.delete_tag("pr-1")


@covers("aioregistry.RepositoryHandle.delete_manifest")
async def delete_manifest(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    yield at.web.delete_manifest((await _digests(at))[0])


async def _digests(at: Stage) -> list[str]:
    return [one.digest async for one in at.web.manifests() if one.tags != ("main",)]


def _check_told(at: Stage, told: list[Outcome], deleted: set[str]) -> None:
    """Check what was told of a bulk delete against what the server did."""
    assert len({one.name for one in told}) == len(told), "told of twice"
    for one in told:
        match one.status:
            case "not_attempted" | "failed":
                assert one.name not in deleted, one
            case "deleted":
                assert one.name in deleted, one
    assert deleted <= {one.name for one in told}, "deleted, and not told of"


@covers("aioregistry.RepositoryHandle.delete_tags")
async def delete_tags(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    told: list[Outcome] = []
    yield at.web.delete_tags(NAMES, told.append)
    _check_told(at, told, {*NAMES} - at.tags)


@covers("aioregistry.RegistryHandle.delete")
async def delete_what_was_listed(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    told: list[Outcome] = []
    listed = [tag async for tag in at.web.tags() if tag.tag in NAMES]
    yield at.registry.delete(listed, told.append)
    _check_told(at, told, {f"web:{name}" for name in {*NAMES} - at.tags})


@covers("aioregistry.RepositoryHandle.delete_manifests")
async def delete_manifests(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    told: list[Outcome] = []
    digests = await _digests(at)
    yield at.web.delete_manifests(digests, told.append)
    _check_told(at, told, {*digests} - {*await _digests(at)})


@covers()
async def delete_tags_from_a_source_within_a_quota(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    client = await at.another_client(rate_limit=LIMIT, concurrency=2).open()
    told: list[Outcome] = []

    async def names() -> AsyncGenerator[str]:
        async for tag in client.registry("example").repository("web").tags():
            yield tag.tag

    async def check(name: str) -> None:
        await asyncio.sleep(0)
        if name == "main":
            raise NotFoundError("to stay")

    source = names()
    web = client.registry("example").repository("web")
    yield web.delete_tags(source, told.append, check=check)
    await source.aclose()
    _check_told(at, told, {*NAMES} - at.tags)


@covers(
    "aioregistry.RepositoryHandle.iter_delete_tags",
    "aioregistry.OutcomeIterator.__anext__",
    "aioregistry.OutcomeIterator.__aenter__",
    "aioregistry.OutcomeIterator.__aexit__",
)
async def iterate_over_a_bulk_delete(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    client = await at.another_client(concurrency=1).open()
    told: list[Outcome] = []

    async def use() -> None:
        async with client.registry("example").repository("web").iter_delete_tags(NAMES) as deleting:
            async for outcome in deleting:
                told.append(outcome)

    yield use()
    for outcome in told:
        assert (outcome.name in at.tags) == (outcome.status == "not_attempted")


@covers("aioregistry.RepositoryHandle.iter_delete_manifests", "aioregistry.OutcomeIterator.aclose")
async def close_a_bulk_delete(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    outcomes = at.web.iter_delete_manifests(await _digests(at))
    first = await anext(outcomes)
    assert first.status == "deleted"
    yield outcomes.aclose()


@covers("aioregistry.ItemIterator.__anext__", "aioregistry.PageIterator.__anext__")
async def walk_that_goes_on_after_it_was_ended(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    walking = at.registry.tags()
    items = aiter(walking)
    found = []

    async def use() -> None:
        async for item in items:
            found.append(item.tag)

    yield use()
    if at.all_tasks:
        # With them went those that read ahead.
        await items.aclose()
        return
    # Whoever gave up waiting for the next item finds it when they ask again.
    found += [item.tag async for item in items]
    assert sorted(found) == sorted([*NAMES, "main"])
    assert items.complete


@covers("aioregistry.ItemIterator.aclose", "aioregistry.PageIterator.aclose")
async def close_a_walk_that_reads_ahead(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    for number in range(8):
        at.sandbox.state.push("example", "web", [f"v{number}"])

    async def use() -> None:
        items = aiter(at.registry.tags())
        for _ in range(3):
            await anext(items)
        assert at.left(), "nothing is read ahead"
        await items.aclose()

    yield use()


@covers(
    "aioregistry.ItemIterator.__aenter__",
    "aioregistry.ItemIterator.__aexit__",
    "aioregistry.PageIterator.__aenter__",
    "aioregistry.PageIterator.__aexit__",
)
async def walks_in_blocks(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    async def use() -> None:
        async with aiter(at.web.tags()) as items, at.registry.tags().pages() as pages:
            for _ in range(3):
                await anext(items)
            await anext(pages)
            await anext(pages)

    yield use()


@covers()
async def walk_that_was_broken_off(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    async def use() -> None:
        count = 0
        async for _ in at.registry.tags():
            count += 1
            if count == 3:
                break
        sent = at.sent
        for _ in range(5):
            await asyncio.sleep(0)
        assert at.sent == sent

    yield use()


@covers("aioregistry.WindowLimiter.acquire")
async def limiter(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    limiter = WindowLimiter(LIMIT)

    async def use() -> None:
        for _ in range(4):
            await limiter.acquire()
            limiter.release()

    yield use()
    assert [window.in_flight for window in limiter._quota.windows] == [0, 0]
    assert limiter.status.waiting == 0


@covers("aioregistry.cleanup.ContentReader.read")
async def contents_with_a_cache(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    digests = await _digests(at)
    with ContentCache(at.folder / "contents") as cache:
        yield ContentReader(at.distribution, cache).read("web", digests)
    # Whatever was kept is right, and can be read.
    with ContentCache(at.folder / "contents") as cache:
        found = await ContentReader(at.distribution, cache).read("web", digests)
    assert found == await ContentReader(at.distribution).read("web", digests)


@covers(
    "aioregistry.cleanup.Distribution.close",
    "aioregistry.cleanup.Distribution.__aenter__",
    "aioregistry.cleanup.Distribution.__aexit__",
)
async def distribution_in_a_block(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    distribution = at.another_distribution()

    async def use() -> None:
        async with distribution:
            await distribution.find_manifest("web", "main")

    yield use()
    assert distribution._transport._http is None or distribution._transport._http.closed


@covers("aioregistry.cleanup.make_plan")
async def plan(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    at.sandbox.state.push("example", "api", ["pr-1"])
    before = at.tags

    async def running() -> AsyncGenerator[str]:
        await asyncio.sleep(0)
        yield "registry.digitalocean.com/example/web:main"

    in_use = running()
    yield make_plan(at.registry, POLICY, ContentReader(at.distribution), in_use=in_use)
    await in_use.aclose()
    assert at.tags == before


@covers("aioregistry.cleanup.apply_plan")
async def plan_that_is_applied(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    with ContentCache(at.folder / "contents") as cache:
        contents = ContentReader(at.distribution, cache)
        made = await make_plan(at.registry, POLICY, contents)
        told: list[Any] = []

        def apply(*, resume: bool) -> Awaitable[Any]:
            return apply_plan(
                at.registry,
                made,
                contents,
                journal=at.folder / "journal",
                resume=resume,
                force=True,
                deadline=60.0,
                on_outcome=told.append,
            )

        yield apply(resume=False)
        outcomes = [
            Outcome(0, tag, one.status) for one in told for tag in one.item.tags or (one.item.name,)
        ]
        _check_told(at, outcomes, {*NAMES} - at.tags)
        report = await apply(resume=True)
    assert report.done
    assert report.total == len(NAMES)
    assert at.tags == {"main"}
    done = Counter(
        one.raw_path for one in at.sandbox.requests if (one.method, one.status) == ("DELETE", 204)
    )
    assert set(done.values()) == {1}, "deleted twice"


@covers("aioregistry.sandbox.Sandbox.start", "aioregistry.sandbox.Sandbox.stop")
async def sandbox_started_and_stopped(_: Stage) -> AsyncGenerator[Awaitable[Any]]:
    sandbox = Sandbox()

    async def use() -> None:
        await sandbox.start()
        await sandbox.stop()

    yield use()
    await sandbox.stop()


@covers("aioregistry.sandbox.Sandbox.__aenter__", "aioregistry.sandbox.Sandbox.__aexit__")
async def sandbox_in_a_block(_: Stage) -> AsyncGenerator[Awaitable[Any]]:
    sandbox = Sandbox()
    entered = False

    async def use() -> None:
        nonlocal entered
        async with sandbox:
            entered = True

    yield use()
    if entered:
        await sandbox.stop()


@covers()
async def sandbox_stopped_under_a_client(_: Stage) -> AsyncGenerator[Awaitable[Any]]:
    sandbox = Sandbox()
    await sandbox.start()
    server = sandbox._runner.server
    async with RegistryClient(sandbox.token, base_url=sandbox.url) as client:
        await client.options()
        yield sandbox.stop()
        await sandbox.stop()
        assert not server.connections


async def _work_of_a_job(job: Job) -> None:
    for number in range(3):
        job.tell(number=number)
        await asyncio.sleep(0)


async def _endless(job: Job) -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0)


@covers("aioregistry.web.Job.wait")
async def job_that_is_waited_for(_: Stage) -> AsyncGenerator[Awaitable[Any]]:
    jobs = Jobs()
    job = jobs.start("short", _work_of_a_job)
    yield job.wait()
    await job.wait()
    assert job.status in {"done", "cancelled"}


@covers("aioregistry.web.Job.events")
async def job_that_is_followed(_: Stage) -> AsyncGenerator[Awaitable[Any]]:
    jobs = Jobs()
    job = jobs.start("short", _work_of_a_job)
    yield walk(job.events())
    await job.wait()
    assert len(await walk(job.events())) == 1


@covers("aioregistry.web.Job.writing", "aioregistry.web.Jobs.limit_writing")
async def job_that_writes_to_a_reader(_: Stage) -> AsyncGenerator[Awaitable[Any]]:
    jobs = Jobs()
    job = jobs.start("short", _work_of_a_job)

    async def use() -> None:
        for _ in range(2):
            async with job.writing(60.0):
                await asyncio.sleep(0)

    yield use()
    assert not jobs._deadlines
    await job.wait()


@covers("aioregistry.web.Jobs.close")
async def jobs_that_are_closed(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    jobs = Jobs(at.folder / "reports")
    running = [jobs.start("endless", _endless) for _ in range(2)]
    await asyncio.sleep(0)
    # This one has not begun when it is cancelled.
    running.append(jobs.start("endless", _endless))
    yield jobs.close()
    await jobs.close()
    assert {job.status for job in running} == {"cancelled"}
    assert len([*(at.folder / "reports").glob("*.jsonl")]) == 3


@covers("aioregistry.web.Jobs.accept")
async def job_that_is_accepted(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    jobs = Jobs(at.folder / "reports")
    yield jobs.accept("short", _work_of_a_job)
    again = await jobs.accept("short", _work_of_a_job)
    await again.wait()
    assert again.status == "done"
    # Whoever gave up waiting for the first has not left it between accepted and ended.
    await asyncio.gather(*(job.wait() for job in jobs))
    await jobs.close()


@covers("aioregistry.web.Jobs.recall")
async def job_that_is_recalled(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    jobs = Jobs(at.folder / "reports")
    job = jobs.start("short", _work_of_a_job)
    await job.wait()
    # Reports are written beside the job; all of them are there when the jobs are closed.
    await jobs.close()
    again = Jobs(at.folder / "reports")
    yield again.recall(job.id)
    recalled = await again.recall(job.id)
    assert recalled is not None
    assert recalled.status == job.status
    await jobs.close()


@covers("aioregistry.web.aiohttp.stream")
async def stream_of_aiohttp(_: Stage) -> AsyncGenerator[Awaitable[Any]]:
    loop = asyncio.get_running_loop()
    come, end = loop.create_future(), loop.create_future()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        come.set_result(request)
        return await end

    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, writer = await asyncio.open_connection(*runner.addresses[0][:2])
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    request = await come
    job = Jobs().start("short", _work_of_a_job)
    yield on_aiohttp.stream(request, job)
    await job.wait()
    end.cancel()
    writer.close()
    await runner.cleanup()


@covers("aioregistry.web.fastapi.stream")
async def stream_of_fastapi(_: Stage) -> AsyncGenerator[Awaitable[Any]]:
    job = Jobs().start("short", _work_of_a_job)
    yield walk(on_fastapi.stream(job).body_iterator)
    await job.wait()


@covers("aioregistry.web.fastapi.lifespan")
async def lifespan_of_fastapi(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    client = at.another_client()

    async def use() -> None:
        async with on_fastapi.lifespan(lambda: client)(None) as state:
            state["registry_jobs"].start("endless", _endless)
            await state["registry_client"].options()

    yield use()
    assert client.closed


@covers("aioregistry.web.aiohttp.setup")
async def service_of_aiohttp(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    client = at.another_client()
    app = web.Application()
    on_aiohttp.setup(app, lambda: client)
    runner = web.AppRunner(app)
    await runner.setup()
    await app[on_aiohttp.CLIENT].options()
    yield runner.cleanup()
    await runner.cleanup()
    assert client.closed


async def _limiter_in_redis(at: Stage, client: redis.asyncio.Redis) -> RedisLimiter:
    """Return a limiter that has heard of an answer: before the first, one goes at a time."""
    limiter = RedisLimiter(client, at.folder.name, SHARED)
    await limiter.acquire()
    limiter.release(RateLimitHeaders(200))
    await limiter._worker_task
    return limiter


async def _check_all_is_free(at: Stage, client: redis.asyncio.Redis) -> None:
    if at.all_tasks:
        # What was just being given is taken back when its lease ends.
        return
    another = RedisLimiter(client, at.folder.name, SHARED)
    # Longer than whoever gave up is still given a part, and shorter than the window.
    async with asyncio.timeout(120):
        for _ in range(3):
            await another.acquire()
    for _ in range(3):
        another.release(sent=False)
    await another.close()


@covers("aioregistry.redis.RedisLimiter.acquire")
async def limiter_in_redis(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    async with redis.asyncio.Redis(port=at.redis_port) as client:
        limiter = await _limiter_in_redis(at, client)

        async def use() -> None:
            for _ in range(4):
                await limiter.acquire()
                limiter.release(sent=False)

        yield use()
        await limiter.close()
        await _check_all_is_free(at, client)


@covers("aioregistry.redis.RedisLimiter.__aenter__", "aioregistry.redis.RedisLimiter.__aexit__")
async def limiter_in_redis_in_a_block(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    async with redis.asyncio.Redis(port=at.redis_port) as client:
        limiter = await _limiter_in_redis(at, client)

        async def use() -> None:
            async with limiter:
                await limiter.acquire()
                limiter.release(sent=False)

        yield use()
        await limiter.close()
        await _check_all_is_free(at, client)


@covers("aioregistry.redis.RedisLimiter.close")
async def limiter_in_redis_that_is_closed(at: Stage) -> AsyncGenerator[Awaitable[Any]]:
    async with redis.asyncio.Redis(port=at.redis_port) as client:
        limiter = await _limiter_in_redis(at, client)

        async def one() -> None:
            await limiter.acquire()
            await asyncio.sleep(0)
            limiter.release(sent=False)

        waiting = [asyncio.create_task(one()) for _ in range(5)]
        await asyncio.sleep(0)
        yield limiter.close()
        await limiter.close()
        await asyncio.gather(*waiting, return_exceptions=True)
        await _check_all_is_free(at, client)
