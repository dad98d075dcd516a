"""The fixtures that ``pytest_plugins = ["aioregistry.testing"]`` brings.

They work in tests run by pytest-asyncio, in either mode, and by AnyIO on asyncio; ``virtual_clock``
runs async tests itself, and without any of these ``registry_sandbox`` serves blocking code.

PYTEST_DONT_REWRITE (there are no assertions, and it may have been imported before)
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from inspect import iscoroutinefunction, signature
from typing import Any, Literal

import aiohttp
import pytest

from aioregistry.client.client import RegistryClient
from aioregistry.sandbox import Limits, Sandbox
from aioregistry.session.retry import RetryPolicy
from aioregistry.testing.background import running_sandbox
from aioregistry.testing.clock import VirtualClock

__all__ = ["registry_client", "registry_sandbox", "registry_sandbox_options", "virtual_clock"]

Served = tuple[Sandbox, RegistryClient]

_QUICK = RetryPolicy(backoff=0.001, cap=0.01)


@pytest.fixture
def registry_sandbox_options() -> dict[str, Any]:
    """The arguments of `Sandbox` for `registry_sandbox`: override it to give some."""
    return {}


@pytest.fixture
def registry_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A running sandbox with an empty registry ``example``, unless the options say otherwise.

    It runs on the loop of the test; in a test that has none, in a thread of its own. There are no
    limits, but with `virtual_clock` those of the API.
    """
    served = _served_by(request)
    if served is not None:
        yield request.getfixturevalue(served)[0]
        return
    with running_sandbox(Sandbox(**request.getfixturevalue("registry_sandbox_options"))) as sandbox:
        yield sandbox


@pytest.fixture
def registry_client(request: pytest.FixtureRequest) -> RegistryClient:
    """An open client for `registry_sandbox`; it keeps the limits and retries after milliseconds."""
    served = _served_by(request)
    if served is None:
        pytest.fail(
            "registry_client needs an event loop: make the test async, or ask for virtual_clock",
            pytrace=False,
        )
    client: RegistryClient = request.getfixturevalue(served)[1]
    return client


@pytest.fixture
def virtual_clock() -> Iterator[VirtualClock]:
    """A clock for `registry_sandbox` and `registry_client` on which waiting takes no time.

    An async test that asks for it runs on it, whatever plugin runs the others; a usual one calls
    `VirtualClock.run`. Async fixtures of your own run on another loop.
    """
    with VirtualClock() as clock:
        yield clock


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test that asks for `virtual_clock`."""
    values = pyfuncitem.funcargs
    clock = values.get("virtual_clock")
    # As it was written: a plugin may have made its own of it by now.
    test = getattr(pyfuncitem.instance or pyfuncitem.module, pyfuncitem.originalname)
    if not (isinstance(clock, VirtualClock) and iscoroutinefunction(test)):
        return None
    clock.run(test(**{name: values[name] for name in signature(test).parameters if name in values}))
    return True


def _served_by(request: pytest.FixtureRequest) -> str | None:
    """The fixture that serves both on the loop of the test; None when it has no loop."""
    if "virtual_clock" in request.fixturenames:
        return "_served_in_virtual_time"
    if not iscoroutinefunction(request.function):
        return None
    marker = request.node.get_closest_marker("asyncio")
    if marker is not None:
        default = request.config.getini("asyncio_default_test_loop_scope")
        return f"_served_in_{marker.kwargs.get('loop_scope') or default}_loop"
    return "_served_by_anyio" if "anyio_backend" in request.fixturenames else None


@asynccontextmanager
async def _serve(sandbox: Sandbox, retry: RetryPolicy = _QUICK) -> AsyncIterator[Served]:
    """Run a sandbox, and open a client on it."""
    async with sandbox:
        trust = sandbox.certificates
        connector = None if trust is None else aiohttp.TCPConnector(ssl=trust.client)
        async with RegistryClient(
            sandbox.token,
            base_url=sandbox.url,
            connector=connector,
            rate_limit=sandbox.rate_limit,
            retry=retry,
        ) as client:
            yield sandbox, client


@pytest.fixture
def _served_in_virtual_time(
    virtual_clock: VirtualClock, registry_sandbox_options: dict[str, Any]
) -> Iterator[Served]:
    stack = AsyncExitStack()
    sandbox = virtual_clock.sandbox(**({"limits": Limits()} | registry_sandbox_options))
    yield virtual_clock.run(stack.enter_async_context(_serve(sandbox, RetryPolicy())))
    virtual_clock.run(stack.aclose())


@pytest.fixture
async def _served_by_anyio(registry_sandbox_options: dict[str, Any]) -> AsyncIterator[Served]:
    async with _serve(Sandbox(**registry_sandbox_options)) as served:
        yield served


try:
    import pytest_asyncio
except ModuleNotFoundError:  # other plugins run async tests, too
    pass
else:

    def _served_in(loop_scope: Literal["function", "class", "module", "package", "session"]) -> Any:
        @pytest_asyncio.fixture(loop_scope=loop_scope, name=f"_served_in_{loop_scope}_loop")
        async def served(registry_sandbox_options: dict[str, Any]) -> AsyncIterator[Served]:
            async with _serve(Sandbox(**registry_sandbox_options)) as served:
                yield served

        return served

    _in_function_loop = _served_in("function")
    _in_class_loop = _served_in("class")
    _in_module_loop = _served_in("module")
    _in_package_loop = _served_in("package")
    _in_session_loop = _served_in("session")
