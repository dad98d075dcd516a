"""Models against the description's field lists: all there, all typed, calm where calm is safe."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioregistry
from aioregistry import InvalidResponseError, PartialListingError, RegistryClient
from tests.drawing import draws
from tests.vendor import examples
from tests.vendor.expected import assert_holds, decoded
from tests.vendor.server import TOKEN, Answer, VendorServer

pytestmark = pytest.mark.slow(0.02)

ZERO_TIME = "0001-01-01T00:00:00Z"
TAGS = "/v2/registry/example/repositories/repo-1/tags"
MANIFESTS = "/v2/registry/example/repositories/repo-1/digests"


@dataclass(frozen=True, slots=True)
class Door:
    """The way of one model into the house: an answer around an object, and the call for it."""

    path: str
    example: dict[str, Any]
    wrap: Callable[[Any], Any]
    fetch: Callable[[RegistryClient], Awaitable[Any]]
    pick: Callable[[Any], Any] = lambda answer: answer

    async def bring(
        self, server: VendorServer, client: RegistryClient, thing: Any, **beside: Any
    ) -> Any:
        """Serve one object, with fields beside its envelope's, and return what comes of it."""
        server.on("GET", self.path, Answer(200, {**self.wrap(thing), **beside}))
        return self.pick(await self.fetch(client))


def listed(key: str) -> Callable[[Any], Any]:
    return lambda thing: {key: [thing], "meta": {"total": 1}}


def repository(client: RegistryClient) -> Any:
    return client.registry("example").repository("repo-1")


DOORS = {
    "Registry": Door(
        "/v2/registry",
        examples.REGISTRY,
        lambda thing: {"registry": thing},
        lambda c: c.get_registry(),
    ),
    "Subscription": Door(
        "/v2/registry/subscription",
        examples.SUBSCRIPTION,
        lambda thing: {"subscription": thing},
        lambda c: c.subscription(),
    ),
    "SubscriptionTier": Door(
        "/v2/registry/options",
        {**examples.TIER, "eligible": True, "eligibility_reasons": ["OverRepositoryLimit"]},
        lambda thing: {"options": {"available_regions": [], "subscription_tiers": [thing]}},
        lambda c: c.options(),
        lambda options: options.subscription_tiers[0],
    ),
    "RegistryOptions": Door(
        "/v2/registry/options",
        examples.OPTIONS,
        lambda thing: {"options": thing},
        lambda c: c.options(),
    ),
    "RepositoryV1": Door(
        "/v2/registry/example/repositories",
        examples.REPOSITORY_V1,
        listed("repositories"),
        lambda c: c.registry("example").repositories_v1().first(),
    ),
    "Repository": Door(
        "/v2/registry/example/repositoriesV2",
        examples.REPOSITORY,
        listed("repositories"),
        lambda c: c.registry("example").repositories().first(),
    ),
    "Tag": Door(TAGS, examples.TAG, listed("tags"), lambda c: repository(c).tags().first()),
    "Manifest": Door(
        MANIFESTS,
        examples.MANIFEST,
        listed("manifests"),
        lambda c: repository(c).manifests().first(),
    ),
    "Blob": Door(
        MANIFESTS,
        examples.MANIFEST["blobs"][0],
        lambda thing: {"manifests": [{**examples.MANIFEST, "blobs": [thing]}]},
        lambda c: repository(c).manifests().first(),
        lambda manifest: manifest.blobs[0],
    ),
    "GarbageCollection": Door(
        "/v2/registry/example/garbage-collection",
        examples.GARBAGE_COLLECTION,
        lambda thing: {"garbage_collection": thing},
        lambda c: c.registry("example").garbage_collection(),
    ),
}
FIELDS = [(model, name) for model, door in DOORS.items() for name in door.example]


def kind(name: str, value: Any) -> str:
    """The sort of a field, as the description types it."""
    if name.endswith("_at"):
        return "time"
    if isinstance(value, list):
        return "array of strings" if isinstance(value[0], str) else "array of objects"
    return {bool: "boolean", int: "integer", str: "string", dict: "object"}[type(value)]


WRONG = {
    "string": [5, 1.5, True, [], ["v1"], {}],
    "integer": ["5", "None", "", True, 1.5, [], {}],
    "boolean": ["true", "", 0, 1, [], {}],
    "time": [
        "None",
        "yesterday",
        "2020-13-45T99:99:99Z",
        "2020-11-04T21:39:49",
        "2020-11-04",
        "21:39:49Z",
        1604525989,
        1604525989.5,
        True,
        [],
        {},
    ],
    "array of strings": ["v1", "", 5, True, {}, {"0": "v1"}, [1], [True], [None], [["v1"]]],
    "array of objects": ["x", 5, True, {}, ["x"], [5], [[]]],
    "object": ["x", "", 5, True, [], [{}]],
}


@pytest.fixture(params=[{}, {"new": ZERO_TIME, "compressed_size_byte": 1}], ids=["alone", "beside"])
def beside(request):
    """Unknown fields with what is special elsewhere: they must not change how the rest is read."""
    return request.param


