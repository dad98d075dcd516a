"""The pages as bytes: the same for the same, hostile names as text, hashes that fit."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from attrs import evolve

from aioregistry.errors import printable
from aioregistry.report import plan_page, usage_page
from aioregistry.sizes import size_in_words
from tests.report.registries import HOSTILE, counted, planned, usual

pytest.importorskip("jinja2")


class Read(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


def pages_of(*names: str) -> list[bytes]:
    of = dict.fromkeys(names, names)
    plan = planned(of, keep=0)
    return [
        usage_page([counted(of)], account=names),
        usage_page([counted(of), counted(of, names[-1])], plans={"example": plan}),
        plan_page(plan),
    ]


def test_the_same_input_makes_the_same_bytes():
    assert usage_page([counted(usual())]) == usage_page([counted(usual())])
    assert plan_page(planned(usual())) == plan_page(planned(usual()))


def test_names_add_no_element_no_attribute_and_no_script():
    for hostile, usual_page in zip(pages_of(*HOSTILE), pages_of("web", "api"), strict=True):
        elements, usual_elements = Read(hostile).elements, Read(usual_page).elements
        assert {name for name, _ in elements} == {name for name, _ in usual_elements}
        assert [name for name, _ in elements].count("script") == 2
        keys = {key for _, attributes in elements for key in attributes}
        assert keys == {key for _, attributes in usual_elements for key in attributes}
        assert not [key for key in keys if key.startswith("on") or key in {"style", "src"}]
        links = [attributes["href"] for _, attributes in elements if "href" in attributes]
        assert links == ["#main"]


def test_names_are_on_the_page_as_they_are():
    usage, _, plan = pages_of(*HOSTILE)
    for page in (usage, plan):
        texts = Read(page).texts
        data = json.loads(next(text for text in texts if text.startswith('{"lists"')))
        (listed, *_) = data["lists"].values()
        assert {printable(name) for name in HOSTILE} <= set(listed["columns"][1]["values"])
        assert {printable(name) for name in HOSTILE} <= set(listed["columns"][0]["choices"])


def test_the_policy_allows_the_script_and_the_style_by_their_hashes_alone():
    text = usage_page([counted(usual())]).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[-1]
    hashes = [
        base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()
        for each in (script, style)
    ]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}';"
        " base-uri 'none'; form-action 'none'"
    )


def test_an_empty_registry_and_an_empty_plan_have_pages():
    assert b"example" in usage_page([counted({})])
    assert b"Nothing is deleted" in plan_page(planned({}))


def test_the_areas_of_a_map_add_up_to_what_is_stored():
    figures = counted(usual())
    text = usage_page([figures]).decode()
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    found = data["map"]
    assert sum(found["bytes"]) + sum(found["between"]) == figures.usage.total.bytes
    alone = dict.fromkeys(range(len(found["bytes"])), 0)
    columns = data["lists"]["tags"]["columns"]
    for repository, size in zip(columns[0]["values"], columns[2]["values"], strict=True):
        alone[repository] += size
    for number, size in enumerate(found["bytes"]):
        assert alone[number] + found["shared"][number] + found["untagged"][number] == size


def test_a_registry_that_was_counted_otherwise_is_refused():
    figures = counted(usual())
    with pytest.raises(ValueError, match="also=GROUPS"):
        usage_page([evolve(figures, usage=evolve(figures.usage, groups={}))])
    with pytest.raises(ValueError, match="also=GROUPS"):
        usage_page([])


def test_a_page_says_what_the_sizes_mean():
    figures = counted(usual())
    text = usage_page([figures]).decode()
    assert "Images share layers" in text
    assert "5.0 MB more: no manifest needs them; a garbage collection frees them" in text
    for size in (figures.usage.image_bytes, figures.usage.total.bytes):
        assert f'<td class="number">{size_in_words(size)}</td>' in text
    assert "Images share layers" in plan_page(planned(usual())).decode()


@pytest.mark.parametrize("name", ["page.css", "lists.js", "map.js"])
def test_nothing_in_a_style_or_script_ends_its_element(name):
    text = (files("aioregistry.report") / "pages" / name).read_bytes()
    assert not [end for end in (b"</", b"<!--", b"\r", b"innerHTML") if end in text]
