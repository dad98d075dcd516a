"""Which errors of Redis pass by themselves, and which are told at once."""

import asyncio
import logging
import pickle
import re
import socket
import ssl

import pytest

pytest.importorskip("redis")

import redis.asyncio
import trustme
from redis import exceptions as errors
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from aioregistry import RateLimit, RateLimitedError, SharedQuotaError
from aioregistry.ratelimit.away import describe, hint, is_away, is_refused, reason, refusal
from aioregistry.ratelimit.store import QuotaStore, Reply
from aioregistry.redis import RedisLimiter
from benchmarks.ports import free_port
from tests.ratelimit.redis_servers import be_patient, saying

pytestmark = pytest.mark.slow(0.5)

SHORT = RateLimit(windows=((10, 0.2), (100, 3.0)))
# The lowest version of redis-py has no such error.
NO_PROVIDER = getattr(errors, "ExternalAuthProviderError", None) or type(
    "ExternalAuthProviderError", (errors.ConnectionError,), {}
)
PASSING = {
    "READONLY": "READONLY You can't write against a read only replica.",
    "BUSY": "BUSY Redis is busy running a script. You can only call SCRIPT KILL.",
    "OOM": "OOM command not allowed when used memory > 'maxmemory'.",
    "NOREPLICAS": "NOREPLICAS Not enough good replicas to write.",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is 'no'.",
    "CLUSTERDOWN": "CLUSTERDOWN The cluster is down",
    "TRYAGAIN": "TRYAGAIN Multiple keys request during rehashing of slot",
    "NOSCRIPT": "NOSCRIPT No matching script. Please use EVAL.",
    "LOADING": "LOADING Redis is loading the dataset in memory",
    "MISCONF": "MISCONF Redis is configured to save RDB snapshots, but cannot persist on disk.",
    "UNKILLABLE": "UNKILLABLE Sorry the script already executed write commands.",
    "in a script": "ERR Error running script (call to f_1): @user_script:13: -READONLY You can't",
}
HOPELESS = {
    "password": "WRONGPASS invalid username-password pair or user is disabled.",
    "no password": "NOAUTH Authentication required.",
    "command": "NOPERM this user has no permissions to run the 'evalsha' command",
    "command in a script": "ERR ACL failure in script: User has no permissions to run 'zadd'",
    "a cluster": "MOVED 3999 127.0.0.1:6381",
    "no scripts": "ERR unknown command 'EVALSHA'",
}


async def asked(port: int, limit: RateLimit = SHORT, **options) -> None:
    """Ask for one permit, for a minute at most."""
    # Its own tries, with their random waits, are not what is asked here.
    retry = Retry(NoBackoff(), 1)
    async with (
        redis.asyncio.Redis(port=port, protocol=2, retry=retry) as client,
        RedisLimiter(client, "token", limit, **options) as limiter,
        asyncio.timeout(60),
    ):
        await limiter.acquire()


async def refused_by_redis(port: int, limit: RateLimit) -> None:
    """Ask again after a time in which this machine stood still, and Redis was not heard of."""
    for _ in range(10):
        try:
            await asked(port, limit)
        except RateLimitedError as error:
            if "Redis is away" in str(error):
                raise


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING)
async def test_what_passes_by_itself_is_waited_for(error):
    limit = RateLimit(windows=SHORT.windows, max_wait=1.0)
    async with saying(evalsha=error, eval=error) as port:
        with pytest.raises(RateLimitedError, match="Redis is away") as caught:
            await refused_by_redis(port, limit)
        assert isinstance(caught.value.__cause__, errors.RedisError)


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING)
async def test_what_passes_by_itself_is_done_without(error):
    async with saying(evalsha=error, eval=error) as port:
        await asked(port, when_away="fail_open")


