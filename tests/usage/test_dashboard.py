"""The dashboard for Grafana: it asks for metrics that are written, and Grafana's schema has it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import aioregistry.usage
from aioregistry.api.models import Registry, SubscriptionTier
from aioregistry.ratelimit.limits import RateLimitStatus, WindowStatus
from aioregistry.usage.cost import Cost
from aioregistry.usage.history import UsageRecord
from aioregistry.usage.metrics import RegistryFigures, openmetrics
from aioregistry.usage.model import By, RegistryUsage, UsageRow

parser = pytest.importorskip("prometheus_client.openmetrics.parser")

FILE = Path(aioregistry.usage.__file__).parent / "dashboard.json"
ROW = UsageRow(name="web")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def written(*, by_repository: bool = False) -> dict[str, set[str]]:
    """The names of all metrics that are written, with their labels."""
    usage = RegistryUsage(registry="example", by=By.REPOSITORY, at=NOW, total=ROW, rows=(ROW,))
    figures = RegistryFigures(
        usage=usage,
        by_repository=by_repository,
        reported=Registry(storage_usage_bytes=1, storage_usage_bytes_updated_at=NOW),
        records=[UsageRecord(at=NOW, cause="cleanup", deleted=1, seconds=1)],
        seconds=1.0,
    )
    tier = SubscriptionTier(included_storage_bytes=1, storage_overage_price_in_cents=2)
    quota = RateLimitStatus((WindowStatus(250, 60.0, 1, 0, 249),), 0, 0.0, None)
    text = openmetrics([figures], cost=Cost(2, tier), quota=quota).decode()
    return {
        sample.name: set(sample.labels)
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_readme_has_every_metric():
    text = (FILE.parent / "README.md").read_text("utf-8")
    assert set(re.findall(r"`(aioregistry_\w+)`", text)) == set(written(by_repository=True))


def expressions() -> list[str]:
    document = json.loads(FILE.read_text("utf-8"))
    found = [target["expr"] for panel in document["panels"] for target in panel["targets"]]
    variables = document["templating"]["list"]
    return found + [
        variable["query"]["query"] for variable in variables if "datasource" in variable
    ]


def test_every_metric_that_it_asks_for_is_written():
    known = written()
    for expression in expressions():
        names = re.findall(r"\baioregistry_\w+", expression)
        assert names
        assert set(names) <= set(known), expression


def test_every_metric_of_a_registry_that_is_written_is_asked_for():
    asked = {name for each in expressions() for name in re.findall(r"\baioregistry_\w+", each)}
    assert set(written()) == asked


def test_every_label_that_it_asks_for_is_written():
    known = written()
    for expression in expressions():
        labels = set(re.findall(r"(\w+)=~?\"", expression))
        labels |= set(re.findall(r"by \((\w+)\)", expression))
        for name in re.findall(r"\baioregistry_\w+", expression):
            assert labels <= known[name], expression


def test_panels_do_not_cover_each_other():
    taken = set()
    for panel in json.loads(FILE.read_text("utf-8"))["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_schema_of_grafana_has_all_of_it():
    models = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder")
    plugins = pytest.importorskip("grafana_foundation_sdk.cog.plugins")
    plugins.register_default_plugins()
    document = json.loads(FILE.read_text("utf-8"))
    read = json.loads(json.dumps(models.Dashboard.from_json(document), cls=encoder.JSONEncoder))
    assert list(lost(document, read)) == []


def lost(before, after, path=""):
    """What reading and writing has changed: the schema does not know it."""
    if isinstance(before, dict):
        for key, value in before.items():
            yield from lost(
                value, after.get(key) if isinstance(after, dict) else None, f"{path}/{key}"
            )
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from lost(*pair, f"{path}/{number}")
    elif before != after:
        yield path
