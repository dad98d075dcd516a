"""The page of the services, in Chromium."""

from functools import partial

import pytest
from aiohttp import web

from aioregistry.sandbox import Limits, Sandbox
from aioregistry.web.aiohttp import page
from tests.browser import chromium, needs_axe, needs_chromium
from tests.web.processes import run
from tests.web.test_accounts import served

pytestmark = [needs_chromium, pytest.mark.slow(5)]


def lead(begin: str) -> str:
    return f"document.getElementById('lead').textContent.startsWith({begin!r})"


@pytest.mark.parametrize(
    "framework", ["aiohttp", pytest.param("fastapi", marks=pytest.mark.exhaustive)]
)
async def test_a_plan_is_made_reviewed_approved_left_cancelled_and_gone_on_with(
    framework, tmp_path
):
    if framework == "fastapi":
        pytest.importorskip("fastapi")
        pytest.importorskip("uvicorn")
    async with Sandbox(limits=Limits(scale=60)) as sandbox:
        for number in range(60):
            sandbox.state.push("example", "team/web", [f"pr-{number}"], size=1_000_000)
        sandbox.state.push("example", "base", ["latest"], size=5_000_000)
        async with (
            run(framework, sandbox, tmp_path, MAX_FRACTION="1") as service,
            chromium() as browser,
            browser.page(str(service.http._base_url)) as seen,
        ):
            await seen.click("#measure")
            await seen.until("!document.getElementById('size-head').hidden")
            rows = (await seen.text("#repositories")).split()
            assert rows[:4] == ["team/web", "60", "60", "60.0"]
            await seen.click("#plan")
            await seen.until(lead("Planned"))
            assert "40" in await seen.text("#figures")
            await seen.click("summary")
            await seen.until("document.querySelector('.reasons dd')")
            assert "matches pr-*" in await seen.text("#items")
            assert "Nobody was asked which images run" in await seen.text("#items")
            assert len(sandbox.state.tag_names("example", "team/web")) == 60
            await seen.resize(390)
            assert not await seen.overflows()
            # Some ten seconds for it, within which a browser on a busy machine clicks.
            sandbox.latency = 2.0
            await seen.click("#approve")
            await seen.click("#sure")
            await seen.until("document.getElementById('step').textContent.includes('of 40')")
            # Who comes back finds what is under way.
            await seen.reload()
            await seen.until(lead("Deleting"))
            await seen.until("document.getElementById('bar').value > 0")
            await seen.click("#cancel")
            await seen.until(lead("Cancelled"))
            sandbox.latency = 0.0
            await seen.click("#approve")
            await seen.click("#sure")
            await seen.until(lead("Done: "))
            await seen.until("document.getElementById('repositories').innerText.includes('\t20\t')")
            assert len(sandbox.state.tag_names("example", "team/web")) == 20
            assert seen.errors == []
            assert {url.partition("/")[0] for url in seen.requests} <= {"http:", "data:"}


HOSTILE = [
    '<img src=x onerror="window.taken=1">',
    "</script><script>window.taken=1</script>",
    "javascript:window.taken=1",
    "\u202eslatem",
    "__proto__",
    "a" * 500,
]


def service_of(names: list[str]) -> web.Application:
    """A service that answers with some names wherever names are expected."""
    app = web.Application()
    app.router.add_get("/", page)
    plan = {
        "summary": {"tags_deleted": 6, "manifests_deleted": 0, "frees": names[0]},
        "plan": {
            "made_at": names[1],
            "left_alone": [{"repository": names[0], "reason": names[1]}],
            "repositories": [
                {
                    "name": name,
                    "condemned": [{"tags": names, "digest": name, "reason": name}],
                    "kept": [{"tags": names, "reason": name}],
                }
                for name in names
            ],
        },
    }
    answers = {
        "/registries": [{"name": name} for name in names],
        "/registries/{name:.*}": [{"name": name, "tag_count": 10**9} for name in names],
        "/jobs": [],
        "/plans/{name}": plan,
    }
    for path, answer in answers.items():
        app.router.add_get(path, partial(answered, answer))
    return app


async def opened(seen) -> None:
    await seen.until("document.querySelector('details')")
    await seen.run("for (const one of document.querySelectorAll('details')) one.open = true")
    everything = "document.querySelectorAll('.reasons').length"
    await seen.until(f"{everything} == document.querySelectorAll('details').length")


async def test_names_are_shown_as_text_whatever_they_are():
    async with served(service_of(HOSTILE)) as http, chromium() as browser:
        address = f"{http._base_url}#plan=x"
        async with browser.page(address, width=390, dark=True) as seen:
            await opened(seen)
            assert await seen.run("window.taken ?? null") is None
            assert await seen.run("document.images.length + document.scripts.length") == 1
            assert not await seen.overflows()
            assert seen.errors == []


async def answered(answer, _):
    return web.json_response(answer)


async def test_it_runs_no_script_but_its_own_and_stands_in_no_frame():
    app = web.Application()
    app.router.add_get("/", page)

    async def around(_):
        return web.Response(text="<iframe src='/'></iframe>", content_type="text/html")

    app.router.add_get("/around", around)
    app.router.add_get("/registries", partial(answered, []))
    async with served(app) as http, chromium() as browser:
        async with browser.page(str(http._base_url)) as seen:
            await seen.until("document.getElementById('notice').textContent.includes('no reg')")
            script = "const made = document.createElement('script'); made.text = 'window.ran = 1';"
            await seen.run(script + "document.body.append(made); null")
            assert await seen.run("window.ran ?? null") is None
            assert "script-src" in "".join(seen.errors)
        async with browser.page(f"{http._base_url}/around") as seen:
            await seen.until("document.readyState == 'complete'")
            assert "frame-ancestors" in "".join(seen.errors)


@pytest.mark.exhaustive
@needs_axe
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (390, False)])
async def test_axe_finds_nothing(width, dark):
    names = ["web", "team/api", "base/python"]
    async with served(service_of(names)) as http, chromium() as browser:
        async with browser.page(str(http._base_url), width=width, dark=dark) as seen:
            await seen.until("document.querySelector('#repositories tr')")
            assert await seen.violations() == []
        async with browser.page(f"{http._base_url}#plan=x", width=width, dark=dark) as seen:
            await opened(seen)
            assert await seen.violations() == []
            await seen.click("#approve")
            assert await seen.violations() == []
