"""Each kind of call under each fault: what it raises, what was sent, what is gone, what is left."""

import asyncio
import re
import socket
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from unittest import mock

import trustme
from attrs import evolve, frozen

from aioregistry import (
    DeletionReport,
    NotFoundError,
    RateLimit,
    RegistryClient,
    RegistryError,
    ResponseError,
    RetryPolicy,
)
from aioregistry.cleanup import (
    CleanupReport,
    ContentReader,
    Delete,
    Distribution,
    Plan,
    Policy,
    apply_plan,
    make_plan,
)
from aioregistry.sandbox import Sandbox
from tests.faults.proxy import FAULTS, Exchange, Fault, FaultProxy, blocking, none
from tests.faults.suspension import AtSuspension

# Only what is about time is to run into it. Of virtual time: however slow the machine.
TIMEOUT = 20.0
TIMEOUTS = {
    "no answer to the connection": 0.3,
    "silence in the TLS handshake": 0.3,
    "silence before the answer": 0.3,
    "silence within the headers": 0.3,
    "silence within the body": 0.3,
    "slow drip": 0.5,
    "event loop blocked for 2 s": 1.0,
}
RETRY = RetryPolicy(attempts=3, backoff=0.001, cap=0.01, max_retry_after=1.0)
# The fault strikes the second.
TAGS = ("v1", "v2", "v3")
STRUCK = TAGS[1]
POLICY = Policy([Delete(tags="v*")], floor=0)
STATUSES = ("deleted", "absent", "drift", "failed", "unknown", "not_attempted")


@frozen
class Scene:
    """A sandbox with three images and a plan for them.

    Attributes:
        sandbox: The sandbox.
        plan: Condemns all three.
        digest: Of the image that the fault strikes.
        folder: For the journal.
    """

    sandbox: Sandbox
    plan: Plan
    digest: str
    folder: Path

    @property
    def there(self) -> set[str]:
        """The tags that are there."""
        return {*self.sandbox.state.tag_names("example", "web")} & {*TAGS}


@frozen
class Way:
    """A client on the way that goes wrong, and where it leads."""

    client: RegistryClient
    url: str
    timeout: float

    def distribution(self) -> Distribution:
        return Distribution(
            self.client.registry("example"), base_url=self.url, retry=RETRY, timeout=self.timeout
        )


@frozen
class Call:
    """A kind of call.

    Attributes:
        run: Makes it, and returns what came of it in words, with what contradicts the truth.
        aim: Whether a request is the one that it is about.
        raised: What is to be told of the truth after an error.
    """

    run: Callable[[Way, Scene], Awaitable[str]]
    aim: Callable[[Exchange, Scene], bool]
    raised: Callable[[Scene, Exception], Awaitable[str]] | None = None


async def _page(way: Way, _: Scene) -> str:
    await way.client.registry("example").repository("web").tags().collect()
    return "done"


async def _delete(way: Way, scene: Scene) -> str:
    await way.client.registry("example").repository("web").delete_tag(STRUCK)
    return f"done, {_truth(scene, gone=True)}"


async def _delete_raised(scene: Scene, error: Exception) -> str:
    settled = isinstance(error, ResponseError) and not isinstance(error, NotFoundError)
    refused = settled and error.status not in {500, 502, 504}
    return _truth(scene, gone=False if refused else None)


def _truth(scene: Scene, *, gone: bool | None) -> str:
    """Return whether what is struck is gone, and that it must not be if it must not."""
    is_gone = STRUCK not in scene.there
    return ("" if gone in {None, is_gone} else "!! ") + ("gone" if is_gone else "there")


async def _three_deletes(way: Way, scene: Scene) -> str:
    repository = way.client.registry("example").repository("web")
    report = await repository.delete_tags(TAGS)
    names = {status: {one.name for one in of(report, status)} for status in STATUSES}
    errors = {type(one.error).__name__ for one in (*report.failed, *report.unknown)}
    return _counts(report, errors) + _contradictions(names, scene)


async def _clean_up(way: Way, scene: Scene) -> str:
    registry = way.client.registry("example")
    async with way.distribution() as distribution:
        report = await apply_plan(
            registry,
            scene.plan,
            ContentReader(distribution),
            journal=scene.folder / "journal",
            force=True,
        )
    names = {
        status: {tag for one in of(report, status) for tag in one.item.tags} for status in STATUSES
    }
    told = _counts(report, set()) + _contradictions(names, scene)
    return told + ("" if report.done else await _resumed(scene))