@pytest.mark.parametrize("when_away", ["fail_closed", "fail_open"])
@pytest.mark.parametrize("error", HOPELESS.values(), ids=HOPELESS)
async def test_what_can_never_work_is_an_error_at_once(error, when_away):
    async with saying(evalsha=error, eval=error) as port:
        with pytest.raises(SharedQuotaError) as caught:
            await asked(port, when_away=when_away)
    assert isinstance(caught.value.__cause__, errors.RedisError)
    assert str(caught.value.__cause__).split()[0] in str(caught.value)


@pytest.mark.parametrize("when_away", ["fail_closed", "fail_open"])
async def test_a_wrong_password_is_told_before_max_wait_ends(when_away):
    wrong = HOPELESS["password"]
    async with (
        saying(auth=wrong, hello=wrong, evalsha=HOPELESS["no password"]) as port,
        redis.asyncio.Redis(port=port, password="wrong") as client,
        RedisLimiter(client, "t", RateLimit(max_wait=30.0), when_away=when_away) as limiter,
    ):
        with pytest.raises(SharedQuotaError, match="Check the user name and password"):
            await limiter.acquire()


async def test_a_name_that_does_not_exist_is_an_error_at_once(monkeypatch):
    async def no_such_name(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_such_name)
    async with (
        redis.asyncio.Redis(host="redis.invalid") as client,
        RedisLimiter(client, "token") as limiter,
    ):
        with pytest.raises(SharedQuotaError, match="Check the host name of Redis"):
            await limiter.acquire()


async def test_a_certificate_that_is_not_trusted_is_an_error_at_once():
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(server)
    async with (
        saying(ssl_context=server) as port,
        redis.asyncio.Redis(host="localhost", port=port, ssl=True) as client,
        RedisLimiter(client, "token", RateLimit(max_wait=30.0)) as limiter,
    ):
        with pytest.raises(SharedQuotaError, match="Check the TLS settings"):
            await limiter.acquire()


async def test_tls_at_a_server_without_it_is_an_error_at_once():
    async with (
        saying() as port,
        redis.asyncio.Redis(port=port, ssl=True) as client,
        RedisLimiter(client, "token", RateLimit(max_wait=2.0)) as limiter,
    ):
        with pytest.raises((SharedQuotaError, RateLimitedError)) as caught:
            await limiter.acquire()
    # A server that hangs up at the handshake cannot be told from one that is away.
    assert re.search("SSL|Connection|no answer in time", str(caught.value))


async def test_a_connection_that_is_refused_is_waited_for():
    with pytest.raises(RateLimitedError, match=r"Redis is away \(ConnectionError: "):
        await asked(free_port(), RateLimit(max_wait=1.0))


async def test_a_client_that_tries_ten_times_by_itself_does_not_hold_up_who_does_without():
    """redis-py does since version 8, and waits for up to 10 seconds in between."""
    await asked(free_port(), SHORT, when_away="fail_open")


def caused(error: Exception, by: BaseException) -> Exception:
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "at_first", "later"),
    [
        (errors.ConnectionError("Connection refused"), True, True),
        (errors.BusyLoadingError("loading"), True, True),
        (errors.MaxConnectionsError("too many"), True, True),
        (errors.ClusterError("TTL exhausted."), True, True),
        (errors.SlotNotCoveredError('Slot "1" is not covered by the cluster.'), True, True),
        (errors.AskError("3999 127.0.0.1:6381"), True, True),
        (NO_PROVIDER("problem with LDAP service"), True, True),
        (TimeoutError(), True, True),
        (OSError("no route"), True, True),
        (errors.AuthenticationError("invalid username-password pair"), False, False),
        (errors.ConnectionError("Invalid Database"), False, False),
        (errors.ClusterCrossSlotError("Keys in request don't hash to the same slot"), False, False),
        (errors.ResponseError("WRONGTYPE Operation against a key"), False, False),
        (errors.InvalidResponse("Protocol Error: b'HTTP/1.1 400'"), False, False),
        (RuntimeError("Event loop is closed"), False, False),
        (
            caused(errors.RedisClusterException("cannot be connected"), errors.NoPermissionError()),
            False,
            False,
        ),
        (
            caused(
                errors.RedisClusterException("cannot be connected"),
                errors.AuthenticationError("no"),
            ),
            False,
            False,
        ),
        (caused(errors.ConnectionError("x"), ssl.SSLError("WRONG_VERSION_NUMBER")), False, True),
        (caused(errors.ConnectionError("x"), ssl.SSLCertVerificationError("no")), False, False),
        (caused(errors.ConnectionError("x"), ssl.SSLEOFError("EOF")), True, True),
        (
            caused(errors.ConnectionError("x"), socket.gaierror(socket.EAI_NONAME, "unknown")),
            False,
            True,
        ),
        (
            caused(errors.ConnectionError("x"), socket.gaierror(socket.EAI_AGAIN, "again")),
            True,
            True,
        ),
    ],
)
def test_errors_are_told_apart(error, at_first, later):
    assert is_away(error, reached=False) is at_first
    assert is_away(error, reached=True) is later


