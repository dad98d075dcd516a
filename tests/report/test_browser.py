"""The pages in Chromium, opened from a file."""

import json

import pytest
import pytest_asyncio

from aioregistry.errors import printable
from aioregistry.report import plan_page, usage_page
from aioregistry.report.treemap import Box, squarified
from tests.browser import Browser, Page, chromium, needs_axe, needs_chromium
from tests.report.registries import HOSTILE, counted, planned, usual

pytest.importorskip("jinja2")
pytestmark = [needs_chromium, pytest.mark.slow(2), pytest.mark.asyncio(loop_scope="module")]

WIDE, PHONE = 1280, 390


def hostile() -> dict[str, bytes]:
    of = dict.fromkeys(HOSTILE, HOSTILE)
    return {
        "usage": usage_page([counted(of)], account=HOSTILE),
        "plan": plan_page(planned(of, keep=0)),
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, str]:
    """The addresses of pages in files."""
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "usage": usage_page([counted(usual())], plans={"example": planned(usual())}),
        "several": usage_page([counted(usual()), counted(usual(60), "second")]),
        "plan": plan_page(planned(usual(900), keep=120)),
        **{f"hostile {name}": page for name, page in hostile().items()},
    }
    found = {}
    for name, content in made.items():
        path = folder / f"{name}.html"
        path.write_bytes(content)
        found[name] = path.as_uri()
    return found


async def press(page: Page, key: str) -> None:
    codes = {"Enter": 13, "Escape": 27, "End": 35, "ArrowRight": 39}
    event = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
    await page.send("Input.dispatchKeyEvent", type="keyDown", **event)
    await page.send("Input.dispatchKeyEvent", type="keyUp", **event)


async def open_tile(page: Page, selector: str) -> None:
    found = f"document.querySelector({json.dumps(selector)})"
    await page.run(f"{found}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")


async def search(page: Page, text: str, listed: str) -> str:
    found = f"document.querySelector('[data-list={listed}] input')"
    count = f"document.querySelector('[data-list={listed}] .count').textContent"
    before = await page.run(count)
    await page.run(f"{found}.value = {json.dumps(text)}; {found}.dispatchEvent(new Event('input'))")
    return str(await page.until(f"{count} != {json.dumps(before)} && {count}"))


async def column(page: Page, listed: str, number: int) -> list[str]:
    rows = f"document.querySelectorAll('[data-list={listed}] tbody tr')"
    found = await page.run(f"Array.from({rows}, (row) => row.cells[{number}].textContent)")
    return list(found)


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [
        pytest.param(name, width, dark, marks=() if usual else pytest.mark.exhaustive)
        for name, width, dark, usual in (
            ("usage", WIDE, False, True),
            ("usage", PHONE, True, False),
            ("several", WIDE, True, False),
            ("several", PHONE, False, False),
            ("plan", WIDE, False, False),
            ("plan", PHONE, True, True),
            ("hostile usage", WIDE, False, False),
            ("hostile usage", PHONE, False, False),
            ("hostile plan", WIDE, False, False),
            ("hostile plan", PHONE, False, False),
        )
    ],
)
async def test_a_page_opens_without_an_error_a_request_or_a_sideways_scroll(
    browser: Browser, pages, name, width, dark
):
    async with browser.page(pages[name], width=width, dark=dark) as page:
        assert page.errors == []
        assert len(page.requests) == 1
        assert not await page.overflows()
        assert await column(page, "deletes" if "plan" in name else "tags", 1)


async def test_hostile_names_are_text(browser, pages):
    async with browser.page(pages["hostile usage"]) as page:
        assert await page.run("document.title") == "Usage of example"
        assert (
            await page.run("document.querySelectorAll('img, b, iframe, a:not(.skip)').length") == 0
        )
        names = {printable(name) for name in HOSTILE}
        assert names <= set(await column(page, "tags", 0)) | set(await column(page, "tags", 1))
        await open_tile(page, ".tile")
        await page.until("document.querySelector('.crumbs strong')")
        assert await page.text(".crumbs strong") in names
        assert page.errors == []


async def test_a_list_is_searched_by_several_words(browser, pages):
    async with browser.page(pages["plan"]) as page:
        assert await search(page, "WEB build-321", "deletes") == "1 of 1,170 DELETEs"
        (tags,) = await column(page, "deletes", 1)
        assert tags.startswith("build-321-")
        assert await search(page, "no such tag", "deletes") == "0 of 1,170 DELETEs"


@pytest.mark.exhaustive
async def test_a_whole_digest_finds_its_item(browser, pages):
    (repository, item), *_ = planned(usual(900), keep=120).condemned
    async with browser.page(pages["plan"]) as page:
        assert await search(page, item.digest, "deletes") == "1 of 1,170 DELETEs"
        assert await column(page, "deletes", 0) == [repository]


@pytest.mark.exhaustive
async def test_a_list_is_filtered_by_repository_and_reason(browser, pages):
    async with browser.page(pages["usage"]) as page:
        select = "document.querySelector('[data-list=tags] select')"
        await page.run(f"{select}.value = 3; {select}.dispatchEvent(new Event('change'))")
        assert set(await column(page, "tags", 0)) == {"cron"}
        assert await page.text("[data-list=tags] .count") == "3 of 241 tags"