async def _resumed(scene: Scene, _: Exception | None = None) -> str:
    """Resume the clean-up without the fault, and tell whether all is gone then."""
    async with RegistryClient(scene.sandbox.token, base_url=scene.sandbox.url) as client:
        registry = client.registry("example")
        async with Distribution(registry, base_url=scene.sandbox.url) as distribution:
            await apply_plan(
                registry,
                scene.plan,
                ContentReader(distribution),
                journal=scene.folder / "journal",
                resume=True,
                force=True,
            )
    return "; resumed to the end" if not scene.there else f"; !! {sorted(scene.there)} left"


def of(report: DeletionReport | CleanupReport, status: str) -> tuple:
    return getattr(report, status, ())


def _counts(report: DeletionReport | CleanupReport, errors: set[str]) -> str:
    counts = Counter({status: len(of(report, status)) for status in STATUSES})
    told = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts.items() if n)
    return told + "".join(f" (`{error}`)" for error in sorted(errors))


def _contradictions(names: dict[str, set[str]], scene: Scene) -> str:
    gone = (names["deleted"] | names["absent"]) & scene.there
    there = (names["failed"] | names["not_attempted"] | names["drift"]) - scene.there
    lost = {*TAGS} - set().union(*names.values())
    return "".join(
        f", !! {what} {sorted(some)}"
        for what, some in (
            ("told gone, are there:", gone),
            ("told there, are gone:", there),
            ("not told of:", lost),
        )
        if some
    )


async def _credentials(way: Way, _: Scene) -> str:
    await way.client.docker_credentials()
    return "done"


async def _collect(way: Way, _: Scene) -> str:
    await way.client.registry("example").start_garbage_collection()
    return "done"


async def _manifest(way: Way, scene: Scene) -> str:
    async with way.distribution() as distribution:
        await distribution.get_manifest("web", scene.digest)
    return "done"


# Not per_page=2.
_LATER = re.compile(r"[?&]page=2\b")
_STRUCK_TAG = f"/tags/{STRUCK}"

CALLS: dict[str, Call] = {
    "first page": Call(_page, lambda to, _: "/tags" in to.path and not _LATER.search(to.path)),
    "later page": Call(_page, lambda to, _: _LATER.search(to.path) is not None),
    "delete": Call(_delete, lambda to, _: to.method == "DELETE", _delete_raised),
    "three deletes": Call(
        _three_deletes, lambda to, _: to.method == "DELETE" and to.path.endswith(_STRUCK_TAG)
    ),
    "clean-up of three": Call(
        _clean_up,
        lambda to, scene: to.method == "DELETE" and scene.digest.split(":")[1] in to.path,
        _resumed,
    ),
    "credentials": Call(_credentials, lambda to, _: "docker-credentials" in to.path),
    "start of a garbage collection": Call(_collect, lambda to, _: to.method == "POST"),
    # The first request asks how to log in.
    "manifest": Call(
        _manifest, lambda to, _: "/manifests/" in to.path and b"bearer" in to.request.lower()
    ),
}
# Faults that do not happen to a request that has arrived.
OUTSIDE = (
    "no such host",
    "connection refused",
    "no answer to the connection",
    "TLS failure",
    "silence in the TLS handshake",
    "clock jumps an hour forward",
    "clock jumps an hour back",
    "event loop blocked for 2 s",
    "cancelled at every await",
)
ALL = (*FAULTS, *OUTSIDE)


@asynccontextmanager
async def _scene() -> AsyncIterator[Scene]:
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox() as sandbox:
            digests = {tag: sandbox.state.push("example", "web", [tag]) for tag in (*TAGS, "main")}
            async with RegistryClient(sandbox.token, base_url=sandbox.url) as client:
                registry = client.registry("example")
                async with Distribution(registry, base_url=sandbox.url) as distribution:
                    plan = await make_plan(registry, POLICY, ContentReader(distribution))
            # It is carried out by way of a proxy, whose address is another one.
            plan = evolve(plan, api_url=None, registry_url=None)
            yield Scene(sandbox, plan, digests[STRUCK], Path(folder))


@asynccontextmanager
async def _way(url: str, token: str, fault: str) -> AsyncIterator[Way]:
    timeout = TIMEOUTS.get(fault, TIMEOUT)
    async with RegistryClient(
        token,
        base_url=url,
        # After a 429 the limiter would wait as long as it was told to.
        rate_limit=None if fault.startswith("429") else RateLimit(),
        retry=RETRY,
        timeout=timeout,
        per_page=2,
        concurrency=1,
    ) as client:
        yield Way(client, url, timeout)


