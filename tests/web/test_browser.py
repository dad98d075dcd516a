"""What browsers make of the event streams: in Chromium, which is not told what to do."""

import asyncio

import pytest
from aiohttp import web

from aioregistry import RegistryClient
from aioregistry.web.aiohttp import JOBS, setup, stream
from tests.browser import chromium, needs_chromium
from tests.readme import ROOT, blocks
from tests.web.test_accounts import served

pytestmark = [needs_chromium, pytest.mark.slow(4)]


async def test_the_script_of_the_readme_follows_a_job_to_its_end_and_stops():
    app = web.Application()
    setup(app, lambda: RegistryClient("a-token"))
    streams = []

    async def follow(request):
        streams.append(request.headers.get("Last-Event-ID"))
        return await stream(request, request.config_dict[JOBS].get(request.match_info["id"]))

    async def page(_):
        return web.Response(
            text="<!doctype html><link rel=icon href=data:,>", content_type="text/html"
        )

    app.router.add_get("/", page)
    app.router.add_get("/jobs/{id}/events", follow)
    (script,) = blocks(ROOT / "aioregistry/web/README.md", "javascript")
    async with served(app) as http, chromium() as browser:
        step = asyncio.Event()

        async def work(job):
            job.tell(done=1, total=2)
            await step.wait()
            job.tell(done=2, total=2)

        job = app[JOBS].start("count", work)
        async with browser.page(str(http._base_url)) as page:
            begun = f"const id = {job.id!r}, seen = []; const show = (job) => seen.push(job);"
            await page.run(begun + script + "; null")
            await page.until("seen.length == 1")
            step.set()
            await page.until("seen.at(-1)?.status == 'done'")
            # It comes back by itself after some seconds, and is told to stay away.
            await page.until("events.readyState == EventSource.CLOSED")
            assert await page.run("seen.map((job) => job.progress.done)") == [1, 2]
            assert page.errors == []
    assert streams == [None, str(job.event_number)]
