"""Which of a registry's requests are made like one another, and with what authorization."""

import hashlib

import pytest
from aiohttp import web
from yarl import URL

from aioregistry.oci.distribution import Distribution
from tests.conftest import QUICK
from tests.oci.serving import serving
from tests.oci.test_tokens import DIGEST, REPOSITORIES, registry  # noqa: F401

BASE = "https://registry.example:44"
PATH = "/v2/example/web%2Fapp/manifests/v1"


async def test_each_repository_is_asked_for_with_its_own_token(client, registry):  # noqa: F811
    registry.grant = lambda asked: asked[:1]
    async with Distribution(
        client.registry("example"), base_url=registry.url, retry=QUICK
    ) as distribution:
        for repository in REPOSITORIES * 2:
            await distribution.get_manifest(repository, DIGEST)
    sent = [(name, given) for name, given in registry.manifests if given is not None]
    refused = [name for name, given in sent if not registry.allows(name, given)]
    assert refused == []
    assert len({given for _, given in sent}) == len(REPOSITORIES)


async def test_reads_of_the_registry_itself_are_made_like_one_another(client):
    async with Distribution(client.registry("example"), base_url=BASE) as distribution:
        for method in ("GET", "HEAD"):
            target = distribution._transport.own_target(method, PATH)
            assert target == PATH
            assert distribution._transport._address(target) == URL(f"{BASE}{PATH}", encoded=True)
            assert str(distribution._transport._address(target)) == f"{BASE}{PATH}"


async def test_an_address_with_a_path_keeps_it_in_every_request(client):
    asked: list[str] = []

    def answer(request: web.BaseRequest) -> web.Response:
        asked.append(f"{request.method} {request.path_qs}")
        document = b"{}"
        digest = "sha256:" + hashlib.sha256(document).hexdigest()
        if "/tags/list" in request.path:
            return web.json_response({"tags": ["v1"]})
        return web.Response(body=document, headers={"Docker-Content-Digest": digest})

    async with serving(client, answer, path="/mirror") as distribution:
        await distribution.list_tags("my/web")
        await distribution.get_manifest("my/web", "v1")
        await distribution.find_manifest("my/web", "v1")
        await distribution.has_blob("my/web", DIGEST)
    assert len(asked) == 4
    assert [line for line in asked if " /mirror/v2/example/my/web/" not in line] == []


@pytest.mark.parametrize(("method", "path"), [("GET", f"{PATH}?n=1"), ("PUT", PATH)])
async def test_all_others_are_made_anew(client, method, path):
    async with Distribution(client.registry("example"), base_url=BASE) as distribution:
        assert distribution._transport.own_target(method, path) is None


async def test_with_the_environments_proxies_all_are_made_anew(client):
    async with Distribution(
        client.registry("example"), base_url=BASE, trust_env=True
    ) as distribution:
        assert distribution._transport.own_target("GET", PATH) is None


async def test_both_sessions_are_closed(client):
    async with Distribution(client.registry("example"), base_url=BASE) as distribution:
        pass
    assert distribution._transport._direct.closed
    assert distribution._transport._http.closed
