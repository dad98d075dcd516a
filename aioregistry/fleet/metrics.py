"""The runs of a fleet as OpenMetrics, for Prometheus. Needs the extra ``metrics``."""

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from aioregistry.fleet.state import Run, StateError
from aioregistry.fleet.store import Progress

__all__ = ["openmetrics"]

_PREFIX = "aioregistry_fleet"


def openmetrics(
    runs: Mapping[str, Run | StateError | None], progress: Mapping[str, Progress]
) -> bytes:
    """Return the newest runs in the text format of OpenMetrics, for a textfile collector.

    Args:
        runs: The newest run of each registry, as `FleetEngine.runs` returns them.
        progress: How far slices are, as `FleetEngine.progress` returns it.

    Raises:
        ModuleNotFoundError: The extra ``metrics`` is not installed.
    """
    from prometheus_client import CollectorRegistry  # noqa: PLC0415  (an extra)
    from prometheus_client.openmetrics.exposition import generate_latest  # noqa: PLC0415

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Runs(runs, progress))
    text: bytes = generate_latest(registry)
    return text


@frozen(eq=False)
class _Runs:
    """What prometheus-client collects."""

    runs: Mapping[str, Run | StateError | None]
    progress: Mapping[str, Progress]

    def collect(self) -> Iterator[Any]:
        state = _gauge("state", "1 for the state of the newest run", "state")
        items = _gauge("items", "Items of the newest run's plan")
        done = _gauge("done_items", "Items that are deleted, gone or kept as changed")
        counts = _gauge("result_items", "Items of the newest run by what became of them", "result")
        attempt = _gauge("attempts_in_vain", "Attempts in a row that achieved nothing")
        begun = _gauge("begun_timestamp_seconds", "When the newest run was begun")
        ended = _gauge("ended_timestamp_seconds", "When the newest run ended")
        for name, run in self.runs.items():
            if not isinstance(run, Run):
                state.add_metric([name, "none" if run is None else "unreadable"], 1)
                continue
            state.add_metric([name, run.result or run.phase], 1)
            items.add_metric([name], run.items)
            under_way = self.progress.get(name) if run.phase == "apply" else None
            done.add_metric([name], under_way.done if under_way else run.settled)
            for result, count in run.counts.items():
                counts.add_metric([name, result], count)
            attempt.add_metric([name], run.attempt)
            begun.add_metric([name], run.begun_at)
            if run.ended_at:
                ended.add_metric([name], run.ended_at)
        yield from (state, items, done, counts, attempt, begun, ended)


def _gauge(name: str, text: str, *labels: str) -> Any:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  (an extra)

    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=["registry", *labels])
