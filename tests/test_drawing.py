"""What a test draws depends on that test alone."""

import sys
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drawing import draws

pytestmark = pytest.mark.skipif(
    settings.get_current_profile_name() == "search", reason="draws at random, as it was asked to"
)


def drawn() -> list[object]:
    values: list[object] = []

    @draws(300)
    @given(st.integers() | st.text())
    def draw(value):
        values.append(value)

    draw()
    return values


def test_each_run_draws_the_same():
    assert drawn() == drawn()


def test_a_module_that_another_test_has_loaded_changes_nothing(tmp_path, monkeypatch):
    before = drawn()
    path = tmp_path / "loaded_meanwhile.py"
    path.write_text(f"NUMBERS = {list(range(10**9, 10**9 + 400))}\nTEXT = 'loaded'\n")
    module = ModuleType("loaded_meanwhile")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "loaded_meanwhile", module)
    assert drawn() == before
