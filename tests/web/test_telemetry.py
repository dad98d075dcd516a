"""The README's block for OpenTelemetry, against the SDK's exporters in memory."""

import re

import pytest

from aioregistry import AuthenticationError, NotFoundError, RegistryClient
from aioregistry.sandbox import Fault, Faults, Sandbox
from tests.readme import chapter

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

CHAPTER = chapter("Seen from outside")


@pytest.fixture
def telemetry(monkeypatch):
    """The block's `observe`, the spans, and the metrics."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    meters = MeterProvider([reader])
    monkeypatch.setattr(trace, "get_tracer", tracers.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "token")
    names = {"RegistryClient": RegistryClient}
    exec(re.search(r"```python\n(.*?)```", CHAPTER, re.DOTALL)[1], names)
    return names["observe"], spans, reader


async def test_each_request_is_a_span_and_a_duration(telemetry):
    observe, spans, reader = telemetry
    async with Sandbox(faults=Faults(Fault(kind="status", status=503, times=1))) as sandbox:
        sandbox.state.push("example", "web", ["v1"])
        async with RegistryClient(
            sandbox.token, base_url=sandbox.url, on_request=observe
        ) as client:
            await client.registry("example").repository("web").delete_tag("v1")
            with pytest.raises(NotFoundError):
                await client.registry("example").repository("web").delete_tag("v1")
    good, bad = spans.get_finished_spans()
    assert good.kind is SpanKind.CLIENT
    assert good.attributes["http.request.method"] == "DELETE"
    assert good.attributes["http.response.status_code"] == 204
    assert good.attributes["http.request.resend_count"] == 1
    assert "web" not in good.attributes["url.template"]
    assert good.status.status_code is StatusCode.UNSET
    assert good.end_time > good.start_time
    assert bad.attributes["error.type"] == "NotFoundError"
    assert bad.status.status_code is StatusCode.ERROR
    (metric,) = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    assert metric.name == "http.client.request.duration"
    assert metric.unit == "s"
    assert sum(point.count for point in metric.data.data_points) == 2


async def test_spans_belong_to_the_callers_span(telemetry):
    observe, spans, _ = telemetry
    tracers = TracerProvider()
    async with (
        Sandbox() as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, on_request=observe) as client,
    ):
        with tracers.get_tracer("caller").start_as_current_span("caller") as caller:
            await client.get_registry()
    (span,) = spans.get_finished_spans()
    assert span.parent.span_id == caller.get_span_context().span_id


async def test_no_span_and_no_metric_tells_the_token(telemetry):
    observe, spans, reader = telemetry
    async with (
        Sandbox(token="dop_v1_secret", faults=Faults(Fault(kind="html", status=401))) as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, on_request=observe) as client,
    ):
        with pytest.raises(AuthenticationError):
            await client.get_registry()
    (span,) = spans.get_finished_spans()
    assert "AuthenticationError" in span.to_json()
    assert sandbox.token not in span.to_json()
    assert sandbox.token not in reader.get_metrics_data().to_json()
