"""What counts as the URL of a server, and how one is shown."""

import pytest

from aioregistry import RegistryClient
from aioregistry.cleanup import Distribution
from aioregistry.session.origins import check_origin, without_login


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://api.digitalocean.com", "https://api.digitalocean.com"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://[::1]:80/some/path//", "http://[::1]:80/some/path"),
    ],
)
def test_a_server_is_taken_without_slashes_at_the_end(url, taken):
    assert check_origin("base_url", url) == taken


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "ftp://host",
        "http://",
        "http://host?query",
        "http://host#fragment",
        "http://user:secret@host",
        "http://@host",
        "http://user:secret@host:99999",
        "http://user:sec/ret@host",
        "http://host:99999",
        "http://host:port",
        "http://host:0",
        "http://[::1",
        "http://ho st",
        "http://ho\nst",
        "http://h\xf6st",
    ],
)
def test_what_is_no_server_is_refused_when_it_is_given_and_is_not_shown(url):
    registry = RegistryClient("token").registry("example")
    for make in (
        lambda: RegistryClient("token", base_url=url),
        lambda: Distribution(registry, base_url=url),
    ):
        with pytest.raises(ValueError, match=r"^base_url must be http\(s\)://host") as refused:
            make()
        assert "sec" not in str(refused.value)


@pytest.mark.parametrize("url", ["https://api.digitalocean.com/v2", "http://host/v2//"])
def test_a_server_with_the_version_at_the_end_is_refused(url):
    with pytest.raises(ValueError, match="base_url must not end in /v2, which is added"):
        RegistryClient("token", base_url=url)


def test_a_proxy_may_call_a_version_of_its_own_so():
    assert check_origin("base_url", "http://host/cloud/v2/") == "http://host/cloud/v2"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@host/path", "http://***@host/path"),
        ("http://user:s@cret@host:99999", "http://***@host:99999"),
        ("http://host/a@b", "http://host/a@b"),
        ("not a url", "not a url"),
    ],
)
def test_no_login_is_shown(url, shown):
    assert without_login(url) == shown