async def test_a_list_is_sorted_both_ways_and_says_so(browser, pages):
    async with browser.page(pages["usage"]) as page:
        head = "[data-list=tags] th:nth-child(5)"
        for direction, order in (("descending", True), ("ascending", False)):
            await page.click(f"{head} button")
            said = f"document.querySelector({json.dumps(head)}).getAttribute('aria-sort')"
            assert await page.run(said) == direction
            days = await column(page, "tags", 4)
            assert days == sorted(days, reverse=order)


@pytest.mark.exhaustive
async def test_a_long_list_has_pages(browser, pages):
    async with browser.page(pages["plan"]) as page:
        first = await column(page, "deletes", 1)
        await page.click("[data-list=deletes] [data-page=next]")
        assert await page.text("[data-list=deletes] .range") == "51\u2013100 of 1,170"
        assert not set(first) & set(await column(page, "deletes", 1))
        await page.click("[data-list=deletes] [data-page=last]")
        assert await page.text("[data-list=deletes] .range") == "1,151\u20131,170 of 1,170"
        assert await page.run("document.querySelector('[data-page=next]').disabled")


async def test_the_map_is_walked_opened_and_left_with_the_keyboard(browser, pages):
    async with browser.page(pages["several"]) as page:
        focused = "document.activeElement.getAttribute('aria-label')"
        await page.run("document.querySelector('.tile').focus()")
        assert (await page.run(focused)).startswith("example 7")
        await press(page, "ArrowRight")
        assert (await page.run(focused)).startswith("second 3")
        await press(page, "Enter")
        assert await page.text(".crumbs strong") == "second"
        await page.run("document.querySelector('.map .tile').focus()")
        await press(page, "Enter")
        assert await page.text(".crumbs strong") == "second/web"
        await press(page, "Escape")
        assert (await page.run(focused)).startswith("second/web ")
        await press(page, "Escape")
        assert (await page.run(focused)).startswith("second 3")
        assert await page.run("document.querySelector('.crumbs').hidden")


@pytest.mark.exhaustive
async def test_the_tags_of_an_open_repository_are_a_list(browser, pages):
    async with browser.page(pages["usage"]) as page:
        await open_tile(page, ".tile[data-number='2']")
        await page.click(".crumbs .csv")
        assert set(await column(page, "tags", 0)) == {"tools/migrate"}


@pytest.mark.exhaustive
async def test_the_script_lays_out_a_map_as_the_first_one_was(browser, pages):
    values = [700, 300, 299, 120, 80, 80, 13, 5, 1]
    async with browser.page(pages["usage"]) as page:
        found = await page.run(f"squarified({values}, 3, 4, 640, 411)")
    boxes = squarified(values, Box(3, 4, 640, 411))
    for (x, y, width, height), box in zip(found, boxes, strict=True):
        assert (x, y, width, height) == pytest.approx((box.x, box.y, box.width, box.height))


async def test_a_csv_has_all_rows_that_were_found_and_no_formula(browser, pages):
    async with browser.page(pages["hostile usage"]) as page:
        await page.run("""URL.createObjectURL = (blob) => {
            window.written = blob.text(); return "#"; }""")
        await page.click("[data-list=tags] .csv")
        lines = (await page.run("window.written")).removeprefix("\ufeff").split("\r\n")
    assert len(lines) == len(HOSTILE) ** 2 + 2
    assert lines[0] == '"Repository","Tag","Freed alone","Size","Pushed"'
    assert not [line for line in lines if line.startswith('"=')]
    assert any("\"'=HYPERLINK(" in line for line in lines)


@pytest.mark.exhaustive
async def test_paper_has_the_first_rows_and_says_so(browser, pages):
    async with browser.page(pages["plan"]) as page:
        await page.run("dispatchEvent(new Event('beforeprint'))")
        assert len(await column(page, "deletes", 0)) == 500
        said = "document.querySelector('[data-list=deletes] .printed').textContent"
        assert await page.run(said) == "The first 500 of 1,170 DELETEs."
        await page.run("dispatchEvent(new Event('afterprint'))")
        assert len(await column(page, "deletes", 0)) == 50


@pytest.mark.exhaustive
@needs_axe
@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [
        ("usage", WIDE, False),
        ("usage", WIDE, True),
        ("usage", PHONE, False),
        ("plan", WIDE, True),
        ("plan", PHONE, False),
        ("several", WIDE, False),
        ("hostile usage", PHONE, True),
    ],
)
async def test_axe_finds_nothing(browser, pages, name, width, dark):
    async with browser.page(pages[name], width=width, dark=dark) as page:
        await page.run("for (const each of document.querySelectorAll('details')) each.open = true")
        assert await page.violations() == []
        if await page.run("Boolean(document.querySelector('.tile'))"):
            await open_tile(page, ".tile")
            assert await page.violations() == []
