"""The manual page: all commands and options, in clean man(7)."""

import re
import shutil
import subprocess
from datetime import date

import pytest
from typer.testing import CliRunner

from aioregistry.cli.app import app
from aioregistry.cli.display.manual import manual_page
from tests.cli.test_app import ALL

MANDOC = shutil.which("mandoc")


@pytest.fixture(scope="module")
def page():
    result = CliRunner().invoke(app, ["man"], env={"SOURCE_DATE_EPOCH": "86400"})
    assert result.exit_code == 0, result.output
    return result.stdout


def read(text, *options):
    done = subprocess.run(
        [MANDOC, *options], input=text, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_every_command_has_a_section(page):
    titles = re.findall(r"^\.SS (.*)$", page, re.MULTILINE)
    assert len(titles) == len(ALL)
    for (words, _), title in zip(ALL, titles, strict=True):
        assert title.replace("\\-", "-").startswith(" ".join(words))


def test_every_option_is_on_it(page):
    plain = page.replace("\\-", "-")
    for words, command in ALL:
        for parameter in command.params:
            for flag in parameter.opts:
                if flag.startswith("--"):
                    assert flag in plain, (words, flag)


def test_it_has_the_date_that_builds_of_packages_give(page):
    assert page.startswith('.TH AIOREGISTRY 1 "1970-01-02"')


@pytest.mark.skipif(MANDOC is None, reason="needs mandoc: apt-get install mandoc")
def test_mandoc_finds_nothing_wrong(page):
    assert read(page, "-T", "lint") == (0, "")


@pytest.mark.skipif(MANDOC is None, reason="needs mandoc: apt-get install mandoc")
def test_nothing_of_its_own_language_is_shown(page):
    code, shown = read(page, "-T", "ascii")
    assert code == 0
    assert not re.search(r"(?<![\w/])\.(PP|TP|B|SH|SS)\b|\\f[BR]|\[default", shown)


@pytest.mark.parametrize("text", [".TH in a sentence.", "'quoted' text.", "back\\slash."])
def test_no_text_is_taken_for_a_request(text):
    page = manual_page("x", "1", [], {"VARIABLE": text}, {}, date(2026, 1, 1))
    last = page.splitlines()[page.splitlines().index(".B VARIABLE") + 1]
    assert last.startswith(("\\&", "back\\eslash"))
