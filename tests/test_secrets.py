"""Whatever the program writes, the token is not in it."""

import gc
import logging
import pickle
import traceback
from pathlib import Path

import pytest
from rich.pretty import pretty_repr

import aioregistry
from aioregistry import RegistryClient, RegistryError, RetryPolicy
from aioregistry.cleanup import ContentReader, Delete, Distribution, Policy, apply_plan, make_plan
from aioregistry.sandbox import Fault, Faults, Sandbox
from aioregistry.session.secret import Secret

TOKEN = "dop_v1_0123456789abcdef0123456789abcdef"
QUICK = RetryPolicy(attempts=2, backoff=0.001, cap=0.01)


@pytest.fixture
async def account(tmp_path, caplog):
    """A sandbox that knows the token, with every word of the log kept."""
    caplog.set_level(logging.DEBUG)
    async with Sandbox(token=TOKEN) as sandbox:
        for number in range(4):
            sandbox.state.push("example", "web", [f"pr-{number}"])
        yield sandbox


def texts(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in folder.rglob("*") if path.is_file()}


async def test_a_whole_clean_up_writes_no_token(account, tmp_path, caplog, capsys):
    said = []
    async with RegistryClient(
        TOKEN, base_url=account.url, on_request=lambda finished: said.append(repr(finished))
    ) as client:
        registry = client.registry("example")
        async with Distribution(registry, base_url=account.url) as distribution:
            contents = ContentReader(distribution)
            plan = await make_plan(registry, Policy([Delete(tags="pr-*")], floor=0), contents)
            plan.save(tmp_path / "plan.json")
            report = await apply_plan(
                registry, plan, contents, journal=tmp_path / "plan.journal", force=True
            )
        said += [repr(client), repr(registry), repr(distribution), repr(contents), repr(plan)]
        said += [repr(report), str(report), repr(client.rate_limit_status)]
        credentials = await registry.docker_credentials()
        said.append(repr(credentials))
    written = {**texts(tmp_path), "said": "".join(said), "log": caplog.text}
    out, errors = capsys.readouterr()
    written |= {"stdout": out, "stderr": errors}
    assert len(report.deleted) == 4
    assert written["log"]
    for where, text in written.items():
        assert TOKEN not in text, where
        assert credentials.password not in text, where


async def test_no_live_object_of_the_package_shows_the_token_or_what_it_is_sent_as(account):
    # What other tests have left is theirs; kept, so that nothing new has the identity of one.
    others = gc.get_objects()
    known = set(map(id, others))
    async with RegistryClient(TOKEN, base_url=account.url) as client:
        registry = client.registry("example")
        async with Distribution(registry, base_url=account.url) as distribution:
            plan = await make_plan(registry, Policy([Delete()]), ContentReader(distribution))
            walk = aiter(registry.tags())
            await anext(walk)
            ours = [
                one
                for one in gc.get_objects()
                if id(one) not in known and str(type(one).__module__).startswith("aioreg")
            ]
            shown = {type(one).__name__: repr(one) for one in ours if one is not account}
            await walk.aclose()
    assert {"Session", "Transport", "Distribution", "WindowLimiter", "Plan"} <= {*shown}
    assert plan
    for name, text in shown.items():
        assert TOKEN not in text, name
        assert "Bearer " not in text, name


FAILING = pytest.mark.parametrize(
    "kind", ["status", "html", "reset-within", "truncate", "body", "lost"]
)


@FAILING
async def test_no_traceback_with_local_variables_shows_the_token(account, kind):
    account.faults = Faults(Fault(kind=kind))

    async def token() -> str:
        return TOKEN

    for given in (TOKEN, token):
        client = RegistryClient(given, base_url=account.url, retry=QUICK, timeout=2)
        async with client:
            with pytest.raises(RegistryError) as caught:
                await client.get_registry()
        told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        frames = [frame for frame in told.stack if "/tests/" not in frame.filename]
        assert frames
        for frame in frames:
            assert TOKEN not in str(frame.locals), frame.name


@FAILING
async def test_no_error_carries_the_token(account, caplog, kind):
    account.faults = Faults(Fault(kind=kind))
    async with RegistryClient(TOKEN, base_url=account.url, retry=QUICK, timeout=2) as client:
        with pytest.raises(RegistryError) as caught:
            await client.get_registry()
    error = caught.value
    told = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    assert TOKEN not in told
    assert TOKEN.encode() not in pickle.dumps(error)
    assert TOKEN not in caplog.text


def test_the_beginning_of_a_long_secret_is_not_shown():
    secret = Secret(f"Basic {TOKEN * 10}")
    # As Rich shows local variables.
    assert TOKEN not in pretty_repr({"authorization": secret}, max_string=80)


async def test_a_token_that_cannot_be_sent_is_not_repeated():
    with pytest.raises(aioregistry.InvalidTokenError) as caught:
        RegistryClient(f"{TOKEN}\n")
    assert TOKEN not in str(caught.value)
