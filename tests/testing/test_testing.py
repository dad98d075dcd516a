"""The fixtures and context managers for users' own tests, used as users would."""

import asyncio
import re
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from aioregistry import RegistryClient
from aioregistry.sandbox import Fault, Faults, Limits, Sandbox, State
from aioregistry.testing import VirtualClock, running_sandbox

pytestmark = pytest.mark.slow(0.1)

pytest_plugins = ["pytester"]

README = Path(__file__).parents[2] / "aioregistry/testing/README.md"
HOUR = 3600.0

INI = """\
[pytest]
addopts = --strict-markers -p no:cacheprovider
filterwarnings =
  error
  ignore:Module already imported so cannot be rewritten
"""
ASYNCIO_INI = "asyncio_mode = {}\nasyncio_default_fixture_loop_scope = function\n"


@pytest.fixture
def run(pytester):
    """Run a user's test file; without a mode, there is no pytest-asyncio."""

    def run(code, *arguments, mode=None):
        pytester.makeini(INI + (ASYNCIO_INI.format(mode) if mode else ""))
        pytester.makepyfile(f'import pytest\n\npytest_plugins = ["aioregistry.testing"]\n{code}')
        without = () if mode else ("-p", "no:asyncio")
        return pytester.runpytest_inprocess(*without, *arguments)

    return run


