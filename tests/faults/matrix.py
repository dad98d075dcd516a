"""Each kind of call under each fault: what is raised, what was sent, what stays open."""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import trustme
from attrs import frozen

from aioregistry import RegistryClient, RegistryError, RetryPolicy
from aioregistry.cleanup import Distribution
from tests.faults.server import DIGEST, FAULTS, LATER, Exchange, Fault, FaultServer
from tests.faults.suspension import AtSuspension

# Only what is about time is to run into it, however slow the machine.
TIMEOUT = 20.0
TIMEOUTS = {
    "silence before the answer": 0.3,
    "silence within the body": 0.3,
    "slow drip": 0.5,
    "event loop blocked for 2 s": 1.0,
}
RETRY = RetryPolicy(attempts=3, backoff=0.001, cap=0.01, max_retry_after=1.0)


@frozen
class Call:
    """A kind of call.

    Attributes:
        run: Makes it.
        aim: Whether a request is the one that it is about.
    """

    run: Callable[[RegistryClient, str, float], Awaitable[Any]]
    aim: Callable[[Exchange], bool]


async def _page(client: RegistryClient, *_: object) -> object:
    return await client.registry("example").repository("web").tags().collect()


async def _delete(client: RegistryClient, *_: object) -> object:
    return await client.registry("example").repository("web").delete_tag("v1")


async def _credentials(client: RegistryClient, *_: object) -> object:
    return await client.docker_credentials()


async def _collect(client: RegistryClient, *_: object) -> object:
    return await client.registry("example").start_garbage_collection()


async def _manifest(client: RegistryClient, url: str, timeout: float) -> object:
    registry = client.registry("example")
    async with Distribution(registry, base_url=url, retry=RETRY, timeout=timeout) as distribution:
        return await distribution.get_manifest("web", DIGEST)


CALLS: dict[str, Call] = {
    "first page": Call(_page, lambda to: "/tags" in to.path and not LATER.search(to.path)),
    "later page": Call(_page, lambda to: LATER.search(to.path) is not None),
    "delete": Call(_delete, lambda to: to.method == "DELETE"),
    "credentials": Call(_credentials, lambda to: "docker-credentials" in to.path),
    "start of a garbage collection": Call(_collect, lambda to: to.method == "POST"),
    "manifest": Call(_manifest, lambda to: "/manifests/" in to.path),
}
# Faults that no server has to make.
OUTSIDE = (
    "no such host",
    "connection refused",
    "TLS failure",
    "clock jumps an hour forward",
    "clock jumps an hour back",
    "event loop blocked for 2 s",
    "cancelled at every await",
)
ALL = (*FAULTS, *OUTSIDE)


async def cell(fault: str, name: str) -> str:
    """Return what comes of a call under a fault, in words."""
    if fault == "cancelled at every await":
        return await _cancelled(CALLS[name])
    call = CALLS[name]
    blocked = fault.startswith("event loop blocked")
    server = FaultServer(_blocking() if blocked else FAULTS.get(fault, _well), call.aim)
    async with server.running(_untrusted() if fault == "TLS failure" else None) as url:
        with _outside(fault):
            came = await _outcome(call, _url_for(fault, url), TIMEOUTS.get(fault, TIMEOUT))
        await _settled(server)
        left = _left_open(server)
    told = [came]
    if fault not in {"no such host", "connection refused", "TLS failure"}:
        told.append(f"sent {server.hit}x")
    return ", ".join([*told, *left])


async def _well(to: Exchange) -> None:
    to.answer_well()


def _blocking() -> Fault:
    """Return what blocks the loop that it shares with the client, while the first answer is due."""
    seconds = [2.0]

    async def fault(to: Exchange) -> None:
        time.sleep(seconds.pop() if seconds else 0)  # noqa: ASYNC251, that is the fault
        to.answer_well()

    return fault


def _url_for(fault: str, url: str) -> str:
    if fault == "no such host":
        return "http://no-such-host.invalid"
    if fault == "connection refused":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{free.getsockname()[1]}"
    return url


def _untrusted() -> ssl.SSLContext:
    """Return what serves with a certificate that nobody has signed whom a client trusts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@contextmanager
def _outside(fault: str) -> Iterator[None]:
    if fault.startswith("clock jumps"):
        by = 3600 if fault.endswith("forward") else -3600
        begun, true = time.monotonic(), time.time

        def jumping() -> float:
            return true() + (by if time.monotonic() - begun > 0.005 else 0)

        with mock.patch("time.time", jumping):
            yield
    else:
        yield


async def _outcome(call: Call, url: str, timeout: float) -> str:
    async with RegistryClient(
        "token", base_url=url, rate_limit=None, retry=RETRY, timeout=timeout
    ) as client:
        try:
            async with asyncio.timeout(60):
                await call.run(client, url, timeout)
        except RegistryError as error:
            return f"`{type(error).__name__}`"
        except Exception as error:  # noqa: BLE001, it is what must not be
            return f"!! {type(error).__name__}"
    return "done"


async def _settled(server: FaultServer) -> None:
    for _ in range(100):
        if not server.open:
            return
        await asyncio.sleep(0.005)


def _left_open(server: FaultServer) -> list[str]:
    ours = {"_serve", "start_server"}
    running = [
        task
        for task in asyncio.all_tasks()
        if task is not asyncio.current_task()
        and getattr(task.get_coro(), "__name__", "") not in ours
        and "aioregistry" in str(task.get_coro())
    ]
    return [f"!! {len(running)} tasks left"] if running else []


def _cancel_this_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def _cancelled(call: Call) -> str:
    nth, came = 0, set()
    while True:
        nth += 1
        server = FaultServer(_well, call.aim)
        async with server.running() as url:
            client = RegistryClient("token", base_url=url, retry=RETRY, timeout=TIMEOUT)
            await client.open()
            work = AtSuspension(call.run(client, url, TIMEOUT), nth, _cancel_this_task)
            try:
                await asyncio.create_task(work.run())
                came.add("done")
            except asyncio.CancelledError:
                came.add("CancelledError")
            except Exception as error:  # noqa: BLE001
                came.add(f"!! {type(error).__name__}")
            await asyncio.sleep(0)
            held = client._limiter._windows[0].in_flight
            if held:
                came.add(f"!! {held} permits held")
            await client.close()
            await _settled(server)
            came.update(_left_open(server))
            if server.open:
                came.add("!! a connection left")
        if not work.reached:
            break
    return ", ".join(sorted(f"`{each}`" if each == "CancelledError" else each for each in came))
