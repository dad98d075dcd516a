"""Everything public that awaits, ended at every single suspension: nothing stays behind."""

import asyncio
import gc
import inspect
import itertools
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Any, get_origin, get_type_hints

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("redis")
pytest.importorskip("docket")

import tests.faults.oci_works  # noqa: F401, they enter themselves
from benchmarks.sharing import NEEDS_REDIS, RedisServer, redis_is_there
from tests.faults.stage import WAYS, end
from tests.faults.works import HEALTH, WORKS
from tests.ratelimit.redis_servers import be_patient
from tests.test_public_api import MODULES

# Of these nothing is to be ended: they are done with their first step.
DONE_AT_ONCE = {
    "aioregistry.RegistryClient.open",
    "aioregistry.cleanup.Distribution.open",
    "writer that is opened",
    "aioregistry.web.fastapi.answer_problem",
    "aioregistry.web.fastapi.get_health",
    *(
        f"aioregistry.web.{server}.{name}"
        for server in ("aiohttp", "fastapi")
        for name in (*HEALTH, "metrics", "page", "usage")
    ),
}
BLOCK = ("__aenter__", "__aexit__")
NOT_COVERED = {
    "aioregistry.Limiter.acquire": "a protocol: WindowLimiter and RedisLimiter are covered",
    "aioregistry.cleanup.ContentSource.read": "a protocol: ContentReader is covered",
    "aioregistry.cleanup.ContentSource.document": "a protocol: ContentReader is covered",
    "aioregistry.cleanup.ContentSource.current_digest": "a protocol: ContentReader is covered",
    "aioregistry.cleanup.ContentSource.list_tags": "a protocol: ContentReader is covered",
    "aioregistry.cleanup.JournalStore.open": "a protocol: apply_plan's journal is a file",
    "aioregistry.cleanup.SharedDocuments.documents": "a protocol: see ServerDocuments",
    "aioregistry.cleanup.SharedDocuments.keep": "a protocol: see ServerDocuments",
    "aioregistry.cleanup.ManifestStore.find_manifest": "a protocol: Distribution is covered",
    "aioregistry.cleanup.ManifestStore.get_manifest": "a protocol: Distribution is covered",
    "aioregistry.cleanup.ManifestStore.has_blob": "a protocol: DistributionWriter is covered",
    **dict.fromkeys(
        (
            *(f"aioregistry.fleet.FleetEngine.{name}" for name in ("begin", "runs", "progress")),
            *(f"aioregistry.fleet.FleetEngine.{name}" for name in ("work", "find", *BLOCK)),
            *(f"aioregistry.fleet.FleetEngine.{name}" for name in ("approve", "cancel")),
            *(
                f"aioregistry.fleet.Lease.{name}"
                for name in ("read", "get", "watch", "write", *BLOCK)
            ),
            *(f"aioregistry.fleet.ServerDocuments.{name}" for name in ("documents", "keep")),
            "aioregistry.fleet.SharedStore.open",
            "aioregistry.fleet.TokenSource.read",
        ),
        "ended by kills and by stops in tests/fleet",
    ),
    **dict.fromkeys(
        (
            f"aioregistry.web.{store}.{name}"
            for store in ("SharedJobStore", "redis.RedisJobStore")
            for name in ("cancel", "claim", "keep_alive")
        ),
        "ended by kills and by stops in tests/web/test_replicas.py",
    ),
    "aioregistry.web.runs.working": "ended by kills and by stops in tests/web/test_lasting.py",
    "aioregistry.web.Jobs.cancel": "a write to the store: see SharedJobStore.cancel",
    "aioregistry.cleanup.ManifestStore.put_manifest": "a protocol: DistributionWriter is covered",
}


@pytest.fixture(scope="module")
def redis_port():
    if not redis_is_there():
        yield 0
        return
    server = RedisServer()
    with asyncio.Runner() as runner:
        runner.run(server.start())
        yield server.port
        runner.run(server.stop())


@pytest.fixture(scope="module")
def quick_garbage_collection():
    """What is there already need not be looked through after each test."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


# The other ways take the same path, from another side.
USUAL = ("interrupted", "cancelled again while it ends")


def cells():
    """Each piece of work, cancelled and ended in one way more; all others are exhaustive."""
    for nth, name in enumerate(WORKS):
        for way in WAYS:
            usual = way in {"cancelled", USUAL[nth % len(USUAL)]}
            marks = () if usual else pytest.mark.exhaustive
            yield pytest.param(name, way, marks=marks, id=f"{name}-{way}")


@pytest.mark.slow(0.1)
@pytest.mark.parametrize(("name", "way"), list(cells()))
def test_nothing_stays_behind_wherever_it_ends(
    name, way, redis_port, quick_garbage_collection, tmp_path, monkeypatch
):
    if "redis" in name:
        if not redis_port:
            pytest.skip(NEEDS_REDIS)
        be_patient(monkeypatch)
    for nth in itertools.count(1):
        folder = tmp_path / f"{name}-{way}-{nth}".replace(" ", "-")
        folder.mkdir()
        try:
            reached = end(WORKS[name].work, nth, way, folder, redis_port)
        except BaseException as error:
            error.add_note(f"when it was {way} at suspension {nth}")
            raise
        if not reached:
            break
    # What complains when it is lost, does so in this test.
    gc.collect()
    assert (nth == 1) == (name in DONE_AT_ONCE)


def test_everything_public_that_awaits_is_covered():
    covered = {name for each in WORKS.values() for name in each.names}
    public = {name for module in MODULES for name in _awaiting(module)}
    assert public - covered - NOT_COVERED.keys() == set()
    assert NOT_COVERED.keys() <= public - covered


def _awaiting(module: str) -> Iterator[str]:
    """Yield the names of all in a public module that awaits, or returns what is iterated so."""
    loaded = import_module(module)
    for name in loaded.__all__:
        value = getattr(loaded, name)
        if _awaits(value):
            yield f"{module}.{name}"
        if not inspect.isclass(value) or issubclass(value, BaseException):
            continue
        ours = [each for each in value.__mro__ if each.__module__.startswith("aioregistry")]
        for attribute in sorted({one for each in ours for one in vars(each)}):
            special = attribute in {
                "__aenter__",
                "__aexit__",
                "__anext__",
                "__aiter__",
                "__await__",
            }
            inherited = attribute == "__aiter__" and "__aiter__" not in vars(value)
            if (special or not attribute.startswith("_")) and not inherited:
                member = inspect.getattr_static(value, attribute)
                if _awaits(getattr(member, "__func__", member)):
                    yield f"{module}.{name}.{attribute}"


def _awaits(value: Any) -> bool:
    if not inspect.isfunction(value):
        return False
    if inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value):
        return True
    returned = get_type_hints(value, include_extras=False).get("return")
    kind = get_origin(returned) or returned
    if kind is AbstractAsyncContextManager:
        return True
    return inspect.isclass(kind) and hasattr(kind, "__aiter__")
