"""The pages of many tags in Chromium: prints their weight and the seconds to open them as JSON.

``python -m benchmarks.pages TAGS ROUNDS``
"""

import asyncio
import json
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from aioregistry.report import plan_page, usage_page
from tests.browser import Browser, chromium
from tests.report.registries import counted, planned, usual

__all__: list[str] = []

# `usual` has 1.7 times as many tags in all as in its largest repository, and 3.
_IN_ALL = 1.7
# All is there, and the first rows are drawn.
_SECONDS = """new Promise((done) => setTimeout(() => {
    const [navigation] = performance.getEntriesByType("navigation");
    done(navigation.loadEventEnd / 1000);
}))"""
# The processor time of the process that reads, lays out and draws the page.
_CPU = "ProcessTime"


async def _measure(tags: int, rounds: int) -> list[float]:
    """Return megabytes, median seconds and processor time of a page of usage, and of a plan."""
    repositories = usual(round(tags / _IN_ALL))
    found: list[float] = []
    with TemporaryDirectory() as folder:
        async with chromium() as browser:
            for content in (
                usage_page([counted(repositories)], plans={"example": planned(repositories)}),
                plan_page(planned(repositories, keep=0)),
            ):
                path = Path(folder) / "page.html"
                path.write_bytes(content)
                times = [await _open(browser, path.as_uri()) for _ in range(rounds)]
                found += [len(content) / 1e6, *map(median, zip(*times, strict=True))]
    return found


async def _open(browser: Browser, url: str) -> tuple[float, float]:
    async with browser.page("about:blank") as page:
        await page.send("Performance.enable", timeDomain="threadTicks")
        await page.open(url)
        seconds = float(await page.run(_SECONDS))
        assert not page.errors, page.errors
        metrics = (await page.send("Performance.getMetrics"))["metrics"]
        return seconds, next(each["value"] for each in metrics if each["name"] == _CPU)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measure(int(sys.argv[1]), int(sys.argv[2])))))
