"""Models where users put them: JSON, pydantic, FastAPI."""

import json
from datetime import UTC, datetime

import orjson
import pytest
from attrs import fields

import aioregistry
from aioregistry import (
    Blob,
    DeletionReport,
    DockerCredentials,
    GarbageCollection,
    Manifest,
    NotFoundError,
    Outcome,
    Registry,
    RegistryOptions,
    Repository,
    RepositoryV1,
    Subscription,
    SubscriptionTier,
    Tag,
    json_default,
)
from aioregistry.api.conversion import structure

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TIER = SubscriptionTier("Basic", "basic", 5, eligible=True, eligibility_reasons=("a", "b"))
MODELS = [
    Blob("sha256:1", 5),
    Manifest("example", "web", "sha256:2", 1, 2, TIME, ("v1",), (Blob("sha256:1", 5),)),
    Tag("example", "web", "v1", "sha256:2", 1, None, TIME),
    Repository("example", "web", Manifest("example", "web"), 1, 2),
    RepositoryV1("example", "web", None, 1),
    Registry("example", TIME, "fra1", 1, TIME, Subscription(TIER, TIME), read_only=False),
    RegistryOptions(("fra1",), (TIER,)),
    GarbageCollection("u", "example", "succeeded", TIME, TIME, 1, 2, "unreferenced blobs only"),
]
IDS = [type(model).__name__ for model in MODELS]


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_a_model_goes_through_json_and_back(model):
    document = model.to_dict()
    assert list(document) == [field.name for field in fields(type(model))]
    assert structure(json.loads(json.dumps(document)), type(model)) == model
    assert json.loads(json.dumps([model], default=json_default)) == [document]


def test_orjson_writes_models_and_reports():
    report = DeletionReport.of([Outcome(0, "v1", "failed", NotFoundError("none", status=404), 1)])
    written = orjson.dumps([*MODELS, report], default=json_default)
    assert orjson.loads(written) == [model.to_dict() for model in [*MODELS, report]]


def test_times_are_written_as_the_api_writes_them():
    assert Tag(updated_at=TIME).to_dict()["updated_at"] == "2026-01-02T03:04:05Z"


def test_a_report_is_json():
    error = NotFoundError("none", status=404)
    report = DeletionReport.of([Outcome(0, "v1", "deleted"), Outcome(1, "v2", "failed", error, 1)])
    document = json.loads(json.dumps(report, default=json_default))
    assert document == report.to_dict()
    assert document["deleted"][0]["name"] == "v1"
    assert (document["failed"][0]["error"], document["absent"]) == ("NotFoundError", [])


@pytest.mark.parametrize("value", [DockerCredentials("h", "u", "secret", {}), object()])
def test_credentials_and_foreign_objects_are_refused(value):
    with pytest.raises(TypeError) as caught:
        json.dumps(value, default=json_default)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_pydantic_validates_writes_and_describes_a_model(model):
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(list[type(model)])
    written = adapter.dump_json([model])
    assert json.loads(written) == [model.to_dict()]
    assert adapter.validate_json(written) == [model]
    assert adapter.validate_python([model]) == [model]
    for mode in ("validation", "serialization"):
        schema = adapter.json_schema(mode=mode)
        described = schema["$defs"][type(model).__name__]["properties"]
        assert list(described) == [field.name for field in fields(type(model))]
    with pytest.raises(pydantic.ValidationError):
        adapter.validate_python([{next(iter(described)): 5.5}])


def test_fastapi_answers_models_with_a_schema():
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()

    @app.get("/")
    async def tags() -> list[Tag]:
        return []

    documents = app.openapi()
    assert list(documents["components"]["schemas"]) == ["Tag"]
    responses = documents["paths"]["/"]["get"]["responses"]["200"]["content"]
    schema = responses["application/json"]["schema"]
    assert schema["items"] == {"$ref": "#/components/schemas/Tag"}


def test_every_model_but_credentials_and_pages_is_a_document():
    models = {getattr(aioregistry, name) for name in aioregistry.__all__}
    documents = {one.__name__ for one in models if hasattr(one, "__get_pydantic_core_schema__")}
    # Reports have it, too: tests/test_reports.py.
    assert documents == {*IDS, "Subscription", "SubscriptionTier", "TagOutcome"}
