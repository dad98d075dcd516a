"""The runs of a fleet, as Prometheus reads them."""

import pytest

pytest.importorskip("prometheus_client")

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from aioregistry.fleet import Progress, Run, StateError
from aioregistry.fleet.metrics import openmetrics


def test_each_registry_has_its_newest_run():
    done = Run(
        registry="acme",
        id="1",
        begun_at=5.0,
        ended_at=9.0,
        phase="ended",
        result="done",
        items=3,
        counts={"deleted": 2, "drift": 1},
    )
    working = Run(registry="busy", id="1", begun_at=5.0, phase="apply", items=9, attempt=2)
    runs = {"acme": done, "busy": working, "new": None, "odd": StateError("newer")}
    text = openmetrics(runs, {"busy": Progress(worker="w", done=4, total=9)}).decode()
    found = {
        (sample.name.removeprefix("aioregistry_fleet_"), *sorted(sample.labels.values())): value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for value in [sample.value]
    }
    assert found == {
        ("state", "acme", "done"): 1,
        ("state", "apply", "busy"): 1,
        ("state", "new", "none"): 1,
        ("state", "odd", "unreadable"): 1,
        ("items", "acme"): 3,
        ("items", "busy"): 9,
        ("done_items", "acme"): 3,
        ("done_items", "busy"): 4,
        ("result_items", "acme", "deleted"): 2,
        ("result_items", "acme", "drift"): 1,
        ("attempts_in_vain", "acme"): 0,
        ("attempts_in_vain", "busy"): 2,
        ("begun_timestamp_seconds", "acme"): 5,
        ("begun_timestamp_seconds", "busy"): 5,
        ("ended_timestamp_seconds", "acme"): 9,
    }
