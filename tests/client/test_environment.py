"""Where a client sends its token when the program names no server."""

import pytest

from aioregistry import RegistryClient
from aioregistry.cleanup import Distribution

REMOTE = ["http://registry.example", "http://10.0.0.1:8080", "http://localhost.example"]


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "the-token")


def test_the_vendors_api_is_the_default():
    assert "https://api.digitalocean.com " in repr(RegistryClient())


@pytest.mark.parametrize(
    "url", ["https://api.example/v", "http://127.0.0.1:8080", "http://[::1]:80", "http://localhost"]
)
def test_the_environment_names_another_api(monkeypatch, url):
    monkeypatch.setenv("AIOREGISTRY_API_URL", f"{url}/")
    assert f"{url} " in repr(RegistryClient())


def test_an_argument_takes_precedence_over_the_environment(monkeypatch):
    monkeypatch.setenv("AIOREGISTRY_API_URL", "https://other.example")
    assert "https://mine.example " in repr(RegistryClient(base_url="https://mine.example"))


@pytest.mark.parametrize("url", [*REMOTE, "ftp://localhost", "https://user:secret@api.example"])
def test_no_token_is_sent_in_clear_to_another_machine(monkeypatch, url):
    monkeypatch.setenv("AIOREGISTRY_API_URL", url)
    with pytest.raises(ValueError, match="AIOREGISTRY_API_URL must be") as caught:
        RegistryClient()
    assert "secret" not in str(caught.value)


def test_the_environment_names_the_registry_itself(monkeypatch):
    monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", "http://127.0.0.1:5000/")
    registry = RegistryClient(base_url="http://127.0.0.1:5001").registry("example")
    assert "'http://127.0.0.1:5000'" in repr(Distribution(registry))
    assert "'https://mine'" in repr(Distribution(registry, base_url="https://mine"))


@pytest.mark.parametrize("url", REMOTE)
def test_no_credentials_are_sent_in_clear_to_another_machine(monkeypatch, url):
    monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", url)
    with pytest.raises(ValueError, match="AIOREGISTRY_REGISTRY_URL must be"):
        Distribution(RegistryClient().registry("example"))
