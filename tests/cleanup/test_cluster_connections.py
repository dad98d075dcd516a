"""How a cluster is reached: one and the same all the time, by kubectl's proxy, past no redirect."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest
import trustme
from aiohttp import web

from aioregistry.cleanup.in_use.cluster import ClusterInUse
from aioregistry.cleanup.in_use.kinds import KINDS
from aioregistry.cleanup.in_use.kube_api import ClusterCredentials, by_credentials, by_kubeconfig
from aioregistry.cleanup.in_use.proxies import proxy_for
from aioregistry.cleanup.in_use.references import InUseError

pytest.importorskip("kubernetes_asyncio")

WEB = "registry.digitalocean.com/example/web"
SECRET = "s3cret"
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")


async def no_wait(_: float) -> None:
    pass


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


class Server:
    """One that runs a pod of the image of its own name."""

    def __init__(self, name):
        self.url = ""
        self.paths = []
        self.pods = [
            {
                "metadata": {"name": "p", "namespace": "default"},
                "spec": {"containers": [{"name": "c", "image": f"{WEB}:{name}"}]},
            }
        ]
        self.instead = lambda kind: None
        """What is answered in place of a list; None for nothing."""

    async def answer(self, request):
        self.paths.append(request.path)
        if request.method == "POST":
            return web.json_response({"status": {"allowed": True}}, status=201)
        if request.path == "/apis":
            apps = {"name": "apps", "versions": [{"version": "v1"}]}
            return web.json_response({"kind": "APIGroupList", "groups": [apps]})
        kind = next((kind for kind in KINDS if kind.path == request.path), None)
        if kind is not None and (instead := self.instead(kind)) is not None:
            return instead
        items = self.pods if kind is None or kind.resource == "pods" else []
        lists = "PodList" if kind is None else kind.lists
        return web.json_response({"kind": lists, "metadata": {}, "items": items})


@pytest.fixture
async def serve():
    async with AsyncExitStack() as stack:

        async def serve(name):
            server = Server(name)
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", server.answer)
            runner = web.AppRunner(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            return server

        yield serve


@pytest.fixture
def write(tmp_path):
    """Write a kubeconfig of several clusters, each with a context of its name."""

    def write(current, servers, **more):
        document = {
            "current-context": current,
            "clusters": [
                {"name": name, "cluster": {"server": url, **more}} for name, url in servers.items()
            ],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": "me"}} for name in servers
            ],
            "users": [{"name": "me", "user": {"token": "token"}}],
        }
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(document))
        return path

    return write


def unauthorized():
    return web.json_response({"kind": "Status"}, status=401)


async def test_a_redirect_is_not_followed_though_a_list_is_there(serve):
    server = await serve("a")
    moved = web.Response(status=302, headers={"Location": "/elsewhere"})
    server.instead = lambda kind: moved if kind.resource == "pods" else None

    async def fetch():
        return ClusterCredentials(server=server.url, token="token")

    with pytest.raises(InUseError, match="pods: 302"):
        await ClusterInUse(connect=by_credentials(fetch), sleep=no_wait).ask()
    assert server.paths[-1] == "/api/v1/pods"
    assert "/elsewhere" not in server.paths


async def test_a_new_log_in_keeps_the_context_that_was_the_current_one(serve, write):
    one, other = await serve("one"), await serve("other")
    servers = {"one": one.url, "other": other.url}
    path = write("one", servers)
    answers = iter([unauthorized])

    def log_out(kind):
        if kind.resource != "pods" or (answer := next(answers, None)) is None:
            return None
        write("other", servers)
        return answer()

    one.instead = log_out
    source = ClusterInUse(connect=by_kubeconfig(files=[path]), sleep=no_wait)
    assert [str(use.reference) for use in await source.ask()] == [f"{WEB}:one"]
    assert source.asked[0].server == one.url
    assert other.paths == []
    # Nor is another one asked when it is asked again.
    assert [str(use.reference) for use in await source.ask()] == [f"{WEB}:one"]


@pytest.mark.parametrize("more", [{}, {"tls-server-name": "x"}, {"insecure-skip-tls-verify": True}])
async def test_a_new_log_in_at_what_may_be_another_cluster_is_an_error(serve, write, more):
    one, other = await serve("one"), await serve("other")
    path = write("c", {"c": one.url})

    def log_out(kind):
        if kind.resource != "pods":
            return None
        write("c", {"c": one.url if more else other.url}, **more)
        return unauthorized()

    one.instead = log_out
    source = ClusterInUse(connect=by_kubeconfig(files=[path]), sleep=no_wait)
    with pytest.raises(InUseError, match="another address or authority"):
        await source.ask()
    assert other.paths == []
    assert source.asked == ()


async def test_a_new_log_in_with_another_authority_is_an_error(serve):
    server = await serve("a")
    server.instead = lambda kind: unauthorized() if kind.resource == "pods" else None
    authorities = iter([trustme.CA().cert_pem.bytes() for _ in range(2)])

    async def fetch():
        return ClusterCredentials(
            server=server.url, token="token", certificate_authority=next(authorities)
        )

    with pytest.raises(InUseError, match="another address or authority"):
        await ClusterInUse(connect=by_credentials(fetch), sleep=no_wait).ask()


@pytest.fixture
async def proxy():
    """The host of a proxy that wants other credentials than it gets."""

    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("named", ["HTTPS_PROXY", "proxy-url"])
@pytest.mark.parametrize(
    ("address", "said"),
    [
        (f"http://me:{SECRET}@HOST", "the answer was 407"),
        (f"http://me:{SECRET}%20x@HOST", "the answer was 407"),
        (f"http://me:{SECRET}@127.0.0.1:1", "Cannot connect"),
        (f"http://me:{SECRET}@127.0.0.1:x{SECRET}", "proxy cannot be used"),
        (f"http://me:x {SECRET}@HOST", "proxy cannot be used"),
        (f"http://me:{SECRET}@", "proxy cannot be used"),
        (f"socks5://me:{SECRET}@HOST", "proxy cannot be used"),
    ],
)
async def test_no_error_has_the_password_of_a_proxy(
    write, proxy, monkeypatch, named, address, said
):
    address = address.replace("HOST", proxy)
    more = {named: address} if named == "proxy-url" else {}
    if not more:
        monkeypatch.setenv(named, address)
    path = write("c", {"c": "https://k8s.example.com:6443"}, **more)
    with pytest.raises(InUseError, match=said) as caught:
        await ClusterInUse(connect=by_kubeconfig(files=[path]), sleep=no_wait).ask()
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__cause__)


async def test_one_without_a_scheme_is_no_proxy_of_a_kubeconfig(write):
    path = write("c", {"c": "https://k8s.example.com"}, **{"proxy-url": f"me:{SECRET}@127.0.0.1:1"})
    with pytest.raises(InUseError, match="proxy cannot be used") as caught:
        await ClusterInUse(connect=by_kubeconfig(files=[path]), sleep=no_wait).ask()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "excepted", "is_asked"),
    [
        ("https://10.1.2.3:6443", "", True),
        ("https://10.1.2.3:6443", "10.0.0.0/8", False),
        ("https://10.1.2.3:6443", "example.com, 10.0.0.0/8", False),
        ("https://10.1.2.3:6443", "11.0.0.0/8,nonsense/x", True),
        ("https://10.1.2.3:6443", "10.1.2.3", False),
        ("https://10.1.2.3:6443", "10.1.2.3:6443", False),
        ("https://10.1.2.3:6443", "10.1.2.3:443", True),
        ("https://10.1.2.3", "10.1.2.3:443", False),
        ("https://10.1.2.3:6443", "0.1.2.3", True),
        ("https://10.1.2.3:6443", "*", False),
        ("https://10.1.2.3:6443", "b, *", False),
        ("https://k8s.example.com", "b,*", False),
        ("https://k8s.example.com", "example.com", False),
        ("https://k8s.EXAMPLE.com", "Example.com", False),
        ("https://k8s.example.com", ".example.com", False),
        ("https://k8s.example.com", "*.example.com", False),
        ("https://k8s.example.com", "*.example.com:443", False),
        ("https://k8s.example.com", "example.com:6443", True),
        ("https://example.com", "example.com", False),
        ("https://example.com", ".example.com", True),
        ("https://example.com", "*.example.com", True),
        ("https://notexample.com", "example.com", True),
        ("https://k8s.example.com", ",, :443,", True),
        ("https://k8s.example.com", "10.0.0.0/8", True),
        ("https://[fd00::1]:6443", "fd00::/8", False),
        ("https://[fd00::1]:6443", "fd00::1", False),
        ("https://[fd00::1]:6443", "[fd00::1]:6443", False),
        ("https://[fd00::1]:6443", "[fd00::1]:443", True),
        ("https://[fd00::1]:6443", "fd00::2", True),
        ("https://127.0.0.1:6443", "", False),
        ("https://127.0.0.7:6443", "", False),
        ("https://[::1]:6443", "", False),
        ("https://localhost:6443", "", False),
        ("http://k8s.example.com", "", False),
    ],
)
def test_what_is_asked_without_the_proxy_of_the_environment_is_that_of_kubectl(
    monkeypatch, url, excepted, is_asked
):
    monkeypatch.setenv("https_proxy", "http://proxy")
    monkeypatch.setenv("NO_PROXY", excepted)
    assert proxy_for(url) == ("http://proxy" if is_asked else None)


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({"HTTPS_PROXY": "127.0.0.1:1"}, "http://127.0.0.1:1"),
        ({"HTTPS_PROXY": "proxy"}, "http://proxy"),
        ({"HTTPS_PROXY": "https://proxy:3128"}, "https://proxy:3128"),
        ({"HTTPS_PROXY": "http://upper", "https_proxy": "http://lower"}, "http://upper"),
        ({"HTTPS_PROXY": "", "https_proxy": "http://lower"}, "http://lower"),
        ({"HTTP_PROXY": "http://plain"}, None),
        ({"https_proxy": "http://p", "NO_PROXY": "x", "no_proxy": "*"}, "http://p"),
        ({"https_proxy": "http://p", "no_proxy": "*"}, None),
    ],
)
def test_the_variables_are_those_of_kubectl(monkeypatch, variables, proxy):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxy_for("https://k8s.example.com:6443") == proxy
