"""Servers that repeat what they are sent: nothing that the program writes repeats it further.

An API and a registry whose errors hold the request's Authorization header, in several spellings,
and what exceptions, plans, journals, reports, logs and commands make of that.
"""

import asyncio
import json
import logging
import os
import pickle
import sys
import traceback
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web

from aioregistry import RegistryClient, RegistryError, RetryPolicy
from aioregistry.cleanup import (
    ContentReader,
    Delete,
    Distribution,
    Plan,
    Policy,
    apply_plan,
    make_plan,
)
from aioregistry.oci.writer import DistributionWriter
from aioregistry.sandbox import Sandbox

TOKEN = "dop_v1_0123456789abcdef/+0123456789abcdef"
BEARER = "eyJhbGciOiJSUzI1NiJ9.made+up/bearer-token.signature=="
QUICK = RetryPolicy(attempts=2, backoff=0.001, cap=0.01)

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent-encoded": lambda text: quote(text, safe=""),
    "JSON-escaped": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text).replace("/", r"\/")),
    "HTML": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "lower case": str.lower,
}


class Echo:
    """An API or a registry: what it is sent is what it answers.

    Attributes:
        spell: How it writes what it repeats.
        seen: Every Authorization header that it got.
        behind: An API that answers all but DELETEs; None answers them all itself.
        grants_tokens: Whether its token service grants tokens.
        digests: Whether it repeats in the digest's header of an answer without error.
    """

    def __init__(self) -> None:
        self.spell = SPELLINGS["plain"]
        self.seen: set[str] = set()
        self.behind: str | None = None
        self.grants_tokens = True
        self.digests = False
        self.scheme = "bearer"
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization")
        if given is not None:
            self.seen.add(given)
        if request.path.startswith("/v2/regist"):
            if self.behind is not None and request.method != "DELETE":
                return await self._forward(request)
            return self._echo(given or "", 403)
        if request.path == "/token" and self.grants_tokens:
            return web.json_response({"token": BEARER})
        if given is None:
            challenge = f'Bearer realm="{self.url}/token"'
            if self.scheme == "basic":
                challenge = 'Basic realm="it"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if self.digests:
            return web.Response(headers={"Docker-Content-Digest": self.spell(given)})
        return self._echo(given, 403)

    def _echo(self, given: str, status: int) -> web.Response:
        said = f"bad header: {self.spell(given)}!"
        body = {"id": said, "message": said, "request_id": said}
        if status == 403 and "/token" not in self.url:
            body["errors"] = [{"code": said, "message": said}]
        headers = {"X-Request-Id": self.spell(given), "Retry-After": "0"}
        return web.json_response(body, status=status, headers=headers)

    async def _forward(self, request: web.Request) -> web.Response:
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                request.method,
                f"{self.behind}{request.path_qs}",
                headers={"Authorization": request.headers["Authorization"]},
                data=await request.read(),
            ) as answer,
        ):
            body = await answer.read()
            return web.Response(status=answer.status, body=body, content_type="application/json")

    def secrets(self) -> set[str]:
        """What must not be shown, of all that came in."""
        found = set()
        for header in self.seen:
            scheme, _, value = header.partition(" ")
            found.add(value)
            if scheme == "Basic":
                found |= set(b64decode(value).decode().split(":"))
        return found


