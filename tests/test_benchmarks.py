"""The benchmarks run, and what they find is rendered."""

import json
import runpy
import sys
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from attrs import evolve

import benchmarks
from aioregistry.cli.demo.history import History
from benchmarks.__main__ import measure
from benchmarks.before import beside_the_older_build
from benchmarks.candidates import OURS, installed
from benchmarks.chart import draw
from benchmarks.effort import DECODER, SHORT
from benchmarks.histories import measure as measure_history
from benchmarks.histories import picture
from benchmarks.job import Job
from benchmarks.measure import Samples, interleave, run_module
from benchmarks.report import document, section_text
from benchmarks.results import Comparison, Row, Section, Target
from benchmarks.server import serving

SECONDS = {OURS: (0.2, 0.1), DECODER: (0.1, 0.1), "httpx": (1.0, 2.0)}
RESULTS = Section(
    "Off the limit",
    "A note.",
    (
        Row("reached", (1.1, 1.0, 1.4), Target(1.2)),
        Row("missed", (2.0,), Target(3, at_least=True)),
        Row("told only", (0.5,), unit="s"),
    ),
    (Comparison("32 at once", Job("delete", "http://x", 1_000), Samples(SECONDS, SECONDS)),),
)


@pytest.fixture
def here(monkeypatch, capsys):
    """What is measured in processes of their own runs in this one, which is quicker."""

    def run(module, *arguments):
        path = Path(benchmarks.__file__).parent / f"{module}.py"
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [str(path), *arguments])
            runpy.run_path(str(path), run_name="__main__")
        return json.loads(capsys.readouterr().out)

    for room in ("measure", "footprint", "limits"):
        monkeypatch.setattr(f"benchmarks.{room}.run_module", run)


def test_a_process_prints_its_figures():
    job = Job("walk", "http://127.0.0.1:9", 0)
    assert run_module("imports", "json")[0] > 0
    with pytest.raises(RuntimeError, match=r"candidates nobody .* failed"):
        run_module("candidates", "nobody", job.to_json())


@pytest.mark.parametrize(
    "path", sorted(Path(benchmarks.__file__).parent.glob("*.py")), ids=lambda path: path.stem
)
def test_what_a_benchmark_imports_has_not_moved(path):
    pytest.importorskip("redis")
    import_module(f"benchmarks.{path.stem}")


@pytest.mark.exhaustive
@pytest.mark.usefixtures("here")
def test_the_short_form_measures_every_section_and_names_figures_for_its_rows():
    tiny = evolve(
        SHORT,
        rounds=1,
        candidates=(OURS, DECODER),
        tags=600,
        deletes=50,
        jobs=(250, 1_000),
        shared=300,
        cleaned=200,
        planned=200,
        nights=20,
        counted=300,
        paged=300,
    )
    sections = list(measure(tiny))
    assert len(sections) == 9
    for section in sections:
        assert all(row.what in section_text(section, "cpu") for row in section.rows)


@pytest.mark.exhaustive
@pytest.mark.usefixtures("here")
def test_both_builds_plan_and_read():
    section = beside_the_older_build(evolve(SHORT, rounds=1, planned=2000, compared=300))
    assert all(figure > 0 for row in section.rows for figure in row.values)


@pytest.mark.slow(0.5)
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("name", "kind"), [(OURS, "sandbox"), *((name, "minimal") for name in installed())]
)
def test_every_candidate_walks_and_deletes(name, kind):
    with serving(kind, tags=400) as url:
        # A candidate that does not do all of its job fails, and with it its process.
        for job in (
            Job("walk", url, 400),
            Job("collect", url, 400, 4),
            Job("delete", url, 5, warm_up=False),
            Job("delete", url, 5, 2, first=5, warm_up=False),
        ):
            assert interleave([name], lambda *_, job=job: job, 1).wall[name][0] > 0


def test_the_report_names_figures_targets_and_the_machine():
    text = document([RESULTS], date="2025-01-31", load=0.5, clock="wall")
    assert "**1 of 2 targets are reached.**" in text
    assert "| reached   | ≤ 1.2  | **1.1**   | 1 … 1.4 | yes     |" in text
    assert "| missed    | ≥ 3    | **2**     | -       | **no**  |" in text
    assert "| told only | -      | **0.5** s | -       | -       |" in text
    assert "CPU" in text
    assert "2025-01-31" in text


def test_deletes_are_compared_without_a_word_of_decoders():
    assert "| bare aiohttp |" in section_text(RESULTS, "wall")


def test_the_chart_is_an_svg_that_names_the_clients_and_is_the_same_each_time(tmp_path: Path):
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install matplotlib")
    draw([RESULTS], tmp_path / "one.svg")
    draw([RESULTS], tmp_path / "two.svg")
    text = (tmp_path / "one.svg").read_text()
    assert "<svg" in text
    assert "aioregistry" in text
    assert text == (tmp_path / "two.svg").read_text()


@pytest.mark.parametrize(
    ("target", "figure", "reached", "lost"),
    [
        (Target(1.2), 1.2, True, False),
        (Target(1.2), 1.5, False, False),
        (Target(1.2), 1.7, False, True),
        (Target(3, at_least=True), 2.5, False, False),
        (Target(3, at_least=True), 2.0, False, True),
        (Target(0), 1, False, True),
    ],
)
def test_a_target_is_lost_only_by_more_than_noise(target, figure, reached, lost):
    row = Row("what", (figure,), target)
    assert (row.reached, row.lost) == (reached, lost)


def test_a_row_of_the_worst_has_to_hold_each_time():
    assert Row("429s", (0, 0, 1), Target(0), worst=True).reached is False


async def test_a_history_is_drawn_with_what_a_policy_keeps():
    pushes = [
        {
            "at": f"2024-0{1 + number // 25}-{1 + number % 25:02}T10:00:00Z",
            "sha": f"{number:040x}",
            "on_default_branch": True,
            "releases": [f"v1.{number}"] if number % 10 == 0 else [],
        }
        for number in range(60)
    ]
    history = msgspec.convert({"repository": "<owner>/name", "pushes": pushes}, History)
    measured = await measure_history(history)
    kept, whole = measured.sums(kept=True)[-1][1], measured.sums(kept=False)[-1][1]
    assert whole == measured.usage.total.bytes
    assert kept == whole - measured.plan.frees.bytes
    found = ET.fromstring(picture(measured))
    assert "<owner>/name" in "".join(found.itertext())
