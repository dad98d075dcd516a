"""What an error of the API points at: scopes, and names of what does not exist: pure."""

import pickle

import pytest

from aioregistry import NotFoundError, PermissionDeniedError, ResponseError, ServerError
from aioregistry.api.endpoints import Request
from aioregistry.sandbox import Fault, Faults
from aioregistry.session.hints import add_hint, missing_thing, needed_scopes

FAMILIES = ("/v2/registry", "/v2/registries")


def request(method: str, route: str, **names: str) -> Request:
    return Request(method, route.format_map(names), route)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "", None),
        ("GET", "/options", None),
        ("GET", "/{registry}/repositoriesV2", None),
        ("GET", "/{registry}/garbage-collection", None),
        ("POST", "", "create"),
        ("POST", "/validate-name", "create"),
        ("POST", "/subscription", "update"),
        ("POST", "/{registry}/garbage-collection", "update"),
        ("PUT", "/{registry}/garbage-collection/{uuid}", "update"),
        ("DELETE", "/{registry}", "delete"),
        ("DELETE", "/{registry}/repositories/{repository}/tags/{tag}", "delete"),
        ("GET", "/docker-credentials", "update"),
        ("GET", "/{registry}/docker-credentials", "update"),
    ],
)
def test_the_scopes_that_a_call_needs(family, method, path, scope):
    needed = needed_scopes(Request(method, "", family + path))
    assert needed == ("registry:read", *([f"registry:{scope}"] if scope else []))


REPOSITORY = "/v2/registry/{registry}/repositories/{repository}"


@pytest.mark.parametrize(
    ("method", "route", "thing"),
    [
        ("GET", "/v2/registry", "registry in the token's account"),
        ("GET", "/v2/registry/docker-credentials", "registry in the token's account"),
        ("GET", "/v2/registries/{registry}", "registry 'example' in the token's account"),
        ("GET", f"{REPOSITORY}/tags", "repository 'my/web' in registry 'example'"),
        ("DELETE", REPOSITORY, "repository 'my/web' in registry 'example'"),
        (
            "DELETE",
            f"{REPOSITORY}/tags/{{tag}}",
            "tag 'v1' in repository 'my/web' of registry 'example'",
        ),
        (
            "DELETE",
            f"{REPOSITORY}/digests/{{digest}}",
            "manifest 'sha256:a' in repository 'my/web' of registry 'example'",
        ),
        (
            "GET",
            "/v2/registry/{registry}/garbage-collection",
            "garbage collection under way in registry 'example'",
        ),
        (
            "POST",
            "/v2/registry/{registry}/garbage-collection",
            "registry 'example' in the token's account",
        ),
        (
            "PUT",
            "/v2/registry/{registry}/garbage-collection/{uuid}",
            "garbage collection 'u' under way in registry 'example'",
        ),
    ],
)
def test_what_does_not_exist_is_named(method, route, thing):
    names = {"registry": "example", "repository": "my%2Fweb", "tag": "v1", "uuid": "u"}
    asked = request(method, route, digest="sha256%3Aa", **names)
    asked.target += "?page=2"
    assert missing_thing(asked) == thing


def test_errors_of_other_kinds_get_no_hint():
    error = ServerError("no", status=500)
    add_hint(error, Request("GET", "/v2/registry", "/v2/registry"), b'{"id": "a", "message": "b"}')
    assert error.hint == ""


async def test_a_404_names_the_repository(client):
    with pytest.raises(NotFoundError) as caught:
        await client.registry("example").repository("nope").tags().collect()
    assert "There is no repository 'nope' in registry 'example' (GET" in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


async def test_a_403_names_the_scope(sandbox, client):
    sandbox.faults = Faults(Fault(kind="status", status=403))
    with pytest.raises(PermissionDeniedError, match="needs the scope registry:read for this call"):
        await client.get_registry()
    with pytest.raises(PermissionDeniedError, match="registry:read and registry:delete for this"):
        await client.registry("example").repository("web").delete_tag("v1")


@pytest.mark.parametrize("status", [403, 404])
async def test_an_answer_that_is_not_of_the_api_says_nothing_of_what_exists(
    sandbox, client, status
):
    sandbox.faults = Faults(Fault(kind="html", status=status))
    with pytest.raises(ResponseError) as caught:
        await client.registries()
    assert caught.value.hint.startswith("The API answers in another way: check its address")
