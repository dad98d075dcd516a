"""What docstrings say of arguments: each that a signature has, and its default."""

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module

import pytest

from tests.test_public_api import MODULES

# The sandbox is filled by tests, whose authors see the signature.
DOCUMENTED = [name for name in MODULES if name != "aioregistry.sandbox"]
# How a text says what is taken where nothing is given.
SAYS_DEFAULT = re.compile(r"default|\bNone\b|\bSee\b|\bAs for\b")


def documented() -> Iterator[tuple[str, Callable[..., object], dict[str, str]]]:
    """Yield public callables with a section on arguments, each with the texts in it."""
    for module in DOCUMENTED:
        loaded = import_module(module)
        for name in loaded.__all__:
            yield from _of(f"{module}.{name}", getattr(loaded, name))


def _of(path: str, value: object) -> Iterator[tuple[str, Callable[..., object], dict[str, str]]]:
    if callable(value) and (texts := arguments_in(inspect.getdoc(value) or "")):
        yield path, value, texts
    if inspect.isclass(value):
        for name, member in inspect.getmembers(value, inspect.isroutine):
            if not name.startswith("_"):
                yield from _of(f"{path}.{name}", member)


def arguments_in(docstring: str) -> dict[str, str]:
    """Return the text for each argument in a docstring."""
    found = re.search(r"^Args:\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE)
    if found is None:
        return {}
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", found[1], re.MULTILINE)
    return dict(entries)


CALLABLES = {path: (value, texts) for path, value, texts in documented()}


@pytest.mark.parametrize("path", CALLABLES)
def test_exactly_the_arguments_are_described_and_each_default(path):
    value, texts = CALLABLES[path]
    parameters = {
        name: each for name, each in inspect.signature(value).parameters.items() if name != "self"
    }
    assert texts.keys() == parameters.keys()
    silent = [
        name
        for name, each in parameters.items()
        if each.default is not each.empty and not SAYS_DEFAULT.search(texts[name])
    ]
    assert not silent
