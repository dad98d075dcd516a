"""The token and the docker credentials are in nothing that is printed, logged or stored."""

import logging
import pickle
import traceback

import pytest

from aioregistry import RegistryError, RetryPolicy
from tests.vendor import examples
from tests.vendor.raw import answer, close, endless, reset, stall, verbatim
from tests.vendor.server import TOKEN, Answer

ONCE = RetryPolicy(attempts=1)
SECRETS = (TOKEN, examples.DOCKER_TOKEN, examples.DOCKER_AUTH)

FAILURES = {
    "status 401": (answer(401, examples.UNAUTHORIZED),),
    "status 404": (answer(404, examples.NOT_FOUND),),
    "status 412": (answer(412, examples.MANY_REGISTRIES), answer(412, examples.OVER_LIMIT)),
    "status 429": (answer(429, examples.TOO_MANY_REQUESTS, "retry-after: 0"),),
    "status 503": (answer(503, examples.SERVER_ERROR),),
    "redirect": (answer(302, b"", "Location: http://thief.invalid/"),),
    "closed": (close,),
    "reset": (reset,),
    "no http": (verbatim(b"SSH-2.0-OpenSSH_9.6\r\n"),),
    "no json": (answer(200, b"<html>"),),
    "wrong type": (answer(200, {"options": 5}),),
    "endless": (endless(200, b" " * (1 << 20)),),
    "timeout": (stall,),
    "the token echoed": (answer(403, {"id": "forbidden", "message": f"bad token {TOKEN}"}),),
    "the header echoed": (answer(400, f"<pre>Authorization: Bearer {TOKEN}</pre>".encode()),),
    "the token in a value": (answer(200, {"options": TOKEN}),),
    "the token in a key": (answer(200, {"options": {"available_regions": {TOKEN: 1}}}),),
}


def chain(error: BaseException | None) -> list[BaseException]:
    """The error, its causes and its contexts."""
    found = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def everything_said(records: list[logging.LogRecord]) -> str:
    """All that any handler could print of some records, their extra fields included."""
    formatter = logging.Formatter("%(name)s %(message)s")
    return "\n".join(f"{formatter.format(record)} {vars(record)}" for record in records)


@pytest.fixture
def said(caplog):
    """What aioregistry has logged so far, at every level."""
    caplog.set_level(logging.DEBUG, "aioregistry")
    return lambda: everything_said([r for r in caplog.records if r.name.startswith("aioregistry")])


@pytest.mark.parametrize("failure", FAILURES)
async def test_no_failure_tells_the_token(raw, connect, said, failure):
    server = await raw(*FAILURES[failure])
    retry = RetryPolicy(attempts=2, backoff=0.001, cap=0.01)
    timeout = 0.5 if failure == "timeout" else 60
    async with connect(server, retry=retry, timeout=timeout) as client:
        with pytest.raises(RegistryError) as caught:
            await client.options()
    assert any(TOKEN in value for value in server.requests[0].header("Authorization"))
    error = caught.value
    printed = [
        "".join(traceback.format_exception(error)),
        *(f"{e} {e!r} {e.args} {vars(e)}" for e in chain(error)),
        said(),
    ]
    for text in printed:
        assert TOKEN not in text
    assert TOKEN.encode() not in pickle.dumps(error)


async def test_no_success_tells_the_token(server, client, said):
    await client.options()
    await client.create_registry("example", subscription_tier="basic")
    await client.registry("example").repository("repo-1").delete_tags(["v1", "v2"])
    assert server.requests
    assert TOKEN not in said()


@pytest.mark.parametrize("borrowed", [False, True], ids=["a string", "a callable"])
async def test_nothing_that_is_public_shows_the_token(server, connect, borrowed):
    async def give() -> str:
        return TOKEN

    client = connect(server, token=give if borrowed else TOKEN)
    registry = client.registry("example")
    shown = [client, registry, registry.repository("repo-1"), registry.tags()]
    async with client:
        await client.options()
        shown += [client, client.rate_limit_status, aiter(registry.tags())]
        for thing in shown:
            assert TOKEN not in f"{thing} {thing!r}"


class TestCredentials:
    """What `docker login` needs is for the caller alone."""

    @pytest.fixture
    async def creds(self, client):
        return await client.docker_credentials(read_write=True)

    async def test_no_text_of_them_holds_a_secret(self, creds):
        for text in (repr(creds), str(creds), f"{creds}", f"{[creds]}"):
            for secret in SECRETS:
                assert secret not in text

    async def test_they_pickle_whole(self, creds):
        assert pickle.loads(pickle.dumps(creds)) == creds

    async def test_they_are_in_no_log(self, creds, caplog, client):
        with caplog.at_level(logging.DEBUG, "aioregistry"):
            await client.docker_credentials()
        text = everything_said([r for r in caplog.records if r.name.startswith("aioregistry")])
        for secret in SECRETS:
            assert secret not in text

    @pytest.mark.parametrize(
        "auths",
        [
            {"registry.digitalocean.com": examples.DOCKER_AUTH},
            {"registry.digitalocean.com": {"auth": [examples.DOCKER_AUTH]}},
            {"registry.digitalocean.com": {"auth": examples.DOCKER_AUTH[:43]}},
            {"registry.digitalocean.com": {"auth": "%" + examples.DOCKER_AUTH}},
        ],
        ids=["no object", "no string", "cut", "no base64"],
    )
    async def test_bad_ones_are_not_quoted_in_the_error(self, server, client, auths):
        server.on("GET", "/v2/registry/docker-credentials", Answer(200, {"auths": auths}))
        with pytest.raises(RegistryError) as caught:
            await client.docker_credentials()
        text = "".join(traceback.format_exception(caught.value))
        for secret in (*SECRETS, examples.DOCKER_AUTH[:43]):
            assert secret not in text
        assert examples.DOCKER_AUTH[:43].encode() not in pickle.dumps(caught.value)


@pytest.mark.parametrize("end", ["\r\nX-Evil: 1", "\n", "\x00", "\ud800"], ids=repr)
@pytest.mark.parametrize("rotating", [False, True], ids=["a string", "a callable"])
async def test_a_token_that_is_no_header_is_refused_unsaid(raw, connect, said, end, rotating):
    """A stray newline at the end of a token file is the common case."""
    server = await raw(answer(200, {"options": examples.OPTIONS}))
    bad = f"{TOKEN}{end}"

    async def give() -> str:
        return bad

    error = None
    try:
        async with connect(server, token=give if rotating else bad, retry=ONCE) as client:
            await client.options()
    except (RegistryError, ValueError) as caught:
        error = caught
    # Either it is refused unsent, or what doesn't belong to it is cut off.
    sent = [(r.header("Authorization"), r.header("X-Evil")) for r in server.requests]
    assert sent == ([] if error else [([f"Bearer {TOKEN}"], [])])
    assert TOKEN not in "".join(traceback.format_exception(error))
    assert TOKEN not in repr(chain(error))
    assert TOKEN not in said()


async def test_a_login_in_the_base_url_is_not_told(raw, connect, said):
    server = await raw(answer(404, examples.NOT_FOUND))
    base_url = server.url.replace("http://", "http://user:hunter2hunter2@")
    with pytest.raises((RegistryError, ValueError)) as caught:
        async with connect(server, base_url=base_url, retry=ONCE) as client:
            await client.options()
    assert "hunter2hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "hunter2hunter2" not in f"{vars(caught.value)}{said()}"
