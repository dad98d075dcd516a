"""What a client is made with."""

import pytest

from aioregistry import InvalidTokenError, RegistryClient


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"per_page": 0}, ValueError, "per_page"),
        ({"per_page": 201}, ValueError, "per_page"),
        ({"concurrency": 0}, ValueError, "concurrency"),
        ({"timeout": 0}, ValueError, "timeout"),
        ({"timeout": float("nan")}, ValueError, "timeout"),
        ({"timeout": float("inf")}, ValueError, "finite"),
        ({"timeout": None}, TypeError, "ClientTimeout"),
        ({"timeout": (3, 10)}, TypeError, "ClientTimeout"),
        ({"api": "registrys"}, ValueError, "api must be"),
        ({"base_url": "api.digitalocean.com"}, ValueError, "base_url"),
        ({"base_url": "https://user:secret@host"}, ValueError, "base_url"),
        ({"session": object(), "connector": object()}, ValueError, "session or a connector"),
        ({"retry": None}, TypeError, "attempts=1 never repeats"),
        ({"rate_limit": 5}, TypeError, "rate_limit"),
        ({"token": ""}, InvalidTokenError, "empty"),
        ({"token": b"x"}, InvalidTokenError, "printable ASCII"),
        ({"token": "two words"}, InvalidTokenError, "without spaces"),
        ({"token": '"dop_v1_a"'}, InvalidTokenError, "without the quotes"),
        ({"token": "'dop_v1_a'"}, InvalidTokenError, "without the quotes"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(arguments, error, said):
    with pytest.raises(error, match=said):
        RegistryClient(**({"token": "token"} | arguments))


def test_without_a_token_both_variables_are_named():
    with pytest.raises(InvalidTokenError, match="DIGITALOCEAN_TOKEN or DIGITALOCEAN_ACCESS_TOKEN"):
        RegistryClient()


async def test_a_client_shows_where_it_goes_and_its_state():
    client = RegistryClient("secret-token", base_url="https://api.test")
    assert repr(client) == "<RegistryClient https://api.test new>"
    async with client:
        assert repr(client) == "<RegistryClient https://api.test open>"
    assert repr(client) == "<RegistryClient https://api.test closed>"


async def test_a_coroutine_function_is_no_callback():
    async def measure(_):
        """Would never be awaited."""

    with pytest.raises(TypeError, match="on_request"):
        RegistryClient("token", on_request=measure)


def test_handles_of_the_same_things_are_equal():
    client, other = RegistryClient("token"), RegistryClient("token")
    registry = client.registry("example")
    assert registry == client.registry("example")
    assert registry.repository("web") == registry.repository("web")
    assert len({registry.repository("web"), registry.repository("web")}) == 1
    assert registry not in {client.registry("second"), other.registry("example")}
    assert registry.repository("web") != registry.repository("api")
    assert registry != "example"


def test_a_pager_shows_which_list_it_is_of():
    registry = RegistryClient("token").registry("example")
    path = "/v2/registries/example/repositories"
    assert repr(registry.repository("a/b").tags()) == f"<Pager of {path}/a%2Fb/tags>"
    assert repr(registry.tags()) == f"<Pager of each list of <Pager of {path}V2>>"