async def cell(fault: str, name: str) -> str:
    """Return what comes of a call under a fault, in words."""
    call = CALLS[name]
    if fault == "cancelled at every await":
        return await _cancelled(call)
    async with _scene() as scene:
        proxy = _proxy(scene, call, _fault(fault))
        async with proxy.running(_untrusted() if fault == "TLS failure" else None) as url:
            with _outside(fault, url) as reached:
                async with _way(reached, scene.sandbox.token, fault) as way:
                    came = await _outcome(call, way, scene)
                    held = _permits(way.client)
            left = held + await _left_open(proxy)
        sent = [f"sent {proxy.hit}x"] if reached == url and fault != "TLS failure" else []
        return ", ".join([came, *sent, *left])


def _proxy(scene: Scene, call: Call, fault: Fault) -> FaultProxy:
    port = int(scene.sandbox.url.rpartition(":")[2])
    return FaultProxy(port, fault, lambda to: call.aim(to, scene))


def _fault(name: str) -> Fault:
    return blocking(2.0) if name.startswith("event loop blocked") else FAULTS.get(name, none)


def _untrusted() -> ssl.SSLContext:
    """Return what serves with a certificate that nobody has signed whom a client trusts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


_NO_SUCH_HOST = "no-such-host.invalid"
_true_getaddrinfo = socket.getaddrinfo


def _find_host(host, *rest, **more):
    if host == _NO_SUCH_HOST:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _true_getaddrinfo(host, *rest, **more)


@contextmanager
def _outside(fault: str, url: str) -> Iterator[str]:
    """Make what does not happen to a request, and return where the client is led to."""
    if fault == "no such host":
        # Some networks take seconds to say so, and some lead such names to a host of theirs. Calls
        # that overlap may leave this in place, so that it must not be about any other name.
        with mock.patch("socket.getaddrinfo", _find_host):
            yield f"http://{_NO_SUCH_HOST}"
    elif fault == "connection refused":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            yield _url("http", free)
    elif fault == "no answer to the connection":
        # One waits to be accepted, and Linux answers no more of them.
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for waiting in (first, second):
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            yield _url("http", full)
    elif fault == "silence in the TLS handshake":
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(100)
            yield _url("https", silent)
    elif fault.startswith("clock jumps"):
        by = 3600 if fault.endswith("forward") else -3600
        begun, true = time.monotonic(), time.time

        def jumping() -> float:
            return true() + (by if time.monotonic() - begun > 0.005 else 0)

        with mock.patch("time.time", jumping):
            yield url
    else:
        yield url


def _url(scheme: str, listening: socket.socket) -> str:
    return f"{scheme}://127.0.0.1:{listening.getsockname()[1]}"


async def _outcome(call: Call, way: Way, scene: Scene) -> str:
    try:
        async with asyncio.timeout(60):
            return await call.run(way, scene)
    except RegistryError as error:
        told = f"`{type(error).__name__}`"
        if call.raised is None:
            return told
        more = await call.raised(scene, error)
        return f"{told}{more}" if more.startswith(";") else f"{told}, {more}"
    except Exception as error:  # noqa: BLE001, it is what must not be
        return f"!! {type(error).__name__}: {error}"


def _permits(client: RegistryClient) -> list[str]:
    windows = getattr(client._limiter, "_windows", ())
    held = max((window.in_flight for window in windows), default=0)
    return [f"!! {held} permits held"] if held else []


async def _left_open(proxy: FaultProxy) -> list[str]:
    left = [] if await proxy.closed() else [f"!! {proxy.open} connections left"]
    running = [
        task
        for task in asyncio.all_tasks()
        if "/aioregistry/" in str(task.get_coro()) and "/sandbox/" not in str(task.get_coro())
    ]
    return left + ([f"!! {len(running)} tasks left"] if running else [])


async def _cancelled(call: Call) -> str:
    nth, came = 0, set()
    while True:
        nth += 1
        async with _scene() as scene:
            proxy = _proxy(scene, call, none)
            async with proxy.running() as url:
                async with _way(url, scene.sandbox.token, "cancelled") as way:
                    work = AtSuspension(call.run(way, scene), nth, _cancel_this_task)
                    try:
                        came.add(await asyncio.create_task(work.run()))
                    except asyncio.CancelledError as error:
                        came.add("`CancelledError`")
                        told = "" if call.raised is None else await call.raised(scene, error)
                        came.update(told.removeprefix("; ") for _ in range("!!" in told))
                    except Exception as error:  # noqa: BLE001
                        came.add(f"!! {type(error).__name__}")
                    await asyncio.sleep(0)
                    came.update(_permits(way.client))
                came.update(await _left_open(proxy))
        if not work.reached:
            return ", ".join(sorted(came))


def _cancel_this_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