def test_a_refusal_says_what_to_look_at_and_pickles():
    error = refusal(errors.NoPermissionError("NOPERM cannot run 'zadd'"))
    assert str(error).endswith("The user's ACL lacks a command, or keys that are needed")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_reason_of_a_timeout_is_what_its_client_tried_again_after():
    cancelled = asyncio.CancelledError()
    cancelled.__context__ = errors.ConnectionError("Connection refused")
    timeout = caused(TimeoutError(), cancelled)
    assert describe(reason(timeout)) == "ConnectionError: Connection refused"
    assert describe(reason(TimeoutError())) == "no answer in time"


async def test_going_away_and_coming_back_are_logged_once_each(caplog, monkeypatch):
    be_patient(monkeypatch)
    errors_of = {"evalsha": PASSING["READONLY"]}
    with caplog.at_level(logging.INFO, logger="aioregistry"):
        async with (
            saying(**errors_of) as port,
            redis.asyncio.Redis(port=port, protocol=2) as client,
            RedisLimiter(client, "token", SHORT) as limiter,
        ):
            waiting = asyncio.create_task(limiter.acquire())
            async with asyncio.timeout(60):
                while limiter.status.away is None:
                    await asyncio.sleep(0.01)
            # For several tries more.
            await asyncio.sleep(0.5)
            assert limiter.status.away == (
                "ReadOnlyError: You can't write against a read only replica."
            )
            waiting.cancel()
    (away,) = [record.getMessage() for record in caplog.records]
    assert away.endswith("replica.; requests wait for it")


@pytest.mark.parametrize(
    ("slow", "said"),
    [(3, []), (4, ["is away: no answer in time; requests wait for it", "is back"])],
)
async def test_a_first_answer_that_is_slow_is_not_logged_as_a_server_that_is_away(
    caplog, monkeypatch, slow, said
):
    timeouts = []

    async def ask(_, timeout, *, want, **__) -> Reply:
        timeouts.append(timeout)
        if len(timeouts) <= slow:
            raise TimeoutError
        return Reply("epoch", 1, want, 0.0, 0.0, [(0, 0, 1, 0)])

    monkeypatch.setattr(QuotaStore, "ask", ask)
    with caplog.at_level(logging.INFO, logger="aioregistry"):
        async with RedisLimiter(redis.asyncio.Redis(), "token", SHORT) as limiter:
            await limiter.acquire()
            limiter.release()
    assert timeouts[:4] == [0.25, 0.5, 1.0, 2.0]
    told = "Redis, with the shared quota, "
    assert [record.getMessage().removeprefix(told) for record in caplog.records] == said


@pytest.mark.parametrize(
    "text",
    [
        "unknown command 'EVALSHA', with args beginning with: '1'",
        "Unknown Redis command called from script script: 1, on @user_script:7.",
    ],
)
def test_a_command_that_a_server_lacks_comes_by_no_waiting(text):
    error = errors.ResponseError(text)
    assert is_refused(error, reached=True)
    assert hint(error).startswith("It lacks a command: ")
