"""Pictures of registries as projects' pushes leave them, and of what a policy would keep.

``python -m benchmarks.histories HISTORY.json …`` writes a picture of each, and prints figures. A
history is what ``aioregistry demo --history`` takes, which also says how to write one.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from html import escape
from itertools import accumulate
from pathlib import Path

from attrs import frozen

from aioregistry import RegistryClient
from aioregistry.cleanup import ContentReader, Distribution, Plan, make_plan
from aioregistry.cli.demo.content import REGISTRY, Content
from aioregistry.cli.demo.history import History, read_history
from aioregistry.report.charts import Chart, chart
from aioregistry.sandbox import Sandbox
from aioregistry.sizes import size_in_words
from aioregistry.usage import RegistryUsage, measure_usage

__all__ = ["Measured", "main", "measure", "picture"]

_KEEP = 20
_WIDTH, _HEIGHT, _TOP = 860, 300, 44
_STYLE = """
text{font:13px -apple-system,"Segoe UI",Roboto,"Helvetica Neue","Liberation Sans",Arial,sans-serif}
text{fill:#5a626b}.title{font-size:15px;font-weight:600;fill:#1c2025}.grid{stroke:#e6e2db}
.end{text-anchor:end}.middle{text-anchor:middle}.all{fill:#a8c3dd;opacity:.45}
.kept{fill:#4f83b1;opacity:.75}.line{fill:none;stroke:#4f83b1;stroke-width:2;stroke-linejoin:round}
@media(prefers-color-scheme:dark){text{fill:#a5adb5}.title{fill:#ebe9e5}.grid{stroke:#2d3238}.all{fill:#34597c}
.kept{fill:#6a9dcb}.line{stroke:#6a9dcb}}
""".strip()


@frozen
class Measured:
    """A history, and the registry that its pushes leave.

    Attributes:
        history: The history.
        usage: Where the bytes of the registry are.
        plan: What is deleted if releases and the 20 newest commits are kept.
    """

    history: History
    usage: RegistryUsage
    plan: Plan

    def sums(self, *, kept: bool) -> list[tuple[date, int]]:
        """Return the bytes pushed up to each day, of all images or of those that are kept."""
        days = Counter({day: size for day, size in self.usage.pushed if day is not None})
        if kept:
            for _, item in self.plan.condemned:
                if item.delete == "manifest" and item.pushed_at is not None:
                    days[item.pushed_at.date()] -= item.size_bytes or 0
        ordered = sorted(days)
        return list(zip(ordered, accumulate(days[day] for day in ordered), strict=True))

    def __str__(self) -> str:
        total, pushes = self.usage.total, self.history.pushes
        years = (pushes[-1].at - pushes[0].at).days / 365.25
        left = total.bytes - self.plan.frees.bytes
        return (
            f"{self.history.repository}: {len(pushes):,} pushes in {years:.1f} years;"
            f" {total.tags:,} tags, {total.manifests:,} manifests, {size_in_words(total.bytes)};"
            f" releases and the {_KEEP} newest commits are {size_in_words(left)}"
            f" ({left / total.bytes:.0%})"
        )


async def measure(history: History) -> Measured:
    """Push the images of a history to a sandbox, and count them there."""
    content = Content.of_history(history, _KEEP)
    last = max(push.at for push in history.pushes)
    async with (
        Sandbox(content.state) as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
        Distribution(client.registry(REGISTRY), base_url=sandbox.url) as distribution,
    ):
        registry, contents = client.registry(REGISTRY), ContentReader(distribution)
        usage = await measure_usage(registry, contents, now=last)
        plan = await make_plan(registry, content.policy, contents, now=last)
    return Measured(history, usage, plan)


def picture(measured: Measured) -> str:
    """Return an SVG of the bytes by push date: all, and those that are kept."""
    whole = chart(measured.sums(kept=False), _WIDTH, _HEIGHT - _TOP)
    name = measured.history.repository
    legend = f"kept: releases and the {_KEEP} newest commits"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            f"<title>{escape(name)}: bytes by push date, all and kept</title>",
            f"<style>{_STYLE}</style>",
            f'<text class="title" x="0" y="16">{escape(name)}</text>',
            f'<rect class="all" x="{_WIDTH - 364}" y="6" width="12" height="12" rx="2"/>',
            f'<text x="{_WIDTH - 346}" y="17">all images</text>',
            f'<rect class="kept" x="{_WIDTH - 270}" y="6" width="12" height="12" rx="2"/>',
            f'<text x="{_WIDTH - 252}" y="17">{legend}</text>',
            f'<g transform="translate(0 {_TOP})">',
            *_drawn(whole, measured.sums(kept=True)),
            "</g>",
            "</svg>\n",
        ]
    )


def _drawn(whole: Chart, kept: Sequence[tuple[date, int]]) -> Iterator[str]:
    for tick in whole.sizes:
        yield f'<path class="grid" d="M{whole.left:g} {tick.at:g}H{whole.right:g}"/>'
        yield f'<text class="end" x="{whole.left - 10:g}" y="{tick.at + 4:g}">{tick.text}</text>'
    yield f'<path class="all" d="{whole.area}"/><path class="line" d="{whole.line}"/>'
    yield f'<path class="kept" d="{_area_below(whole, kept)}"/>'
    for tick in whole.times:
        side = "end" if tick.at > whole.right - 20 else "middle"
        yield f'<text class="{side}" x="{tick.at:g}" y="{whole.height - 6}">{tick.text}</text>'


def _area_below(whole: Chart, sums: Sequence[tuple[date, int]]) -> str:
    """Return the area below other sums of the same days, to the scale of a chart."""
    scale = (whole.bottom - whole.sizes[-1].at) / whole.top
    other = chart(sums, whole.width, whole.height)
    again = (other.bottom - other.sizes[-1].at) / other.top
    points = [(x, whole.bottom - (whole.bottom - y) / again * scale) for x, y in other.points]
    line = "L".join(f"{x:g} {y:.1f}" for x, y in points)
    return f"M{line}L{points[-1][0]:g} {whole.bottom:g}L{points[0][0]:g} {whole.bottom:g}Z"


def main() -> None:
    """Read the histories, and write the pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.histories", description=__doc__)
    parser.add_argument("histories", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "histories")
    given = parser.parse_args()
    given.output.mkdir(exist_ok=True)
    for path in given.histories:
        measured = asyncio.run(measure(read_history(path)))
        name = f"{measured.history.repository_name}.svg"
        (given.output / name).write_text(picture(measured), "utf-8")
        print(measured)


if __name__ == "__main__":
    main()
