"""What is easily forgotten: rows of documentation, exports, the sandbox's side of an endpoint."""

import inspect
import re

import pytest

import aioregistry
from aioregistry.api import endpoints, models
from aioregistry.sandbox.calls import api
from tests.readme import table_with

CLASSES = {
    "client": aioregistry.RegistryClient,
    "registry": aioregistry.RegistryHandle,
    "repo": aioregistry.RepositoryHandle,
}
# What sends nothing.
WITHOUT_CALL = {
    "client.open",
    "client.close",
    "client.in_loop",
    "client.registry",
    "registry.repository",
    "registry.seconds_for",
}
ARGUMENTS = {
    "tag": "v1",
    "digest": f"sha256:{'0' * 64}",
    "uuid": "9ad75375-1e3c-4e5b-8c9f-0f3ab3bb0a45",
    "path": endpoints.repository_path("example", "web"),
    "kind": "unreferenced blobs only",
}


def public_methods() -> list[str]:
    return [
        f"{owner}.{name}"
        for owner, kind in CLASSES.items()
        for name, value in vars(kind).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]


@pytest.mark.parametrize("method", sorted(set(public_methods()) - WITHOUT_CALL))
def test_every_method_has_a_row_in_the_table_of_calls(method):
    cells = " ".join(cell for row in table_with("`registry.repositories_v1()`") for cell in row)
    assert f"`{method}(" in cells


def test_every_model_is_exported():
    kinds = {name for name, value in vars(models).items() if inspect.isclass(value)}
    public = {name for name in kinds if vars(models)[name].__module__ == models.__name__}
    assert {name for name in public if not name.startswith("_")} <= set(aioregistry.__all__)


def calls() -> list[str]:
    return [name for name in vars(endpoints.Endpoints) if re.match(r"[a-z]", name)]


@pytest.mark.parametrize("family", [endpoints.FIRST_FAMILY, endpoints.SECOND_FAMILY])
@pytest.mark.parametrize("name", [name for name in calls() if name != "family"])
def test_every_endpoint_is_served_by_the_sandbox(name, family):
    method = getattr(family, name)
    values = {each: ARGUMENTS.get(each, "example") for each in inspect.signature(method).parameters}
    made = method(**values)
    request = getattr(made, "request", made)
    match = api.router().find(request.target.partition("?")[0])
    assert match is not None, f"the sandbox has no {request.route}"
    assert request.method in match.handlers, f"the sandbox has no {request.method} {request.route}"
    assert match.template == request.route
