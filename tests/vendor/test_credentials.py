"""Docker credentials: what a config.json body gives, and what is none."""

import pytest

from aioregistry import InvalidResponseError
from tests.vendor import examples
from tests.vendor.server import Answer

PATH = "/v2/registry/docker-credentials"


async def test_username_and_password_are_those_of_the_example(server, client):
    creds = await client.docker_credentials()
    assert (creds.username, creds.password) == (examples.DOCKER_TOKEN, examples.DOCKER_TOKEN)
    assert creds.config == examples.CREDENTIALS


async def test_unknown_fields_stay_in_the_config(server, client):
    body = {**examples.CREDENTIALS, "credHelpers": {"x": "y"}, "n": None}
    server.on("GET", PATH, Answer(200, body))
    assert (await client.docker_credentials()).config == body


async def test_a_password_may_hold_colons(server, client):
    auths = {"registry.digitalocean.com": {"auth": "dXNlcjphOmI6Yw=="}}
    server.on("GET", PATH, Answer(200, {"auths": auths}))
    creds = await client.docker_credentials()
    assert (creds.username, creds.password) == ("user", "a:b:c")


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        [],
        "x",
        {},
        {"auths": None},
        {"auths": {}},
        {"auths": "x"},
        {"auths": {"registry.digitalocean.com": None}},
        {"auths": {"registry.digitalocean.com": "x"}},
        {"auths": {"registry.digitalocean.com": {}}},
        {"auths": {"registry.digitalocean.com": {"auth": 5}}},
        {"auths": {"registry.digitalocean.com": {"auth": "%%%"}}},
        {"auths": {"registry.digitalocean.com": {"auth": "bm9jb2xvbg=="}}},
        {"auths": {"registry.digitalocean.com": {"auth": "//79Ov8="}}},
    ],
    ids=str,
)
async def test_a_body_without_usable_credentials_is_refused(server, client, body):
    server.on("GET", PATH, Answer(200, body))
    with pytest.raises(InvalidResponseError):
        await client.docker_credentials()
