"""The findings: that each has its guess, and says what it is about. Nobody runs them here."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "findings"
FINDINGS = sorted(FOLDER.glob("*.sh"))
if not FINDINGS:
    pytest.skip("a source distribution is without them", allow_module_level=True)


def test_each_is_kept_for_a_guess_and_each_that_is_kept_is_there():
    rows = re.findall(
        r"^\|.*\| ([a-z0-9_]+) \|$", (FOLDER / "GUESSES.md").read_text(), re.MULTILINE
    )
    assert sorted(rows) == [path.stem for path in FINDINGS]
    tools = (ROOT / "aioregistry/oci/TOOLS.md").read_text()
    named = set(re.findall(r"\(`([a-z0-9_]+)`\)", tools))
    assert named <= set(rows), named - set(rows)
    assert len(named) > 5


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_each_states_guess_and_sight_and_uses_nothing_of_ours(path):
    text = path.read_text()
    about, _, rest = text.partition("\n# Guess")
    assert re.match(r"#!/usr/bin/env bash\n(# .*\n)*# .*\d+\.\d+", about)
    assert rest
    assert "\n# Seen: " in text
    assert re.search(r"^[^#]*\bsame ", text, re.MULTILINE)
    assert "aioregistry" not in text
    assert path.stat().st_mode & 0o111