@asynccontextmanager
async def running(echo: Echo) -> AsyncIterator[Echo]:
    runner = web.ServerRunner(web.Server(echo.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    echo.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield echo
    finally:
        await runner.cleanup()


@pytest.fixture(params=SPELLINGS)
async def echo(request) -> AsyncIterator[Echo]:
    async with running(Echo()) as echo:
        echo.spell = SPELLINGS[request.param]
        yield echo


@pytest.fixture
async def account() -> AsyncIterator[Sandbox]:
    async with Sandbox(token=TOKEN) as sandbox:
        for number in range(3):
            sandbox.state.push("example", "web", [f"pr-{number}"])
        yield sandbox


def told_by(error: BaseException) -> str:
    """Everything that can be had of an exception."""
    traced = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in traced.stack if "/aioregistry/" in frame.filename]
    assert frames
    local = "".join(str(frame.locals) for frame in frames)
    text = f"{error}{error!r}{vars(error)}{local}{pickle.dumps(error)!r}"
    cause = error.__cause__ or error.__context__
    return text if cause is None else text + told_by(cause)


def check(texts: dict[str, str], secrets: set[str]) -> None:
    """No text has a secret, or a good part of one, in any spelling."""
    assert secrets
    for where, text in texts.items():
        for secret in secrets:
            # The end of a secret says as much as its beginning.
            for part in (secret[:12], secret[-12:]):
                for name, spell in {**SPELLINGS, "escaped": escape}.items():
                    assert spell(part) not in text, f"{where}: {name}"


CALLS: dict[str, Callable] = {
    "registry": lambda client: client.get_registry(),
    "tags": lambda client: client.registry("example").repository("web").tags().collect(),
    "delete": lambda client: client.registry("example").repository("web").delete_tag("v1"),
    "credentials": lambda client: client.docker_credentials(),
    "start": lambda client: client.registry("example").start_garbage_collection(),
}


@pytest.mark.parametrize("call", CALLS)
async def test_no_error_of_an_api_that_echoes_has_its_token(echo, caplog, call):
    caplog.set_level(logging.DEBUG)
    async with RegistryClient(TOKEN, base_url=echo.url, retry=QUICK) as client:
        with pytest.raises(RegistryError, match="<redacted>") as caught:
            await CALLS[call](client)
    assert echo.seen == {f"Bearer {TOKEN}"}
    check({"error": told_by(caught.value), "log": caplog.text}, {TOKEN})


@pytest.mark.parametrize("rotates", [True, False])
async def test_no_error_over_a_field_that_echoes_has_the_token(echo, rotates):
    async def token() -> str:
        return TOKEN

    async def answer(request: web.Request) -> web.Response:
        said = echo.spell(request.headers["Authorization"].removeprefix("Bearer "))
        return web.json_response({"registry": {"name": "example", "created_at": said}})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with RegistryClient(token if rotates else TOKEN, base_url=url) as client:
        with pytest.raises(RegistryError, match="not a time") as caught:
            await client.get_registry()
    await runner.cleanup()
    assert TOKEN[:12] not in str(caught.value)
    check({"error": told_by(caught.value)}, {TOKEN})


async def test_no_report_of_deletes_by_an_api_that_echoes_has_its_token(echo, caplog):
    caplog.set_level(logging.DEBUG)
    async with RegistryClient(TOKEN, base_url=echo.url, retry=QUICK) as client:
        report = await client.registry("example").repository("web").delete_tags(["v1", "v2"])
        with pytest.raises(RegistryError) as caught:
            report.raise_for_failures()
    assert len(report.failed) == 2
    errors = "".join(told_by(outcome.error) for outcome in report.failed)
    check({"report": f"{report!r}{caught.value!r}{errors}", "log": caplog.text}, {TOKEN})


@pytest.mark.parametrize("scheme", ["bearer", "basic"])
@pytest.mark.parametrize("grants_tokens", [True, False])
async def test_no_error_of_a_registry_that_echoes_has_credentials_or_tokens(
    echo, account, caplog, scheme, grants_tokens
):
    caplog.set_level(logging.DEBUG)
    echo.scheme, echo.grants_tokens = scheme, grants_tokens
    told = []
    async with RegistryClient(TOKEN, base_url=account.url) as client:
        registry = client.registry("example")
        async with Distribution(registry, base_url=echo.url, retry=QUICK) as distribution:
            for ask in (distribution.get_manifest, distribution.find_manifest):
                with pytest.raises(RegistryError) as caught:
                    await ask("web", "v1")
                told.append(told_by(caught.value) + repr(distribution))
    assert len(echo.secrets()) >= 2
    check({"errors": "".join(told), "log": caplog.text}, {TOKEN, *echo.secrets()})


async def test_no_digest_of_a_registry_that_echoes_has_a_token(echo, account):
    echo.digests = True
    async with RegistryClient(TOKEN, base_url=account.url) as client:
        registry = client.registry("example")
        async with Distribution(registry, base_url=echo.url, retry=QUICK) as distribution:
            with pytest.raises(RegistryError) as caught:
                await distribution.find_manifest("web", "v1")
            with pytest.raises(RegistryError) as also_caught:
                await distribution.get_manifest("web", "v1")
        async with DistributionWriter(registry, base_url=echo.url, retry=QUICK) as writer:
            with pytest.raises(RegistryError) as caught_at_put:
                await writer.put_manifest("web", f"sha256:{'0' * 64}", b"{}", "application/json")
    told = {
        "HEAD": told_by(caught.value),
        "GET": told_by(also_caught.value),
        "PUT": told_by(caught_at_put.value),
    }
    check(told, {TOKEN, *echo.secrets()})


async def test_no_part_of_a_clean_up_among_servers_that_echo_has_a_secret(
    echo, account, caplog, tmp_path
):
    caplog.set_level(logging.DEBUG)
    echo.behind = account.url
    said = []
    async with RegistryClient(TOKEN, base_url=echo.url, retry=QUICK) as client:
        registry = client.registry("example")
        async with (
            Distribution(registry, base_url=echo.url, retry=QUICK) as echoing,
            Distribution(registry, base_url=account.url, retry=QUICK) as honest,
        ):
            try:
                unread = await make_plan(registry, Policy([Delete()]), ContentReader(echoing))
            except RegistryError as error:
                said.append(told_by(error))
            else:
                unread.save(tmp_path / "unread.json")
                said.append(repr(unread))
            policy = Policy([Delete(tags="pr-*")], floor=0)
            plan = await make_plan(registry, policy, ContentReader(honest))
            plan.save(tmp_path / "plan.json")
            # A registry at the same address that was honest before.
            text = (tmp_path / "plan.json").read_text()
            (tmp_path / "same.json").write_text(text.replace(account.url, echo.url))
            for name, contents in (("plan", honest), ("same", echoing)):
                report = await apply_plan(
                    registry,
                    Plan.load(tmp_path / f"{name}.json"),
                    ContentReader(contents),
                    journal=tmp_path / f"{name}.journal",
                    force=True,
                )
                assert len(report.deleted) == 0
                said += [repr(report), str(report)]
    written = {str(path): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(written) >= 2
    check({**written, "said": "".join(said), "log": caplog.text}, {TOKEN, *echo.secrets()})


async def run(folder: Path, *arguments: str) -> str:
    """Return all that a command prints."""
    environment = {
        **{name: value for name, value in os.environ.items() if "PROXY" not in name.upper()},
        "DIGITALOCEAN_TOKEN": TOKEN,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_CACHE_HOME": str(folder),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "aioregistry", *arguments),
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return output.decode()


@pytest.mark.slow(2)
@pytest.mark.parametrize("debug", [pytest.param(False, marks=pytest.mark.exhaustive), True])
async def test_no_command_among_servers_that_echo_prints_a_secret(account, tmp_path, debug):
    (tmp_path / "policy.toml").write_text('[[rules]]\ntags = "pr-*"\ndelete = true\n')
    async with running(Echo()) as echo:
        echo.spell = SPELLINGS["percent-encoded"]
        echo.behind = account.url
        options = ["--api-url", echo.url, *(["--debug"] if debug else [])]
        delete = ["delete-tags", "example/web", "pr-1", "--yes", "--no-archive"]
        plan = ["cleanup", "plan", "example", "--policy", "policy.toml", "--plan-file", "plan.json"]
        printed = {
            "delete": await run(tmp_path, *delete, *options),
            "plan": await run(tmp_path, *plan, "--registry-url", echo.url, *options),
        }
        echo.behind = None
        printed["tags"] = await run(tmp_path, "tags", "example/web", *options)
    assert "<redacted>" in printed["tags"]
    assert "<redacted>" in printed["delete"]
    secrets = {TOKEN, *echo.secrets()}
    assert any(header.startswith("Basic ") for header in echo.seen), printed
    written = {
        str(path): path.read_bytes().decode(errors="replace")
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    check({**printed, **written}, secrets)
