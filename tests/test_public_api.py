"""The public names and signatures: a change is announced, here and in the changelog."""

import inspect
import sys
from importlib import import_module
from pathlib import Path

import pytest

MODULES = (
    "aioregistry",
    "aioregistry.cleanup",
    "aioregistry.fleet",
    "aioregistry.images",
    "aioregistry.redis",
    "aioregistry.sandbox",
    "aioregistry.testing",
    "aioregistry.usage",
    "aioregistry.usage.metrics",
    "aioregistry.web",
    "aioregistry.web.aiohttp",
    "aioregistry.web.fastapi",
    "aioregistry.web.redis",
    "aioregistry.web.runs",
    "aioregistry.web.work",
)
SNAPSHOT = Path(__file__).with_name("public_api.txt")


def lines_of(module: str) -> list[str]:
    loaded = import_module(module)
    found = []
    for name in loaded.__all__:
        value = getattr(loaded, name)
        found.append(f"{module}.{name}{signature(value)}")
        if inspect.isclass(value) and not issubclass(value, BaseException):
            found += [
                f"{module}.{name}.{attribute}{signature(member)}"
                for attribute, member in members(value)
            ]
    return found


def members(value: type) -> list[tuple[str, object]]:
    named = {
        name: member
        for owner in value.__mro__
        if owner.__module__.startswith("aioregistry")
        for name, member in vars(owner).items()
        if not name.startswith("_")
    }
    return sorted(named.items())


def signature(value: object) -> str:
    if isinstance(value, property):
        return " property"
    if isinstance(value, (classmethod, staticmethod)):
        value = value.__func__
    if not callable(value):
        return ""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return ""
    # Names, kinds and whether there is a default: what callers depend on.
    shown = [
        parameter.replace(
            annotation=inspect.Parameter.empty,
            default=inspect.Parameter.empty
            if parameter.default is inspect.Parameter.empty
            else ...,
        )
        for parameter in parameters
    ]
    return str(inspect.Signature(shown)).replace("=Ellipsis", "=...")


def current() -> str:
    return "".join(f"{line}\n" for module in MODULES for line in lines_of(module))


def test_the_public_names_and_signatures_are_those_of_the_snapshot():
    pytest.importorskip("fastapi")
    pytest.importorskip("redis")
    pytest.importorskip("docket")
    assert current() == SNAPSHOT.read_text(), (
        f"announce the change in CHANGELOG.md, then: python -m tests.test_public_api > {SNAPSHOT}"
    )


if __name__ == "__main__":
    sys.stdout.write(current())
