"""Files and options of TLS that cannot be used: told before anything is sent."""

import pytest

pytest.importorskip("redis")

import redis.asyncio
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.sentinel import Sentinel

from aioregistry import RateLimit
from aioregistry.errors import SharedQuotaError
from aioregistry.ratelimit.tls import TlsOptionsError, check_tls
from aioregistry.redis import RedisLimiter

MISSING = "ca_certs missing.pem: No such file or directory"


def plain() -> redis.asyncio.Redis:
    return redis.asyncio.Redis(port=1, ssl=True, ssl_ca_certs="missing.pem")


def of_a_sentinel() -> redis.asyncio.Redis:
    sentinel = Sentinel([("127.0.0.1", 1)])
    return sentinel.master_for("quota", ssl=True, ssl_ca_certs="missing.pem")


def of_a_cluster() -> redis.asyncio.RedisCluster:
    nodes = [ClusterNode("127.0.0.1", 1)]
    return redis.asyncio.RedisCluster(startup_nodes=nodes, ssl=True, ssl_ca_certs="missing.pem")


@pytest.mark.parametrize("make", [plain, of_a_sentinel, of_a_cluster])
async def test_a_file_that_is_missing_is_an_error_at_once(make):
    client = make()
    try:
        async with RedisLimiter(client, "token", RateLimit(max_wait=30.0)) as limiter:
            with pytest.raises(SharedQuotaError, match=f"{MISSING}.*Check the TLS settings"):
                await limiter.acquire()
    finally:
        await client.aclose()


@pytest.mark.parametrize("scheme", ["rediss", "rediss+sentinel", "rediss+cluster"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("ssl_ca_certs=missing.pem", MISSING),
        ("ssl_certfile=missing.pem&ssl_keyfile=other.pem", "certfile missing.pem, keyfile other"),
        ("ssl_ca_certs=.", "ca_certs .: Is a directory"),
        ("ssl_ca_certs=no.pem", "ca_certs no.pem: "),
        ("ssl_ca_data=none", "TLS with its options: "),
        ("ssl_min_version=55", "TLS with its options: "),
        ("ssl_cert_reqs=perhaps", "TLS with its options: "),
    ],
)
def test_an_address_whose_tls_cannot_be_made_is_refused(
    tmp_path, monkeypatch, scheme, options, said
):
    (tmp_path / "no.pem").write_text("no certificate")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TlsOptionsError) as caught:
        check_tls(f"{scheme}://a.test:1,b.test:2/name/0?{options}")
    assert said in str(caught.value)


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+sentinel"])
@pytest.mark.parametrize("password", ["half/other", "half?other", "half#other", "half[other"])
def test_of_a_password_that_cannot_be_read_as_it_is_nothing_is_told(scheme, password):
    with pytest.raises(ValueError, match="%2F") as caught:
        check_tls(f"{scheme}://user:{password}@a.test:1/0")
    assert "half" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:p%2F%3F%23%5B@[::1]:6379/0",
        "redis+sentinel://:pa@ss@a.test:1,b.test,[::1]:2/name",
        "redis://a.test/0?ssl_ca_certs=missing.pem",
        "unix:///missing.sock",
        "memory://",
        "rediss://a.test",
        "rediss://a.test/0?ssl_cert_reqs=none",
    ],
)
def test_an_address_that_needs_no_file_is_none(url):
    check_tls(url)