def get(sandbox):
    """Call the API as blocking code does, and return the status."""
    request = urllib.request.Request(
        f"{sandbox.url}/v2/registry", headers={"Authorization": f"Bearer {sandbox.token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.status


# The fixtures

USE = """
async def test_use(registry_sandbox, registry_client):
    registry_sandbox.state.push("example", "web", ["v1", "v2"])
    await registry_client.registry("example").repository("web").delete_tag("v1")
    assert registry_sandbox.state.tag_names("example", "web") == ["v2"]
    assert [(request.method, request.status) for request in registry_sandbox.requests] == [
        ("DELETE", 204)
    ]
"""
BLOCKING_USE = """
import urllib.request

def test_use(registry_sandbox):
    request = urllib.request.Request(
        registry_sandbox.url + "/v2/registry",
        headers={"Authorization": f"Bearer {registry_sandbox.token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.status == 200
    assert len(registry_sandbox.requests) == 1
"""
ANYIO = """
pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


def test_async_tests_use_them_in_auto_mode(run):
    run(USE, mode="auto").assert_outcomes(passed=1)


def test_async_tests_use_them_in_strict_mode(run):
    run(f"pytestmark = pytest.mark.asyncio\n{USE}", mode="strict").assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_they_run_on_the_loop_of_the_test_however_long_it_lives(run, scope):
    code = f"pytestmark = pytest.mark.asyncio(loop_scope={scope!r})\n{USE}"
    run(code, mode="strict").assert_outcomes(passed=1)


def test_they_run_on_the_default_loop_of_tests(run):
    run(USE, "-o", "asyncio_default_test_loop_scope=session", mode="auto").assert_outcomes(passed=1)


def test_methods_use_them(run):
    method = USE.replace("test_use(", "test_use(self, ").replace("\n", "\n    ")
    run(f"class TestUse:{method}", mode="auto").assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", [None, "strict"], ids=["alone", "beside pytest-asyncio"])
def test_tests_that_anyio_runs_use_them(run, mode):
    pytest.importorskip("anyio")
    run(ANYIO + USE, mode=mode).assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", [None, "auto", "strict"])
def test_blocking_tests_use_the_sandbox(run, mode):
    run(BLOCKING_USE, mode=mode).assert_outcomes(passed=1)


def test_pytest_asyncio_need_not_be_installed(run):
    code = """
import sys

sys.modules["pytest_asyncio"] = None
sys.modules.pop("aioregistry.testing.fixtures", None)
"""
    run(code + BLOCKING_USE).assert_outcomes(passed=1)


def test_fixtures_of_users_build_on_them(run):
    code = """
@pytest.fixture
async def repository(registry_sandbox, registry_client):
    registry_sandbox.state.push("example", "web", ["v1"])
    await registry_client.get_registry()
    return registry_client.registry("example").repository("web")

async def test_use(repository):
    assert [tag.tag async for tag in repository.tags()] == ["v1"]
"""
    run(code, mode="auto").assert_outcomes(passed=1)


def test_the_client_tells_a_test_without_a_loop_what_to_do(run):
    result = run("def test_use(registry_client): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["registry_client needs an event loop: make the test async*"])


def test_options_are_given_by_overriding_their_fixture(run):
    code = """
from aioregistry.sandbox import Limits

@pytest.fixture
def registry_sandbox_options():
    return {"token": "mine", "limits": Limits(per_hour=2)}

async def test_on_the_loop(registry_sandbox, registry_client):
    assert registry_sandbox.token == "mine"
    await registry_client.get_registry()
    assert [window.free for window in registry_client.rate_limit_status.windows] == [249, 1]

def test_in_a_thread(registry_sandbox):
    assert registry_sandbox.token == "mine"
"""
    run(code, mode="auto").assert_outcomes(passed=2)


def test_the_client_trusts_a_sandbox_with_tls(run):
    pytest.importorskip("trustme")
    options = "@pytest.fixture\ndef registry_sandbox_options():\n    return {'tls': True}\n"
    run(options + USE, mode="auto").assert_outcomes(passed=1)


def test_the_client_is_quick_to_try_again(run):
    code = """
import asyncio
from aioregistry.sandbox import Fault, Faults

async def test_use(registry_sandbox, registry_client):
    # With the usual waits it would take 37 seconds.
    async with asyncio.timeout(20):
        for _ in range(10):
            registry_sandbox.faults = Faults(Fault(kind="status", times=4))
            await registry_client.get_registry()
    assert len(registry_sandbox.requests) == 50
"""
    run(code, mode="auto").assert_outcomes(passed=1)


def test_each_test_has_a_sandbox_of_its_own(run):
    code = """
@pytest.mark.parametrize("number", [1, 2])
async def test_use(registry_sandbox, number):
    assert registry_sandbox.state.registries["example"].repositories == {}
    registry_sandbox.state.push("example", "web", ["v1"])
"""
    run(code, mode="auto").assert_outcomes(passed=2)


@pytest.mark.slow(2)
def test_a_conftest_may_import_the_plugin_and_ask_for_it(pytester):
    pytester.makeini(INI + ASYNCIO_INI.format("auto"))
    pytester.makeconftest(
        'from aioregistry.testing import running_sandbox\npytest_plugins = ["aioregistry.testing"]'
    )
    pytester.makepyfile(USE)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_importing_it_needs_no_pytest():
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from aioregistry.testing import running_sandbox\n"
        "with running_sandbox() as sandbox: print(sandbox.url)"
    )
    assert subprocess.check_output([sys.executable, "-c", code]).startswith(b"http://127.0.0.1:")


# The virtual clock

AN_HOUR_OF_WAITING = """
async def test_wait(virtual_clock, registry_sandbox, registry_client):
    registry_sandbox.use_quota(5000)  # somebody else has spent the hour
    await registry_client.get_registry()
    assert 3600 <= virtual_clock.elapsed < 3610
"""


@pytest.mark.parametrize("mode", [None, "auto", "strict"])
def test_an_async_test_runs_on_the_virtual_clock_whatever_runs_the_others(run, mode):
    run(AN_HOUR_OF_WAITING, mode=mode).assert_outcomes(passed=1)


@pytest.mark.parametrize("marker", ["asyncio", "anyio"])
def test_a_marker_changes_nothing_about_that(run, marker):
    pytest.importorskip(f"pytest_{marker}" if marker == "asyncio" else marker)
    code = f"pytestmark = pytest.mark.{marker}\n{AN_HOUR_OF_WAITING}"
    # AnyIO runs its tests on each backend that is installed.
    assert run(code, mode="strict").parseoutcomes().keys() == {"passed"}


def test_a_method_runs_on_the_virtual_clock(run):
    method = AN_HOUR_OF_WAITING.replace("test_wait(", "test_wait(self, ").replace("\n", "\n    ")
    run(f"class TestWait:{method}", mode="auto").assert_outcomes(passed=1)


def test_a_failing_test_on_the_virtual_clock_fails(run):
    run("async def test_fail(virtual_clock): assert False").assert_outcomes(failed=1)


def test_a_blocking_test_runs_coroutines_on_the_virtual_clock(run):
    code = """
def test_wait(virtual_clock, registry_sandbox, registry_client):
    registry_sandbox.use_quota(5000)
    registry = virtual_clock.run(registry_client.get_registry())
    assert registry.name == "example"
    assert virtual_clock.elapsed >= 3600
"""
    run(code).assert_outcomes(passed=1)


def test_options_go_before_the_limits_of_virtual_time(run):
    code = """
@pytest.fixture
def registry_sandbox_options():
    return {"limits": None}

async def test_no_limits(virtual_clock, registry_sandbox, registry_client):
    registry_sandbox.use_quota(5000)
    await registry_client.get_registry()
    assert virtual_clock.elapsed < 60
"""
    run(code).assert_outcomes(passed=1)


@pytest.fixture
def clock():
    with VirtualClock() as clock:
        yield clock


def test_unix_time_goes_with_the_virtual_clock_and_comes_back():
    begun = time.time()
    with VirtualClock() as clock:
        clock.run(asyncio.sleep(HOUR))
        assert begun + HOUR <= time.time() < begun + HOUR + 60
    assert time.time() < begun + 60
    assert clock.elapsed == pytest.approx(HOUR, abs=0.01)


def test_waits_for_the_hour_are_as_long_late_as_early(clock):
    """The API names the end of a wait in Unix time: it must be that of the same clock."""

    async def wait_twice(sandbox):
        async with (
            sandbox,
            RegistryClient(
                sandbox.token, base_url=sandbox.url, rate_limit=sandbox.rate_limit
            ) as client,
        ):
            for share in (1.0, 0.5):
                await asyncio.sleep(HOUR)
                sandbox.use_quota(5000)
                await asyncio.sleep(HOUR * (1 - share))
                begun = clock.elapsed
                await client.get_registry()
                assert clock.elapsed - begun == pytest.approx(HOUR * share, abs=10)

    clock.run(wait_twice(clock.sandbox(limits=Limits())))


def test_a_garbage_collection_takes_virtual_time(clock):
    async def collect(sandbox):
        async with (
            sandbox,
            RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
        ):
            registry = client.registry("example")
            started = await registry.start_garbage_collection("unreferenced blobs only")
            return await registry.wait_for_garbage_collection(started.uuid, timeout=HOUR)

    ended = clock.run(collect(clock.sandbox()))
    assert ended.status == "succeeded"
    assert ended.updated_at > ended.created_at


# Without pytest


class BlockingTest(unittest.TestCase):
    def setUp(self):
        self.sandbox = self.enterContext(running_sandbox())

    def test_requests_are_recorded(self):
        self.assertEqual(get(self.sandbox), 200)  # noqa: PT009, as such tests look
        self.assertEqual(self.sandbox.requests[0].raw_path, "/v2/registry")  # noqa: PT009


def test_another_process_uses_a_running_sandbox():
    code = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=60)"
    with running_sandbox() as sandbox:
        url = f"{sandbox.url}/_sandbox/faults"
        subprocess.run([sys.executable, "-c", code, url], check=True)


def test_a_running_sandbox_is_the_one_that_was_given():
    state = State()
    state.add_registry("mine")
    given = Sandbox(state, faults=Faults(Fault(kind="status", skip=1)))
    with running_sandbox(given) as sandbox:
        assert sandbox is given
        assert get(sandbox) == 200
        with pytest.raises(urllib.error.HTTPError, match="503"):
            get(sandbox)


def test_a_running_sandbox_ends_with_its_block():
    threads = threading.active_count()
    with pytest.raises(LookupError), running_sandbox() as sandbox:
        raise LookupError
    assert threading.active_count() == threads
    with pytest.raises(urllib.error.URLError):
        get(sandbox)


def test_a_port_that_is_taken_is_told():
    with running_sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), running_sandbox(Sandbox(port=port)):
            pass
        assert get(sandbox) == 200


async def test_a_running_sandbox_runs_beside_a_loop():
    with running_sandbox() as sandbox:
        async with RegistryClient(sandbox.token, base_url=sandbox.url) as client:
            assert (await client.get_registry()).name == "example"


# The README

TEST_FILES = {
    name: code
    for code, name in re.findall(
        r"^```python\n(# (test_\w+)\.py\n.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL
    )
}


@pytest.fixture
def run_readme(pytester):
    """Run one of the README's test files, with some text replaced."""

    def run(name, *replaced):
        code = TEST_FILES[name]
        if replaced:
            assert replaced[0] in code
            code = code.replace(*replaced)
        pytester.makeini(INI + ASYNCIO_INI.format("auto"))
        pytester.makepyfile(**{name: code})
        return pytester.runpytest_inprocess()

    return run


@pytest.mark.parametrize("name", sorted(TEST_FILES))
def test_a_test_file_of_the_readme_passes(run_readme, name):
    outcomes = run_readme(name).parseoutcomes()
    assert outcomes.keys() == {"passed"}


def test_a_test_file_of_the_readme_has_twenty_lines():
    lines = [line for line in TEST_FILES["test_cleanup"].splitlines() if line.strip()]
    assert len(lines) <= 20


GOOD = "    await repo.delete_tags(condemned)\n"
STOPS_AT_THE_FIRST_ERROR = """\
    for name in condemned:
        await repo.delete_tag(name)
"""
TAKES_A_LOST_ANSWER_FOR_A_FAILURE = """\
    report = await repo.delete_tags(condemned)
    return [outcome.name for outcome in (*report.failed, *report.unknown)]
"""


@pytest.mark.parametrize("naive", [STOPS_AT_THE_FIRST_ERROR, TAKES_A_LOST_ANSWER_FOR_A_FAILURE])
def test_the_test_of_the_readme_catches_a_naive_clean_up(run_readme, naive):
    assert "failed" in run_readme("test_cleanup", GOOD, naive).parseoutcomes()