@pytest.mark.parametrize("model", DOORS)
async def test_every_field_is_decoded(server, client, model, beside):
    door = DOORS[model]
    thing = await door.bring(server, client, door.example, **beside)
    assert type(thing) is getattr(aioregistry, model)
    assert_holds(thing, decoded(door.example), model)


@pytest.mark.parametrize("model", DOORS)
async def test_models_are_frozen_and_slotted(server, client, model):
    door = DOORS[model]
    thing = await door.bring(server, client, door.example)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(thing, next(iter(door.example)), None)
    assert not hasattr(thing, "__dict__")
    assert thing == await door.bring(server, client, door.example)


@pytest.mark.parametrize("absence", ["missing", "null"])
@pytest.mark.parametrize(("model", "name"), FIELDS)
async def test_an_absent_field_is_none_or_empty(server, client, model, name, absence, beside):
    door = DOORS[model]
    others = {k: v for k, v in door.example.items() if k != name}
    given = others if absence == "missing" else {**others, name: None}
    thing = await door.bring(server, client, given, **beside)
    expected = ([],) if isinstance(door.example[name], list) else (None, "")
    if name == "repository" and model in {"Tag", "Manifest"}:
        # A list of a repository's is known to be that.
        expected = (examples.TAG["repository"],)
    value = getattr(thing, name)
    assert (list(value) if isinstance(value, tuple) else value) in expected
    assert_holds(thing, decoded(others), model)


@pytest.mark.parametrize("model", DOORS)
async def test_an_object_without_any_field_is_decoded(server, client, model):
    thing = await DOORS[model].bring(server, client, {})
    assert type(thing) is getattr(aioregistry, model)


@pytest.mark.parametrize("model", DOORS)
async def test_unknown_fields_are_kept_out_of_the_way(server, client, model):
    door = DOORS[model]
    news = {"brand_new": {"deep": [1, None, {"x": "y"}]}, "self": 1, "class": "x", "": 0}
    thing = await door.bring(server, client, {**news, **door.example})
    assert_holds(thing, decoded(door.example), model)


@pytest.mark.parametrize(("model", "name"), FIELDS)
async def test_a_field_of_another_type_is_refused(server, client, model, name, beside):
    door = DOORS[model]
    accepted = []
    for wrong in WRONG[kind(name, door.example[name])]:
        try:
            thing = await door.bring(server, client, {**door.example, name: wrong}, **beside)
        except InvalidResponseError:
            continue
        accepted.append((wrong, getattr(thing, name)))
    assert accepted == []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(1.5) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ALLOWED = {
    "registry_name": lambda v: isinstance(v, str | None),
    "digest": lambda v: isinstance(v, str | None),
    "size_bytes": lambda v: v is None or type(v) is int,
    "tags": lambda v: v is None or (isinstance(v, list) and all(isinstance(t, str) for t in v)),
}


@draws(60)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*ALLOWED, "new"], ANYTHING)))
def test_an_object_is_taken_as_it_is_or_refused(thing):
    """Nothing is turned into what it was not."""

    async def bring():
        async with (
            VendorServer() as server,
            RegistryClient(token=TOKEN, base_url=server.url) as client,
        ):
            return await DOORS["Manifest"].bring(server, client, thing)

    if all(allowed(thing.get(name)) for name, allowed in ALLOWED.items()):
        manifest = asyncio.run(bring())
        given_fields = {name: thing[name] for name in ALLOWED if thing.get(name) is not None}
        # A list of a registry's is known to be that, where the name is left out or empty.
        given_fields["registry_name"] = thing.get("registry_name") or "example"
        assert_holds(manifest, given_fields)
    else:
        with pytest.raises(InvalidResponseError):
            asyncio.run(bring())


class TestTimes:
    """RFC 3339 as Go writes it."""

    @pytest.mark.parametrize("digits", range(10))
    async def test_fractions_of_any_length(self, server, client, digits):
        fraction = f".{'530562231'[:digits]}" if digits else ""
        text = f"2020-11-04T21:39:49{fraction}Z"
        tag = await DOORS["Tag"].bring(server, client, {**examples.TAG, "updated_at": text})
        exact = datetime(2020, 11, 4, 21, 39, 49, tzinfo=UTC) + timedelta(
            seconds=float(f"0{fraction}")
        )
        assert abs(tag.updated_at - exact) <= timedelta(microseconds=1)
        assert tag.updated_at.utcoffset() == timedelta(0)

    async def test_an_offset_is_the_same_moment(self, server, client):
        tag = {**examples.TAG, "updated_at": "2020-11-04T23:39:49+02:00"}
        tag = await DOORS["Tag"].bring(server, client, tag)
        assert tag.updated_at == datetime(2020, 11, 4, 21, 39, 49, tzinfo=UTC)

    @pytest.mark.parametrize(("model", "name"), [f for f in FIELDS if f[1].endswith("_at")])
    @pytest.mark.parametrize("zero", [ZERO_TIME, "0001-01-01T00:00:00.000000000Z"])
    async def test_gos_zero_time_is_none(self, server, client, model, name, zero):
        door = DOORS[model]
        thing = await door.bring(server, client, {**door.example, name: zero})
        assert getattr(thing, name) is None

    async def test_gos_zero_time_is_none_inside_other_models(self, server, client):
        manifest = {**examples.MANIFEST, "updated_at": ZERO_TIME}
        repo = {**examples.REPOSITORY, "latest_manifest": manifest}
        repo = await DOORS["Repository"].bring(server, client, repo)
        assert repo.latest_manifest.updated_at is None


