"""Reports and figures where users put them: JSON, orjson, pydantic."""

import json
from datetime import UTC, datetime

import orjson
import pytest
from attrs import fields

from aioregistry import GarbageCollection, SubscriptionTier, TagOutcome, json_default
from aioregistry.cleanup import CleanupReport, CollectedGarbage, FreedBytes, ItemOutcome, UndoReport
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.records.report import Incomplete
from aioregistry.cleanup.undo.report import UndoOutcome
from aioregistry.images import CopyOutcome, CopyReport, ImageInspection
from aioregistry.images.inspection import InspectedLayer, InspectedManifest
from aioregistry.usage import By, Cost, Growth, RegistryUsage, UsageRecord, UsageRow

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIGEST = f"sha256:{'0' * 64}"
ITEM = Condemned(delete="manifest", digest=DIGEST, tags=("v1",), pushed_at=TIME, size_bytes=5)
ROW = UsageRow(name="web", bytes=5, exclusive_bytes=3)
REPORTS = [
    CleanupReport(
        deleted=(ItemOutcome("web", ITEM, "deleted"),),
        incomplete=(Incomplete("web", "v2", (DIGEST,)),),
        unchecked=("web",),
    ),
    UndoReport.of([UndoOutcome("web", "v1", DIGEST, "restored")]),
    CopyReport(DIGEST, (CopyOutcome("web:v1", DIGEST, "copied"),), 2, 10),
    TagOutcome("web", "v1", DIGEST, "moved", f"sha256:{'1' * 64}"),
    CollectedGarbage(GarbageCollection("u", "example", "succeeded", TIME), FreedBytes(bytes=5)),
    RegistryUsage(registry="example", by=By.REPOSITORY, at=TIME, total=ROW, rows=(ROW,)),
    UsageRecord(at=TIME, cause="measured", bytes=5),
    Cost(5, SubscriptionTier("Basic", "basic", 5)),
    Growth(1.5, 1.0, 2.0),
    ImageInspection(
        "example",
        "web",
        DIGEST,
        ("v1",),
        TIME,
        (InspectedManifest(DIGEST, "image", layers=(InspectedLayer(DIGEST, size_bytes=5),)),),
    ),
]


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_a_report_goes_into_json(report):
    document = report.to_dict()
    assert list(document) == [field.name for field in fields(type(report))]
    assert json.loads(json.dumps(document)) == document
    assert json.loads(json.dumps([report], default=json_default)) == [document]
    assert orjson.loads(orjson.dumps([report], default=json_default)) == [document]


def test_what_a_report_consists_of_is_in_it():
    (deleted,) = REPORTS[0].to_dict()["deleted"]
    assert deleted["item"]["pushed_at"] == "2026-01-02T03:04:05Z"
    assert REPORTS[-1].to_dict()["manifests"][0]["layers"][0]["size_bytes"] == 5
