"""Garbage collections: their states in time, and what they free."""

import pytest

from aioregistry.sandbox import Phases, Refusal, Sandbox, State
from aioregistry.sandbox.state.collection import BOTH, UNREFERENCED, UNTAGGED
from tests.sandbox.conftest import Caller

ONE_SECOND_EACH = Phases(1, 1, 1, 1, 1, 1)
OVER = 5.0
BASE = ("sha256:" + "b" * 64, 1_000_000)


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def state(clock):
    state = State(clock, phases=ONE_SECOND_EACH)
    state.add_registry("example")
    return state


def own(letter, size=500):
    return ("sha256:" + letter * 64, size)


def run(state, clock, kind):
    collection = state.start_collection("example", kind)
    clock.now += OVER
    assert state.active_collection("example") is None
    return collection


def test_it_walks_through_its_states_with_time(state, clock):
    collection = state.start_collection("example")
    seen = []
    for _ in range(6):
        state.active_collection("example")
        seen.append(collection.status)
        clock.now += 1
    assert seen == [
        "requested",
        "waiting for write JWTs to expire",
        "waiting for delete requests",
        "scanning manifests",
        "deleting unreferenced blobs",
        "succeeded",
    ]


def test_unreferenced_blobs_are_freed_and_shared_ones_are_not(state, clock):
    gone = state.push("example", "a", ["v1"], blobs=[own("1"), BASE])
    state.push("example", "b", ["v1"], blobs=[own("2"), BASE])
    state.delete_manifest("example", "a", gone)
    before = state.registry("example").storage_bytes
    collection = run(state, clock, UNREFERENCED)
    registry = state.registry("example")
    assert collection.blobs_deleted == 2
    assert collection.freed_bytes == before - registry.storage_bytes > 500
    assert bytes.fromhex("b" * 64) in registry.blobs
    assert registry.storage_bytes == sum(registry.blobs.values())


def test_untagged_manifests_alone_free_nothing(state, clock):
    state.push("example", "a", blobs=[own("1"), BASE])
    state.push("example", "a", ["v1"], blobs=[own("2"), BASE])
    before = state.registry("example").storage_bytes
    collection = run(state, clock, UNTAGGED)
    assert (collection.blobs_deleted, collection.freed_bytes) == (0, 0)
    assert state.registry("example").storage_bytes == before
    assert len(state.registry("example").repository("a").manifests) == 1


def test_both_at_once_free_what_untagged_manifests_held(state, clock):
    state.push("example", "a", blobs=[own("1", 700), BASE])
    state.push("example", "a", ["v1"], blobs=[own("2"), BASE])
    collection = run(state, clock, BOTH)
    assert collection.blobs_deleted == 2
    assert collection.freed_bytes > 700


def test_a_repository_of_untagged_manifests_vanishes(state, clock):
    state.push("example", "a")
    run(state, clock, UNTAGGED)
    assert state.registry("example").repository_names == []


def test_what_a_tagged_index_needs_and_what_speaks_of_it_stays(state, clock):
    children = [
        state.push("example", "a", platform=name) for name in ("linux/amd64", "linux/arm64")
    ]
    index = state.push_index("example", "a", children, ["v1"])
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "subject": {"digest": index, "size": 1, "mediaType": "x"},
    }
    state.push_document("example", "a", document)
    state.push("example", "a")
    run(state, clock, UNTAGGED)
    assert len(state.registry("example").repository("a").manifests) == 4


def test_the_registry_is_read_only_until_it_ends(state, clock):
    digest = state.push("example", "a", ["v1"])
    state.start_collection("example")
    for refused in (
        lambda: state.delete_tag("example", "a", "v1"),
        lambda: state.delete_manifest("example", "a", digest),
        lambda: state.delete_repository("example", "a"),
        lambda: state.delete_registry("example"),
    ):
        with pytest.raises(Refusal, match="412"):
            refused()
    clock.now += OVER
    state.delete_tag("example", "a", "v1")


def test_only_one_runs_at_a_time(state, clock):
    state.start_collection("example")
    with pytest.raises(Refusal, match="409"):
        state.start_collection("example")
    clock.now += OVER
    state.start_collection("example")


def test_a_cancelled_one_frees_nothing_and_ends(state, clock):
    state.push("example", "a")
    collection = state.start_collection("example", BOTH)
    clock.now += 1.5
    assert state.running_collection("example", collection.uuid) is collection
    collection.cancel(state.now())
    assert collection.status == "cancelling"
    clock.now += 0.5
    collection.cancel(state.now())
    clock.now += 0.5
    assert state.active_collection("example") is None
    assert collection.status == "cancelled"
    assert len(state.registry("example").repository("a").manifests) == 1


@pytest.mark.parametrize("kind", ["everything", 3, None, ["unreferenced blobs only"]])
def test_an_unknown_kind_is_refused(state, kind):
    with pytest.raises(Refusal, match="422"):
        state.start_collection("example", kind)


@pytest.mark.parametrize("family", ["/v2/registry", "/v2/registries"])
async def test_it_is_started_watched_cancelled_and_listed_by_the_api(session, state, clock, family):
    async with Sandbox(state) as sandbox:
        call, path = Caller(session, sandbox), f"{family}/example/garbage-collection"
        assert (await call("GET", path)).status == 404
        started = await call("POST", path, json={"type": UNTAGGED})
        assert started.status == 201
        collection = started.json["garbage_collection"]
        assert collection["status"] == "requested"
        assert collection["registry_name"] == "example"
        assert (await call("POST", path)).status == 409
        assert (await call("GET", path)).json == started.json
        assert (await call("PUT", f"{path}/{collection['uuid']}", json={"cancel": 1})).status == 422
        assert (await call("PUT", f"{path}/{collection['uuid']}", json={})).json == started.json
        unknown = await call("PUT", f"{path}/none", json={"cancel": True})
        assert unknown.status == 404
        cancelled = await call("PUT", f"{path}/{collection['uuid']}", json={"cancel": True})
        assert cancelled.json["garbage_collection"]["status"] == "cancelling"
        clock.now += OVER
        assert (await call("POST", path)).status == 201
        clock.now += OVER
        listed = await call("GET", f"{family}/example/garbage-collections?per_page=1")
        assert listed.json["meta"] == {"total": 2}
        assert [found["status"] for found in listed.json["garbage_collections"]] == ["succeeded"]
        last = await call("GET", f"{family}/example/garbage-collections?per_page=1&page=2")
        assert [found["status"] for found in last.json["garbage_collections"]] == ["cancelled"]