class TestBlobs:
    """One vendor example misspells the size of a blob."""

    @pytest.mark.parametrize(
        "blob",
        [
            {"compressed_size_byte": 2814446},
            {"compressed_size_bytes": 2814446},
            {"compressed_size_byte": 1, "compressed_size_bytes": 2814446},
            {"compressed_size_bytes": 2814446, "compressed_size_byte": 1},
            {"compressed_size_byte": 2814446, "compressed_size_bytes": None},
        ],
    )
    async def test_either_spelling(self, server, client, blob):
        thing = await DOORS["Blob"].bring(server, client, {"digest": examples.DIGEST, **blob})
        assert thing.compressed_size_bytes == 2814446

    @pytest.mark.parametrize("wrong", ["5", True, [], {}])
    async def test_the_wrong_spelling_is_typed_too(self, server, client, wrong):
        with pytest.raises(InvalidResponseError):
            await DOORS["Blob"].bring(server, client, {"compressed_size_byte": wrong})


@pytest.mark.parametrize("status", ["waiting for delete requests", "success", "new in 2031"])
async def test_garbage_collection_statuses_are_an_open_set(server, client, status):
    door = DOORS["GarbageCollection"]
    thing = await door.bring(server, client, {**door.example, "status": status})
    assert thing.status == status


SINGLE = ["Registry", "Subscription", "RegistryOptions", "GarbageCollection"]
NOT_AN_ANSWER = [None, [], "x", 5, True, {}]


@pytest.mark.parametrize("body", NOT_AN_ANSWER, ids=repr)
@pytest.mark.parametrize("model", SINGLE)
async def test_an_answer_without_its_object_is_refused(server, client, model, body):
    door = DOORS[model]
    server.on("GET", door.path, Answer(200, b"null" if body is None else body))
    with pytest.raises(InvalidResponseError):
        await door.fetch(client)


@pytest.mark.parametrize("thing", [None, [], "x", 5, True], ids=repr)
@pytest.mark.parametrize("model", SINGLE)
async def test_an_object_that_is_none_is_refused(server, client, model, thing):
    with pytest.raises(InvalidResponseError):
        await DOORS[model].bring(server, client, thing)


PAGE = {"tags": [examples.TAG], "meta": {"total": 1}}


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        [],
        [examples.TAG],
        "tags",
        5,
        {"tags": "v1"},
        {"tags": {}},
        {"tags": 5},
        {"tags": [None]},
        {"tags": ["latest"]},
        {"tags": [[examples.TAG]]},
        {**PAGE, "meta": {"total": "1"}},
        {**PAGE, "meta": {"total": True}},
        {**PAGE, "meta": []},
        {**PAGE, "links": []},
        {**PAGE, "links": {"pages": "x"}},
        {**PAGE, "links": {"pages": {"next": 5}}},
    ],
    ids=str,
)
async def test_a_page_that_is_no_page_is_refused(server, client, body):
    server.on("GET", TAGS, Answer(200, body))
    with pytest.raises(InvalidResponseError):
        await repository(client).tags().collect()


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"links": None},
        {"links": {}},
        {"links": {"pages": None}},
        {"links": {"pages": {}}},
        {"links": {"pages": {"last": f"{examples.DIGEST_PAGES}?page=1"}}},
        {"links": {"pages": {"next": None}}},
    ],
    ids=str,
)
async def test_one_page_may_come_with_any_sort_of_no_links(server, client, extra):
    server.on("GET", TAGS, Answer(200, {**PAGE, **extra}))
    assert [tag.tag for tag in await repository(client).tags().collect()] == ["latest"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [{"tags": []}, {"tags": None}], ids=str)
async def test_an_empty_list_is_empty(server, client, body):
    server.on("GET", TAGS, Answer(200, {**body, "meta": {"total": 0}}))
    assert await repository(client).tags().collect() == []
    assert await repository(client).tags().first() is None


@pytest.mark.parametrize("meta", [{}, {"meta": {"total": 3}}], ids=str)
async def test_a_page_without_its_list_is_not_an_empty_registry(server, client, meta):
    """What deletes on the strength of a listing must never take this for "nothing is there"."""
    server.on("GET", TAGS, Answer(200, meta))
    with pytest.raises((InvalidResponseError, PartialListingError)):
        await repository(client).tags().collect(require_complete=True)
